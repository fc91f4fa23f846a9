package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// words is a stream of n pieces of text, each of two tokens, without an end.
func words(dialect string, n int) (chunks [][]byte) {
	if dialect == llm.Anthropic {
		begin := anthropicStream[:strings.Index(anthropicStream, "event: content_block_delta")]
		chunks = append(chunks, []byte(begin))
	}
	for range n {
		if dialect == llm.Anthropic {
			chunks = append(chunks, []byte(`event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" hello world"}}

`))
			continue
		}
		chunks = append(chunks, []byte(`data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" hello world"}}]}

`))
	}
	return chunks
}

// unendingly streams text until the gateway ends it.
func unendingly(t *testing.T, h *Holder, client, model string) (x *Exchange, sent int, body string) {
	t.Helper()
	q := requests[client]
	text := strings.Replace(fmt.Sprintf(q.body, model, true), `"max_tokens":9`, `"max_tokens":100000`, 1)
	x, answer, _ := decide(t, h, q.path, text)
	if answer != nil {
		t.Fatalf("answered %s", answer.Body)
	}
	resp, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "text/event-stream"}}, false)
	if err != nil || resp.Mode != ModeStream {
		t.Fatalf("mode %v, %v", resp.Mode, err)
	}
	upstream := llm.OpenAI
	if model[0] == 'b' {
		upstream = llm.Anthropic
	}
	for i, c := range words(upstream, 3000) {
		out := x.Chunk(c, false)
		body += string(out.Body)
		if out.End {
			if again := x.Chunk(c, false); !again.End || len(again.Body) > 0 {
				t.Errorf("after the end: %+v", again)
			}
			return x, i, body
		}
	}
	t.Fatal("the stream was not ended")
	return nil, 0, ""
}

// A stream is ended within one event when its limit has no more, in its client's
// format, as if the model had written as much as it may.
func TestStreamIsCut(t *testing.T) {
	ends := map[string][]string{
		llm.OpenAI:    {`"finish_reason":"length"`, "data: [DONE]\n\n"},
		llm.Anthropic: {"event: content_block_stop", `"stop_reason":"max_tokens"`, "event: message_stop"},
	}
	for client, marks := range ends {
		for _, model := range []string{"a/m", "b/m"} {
			for _, tokens := range []int64{300, 2000} {
				var r *Record
				h, till := bounded(t, func(o *Options) { o.Sinks = []Sink{sinkFunc(func(got *Record) { r = got })} }, tokensPer("key", tokens))
				x, _, body := unendingly(t, h, client, model)
				name := fmt.Sprintf("%s from %s, %d tokens", client, model, tokens)
				for _, mark := range marks {
					at := strings.Index(body, mark)
					if at < 0 {
						t.Fatalf("%s: no %s in %s", name, mark, body[max(0, len(body)-600):])
					}
					body = body[at:]
				}
				if strings.Contains(body, "hello") {
					t.Errorf("%s: there is text behind the end: %s", name, body)
				}
				x.Close(false)
				if !r.Cut || r.Code != llm.CodeRateLimited || r.Limit != "l" || r.Finish != llm.FinishLength || r.Truncated || r.Cancelled || r.Status != 200 {
					t.Errorf("%s: record %+v", name, r)
				}
				got := till.held("key k")
				if over := got.Tokens - tokens; over < -2 || over > 2 { // one event has two
					t.Errorf("%s: %d tokens were booked", name, got.Tokens)
				}
				if till.open != 0 || got.Concurrent != 0 || got.Tokens != r.Usage.Total() {
					t.Errorf("%s: %+v is held, usage %+v", name, got, r.Usage)
				}
			}
		}
	}
}

// The bytes of the provider go out as they are until then.
func TestCutRelaysBytes(t *testing.T) {
	h, _ := bounded(t, nil, tokensPer("key", 300))
	x, sent, body := unendingly(t, h, llm.OpenAI, "a/m")
	raw := bytes.Join(words(llm.OpenAI, sent+1), nil)
	if !strings.HasPrefix(body, string(raw)) {
		t.Errorf("the client got %.500s", body)
	}
	x.Close(false)
}

// A stream whose limit allows more is extended, and asks for a few counts only.
func TestStreamIsExtended(t *testing.T) {
	h, till := bounded(t, nil, tokensPer("key", 1e6))
	x, answer, _ := decide(t, h, chatPath, chat("a/m", `,"stream":true`))
	if answer != nil {
		t.Fatal(answer)
	}
	if _, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "text/event-stream"}}, false); err != nil {
		t.Fatal(err)
	}
	till.calls = 0
	for _, c := range words(llm.OpenAI, 2000) { // 4000 tokens
		if x.Chunk(c, false).End {
			t.Fatal("the stream was ended")
		}
	}
	if got := till.held("key k").Tokens - inputOfChat; got < 4000 || got > 4000+extension+ahead {
		t.Errorf("%d tokens are reserved for 4000", got)
	}
	if till.calls > 4000/extension+1 {
		t.Errorf("the store was asked %d times", till.calls)
	}
	x.Close(true)
	if got := till.held("key k"); got.Tokens < 4000 || got.Tokens > 4100 || got.Concurrent != 0 {
		t.Errorf("booked %+v", got)
	}
}

// One piece of text can be longer than all that is left: the stream ends behind it.
func TestCutBehindLongText(t *testing.T) {
	h, till := bounded(t, nil, tokensPer("key", inputOfChat+unknownLength+30))
	x, _, _ := decide(t, h, chatPath, chat("a/m", `,"stream":true`))
	if _, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "text/event-stream"}}, false); err != nil {
		t.Fatal(err)
	}
	long := bytes.ReplaceAll(words(llm.OpenAI, 1)[0], []byte(" hello world"), bytes.Repeat([]byte(" hello world"), 600))
	out := x.Chunk(long, false)
	if !out.End || !bytes.HasPrefix(out.Body, long) || !bytes.HasSuffix(out.Body, []byte("data: [DONE]\n\n")) {
		t.Errorf("ended: %v, with %.300s", out.End, out.Body[max(0, len(out.Body)-300):])
	}
	x.Close(false)
	if got := till.held("key k"); !x.record.Cut || x.record.Limit != "l" || got.Tokens != inputOfChat+1200 {
		t.Errorf("booked %+v, record %+v", got, x.record)
	}
}

// A store that fails in the middle of a stream ends it.
func TestExtensionFails(t *testing.T) {
	h, till := bounded(t, nil, limit(func(l *Limit) { l.Name, l.Requests = "r", 10 }), tokensPer("key", 1e6))
	x, _, _ := decide(t, h, chatPath, chat("a/m", `,"stream":true`))
	if _, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "text/event-stream"}}, false); err != nil {
		t.Fatal(err)
	}
	till.fail = errors.New("gone")
	ended := false
	for _, c := range words(llm.OpenAI, 600) {
		ended = ended || x.Chunk(c, false).End
	}
	if !ended || !x.record.Cut || x.record.Limit != "l" || !strings.Contains(x.record.Detail, "gone") {
		t.Errorf("record %+v", x.record)
	}
}

// Who has to look at a stream: nobody, where all of it is reserved.
func TestModeOfLimitedStreams(t *testing.T) {
	for _, tt := range []struct {
		limit Limit
		more  string
		want  Mode
	}{
		{tokensPer("key", 1e6), `,"max_tokens":100`, ModePass},
		{tokensPer("key", 1e6), `,"max_tokens":5000`, ModePass},
		{tokensPer("key", 20_000), `,"max_tokens":5000`, ModeStream},
		{tokensPer("key", 1e6), ``, ModeStream},
		{limit(func(l *Limit) { l.Requests, l.Concurrent = 10, 10 }), ``, ModePass},
	} {
		h, _ := bounded(t, func(o *Options) { o.Providers[0].NativeUsage = true }, tt.limit)
		x, answer, _ := decide(t, h, chatPath, chat("a/m", `,"stream":true,"stream_options":{"include_usage":true}`+tt.more))
		if answer != nil {
			t.Fatalf("answered %s", answer.Body)
		}
		resp, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "text/event-stream"}}, false)
		if err != nil || resp.Mode != tt.want {
			t.Errorf("%+v with %s: mode %d, %v", tt.limit, tt.more, resp.Mode, err)
		}
	}
}

// However an exchange ends, nothing stays reserved, what was used is booked, and the
// request counts.
func TestNothingStaysReserved(t *testing.T) {
	limits := []Limit{
		limit(func(l *Limit) { l.Requests, l.Tokens, l.CostNano, l.Concurrent = 100, 1e6, 1e9, 10 }),
		limit(func(l *Limit) { l.Name, l.Per, l.Requests, l.Tokens = "m", "model", 100, 1e6 }),
	}
	const unary = `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":30,"completion_tokens":5,"total_tokens":35}}`
	respond := func(status int, media string, chunk string, eos bool) func(*Exchange) {
		return func(x *Exchange) {
			if _, err := x.Respond(1, status, []llm.Header{{Name: "content-type", Value: media}}, false); err != nil {
				t.Fatal(err)
			}
			x.Chunk([]byte(chunk), eos)
		}
	}
	said := func(v Verdict, err error) guardFunc { return func(*Text) (Verdict, error) { return v, err } }
	for _, tt := range []struct {
		name   string
		more   string // of the request
		guard  guardFunc
		then   func(*Exchange) // nil: nothing
		gone   bool
		tokens int64 // booked
		asked  int64 // requests of the target
	}{
		{name: "hung up before the response", gone: true, tokens: inputOfChat, asked: 1},
		{name: "guard refuses", guard: said(Verdict{Action: ActionBlock}, nil)},
		{name: "guard fails", guard: said(Verdict{}, errors.New("trap"))},
		{name: "guard panics", guard: func(*Text) (Verdict, error) { panic("guard") }},
		{name: "Envoy answers", then: func(x *Exchange) { x.LocalReply(1, 503, "no healthy upstream") }, asked: 1},
		{name: "error", then: respond(500, "application/json", `{"error":{"message":"m"}}`, true), asked: 1},
		{name: "unary", then: respond(200, "application/json", unary, true), tokens: 35, asked: 1},
		{name: "no dialect", then: respond(200, "application/json", `[]`, true), tokens: inputOfChat, asked: 1},
		{name: "stream", more: `,"stream":true`, then: respond(200, "text/event-stream", openaiStream, true), tokens: 7, asked: 1},
		{name: "hung up in a stream", more: `,"stream":true`, then: respond(200, "text/event-stream", string(words(llm.OpenAI, 1)[0]), false), gone: true, tokens: inputOfChat + 2, asked: 1},
		{name: "panic", more: `,"stream":true`, then: func(x *Exchange) {
			respond(200, "text/event-stream", openaiStream, true)(x)
			x.Panicked("oh")
		}, tokens: 7, asked: 1},
	} {
		h, till := bounded(t, func(o *Options) {
			if tt.guard != nil {
				o.Guards = []InputGuard{{Guard: tt.guard}}
			}
		}, limits...)
		x, _ := h.Open(&Head{Method: "POST", Path: chatPath})
		func() {
			defer func() {
				if cause := recover(); cause != nil {
					x.Panicked(cause)
				}
			}()
			if x.Decide(t.Context(), []byte(chat("a/m", tt.more))); tt.then != nil {
				tt.then(x)
			}
		}()
		x.Close(tt.gone)
		key, model := till.held("key k"), till.held("model a/m")
		if till.open != 0 || key.Concurrent != 0 || key.Requests != 1 || key.Tokens != tt.tokens || model.Requests != tt.asked {
			t.Errorf("%s: %d claims are open, of the key %+v, of the model %+v", tt.name, till.open, key, model)
		}
	}
}

// Of a stream that stays in Envoy nobody knows how much there was when the client
// hangs up: all that is reserved counts.
func TestHangUpOnPassingStream(t *testing.T) {
	h, till := bounded(t, func(o *Options) { o.Providers[0].NativeUsage = true }, tokensPer("key", 1e6))
	for _, reported := range []bool{false, true} {
		delete(till.used, "key k")
		x, _, _ := decide(t, h, chatPath, chat("a/m", `,"stream":true,"stream_options":{"include_usage":true},"max_tokens":500`))
		if resp, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "text/event-stream"}}, false); err != nil || resp.Mode != ModePass {
			t.Fatalf("mode %d, %v", resp.Mode, err)
		}
		want := int64(inputOfChat + 500)
		if reported {
			x.Usage(llm.Usage{Input: 9, Output: 3})
			want = 12
		}
		x.Close(!reported)
		if got := till.held("key k").Tokens; got != want {
			t.Errorf("reported %v: %d tokens are booked, want %d", reported, got, want)
		}
	}
}

// A question about tokens is a request that uses none.
func TestCountsUseNoTokens(t *testing.T) {
	h, till := bounded(t, nil, limit(func(l *Limit) { l.Requests, l.Tokens, l.CostNano = 1, 1, 1 }))
	till.used["key k"] = Amount{Tokens: 5, CostNano: 5}
	for _, want := range []int{200, 429} {
		x, answer, _ := decide(t, h, "/v1/messages/count_tokens", `{"model":"a/m","messages":[{"role":"user","content":"hi"}]}`)
		x.Close(false)
		if answer == nil || answer.Status != want {
			t.Errorf("answer %+v, want %d", answer, want)
		}
	}
	if got := till.held("key k"); got != (Amount{Requests: 1, Tokens: 5, CostNano: 5}) {
		t.Errorf("booked %+v", got)
	}
}

// What guards hold back at the end goes out before it.
func TestCutFlushesGuards(t *testing.T) {
	for _, client := range []string{llm.OpenAI, llm.Anthropic} {
		h, _ := bounded(t, func(o *Options) {
			allow := guardFunc(func(*Text) (Verdict, error) { return Verdict{Action: ActionAllow}, nil })
			o.OutputGuards = []OutputGuard{{Guard: allow}}
		}, tokensPer("key", 300))
		x, sent, body := unendingly(t, h, client, "a/m")
		if n := strings.Count(body, " hello world"); n != sent+1 {
			t.Errorf("%s: %d of %d pieces came: %s", client, n, sent+1, body[max(0, len(body)-600):])
		}
		x.Close(false)
	}
}
