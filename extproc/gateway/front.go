package gateway

import (
	"net/url"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A front is what a path of the front door means.
type front struct {
	method  string // or several, with commas between them
	dialect string
	op      llm.Op
	path    string // of OpForward: below the API's root, with the query
	asked
}

// asked is what dialects say in the path that others say in the body.
type asked struct {
	model         string // empty: the body says it all
	stream, array bool
}

// complete adds what the path says to a request.
func (a *asked) complete(r *llm.Request) {
	if a.model != "" {
		r.Model, r.Stream, r.StreamUsage, r.Array = a.model, a.stream, a.stream, a.array
	}
}

// fronts lists the paths without the leading /v1, which clients may leave out.
var fronts = map[string]front{
	"/chat/completions":       {method: "POST", dialect: llm.OpenAI, op: llm.OpChat},
	"/embeddings":             {method: "POST", dialect: llm.OpenAI, op: llm.OpEmbeddings},
	"/responses":              {method: "POST", dialect: llm.Responses, op: llm.OpChat},
	"/responses/input_tokens": {method: "POST", dialect: llm.Responses, op: llm.OpCountTokens},
	"/messages":               {method: "POST", dialect: llm.Anthropic, op: llm.OpChat},
	"/messages/count_tokens":  {method: "POST", dialect: llm.Anthropic, op: llm.OpCountTokens},
}

// frontOf returns what a request is about. On an error the front still names
// the dialect that the error is to be written in.
func frontOf(h *Head) (front, *llm.Error) {
	whole, query := h.path()
	whole = strings.TrimSuffix(whole, "/")
	speaks, path := h.dialect(whole)
	f, ok := fronts[path]
	if !ok {
		f, ok = googleFront(whole, query)
	}
	if !ok {
		f, ok = amazonFront(whole)
	}
	if !ok && (path == "/models" || strings.HasPrefix(path, "/models/") && h.Method != "POST") {
		f, ok = front{method: "GET", dialect: speaks, op: llm.OpModels}, true
	}
	if !ok {
		f, ok = forwardFront(speaks, path, query)
	}
	switch {
	case path == "/realtime" || strings.HasPrefix(path, "/realtime/"):
		return front{dialect: speaks}, llm.Unsupported("", "the gateway serves no WebSockets, and hands out no keys for them")
	case !ok:
		return front{dialect: speaks}, &llm.Error{Status: 404, Code: llm.CodeUnknownPath, Message: "no such path"}
	case !slices.Contains(strings.Split(f.method, ", "), h.Method):
		return f, &llm.Error{Status: 405, Code: llm.CodeUnknownPath, Message: "this path takes " + f.method}
	case !h.Unread && h.encoded():
		return f, &llm.Error{Status: 415, Code: llm.CodeInvalidRequest, Message: "compressed bodies are not read: send it without content-encoding"}
	}
	return f, nil
}

// encoded reports whether the body is compressed.
func (h *Head) encoded() bool {
	e := h.Get("content-encoding")
	return e != "" && !strings.EqualFold(e, "identity")
}

// dialect returns the dialect of a path, by what it begins with or, for those
// that several APIs have, by a header, and the path without the API's version.
func (h *Head) dialect(whole string) (dialect, path string) {
	if rest, ok := strings.CutPrefix(whole, googleRoot); ok {
		return llm.Gemini, "/" + rest
	}
	if strings.HasPrefix(whole, amazonRoot) {
		return llm.Bedrock, whole
	}
	path = whole
	if rest, ok := strings.CutPrefix(whole, "/v1/"); ok {
		path = "/" + rest
	}
	switch family, _, _ := strings.Cut(path[min(len(path), 1):], "/"); {
	case family == "messages", h.Get("anthropic-version") != "":
		return llm.Anthropic, path
	case family == "responses", family == "conversations":
		return llm.Responses, path
	case family == "models" && h.Get("x-goog-api-key") != "":
		return llm.Gemini, path
	}
	return llm.OpenAI, path
}

// A Head is the head of a client's request. Names are lower case, as Envoy
// gives them.
type Head struct {
	Method  string
	Path    string
	Headers []llm.Header
	Unread  bool // a body follows that goes to the provider as it comes
}

// path returns the path apart from its query. That may hold a key, so that it
// goes into no record, and to no provider.
func (h *Head) path() (path, query string) {
	path, query, _ = strings.Cut(h.Path, "?")
	return path, query
}

// plainPath returns the path in the one form of all that mean the same to us: with
// the version that clients may leave out, unescaped, without a slash at its end.
func (h *Head) plainPath() string {
	path, _ := h.path()
	path = strings.TrimSuffix(path, "/")
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	for _, root := range [...]string{"/v1/", googleRoot, amazonRoot} {
		if strings.HasPrefix(path, root) {
			return path
		}
	}
	return "/v1" + path
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

// The client's headers that say what a request belongs to. Rules have them as
// fields of their own, and not among the headers: what is redacted in one place
// must not stand in another.
var (
	userHeaders      = [...]string{"x-attache-user", "helicone-user-id"}
	sessionHeaders   = [...]string{"x-attache-session", "helicone-session-id"}
	propertyPrefixes = [...]string{"x-attache-property-", "helicone-property-"}
)

func isContext(header string) bool {
	return slices.Contains(userHeaders[:], header) || slices.Contains(sessionHeaders[:], header) ||
		slices.ContainsFunc(propertyPrefixes[:], func(prefix string) bool { return strings.HasPrefix(header, prefix) })
}

// maxProperties bounds what a client can add to a record.
const maxProperties = 16

// properties returns the client's x-attache-property-NAME headers.
func (h *Head) properties() map[string]string {
	var props map[string]string
	for _, f := range h.Headers {
		for _, prefix := range propertyPrefixes {
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
