package gateway

import (
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/llm"
)

// forwarded are the client's headers that a provider may see. All others stay
// here: keys, cookies, addresses and what the client says to the gateway.
var forwarded = map[string]bool{
	"accept":            true,
	"accept-language":   true,
	"anthropic-beta":    true,
	"anthropic-version": true,
	"content-encoding":  true, // of uploads: others are refused
	"content-length":    true,
	"content-type":      true,
	"idempotency-key":   true,
	"openai-beta":       true,
	"traceparent":       true,
	"tracestate":        true,
	"user-agent":        true,
	"x-forwarded-proto": true, // without it Envoy finds no route
	"x-request-id":      true,
}

// credentials are the headers that carry keys, beside those that the providers'
// own credentials name. An attempt sets its provider's and removes the others,
// since all attempts share one header map and the one before may have gone to
// another provider.
var credentials = [...]string{
	"authorization", "x-api-key", "api-key", "x-goog-api-key",
	"x-amz-date", "x-amz-security-token", "x-amz-content-sha256",
}

// secretWords are parts of the names of headers that carry keys and cookies.
var secretWords = [...]string{"auth", "authorization", "cookie", "credential", "credentials", "jwt", "password", "secret", "token"}

// Concealed reports whether no policy sees a client's header of this name, since
// it carries a key or a cookie or is a field of its own. What a policy sees can
// stand in the log of decisions.
func Concealed(name string) bool {
	return isContext(name) || slices.Contains(credentials[:], name) || strings.HasSuffix(name, "api-key") ||
		slices.ContainsFunc(strings.Split(name, "-"), func(word string) bool { return slices.Contains(secretWords[:], word) })
}

// dialectHeaders may be set by one attempt and must not reach the next one's
// provider, unless that sets them again.
var dialectHeaders = [...]string{"anthropic-version", "anthropic-beta", "openai-beta"}

// stripped names the client's headers that no provider may see.
func stripped(h *Head) (names []string) {
	for _, f := range h.Headers {
		if !strings.HasPrefix(f.Name, ":") && f.Name != "host" && !forwarded[f.Name] && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// withdrawn are the headers of a provider's response that are about us and the
// provider, or about a body that we change.
func withdrawn(h []llm.Header, bodyChanges, crosses bool) (names []string) {
	for _, f := range h {
		switch f.Name {
		case "set-cookie", "alt-svc", "strict-transport-security", "anthropic-organization-id", "openai-organization", "openai-project", "server", "via":
			names = append(names, f.Name)
		case "content-encoding", "content-length", "transfer-encoding", "etag":
			if bodyChanges {
				names = append(names, f.Name)
			}
		default:
			// Limits of another dialect's provider would mislead the client's SDK.
			if crosses && (strings.HasPrefix(f.Name, "anthropic-") || strings.HasPrefix(f.Name, "x-ratelimit-") || strings.HasPrefix(f.Name, "openai-")) {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

// ownPrefixes begin headers that belong to the gateway, to Envoy, to the
// connection or to signatures.
var ownPrefixes = [...]string{"x-attache-", "x-envoy-", "x-forwarded-", "x-amz-", "x-goog-", "proxy-", "content-", "accept-encoding"}

// unchangeable are such headers as well.
var unchangeable = [...]string{
	"connection", "cookie", "date", "expect", "forwarded", "host", "keep-alive", "retry-after", "server", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via", "www-authenticate",
}

// HeaderChangeable reports whether a policy may set or remove a header, by its
// name in lower case.
func HeaderChangeable(name string) bool {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return false
	}
	for _, names := range [...][]string{credentials[:], dialectHeaders[:], unchangeable[:]} {
		if slices.Contains(names, name) {
			return false
		}
	}
	return !slices.ContainsFunc(ownPrefixes[:], func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// responseHead is what happens to the headers of a response that is passed on.
func (x *Exchange) responseHead(r *response, bodyChanges bool) *ResponseHead {
	h := &ResponseHead{Set: x.ownHeaders(), Remove: withdrawn(r.head, bodyChanges, r.Dialect != x.front.dialect && r.req.Op != llm.OpForward)}
	_, h.Remove = x.decision.changed(true, nil, h.Remove)
	switch {
	case r.enc != nil:
		h.Set = append(h.Set, llm.Header{Name: "content-type", Value: r.enc.MediaType()})
	case r.media != "":
		h.Set = append(h.Set, llm.Header{Name: "content-type", Value: r.media})
	}
	return h
}

// ownHeaders tell the client what became of its request.
func (x *Exchange) ownHeaders() []llm.Header {
	r := &x.record
	hs := []llm.Header{{Name: "x-attache-request-id", Value: x.ID}}
	if r.Provider != "" {
		hs = append(hs, llm.Header{Name: "x-attache-provider", Value: r.Provider})
		if model, ok := strings.CutPrefix(r.Target, r.Provider+"/"); ok {
			hs = append(hs, llm.Header{Name: "x-attache-model", Value: headerText(model)})
		}
	}
	if x.tried > 0 {
		hs = append(hs, llm.Header{Name: "x-attache-attempts", Value: strconv.Itoa(x.tried)})
	}
	if r.Cache != "" {
		hs = append(hs, llm.Header{Name: cacheHeader, Value: r.Cache})
	}
	if r.Revision != "" {
		hs = append(hs, llm.Header{Name: "x-attache-policy", Value: r.Revision})
	}
	if len(r.Warnings) > 0 {
		hs = append(hs, llm.Header{Name: "x-attache-warnings", Value: headerText(strings.Join(r.Warnings, "; "))})
	}
	if x.why != nil {
		hs = append(hs, llm.Header{Name: ExplainHeader, Value: x.explanation().header(maxExplained)})
	}
	hs, _ = x.decision.changed(true, hs, nil)
	return hs
}

// headerText makes text fit for a header's value.
func headerText(s string) string {
	const limit = 1000
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), limit)]
}

func value(h []llm.Header, name string) string {
	for _, f := range h {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// The media types of streams.
const (
	serverSent = "text/event-stream"
	amazons    = eventstream.MediaType
)

func streaming(mediaType string) bool { return mediaType == serverSent || mediaType == amazons }

func mediaType(h []llm.Header) string {
	m, _, err := mime.ParseMediaType(value(h, "content-type"))
	if err != nil {
		return ""
	}
	return m
}
