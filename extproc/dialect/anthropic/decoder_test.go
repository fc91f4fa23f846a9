package anthropic

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

const (
	sseType  = "text/event-stream; charset=utf-8"
	jsonType = "application/json"
)

// joined puts texts of the same kind in a row together and keeps the last count
// only, so that forms which cut differently compare.
func joined(events []llm.Event) (out []llm.Event) {
	var usage *llm.Event
	for _, e := range events {
		switch n := len(out); {
		case e.Kind == llm.EventUsage:
			usage = &e
		case e.Kind == llm.EventPing:
		case n > 0 && e.Text != "" && e.Kind == out[n-1].Kind && e.Tool == out[n-1].Tool:
			out[n-1].Text += e.Text
		default:
			if e.Kind == llm.EventStart {
				e.Usage = llm.Usage{}
			}
			out = append(out, e)
		}
	}
	if usage != nil {
		out = append(out, *usage)
	}
	return out
}

// The unary and the streamed form of an answer are the same events.
func TestForms(t *testing.T) {
	unary, err := decodeAll(t, llm.OpChat, jsonType, [][]byte{sample(t, "answer.json")})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "answer.golden", unary)
	body := sample(t, "answer.sse")
	for how, chunks := range chunkings(body) {
		stream, err := decodeAll(t, llm.OpChat, sseType, chunks)
		if err != nil {
			t.Fatal(err)
		}
		got, want := joined(stream), joined(unary)
		for i := range got { // half a surrogate pair joins its other half in bytes only
			got[i].Text = strings.ReplaceAll(got[i].Text, "\xed\xa0\xbd\xed\xb8\x80", "\U0001f600")
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("cut into %s:\n got %+v\nwant %+v", how, got, want)
		}
	}
}

// Every split of the body into two gives the same events and the same bytes.
func TestEverySplit(t *testing.T) {
	body := sample(t, "answer.sse")
	want, err := decodeAll(t, llm.OpChat, sseType, [][]byte{body})
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		got, err := decodeAll(t, llm.OpChat, sseType, [][]byte{body[:i], body[i:]})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

func TestDecodeResponses(t *testing.T) {
	const start = `event: message_start` + "\n" + `data: {"type":"message_start","message":{"id":"m","model":"c","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}` + "\n\n"
	data := func(lines ...string) string {
		var b strings.Builder
		for _, l := range lines {
			fmt.Fprintf(&b, "data: %s\n\n", l)
		}
		return b.String()
	}
	kinds := func(events []llm.Event) (out []llm.Kind) {
		for _, e := range events {
			out = append(out, e.Kind)
		}
		return out
	}
	for _, c := range []struct {
		name, mediaType, body string
		want                  []llm.Kind
	}{
		{"no end", sseType, start, []llm.Kind{llm.EventStart, llm.EventUsage}},
		{"no last blank line", sseType, start + `data: {"type":"message_stop"}`, []llm.Kind{llm.EventStart, llm.EventUsage, llm.EventEnd}},
		{"cut inside an event", sseType, start + `data: {"type":"mess`, []llm.Kind{llm.EventStart, llm.EventUsage}},
		{"CRLF and comments", sseType, ": hello\r\n\r\ndata:{\"type\":\"ping\"}\r\n\r\n", []llm.Kind{llm.EventPing, llm.EventPing}},
		{"new kinds of events, blocks and deltas", sseType, data(
			`{"type":"new"}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"new"}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"new_delta","text":"x"}}`,
			`{"type":"content_block_stop","index":0}`), []llm.Kind{llm.EventOther, llm.EventBlockEnd}},
		{"tools of the provider", sseType, data(
			`{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}`,
			`{"type":"content_block_stop","index":0}`), []llm.Kind{llm.EventOther, llm.EventBlockEnd}},
		{"call in one piece", sseType, data(
			`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":1}}}`,
			`{"type":"content_block_stop","index":0}`), []llm.Kind{llm.EventToolStart, llm.EventToolArgs, llm.EventBlockEnd}},
		{"nulls", sseType, data(
			`{"type":"message_start","message":{"id":null,"model":null,"usage":null,"stop_reason":null}}`,
			`{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":null}}`), []llm.Kind{llm.EventStart, llm.EventUsage}},
		{"error", sseType, start + "event: error\n" + data(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, `{"type":"message_stop"}`),
			[]llm.Kind{llm.EventStart, llm.EventUsage, llm.EventError}},
		{"error of a proxy", sseType, data(`{"error":{"message":"no"}}`), []llm.Kind{llm.EventError}},
		{"second message", sseType, start + start, []llm.Kind{llm.EventStart, llm.EventUsage, llm.EventError}},
		{"error as an answer", jsonType, `{"type":"error","error":{"type":"api_error","message":"no"}}`, []llm.Kind{llm.EventError}},
		{"no content yet", jsonType, ` {"type":"message","content":[],"stop_reason":"max_tokens"} `, []llm.Kind{llm.EventStart, llm.EventFinish, llm.EventEnd}},
		{"unknown reason", jsonType, `{"stop_reason":"new","content":[],"type":"message"}`, []llm.Kind{llm.EventStart, llm.EventFinish, llm.EventEnd}},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, err := decodeAll(t, llm.OpChat, c.mediaType, [][]byte{[]byte(c.body)})
			if err != nil {
				t.Fatal(err)
			}
			if got := kinds(events); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestNotOfTheDialect(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, c := range []struct{ mediaType, body string }{
		{jsonType, ""},
		{jsonType, "<html>"},
		{jsonType, `{"type":"message","content":[`},
		{jsonType, `{"type":"message"}`},
		{jsonType, `{"choices":[]}`},
		{jsonType, `{"type":"message","content":[]} x`},
		{jsonType, `{"type":"message","content":[{"type":"text","text":"` + long + `"}]}`},
		{sseType, "data: {\n\n"},
		{sseType, "data: " + long},
	} {
		d := New().NewDecoder(llm.OpChat, c.mediaType, 100)
		_, err := d.Decode([]byte(c.body), false)
		if err == nil {
			_, err = d.Decode(nil, true)
		}
		var e *llm.Error
		if !errors.As(err, &e) || e.Status != 502 || e.Code != llm.CodeUpstreamError || strings.Contains(e.Message, "xx") {
			t.Errorf("%.60s: got %v", c.body, err)
		}
	}
}

func TestCountTokens(t *testing.T) {
	events, err := decodeAll(t, llm.OpCountTokens, jsonType, [][]byte{[]byte(`{"input_tokens":17,"context_management":null}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got := readEvents(t, events); got.Usage.Input != 17 || !got.Ended {
		t.Errorf("got %+v", got)
	}
	if out := encode(t, &llm.Request{Op: llm.OpCountTokens, Stream: true}, events, 0); string(out) != `{"input_tokens":17}` {
		t.Errorf("wrote %s", out)
	}
	if _, err := decodeAll(t, llm.OpCountTokens, jsonType, [][]byte{[]byte(`{"tokens":17}`)}); err == nil {
		t.Error("a count without a count was taken")
	}
}

// What came before a broken event is not lost, however the body is cut.
func TestBrokenEvent(t *testing.T) {
	body := []byte("data: {\"type\":\"ping\"}\n\ndata: {\n\n")
	for i := range body {
		d := New().NewDecoder(llm.OpChat, sseType, 100)
		a, err1 := d.Decode(body[:i], false)
		n := len(a)
		b, err2 := d.Decode(body[i:], true)
		if n+len(b) != 1 || err1 == nil && err2 == nil {
			t.Errorf("cut at %d: %d and %d frames, %v, %v", i, n, len(b), err1, err2)
		}
	}
}

func TestRefusalDetails(t *testing.T) {
	for mediaType, body := range map[string]string{
		jsonType: `{"type":"message","content":[],"stop_details":{"type":"refusal","category":"x","explanation":"why"},"stop_reason":"refusal"}`,
		sseType:  `data: {"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"explanation":"why"}}}` + "\n\n",
	} {
		events, err := decodeAll(t, llm.OpChat, mediaType, [][]byte{[]byte(body)})
		want := llm.Event{Kind: llm.EventFinish, Reason: llm.FinishRefusal, Text: "why"}
		if err != nil || !slices.Contains(events, want) {
			t.Errorf("%s: got %+v, %v", mediaType, events, err)
		}
	}
}

// Counts of a stream replace each other; those that are not repeated stay.
func TestUsageMerge(t *testing.T) {
	events, err := decodeAll(t, llm.OpChat, sseType, [][]byte{[]byte(
		`data: {"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":10,"output_tokens":1}}}` + "\n\n" +
			`data: {"type":"message_delta","delta":{},"usage":{"input_tokens":4,"output_tokens":9,"output_tokens_details":{"thinking_tokens":2}}}` + "\n\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := llm.Usage{Input: 14, CacheRead: 10, Output: 9, Reasoning: 2}
	if got := readEvents(t, events).Usage; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status  int
		body    string
		code    string
		message string
	}{
		{400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}`, "context_length_exceeded", "prompt is too long: 9 tokens > 8 maximum"},
		{429, `{"type":"error","error":{"type":"rate_limit_error","message":"slow down"},"request_id":"r"}`, llm.CodeRateLimited, "slow down"},
		{529, `{"error":{"type":"overloaded_error","message":"Overloaded"}}`, "overloaded", "Overloaded"},
		{503, `<html>`, "overloaded", "the provider answered with status 503"},
		{500, ``, llm.CodeUpstreamError, "the provider answered with status 500"},
	} {
		e := New().DecodeError(c.status, nil, []byte(c.body))
		if e.Status != c.status || e.Code != c.code || e.Message != c.message {
			t.Errorf("%d %s: got %+v", c.status, c.body, e)
		}
	}
	for _, c := range []struct {
		err  llm.Error
		want string
	}{
		{llm.Error{Status: 400, Code: "invalid_request", Param: "max_tokens", Message: "is required"},
			`{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: is required","code":"invalid_request"},"request_id":null}`},
		{llm.Error{Status: 404, Code: "model_not_found", Type: "invalid_request_error", Message: "no"},
			`{"type":"error","error":{"type":"not_found_error","message":"no","code":"model_not_found"},"request_id":null}`},
		{llm.Error{Status: 529, Code: "overloaded", Type: "overloaded_error", Message: "no"},
			`{"type":"error","error":{"type":"overloaded_error","message":"no","code":"overloaded"},"request_id":null}`},
		{llm.Error{Status: 400, Code: "context_length_exceeded", Message: "too many"},
			`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: too many","code":"context_length_exceeded"},"request_id":null}`},
	} {
		if got := string(New().EncodeError(&c.err)); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
	for status, want := range map[int]string{401: "authentication_error", 403: "permission_error", 413: "request_too_large",
		422: "invalid_request_error", 502: "api_error", 503: "overloaded_error", 504: "timeout_error"} {
		if got := errorType(status); got != want {
			t.Errorf("%d is %s", status, got)
		}
	}
}
