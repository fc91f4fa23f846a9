package render

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	rulesv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typematcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// messageTimeout bounds the gateway's thinking about one message. It does not run while the gateway holds a response.
const messageTimeout = 10 * time.Second

// extProc is the filter's name, by which routes change its configuration.
const extProc = "envoy.filters.http.ext_proc"

const gatewayCluster = "attache"

// downstream asks the gateway about the request, headers and whole body, and about the response's headers. The gateway
// asks for the response's body when it needs it; the trailers message is what brings the usage in 1.40.
func (b *builder) downstream() *extprocv3.ExternalProcessor {
	filter := b.processor("downstream")
	filter.MutationRules.AllowEnvoy = wrapperspb.Bool(true) // x-envoy-max-retries and the per-try timeout
	filter.ResponseAttributes = []string{"upstream.request_attempt_count", "response.code_details"}
	filter.ForwardRules = &extprocv3.HeaderForwardingRules{DisallowedHeaders: &typematcherv3.ListStringMatcher{Patterns: unread}}
	filter.MetadataOptions = &extprocv3.MetadataOptions{
		ReceivingNamespaces:  &extprocv3.MetadataOptions_MetadataNamespaces{Untyped: []string{RouteMetadata, ExchangeMetadata}},
		ForwardingNamespaces: &extprocv3.MetadataOptions_MetadataNamespaces{Typed: []string{UsageMetadata}},
	}
	filter.ProcessingMode = downstreamMode(extprocv3.ProcessingMode_BUFFERED)
	return filter
}

func downstreamMode(requestBody extprocv3.ProcessingMode_BodySendMode) *extprocv3.ProcessingMode {
	return &extprocv3.ProcessingMode{
		RequestHeaderMode:   extprocv3.ProcessingMode_SEND,
		RequestBodyMode:     requestBody,
		ResponseHeaderMode:  extprocv3.ProcessingMode_SEND,
		ResponseBodyMode:    extprocv3.ProcessingMode_NONE,
		ResponseTrailerMode: extprocv3.ProcessingMode_SEND,
	}
}

// upstream asks the gateway to write the request for this attempt's target. Its answer replaces the body, and asks for
// the response when there is a first token to wait for.
func (b *builder) upstream() *extprocv3.ExternalProcessor {
	filter := b.processor("upstream")
	filter.RequestAttributes = []string{"xds.cluster_name", "upstream.request_attempt_count"}
	filter.ForwardRules = &extprocv3.HeaderForwardingRules{AllowedHeaders: &typematcherv3.ListStringMatcher{Patterns: held}}
	filter.MetadataOptions = &extprocv3.MetadataOptions{
		ForwardingNamespaces: &extprocv3.MetadataOptions_MetadataNamespaces{Untyped: []string{ExchangeMetadata}}}
	filter.ProcessingMode = &extprocv3.ProcessingMode{
		RequestHeaderMode:   extprocv3.ProcessingMode_SEND,
		RequestBodyMode:     extprocv3.ProcessingMode_NONE,
		ResponseHeaderMode:  extprocv3.ProcessingMode_SKIP,
		ResponseBodyMode:    extprocv3.ProcessingMode_NONE,
		ResponseTrailerMode: extprocv3.ProcessingMode_SKIP,
	}
	return filter
}

// processor is what both filters have in common: they fail closed, with 503.
func (b *builder) processor(side string) *extprocv3.ExternalProcessor {
	return &extprocv3.ExternalProcessor{
		GrpcService: &corev3.GrpcService{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: gatewayCluster}},
			InitialMetadata: []*corev3.HeaderValue{{Key: SideMetadata, Value: side}},
		},
		MessageTimeout:    durationpb.New(messageTimeout),
		AllowModeOverride: true,
		MutationRules:     &rulesv3.HeaderMutationRules{AllowAllRouting: wrapperspb.Bool(true)},
		StatusOnError:     &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
	}
}

// gateway is the cluster behind both filters. Every exchange is a stream on one of a few connections, so nothing may
// bound the streams, and the windows are wide enough for whole request bodies.
func (b *builder) gateway() *clusterv3.Cluster {
	at := b.address(b.in.ExtProc)
	cluster := &clusterv3.Cluster{
		Name:            gatewayCluster,
		ConnectTimeout:  durationpb.New(time.Second),
		LoadAssignment:  endpoints(gatewayCluster, at),
		CircuitBreakers: breakers(),
		TypedExtensionProtocolOptions: b.protocol(&httpv3.HttpProtocolOptions{
			UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
				ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
					ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
						Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
							MaxConcurrentStreams:        wrapperspb.UInt32(65536),
							InitialStreamWindowSize:     wrapperspb.UInt32(1 << 20),
							InitialConnectionWindowSize: wrapperspb.UInt32(16 << 20)},
					}}},
		}),
	}
	resolve(cluster, at, false)
	return cluster
}
