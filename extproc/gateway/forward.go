package gateway

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// families are the paths that are passed on to a provider of the same dialect,
// by their first segment. What is not here is not passed on: the gateway's key
// opens paths of a provider's account that are nobody else's business.
var families = map[string][]string{
	llm.OpenAI: {"audio", "batches", "completions", "containers", "evals", "files", "fine_tuning", "images",
		"moderations", "rerank", "uploads", "vector_stores", "videos"},
	llm.Responses: {"conversations", "responses"},
	llm.Anthropic: {"files", "messages", "skills"},
	llm.Gemini:    {"batches", "cachedContents", "files", "interactions"},
}

// forwardMethods are those that a path that is passed on takes.
const forwardMethods = "GET, POST, DELETE"

// roots are what stands before the paths of an API and is no part of the
// provider's base URL.
var roots = map[string]string{llm.Anthropic: "/v1", llm.Gemini: "/v1beta"}

// forwardFront reads a path that is passed on. path lacks the version.
func forwardFront(dialect, path, query string) (front, bool) {
	family, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	f := front{method: forwardMethods, dialect: dialect, op: llm.OpForward, path: path}
	if q := withoutKeys(query); q != "" {
		f.path += "?" + q
	}
	return f, slices.Contains(families[dialect], family) && plain(path)
}

// plain reports whether a path says where it leads: the provider may read dots
// and slashes that are escaped otherwise than we do.
func plain(escaped string) bool {
	p, err := url.PathUnescape(escaped)
	return err == nil && path.Clean(p) == p && !strings.ContainsAny(p, `%\?#`)
}

// keyParameters are the names of query parameters that hold keys.
var keyParameters = []string{"key", "api_key", "api-key", "apikey", "access_token"}

// withoutKeys returns a query without the client's key.
func withoutKeys(query string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil && name != "" && !slices.Contains(keyParameters, strings.ToLower(name)) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// decode reads the client's request.
func (x *Exchange) decode(body []byte) (*llm.Request, error) {
	if x.front.op != llm.OpForward {
		return x.wire.DecodeRequest(x.front.op, body)
	}
	r := &llm.Request{Op: llm.OpForward, Dialect: x.front.dialect}
	if len(body) == 0 {
		return r, nil
	}
	in := &unknownBody{jsonx.NewReader(body), r, len(x.gw.guards) > 0}
	members, err := in.Members(in.member)
	if err == nil {
		err = in.End()
	}
	if err != nil {
		return nil, jsonx.Problem(err)
	}
	r.Body = llm.Body{Raw: body, Members: members}
	return r, nil
}

// An unknownBody is a JSON object of which only a few members are known, those
// that all paths have in common. All other texts are there for guards.
type unknownBody struct {
	*jsonx.Reader
	req   *llm.Request
	texts bool // somebody wants to see them
}

func (in *unknownBody) member(name []byte) (err error) {
	kind := in.Kind()
	switch {
	case string(name) == "model" && kind == jsonx.String:
		in.req.Model, err = in.String()
	case string(name) == "user" && kind == jsonx.String:
		in.req.User, err = in.String()
	case string(name) == "max_tokens" && kind == jsonx.Number:
		in.req.MaxTokens, err = in.Int()
		in.req.MaxTokens = max(in.req.MaxTokens, 0) // to some servers -1 is as much as there is
	case in.texts:
		err = in.value()
	default:
		_, err = in.Skip()
	}
	return err
}

// value reads any value and keeps the texts in it.
func (in *unknownBody) value() error {
	switch in.Kind() {
	case jsonx.Object:
		return in.Map(func([]byte) error { return in.value() })
	case jsonx.Array:
		return in.Array(func(int) error { return in.value() })
	case jsonx.String:
		at := in.Offset()
		s, err := in.String()
		in.req.Inputs = append(in.req.Inputs, llm.Part{Text: s, At: llm.Span{Start: at, End: in.Offset()}})
		return err
	}
	_, err := in.Skip()
	return err
}

// targets finds who a request can go to, by its model or, where it names none,
// by its path.
func (x *Exchange) targets(r *llm.Request) ([]*target, Settings, *llm.Error) {
	if x.front.op != llm.OpForward || r.Model != "" {
		return x.gw.resolve(r.Model)
	}
	t, err := x.gw.forwardTarget(x.head.Get("x-attache-provider"), x.front.dialect)
	return []*target{t}, x.gw.defaults, err
}

// forwardTarget returns the target of a request without a model: the provider
// of the name or, if it is empty, the one that is configured for that, or the
// first that serves the dialect.
func (g *Gateway) forwardTarget(name, dialect string) (*target, *llm.Error) {
	if name != "" {
		if p := g.named(name); p != nil && p.forwards(dialect) {
			return g.target(p, ""), nil
		}
		return nil, llm.Invalid("x-attache-provider", "names no provider that serves this path")
	}
	if p := g.providers[g.forward.Provider]; p != nil && p.forwards(dialect) {
		return g.target(p, ""), nil
	}
	for _, p := range g.ordered {
		if p.forwards(dialect) {
			return g.target(p, ""), nil
		}
	}
	return nil, &llm.Error{Status: 404, Code: llm.CodeUnknownPath, Message: "no configured provider serves this path"}
}

// forwards reports whether other paths of the dialect can be passed on to the
// provider. Who has the Responses API has the rest of OpenAI's as well.
func (p *Provider) forwards(dialect string) bool {
	_, ok := p.Hosting.Forward("", "")
	return ok && (p.Dialect == dialect || slices.Contains(p.Also, dialect) || p.Dialect == llm.Responses && dialect == llm.OpenAI)
}

// encode writes the request for a target.
func (x *Exchange) encode(r *llm.Request, t *target) (*dialect.Wire, error) {
	if r.Op != llm.OpForward {
		return t.wire.EncodeRequest(r, x.targetOf(r, t))
	}
	if !t.forwards(r.Dialect) {
		return nil, llm.Unsupported("model", "the provider %s does not serve this path", t.Name)
	}
	path, _ := t.Hosting.Forward(x.front.path, t.model)
	w := &dialect.Wire{Path: roots[r.Dialect] + path, Header: r.Header}
	if r.Body.Raw == nil {
		return w, nil
	}
	p := r.Patch()
	if t.model != r.Model && t.model != "" {
		p.Set("model", jsonx.AppendString(nil, t.model))
	}
	w.Body = p.Bytes()
	return w, nil
}
