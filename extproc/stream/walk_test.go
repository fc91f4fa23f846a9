package stream

import (
	"fmt"
	"strings"
	"testing"

	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// transcript writes replies as lines, with the headers that a case names.
func transcript(replies []*extproc.ProcessingResponse, err error, show ...string) string {
	var b strings.Builder
	for _, r := range replies {
		var common *extproc.CommonResponse
		switch m := r.GetResponse().(type) {
		case *extproc.ProcessingResponse_RequestHeaders:
			common = line(&b, "request_headers", m.RequestHeaders.GetResponse())
		case *extproc.ProcessingResponse_RequestBody:
			common = line(&b, "request_body", m.RequestBody.GetResponse())
		case *extproc.ProcessingResponse_ResponseHeaders:
			common = line(&b, "response_headers", m.ResponseHeaders.GetResponse())
		case *extproc.ProcessingResponse_ResponseBody:
			common = line(&b, "response_body", m.ResponseBody.GetResponse())
		case *extproc.ProcessingResponse_ResponseTrailers:
			b.WriteString("response_trailers")
		case *extproc.ProcessingResponse_ImmediateResponse:
			fmt.Fprintf(&b, "immediate %d %s %s", m.ImmediateResponse.GetStatus().GetCode(), m.ImmediateResponse.GetDetails(), m.ImmediateResponse.GetBody())
		}
		if mode := r.GetModeOverride(); mode != nil {
			fmt.Fprintf(&b, " mode=%s", mode.GetResponseBodyMode())
		}
		for _, h := range common.GetHeaderMutation().GetSetHeaders() {
			for _, name := range show {
				if h.GetHeader().GetKey() == name {
					fmt.Fprintf(&b, " %s=%s", name, h.GetHeader().GetRawValue())
				}
			}
		}
		b.WriteByte('\n')
	}
	if err != nil {
		fmt.Fprintf(&b, "error %s\n", status.Code(err))
	}
	return b.String()
}

func line(b *strings.Builder, name string, c *extproc.CommonResponse) *extproc.CommonResponse {
	b.WriteString(name)
	if c.GetStatus() == extproc.CommonResponse_CONTINUE_AND_REPLACE {
		b.WriteString(" replace")
	}
	if p := c.GetBodyMutation().GetBody(); p != nil {
		fmt.Fprintf(b, " %s", p)
	}
	if s := c.GetBodyMutation().GetStreamedResponse(); s != nil {
		fmt.Fprintf(b, " %q end=%v", s.GetBody(), s.GetEndOfStream())
	}
	return c
}

func check(t *testing.T, got, want string) {
	t.Helper()
	if want = strings.TrimPrefix(want, "\n"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

const events = "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"ho\"}}]}\n\n" +
	"data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
const usageEvent = "data: {\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}\n\n"
const doneEvent = "data: [DONE]\n\n"

func TestUnaryOfTheSameDialect(t *testing.T) {
	srv, records := newServer(t, nil)
	replies, err := play(srv, "downstream", requestHeaders(false, "authorization", "Bearer client", "cookie", "c"), requestBody(unaryRequest),
		responseHeaders("via_upstream", 1, ":status", "200", "content-type", "application/json"), responseBody(completion, true))
	check(t, transcript(replies, err, ":path", ":authority", "authorization", "x-attache-try-only", ":status", "content-length", "x-attache-provider", "x-attache-attempts"), `
request_headers
request_body {"model":"m","messages":[{"role":"user","content":"hi"}]} :path=/v1/chat/completions :authority=a.test authorization=Bearer key-a content-length=57 x-attache-try-only=a
response_headers mode=BUFFERED
response_body `+completion+` x-attache-provider=a x-attache-attempts=1 content-length=222
`)
	if md := replies[1].GetDynamicMetadata(); md != nil {
		t.Errorf("one attempt has metadata %v", md)
	}
	removed := replies[1].GetRequestBody().GetResponse().GetHeaderMutation().GetRemoveHeaders()
	for _, name := range []string{"cookie", "x-api-key", "api-key"} {
		if !strings.Contains(strings.Join(removed, " "), name) {
			t.Errorf("%s is not removed", name)
		}
	}
	r := records.last(t)
	if r.Usage != (llm.Usage{Input: 5, Output: 7}) || r.Status != 200 || r.Truncated || r.Counted || r.Finish != llm.FinishStop {
		t.Errorf("record %+v", r)
	}
}

// The client did not ask for usage: the gateway asks, books it and takes the
// chunk out again, and every other byte is the provider's.
func TestHiddenUsage(t *testing.T) {
	srv, records := newServer(t, nil)
	replies, err := play(srv, "downstream", requestHeaders(false), requestBody(streamRequest),
		responseHeaders("via_upstream", 1, ":status", "200", "content-type", "text/event-stream"),
		responseBody(events+usageEvent[:20], false), responseBody(usageEvent[20:]+doneEvent, false), responseTrailers())
	check(t, transcript(replies[2:], err), `
response_headers mode=FULL_DUPLEX_STREAMED
response_body `+fmt.Sprintf("%q", events)+` end=false
response_body `+fmt.Sprintf("%q", doneEvent)+` end=false
response_trailers
`)
	if !strings.Contains(string(replies[1].GetRequestBody().GetResponse().GetBodyMutation().GetBody()), `"include_usage":true`) {
		t.Error("the provider is not asked for usage")
	}
	if r := records.last(t); r.Usage != (llm.Usage{Input: 5, Output: 7}) || r.Truncated {
		t.Errorf("record %+v", r)
	}
}

// Envoy ends its stream in the middle of a response where a side went away, and
// may do so without cancelling it.
func TestHalfClosed(t *testing.T) {
	srv, records := newServer(t, nil)
	if _, err := play(srv, "downstream", requestHeaders(false), requestBody(streamRequest),
		responseHeaders("via_upstream", 1, ":status", "200", "content-type", "text/event-stream"), responseBody(events, false)); err != nil {
		t.Fatal(err)
	}
	if r := records.last(t); !r.Truncated || !r.Cancelled || r.Usage.Output == 0 {
		t.Errorf("record %+v", r)
	}
}

// A response whose usage Envoy reads itself stays in Envoy.
func TestPass(t *testing.T) {
	srv, records := newServer(t, nil)
	replies, err := play(srv, "downstream",
		requestHeaders(false, ":path", "/v1/messages"), requestBody(`{"model":"b/m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`),
		responseHeaders("via_upstream", 1, ":status", "200", "content-type", "text/event-stream"), responseTrailers())
	if err != nil || len(replies) != 4 {
		t.Fatalf("%d replies, %v", len(replies), err)
	}
	check(t, transcript(replies[2:], err), `
response_headers
response_trailers
`)
	if r := records.last(t); r.Truncated || r.Dialect != llm.OpenAI && r.Dialect != llm.Anthropic {
		t.Errorf("record %+v", r)
	}
}

func TestEnvoyAnswersItself(t *testing.T) {
	srv, records := newServer(t, nil)
	replies, err := play(srv, "downstream", requestHeaders(false), requestBody(unaryRequest),
		responseHeaders("upstream_per_try_timeout", 1, ":status", "504"))
	check(t, transcript(replies[2:], err, ":status", "content-type"), `
response_headers replace {"error":{"message":"no provider answered in time","type":"server_error","param":null,"code":"upstream_timeout"}} :status=504 content-type=application/json
`)
	if r := records.last(t); r.Code != llm.CodeUpstreamTimeout || r.Status != 504 {
		t.Errorf("record %+v", r)
	}
	replies, err = play(srv, "downstream", requestHeaders(false), responseHeaders("request_payload_too_large", 0, ":status", "413"))
	check(t, transcript(replies[1:], err, ":status"), `
response_headers replace {"error":{"message":"the request is larger than the gateway allows","type":"invalid_request_error","param":null,"code":"request_too_large"}} :status=413
`)
}

// A panic is the gateway's fault: the client gets an error that says so and
// nothing else, the record says where it was.
func TestPanic(t *testing.T) {
	srv, records := newServer(t, func(o *gateway.Options) { o.Policy = panicking{} })
	replies, err := play(srv, "downstream", requestHeaders(false), requestBody(unaryRequest))
	got := transcript(replies[1:], err)
	if !strings.HasPrefix(got, "immediate 500 attache {\"error\":{") || strings.Contains(got, "boom") {
		t.Errorf("got %s", got)
	}
	if r := records.last(t); r.Code != llm.CodeInternal || !strings.Contains(r.Detail, "panicking") {
		t.Errorf("record %+v", r)
	}
}

// upstreamHeaders is what the filter of a retry cluster says of an attempt.
func upstreamHeaders(id, cluster string, attempt float64) *extproc.ProcessingRequest {
	m := requestHeaders(true)
	m.Attributes = attributes("xds.cluster_name", structpb.NewStringValue(cluster), "upstream.request_attempt_count", structpb.NewNumberValue(attempt))
	m.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{exchangeNamespace: object("id", structpb.NewStringValue(id)).GetStructValue()}}
	return m
}

// A chain of two: the attempts ask for themselves, the first one's response is
// an error in disguise, the second one's is let through.
func TestAttempts(t *testing.T) {
	srv, records := newServer(t, nil)
	down := dial(srv, "downstream")
	down.say(t, requestHeaders(false))
	forward := down.say(t, requestBody(strings.Replace(streamRequest, "a/m", "a/m,b/n", 1)))
	id := forward.GetDynamicMetadata().GetFields()[exchangeNamespace].GetStructValue().GetFields()["id"].GetStringValue()
	if forward.GetRequestBody().GetResponse().GetBodyMutation() != nil {
		t.Error("the body is written although each attempt writes its own")
	}

	replies, err := play(srv, "upstream", upstreamHeaders(id, "a.retry", 1),
		responseHeaders("via_upstream", 1, ":status", "200", "content-type", "text/event-stream"),
		responseBody(": ping\n\n", false), responseBody("data: {\"error\":{\"message\":\"overloaded\",\"code\":\"overloaded\"}}\n\n", false))
	got := transcript(replies, err, ":path", "authorization", "x-api-key", ":status")
	if !strings.Contains(got, "mode=FULL_DUPLEX_STREAMED :path=/v1/chat/completions authorization=Bearer key-a\nresponse_headers :status=502\n") &&
		!strings.Contains(got, ":status=5") {
		t.Errorf("attempt 1: got\n%s", got)
	}

	replies, err = play(srv, "upstream", upstreamHeaders(id, "b.retry", 2),
		responseHeaders("via_upstream", 2, ":status", "200", "content-type", "text/event-stream"),
		responseBody("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"1\",\"model\":\"n\",\"usage\":{\"input_tokens\":1}}}\n\n", false),
		responseBody("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n", false),
		responseBody("tail", true))
	got = transcript(replies, err, ":path", "authorization", "x-api-key")
	if !strings.Contains(got, ":path=/v1/messages x-api-key=key-b\nresponse_headers\nresponse_body \"event: message_start") || !strings.HasSuffix(got, "response_body \"tail\" end=true\n") {
		t.Errorf("attempt 2: got\n%s", got)
	}
	for _, bad := range []*extproc.ProcessingRequest{
		upstreamHeaders(id, "b.retry", 1), upstreamHeaders(id, "a.retry", 3), upstreamHeaders(id, "b", 2), upstreamHeaders("0", "a.retry", 1),
	} {
		if replies, err := play(srv, "upstream", bad); err == nil || len(replies) > 0 {
			t.Errorf("an attempt that is not in the plan got %d replies, %v", len(replies), err)
		}
	}

	head := down.say(t, responseHeaders("via_upstream", 2, ":status", "200", "content-type", "text/event-stream"))
	if mode := head.GetModeOverride().GetResponseBodyMode(); mode != filterv3.ProcessingMode_FULL_DUPLEX_STREAMED {
		t.Errorf("mode %s", mode)
	}
	if err := down.hangUp(); err != nil {
		t.Errorf("hang-up: %v", err)
	}
	r := records.last(t)
	if r.Target != "b/n" || len(r.Attempts) != 2 || r.Attempts[0].Result != "failed" || !r.Truncated {
		t.Errorf("record %+v", r)
	}
	if _, err := play(srv, "upstream", upstreamHeaders(id, "a.retry", 1)); err == nil {
		t.Error("an attempt of an exchange that has ended was let through")
	}
}

func TestMessageAfterGoneIsNoFailure(t *testing.T) {
	srv, _ := newServer(t, nil)
	if _, err := play(srv, "downstream", requestHeaders(false)); err != nil {
		t.Errorf("client gone before its body: %v", err)
	}
	if _, err := play(srv, "downstream", requestHeaders(false), responseTrailers()); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("trailers instead of a body: %v", err)
	}
}

// A head that Envoy refuses comes here as its answer alone. It stays as it is,
// and is no exchange.
func TestEnvoyRefusesTheHead(t *testing.T) {
	srv, records := newServer(t, nil)
	replies, err := play(srv, "downstream", responseHeaders("missing_host_header", 0, ":status", "400"))
	check(t, transcript(replies, err), `
response_headers
`)
	if len(records.records) > 0 {
		t.Errorf("records %v", records.records)
	}
}
