package openai

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// show is an event in a few words.
func show(e llm.Event) string {
	at := ""
	if e.Choice > 0 {
		at = fmt.Sprintf("%d:", e.Choice)
	}
	switch e.Kind {
	case llm.EventStart:
		return fmt.Sprintf("start %s %s %d", e.ID, e.Model, e.Created)
	case llm.EventText:
		return at + "text " + e.Text
	case llm.EventReasoning:
		return at + "reasoning " + e.Text
	case llm.EventSignature:
		return at + "signature " + e.Text
	case llm.EventRedacted:
		return at + "redacted " + e.Text
	case llm.EventRefusal:
		return at + "refusal " + e.Text
	case llm.EventToolStart:
		return fmt.Sprintf("%stool %d %s %s", at, e.Tool, e.ID, e.Name)
	case llm.EventToolArgs:
		return fmt.Sprintf("%sargs %d %s", at, e.Tool, e.Text)
	case llm.EventBlockEnd:
		return at + "close"
	case llm.EventUsage:
		u := e.Usage
		return fmt.Sprintf("usage %d(%d,%d) %d(%d)", u.Input, u.CacheRead, u.CacheWrite, u.Output, u.Reasoning)
	case llm.EventFinish:
		return at + "finish " + string(e.Reason)
	case llm.EventError:
		return fmt.Sprintf("error %d %s: %s", e.Err.Status, e.Err.Code, e.Err.Message)
	case llm.EventPing:
		return "ping"
	case llm.EventOther:
		return at + "other " + e.Text
	case llm.EventVector:
		return fmt.Sprintf("vector %d %s", e.Choice, e.Text)
	}
	return "end"
}

func shown(events []llm.Event) string {
	var s []string
	for _, e := range events {
		s = append(s, show(e))
	}
	return strings.Join(s, "; ")
}

// streamed is how the events of a stream read, frame by frame. A datum that is
// no JSON object stands in the stream as it is.
func streamed(t *testing.T, data ...string) string {
	t.Helper()
	var b strings.Builder
	for _, d := range data {
		if strings.HasPrefix(d, "{") || d == "[DONE]" {
			d = "data: " + d + "\n\n"
		}
		b.WriteString(d)
	}
	dec := New().NewDecoder(llm.OpChat, "text/event-stream", 1<<20)
	frames, err := dec.Decode([]byte(b.String()), true)
	if err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	var s []string
	for _, f := range frames {
		s = append(s, shown(f.Events))
	}
	return strings.Join(s, " | ")
}

// delta is a chunk with one choice.
func chunk(delta string) string {
	return `{"id":"c","created":7,"model":"m","choices":[{"index":0,"delta":` + delta + `}]}`
}

func TestStreams(t *testing.T) {
	const (
		hi     = `{"id":"c","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"hi"},"finish_reason":null}],"usage":null}`
		finish = `{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
		usage  = `{"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`
	)
	call := func(c string) string { return chunk(`{"tool_calls":[` + c + `]}`) }
	for _, tt := range []struct {
		name string
		data []string
		want string
	}{
		{"plain", []string{hi, finish, usage, "[DONE]"},
			"start c m 7; text hi | finish stop | usage 5(0,0) 2(0) | end"},
		{"no [DONE] after a finish reason", []string{hi, finish}, "start c m 7; text hi | finish stop | end"},
		{"no [DONE], no finish reason: cut", []string{hi}, "start c m 7; text hi"},
		{"cut inside a line", []string{hi, `data: {"id":"c","choi`}, "start c m 7; text hi | "},
		{"cut inside a finish", []string{hi, `data: {"choices":[{"delta":{},"finish_reason":"stop"}`}, "start c m 7; text hi | "},
		{"no data", []string{"data: \n\n", hi}, "ping | start c m 7; text hi"},
		{"[DONE] without a finish reason", []string{hi, "[DONE]"}, "start c m 7; text hi | finish stop; end"},
		{"nothing after [DONE]", []string{hi, "[DONE]", hi}, "start c m 7; text hi | finish stop; end | "},
		{"Azure's first chunk", []string{`{"id":"","model":"","created":0,"choices":[],"prompt_filter_results":[]}`, hi},
			"ping | start c m 7; text hi"},
		{"members in the order of the alphabet", []string{`{"choices":[{"delta":{"content":"a"},"index":0}],"created":7,"id":"c","model":"m"}`}, "start c m 7; text a"},
		{"usage with the finish", []string{hi, `{"choices":[{"delta":{},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`},
			"start c m 7; text hi | finish length; usage 1(0,0) 2(0) | end"},
		{"usage with an empty delta", []string{hi, `{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`},
			"start c m 7; text hi | usage 1(0,0) 2(0); ping"},
		{"Groq's usage", []string{hi, `{"choices":[{"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":1,"completion_tokens":2}}}`},
			"start c m 7; text hi | finish stop; usage 1(0,0) 2(0) | end"},
		{"usage in every chunk", []string{
			`{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`,
			`{"choices":[{"delta":{"content":"b"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`},
			"start   0; text a; usage 1(0,0) 1(0) | text b; usage 1(0,0) 2(0)"},
		{"comments", []string{": OPENROUTER PROCESSING\n\n", hi}, "ping | start c m 7; text hi"},
		{"role in every delta", []string{hi, chunk(`{"role":"assistant","content":"!"}`), chunk(`{"role":"","content":null}`)},
			"start c m 7; text hi | text ! | ping"},
		{"error event", []string{hi, "event: error\ndata: {\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\",\"status_code\":400}}\n\n", "[DONE]"},
			"start c m 7; text hi | error 400 tool_use_failed: no | "},
		{"error without its event", []string{hi, `{"error":{"message":"busy","code":529}}`}, "start c m 7; text hi | error 529 upstream_error: busy"},
		{"error as a text", []string{`{"error":"overloaded","code":"overloaded"}`}, "error 529 overloaded: overloaded"},
		{"error with choices", []string{hi, `{"error":{"code":502,"message":"gone"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}`},
			"start c m 7; text hi | error 502 upstream_error: gone"},
		{"finish reason error", []string{hi, `{"choices":[{"delta":{},"finish_reason":"error"}]}`},
			"start c m 7; text hi | error 500 upstream_error: the provider ended the answer with an error"},
		{"an error that is null", []string{`{"error":null,"choices":[{"delta":{"content":"a"}}]}`}, "start   0; text a"},
		{"other finish reasons", []string{`{"choices":[{"delta":{},"finish_reason":"eos"},{"index":1,"delta":{},"finish_reason":"MAX_TOKENS"},{"index":2,"delta":{},"finish_reason":"content_filter"}]}`},
			"start   0; finish stop; 1:finish length; 2:finish content_filter | end"},
		{"reasoning", []string{chunk(`{"reasoning_content":"a"}`), chunk(`{"reasoning":"b","content":""}`), chunk(`{"content":"c","reasoning_content":null}`)},
			"start c m 7; reasoning a | reasoning b | text c"},
		{"reasoning by two names", []string{chunk(`{"reasoning_content":"a","reasoning":"a"}`)}, "start c m 7; reasoning a"},
		{"signatures", []string{chunk(`{"reasoning_content":"a"}`), chunk(`{"thinking_blocks":[{"type":"thinking","thinking":"","signature":"s"}]}`),
			chunk(`{"thinking_blocks":[{"type":"redacted_thinking","data":"d"}]}`)},
			"start c m 7; reasoning a | signature s; close | redacted d; close"},
		{"a signature with the whole text", []string{chunk(`{"reasoning_content":"a"}`), chunk(`{"reasoning_content":"b"}`), chunk(`{"thinking_blocks":[{"type":"thinking","thinking":"ab","signature":"s"}]}`)},
			"start c m 7; reasoning a | reasoning b | signature s; close"},
		{"blocks in pieces", []string{chunk(`{"reasoning_content":"a","thinking_blocks":[{"type":"thinking","thinking":"a"}]}`), chunk(`{"thinking_blocks":[{"type":"thinking","thinking":"","signature":"s"}]}`)},
			"start c m 7; reasoning a | signature s; close"},
		{"Mistral's parts", []string{chunk(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}],"closed":true},{"type":"text","text":"b"},{"type":"reference","reference_ids":[1]}]}`)},
			"start c m 7; reasoning a; text b; other reference"},
		{"refusal", []string{chunk(`{"refusal":"no"}`)}, "start c m 7; refusal no"},
		{"empty objects are no content", []string{chunk(`{"function_call":{"name":"","arguments":""},"audio":{"id":"","data":""},"annotations":[],"tool_calls":null}`)}, "start c m 7"},
		{"content without a canonical form", []string{chunk(`{"function_call":{"name":"f"},"audio":{"id":"a"},"annotations":[{}]}`)},
			"start c m 7; other function_call; other audio; other "},
		{"half a surrogate pair", []string{chunk(`{"content":"\ud83d"}`), chunk(`{"content":"\ude00"}`)}, "start c m 7; text \xed\xa0\xbd | text \xed\xb8\x80"},
		{"a call in pieces", []string{call(`{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}`),
			call(`{"index":0,"function":{"arguments":"{\"x\""}}`), call(`{"index":0,"function":{"arguments":":1}"}}`), finish, "[DONE]"},
			`start c m 7; tool 0 a f | args 0 {"x" | args 0 :1} | finish tool_calls | end`},
		{"id and name in every piece", []string{call(`{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}`), call(`{"index":0,"id":"a","function":{"name":"f","arguments":"2"}}`)},
			"start c m 7; tool 0 a f; args 0 1 | args 0 2"},
		{"id null later", []string{call(`{"index":0,"id":"a","function":{"name":"f","arguments":null}}`), call(`{"index":0,"id":null,"type":"function","function":{"name":null,"arguments":"2"}}`)},
			"start c m 7; tool 0 a f | args 0 2"},
		{"whole calls without index", []string{call(`{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{}"}}`)},
			"start c m 7; tool 0 a f; args 0 {}; tool 1 b f; args 1 {}"},
		{"pieces without index", []string{call(`{"id":"a","function":{"name":"f","arguments":"1"}}`), call(`{"function":{"arguments":"2"}}`), call(`{"id":"b","function":{"name":"g","arguments":"3"}}`), call(`{"id":"b","function":{"arguments":"4"}}`)},
			"start c m 7; tool 0 a f; args 0 1 | args 0 2 | tool 1 b g; args 1 3 | args 1 4"},
		{"the same index for all", []string{call(`{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}`), call(`{"index":0,"id":"b","function":{"name":"f","arguments":"2"}}`)},
			"start c m 7; tool 0 a f; args 0 1 | tool 1 b f; args 1 2"},
		{"indexes that begin at one", []string{call(`{"index":1,"id":"a","function":{"name":"f","arguments":"1"}}`), call(`{"index":3,"id":"b","function":{"name":"f","arguments":"2"}}`), call(`{"index":1,"function":{"arguments":"3"}}`)},
			"start c m 7; tool 0 a f; args 0 1 | tool 1 b f; args 1 2 | args 0 3"},
		{"arguments as an object", []string{call(`{"index":0,"id":"a","function":{"name":"f","arguments":{"x": 1e21}}}`)},
			`start c m 7; tool 0 a f; args 0 {"x": 1e21}`},
		{"no id", []string{call(`{"function":{"name":"f","arguments":"1"}},{"id":"","function":{"name":"f","arguments":"2"}}`)},
			"start c m 7; tool 0 call_c_0_0 f; args 0 1; tool 1 call_c_0_1 f; args 1 2"},
		{"a call of another kind", []string{call(`{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"x"}}`)}, "start c m 7; other custom"},
		{"cut short with calls", []string{call(`{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}`), `{"choices":[{"delta":{},"finish_reason":"length"}]}`},
			"start c m 7; tool 0 a f; args 0 { | finish length | end"},
		{"several choices", []string{`{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}`}, "start   0; text a; 1:text b"},
	} {
		if got := streamed(t, tt.data...); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// Only a frame with nothing but usage may be taken out of a stream.
func TestUsageFrames(t *testing.T) {
	for data, alone := range map[string]bool{
		`{"choices":[],"usage":{"prompt_tokens":1}}`:                          true,
		`{"choices":[],"usage":{"prompt_tokens":0}}`:                          true,
		`{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}`:              false,
		`{"choices":[{"delta":{"content":""}}],"usage":{}}`:                   false,
		`{"choices":[],"prompt_filter_results":[]}`:                           false,
		`{"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":1}}`: false,
	} {
		dec := New().NewDecoder(llm.OpChat, "text/event-stream", 1<<20)
		if _, err := dec.Decode([]byte("data: "+chunk(`{"content":"a"}`)+"\n\n"), false); err != nil {
			t.Fatal(err)
		}
		frames, err := dec.Decode([]byte("data: "+data+"\n\n"), false)
		if err != nil {
			t.Fatal(err)
		}
		only := !slices.ContainsFunc(frames[0].Events, func(e llm.Event) bool { return e.Kind != llm.EventUsage })
		if only != alone {
			t.Errorf("%s: got %s", data, shown(frames[0].Events))
		}
	}
}

func TestUnary(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"everything", `{"id":"c","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a","refusal":null,
			"thinking_blocks":[{"type":"thinking","thinking":"r","signature":"s"}],"reasoning_content":"r",
			"tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}],
			"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":3}}}`,
			"start c m 7; reasoning r; signature s; close; text a; tool 0 x f; args 0 {}; finish tool_calls; usage 9(4,2) 5(3); end"},
		{"white space before", "\n\n  " + `{"choices":[{"message":{"content":"a"},"finish_reason":""}]}`, "start   0; text a; finish stop; end"},
		{"no choices", `{"id":"c","choices":[]}`, "start c  0; finish stop; end"},
		{"xAI's usage", `{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":8}}}`,
			"start   0; text a; finish stop; usage 10(0,0) 10(8); end"},
		{"DeepSeek's usage", `{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":4}}`,
			"start   0; text a; finish stop; usage 10(6,0) 2(0); end"},
		{"numbers of any form", `{"created":7.5,"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1e1,"completion_tokens":-1,"total_tokens":"x"}}`,
			"start   7; text a; finish stop; usage 10(0,0) 0(0); end"},
		{"an error with status 200", `{"error":{"message":"Provider returned error","code":429}}`, "error 429 rate_limited: Provider returned error"},
	} {
		events, _, err := decodeAll(New(), llm.OpChat, "application/json; charset=utf-8", []byte(tt.body), whole)
		if got := shown(events); err != nil || got != tt.want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", tt.name, got, err, tt.want)
		}
	}
	events, _, err := decodeAll(New(), llm.OpEmbeddings, "application/json",
		[]byte(`{"object":"list","data":[{"object":"embedding","index":1,"embedding":[1, 2]},{"embedding":"AAA=","index":0}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`), whole)
	if got, want := shown(events), "start  m 0; vector 1 [1, 2]; vector 0 \"AAA=\"; usage 3(0,0) 0(0); end"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestNotOurs(t *testing.T) {
	for _, tt := range []struct {
		op              llm.Op
		mediaType, body string
		message         string
	}{
		{llm.OpChat, "application/json", `<html>`, "the provider's response is not valid openai"},
		{llm.OpChat, "text/html", `<html>`, "the provider's response is not valid openai"},
		{llm.OpChat, "application/json", `{"choices":[`, "the provider's response is not valid openai"},
		{llm.OpChat, "application/json", ``, "the provider's response is not valid openai"},
		{llm.OpChat, "application/json", `{"type":"message","content":[]}`, "the provider's response is not valid openai"},
		{llm.OpChat, "application/json", `[]`, "the provider's response is not valid openai"},
		{llm.OpEmbeddings, "application/json", `{"choices":[]}`, "the provider's response is not valid openai"},
		{llm.OpChat, "text/event-stream", "data: <html>\n\n", "the provider's response is not valid openai"},
		{llm.OpChat, "text/event-stream", "data: {\"choices\":7}\n\n", "the provider's response is not valid openai"},
		{llm.OpChat, "application/json", `{"x":"` + strings.Repeat("x", 1000) + `"}`, "the provider's response is too large"},
		{llm.OpChat, "text/event-stream", "data: " + strings.Repeat("x", 1000), "the provider's response is too large"},
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			dec := New().NewDecoder(tt.op, tt.mediaType, 500)
			var err error
			for rest := []byte(tt.body); err == nil; {
				n := min(size, len(rest))
				eos := n == len(rest)
				_, err = dec.Decode(rest[:n], eos)
				if rest = rest[n:]; eos {
					break
				}
			}
			var got *llm.Error
			if !errors.As(err, &got) || got.Status != 502 || got.Code != llm.CodeUpstreamError || got.Message != tt.message {
				t.Errorf("%.30q in pieces of %d: got %v", tt.body, size, err)
			}
		}
	}
}

// However a stream is cut, it reads the same and no byte is lost.
func TestAnySplit(t *testing.T) {
	body := []byte(": wait\r\n\r\ndata: " + chunk(`{"content":"é😀 "}`) + "\n\n" +
		"data:" + chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":\"ü\"}"}}]}`) + "\n\n" +
		`data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}` + "\n\ndata: [DONE]\n\n")
	want, _, err := decodeAll(New(), llm.OpChat, "text/event-stream", body, whole)
	if err != nil || len(want) != 8 {
		t.Fatalf("got %s, %v", shown(want), err)
	}
	for i := range body {
		for j := i; j < len(body); j += 3 {
			cuts := []int{i, j - i, len(body) - j}
			got, raw, err := decodeAll(New(), llm.OpChat, "text/event-stream", body, func(int) int {
				n := cuts[0]
				cuts = cuts[1:]
				return n
			})
			if err != nil || !slices.Equal(raw, body) || shown(got) != shown(want) {
				t.Fatalf("cut at %d and %d: got %s, %v", i, j, shown(got), err)
			}
		}
	}
}
