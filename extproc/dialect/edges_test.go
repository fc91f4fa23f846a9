package dialect_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// TestRequestEdges goes through the requests that other gateways translate
// wrong, by the numbers of the list that they were collected in.
func TestRequestEdges(t *testing.T) {
	claude := llm.Rules{Reasons: true, Adaptive: true, NoBudget: true, NoSampling: true, NoForcedTool: true, NoPrefill: true, NativeSchema: true}
	const tool = `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`
	const asked = `{"role":"user","content":"q"}`
	const called = asked + `,{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":""}},{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	chat := func(messages, more string) string { return `{"model":"m","messages":[` + messages + `]` + more + `}` }
	for _, c := range []struct {
		name     string
		from, to dialect.Dialect
		body     string
		rules    llm.Rules
		has      []string
		lacks    []string
		refused  string // the member
	}{
		{name: "E1 same role in a row", from: openaiAPI, to: converse, body: chat(asked+`,{"role":"user","content":"r"}`, ""),
			has: []string{`"messages":[{"role":"user","content":[{"text":"q"},{"text":"r"}]}]`}},
		{name: "E3 instructions between turns stay there", from: openaiAPI, to: anthropicAPI, body: chat(asked+`,{"role":"system","content":"s"}`, ""),
			has: []string{`{"type":"text","text":"q"},{"type":"text","text":"<system>\ns\n</system>"}`}},
		{name: "E3 instructions alone", from: openaiAPI, to: geminiAPI, body: chat(`{"role":"system","content":"s"}`, ""),
			has: []string{`"contents":[{"role":"user","parts":[{"text":"s"}]}]`}},
		{name: "E4 empty texts", from: openaiAPI, to: anthropicAPI, body: chat(`{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"q"}]},{"role":"assistant","content":""},{"role":"user","content":"r"}`, ""),
			has: []string{`{"type":"text","text":"q"}`, `{"type":"text","text":"r"}`}, lacks: []string{`"text":""`}},
		{name: "E5 E7 results are put in the order of the calls", from: openaiAPI, to: geminiAPI, body: chat(called+`,{"role":"tool","tool_call_id":"b","content":"2"},{"role":"tool","tool_call_id":"a","content":"1"}`, ""),
			has: []string{`{"functionResponse":{"id":"a","name":"f","response":{"output":"1"}}},{"functionResponse":{"id":"b","name":"f","response":{"output":"2"}}}`}},
		{name: "E5 a call without a result", from: openaiAPI, to: geminiAPI, body: chat(called+`,{"role":"tool","tool_call_id":"a","content":"1"}`, ""),
			has: []string{`{"functionResponse":{"id":"b","name":"f","response":{"error":`}},
		{name: "E6 results stay results", from: openaiAPI, to: anthropicAPI, body: chat(called+`,{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"2"},{"role":"user","content":"go on"}`, ""),
			has: []string{`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a",`, `{"type":"text","text":"go on"}]}`}},
		{name: "E8 ids that a provider refuses", from: openaiAPI, to: anthropicAPI, body: chat(asked+`,{"role":"assistant","tool_calls":[{"id":"functions.f:0","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"functions.f:0","content":"1"}`, ""),
			has: []string{`"id":"functions_f_0_`, `"tool_use_id":"functions_f_0_`}, lacks: []string{"functions.f:0"}},
		{name: "E8 ids that are too long", from: anthropicAPI, to: converse, body: `{"model":"m","max_tokens":9,"messages":[` + asked + `,{"role":"assistant","content":[{"type":"tool_use","id":"` + strings.Repeat("x", 80) + `","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + strings.Repeat("x", 80) + `","content":"1"}]}]}`,
			lacks: []string{strings.Repeat("x", 65)}},
		{name: "E9 names of tools", from: openaiAPI, to: converse, body: chat(asked, `,"tools":[{"type":"function","function":{"name":"mcp.server/look"}}],"tool_choice":{"type":"function","function":{"name":"mcp.server/look"}}`),
			has: []string{`"name":"` + dialect.SafeName("mcp.server/look") + `"`}, lacks: []string{"mcp.server/look"}},
		{name: "E9 names of tools, Google", from: openaiAPI, to: geminiAPI, body: chat(asked, `,"tools":[{"type":"function","function":{"name":"2/look"}}]`),
			has: []string{`"name":"` + dialect.SafeName("2/look") + `"`}},
		{name: "E10 no tools shall be called, but were", from: openaiAPI, to: converse, body: chat(called+`,{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"1"}`, `,`+tool+`,"tool_choice":"none"`),
			has: []string{`"toolConfig":`, "Do not call any tool"}, lacks: []string{`"toolChoice"`}},
		{name: "E11 E20 a forced call of a model that refuses it", from: openaiAPI, to: anthropicAPI, rules: claude, body: chat(asked, `,`+tool+`,"tool_choice":"required"`), refused: "tool_choice"},
		{name: "E12 one call at a time without tools", from: openaiAPI, to: anthropicAPI, body: chat(asked, `,"parallel_tool_calls":false`), lacks: []string{"disable_parallel"}},
		{name: "E12 one call at a time", from: openaiAPI, to: anthropicAPI, body: chat(asked, `,`+tool+`,"parallel_tool_calls":false`), has: []string{`"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`}},
		{name: "E13 a tool without a schema", from: openaiAPI, to: anthropicAPI, body: chat(asked, `,"tools":[{"type":"function","function":{"name":"f"}}]`), has: []string{`"input_schema":{"type":"object","properties":{}}`}},
		{name: "E14 a link to a provider that fetches none", from: openaiAPI, to: converse, body: chat(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}`, ""), refused: "messages[0].content[0]"},
		{name: "E14 SVG is not JPEG", from: openaiAPI, to: anthropicAPI, body: chat(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/svg+xml;base64,PHN2Zz4="}}]}`, ""), refused: "messages[0].content[0]"},
		{name: "E15 the type is that of the bytes, parameters", from: openaiAPI, to: anthropicAPI, body: chat(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpg;charset=utf-8;base64,iVBORw0K\\nGgo="}}]}`, ""), refused: "messages[0].content[0]"},
		{name: "E15 line ends in base64", from: openaiAPI, to: anthropicAPI, body: chat(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpg;charset=utf-8;base64,iVBORw0K\r\nGgo="}}]}`, ""), has: []string{`"media_type":"image/png","data":"iVBORw0KGgo="`}},
		{name: "E16 images in results", from: anthropicAPI, to: openaiAPI, body: `{"model":"m","max_tokens":9,"messages":[` + asked + `,{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}]}`,
			has: []string{`{"role":"tool","tool_call_id":"a","content":"The result follows in the next message."},{"role":"user","content":[{"type":"image_url"`}},
		{name: "E17 names of documents", from: openaiAPI, to: converse, body: chat(`{"role":"user","content":[{"type":"file","file":{"filename":"a_b.pdf","file_data":"data:application/pdf;base64,JVBERg=="}},{"type":"file","file":{"filename":"a_b.pdf","file_data":"data:application/pdf;base64,JVBERg=="}}]}`, ""),
			has: []string{`"name":"a b pdf"`, `"name":"a b pdf 2"`}},
		{name: "E18 too many stop sequences", from: openaiAPI, to: geminiAPI, body: chat(asked, `,"stop":["1","2","3","4","5","6"]`), refused: "stop"},
		{name: "E18 white space as a stop sequence", from: openaiAPI, to: anthropicAPI, body: chat(asked, `,"stop":["\n","x"]`), has: []string{`"stop_sequences":["x"]`}},
		{name: "E19 too hot", from: openaiAPI, to: converse, body: chat(asked, `,"temperature":1.5`), has: []string{`"temperature":1`}, lacks: []string{"1.5"}},
		{name: "E19 a model without sampling", from: openaiAPI, to: anthropicAPI, rules: claude, body: chat(asked, `,"temperature":0.5,"top_p":0.9`), lacks: []string{"temperature", "top_p"}},
		{name: "E20 a budget for a model that knows effort", from: openaiAPI, to: anthropicAPI, rules: claude, body: chat(asked, `,"reasoning_effort":"low"`), has: []string{`"thinking":{"type":"adaptive"}`, `"effort":"low"`}},
		{name: "E21 a limit where one is demanded", from: openaiAPI, to: anthropicAPI, rules: llm.Rules{MaxOutput: 77}, body: chat(asked, ""), has: []string{`"max_tokens":77`}},
		{name: "E21 servers that know one name", from: anthropicAPI, to: openaiAPI, rules: llm.Rules{MaxTokensField: "max_tokens"}, body: `{"model":"m","max_tokens":9,"messages":[` + asked + `]}`, has: []string{`"max_tokens":9`}, lacks: []string{"max_completion_tokens"}},
		{name: "E22 the role for instructions", from: anthropicAPI, to: openaiAPI, rules: llm.Rules{SystemRole: "developer"}, body: `{"model":"m","max_tokens":9,"system":"s","messages":[` + asked + `]}`, has: []string{`{"role":"developer","content":"s"}`}},
		{name: "E23 keywords that Google stumbles over, names that are none", from: openaiAPI, to: geminiAPI, body: chat(asked, `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"const":{"const":1},"$ref":{"type":["string","null"]}}}}}]`),
			has: []string{`"const":{"enum":[1]}`, `"$ref":{"type":["string","null"]}`}},
		{name: "E23 a reference in a result", from: openaiAPI, to: geminiAPI, body: chat(called+`,{"role":"tool","tool_call_id":"a","content":"{\"$ref\":\"x\"}"},{"role":"tool","tool_call_id":"b","content":"1"}`, ""), has: []string{`"response":{"output":"{\"$ref\":\"x\"}"}`}},
		{name: "E24 keywords that Anthropic refuses", from: openaiAPI, to: anthropicAPI, rules: claude, body: chat(asked, `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}}}`),
			has: []string{`"additionalProperties":false`}, lacks: []string{"minimum"}},
		{name: "E25 what Claude Code sends", from: anthropicAPI, to: openaiAPI, body: `{"model":"m","max_tokens":9,"context_management":{"edits":[]},"messages":[` + asked + `],"tools":[{"name":"f","input_schema":{"type":"object"},"input_examples":[{}],"cache_control":{"type":"ephemeral"}}]}`,
			has: []string{`"name":"f"`}, lacks: []string{"context_management", "input_examples"}},
		{name: "E26 five marks", from: openaiAPI, to: anthropicAPI, body: chat(`{"role":"user","content":[`+strings.TrimSuffix(strings.Repeat(`{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},`, 5), ",")+`]}`, ""),
			has: []string{`[{"type":"text","text":"x"},{"type":"text","text":"x","cache_control"`}},
		{name: "E26 an hour behind five minutes", from: openaiAPI, to: anthropicAPI, body: chat(`{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"5m"}},{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}`, ""), lacks: []string{"1h"}},
		{name: "E27 reasoning back to models that want it", from: anthropicAPI, to: openaiAPI, rules: llm.Rules{ReasoningField: "reasoning_content"}, body: `{"model":"m","max_tokens":9,"messages":[` + asked + `,{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}]}`,
			has: []string{`"reasoning_content":"hm"`}, lacks: []string{"c2ln"}},
		{name: "E28 several answers", from: openaiAPI, to: anthropicAPI, body: chat(asked, `,"n":2`), refused: "n"},
		{name: "E31 arguments stay as they are", from: anthropicAPI, to: openaiAPI, body: `{"model":"m","max_tokens":9,"messages":[` + asked + `,{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{"z":1e21,"a":12345678901234567890}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}]}`,
			has: []string{`"arguments":"{\"z\":1e21,\"a\":12345678901234567890}"`}},
		{name: "E33 a foreign signature", from: anthropicAPI, to: anthropicAPI, body: `{"model":"m","max_tokens":9,"messages":[` + asked + `,{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"attache:gemini:eA=="},{"type":"text","text":"a"}]},` + asked + `]}`, lacks: []string{"attache"}},
		{name: "E34 calls of models that signed nothing", from: openaiAPI, to: geminiAPI, rules: llm.Rules{SignedCalls: true}, body: chat(called+`,{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"1"}`, ""), has: []string{`"thoughtSignature":"skip_thought_signature_validator"`}},
		{name: "E61 calls by call_id", from: responsesAPI, to: openaiAPI, body: `{"model":"m","input":[{"role":"user","content":"q"},{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{}"},{"type":"function_call","id":"fc_2","call_id":"call_2","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"call_1","output":"1"},{"type":"function_call_output","call_id":"call_2","output":"2"}]}`,
			has: []string{`"tool_calls":[{"id":"call_1"`, `{"id":"call_2"`, `{"role":"tool","tool_call_id":"call_1"`}, lacks: []string{"fc_1"}},
		{name: "E62 long ids", from: openaiAPI, to: responsesAPI, body: strings.ReplaceAll(chat(called+`,{"role":"tool","tool_call_id":"a","content":"1"}`, ""), `"a"`, `"`+strings.Repeat("y", 70)+`"`), lacks: []string{strings.Repeat("y", 65)}},
		{name: "E77 the second spelling", from: geminiAPI, to: openaiAPI, body: `{"contents":[{"parts":[{"text":"q"}]}],"generation_config":{"max_output_tokens":7},"system_instruction":{"parts":[{"text":"s"}]}}`, has: []string{`"max_completion_tokens":7`, `{"role":"system","content":"s"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := c.from.DecodeRequest(llm.OpChat, []byte(c.body))
			if err != nil && c.refused == "" {
				t.Fatal(err)
			}
			var w *dialect.Wire
			if err == nil {
				w, err = c.to.EncodeRequest(r, dialect.Target{Model: "anthropic.m", Rules: c.rules})
			}
			var e *llm.Error
			if c.refused != "" {
				if !errors.As(err, &e) || e.Status != 400 || e.Param != c.refused {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.has {
				if !strings.Contains(string(w.Body), want) {
					t.Errorf("no %s in %s", want, w.Body)
				}
			}
			for _, not := range c.lacks {
				if strings.Contains(string(w.Body), not) {
					t.Errorf("%s in %s", not, w.Body)
				}
			}
		})
	}
}
