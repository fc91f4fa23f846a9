package render

import (
	"cmp"
	"net"
	"path"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	rulesv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	aiv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ai_protocol_manager/v3"
	injectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/credential_injector/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	codecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	genericv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/injected_credentials/generic/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	connectTimeout = 3 * time.Second // DNS, TCP and TLS
	// providerIdle closes idle connections before the load balancers in front of providers do, at 60 s and later: they
	// would reset a request that is just on its way.
	providerIdle = 50 * time.Second
	pingInterval = 30 * time.Second // HTTP/2 pings find dead connections under silent streams
	pingTimeout  = 10 * time.Second
)

// refuseCluster has no endpoints: what is sent there gets 503.
const refuseCluster = "attache_refuse"

func (b *builder) refuse() *clusterv3.Cluster {
	return &clusterv3.Cluster{Name: refuseCluster, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}}
}

// provider is c's cluster for first attempts, or for later ones.
func (b *builder) provider(c Cluster, retry bool) *clusterv3.Cluster {
	name := c.Name
	if retry {
		name += RetrySuffix
	}
	at := b.socket(c.Host, c.Port)
	cluster := &clusterv3.Cluster{
		Name:            name,
		ConnectTimeout:  durationpb.New(connectTimeout),
		LoadAssignment:  endpoints(name, at),
		CircuitBreakers: breakers(),
		UpstreamConnectionOptions: &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{
			KeepaliveProbes: wrapperspb.UInt32(3), KeepaliveTime: wrapperspb.UInt32(30), KeepaliveInterval: wrapperspb.UInt32(10)}},
	}
	resolve(cluster, at, c.TLS)
	options := &httpv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(providerIdle)},
		UpstreamProtocolOptions:   http1(),
		HttpFilters:               b.attemptFilters(c, retry),
	}
	if c.TLS {
		options.UpstreamProtocolOptions = http2IfOffered()
		cluster.TransportSocket = &corev3.TransportSocket{
			Name:       "envoy.transport_sockets.tls",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: b.any(b.tls(c))},
		}
	}
	cluster.TypedExtensionProtocolOptions = b.protocol(options)
	return cluster
}

// resolve picks how the host's name is looked up, if it is one. A host on the internet answers with a few of many
// addresses, ever changing, so connections stay with the first answer that connects, of either IP family; a name inside
// the user's network stands for all its addresses.
func resolve(cluster *clusterv3.Cluster, at *corev3.Address, internet bool) {
	kind := clusterv3.Cluster_STATIC
	name := at.GetSocketAddress().GetAddress()
	switch {
	case name == "" || net.ParseIP(name) != nil: // a Unix socket or an IP address
	case internet:
		kind, cluster.DnsLookupFamily = clusterv3.Cluster_LOGICAL_DNS, clusterv3.Cluster_ALL
	default:
		kind, cluster.DnsLookupFamily = clusterv3.Cluster_STRICT_DNS, clusterv3.Cluster_V4_PREFERRED
	}
	cluster.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: kind}
}

// tls checks the certificate's chain against the CA bundle and its names against the provider's. An IP address is no
// name to send (RFC 6066, section 3), but certificates can hold one.
func (b *builder) tls(c Cluster) *tlsv3.UpstreamTlsContext {
	name, sent, kind := cmp.Or(c.SNI, c.Host), "", tlsv3.SubjectAltNameMatcher_IP_ADDRESS
	if net.ParseIP(name) == nil {
		sent, kind = name, tlsv3.SubjectAltNameMatcher_DNS
	}
	return &tlsv3.UpstreamTlsContext{Sni: sent, CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsParams: &tlsv3.TlsParameters{
			TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa:                 &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: b.in.CABundle}},
			MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{SanType: kind, Matcher: exact(name)}},
		}},
	}}
}

// attemptFilters run once for each attempt; responses pass them in reverse order. The usage filter comes first, so last
// on the way back: its trailers end a response that the upstream filter could not pass on.
func (b *builder) attemptFilters(c Cluster, retry bool) []*hcmv3.HttpFilter {
	var filters []*hcmv3.HttpFilter
	mutations := append([]*rulesv3.HeaderMutation{identity()}, b.private()...)
	if c.Usage && b.in.Version == Envoy140 {
		filters = append(filters, b.filter("envoy.filters.http.ai_protocol_manager", usage()))
	}
	if retry {
		filters = append(filters, b.filter(extProc, b.upstream()))
		mutations = append([]*rulesv3.HeaderMutation{length()}, mutations...)
	}
	if c.Key.File != "" {
		filters = append(filters, b.filter("envoy.filters.http.credential_injector", b.injector(c)))
	}
	return append(filters,
		b.filter("envoy.filters.http.header_mutation", &mutationv3.HeaderMutation{
			Mutations: &mutationv3.Mutations{RequestMutations: mutations}}),
		b.filter("envoy.filters.http.upstream_codec", &codecv3.UpstreamCodec{}))
}

// injector adds the provider's key behind the gateway's filters, which have removed every other key by then. A request
// without it, because the file is not there, is for the provider to refuse: Envoy's own refusal would end the chain.
func (b *builder) injector(c Cluster) *injectorv3.CredentialInjector {
	generic := &genericv3.Generic{
		Header: c.Key.Header, HeaderValuePrefix: c.Key.Prefix,
		Credential: &tlsv3.SdsSecretConfig{Name: c.Name, SdsConfig: &corev3.ConfigSource{
			ResourceApiVersion: corev3.ApiVersion_V3,
			ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{PathConfigSource: &corev3.PathConfigSource{
				Path: c.Key.File, WatchedDirectory: &corev3.WatchedDirectory{Path: path.Dir(c.Key.File)}}},
		}},
	}
	return &injectorv3.CredentialInjector{
		Overwrite: true, AllowRequestWithoutCredential: true,
		Credential: &corev3.TypedExtensionConfig{Name: "envoy.http.injected_credentials.generic", TypedConfig: b.any(generic)},
	}
}

// usage reads the tokens that a provider counted, at the end of its response, without touching the body.
func usage() *aiv3.AiProtocolManager {
	return &aiv3.AiProtocolManager{ResponseHandling: &aiv3.ResponseHandling{TokenUsage: &aiv3.TokenUsageExtraction{
		IncludeUnconfiguredRoutes: true, UsageSignal: aiv3.TokenUsageExtraction_SYNTHESIZE_TRAILERS}}}
}

// breakers are out of the way: limits are the gateway's business.
func breakers() *clusterv3.CircuitBreakers {
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections: wrapperspb.UInt32(10_000), MaxPendingRequests: wrapperspb.UInt32(100_000),
		MaxRequests: wrapperspb.UInt32(100_000), MaxRetries: wrapperspb.UInt32(10_000)}}}
}

func http1() *httpv3.HttpProtocolOptions_ExplicitHttpConfig_ {
	return &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{
			HttpProtocolOptions: &corev3.Http1ProtocolOptions{}}}}
}

func http2IfOffered() *httpv3.HttpProtocolOptions_AutoConfig {
	return &httpv3.HttpProtocolOptions_AutoConfig{AutoConfig: &httpv3.HttpProtocolOptions_AutoHttpConfig{
		HttpProtocolOptions: &corev3.Http1ProtocolOptions{},
		Http2ProtocolOptions: &corev3.Http2ProtocolOptions{ConnectionKeepalive: &corev3.KeepaliveSettings{
			Interval: durationpb.New(pingInterval), Timeout: durationpb.New(pingTimeout)}}}}
}

func (b *builder) protocol(options *httpv3.HttpProtocolOptions) map[string]*anypb.Any {
	return map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": b.any(options)}
}

func (b *builder) filter(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: b.any(config)}}
}
