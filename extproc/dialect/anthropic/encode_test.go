package anthropic

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

func text(s string) llm.Part { return llm.Part{Kind: llm.PartText, Text: s} }

func user(parts ...llm.Part) llm.Message { return llm.Message{Role: llm.RoleUser, Parts: parts} }

func assistant(parts ...llm.Part) llm.Message {
	return llm.Message{Role: llm.RoleAssistant, Parts: parts}
}

func toolCall(id, args string) llm.Part {
	return llm.Part{Kind: llm.PartToolCall, ID: id, Name: "f", Text: args}
}

func toolResult(id string, parts ...llm.Part) llm.Part {
	return llm.Part{Kind: llm.PartToolResult, ID: id, Parts: parts}
}

// Models as their rules describe them.
var (
	oldModel    = llm.Rules{MaxOutput: 8192}
	budgetModel = llm.Rules{MaxOutput: 64000, Reasons: true, NativeSchema: true}
	newModel    = llm.Rules{MaxOutput: 128000, Reasons: true, Adaptive: true, NativeSchema: true, NoSampling: true,
		NoBudget: true, NoThinkingOff: true, NoForcedTool: true, NoPrefill: true}
	switchable = llm.Rules{Reasons: true, Adaptive: true, NativeSchema: true}
)

// crossed writes a request of another dialect.
func crossed(r llm.Request, rules llm.Rules) (object, []string, error) {
	if r.Op == "" {
		r.Op = llm.OpChat
	}
	r.Dialect = llm.OpenAI
	if r.Messages == nil {
		r.Messages = []llm.Message{user(text("hi"))}
	}
	w, err := New().EncodeRequest(&r, dialect.Target{Model: "claude", Rules: rules})
	if err != nil {
		return nil, nil, err
	}
	var body object
	if err := json.Unmarshal(w.Body, &body); err != nil {
		return nil, nil, errors.New(err.Error() + ": " + string(w.Body))
	}
	return body, w.Warnings, nil
}

// at finds a value in a body: at(body, "messages", 0, "content").
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(object)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

func TestEncodeRequest(t *testing.T) {
	yes := true
	schema := []byte(`{"type":"object","properties":{"a":{"type":"string"}}}`)
	named := llm.ToolChoice{Mode: llm.ToolNamed, Name: "f"}
	tools := []llm.Tool{{Name: "f", Schema: schema}, {Name: "g"}}
	for _, c := range []struct {
		name  string
		req   llm.Request
		rules llm.Rules
		path  []any
		want  string // JSON of what stands at path; empty: nothing
		warn  string // beginning of a warning; empty: none at all
	}{
		{name: "model", path: []any{"model"}, want: `"claude"`},
		{name: "limit of the client", req: llm.Request{MaxTokens: 7}, path: []any{"max_tokens"}, want: `7`},
		{name: "limit of the model", rules: oldModel, path: []any{"max_tokens"}, want: `8192`},
		{name: "limit when nothing is known", path: []any{"max_tokens"}, want: `4096`},
		{name: "count has no limit", req: llm.Request{Op: llm.OpCountTokens}, path: []any{"max_tokens"}},
		{name: "stream", req: llm.Request{Stream: true}, path: []any{"stream"}, want: `true`},
		{
			name: "system blocks", req: llm.Request{System: []llm.Part{text("a"), text(" "), {Kind: llm.PartText, Text: "b", Cache: &llm.Cache{TTL: "1h"}}}},
			path: []any{"system"},
			want: `[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}]`,
		},
		{
			name: "system alone", req: llm.Request{System: []llm.Part{text("a")}, Messages: []llm.Message{}},
			path: []any{"messages"}, want: `[{"role":"user","content":[{"type":"text","text":"a"}]}]`, warn: "messages: ",
		},
		{
			name: "system alone is not said twice", req: llm.Request{System: []llm.Part{text("a")}, Messages: []llm.Message{user(text(""))}},
			path: []any{"system"}, warn: "messages: ",
		},
		{
			name: "system between turns", req: llm.Request{Messages: []llm.Message{user(text("a")), {Role: llm.RoleSystem, Parts: []llm.Part{text("b")}}}},
			path: []any{"messages"}, want: `[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"<system>\nb\n</system>"}]}]`,
		},
		{
			name: "names", req: llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Name: "bob", Parts: []llm.Part{text("a")}}}},
			path: []any{"messages", 0, "name"}, warn: "messages.name: ",
		},
		{
			name: "empty texts and null content",
			req:  llm.Request{Messages: []llm.Message{user(text("a")), assistant(), assistant(text(""), toolCall("t", "")), user(toolResult("t"))}},
			path: []any{"messages", 1}, want: `{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]}`,
		},
		{
			name: "results first, in one message",
			req: llm.Request{Messages: []llm.Message{
				user(text("q")), assistant(toolCall("a", "{}"), toolCall("b", "{}")),
				user(text("wait")), user(toolResult("a", text("1"))), user(toolResult("b", text("2"))), user(text("go")),
			}},
			path: []any{"messages", 2, "content"},
			want: `[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"1"}]},
				{"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"2"}]},
				{"type":"text","text":"wait"},{"type":"text","text":"go"}]`,
		},
		{
			name: "prefilled answer", req: llm.Request{Messages: []llm.Message{user(text("q")), assistant(text("so \n"))}},
			path: []any{"messages", 1, "content", 0, "text"}, want: `"so"`,
		},
		{
			name: "ids of other providers", req: llm.Request{Messages: []llm.Message{user(text("q")), assistant(toolCall("functions.f:0", "{}")), user(toolResult("functions.f:0"))}},
			path: []any{"messages", 2, "content", 0, "tool_use_id"}, want: `"functions_f_0_d6bdd4de328a22ed"`,
		},
		{
			name: "arguments keep their bytes", req: llm.Request{Messages: []llm.Message{user(text("q")), assistant(toolCall("t", `{"n": 12345678901234567890}`))}},
			path: []any{"messages", 1, "content", 0, "input"}, want: `{"n": 12345678901234567890}`,
		},
		{
			name: "arguments that are no object", req: llm.Request{Messages: []llm.Message{user(text("q")), assistant(toolCall("t", `{"a":`))}},
			path: []any{"messages", 1, "content", 0, "input"}, want: `{"arguments":"{\"a\":"}`, warn: "messages.tool_calls: ",
		},
		{
			name: "unsigned reasoning", req: llm.Request{Messages: []llm.Message{user(text("q")), assistant(llm.Part{Kind: llm.PartReasoning, Text: "r"}, text("a")), user(text("q"))}},
			path: []any{"messages", 1, "content"}, want: `[{"type":"text","text":"a"}]`, warn: "messages.reasoning: ",
		},
		{
			name: "reasoning of another provider", req: llm.Request{Messages: []llm.Message{user(text("q")), assistant(
				llm.Part{Kind: llm.PartReasoning, Text: "r", Signature: "attache:responses:x"}, llm.Part{Kind: llm.PartRedacted, Signature: "attache:bedrock:x"}, text("a")), user(text("q"))}},
			path: []any{"messages", 1, "content"}, want: `[{"type":"text","text":"a"}]`, warn: "messages.reasoning: ",
		},
		{
			name: "signed reasoning", req: llm.Request{Messages: []llm.Message{user(text("q")), assistant(
				llm.Part{Kind: llm.PartReasoning, Text: "r", Signature: "s"}, llm.Part{Kind: llm.PartRedacted, Signature: "x"}, text("a")), user(text("q"))}},
			path: []any{"messages", 1, "content"},
			want: `[{"type":"thinking","thinking":"r","signature":"s"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":"a"}]`,
		},
		{
			name: "image", req: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartImage, Media: llm.Media{Type: "image/jpg", Data: "iVBORw0KGgo="}})}},
			path: []any{"messages", 0, "content", 0}, want: `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}`,
		},
		{
			name: "image by link, with detail", req: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartImage, Media: llm.Media{URL: "https://x/y", Detail: "high"}})}},
			path: []any{"messages", 0, "content", 0, "source"}, want: `{"type":"url","url":"https://x/y"}`, warn: "image_url.detail: ",
		},
		{
			name: "PDF", req: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartFile, Media: llm.Media{Type: "application/pdf", Data: "JVBERi0=", Name: "a.pdf"}})}},
			path: []any{"messages", 0, "content", 0}, want: `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"title":"a.pdf"}`,
		},
		{
			name: "text file", req: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartFile, Media: llm.Media{Type: "text/csv", Data: "YSxi"}})}},
			path: []any{"messages", 0, "content", 0, "source"}, want: `{"type":"text","media_type":"text/plain","data":"a,b"}`,
		},
		{name: "tools", req: llm.Request{Tools: tools}, path: []any{"tools"},
			want: `[{"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"string"}}}},{"name":"g","input_schema":{"type":"object","properties":{}}}]`},
		{name: "schema without a type", req: llm.Request{Tools: []llm.Tool{{Name: "f", Schema: []byte(`{"properties":{}}`)}}},
			path: []any{"tools", 0, "input_schema"}, want: `{"properties":{},"type":"object"}`},
		{name: "empty schema", req: llm.Request{Tools: []llm.Tool{{Name: "f", Schema: []byte(`{}`)}}},
			path: []any{"tools", 0, "input_schema"}, want: emptySchema},
		{name: "strict", req: llm.Request{Tools: []llm.Tool{{Name: "f", Strict: &yes}}}, rules: budgetModel, path: []any{"tools", 0, "strict"}, want: `true`},
		{name: "strict unknown", req: llm.Request{Tools: []llm.Tool{{Name: "f", Strict: &yes}}}, path: []any{"tools", 0, "strict"}, warn: "tools.strict: "},
		{name: "allowed tools", req: llm.Request{Tools: tools, ToolChoice: llm.ToolChoice{Mode: llm.ToolAuto, Allowed: []string{"g"}}},
			path: []any{"tools", 0, "name"}, want: `"g"`},
		{name: "tool named", req: llm.Request{Tools: tools, ToolChoice: named}, path: []any{"tool_choice"}, want: `{"type":"tool","name":"f"}`},
		{name: "tool required", req: llm.Request{Tools: tools, ToolChoice: llm.ToolChoice{Mode: llm.ToolRequired}}, path: []any{"tool_choice"}, want: `{"type":"any"}`},
		{name: "tool none", req: llm.Request{Tools: tools, SerialTools: true, ToolChoice: llm.ToolChoice{Mode: llm.ToolNone}}, path: []any{"tool_choice"}, want: `{"type":"none"}`},
		{name: "one call at a time", req: llm.Request{Tools: tools, SerialTools: true}, path: []any{"tool_choice"}, want: `{"type":"auto","disable_parallel_tool_use":true}`},
		{name: "one call at a time, no tools", req: llm.Request{SerialTools: true}, path: []any{"tool_choice"}},
		{name: "stop", req: llm.Request{Stop: []string{"a", "\n"}}, path: []any{"stop_sequences"}, want: `["a"]`, warn: "stop: "},
		{name: "warm", req: llm.Request{Temperature: "1.7"}, path: []any{"temperature"}, want: `1`, warn: "temperature: "},
		{name: "number as written", req: llm.Request{Temperature: "0.50"}, path: []any{"temperature"}, want: `0.50`},
		{name: "both", req: llm.Request{Temperature: "0", TopP: "0.9"}, path: []any{"top_p"}, warn: "top_p: "},
		{name: "no sampling", req: llm.Request{Temperature: "0"}, rules: newModel, path: []any{"temperature"}, warn: "temperature: "},
		{name: "user", req: llm.Request{User: "u1"}, path: []any{"metadata"}, want: `{"user_id":"u1"}`},
		{name: "person", req: llm.Request{User: "a@b.c"}, path: []any{"metadata"}, warn: "safety_identifier: "},
		{name: "tier", req: llm.Request{ServiceTier: "flex"}, path: []any{"service_tier"}, want: `"standard_only"`},
		{name: "tier unknown", req: llm.Request{ServiceTier: "scale"}, path: []any{"service_tier"}, warn: "service_tier: "},
		{name: "seed", req: llm.Request{Seed: "1"}, path: []any{"seed"}, warn: "seed: "},
		{name: "penalty of nothing", req: llm.Request{PresencePenalty: "0.0"}, path: []any{"presence_penalty"}},
		{name: "json_object", req: llm.Request{Format: &llm.Format{Kind: llm.FormatJSON}}, path: []any{"system", 0, "type"}, want: `"text"`, warn: "response_format: "},
		{name: "json_schema", req: llm.Request{Format: &llm.Format{Kind: llm.FormatSchema, Schema: schema}}, rules: budgetModel,
			path: []any{"output_config"}, want: `{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}}}`},
		{name: "effort", req: llm.Request{Reasoning: &llm.Reasoning{Effort: "minimal"}}, rules: newModel, path: []any{"output_config"}, want: `{"effort":"low"}`},
		{name: "adaptive", req: llm.Request{Reasoning: &llm.Reasoning{Effort: "high"}}, rules: newModel, path: []any{"thinking"}, want: `{"type":"adaptive"}`},
		{name: "effort as budget", req: llm.Request{Reasoning: &llm.Reasoning{Effort: "high"}}, rules: budgetModel, path: []any{"thinking"}, want: `{"type":"enabled","budget_tokens":16384}`},
		{name: "budget below the limit", req: llm.Request{MaxTokens: 2000, Reasoning: &llm.Reasoning{Effort: "high"}}, rules: budgetModel, path: []any{"thinking", "budget_tokens"}, want: `1500`},
		{name: "no room to think", req: llm.Request{MaxTokens: 1000, Reasoning: &llm.Reasoning{Effort: "high"}}, rules: budgetModel, path: []any{"thinking"}, warn: "reasoning_effort: "},
		{name: "budget for an adaptive model", req: llm.Request{Reasoning: &llm.Reasoning{Budget: 4000}}, rules: newModel, path: []any{"output_config"}, want: `{"effort":"medium"}`},
		{name: "off", req: llm.Request{Reasoning: &llm.Reasoning{Effort: "none"}}, rules: switchable, path: []any{"thinking"}, want: `{"type":"disabled"}`},
		{name: "cannot be off", req: llm.Request{Reasoning: &llm.Reasoning{Effort: "none"}}, rules: newModel, path: []any{"output_config"}, want: `{"effort":"low"}`, warn: "reasoning_effort: "},
		{name: "off by nature", req: llm.Request{Reasoning: &llm.Reasoning{Effort: "none"}}, rules: oldModel, path: []any{"thinking"}},
		{name: "does not think", req: llm.Request{Reasoning: &llm.Reasoning{Effort: "low"}}, rules: oldModel, path: []any{"thinking"}, warn: "reasoning_effort: "},
		{name: "thinks not when forced", req: llm.Request{Tools: tools, ToolChoice: named, Reasoning: &llm.Reasoning{Effort: "low"}}, rules: budgetModel, path: []any{"thinking"}, warn: "reasoning_effort: "},
		{name: "calls without their thinking", req: llm.Request{Reasoning: &llm.Reasoning{Effort: "low"}, Messages: []llm.Message{
			user(text("q")), assistant(toolCall("t", "{}")), user(toolResult("t"))}}, rules: budgetModel, path: []any{"thinking"}, warn: "reasoning_effort: "},
		{name: "thinking spoils the temperature", req: llm.Request{Temperature: "0", Reasoning: &llm.Reasoning{Effort: "low"}}, rules: budgetModel, path: []any{"temperature"}, warn: "temperature: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, warnings, err := crossed(c.req, c.rules)
			if err != nil {
				t.Fatal(err)
			}
			var want any
			if c.want != "" {
				if err := json.Unmarshal([]byte(c.want), &want); err != nil {
					t.Fatal(err)
				}
			}
			if got := at(body, c.path...); !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if c.warn == "" && len(warnings) > 0 || c.warn != "" && !slices.ContainsFunc(warnings, func(w string) bool { return strings.HasPrefix(w, c.warn) }) {
				t.Errorf("warnings: %q, want %q", warnings, c.warn)
			}
		})
	}
}

// Numbers and arguments are copied, not read and written again.
func TestNumbersAsWritten(t *testing.T) {
	r := llm.Request{Op: llm.OpChat, Dialect: llm.OpenAI, Temperature: "0.50", Messages: []llm.Message{
		user(text("q")), assistant(toolCall("t", `{"n": 12345678901234567890}`))}}
	w, err := New().EncodeRequest(&r, dialect.Target{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"temperature":0.50`, `"input":{"n": 12345678901234567890}`} {
		if !strings.Contains(string(w.Body), want) {
			t.Errorf("no %s in %s", want, w.Body)
		}
	}
}

func TestRefusals(t *testing.T) {
	tools := []llm.Tool{{Name: "f"}}
	for _, c := range []struct {
		name  string
		req   llm.Request
		rules llm.Rules
		code  string
		param string
	}{
		{name: "several answers", req: llm.Request{N: 2}, param: "n"},
		{name: "sound", req: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartAudio})}}, param: "messages"},
		{name: "unknown part", req: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartOther, Type: "x"})}}, param: "messages"},
		{name: "svg", req: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartImage, Media: llm.Media{Type: "image/svg+xml", Data: "PHN2"}})}}, param: "messages"},
		{name: "uploaded file", req: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartFile, Media: llm.Media{FileID: "f"}})}}, param: "messages"},
		{name: "link to a file of the host", req: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartImage, Media: llm.Media{URL: "file:///etc/passwd"}})}}, code: llm.CodeInvalidRequest, param: "messages"},
		{name: "no text at all", req: llm.Request{Messages: []llm.Message{user(text(" "))}}, code: llm.CodeInvalidRequest, param: "messages"},
		{name: "custom tool", req: llm.Request{Tools: []llm.Tool{{Name: "f"}, {Type: "custom"}}}, param: "tools"},
		{name: "schema of no object", req: llm.Request{Tools: []llm.Tool{{Name: "f", Schema: []byte(`{"type":"string"}`)}}}, code: llm.CodeInvalidRequest, param: "tools"},
		{name: "forced tool", req: llm.Request{Tools: tools, ToolChoice: llm.ToolChoice{Mode: llm.ToolRequired}}, rules: newModel, param: "tool_choice"},
		{name: "prefill", req: llm.Request{Messages: []llm.Message{user(text("q")), assistant(text("a"))}}, rules: newModel, param: "messages"},
		{name: "schema for an old model", req: llm.Request{Format: &llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{}`)}}, rules: oldModel, param: "response_format"},
		{name: "embeddings", req: llm.Request{Op: llm.OpEmbeddings}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := crossed(c.req, c.rules)
			var e *llm.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if c.code == "" {
				c.code = llm.CodeUnsupported
			}
			if e.Status != 400 || e.Code != c.code || e.Param != c.param {
				t.Errorf("got %d %s %s: %s", e.Status, e.Code, e.Param, e.Message)
			}
		})
	}
}

// The error names the part as it stands in the client's body.
func TestRefusalNamesThePart(t *testing.T) {
	const body = `{"messages":[{"content":"x"},{"content":[{"type":"text"},{"type":"new"}]}]}`
	raw := []byte(body)
	part := llm.Part{Kind: llm.PartOther, Type: "new", Raw: raw[strings.Index(body, `{"type":"new"}`):][:14]}
	_, _, err := crossed(llm.Request{Body: llm.Body{Raw: raw}, Messages: []llm.Message{user(part)}}, llm.Rules{})
	if err == nil || !strings.Contains(err.Error(), "messages[1].content[1]") {
		t.Errorf("got %v", err)
	}
}

func TestToolIDs(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{"a.b", "a:b", "a_b", "a b", "é", "", "call_1|fc_1"} {
		got := toolID(id)
		if got == "" || strings.IndexFunc(got, notInID) >= 0 || got != toolID(id) {
			t.Errorf("%q becomes %q", id, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q both become %q", id, other, got)
		}
		seen[got] = id
	}
	if toolID("toolu_1-A") != "toolu_1-A" {
		t.Error("a good id was changed")
	}
}

func TestDataURLs(t *testing.T) {
	for _, c := range []struct {
		in        llm.Media
		typ, data string
	}{
		{llm.Media{URL: "data:image/png;base64,iVBORw0KGgo="}, "image/png", "iVBORw0KGgo="},
		{llm.Media{URL: "DATA:image/JPG;charset=utf-8;base64,/9j/\n AA=="}, "image/jpeg", "/9j/AA=="},
		{llm.Media{URL: "data:image/gif,R0lGODlh"}, "image/gif", "R0lGODlh"},
		{llm.Media{URL: "data:text/plain,a%20b"}, "text/plain", "YSBi"},
		{llm.Media{Data: "data:application/pdf;base64,JVBERi0="}, "application/pdf", "JVBERi0="},
		{llm.Media{Type: "Image/JPG ; q=1", Data: "/9j/"}, "image/jpeg", "/9j/"},
	} {
		m, err := inlined(c.in)
		if err != nil || m.Type != c.typ || m.Data != c.data || m.URL != "" {
			t.Errorf("%+v: got %+v, %v", c.in, m, err)
		}
	}
	if _, err := inlined(llm.Media{URL: "data:image/png;base64"}); err == nil {
		t.Error("a data: URL without data was taken")
	}
}

func TestOutputSchema(t *testing.T) {
	in := `{"type":"object","properties":{"minimum":{"type":"integer","minimum":1},"l":{"type":"array","items":{"oneOf":[{"type":"object","properties":{}},true]}}},
		"additionalProperties":true,"$defs":{"pattern":{"type":"string","pattern":"x"},"Pattern":true}}`
	want := `{"type":"object","properties":{"minimum":{"type":"integer"},"l":{"type":"array","items":{"anyOf":[{"type":"object","properties":{},"additionalProperties":false},true]}}},"$defs":{"pattern":{"type":"string"},"Pattern":true},"additionalProperties":false}`
	e := &requestEncoder{Notes: dialect.Notes{Request: &llm.Request{}}}
	got, err := e.outputSchema([]byte(in))
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	if len(e.Warnings) != 2 {
		t.Errorf("warnings: %q", e.Warnings)
	}
}

// Of more than four cache marks the last four stay.
func TestCacheMarks(t *testing.T) {
	var parts []llm.Part
	for range 6 {
		parts = append(parts, llm.Part{Kind: llm.PartText, Text: "x", Cache: &llm.Cache{}})
	}
	body, warnings, err := crossed(llm.Request{Messages: []llm.Message{user(parts...)}}, llm.Rules{})
	if err != nil || len(warnings) != 1 {
		t.Fatal(err, warnings)
	}
	for i := range parts {
		if marked := at(body, "messages", 0, "content", i, "cache_control") != nil; marked != (i >= 2) {
			t.Errorf("block %d is marked: %v", i, marked)
		}
	}
}
