package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

var answerEvents = []llm.Event{
	{Kind: llm.EventStart, ID: "msg_1", Model: "m", Created: 7},
	{Kind: llm.EventPing},
	{Kind: llm.EventReasoning, Text: "think"},
	{Kind: llm.EventSignature, Text: "sig"},
	{Kind: llm.EventBlockEnd},
	{Kind: llm.EventRedacted, Text: "red"},
	{Kind: llm.EventBlockEnd},
	{Kind: llm.EventText, Text: "He said \"a\n\""},
	{Kind: llm.EventText, Text: ""},
	{Kind: llm.EventBlockEnd},
	{Kind: llm.EventText, Text: "b\xed\xa0\xbd"},
	{Kind: llm.EventText, Text: "\xed\xb8\x80"},
	{Kind: llm.EventOther, Text: "citations"},
	{Kind: llm.EventToolStart, Tool: 0, ID: "x", Name: "f"},
	{Kind: llm.EventToolArgs, Tool: 0, Text: ""},
	{Kind: llm.EventToolArgs, Tool: 0, Text: `{"a":`},
	{Kind: llm.EventToolStart, Tool: 1, ID: "y", Name: "g"},
	{Kind: llm.EventToolArgs, Tool: 0, Text: `1}`},
	{Kind: llm.EventUsage, Usage: llm.Usage{Input: 9, CacheRead: 4, CacheWrite: 2, Output: 5, Reasoning: 3}},
	{Kind: llm.EventFinish, Reason: llm.FinishToolCalls},
	{Kind: llm.EventEnd},
}

func TestStreamGolden(t *testing.T) {
	out := encode(t, New().WithClock(clock), &llm.Request{Op: llm.OpChat, Stream: true, StreamUsage: true}, answerEvents)
	strictChunks(t, "events", out, nil, true)
	golden(t, "answer.stream.golden", out)
}

func TestUnaryGolden(t *testing.T) {
	out := encode(t, New().WithClock(clock), &llm.Request{Op: llm.OpChat}, answerEvents)
	golden(t, "answer.unary.golden", append(out, '\n'))
}

func TestNobodyGetsUsageUnasked(t *testing.T) {
	out := string(encode(t, New(), &llm.Request{Op: llm.OpChat, Stream: true}, answerEvents))
	if strings.Contains(out, "usage") || !strings.HasSuffix(out, "\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n") {
		t.Errorf("got %s", out)
	}
}

// Both forms of an answer begin as they must although the provider began with
// nothing, and end as they must although it gave no reason.
func TestNothingIsMissing(t *testing.T) {
	for name, events := range map[string][]llm.Event{
		"end":  {{Kind: llm.EventEnd}},
		"text": {{Kind: llm.EventText, Text: "a"}, {Kind: llm.EventEnd}},
		"call": {{Kind: llm.EventStart}, {Kind: llm.EventToolStart, ID: "x", Name: "f"}, {Kind: llm.EventEnd}},
	} {
		for _, r := range []*llm.Request{{Op: llm.OpChat, Model: "asked"}, {Op: llm.OpChat, Model: "asked", Stream: true}} {
			e := New().WithClock(clock).NewEncoder(r)
			out, err := e.Encode(nil, events)
			if err != nil {
				t.Fatal(err)
			}
			want := "stop"
			if name == "call" {
				want = "tool_calls"
			}
			for _, part := range []string{`"id":"chatcmpl-`, `"created":1790000000`, `"model":"asked"`, `"role":"assistant"`, `"finish_reason":"` + want + `"`} {
				if !strings.Contains(string(out), part) {
					t.Errorf("%s: no %s in %s", name, part, out)
				}
			}
		}
	}
}

func TestErrorsEndTheAnswer(t *testing.T) {
	broken := append(answerEvents[:8:8], llm.Event{Kind: llm.EventError, Err: &llm.Error{Status: 529, Code: "upstream_error", Message: "busy"}},
		llm.Event{Kind: llm.EventText, Text: "late"}, llm.Event{Kind: llm.EventEnd})
	const want = `{"error":{"message":"busy","type":"server_error","param":null,"code":"upstream_error"}}`
	if got := encode(t, New(), &llm.Request{Op: llm.OpChat}, broken); string(got) != want {
		t.Errorf("unary: got %s", got)
	}
	got := string(encode(t, New(), &llm.Request{Op: llm.OpChat, Stream: true}, broken))
	if !strings.HasSuffix(got, "\"finish_reason\":null}]}\n\ndata: "+want+"\n\n") || strings.Contains(got, "[DONE]") {
		t.Errorf("stream: got %s", got)
	}
	if got := encode(t, New(), &llm.Request{Op: llm.OpEmbeddings}, broken); string(got) != want {
		t.Errorf("embeddings: got %s", got)
	}
}

func TestFinishReasons(t *testing.T) {
	for reason, want := range map[llm.FinishReason]string{
		llm.FinishStop: "stop", llm.FinishStopSequence: "stop", llm.FinishPause: "stop",
		llm.FinishLength: "length", llm.FinishContext: "length", llm.FinishToolCalls: "tool_calls",
		llm.FinishContentFilter: "content_filter", llm.FinishRefusal: "content_filter",
	} {
		events := []llm.Event{{Kind: llm.EventStart}, {Kind: llm.EventFinish, Reason: reason}, {Kind: llm.EventEnd}}
		for _, stream := range []bool{false, true} {
			out := encode(t, New(), &llm.Request{Op: llm.OpChat, Stream: stream}, events)
			if !strings.Contains(string(out), `"finish_reason":"`+want+`"`) {
				t.Errorf("%s: got %s", reason, out)
			}
		}
	}
}

func TestEmbeddingsAnswer(t *testing.T) {
	out := encode(t, New(), &llm.Request{Op: llm.OpEmbeddings, Model: "asked"}, []llm.Event{
		{Kind: llm.EventStart, Model: "m"}, {Kind: llm.EventVector, Choice: 0, Text: "[1, 2]"}, {Kind: llm.EventVector, Choice: 1, Text: `"AAA="`},
		{Kind: llm.EventUsage, Usage: llm.Usage{Input: 3}}, {Kind: llm.EventEnd},
	})
	const want = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1, 2]},{"object":"embedding","index":1,"embedding":"AAA="}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`
	if string(out) != want {
		t.Errorf("got %s", out)
	}
}

// A signature that went to a client and came back is the provider's own again,
// whether the client streamed or not.
func TestSignaturesComeBack(t *testing.T) {
	out := encode(t, New(), &llm.Request{Op: llm.OpChat}, answerEvents)
	_, message, _ := strings.Cut(string(out), `"message":`)
	message, _, _ = strings.Cut(message, `,"logprobs"`)
	r := decode(t, `{"model":"m","messages":[`+message+`]}`)
	p := r.Messages[0].Parts
	if len(p) < 2 || p[0].Kind != llm.PartReasoning || p[0].Text != "think" || p[0].Signature != "sig" || p[1].Kind != llm.PartRedacted || p[1].Signature != "red" {
		t.Errorf("got %+v", p)
	}
}

func TestEncodeError(t *testing.T) {
	for _, tt := range []struct {
		e    llm.Error
		want string
	}{
		{llm.Error{Status: 400, Code: "invalid_request", Message: "no \"x\"", Param: "messages[0]"}, `{"error":{"message":"no \"x\"","type":"invalid_request_error","param":"messages[0]","code":"invalid_request"}}`},
		{llm.Error{Status: 401, Code: "invalid_key"}, `{"error":{"message":"","type":"authentication_error","param":null,"code":"invalid_key"}}`},
		{llm.Error{Status: 403, Code: "policy_denied"}, `{"error":{"message":"","type":"permission_error","param":null,"code":"policy_denied"}}`},
		{llm.Error{Status: 429, Code: "rate_limited"}, `{"error":{"message":"","type":"rate_limit_error","param":null,"code":"rate_limited"}}`},
		{llm.Error{Status: 429, Code: "insufficient_quota"}, `{"error":{"message":"","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{llm.Error{Status: 502, Code: "upstream_error", Type: "api_error"}, `{"error":{"message":"","type":"server_error","param":null,"code":"upstream_error"}}`},
		{llm.Error{Status: 429, Type: "tokens"}, `{"error":{"message":"","type":"tokens","param":null,"code":null}}`},
		{llm.Error{Status: 400, Code: "invalid_request", Message: "prompt is too long: 5 tokens > 4 maximum"}, `{"error":{"message":"prompt is too long: 5 tokens > 4 maximum","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}`},
	} {
		if got := New().EncodeError(&tt.e); string(got) != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestDecodeError(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   llm.Error
	}{
		{"OpenAI", 404, `{"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}`,
			llm.Error{Code: "model_not_found", Message: "no such model", Param: "model", Type: "invalid_request_error"}},
		{"Azure", 429, `{"error":{"code":"RateLimitReached","message":"slow down","details":"slow down"}}`, llm.Error{Code: "RateLimitReached", Message: "slow down"}},
		{"a status as the code", 401, `{"error":{"code":"401","message":"denied"}}`, llm.Error{Code: "invalid_request", Message: "denied"}},
		{"a number as the code", 429, `{"error":{"code":429,"message":"busy","metadata":{"raw":"x"}}}`, llm.Error{Code: "rate_limited", Message: "busy"}},
		{"xAI", 400, `{"code":"bad_thing","error":"that was bad"}`, llm.Error{Code: "bad_thing", Message: "that was bad"}},
		{"Mistral", 422, `{"object":"error","message":"extra field","type":"invalid_request_error","code":null}`, llm.Error{Code: "invalid_request", Message: "extra field", Type: "invalid_request_error"}},
		{"Mistral, in detail", 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required"}]}`, llm.Error{Code: "invalid_request", Message: "Field required", Type: "missing"}},
		{"a text in detail", 404, `{"detail":"Not Found"}`, llm.Error{Code: "invalid_request", Message: "Not Found"}},
		{"Google's list", 400, `[{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT"}}]`, llm.Error{Code: "invalid_request", Message: "API key not valid"}},
		{"a context in words", 400, `{"error":{"message":"This model's maximum context length is 5 tokens.","type":"invalid_request_error","code":"invalid_request_error"}}`,
			llm.Error{Code: "context_length_exceeded", Message: "This model's maximum context length is 5 tokens.", Type: "invalid_request_error"}},
		{"no JSON", 503, `<html>`, llm.Error{Code: "upstream_error", Message: "the provider answered with status 503"}},
		{"nothing", 504, ``, llm.Error{Code: "upstream_timeout", Message: "the provider answered with status 504"}},
		{"long", 500, `{"error":{"message":"` + strings.Repeat("ä", 4000) + `"}}`, llm.Error{Code: "upstream_error", Message: strings.Repeat("ä", 2048)}},
	} {
		tt.want.Status = tt.status
		if got := New().DecodeError(tt.status, nil, []byte(tt.body)); *got != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.name, *got, tt.want)
		}
	}
}

func TestStreamedSignaturesComeBack(t *testing.T) {
	out := encode(t, New(), &llm.Request{Op: llm.OpChat, Stream: true}, []llm.Event{
		{Kind: llm.EventStart},
		{Kind: llm.EventReasoning, Text: "a"}, {Kind: llm.EventReasoning, Text: "b"}, {Kind: llm.EventSignature, Text: "x"}, {Kind: llm.EventBlockEnd},
		{Kind: llm.EventReasoning, Text: "c"}, {Kind: llm.EventSignature, Text: "y"}, {Kind: llm.EventBlockEnd},
		{Kind: llm.EventFinish, Reason: llm.FinishStop}, {Kind: llm.EventEnd},
	})
	var text string
	var blocks []json.RawMessage
	for line := range strings.Lines(string(out)) {
		var c struct {
			Choices []struct {
				Delta struct {
					Reasoning string            `json:"reasoning_content"`
					Blocks    []json.RawMessage `json:"thinking_blocks"`
				}
			}
		}
		if data, ok := strings.CutPrefix(line, "data: {"); ok && json.Unmarshal([]byte("{"+data), &c) == nil {
			text += c.Choices[0].Delta.Reasoning
			blocks = append(blocks, c.Choices[0].Delta.Blocks...)
		}
	}
	message, err := json.Marshal(map[string]any{"role": "assistant", "reasoning_content": text, "thinking_blocks": blocks})
	if err != nil {
		t.Fatal(err)
	}
	r := decode(t, `{"model":"m","messages":[`+string(message)+`]}`)
	p := r.Messages[0].Parts
	if len(p) != 2 || p[0].Text != "ab" || p[0].Signature != "x" || p[1].Text != "c" || p[1].Signature != "y" {
		t.Errorf("got %+v from %s", p, message)
	}
}
