package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/attache-gateway/attache/extproc/llm"
)

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}

// firstText reads the first message's text out of either dialect.
func firstText(t *testing.T, body []byte) string {
	t.Helper()
	var r struct{ Messages []struct{ Content any } }
	if err := json.Unmarshal(body, &r); err != nil || len(r.Messages) == 0 {
		t.Fatalf("%s: %v", body, err)
	}
	switch c := r.Messages[0].Content.(type) {
	case string:
		return c
	case []any:
		return c[0].(map[string]any)["text"].(string)
	}
	return ""
}

const openaiStream = `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Grüß"}}]}

data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" dich \ud83d"}}]}

data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"\ude00"}}]}

data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}

data: [DONE]

`

const anthropicStream = `event: message_start
data: {"type":"message_start","message":{"id":"1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grüß dich 😀"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":4}}

event: message_stop
data: {"type":"message_stop"}

`

var requests = map[string]struct{ path, body string }{
	llm.OpenAI:    {chatPath, `{"model":"%s","stream":%v,"messages":[{"role":"user","content":"hi"}]}`},
	llm.Anthropic: {"/v1/messages", `{"model":"%s","stream":%v,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`},
}

// run sends a response through an exchange in the chunks given.
func run(t *testing.T, client, model string, stream bool, media string, status int, chunks ...[]byte) (head *ResponseHead, body string, r *Record) {
	t.Helper()
	h := newGateway(t, func(o *Options) { o.Sinks = []Sink{sinkFunc(func(got *Record) { r = got })} })
	q := requests[client]
	x, answer, _ := decide(t, h, q.path, fmt.Sprintf(q.body, model, stream))
	if answer != nil {
		t.Fatalf("answered %s", answer.Body)
	}
	headers := []llm.Header{{Name: "content-type", Value: media}}
	if strings.HasSuffix(media, "gzip") {
		headers = []llm.Header{{Name: "content-type", Value: strings.TrimSuffix(media, "+gzip")}, {Name: "content-encoding", Value: "gzip"}}
	}
	resp, err := x.Respond(1, status, headers, false)
	if err != nil {
		t.Fatal(err)
	}
	head = resp.Head
	if resp.Mode == ModeWhole {
		chunks = [][]byte{bytes.Join(chunks, nil)}
	}
	for i, c := range chunks {
		out := x.Chunk(c, i == len(chunks)-1)
		body += string(out.Body)
		if out.Head != nil {
			head = out.Head
		}
		if out.End {
			break
		}
	}
	x.Close(false)
	return head, body, r
}

// However Envoy cuts a stream, the client gets the same, and the record too.
func TestAnyChunking(t *testing.T) {
	for _, tt := range []struct{ model, stream string }{{"a/m", openaiStream}, {"b/m", anthropicStream}} {
		for client := range requests {
			_, want, record := run(t, client, tt.model, true, "text/event-stream", 200, []byte(tt.stream))
			if !strings.Contains(want, "Gr") || record.Truncated || record.Usage != (llm.Usage{Input: 3, Output: 4}) {
				t.Fatalf("%s from %s: %s\n%+v", client, tt.model, want, record)
			}
			if client == llm.OpenAI && strings.Contains(want, "total_tokens") {
				t.Errorf("%s from %s: the client sees usage that it did not ask for", client, tt.model)
			}
			for i := 1; i < len(tt.stream); i += 1 + i%7 {
				_, got, r := run(t, client, tt.model, true, "text/event-stream", 200, []byte(tt.stream[:i]), []byte(tt.stream[i:]))
				if scrub(got) != scrub(want) || r.Usage != record.Usage || r.Truncated {
					t.Fatalf("%s from %s cut at %d:\n%s\nwant\n%s", client, tt.model, i, got, want)
				}
			}
			random := rand.New(rand.NewPCG(1, 2))
			var pieces [][]byte
			for rest := []byte(tt.stream); len(rest) > 0; {
				n := min(1+random.IntN(9), len(rest))
				pieces, rest = append(pieces, rest[:n]), rest[n:]
			}
			if _, got, _ := run(t, client, tt.model, true, "text/event-stream", 200, append(pieces, nil)...); scrub(got) != scrub(want) {
				t.Errorf("%s from %s in small pieces:\n%s\nwant\n%s", client, tt.model, got, want)
			}
		}
	}
}

// scrub takes out the one thing that the wall clock decides.
func scrub(s string) string {
	for _, part := range strings.Split(s, `"created":`)[1:] {
		digits := part[:strings.IndexAny(part, ",}")]
		s = strings.ReplaceAll(s, `"created":`+digits, `"created":0`)
	}
	return s
}

// A stream that ends early ends in an error, behind all that the provider sent.
func TestTruncated(t *testing.T) {
	for _, tt := range []struct{ model, stream, end string }{
		{"a/m", openaiStream, `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"fin`},
		{"b/m", anthropicStream, "event: content_block_stop"},
	} {
		cut := tt.stream[:strings.Index(tt.stream, tt.end)]
		for client := range requests {
			_, body, r := run(t, client, tt.model, true, "text/event-stream", 200, []byte(cut), nil)
			if !r.Truncated || r.Usage.Output == 0 || !r.Counted && tt.model == "a/m" {
				t.Errorf("%s from %s: record %+v", client, tt.model, r)
			}
			same := (client == llm.OpenAI) == (tt.model == "a/m")
			if same && !strings.HasPrefix(body, cut) {
				t.Errorf("%s from %s: got %s", client, tt.model, body)
			}
			if !strings.Contains(body, `"error"`) || strings.Contains(body, "[DONE]") || strings.Contains(body, "message_stop") {
				t.Errorf("%s from %s: a clean end:\n%s", client, tt.model, body)
			}
		}
	}
}

func TestNoDialect(t *testing.T) {
	for name, body := range map[string]string{"html": "<html>", "cut": `{"id":"1","choices":[`, "empty": "", "other": `{"hello":1}`, "list": `[]`} {
		for client := range requests {
			for _, model := range []string{"a/m", "b/m"} {
				head, got, r := run(t, client, model, false, "application/json", 200, []byte(body))
				if head.Status != 502 || r.Code != llm.CodeUpstreamError || !strings.Contains(got, `"error"`) {
					t.Errorf("%s for %s from %s: status %d, %s, %s", name, client, model, head.Status, r.Code, got)
				}
			}
		}
	}
}

// A page with status 200 is looked at, although responses of this provider are
// left to Envoy.
func TestPageIsNoResponse(t *testing.T) {
	for media, want := range map[string]Mode{"application/json; charset=utf-8": ModePass, "text/html": ModeWhole, "": ModeWhole} {
		h := newGateway(t, func(o *Options) { o.Providers[0].NativeUsage = true })
		x, _, _ := decide(t, h, chatPath, chat("a/m", ""))
		resp, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: media}}, false)
		if err != nil || resp.Mode != want {
			t.Errorf("%q: mode %v, want %v (%v)", media, resp.Mode, want, err)
		}
		x.Close(false)
	}
}

func TestErrorsKeepStatusButOurCredential(t *testing.T) {
	for status, want := range map[int]int{400: 400, 404: 404, 429: 429, 500: 500, 529: 529, 401: 502, 403: 502} {
		for client := range requests {
			for _, body := range []string{`{"error":{"message":"why","type":"t","code":"c"}}`, `{"type":"error","error":{"type":"t","message":"why"}}`, `<html>`, ``} {
				head, got, r := run(t, client, "b/m", false, "application/json", status, []byte(body))
				if head.Status != want || r.Status != want || !json.Valid([]byte(got)) || !strings.Contains(got, `"error"`) {
					t.Errorf("%d %q for %s: got %d %s", status, body, client, head.Status, got)
				}
				if want == 502 && strings.Contains(got, "why") {
					t.Errorf("the client reads what the provider said of our key: %s", got)
				}
			}
		}
	}
}

func TestCompressedAgainstOurWish(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	fmt.Fprint(w, openaiStream)
	w.Close()
	for client := range requests {
		_, plain, _ := run(t, client, "a/m", true, "text/event-stream", 200, []byte(openaiStream))
		head, got, r := run(t, client, "a/m", true, "text/event-stream+gzip", 200, z.Bytes()[:40], z.Bytes()[40:])
		if scrub(got) != scrub(plain) || r.Truncated || !strings.Contains(strings.Join(head.Remove, " "), "content-encoding") {
			t.Errorf("%s: got %q, removed %v", client, got, head.Remove)
		}
	}
	_, _, r := run(t, llm.Anthropic, "a/m", true, "text/event-stream+gzip", 200, []byte("not gzip"))
	if r.Code != llm.CodeUpstreamError {
		t.Errorf("broken gzip: %+v", r)
	}
}

func TestWatch(t *testing.T) {
	for _, tt := range []struct {
		name, media, body string
		want              string
	}{
		{"content", "text/event-stream", openaiStream, "release"},
		{"ping", "text/event-stream", ": ping\n\n", "fail"},
		{"error", "text/event-stream", "data: {\"error\":{\"message\":\"x\"}}\n\n", "fail"},
		{"role only", "text/event-stream", openaiStream[:10], "fail"},
		{"html", "text/html", "<html>", "fail"},
		{"html as json", "application/json", "<html>", "fail"},
		{"cut json", "application/json", `{"choices":[`, "fail"},
		{"json", "application/json", `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}`, "release"},
		{"error in a 200", "application/json", `{"error":{"message":"x"}}`, "fail"},
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			w := &Watch{x: &Exchange{}, step: step{target: newGateway(t, nil).Current().models["smart"].targets[0]}, op: llm.OpChat, limit: 1 << 20}
			ruling := w.Head(200, []llm.Header{{Name: "content-type", Value: tt.media}})
			for rest := []byte(tt.body); ruling.Hold; {
				n := min(size, len(rest))
				ruling = w.Chunk(rest[:n], n == len(rest))
				rest = rest[n:]
			}
			got := "release"
			if ruling.Fail != nil {
				got = "fail"
			}
			if got != tt.want {
				t.Errorf("%s in chunks of %d: %s, want %s", tt.name, size, got, tt.want)
			}
		}
	}
	w := &Watch{x: &Exchange{}, n: 1}
	if r := w.Head(503, nil); r.Hold || r.Fail != nil {
		t.Error("an error status is Envoy's to judge")
	}
}

// An open stream must not hold the prompt that it answers, in whatever form.
func TestOpenStreamFreesTheRequest(t *testing.T) {
	for _, client := range []string{llm.OpenAI, llm.Anthropic} {
		// The last two are sent as they came, so that what is sent is the body.
		for _, model := range []string{"a/m", "b/m", "a/m,b/m", "gpt-4", "claude-4"} {
			q := requests[client]
			body := []byte(strings.Replace(fmt.Sprintf(q.body, model, true), `"hi"`, `"`+strings.Repeat("long ", 1<<16)+`"`, 1))
			body = append(body[:len(body)-1], `,"tools":[{"type":"custom","name":"f","input_schema":{},"custom":{"name":"f"}}]}`...)
			if client == llm.OpenAI {
				body = append(body[:len(body)-1], `,"stream_options":{"include_usage":true}}`...)
			}
			held := weak.Make(&body[0])
			h := newGateway(t, nil)
			x, _ := h.Open(&Head{Method: "POST", Path: q.path})
			answer, f := x.Decide(t.Context(), body)
			if answer != nil {
				t.Logf("%s to %s: %s", client, model, answer.Body)
				continue // this pair has no such tools
			}
			if f.First == nil {
				if _, _, err := x.Attempt(1, "a.retry"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "text/event-stream"}}, false); err != nil {
				t.Fatal(err)
			}
			body, answer, f = nil, nil, nil
			runtime.GC()
			if held.Value() != nil {
				t.Errorf("%s to %s: the request is still there", client, model)
			}
			x.Close(false)
		}
	}
}

func TestCost(t *testing.T) {
	_, _, r := run(t, llm.OpenAI, "a/m", true, "text/event-stream", 200, []byte(openaiStream))
	if r.CostNano != 3*1+4*2 || r.Unpriced {
		t.Errorf("got %d, unpriced %v", r.CostNano, r.Unpriced)
	}
	_, _, r = run(t, llm.OpenAI, "b/m", true, "text/event-stream", 200, []byte(anthropicStream))
	if r.CostNano != 0 || !r.Unpriced {
		t.Errorf("got %d, unpriced %v", r.CostNano, r.Unpriced)
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	s := NewSecret("sk-123")
	p := &struct{ Key Secret }{s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", s, "provider", p)
	j, _ := json.Marshal(map[string]any{"s": s, "p": &s})
	for _, got := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s), fmt.Sprintf("%+v %#v", p, p.Key), log.String(), string(j)} {
		if strings.Contains(got, "sk-123") || strings.Contains(got, "736b2d313233") {
			t.Errorf("printed: %s", got)
		}
	}
}
