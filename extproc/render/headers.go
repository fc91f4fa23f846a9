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
var held = []*typematcherv3.StringMatcher{exact(":status"), exact("content-type"), exact("content-encoding")}

// forged removes, before anything reads them, the headers by which a client could steer retries and routing.
func forged() []*rulesv3.HeaderMutation {
	return []*rulesv3.HeaderMutation{
		remove(prefix("x-envoy-")),
		remove(regex("x-attache-(try-.*|length)")),
	}
}

// private removes what must not reach a provider: the client's way here, its cookies, and the words between client,
// Envoy and gateway. All attempts share one header map and Envoy 1.39 still reads it to choose the next cluster, so
// there x-envoy-attempt-count and the x-attache-try headers have to stay.
func (b *builder) private() []*rulesv3.HeaderMutation {
	all := []*rulesv3.HeaderMutation{
		remove(regex("cookie|origin|referer|forwarded|via|x-real-ip")),
		remove(prefix("x-forwarded-")), remove(prefix("sec-")), remove(prefix("helicone-")),
	}
	if b.in.Version == Envoy139 {
		return append(all, remove(regex("x-attache-([^t].*|timeout)")), remove(regex("x-envoy-[^a].*")))
	}
	return append(all, remove(prefix("x-attache-")), remove(prefix("x-envoy-")))
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

func remove(m *typematcherv3.StringMatcher) *rulesv3.HeaderMutation {
	return &rulesv3.HeaderMutation{Action: &rulesv3.HeaderMutation_RemoveOnMatch_{
		RemoveOnMatch: &rulesv3.HeaderMutation_RemoveOnMatch{KeyMatcher: m}}}
}

func exact(s string) *typematcherv3.StringMatcher {
	return &typematcherv3.StringMatcher{MatchPattern: &typematcherv3.StringMatcher_Exact{Exact: s}}
}

func prefix(s string) *typematcherv3.StringMatcher {
	return &typematcherv3.StringMatcher{MatchPattern: &typematcherv3.StringMatcher_Prefix{Prefix: s}}
}

func regex(s string) *typematcherv3.StringMatcher {
	return &typematcherv3.StringMatcher{MatchPattern: &typematcherv3.StringMatcher_SafeRegex{
		SafeRegex: &typematcherv3.RegexMatcher{Regex: s}}}
}
