// Package render writes Envoy's static configuration for one gateway: listener, route, filter chains and clusters.
//
// It knows how an exchange travels through Envoy: which filter asks the gateway what, which cluster is tried next, which
// header never leaves. It does not know attache.yaml, nor what the gateway answers; package stream is the other end of
// every name below.
//
// Each provider becomes two clusters. NAME serves first attempts, whose body the gateway has already written. NAME.retry
// serves every later attempt, and first attempts with a first-token deadline: it asks the gateway again, for that target.
package render

import (
	"errors"
	"fmt"
	"slices"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Names shared with the gateway's side of ext_proc.
const (
	// RouteMetadata is the dynamic metadata namespace of an exchange's fallback chain, a PriorityGroupsOverride (1.40).
	RouteMetadata = "attache.route"
	// ExchangeMetadata is the namespace that carries the exchange id from the downstream to the upstream filter.
	ExchangeMetadata = "attache.exchange"
	// UsageMetadata is the typed namespace of the token usage that Envoy 1.40 reads from responses.
	UsageMetadata = "envoy.ai.token_usage"
	// TryHeader and the attempt's number, from 1, name the header with that attempt's cluster (1.39).
	TryHeader = "x-attache-try-"
	// OnlyHeader names the cluster of an exchange with one attempt, which the downstream filter has written (1.40).
	OnlyHeader = TryHeader + "only"
	// LengthHeader carries the byte length of a body that the upstream filter wrote.
	LengthHeader = "x-attache-length"
	// SideMetadata is the gRPC metadata key whose value, downstream or upstream, says which filter opened a stream.
	SideMetadata = "x-attache-side"
	// AnswerDetails is ImmediateResponse.details of every answer by the gateway: Envoy leaves such bodies as they are.
	AnswerDetails = "attache"
	// RetrySuffix turns a provider's name into the name of its cluster for later attempts.
	RetrySuffix = ".retry"
	// MaxAttempts bounds the attempts of one exchange.
	MaxAttempts = 8
)

// Versions of Envoy that Input.Version may name.
const (
	Envoy140 = "1.40"
	Envoy139 = "1.39"
)

// Input is everything that decides the configuration.
type Input struct {
	Version        string        // Envoy140 or Envoy139
	Address        string        // IP address the listener binds
	Port           int           // 0: the kernel chooses
	Admin          string        // host:port of Envoy's own admin page
	ExtProc        string        // where the gateway's gRPC service listens: unix:PATH or host:port
	MaxRequest     int64         // longest request body in bytes; longer ones get 413
	CABundle       string        // file of trusted certificates in PEM; needed when a cluster uses TLS
	Backoff        Backoff       // between attempts
	RequestTimeout time.Duration // for a client to send a whole request
	StreamIdle     time.Duration // a stream without a byte for this long is reset
	Clusters       []Cluster     // one per provider
}

// Backoff is the exponential wait between two attempts; Envoy draws each wait at random below the current step.
type Backoff struct {
	Base, Max time.Duration
}

// Cluster is one provider's network side.
type Cluster struct {
	Name  string // the provider's name
	Host  string // name or IP address
	Port  int
	TLS   bool
	SNI   string // name sent and checked in the certificate; Host when empty
	Usage bool   // Envoy 1.40 reads token usage from the provider's responses
	Key   Key    // that Envoy adds to requests; the zero value: none
}

// Key is a provider's key that Envoy has and the gateway has not.
type Key struct {
	File   string // SDS response with a generic secret of the provider's name; read again when something is moved into its directory
	Header string
	Prefix string // before the key, with its space
}

// maxConnections bounds client connections, so that a flood is refused instead of eating the memory.
const maxConnections = 50_000

// Envoy renders in as a bootstrap file in YAML. The output depends on nothing else, and a change of in moves only the
// lines that it concerns.
func Envoy(in Input) ([]byte, error) {
	if err := in.check(); err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	b := &builder{in: in}
	boot := b.bootstrap()
	b.check(boot)
	if b.err != nil {
		return nil, fmt.Errorf("render: %w", b.err)
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(boot)
	if err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	return printYAML(text)
}

// check refuses what would give a configuration that Envoy loads but that does not work.
func (in Input) check() error {
	if in.Version != Envoy140 && in.Version != Envoy139 {
		return fmt.Errorf("envoy version %q: want %s or %s", in.Version, Envoy140, Envoy139)
	}
	if in.MaxRequest <= 0 || in.StreamIdle <= 0 || in.RequestTimeout <= 0 {
		return errors.New("longest request body, time to send it and idle time of streams must be limited") // 0 means no limit to Envoy
	}
	if len(in.Clusters) == 0 {
		return errors.New("no clusters")
	}
	seen := map[string]bool{}
	for _, c := range in.Clusters {
		if seen[c.Name] {
			return fmt.Errorf("cluster %q twice", c.Name)
		}
		seen[c.Name], seen[c.Name+RetrySuffix] = true, true
		if c.TLS && in.CABundle == "" {
			return fmt.Errorf("cluster %q: TLS without a CA bundle", c.Name)
		}
	}
	return nil
}

// builder collects the first error of many nested calls, so that the shape of the configuration stays readable.
type builder struct {
	in  Input
	err error
}

func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// check holds m against the constraints written in Envoy's protobuf files.
func (b *builder) check(m proto.Message) {
	if v, ok := m.(interface{ ValidateAll() error }); ok {
		if err := v.ValidateAll(); err != nil {
			b.fail(err)
		}
	}
}

func (b *builder) any(m proto.Message) *anypb.Any {
	b.check(m)
	packed, err := anypb.New(m)
	if err != nil {
		b.fail(err)
	}
	return packed
}

// runtime keeps ext_proc from pausing a provider while the gateway is slow to
// read, for the reason given at responseBuffer.
func runtime() *bootstrapv3.LayeredRuntime {
	off := structpb.NewBoolValue(false)
	layer := &structpb.Struct{Fields: map[string]*structpb.Value{"envoy.reloadable_features.grpc_side_stream_flow_control": off}}
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name:           "attache",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: layer},
	}}}
}

// node names Envoy, which refuses secrets from files otherwise.
func (b *builder) node() *corev3.Node {
	if !slices.ContainsFunc(b.in.Clusters, func(c Cluster) bool { return c.Key.File != "" }) {
		return nil
	}
	return &corev3.Node{Id: "attache", Cluster: "attache"}
}

func (b *builder) bootstrap() *bootstrapv3.Bootstrap {
	clusters := []*clusterv3.Cluster{}
	for _, c := range b.in.Clusters {
		clusters = append(clusters, b.provider(c, false), b.provider(c, true))
	}
	return &bootstrapv3.Bootstrap{
		Node:  b.node(),
		Admin: &bootstrapv3.Admin{Address: b.address(b.in.Admin)},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Listeners: []*listenerv3.Listener{b.listener()},
			Clusters:  append(clusters, b.refuse(), b.gateway()),
		},
		LayeredRuntime: runtime(),
		OverloadManager: &overloadv3.OverloadManager{ResourceMonitors: []*overloadv3.ResourceMonitor{{
			Name: "envoy.resource_monitors.global_downstream_max_connections",
			ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: b.any(
				&connectionsv3.DownstreamConnectionsConfig{MaxActiveDownstreamConnections: maxConnections})},
		}}},
	}
}
