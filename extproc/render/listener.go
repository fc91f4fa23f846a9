package render

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jsonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/json_to_metadata/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Limits for a listener that anybody may reach, most of them from Envoy's guide to edge proxies.
const (
	headersTimeout   = 10 * time.Second // to receive the request headers
	clientStreams    = 100              // parallel HTTP/2 requests on one connection
	connectionWindow = 1 << 20          // received and not yet passed on, of all requests on a connection
	// responseBuffer is how much of a response may wait for a slow client before
	// Envoy pauses the provider. Envoy 1.39 and 1.40 crash when they pause one
	// whose response is complete while an upstream ext_proc filter still passes
	// it on, so it is as long as the longest response that the gateway holds. It
	// bounds request bodies as well where Input.MaxRequest is less; then the
	// gateway refuses what is longer.
	responseBuffer = 64 << 20
)

func (b *builder) listener() *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:                          "clients",
		Address:                       b.socket(b.in.Address, b.in.Port),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(responseBuffer),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: b.any(b.connections())},
		}}}},
	}
}

func (b *builder) connections() *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		CodecType:  hcmv3.HttpConnectionManager_AUTO,
		StatPrefix: "clients",
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
			Name: "attache", VirtualHosts: []*routev3.VirtualHost{b.virtualHost()}}},
		HttpFilters: b.exchangeFilters(),
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_REJECT_REQUEST},
		Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
			MaxConcurrentStreams:        wrapperspb.UInt32(clientStreams),
			InitialStreamWindowSize:     wrapperspb.UInt32(responseBuffer),
			InitialConnectionWindowSize: wrapperspb.UInt32(connectionWindow)},
		ServerHeaderTransformation:   hcmv3.HttpConnectionManager_PASS_THROUGH,
		StreamIdleTimeout:            durationpb.New(b.in.StreamIdle),
		RequestTimeout:               durationpb.New(b.in.RequestTimeout),
		RequestHeadersTimeout:        durationpb.New(headersTimeout),
		UseRemoteAddress:             wrapperspb.Bool(true),
		NormalizePath:                wrapperspb.Bool(true),
		MergeSlashes:                 true,
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_KEEP_UNCHANGED, // Bedrock model names hold %2F
		EarlyHeaderMutationExtensions: []*corev3.TypedExtensionConfig{{
			Name:        "envoy.http.early_header_mutation.header_mutation",
			TypedConfig: b.any(&earlyv3.HeaderMutation{Mutations: forged()}),
		}},
		LocalReplyConfig: b.localReplies(),
	}
}

// exchangeFilters run once for each exchange; responses pass them in reverse order.
func (b *builder) exchangeFilters() []*hcmv3.HttpFilter {
	filters := []*hcmv3.HttpFilter{b.filter(extProc, b.downstream())}
	if b.in.Version == Envoy140 {
		hold := b.filter(holdFilter, hold())
		hold.Disabled = true // but on the routes that enable it
		filters = append(filters, hold)
	}
	return append(filters, b.filter("envoy.filters.http.router", &routerv3.Router{SuppressEnvoyHeaders: true}))
}

const holdFilter = "envoy.filters.http.json_to_metadata"

// hold keeps the headers of a JSON response until its end has come, so that the usage that was read in the cluster is
// there when the gateway is asked about the headers: one message instead of two. It is this filter's way to wait that is
// wanted of it; the rule that it must have matches nothing. Streams have another media type and are not held.
func hold() *jsonv3.JsonToMetadata {
	return &jsonv3.JsonToMetadata{ResponseRules: &jsonv3.JsonToMetadata_MatchRules{Rules: []*jsonv3.JsonToMetadata_Rule{{
		Selectors: []*jsonv3.JsonToMetadata_Selector{{Selector: &jsonv3.JsonToMetadata_Selector_Key{Key: "attache"}}},
		OnPresent: &jsonv3.JsonToMetadata_KeyValuePair{MetadataNamespace: "attache.unused", Key: "unused"},
	}}}}
}
