package render

import (
	"fmt"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/router/cluster_specifiers/matcher/v3"
	priorityv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/router/cluster_specifiers/priority_group/v3"
	typematcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// retryOn are the failures after which Envoy goes on to the next attempt; retryStatus and an HTML page, which is what a
// proxy in front of a broken provider sends with 200, complete it. The gateway says how many attempts an exchange has,
// by x-envoy-max-retries.
const retryOn = "5xx,reset,connect-failure,retriable-status-codes,retriable-headers"

var retryStatus = []uint32{401, 403, 408, 429, 529}

// attemptHeader is written by Envoy. When it chooses the cluster of attempt N+1 the value is N, and absent before the first.
const attemptHeader = "x-envoy-attempt-count"

func (b *builder) virtualHost() *routev3.VirtualHost {
	return &routev3.VirtualHost{
		Name:                       "attache",
		Domains:                    []string{"*"},
		IncludeRequestAttemptCount: b.in.Version == Envoy139,
		ResponseHeadersToRemove:    foreign,
		Routes:                     b.routes(),
	}
}

func (b *builder) routes() []*routev3.Route {
	if b.in.Version == Envoy139 {
		return []*routev3.Route{b.uploads(), b.read(everything())}
	}
	return []*routev3.Route{
		b.direct(b.held(chats())), b.direct(b.read(everything())),
		b.uploads(), b.held(chats()), b.read(everything()),
	}
}

// direct turns a route into that of an exchange with one attempt: its cluster is in a header, which costs less than
// metadata. Clients cannot send the header, and Envoy chooses the route anew when the gateway has.
func (b *builder) direct(r *routev3.Route) *routev3.Route {
	r.Match.Headers = []*routev3.HeaderMatcher{{Name: OnlyHeader, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}}}
	action := r.GetRoute()
	action.ClusterSpecifier = &routev3.RouteAction_ClusterHeader{ClusterHeader: OnlyHeader}
	action.RetryPolicy = nil
	return r
}

// held is a route whose responses are held until their usage was read, if they are no streams.
func (b *builder) held(match *routev3.RouteMatch) *routev3.Route {
	r := b.read(match)
	r.TypedPerFilterConfig = map[string]*anypb.Any{holdFilter: b.any(&routev3.FilterConfig{Config: b.any(hold())})}
	return r
}

func chats() *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: &typematcherv3.RegexMatcher{Regex: chatPaths}}}
}

// chatPaths are those of requests whose response, if it is no stream, may as well come in one piece.
const chatPaths = `(/v1)?/(chat/completions|responses|messages)/?|.*/models/.*:generateContent`

// read is a route for bodies that the gateway reads.
func (b *builder) read(match *routev3.RouteMatch) *routev3.Route {
	return &routev3.Route{
		Match:                  match,
		RequestBodyBufferLimit: wrapperspb.UInt64(uint64(b.in.MaxRequest)),
		Action:                 &routev3.Route_Route{Route: b.route(MaxAttempts)},
	}
}

func everything() *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
}

// readable are the media types of bodies that the gateway reads. Forms are among them since curl says so where it was
// told nothing.
const readable = `(?i)application/(json|[^;]*\+json|x-www-form-urlencoded)\s*(;.*)?`

// uploadBuffer is how much of an upload may wait for the gateway's word or for the provider.
const uploadBuffer = 1 << 20

// uploads is the route of all other bodies. They go to the provider as they come, however long they are: the gateway
// does not see them, and without retries Envoy keeps nothing of them.
func (b *builder) uploads() *routev3.Route {
	match, action := everything(), b.route(1)
	match.Headers = []*routev3.HeaderMatcher{{
		Name: "content-type",
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: &typematcherv3.StringMatcher{
			MatchPattern: &typematcherv3.StringMatcher_SafeRegex{SafeRegex: &typematcherv3.RegexMatcher{Regex: readable}}}},
		InvertMatch: true,
	}}
	action.RetryPolicy = nil
	return &routev3.Route{
		Match:                  match,
		RequestBodyBufferLimit: wrapperspb.UInt64(uploadBuffer),
		Action:                 &routev3.Route_Route{Route: action},
		TypedPerFilterConfig: map[string]*anypb.Any{extProc: b.any(&extprocv3.ExtProcPerRoute{
			Override: &extprocv3.ExtProcPerRoute_Overrides{Overrides: &extprocv3.ExtProcOverrides{ProcessingMode: downstreamMode(extprocv3.ProcessingMode_NONE)}},
		})},
	}
}

func (b *builder) route(attempts int) *routev3.RouteAction {
	name, specifier := "envoy.router.cluster_specifier_plugin.priority_group", proto.Message(chain())
	if b.in.Version == Envoy139 {
		name, specifier = "envoy.router.cluster_specifier_plugin.matcher", b.slots(attempts)
	}
	return &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_InlineClusterSpecifierPlugin{
			InlineClusterSpecifierPlugin: &routev3.ClusterSpecifierPlugin{
				Extension: &corev3.TypedExtensionConfig{Name: name, TypedConfig: b.any(specifier)}}},
		Timeout: durationpb.New(0), // streams may last; each attempt is bounded instead, by the gateway
		RetryPolicy: &routev3.RetryPolicy{
			RetryOn:              retryOn,
			RetriableStatusCodes: retryStatus,
			RetriableHeaders: []*routev3.HeaderMatcher{{
				Name:                 "content-type",
				HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: prefix("text/html")},
			}},
			NumRetries:            wrapperspb.UInt32(0),
			RefreshClusterOnRetry: true,
			RetryBackOff: &routev3.RetryPolicy_RetryBackOff{
				BaseInterval: durationpb.New(b.in.Backoff.Base),
				MaxInterval:  durationpb.New(b.in.Backoff.Max)},
		},
	}
}

// chain takes the exchange's clusters from metadata. Without them the request goes nowhere: never to a default provider.
func chain() *priorityv3.PriorityGroupClusterSpecifier {
	return &priorityv3.PriorityGroupClusterSpecifier{
		OverrideMetadataNamespace: RouteMetadata,
		PriorityGroups: []*priorityv3.PriorityGroup{{Name: "refuse", Clusters: []*priorityv3.ClusterWeight{{
			ClusterName: refuseCluster, Weight: wrapperspb.UInt32(1)}}}},
	}
}

// slots takes the exchange's clusters from one header for each attempt. A value that is no cluster's name matches
// nothing, and a first attempt without a match is refused.
func (b *builder) slots(attempts int) *matcherv3.MatcherClusterSpecifier {
	if attempts == 1 {
		return &matcherv3.MatcherClusterSpecifier{ClusterMatcher: b.slot(1).GetMatcher()}
	}
	byAttempt := map[string]*xdsmatcherv3.Matcher_OnMatch{}
	for attempt := 2; attempt <= attempts; attempt++ {
		byAttempt[fmt.Sprint(attempt-1)] = b.slot(attempt)
	}
	outer := b.byHeader(attemptHeader, byAttempt)
	outer.OnNoMatch = b.slot(1)
	return &matcherv3.MatcherClusterSpecifier{ClusterMatcher: outer}
}

// slot maps one attempt's header to clusters. Later attempts only know retry clusters: any other would be called with
// the path, key and body of the attempt before.
func (b *builder) slot(attempt int) *xdsmatcherv3.Matcher_OnMatch {
	actions := map[string]*xdsmatcherv3.Matcher_OnMatch{}
	for _, c := range b.in.Clusters {
		actions[c.Name+RetrySuffix] = b.toCluster(c.Name + RetrySuffix)
		if attempt == 1 {
			actions[c.Name] = b.toCluster(c.Name)
		}
	}
	header := fmt.Sprint(TryHeader, attempt)
	return &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Matcher{Matcher: b.byHeader(header, actions)}}
}

func (b *builder) byHeader(name string, actions map[string]*xdsmatcherv3.Matcher_OnMatch) *xdsmatcherv3.Matcher {
	return &xdsmatcherv3.Matcher{MatcherType: &xdsmatcherv3.Matcher_MatcherTree_{MatcherTree: &xdsmatcherv3.Matcher_MatcherTree{
		Input: &xdscorev3.TypedExtensionConfig{
			Name:        "header",
			TypedConfig: b.any(&typematcherv3.HttpRequestHeaderMatchInput{HeaderName: name})},
		TreeType: &xdsmatcherv3.Matcher_MatcherTree_ExactMatchMap{
			ExactMatchMap: &xdsmatcherv3.Matcher_MatcherTree_MatchMap{Map: actions}},
	}}}
}

func (b *builder) toCluster(name string) *xdsmatcherv3.Matcher_OnMatch {
	return &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
		Action: &xdscorev3.TypedExtensionConfig{Name: "cluster", TypedConfig: b.any(&matcherv3.ClusterAction{Cluster: name})}}}
}
