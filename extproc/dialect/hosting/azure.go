package hosting

import (
	"net/url"

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
	root, query := "/openai/v1", ""
	switch {
	case dated(a.version) && a.Name() == llm.Responses:
		root = "/openai"
	case dated(a.version):
		root = "/openai/deployments/" + url.PathEscape(t.Model)
	}
	if a.version != "" && a.version != "v1" {
		query = "?api-version=" + url.QueryEscape(a.version)
	}
	w.Path = root + w.Path + query
	return w, nil
}

// dated reports whether an API version is a date, as 2024-10-21 or
// 2025-03-01-preview, and not one of those of v1.
func dated(version string) bool { return version != "" && '0' <= version[0] && version[0] <= '9' }
