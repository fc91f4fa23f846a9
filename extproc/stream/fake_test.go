package stream

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/attache-gateway/attache/extproc/auth"
	"github.com/attache-gateway/attache/extproc/credential"
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/gateway"
)

// A script is an Envoy that says what it is told, whatever it is answered.
type script struct {
	grpc.ServerStream
	ctx  context.Context
	says []*extproc.ProcessingRequest

	mu      sync.Mutex
	replies []*extproc.ProcessingResponse
}

func (s *script) Context() context.Context { return s.ctx }

func (s *script) Recv() (*extproc.ProcessingRequest, error) {
	if len(s.says) == 0 {
		return nil, io.EOF
	}
	m := s.says[0]
	s.says = s.says[1:]
	return m, nil
}

func (s *script) Send(r *extproc.ProcessingResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The server uses its buffers again, as it may: gRPC has sent them.
	s.replies = append(s.replies, proto.Clone(r).(*extproc.ProcessingResponse))
	return nil
}

// play lets the server have the conversation and returns its replies.
func play(srv *Server, side string, says ...*extproc.ProcessingRequest) ([]*extproc.ProcessingResponse, error) {
	s := &script{ctx: metadata.NewIncomingContext(context.Background(), metadata.Pairs("x-attache-side", side)), says: says}
	err := srv.Process(s)
	return s.replies, err
}

func headers(kv ...string) *extproc.HttpHeaders {
	m := &corev3.HeaderMap{}
	for i := 0; i < len(kv); i += 2 {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: kv[i], RawValue: []byte(kv[i+1])})
	}
	return &extproc.HttpHeaders{Headers: m}
}

func requestHeaders(end bool, kv ...string) *extproc.ProcessingRequest {
	h := headers(append(kv, ":method", "POST", ":path", "/v1/chat/completions")...)
	h.EndOfStream = end
	return &extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_RequestHeaders{RequestHeaders: h}}
}

func requestBody(body string) *extproc.ProcessingRequest {
	return &extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_RequestBody{RequestBody: &extproc.HttpBody{Body: []byte(body), EndOfStream: true}}}
}

func responseHeaders(details string, attempt float64, kv ...string) *extproc.ProcessingRequest {
	return &extproc.ProcessingRequest{
		Request:    &extproc.ProcessingRequest_ResponseHeaders{ResponseHeaders: headers(kv...)},
		Attributes: attributes("response.code_details", structpb.NewStringValue(details), "upstream.request_attempt_count", structpb.NewNumberValue(attempt)),
	}
}

func attributes(kv ...any) map[string]*structpb.Struct {
	return map[string]*structpb.Struct{attributeKey: object(kv...).GetStructValue()}
}

func responseBody(body string, end bool) *extproc.ProcessingRequest {
	return &extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_ResponseBody{ResponseBody: &extproc.HttpBody{Body: []byte(body), EndOfStream: end}}}
}

func responseTrailers() *extproc.ProcessingRequest {
	return &extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_ResponseTrailers{ResponseTrailers: &extproc.HttpTrailers{}}}
}

// A shelf keeps the records.
type shelf struct {
	mu      sync.Mutex
	records []*gateway.Record
}

func (s *shelf) Record(r *gateway.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r)
}

func (s *shelf) last(t testing.TB) *gateway.Record {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records) == 0 {
		t.Fatal("no record")
	}
	return s.records[len(s.records)-1]
}

// A panicking policy is how a test gets a panic into the middle of an exchange.
type panicking struct{ gateway.NoPolicy }

func (panicking) Decide(context.Context, *gateway.Facts) (gateway.Decision, error) { panic("boom") }

// newServer returns a server with two providers, a that reports no usage to
// Envoy and b that does.
func newServer(t testing.TB, change func(*gateway.Options)) (*Server, *shelf) {
	t.Helper()
	records := &shelf{}
	o := gateway.Options{
		Dialects: []dialect.Dialect{openai.New(), anthropic.New()},
		Providers: []gateway.Provider{
			{Name: "a", Dialect: "openai", Host: "a.test", BasePath: "/v1", Credential: credential.Key("authorization", "Bearer ", gateway.NewSecret("key-a"))},
			{Name: "b", Dialect: "anthropic", Host: "b.test", NativeUsage: true, Credential: credential.Key("x-api-key", "", gateway.NewSecret("key-b"))},
		},
		Auth: auth.None{}, Policy: gateway.NoPolicy{}, Sinks: []gateway.Sink{records},
		MaxResponse: 1 << 20, Now: time.Now,
	}
	if change != nil {
		change(&o)
	}
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &Server{Gateway: gateway.NewHolder(g)}, records
}

// A dialogue is a conversation that a test has step by step.
type dialogue struct {
	grpc.ServerStream
	ctx  context.Context
	in   chan *extproc.ProcessingRequest
	out  chan *extproc.ProcessingResponse
	done chan error
}

func dial(srv *Server, side string) *dialogue {
	d := &dialogue{
		ctx: metadata.NewIncomingContext(context.Background(), metadata.Pairs("x-attache-side", side)),
		in:  make(chan *extproc.ProcessingRequest), out: make(chan *extproc.ProcessingResponse), done: make(chan error, 1),
	}
	go func() { d.done <- srv.Process(d) }()
	return d
}

func (d *dialogue) Context() context.Context { return d.ctx }

func (d *dialogue) Recv() (*extproc.ProcessingRequest, error) {
	m, ok := <-d.in
	if !ok {
		return nil, io.EOF
	}
	return m, nil
}

func (d *dialogue) Send(r *extproc.ProcessingResponse) error { d.out <- r; return nil }

// say sends a message and returns the reply.
func (d *dialogue) say(t *testing.T, m *extproc.ProcessingRequest) *extproc.ProcessingResponse {
	t.Helper()
	select {
	case d.in <- m:
	case err := <-d.done:
		t.Fatalf("the server ended the stream: %v", err)
	}
	select {
	case r := <-d.out:
		return r
	case err := <-d.done:
		t.Fatalf("the server ended the stream without a reply: %v", err)
	}
	return nil
}

func (d *dialogue) hangUp() error { close(d.in); return <-d.done }
