package render

import (
	rulesv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	typematcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// foreign are response headers that speak for the provider's host or about the gateway's account there.
var foreign = []string{"alt-svc", "set-cookie", "strict-transport-security",
	"openai-organization", "openai-project", "anthropic-organization-id"}

// unread are headers that the gateway has no use for: what browsers add, what SDKs say about themselves, and cookies,
// which are somebody else's secrets.
var unread = []*typematcherv3.StringMatcher{exact("cookie"), exact("set-cookie"), prefix("sec-"), prefix("x-stainless-")}

// held are all that the upstream filter reads: the rest of an attempt is in the gateway's memory.
var held = []*typematcherv3.StringMatcher{exact(":status"), exact("content-type"), exact("content-encoding"),
	exact("retry-after"), exact("retry-after-ms")}

// forged removes, before anything reads them, the headers by which a client could steer retries and routing.
func forged() []*rulesv3.HeaderMutation {
	return append(removePrefixes("x-envoy-", TryHeader), removeNames(LengthHeader)...)
}

// private removes what must not reach a provider: the client's way here, its cookies, and the words between client,
// Envoy and gateway. All attempts share one header map and Envoy 1.39 still reads it to choose the next cluster, so
// there x-envoy-attempt-count and the x-attache-try headers have to stay.
func (b *builder) private() []*rulesv3.HeaderMutation {
	all := append(removeNames("cookie", "origin", "referer", "forwarded", "via", "x-real-ip"),
		removePrefixes("x-forwarded-", "sec-", "helicone-")...)
	if b.in.Version != Envoy139 {
		return append(all, removePrefixes("x-attache-", "x-envoy-")...)
	}
	all = append(all, removePrefixes("x-attache-property-", "x-envoy-external-", "x-envoy-internal")...)
	return append(all, removeNames(LengthHeader, "x-attache-provider", "x-attache-user", "x-attache-session", "x-attache-cache",
		"x-attache-timeout", "x-attache-first-token")...)
}

// identity asks for bodies without compression: Envoy's usage filter and the gateway read them as they come.
func identity() *rulesv3.HeaderMutation {
	return set("accept-encoding", "identity", corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
}

// length gives a body that the upstream filter wrote its content-length; Envoy would send it chunked, which some
// providers refuse. A wrong length would let requests be smuggled, so nothing but that filter may set LengthHeader.
func length() *rulesv3.HeaderMutation {
	return set("content-length", "%REQ("+LengthHeader+")%", corev3.HeaderValueOption_ADD_IF_ABSENT)
}

func set(key, value string, action corev3.HeaderValueOption_HeaderAppendAction) *rulesv3.HeaderMutation {
	return &rulesv3.HeaderMutation{Action: &rulesv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
		Header: &corev3.HeaderValue{Key: key, Value: value}, AppendAction: action}}}
}

func removeNames(names ...string) []*rulesv3.HeaderMutation {
	var all []*rulesv3.HeaderMutation
	for _, name := range names {
		all = append(all, &rulesv3.HeaderMutation{Action: &rulesv3.HeaderMutation_Remove{Remove: name}})
	}
	return all
}

func removePrefixes(prefixes ...string) []*rulesv3.HeaderMutation {
	var all []*rulesv3.HeaderMutation
	for _, p := range prefixes {
		all = append(all, &rulesv3.HeaderMutation{Action: &rulesv3.HeaderMutation_RemoveOnMatch_{
			RemoveOnMatch: &rulesv3.HeaderMutation_RemoveOnMatch{KeyMatcher: prefix(p)}}})
	}
	return all
}

func exact(s string) *typematcherv3.StringMatcher {
	return &typematcherv3.StringMatcher{MatchPattern: &typematcherv3.StringMatcher_Exact{Exact: s}}
}

func prefix(s string) *typematcherv3.StringMatcher {
	return &typematcherv3.StringMatcher{MatchPattern: &typematcherv3.StringMatcher_Prefix{Prefix: s}}
}
