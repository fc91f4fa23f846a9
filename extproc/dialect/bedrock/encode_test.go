package bedrock

import (
	"errors"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

var claudeTarget = dialect.Target{Model: "us.anthropic.claude-x", Rules: llm.Rules{Reasons: true, NativeSchema: true, MaxOutput: 64_000}}

func said(role llm.Role, parts ...llm.Part) llm.Message { return llm.Message{Role: role, Parts: parts} }

func text(s string) llm.Part { return llm.Part{Kind: llm.PartText, Text: s} }

// Rules of the translation, each by what the body must hold, what it must not
// and what the client is warned of.
func TestEncodeRules(t *testing.T) {
	call := llm.Part{Kind: llm.PartToolCall, ID: "call|1", Name: "f", Text: ""}
	result := llm.Part{Kind: llm.PartToolResult, ID: "call|1"}
	history := []llm.Message{said(llm.RoleUser, text("q")), said(llm.RoleAssistant, call), said(llm.RoleUser, result)}
	tool := llm.Tool{Name: "f"}
	for name, c := range map[string]struct {
		model   string
		req     llm.Request
		has     string // several with " & " between them
		lacks   string
		warning string
	}{
		"turns are merged, results first": {"anthropic.c", llm.Request{Messages: []llm.Message{said(llm.RoleUser, text("q")), said(llm.RoleAssistant, call), said(llm.RoleUser, text("b")), said(llm.RoleUser, result)}, Tools: []llm.Tool{tool}},
			`"content":[{"toolResult"`, ``, ""},
		"instructions between turns": {"anthropic.c", llm.Request{Messages: []llm.Message{said(llm.RoleUser, text("q")), said(llm.RoleSystem, text("s"))}},
			`{"text":"q"},{"text":"<system>\ns\n</system>"}`, `"role":"system"`, ""},
		"only instructions":     {"m", llm.Request{System: []llm.Part{text("s")}}, `"messages":[{"role":"user","content":[{"text":"s"}]}]`, `"system"`, "messages: the instructions"},
		"blank text":            {"m", llm.Request{Messages: []llm.Message{said(llm.RoleUser, text(" "), text("q"))}}, `"content":[{"text":"q"}]`, ``, ""},
		"empty result":          {"m", llm.Request{Messages: history, Tools: []llm.Tool{tool}}, `"content":[{"text":"(no output)"}]`, ``, ""},
		"ids":                   {"m", llm.Request{Messages: history, Tools: []llm.Tool{tool}}, `"toolUseId":"call_1_`, `call|1`, ""},
		"ids of Mistral":        {"mistral.m", llm.Request{Messages: history, Tools: []llm.Tool{tool}}, `"toolUseId":"` + (&requestEncoder{family: mistralFamily}).toolID("call|1") + `"`, `call|1`, ""},
		"no arguments":          {"m", llm.Request{Messages: history, Tools: []llm.Tool{tool}}, `"input":{}`, ``, ""},
		"tools of the history":  {"m", llm.Request{Messages: history}, `"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}`, `toolChoice`, "tools: those that"},
		"none, with history":    {"m", llm.Request{Messages: history, Tools: []llm.Tool{tool}, ToolChoice: llm.ToolChoice{Mode: llm.ToolNone}}, `"system":[{"text":"Do not call`, `toolChoice`, "tools: those that"},
		"none, without history": {"m", llm.Request{Messages: history[:1], Tools: []llm.Tool{tool}, ToolChoice: llm.ToolChoice{Mode: llm.ToolNone}}, `"q"`, `tool`, ""},
		"named":                 {"m", llm.Request{Messages: history[:1], Tools: []llm.Tool{tool}, ToolChoice: llm.ToolChoice{Mode: llm.ToolNamed, Name: "f"}}, `"toolChoice":{"tool":{"name":"f"}}`, `"description"`, ""},
		"one at a time": {"anthropic.c", llm.Request{Messages: history[:1], Tools: []llm.Tool{tool}, SerialTools: true},
			`"additionalModelRequestFields":{"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`, `toolChoice`, ""},
		"one at a time, Nova": {"amazon.nova-x", llm.Request{Messages: history[:1], Tools: []llm.Tool{tool}, SerialTools: true}, `"toolSpec"`, `parallel`, "parallel_tool_calls: left out"},
		"top_k":               {"anthropic.c", llm.Request{Messages: history[:1], TopK: "5"}, `"additionalModelRequestFields":{"top_k":5}`, ``, ""},
		"top_k of Nova":       {"amazon.nova-x", llm.Request{Messages: history[:1], TopK: "5"}, `"additionalModelRequestFields":{"inferenceConfig":{"topK":5}}`, ``, ""},
		"top_k of others":     {"meta.llama", llm.Request{Messages: history[:1], TopK: "5"}, `"q"`, `5`, "top_k: left out"},
		"temperature":         {"m", llm.Request{Messages: history[:1], Temperature: "1.5", TopP: "0.5"}, `"inferenceConfig":{"temperature":1,"topP":0.5}`, ``, "temperature: lowered"},
		"thinking":            {"anthropic.c", llm.Request{Messages: history[:1], Reasoning: &llm.Reasoning{Effort: "low"}}, `"maxTokens":64000 & "thinking":{"type":"enabled","budget_tokens":2048}`, ``, ""},
		"effort of GPT":       {"openai.gpt-oss", llm.Request{Messages: history[:1], Reasoning: &llm.Reasoning{Effort: "low"}}, `"reasoning_effort":"low"`, `thinking`, ""},
		"effort of others":    {"meta.llama", llm.Request{Messages: history[:1], Reasoning: &llm.Reasoning{Effort: "low"}}, `"q"`, `low`, "reasoning_effort: left out"},
		"unsigned reasoning":  {"m", llm.Request{Messages: []llm.Message{said(llm.RoleUser, text("q")), said(llm.RoleAssistant, llm.Part{Kind: llm.PartReasoning, Text: "r"}, text("a")), said(llm.RoleUser, text("b"))}}, `"a"`, `"r"`, "messages.reasoning: left out"},
		"signed reasoning":    {"m", llm.Request{Messages: []llm.Message{said(llm.RoleUser, text("q")), said(llm.RoleAssistant, llm.Part{Kind: llm.PartReasoning, Text: "r", Signature: "s"}, text("a")), said(llm.RoleUser, text("b"))}}, `{"reasoningContent":{"reasoningText":{"text":"r","signature":"s"}}}`, ``, ""},
		"cache":               {"anthropic.c", llm.Request{Messages: []llm.Message{said(llm.RoleUser, llm.Part{Text: "q", Cache: &llm.Cache{TTL: "1h"}})}}, `{"text":"q"},{"cachePoint":{"type":"default","ttl":"1h"}}`, ``, ""},
		"cache of others":     {"meta.llama", llm.Request{Messages: []llm.Message{said(llm.RoleUser, llm.Part{Text: "q", Cache: &llm.Cache{}})}}, `"q"`, `cachePoint`, "cache_control: left out"},
		"json_object":         {"m", llm.Request{Messages: history[:1], Format: &llm.Format{Kind: llm.FormatJSON}}, `"system":[{"text":"Answer with one JSON object`, ``, "response_format: json_object"},
		"json_schema":         {"anthropic.c", llm.Request{Messages: history[:1], Format: &llm.Format{Kind: llm.FormatSchema, Name: "n", Schema: []byte(`{"a":1}`)}}, `"structure":{"jsonSchema":{"schema":"{\"a\":1}","name":"n"}}`, ``, ""},
		"stop":                {"anthropic.c", llm.Request{Messages: history[:1], Stop: []string{"\n", "END"}}, `"stopSequences":["END"] & "additionalModelResponseFieldPaths":["/stop_sequence"`, ``, "stop: a sequence"},
		"user":                {"m", llm.Request{Messages: history[:1], User: "a@b.c"}, `"requestMetadata":{"user":"a@b.c"}`, ``, ""},
		"strange user":        {"m", llm.Request{Messages: history[:1], User: "a\"b"}, `"q"`, `requestMetadata`, "safety_identifier: left out"},
		"seed":                {"m", llm.Request{Messages: history[:1], Seed: "1", PresencePenalty: "0"}, `"q"`, `seed`, "seed: left out"},
		"documents": {"m", llm.Request{Messages: []llm.Message{said(llm.RoleUser,
			llm.Part{Kind: llm.PartFile, Media: llm.Media{Type: "application/pdf", Data: "JVBERi0=", Name: "my_report.v2.pdf"}},
			llm.Part{Kind: llm.PartFile, Media: llm.Media{Type: "text/csv", Data: "eA==", Name: "my report v2 pdf"}})}},
			`{"format":"pdf","name":"my report v2 pdf", & {"format":"csv","name":"my report v2 pdf 2",`, ``, ""},
		"image by its bytes": {"m", llm.Request{Messages: []llm.Message{said(llm.RoleUser, llm.Part{Kind: llm.PartImage, Media: llm.Media{Type: "image/png", Data: "/9j/AA=="}})}}, `{"image":{"format":"jpeg","source":{"bytes":"/9j/AA=="}}}`, ``, ""},
		"image as data URL":  {"m", llm.Request{Messages: []llm.Message{said(llm.RoleUser, llm.Part{Kind: llm.PartImage, Media: llm.Media{URL: "data:image/gif;base64,R0lGOD"}})}}, `{"image":{"format":"gif","source":{"bytes":"R0lGOD"}}}`, ``, ""},
		"image in S3":        {"m", llm.Request{Messages: []llm.Message{said(llm.RoleUser, llm.Part{Kind: llm.PartImage, Media: llm.Media{URL: "s3://b/k.png"}})}}, `{"image":{"format":"png","source":{"s3Location":{"uri":"s3://b/k.png"}}}}`, ``, ""},
	} {
		c.req.Op, c.req.Dialect = llm.OpChat, llm.OpenAI
		target := claudeTarget
		target.Model = c.model
		w, err := New().EncodeRequest(&c.req, target)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, has := range strings.Split(c.has, " & ") {
			if !strings.Contains(string(w.Body), has) {
				t.Errorf("%s: no %s in %s", name, has, w.Body)
			}
		}
		if c.lacks != "" && strings.Contains(string(w.Body), c.lacks) {
			t.Errorf("%s: %s in %s", name, c.lacks, w.Body)
		}
		if got := strings.Join(w.Warnings, "; "); (c.warning == "") != (got == "") || !strings.Contains(got, c.warning) {
			t.Errorf("%s: warnings %q", name, got)
		}
	}
}

func TestEncodeRefusals(t *testing.T) {
	image := func(m llm.Media) llm.Request {
		return llm.Request{Messages: []llm.Message{said(llm.RoleUser, llm.Part{Kind: llm.PartImage, Media: m})}}
	}
	q := []llm.Message{said(llm.RoleUser, text("q"))}
	for name, c := range map[string]struct {
		req  llm.Request
		want string
	}{
		"link":          {image(llm.Media{URL: "https://x.example/a.png"}), "Bedrock does not fetch links"},
		"file id":       {image(llm.Media{FileID: "f"}), "uploaded to another provider"},
		"svg":           {image(llm.Media{Type: "image/svg+xml", Data: "PHN2Zz4="}), `takes no image of type "image/svg+xml"`},
		"nothing":       {image(llm.Media{}), "has no content"},
		"n":             {llm.Request{Messages: q, N: 2}, "n: the Converse API gives one answer"},
		"no text":       {llm.Request{Messages: []llm.Message{said(llm.RoleUser, text(" "))}}, "messages: hold no text"},
		"server's tool": {llm.Request{Messages: q, Tools: []llm.Tool{{Type: "web_search"}}}, "no tool of type web_search"},
		"forced tool":   {llm.Request{Messages: q, Tools: []llm.Tool{{Name: "f"}}, ToolChoice: llm.ToolChoice{Mode: llm.ToolRequired}}, "cannot be made to call a tool"},
		"prefill":       {llm.Request{Messages: append(q, said(llm.RoleAssistant, text("a")))}, "does not go on with"},
		"schema":        {llm.Request{Messages: q, Format: &llm.Format{Kind: llm.FormatSchema}}, "no structured output"},
		"foreign part":  {llm.Request{Messages: []llm.Message{said(llm.RoleUser, llm.Part{Kind: llm.PartOther, Type: "x"})}}, "cannot express content of type x"},
		"extra": {llm.Request{Messages: q, Body: llm.Body{Raw: []byte(`{"audio":{}}`)}, Extra: []llm.Member{{Name: "audio", Value: llm.Span{Start: 9, End: 11}}}},
			"audio: the Converse API writes no sound"},
	} {
		c.req.Op, c.req.Dialect = llm.OpChat, llm.OpenAI
		_, err := New().EncodeRequest(&c.req, dialect.Target{Model: "anthropic.c", Rules: llm.Rules{NoForcedTool: true, NoPrefill: true}})
		var e *llm.Error
		if !errors.As(err, &e) || e.Status != 400 || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Ids are at most 64 long, stay apart, and stay as they are where they can.
func TestToolID(t *testing.T) {
	long := strings.Repeat("a", 100)
	for _, id := range []string{"", "a b", "ü", long, long + "b", "call|1"} {
		got := toolID(id)
		if len(got) > maxToolID || strings.IndexFunc(got, notInID) >= 0 || got == toolID(id+"x") {
			t.Errorf("%q: got %q", id, got)
		}
	}
	if got := toolID("functions.f:0"); got != "functions.f:0" {
		t.Errorf("got %q", got)
	}
	if got := (&requestEncoder{family: mistralFamily}).toolID("abcDEF123"); got != "abcDEF123" {
		t.Errorf("got %q", got)
	}
}
