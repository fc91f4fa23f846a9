package gemini

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

const sseType = "text/event-stream"

// The two forms of one answer say the same.
func TestAnswerForms(t *testing.T) {
	_, unary, err := decode(llm.OpChat, "application/json; charset=UTF-8", sample(t, "answer.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, stream, err := decode(llm.OpChat, sseType, sample(t, "answer.sse"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := merged(unary)
	if got := merged(stream); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	golden(t, "answer.golden", fmt.Appendf(nil, "%s\n", strings.Join(want, "\n")))
	array := append(append([]byte("["), sample(t, "answer.json")...), ']')
	if _, again, err := decode(llm.OpChat, "application/json", array, nil); err != nil || !reflect.DeepEqual(again, unary) {
		t.Errorf("an array of one is another answer: %v", err)
	}
}

// merged joins pieces of text and leaves out counts that are replaced later,
// which only a stream has.
func merged(events []llm.Event) (out []string) {
	var last llm.Event
	flush := func() {
		if last.Kind != llm.EventPing {
			raw, _ := json.Marshal(last) // pointers print as addresses
			out = append(out, string(raw))
		}
	}
	last.Kind = llm.EventPing
	for i, e := range events {
		if e.Kind == llm.EventUsage {
			later := false
			for _, f := range events[i+1:] {
				later = later || f.Kind == llm.EventUsage
			}
			if later {
				continue
			}
		}
		if e.Kind == last.Kind && (e.Kind == llm.EventText || e.Kind == llm.EventReasoning) {
			last.Text += e.Text
			continue
		}
		if e.Kind == llm.EventToolArgs {
			e.Text = strings.Join(strings.Fields(e.Text), " ")
			e.Text = strings.ReplaceAll(strings.ReplaceAll(e.Text, `", "`, `","`), `": `, `":`)
		}
		flush()
		last = e
	}
	flush()
	return out
}

func kindsOf(events []llm.Event) string {
	names := map[llm.Kind]string{llm.EventStart: "start", llm.EventText: "text", llm.EventReasoning: "reasoning", llm.EventSignature: "signature",
		llm.EventToolStart: "tool", llm.EventToolArgs: "args", llm.EventBlockEnd: "end", llm.EventUsage: "usage", llm.EventFinish: "finish",
		llm.EventError: "error", llm.EventPing: "ping", llm.EventOther: "other", llm.EventEnd: "END", llm.EventRedacted: "redacted", llm.EventVector: "vector"}
	var out []string
	for _, e := range events {
		s := names[e.Kind]
		switch e.Kind {
		case llm.EventFinish:
			s += ":" + string(e.Reason)
		case llm.EventError:
			s += fmt.Sprintf(":%d", e.Err.Status)
		}
		if e.Choice > 0 {
			s += fmt.Sprintf("@%d", e.Choice)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestOddAnswers(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"a blocked prompt", `{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"no"},"usageMetadata":{"promptTokenCount":3}}`, "start finish:content_filter usage END"},
		{"no content", `{"candidates":[{"finishReason":"MAX_TOKENS"}]}`, "start finish:length END"},
		{"no parts", `{"candidates":[{"content":{"role":"model"},"finishReason":"RECITATION"}]}`, "start finish:content_filter END"},
		{"no candidates", `{"usageMetadata":{"promptTokenCount":3}}`, "start usage finish:stop END"},
		{"an unknown reason", `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"NEW"}]}`, "start text finish:stop END"},
		{"a reason by number", `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]},"finishReason":1}]}`, "start tool args end finish:tool_calls END"},
		{"a cut call keeps its reason", `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]},"finishReason":"MAX_TOKENS"}]}`, "start tool args end finish:length END"},
		{"a call that cannot be read", `{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"MALFORMED_FUNCTION_CALL"}]}`, "start error:502"},
		{"the provider's own tools", `{"candidates":[{"content":{"parts":[{"executableCode":{"code":"x"}},{"codeExecutionResult":{"output":"y"}},{"text":"a"}]},"finishReason":"STOP"}]}`, "start other other text finish:stop END"},
		{"the index behind the parts", `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","index":1},{"content":{"parts":[{"text":"b"}]},"index":0,"finishReason":"STOP"}]}`, "start text@1 finish:stop@1 text finish:stop END"},
		{"an error with status 200", `{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}`, "error:503"},
		{"an error in an array", `[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]},{"error":{"code":429,"message":"m"}}]`, "start text error:429"},
		{"counts as strings", `{"candidates":[],"usageMetadata":{"promptTokenCount":"3"}}`, "start usage finish:stop END"},
		{"half a character", `{"candidates":[{"content":{"parts":[{"text":"\ud83d"}]}}]}`, "start text finish:stop END"},
	} {
		_, events, err := decode(llm.OpChat, "application/json", []byte(c.body), nil)
		if err != nil || kindsOf(events) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.name, kindsOf(events), err, c.want)
		}
	}
}

func TestNotOurs(t *testing.T) {
	for _, body := range []string{``, `<html>`, `{}`, `[]`, `{"choices":[]}`, `{"candidates":[`, `{"candidates":7}`, `"x"`, `{"candidates":[]} x`} {
		_, _, err := decode(llm.OpChat, "application/json", []byte(body), nil)
		var e *llm.Error
		if !errors.As(err, &e) || e.Status != 502 {
			t.Errorf("%s: got %v", body, err)
		}
	}
	_, _, err := decode(llm.OpChat, sseType, []byte("data: <html>\n\n"), nil)
	var e *llm.Error
	if !errors.As(err, &e) || e.Status != 502 {
		t.Errorf("a stream of something else: got %v", err)
	}
	for _, mediaType := range []string{sseType, "application/json"} {
		d := New().NewDecoder(llm.OpChat, mediaType, 10)
		if _, err := d.Decode([]byte(strings.Repeat("x", 11)), false); !errors.As(err, &e) || e.Status != 502 {
			t.Errorf("%s over the limit: got %v", mediaType, err)
		}
	}
}

// A stream has ended when it ends and a finish reason was there.
func TestStreamEnds(t *testing.T) {
	const start, finish = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n", "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n"
	for _, c := range []struct{ body, want string }{
		{start + finish, "start text finish:stop END"},
		{start, "start text"},
		{start + finish + finish, "start text finish:stop END"},
		{start + "data: {\"candi", "start text"},
		{start + ": comment\n\n" + finish + "data: [DONE]\n\n", "start text ping finish:stop END"},
		{start + "data: {\"error\":{\"code\":500,\"message\":\"m\"}}\r\n\r\n" + finish, "start text error:500"},
	} {
		raw, events, err := decode(llm.OpChat, sseType, []byte(c.body), nil)
		if err != nil || kindsOf(events) != c.want || string(raw) != c.body {
			t.Errorf("%q: got %s, %v, want %s", c.body, kindsOf(events), err, c.want)
		}
	}
}

func TestCountsAndVectors(t *testing.T) {
	_, events, err := decode(llm.OpCountTokens, "application/json", []byte(`{"totalTokens":31}`), nil)
	if err != nil || kindsOf(events) != "start usage END" || events[1].Usage.Input != 31 {
		t.Errorf("got %s, %v", kindsOf(events), err)
	}
	if got := encode(t, &llm.Request{Op: llm.OpCountTokens}, events, 9); got != `{"totalTokens":31}` {
		t.Errorf("got %s", got)
	}
	for body, batch := range map[string]string{
		`{"embedding":{"values":[0.5,-1e-3]}}`:                     `{}`,
		`{"embeddings":[{"values":[0.5,-1e-3]},{"values":[1.0]}]}`: `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}`,
	} {
		_, events, err := decode(llm.OpEmbeddings, "application/json", []byte(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		r := &llm.Request{Op: llm.OpEmbeddings}
		if batch != `{}` {
			if r, err = New().DecodeRequest(llm.OpEmbeddings, []byte(batch)); err != nil {
				t.Fatal(err)
			}
		}
		if got := encode(t, r, events, 9); got != body {
			t.Errorf("got %s, want %s", got, body)
		}
	}
}

// event is shorthand for events of answers.
func event(kind llm.Kind, text string) llm.Event { return llm.Event{Kind: kind, Text: text} }

func TestEncodedAnswers(t *testing.T) {
	start := llm.Event{Kind: llm.EventStart, ID: "i", Model: "m"}
	end := []llm.Event{{Kind: llm.EventFinish, Reason: llm.FinishStop}, {Kind: llm.EventUsage, Usage: llm.Usage{Input: 9, CacheRead: 4, Output: 5, Reasoning: 2}}, {Kind: llm.EventEnd}}
	const usage = `"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":14}`
	for _, c := range []struct {
		name   string
		events []llm.Event
		unary  string   // parts
		stream []string // parts of each chunk
		reason string
	}{
		{"text", []llm.Event{event(llm.EventText, "ab"), event(llm.EventText, "c")}, `{"text":"abc"}`, []string{`{"text":"a"}`, `{"text":"b"}`, `{"text":"c"}`}, "STOP"},
		{"one letter", []llm.Event{event(llm.EventText, "a")}, `{"text":"a"}`, []string{`{"text":"a"}`}, "STOP"},
		{"characters stay whole", []llm.Event{event(llm.EventText, "x😀"), event(llm.EventText, "\xed\xa0\xbd"), event(llm.EventText, "\xed\xb8\x80!")},
			`{"text":"x😀\ud83d\ude00!"}`, []string{`{"text":"x"}`, `{"text":"😀"}`, `{"text":"\ud83d\ude00"}`, `{"text":"!"}`}, "STOP"},
		{"nothing", nil, ``, []string{``}, "STOP"},
		{"a refusal", []llm.Event{event(llm.EventRefusal, "n")}, `{"text":"n"}`, []string{`{"text":"n"}`}, "SAFETY"},
		{"signed reasoning", []llm.Event{event(llm.EventReasoning, "ab"), event(llm.EventSignature, "attache:gemini:c2ln"), event(llm.EventBlockEnd, ""), event(llm.EventText, "t")},
			`{"text":"ab","thought":true,"thoughtSignature":"c2ln"},{"text":"t"}`,
			[]string{`{"text":"a","thought":true}`, `{"text":"b","thought":true,"thoughtSignature":"c2ln"}`, `{"text":"t"}`}, "STOP"},
		{"a signature alone, and hidden reasoning", []llm.Event{event(llm.EventSignature, "EqQB"), event(llm.EventBlockEnd, ""), event(llm.EventRedacted, "x"), event(llm.EventText, "t")},
			`{"thought":true,"thoughtSignature":"YXR0YWNoZTphbnRocm9waWM6RXFRQg=="},{"thought":true,"thoughtSignature":"YXR0YWNoZTpoaWRkZW46eA=="},{"text":"t"}`,
			[]string{`{"thought":true,"thoughtSignature":"YXR0YWNoZTphbnRocm9waWM6RXFRQg=="}`, `{"thought":true,"thoughtSignature":"YXR0YWNoZTpoaWRkZW46eA=="}`, `{"text":"t"}`}, "STOP"},
		{"calls", []llm.Event{{Kind: llm.EventToolStart, ID: "1", Name: "f", Signature: "attache:gemini:c2ln"}, event(llm.EventToolArgs, "{\"x\":\n"), {Kind: llm.EventToolStart, Tool: 1, ID: "2", Name: "g"}, event(llm.EventToolArgs, `1}`)},
			`{"functionCall":{"id":"1","name":"f","args":{"x":1}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"2","name":"g","args":{}}}`,
			[]string{`{"functionCall":{"id":"1","name":"f","args":{"x":1}},"thoughtSignature":"c2ln"}`, `{"functionCall":{"id":"2","name":"g","args":{}}}`}, "STOP"},
	} {
		events := append(append([]llm.Event{start}, c.events...), end...)
		want := `{"candidates":[{"content":{"role":"model","parts":[` + c.unary + `]},"finishReason":"` + c.reason + `","index":0}],` + usage + `,"modelVersion":"m","responseId":"i"}`
		if got := encode(t, &llm.Request{Op: llm.OpChat}, events, 1); got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
		chunks := make([]string, len(c.stream))
		for i, parts := range c.stream {
			head, tail := `{"candidates":[{"content":{"role":"model","parts":[`+parts+`]}`, `,"index":0}],"modelVersion":"m","responseId":"i"}`
			if i == len(c.stream)-1 {
				tail = `,"finishReason":"` + c.reason + `","index":0}],` + usage + `,"modelVersion":"m","responseId":"i"}`
			}
			chunks[i] = head + tail
		}
		if got, want := encode(t, &llm.Request{Op: llm.OpChat, Stream: true}, events, 1), "data: "+strings.Join(chunks, "\r\n\r\ndata: ")+"\r\n\r\n"; got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
		if got, want := encode(t, &llm.Request{Op: llm.OpChat, Stream: true, Array: true}, events, 2), "["+strings.Join(chunks, ",\r\n")+"]\r\n"; got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

// An error ends a stream in the form that the stream has, and nothing follows.
func TestEncodedErrors(t *testing.T) {
	events := []llm.Event{{Kind: llm.EventStart, ID: "i", Model: "m"}, event(llm.EventText, "ab"), {Kind: llm.EventPing},
		{Kind: llm.EventError, Err: &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "x"}}, event(llm.EventText, "c"), {Kind: llm.EventEnd}}
	const failure = `{"error":{"code":502,"message":"x","status":"INTERNAL","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"UPSTREAM_ERROR","domain":"attache"}]}}`
	const chunk = `{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]},"index":0}],"modelVersion":"m","responseId":"i"}`
	for _, c := range []struct {
		r    llm.Request
		want string
	}{
		{llm.Request{Stream: true}, "data: " + chunk + "\r\n\r\ndata: " + failure + "\r\n\r\n"},
		{llm.Request{Stream: true, Array: true}, "[" + chunk + ",\r\n" + failure + "]\r\n"},
		{llm.Request{}, failure},
	} {
		if c.r.Op = llm.OpChat; encode(t, &c.r, events, 9) != c.want {
			t.Errorf("got %s", encode(t, &c.r, events, 9))
		}
	}
	enc := New().NewEncoder(&llm.Request{Op: llm.OpChat})
	big := event(llm.EventText, strings.Repeat("x", 1<<20))
	var err error
	for i := 0; i < 70 && err == nil; i++ {
		_, err = enc.Encode(nil, []llm.Event{big})
	}
	if err == nil {
		t.Error("an answer without end was kept")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   llm.Error
	}{
		{429, `{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}`,
			llm.Error{Status: 429, Code: llm.CodeRateLimited, Message: "m", Type: "RESOURCE_EXHAUSTED", RetryAfter: 34500e6}},
		{400, `[{"error":{"code":400,"message":"m","status":"FAILED_PRECONDITION"}}]`, llm.Error{Status: 400, Code: llm.CodeInvalidRequest, Message: "m", Type: "FAILED_PRECONDITION"}},
		{400, `{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}`,
			llm.Error{Status: 400, Code: "context_length_exceeded", Message: "The input token count (9) exceeds the maximum number of tokens allowed (8).", Type: "INVALID_ARGUMENT"}},
		{400, `{"error":{"message":"API key not valid.","details":[{"reason":"API_KEY_INVALID"}]}}`, llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider refused the gateway's credential"}},
		{404, `<html>`, llm.Error{Status: 404, Code: llm.CodeModelNotFound, Message: "the provider answered with status 404"}},
		{503, `{"error":{"message":"m","status":"UNAVAILABLE"}}`, llm.Error{Status: 503, Code: "overloaded", Message: "m", Type: "UNAVAILABLE"}},
		{520, `{"error":"x"}`, llm.Error{Status: 520, Code: llm.CodeUpstreamError, Message: "the provider answered with status 520"}},
	} {
		got := New().DecodeError(c.status, nil, []byte(c.body))
		if *got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.body, *got, c.want)
		}
	}
	for status, want := range map[int]string{400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 408: "DEADLINE_EXCEEDED",
		413: "INVALID_ARGUMENT", 422: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 502: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED", 529: "UNAVAILABLE"} {
		var body struct {
			Error struct {
				Code            int
				Message, Status string
				Details         []map[string]string
			}
		}
		raw := New().EncodeError(&llm.Error{Status: status, Code: llm.CodeRateLimited, Message: "m", Param: "p", Type: "invalid_request_error", RetryAfter: 1500e6})
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		e := body.Error
		if e.Code != status || e.Status != want || e.Message != "p: m" || e.Details[0]["reason"] != "RATE_LIMITED" || e.Details[1]["retryDelay"] != "1.5s" {
			t.Errorf("%d: got %s", status, raw)
		}
	}
}
