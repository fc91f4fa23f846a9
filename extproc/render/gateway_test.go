package render_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	aiv3 "github.com/envoyproxy/go-control-plane/envoy/data/ai/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	pb "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/attache-gateway/attache/extproc/render"
)

// plan is what the test gateway does with the next exchange.
type plan struct {
	chain   []string // clusters, in the order of the attempts
	perTry  string   // per-try timeout in milliseconds
	body    string   // written by the upstream filter
	guard   bool     // hold each response until its first chunk; turn a chunk with "error" in it into status 529
	observe bool     // see the response's body
	cut     string   // end the response at this text
	answer  int      // refuse with this status before the body is read
	replace string   // put this in place of the response's body
}

// seen is what the test gateway was told about an exchange.
type seen struct {
	request  map[string]string
	attempts []string // CLUSTER COUNT EXCHANGE of each upstream filter
	response map[string]string
	winner   string // COUNT DETAILS
	body     bytes.Buffer
	ended    bool // by an end of stream or by trailers
	released bool // the upstream filter has answered the response's headers
	usage    *aiv3.TokenUsage
}

// gateway is the least ext_proc server that uses everything in the configuration.
type gateway struct {
	pb.UnimplementedExternalProcessorServer
	version string // of Envoy

	mu   sync.Mutex
	plan plan
	seen *seen
}

const exchangeID = "5c0ffee5"

// serve starts g on a Unix socket and returns its address in the form of Input.ExtProc.
func (g *gateway) serve(t *testing.T) string {
	dir, err := os.MkdirTemp("", "s") // t.TempDir is too long for a socket's path on some systems
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	pb.RegisterExternalProcessorServer(server, g)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return "unix:" + path
}

// expect sets the plan for the next exchange.
func (g *gateway) expect(p plan) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.plan, g.seen = p, &seen{}
}

// noted returns what was noted about the exchange that has ended.
func (g *gateway) noted() *seen {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen
}

func (g *gateway) Process(stream pb.ExternalProcessor_ProcessServer) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	side := md.Get(render.SideMetadata)
	if len(side) != 1 {
		return fmt.Errorf("%s = %v", render.SideMetadata, side)
	}
	g.mu.Lock()
	plan, note := g.plan, g.seen
	g.mu.Unlock()
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		g.mu.Lock()
		var replies []*pb.ProcessingResponse
		if side[0] == "upstream" {
			replies = upstream(plan, note, m)
		} else {
			replies = g.downstream(plan, note, m)
		}
		g.mu.Unlock()
		for _, r := range replies {
			if err := stream.Send(r); err != nil {
				return err
			}
		}
	}
}

func (g *gateway) downstream(p plan, note *seen, m *pb.ProcessingRequest) []*pb.ProcessingResponse {
	if usage, ok := m.GetMetadataContext().GetTypedFilterMetadata()[render.UsageMetadata]; ok {
		note.usage = &aiv3.TokenUsage{}
		_ = usage.UnmarshalTo(note.usage) // an empty usage fails the test
	}
	switch x := m.Request.(type) {
	case *pb.ProcessingRequest_RequestHeaders:
		note.request = values(x.RequestHeaders)
		if p.answer != 0 {
			return one(immediate(p.answer, `{"from":"gateway"}`))
		}
		return one(requestHead(nil))
	case *pb.ProcessingRequest_RequestBody:
		return one(g.forward(p))
	case *pb.ProcessingRequest_ResponseHeaders:
		note.response = values(x.ResponseHeaders)
		note.winner = attributes(m, "upstream.request_attempt_count", "response.code_details")
		return one(respond(p))
	case *pb.ProcessingRequest_ResponseBody:
		if before, _, found := bytes.Cut(x.ResponseBody.Body, []byte(p.cut)); found && p.cut != "" {
			return one(chunk(bytes.TrimSuffix(before, []byte("data: ")), true))
		}
		note.body.Write(x.ResponseBody.Body)
		note.ended = note.ended || x.ResponseBody.EndOfStream
		return one(chunk(x.ResponseBody.Body, x.ResponseBody.EndOfStream))
	case *pb.ProcessingRequest_ResponseTrailers:
		note.ended = true
		return one(&pb.ProcessingResponse{Response: &pb.ProcessingResponse_ResponseTrailers{ResponseTrailers: &pb.TrailersResponse{}}})
	}
	return nil
}

func upstream(p plan, note *seen, m *pb.ProcessingRequest) []*pb.ProcessingResponse {
	switch x := m.Request.(type) {
	case *pb.ProcessingRequest_RequestHeaders:
		id := m.GetMetadataContext().GetFilterMetadata()[render.ExchangeMetadata].GetFields()["id"].GetStringValue()
		note.attempts = append(note.attempts, attributes(m, "xds.cluster_name", "upstream.request_attempt_count")+" "+id)
		return one(attempt(p))
	case *pb.ProcessingRequest_ResponseHeaders:
		return nil // held
	case *pb.ProcessingRequest_ResponseBody:
		if bytes.Contains(x.ResponseBody.Body, []byte("error")) {
			failed := set(":status", "529") // and an end, or Envoy 1.39 waits for the provider's
			return []*pb.ProcessingResponse{responseHead(&pb.CommonResponse{HeaderMutation: failed}), chunk(nil, true)}
		}
		released := chunk(x.ResponseBody.Body, x.ResponseBody.EndOfStream)
		if !note.released {
			note.released = true
			return []*pb.ProcessingResponse{responseHead(nil), released}
		}
		return one(released)
	}
	return nil
}

// forward sends the request on its way, with the chain in the shape of the version.
func (g *gateway) forward(p plan) *pb.ProcessingResponse {
	headers := []string{"x-envoy-max-retries", strconv.Itoa(max(0, len(p.chain)-1))}
	if p.perTry != "" {
		headers = append(headers, "x-envoy-upstream-rq-per-try-timeout-ms", p.perTry)
	}
	groups := []any{}
	for i, cluster := range p.chain {
		if g.version == render.Envoy139 {
			headers = append(headers, fmt.Sprint(render.TryHeader, i+1), cluster)
		}
		groups = append(groups, map[string]any{"name": fmt.Sprint(i),
			"clusters": []any{map[string]any{"cluster_name": cluster, "weight": 1}}})
	}
	md, err := structpb.NewStruct(map[string]any{
		render.RouteMetadata:    map[string]any{"priority_groups": groups},
		render.ExchangeMetadata: map[string]any{"id": exchangeID},
	})
	if err != nil {
		panic(err)
	}
	if g.version == render.Envoy140 && len(p.chain) == 1 && !strings.HasSuffix(p.chain[0], render.RetrySuffix) {
		headers, md = append(headers, render.OnlyHeader, p.chain[0]), nil
	}
	return &pb.ProcessingResponse{DynamicMetadata: md, Response: &pb.ProcessingResponse_RequestBody{RequestBody: &pb.BodyResponse{
		Response: &pb.CommonResponse{ClearRouteCache: true, HeaderMutation: set(headers...)}}}}
}

func attempt(p plan) *pb.ProcessingResponse {
	r := requestHead(&pb.CommonResponse{
		Status:         pb.CommonResponse_CONTINUE_AND_REPLACE,
		HeaderMutation: set(":path", "/rewritten", render.LengthHeader, strconv.Itoa(len(p.body))),
		BodyMutation:   &pb.BodyMutation{Mutation: &pb.BodyMutation_Body{Body: []byte(p.body)}},
	})
	if p.guard {
		r.ModeOverride = &extprocv3.ProcessingMode{ResponseHeaderMode: extprocv3.ProcessingMode_SEND,
			ResponseBodyMode: extprocv3.ProcessingMode_FULL_DUPLEX_STREAMED, ResponseTrailerMode: extprocv3.ProcessingMode_SEND}
	}
	return r
}

func respond(p plan) *pb.ProcessingResponse {
	if p.replace != "" {
		return responseHead(&pb.CommonResponse{Status: pb.CommonResponse_CONTINUE_AND_REPLACE,
			HeaderMutation: set(":status", "502", "content-type", "application/json"),
			BodyMutation:   &pb.BodyMutation{Mutation: &pb.BodyMutation_Body{Body: []byte(p.replace)}}})
	}
	r := responseHead(nil)
	if p.observe {
		r.ModeOverride = &extprocv3.ProcessingMode{
			ResponseBodyMode: extprocv3.ProcessingMode_FULL_DUPLEX_STREAMED, ResponseTrailerMode: extprocv3.ProcessingMode_SEND}
	}
	return r
}

func one(r *pb.ProcessingResponse) []*pb.ProcessingResponse { return []*pb.ProcessingResponse{r} }

func requestHead(c *pb.CommonResponse) *pb.ProcessingResponse {
	return &pb.ProcessingResponse{Response: &pb.ProcessingResponse_RequestHeaders{RequestHeaders: &pb.HeadersResponse{Response: c}}}
}

func responseHead(c *pb.CommonResponse) *pb.ProcessingResponse {
	return &pb.ProcessingResponse{Response: &pb.ProcessingResponse_ResponseHeaders{ResponseHeaders: &pb.HeadersResponse{Response: c}}}
}

func chunk(body []byte, eos bool) *pb.ProcessingResponse {
	return &pb.ProcessingResponse{Response: &pb.ProcessingResponse_ResponseBody{ResponseBody: &pb.BodyResponse{
		Response: &pb.CommonResponse{BodyMutation: &pb.BodyMutation{Mutation: &pb.BodyMutation_StreamedResponse{
			StreamedResponse: &pb.StreamedBodyResponse{Body: body, EndOfStream: eos}}}}}}}
}

func immediate(status int, body string) *pb.ProcessingResponse {
	return &pb.ProcessingResponse{Response: &pb.ProcessingResponse_ImmediateResponse{ImmediateResponse: &pb.ImmediateResponse{
		Status: &typev3.HttpStatus{Code: typev3.StatusCode(status)}, Headers: set("content-type", "application/json"),
		Body: []byte(body), Details: render.AnswerDetails}}}
}

func set(pairs ...string) *pb.HeaderMutation {
	m := &pb.HeaderMutation{}
	for i := 0; i < len(pairs); i += 2 {
		m.SetHeaders = append(m.SetHeaders, &corev3.HeaderValueOption{
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			Header:       &corev3.HeaderValue{Key: pairs[i], RawValue: []byte(pairs[i+1])}})
	}
	return m
}

func values(h *pb.HttpHeaders) map[string]string {
	all := map[string]string{}
	for _, v := range h.GetHeaders().GetHeaders() {
		all[v.Key] = string(v.RawValue)
	}
	return all
}

// attributes joins the named request or response attributes of m with spaces.
func attributes(m *pb.ProcessingRequest, names ...string) string {
	var all []byte
	for _, name := range names {
		v := m.Attributes["envoy.filters.http.ext_proc"].GetFields()[name]
		all = fmt.Append(all, v.AsInterface(), " ")
	}
	return string(bytes.TrimSpace(all))
}
