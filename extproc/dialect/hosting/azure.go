package hosting

import (
	"net/url"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// azure is Azure's form of OpenAI's formats, in which only the paths differ.
// Under a dated API version a deployment, which the model names, has a path of
// its own; Responses have one for all. Under version v1 the paths are OpenAI's.
//
// Source: Azure OpenAI REST API reference, data plane inference.
type azure struct {
	dialect.ProviderSide
	version string
}

func (a *azure) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	w, err := a.ProviderSide.EncodeRequest(r, t)
	if err != nil {
		return nil, err
	}
	deployment := t.Model
	if a.Name() == llm.Responses {
		deployment = ""
	}
	w.Path = azurePath(a.version, w.Path, deployment)
	return w, nil
}

// azurePath is where a path of OpenAI's API is, below the resource's host. The
// deployment is empty where the path is the same for all.
func azurePath(version, path, deployment string) string {
	root := "/openai/v1"
	switch {
	case dated(version) && deployment == "":
		root = "/openai"
	case dated(version):
		root = "/openai/deployments/" + url.PathEscape(deployment)
	}
	path = root + path
	switch {
	case version == "" || version == "v1":
		return path
	case strings.Contains(path, "?"):
		return path + "&api-version=" + url.QueryEscape(version)
	}
	return path + "?api-version=" + url.QueryEscape(version)
}

// dated reports whether an API version is a date, as 2024-10-21 or
// 2025-03-01-preview, and not one of those of v1.
func dated(version string) bool { return version != "" && '0' <= version[0] && version[0] <= '9' }
