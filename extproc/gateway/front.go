package gateway

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A front is what a path of the front door means.
type front struct {
	method  string
	dialect string
	op      llm.Op
}

// fronts lists the paths without the leading /v1, which clients may leave out.
var fronts = map[string]front{
	"/chat/completions":      {"POST", llm.OpenAI, llm.OpChat},
	"/embeddings":            {"POST", llm.OpenAI, llm.OpEmbeddings},
	"/messages":              {"POST", llm.Anthropic, llm.OpChat},
	"/messages/count_tokens": {"POST", llm.Anthropic, llm.OpCountTokens},
}

// frontOf returns what a request is about. The list of models is the one path
// that two dialects share; a header tells them apart. On an error the front
// still names the dialect that the error is to be written in.
func frontOf(h *Head) (front, *llm.Error) {
	path, _, _ := strings.Cut(h.Path, "?")
	path = strings.TrimPrefix(strings.TrimSuffix(path, "/"), "/v1")
	f, ok := fronts[path]
	if !ok {
		f = front{"GET", llm.OpenAI, llm.OpModels}
		if h.Get("anthropic-version") != "" {
			f.dialect = llm.Anthropic
		}
		if path != "/models" && !strings.HasPrefix(path, "/models/") {
			return f, &llm.Error{Status: 404, Code: llm.CodeUnknownPath, Message: "no such path"}
		}
	}
	if h.Method != f.method {
		return f, &llm.Error{Status: 405, Code: llm.CodeUnknownPath, Message: "this path takes " + f.method}
	}
	return f, nil
}

// A Head is the head of a client's request. Names are lower case, as Envoy
// gives them.
type Head struct {
	Method  string
	Path    string
	Headers []llm.Header
}

// Get returns the first value of a header, empty if there is none.
func (h *Head) Get(name string) string {
	for _, f := range h.Headers {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// key returns the client's key from where its SDK puts it.
func (h *Head) key() Secret {
	if v, ok := cutBearer(h.Get("authorization")); ok {
		return NewSecret(v)
	}
	for _, name := range [...]string{"x-api-key", "x-goog-api-key", "api-key"} {
		if v := h.Get(name); v != "" {
			return NewSecret(v)
		}
	}
	return Secret{}
}

func cutBearer(v string) (string, bool) {
	const scheme = "bearer "
	if len(v) < len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return "", false
	}
	return strings.TrimSpace(v[len(scheme):]), true
}

// first returns the first of the headers that is there.
func (h *Head) first(names ...string) string {
	for _, name := range names {
		if v := h.Get(name); v != "" {
			return v
		}
	}
	return ""
}

// maxProperties bounds what a client can add to a record.
const maxProperties = 16

// properties returns the client's x-attache-property-NAME headers.
func (h *Head) properties() map[string]string {
	var props map[string]string
	for _, f := range h.Headers {
		for _, prefix := range [...]string{"x-attache-property-", "helicone-property-"} {
			name, ok := strings.CutPrefix(f.Name, prefix)
			if !ok || name == "" || len(props) == maxProperties {
				continue
			}
			if props == nil {
				props = map[string]string{}
			}
			props[clip(name)] = clip(f.Value)
		}
	}
	return props
}
