package dialect_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

const events, unary = "text/event-stream", "application/json"

// data makes server-sent events of their data, the last of which may be [DONE].
func data(lines ...string) string { return "data: " + strings.Join(lines, "\n\ndata: ") + "\n\n" }

// TestAnswerEdges goes through the answers that other gateways translate wrong,
// by the numbers of the list that they were collected in.
func TestAnswerEdges(t *testing.T) {
	chunk := func(delta, finish string) string {
		return `{"id":"c","model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]}`
	}
	const call = `{"id":"a","index":0,"type":"function","function":{"name":"f","arguments":""}}`
	for _, c := range []struct {
		name      string
		from, to  dialect.Dialect
		mediaType string
		body      string
		stream    bool
		has       []string
		lacks     []string
		want      func(r reading) bool // of what the client reads
	}{
		{name: "E38 E86 calls in one chunk get indexes of their own", from: geminiAPI, to: openaiAPI, mediaType: events, stream: true,
			body: data(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP"}],"responseId":"r"}`),
			has:  []string{`"tool_calls":[{"index":0,`, `"tool_calls":[{"index":1,`, `"finish_reason":"tool_calls"`}},
		{name: "E39 a call without arguments", from: openaiAPI, to: anthropicAPI, mediaType: events, stream: true,
			body: data(chunk(`{"tool_calls":[`+call+`]}`, "null"), chunk(`{}`, `"tool_calls"`), "[DONE]"), has: []string{`"partial_json":"{}"`}},
		{name: "E41 a stop with calls", from: openaiAPI, to: anthropicAPI, mediaType: unary,
			body: `{"id":"c","choices":[{"message":{"tool_calls":[` + call + `]},"finish_reason":"stop"}]}`, has: []string{`"stop_reason":"tool_use"`}},
		{name: "E41 reasons that are nobody's", from: openaiAPI, to: openaiAPI, mediaType: unary, body: `{"id":"c","choices":[{"message":{"content":"a"},"finish_reason":"MAX_TOKENS"}]}`, has: []string{`"finish_reason":"length"`}},
		{name: "E42 an end without a reason is no end", from: openaiAPI, to: anthropicAPI, mediaType: events, stream: true, body: data(chunk(`{"content":"a"}`, "null")), lacks: []string{"message_stop"}},
		{name: "E42 a reason without [DONE] is an end", from: openaiAPI, to: anthropicAPI, mediaType: events, stream: true, body: data(chunk(`{"content":"a"}`, `"stop"`)), has: []string{"message_stop"}},
		{name: "E43 an error in the stream", from: anthropicAPI, to: openaiAPI, mediaType: events, stream: true,
			body: "event: error\n" + data(`{"type":"error","error":{"type":"overloaded_error","message":"busy"}}`), has: []string{`data: {"error":{"message":"busy"`}, lacks: []string{"[DONE]", `"finish_reason":"stop"`}},
		{name: "E44 E81 usage behind the reason", from: openaiAPI, to: anthropicAPI, mediaType: events, stream: true,
			body: data(chunk(`{"content":"a"}`, `"stop"`), `{"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`, "[DONE]"),
			want: func(r reading) bool { return r.Usage.Input == 5 && r.Usage.Output == 2 }},
		{name: "E45 cached tokens", from: anthropicAPI, to: openaiAPI, mediaType: unary,
			body: `{"id":"m","type":"message","role":"assistant","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"cache_read_input_tokens":10,"cache_creation_input_tokens":100,"output_tokens":2}}`,
			has:  []string{`"prompt_tokens":111`, `"cached_tokens":10`, `"cache_write_tokens":100`}},
		{name: "E46 half a surrogate pair", from: openaiAPI, to: anthropicAPI, mediaType: events,
			body: data(chunk(`{"content":"\ud83d"}`, "null"), chunk(`{"content":"\ude00"}`, `"stop"`), "[DONE]"), want: func(r reading) bool {
				return strings.ContainsRune(r.Text, '😀') || r.Text == "\xed\xa0\xbd\xed\xb8\x80"
			}},
		{name: "E47 line ends, comments, a byte order mark, no last blank line", from: geminiAPI, to: openaiAPI, mediaType: events, stream: true,
			body: "\ufeff: hi\r\ndata:{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}]}",
			want: func(r reading) bool { return r.Text == "ab" && r.Ended }},
		{name: "E54 text, call, text keep their order", from: anthropicAPI, to: responsesAPI, mediaType: unary,
			body: `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"one"},{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"text","text":"two"}],"stop_reason":"tool_use","usage":{}}`,
			want: func(r reading) bool { return r.Text == "onetwo" && len(r.Calls) == 1 }},
		{name: "E58 JSON where a stream was asked for", from: openaiAPI, to: anthropicAPI, mediaType: unary, stream: true,
			body: `{"id":"c","choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}`, has: []string{"event: message_stop"}},
		{name: "E59 an error with status 200", from: openaiAPI, to: anthropicAPI, mediaType: unary, body: `{"error":{"message":"no","code":502}}`, want: func(r reading) bool { return r.Error == "no" }},
		{name: "E64 arguments in the last event only", from: responsesAPI, to: openaiAPI, mediaType: events, stream: true,
			body: data(`{"type":"response.created","response":{"id":"r"}}`, `{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"a","name":"f","arguments":""}}`,
				`{"type":"response.function_call_arguments.done","output_index":0,"item_id":"fc","arguments":"{\"x\":1}"}`, `{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}`),
			want: func(r reading) bool {
				return len(r.Calls) == 1 && reflect.DeepEqual(r.Calls[0].Args, map[string]any{"x": 1.0})
			}},
		{name: "E68 the sequence that stopped it", from: anthropicAPI, to: converse, mediaType: unary,
			body: `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"a"}],"stop_reason":"stop_sequence","stop_sequence":"X","usage":{}}`, has: []string{`"stopReason":"stop_sequence"`, `"stop_sequence":"X"`}},
		{name: "E69 an estimate until the provider counts", from: openaiAPI, to: anthropicAPI, mediaType: events, stream: true,
			body: data(chunk(`{"content":"a"}`, `"stop"`), "[DONE]"), has: []string{`"usage":{"input_tokens":5,`}},
		{name: "E79 several texts", from: anthropicAPI, to: openaiAPI, mediaType: unary,
			body: `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"one "},{"type":"text","text":"two"}],"stop_reason":"end_turn","usage":{}}`, has: []string{`"content":"one two"`}},
		{name: "E83 E87 tools that the provider runs", from: anthropicAPI, to: openaiAPI, mediaType: unary,
			body: `{"id":"m","type":"message","role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"brand_new"},{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{}}`,
			has:  []string{`"content":"a"`, `"finish_reason":"stop"`}, lacks: []string{"tool_calls", "web_search"}},
		{name: "E84 a prompt that was blocked", from: geminiAPI, to: openaiAPI, mediaType: unary, body: `{"promptFeedback":{"blockReason":"SAFETY"}}`,
			has: []string{`"choices":[{"index":0`, `"finish_reason":"content_filter"`, `"object":"chat.completion"`, `"created":1700000000`}},
		{name: "E85 thoughts are output", from: geminiAPI, to: openaiAPI, mediaType: unary,
			body: `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"thoughtsTokenCount":30,"totalTokenCount":33}}`, has: []string{`"completion_tokens":32`, `"reasoning_tokens":30`}},
		{name: "E88 counts are corrected, not added", from: anthropicAPI, to: openaiAPI, mediaType: events, stream: true,
			body: data(`{"type":"message_start","message":{"id":"m","usage":{"input_tokens":9,"output_tokens":1}}}`, `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":10,"output_tokens":7}}`, `{"type":"message_stop"}`),
			has:  []string{`"prompt_tokens":10,"completion_tokens":7`}},
		{name: "E90 Google's clients are told counts", from: openaiAPI, to: geminiAPI, mediaType: events, stream: true, body: data(chunk(`{"content":"a"}`, `"stop"`), "[DONE]"), has: []string{`"usageMetadata":{"promptTokenCount":5`}},
		{name: "E91 numbered events that agree with the end", from: anthropicAPI, to: responsesAPI, mediaType: unary, stream: true,
			body: `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"a"}],"stop_reason":"max_tokens","usage":{"output_tokens":1}}`,
			has:  []string{`"sequence_number":0`, `event: response.incomplete`, `"reason":"max_output_tokens"`, `"output_tokens_details":{"reasoning_tokens":0}`, `"logprobs":[]`}},
		{name: "citations: bytes at Google, characters at OpenAI", from: geminiAPI, to: openaiAPI, mediaType: unary,
			body: `{"candidates":[{"content":{"parts":[{"text":"Grüße 😀 it rains"}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://x/y","title":"t"}}],"groundingSupports":[{"segment":{"startIndex":13,"endIndex":21},"groundingChunkIndices":[0]}]}}]}`,
			has:  []string{`"url_citation":{"start_index":8,"end_index":16,"url":"https://x/y","title":"t"}`}},
		{name: "citations: characters at OpenAI, bytes at Google", from: openaiAPI, to: geminiAPI, mediaType: unary,
			body: `{"id":"c","choices":[{"message":{"content":"Grüße 😀 it rains","annotations":[{"type":"url_citation","url_citation":{"start_index":8,"end_index":16,"url":"https://x/y","title":"t"}}]},"finish_reason":"stop"}]}`,
			has:  []string{`"segment":{"startIndex":13,"endIndex":21}`, `{"web":{"uri":"https://x/y","title":"t"}}`}},
		{name: "citations: a block at Anthropic", from: anthropicAPI, to: responsesAPI, mediaType: unary,
			body: `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"So: "},{"type":"text","text":"it rains","citations":[{"type":"web_search_result_location","url":"https://x/y","title":"t","cited_text":"q","encrypted_index":"e"}]}],"stop_reason":"end_turn","usage":{}}`,
			has:  []string{`{"type":"url_citation","start_index":0,"end_index":8,"url":"https://x/y","title":"t"}`}},
		{name: "citations: documents of Anthropic's and Amazon's", from: anthropicAPI, to: converse, mediaType: unary,
			body: `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"it rains","citations":[{"type":"page_location","cited_text":"q","document_index":1,"document_title":"t","start_page_number":2,"end_page_number":3}]}],"stop_reason":"end_turn","usage":{}}`,
			has:  []string{`{"citationsContent":{"content":[{"text":"it rains"}],"citations":[{"title":"t","sourceContent":[{"text":"q"}],"location":{"documentPage":{"documentIndex":1,"start":2,"end":3}}}]}}`}},
		{name: "probabilities", from: openaiAPI, to: geminiAPI, mediaType: unary,
			body: `{"id":"c","choices":[{"message":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":[97]}]}]},"finish_reason":"stop"}]}`,
			has:  []string{`"logprobsResult":{"chosenCandidates":[{"token":"a","logProbability":-0.5}],"topCandidates":[{"candidates":[{"token":"a","logProbability":-0.5}]}]}`}},
		{name: "probabilities back", from: geminiAPI, to: responsesAPI, mediaType: unary,
			body: `{"candidates":[{"content":{"parts":[{"text":"é"}]},"finishReason":"STOP","logprobsResult":{"chosenCandidates":[{"token":"é","logProbability":-1}]}}]}`,
			has:  []string{`"logprobs":[{"token":"é","logprob":-1,"bytes":[195,169],"top_logprobs":[]}]`}},
		{name: "names of tools come back (E9)", from: converse, to: openaiAPI, mediaType: unary,
			body: `{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"` + dialect.SafeName("mcp.server/look") + `","input":{}}}]}},"stopReason":"tool_use","usage":{}}`, has: []string{`"name":"mcp.server/look"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &llm.Request{Op: llm.OpChat, Dialect: c.to.Name(), Stream: c.stream, StreamUsage: true, InputEstimate: 5, Tools: []llm.Tool{{Name: "mcp.server/look"}}}
			out, _, err := cross(c.from, c.to, r, c.mediaType, [][]byte{[]byte(c.body), nil})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.has {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %s in %s", want, out)
				}
			}
			for _, not := range c.lacks {
				if strings.Contains(string(out), not) {
					t.Errorf("%s in %s", not, out)
				}
			}
			if c.want == nil {
				return
			}
			_, again, err := cross(c.to, c.to, r, c.to.NewEncoder(r).MediaType(), [][]byte{out, nil})
			if got := read(again); err != nil || !c.want(got) {
				t.Errorf("the client reads %+v, %v: %s", got, err, out)
			}
		})
	}
}
