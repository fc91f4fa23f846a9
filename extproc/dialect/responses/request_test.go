package responses

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// sample reads a file of the cases that the dialects share.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../testdata/responses/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeRequest(t testing.TB, body string) *llm.Request {
	t.Helper()
	r, err := New().DecodeRequest(llm.OpChat, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRequestMembers(t *testing.T) {
	r := decodeRequest(t, string(sample(t, "full.json")))
	roles := func() (all []llm.Role) {
		for _, m := range r.Messages {
			all = append(all, m.Role)
		}
		return all
	}
	var kinds []llm.PartKind
	for _, p := range r.Messages[1].Parts {
		kinds = append(kinds, p.Kind)
	}
	extra := func() (all []string) {
		for _, m := range r.Extra {
			all = append(all, m.Name)
		}
		return all
	}
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"model", r.Model, "gpt-6.1-sol"},
		{"stream", []bool{r.Stream, r.StreamUsage}, []bool{true, true}},
		{"instructions", []string{r.System[0].Text, r.System[1].Text}, []string{"Answer in one sentence.", "The user is an astronomer."}},
		{"roles", roles(), []llm.Role{"user", "assistant", "user", "user", "system", "assistant", "user"}},
		{"one turn of the model", kinds, []llm.PartKind{llm.PartReasoning, llm.PartReasoning, llm.PartText, llm.PartToolCall, llm.PartToolCall}},
		{"own signature", r.Messages[1].Parts[0].Signature, "attache:responses:gAAAAABo"},
		{"Anthropic's signature", r.Messages[1].Parts[1].Signature, "ErcB"},
		{"call", r.Messages[1].Parts[3].ID + r.Messages[1].Parts[3].Text, `call_1{"at":"moon", "n":1e21}`},
		{"results", r.Messages[2].Parts[0].ID + " " + r.Messages[2].Parts[1].Parts[0].Text, "call_1 12:00"},
		{"cache", *r.Messages[0].Parts[0].Cache, llm.Cache{TTL: "12h"}},
		{"image", r.Messages[0].Parts[1].Media, llm.Media{Type: "image/png", Data: "iVBORw0KGgo=", Detail: "low"}},
		{"link", r.Messages[0].Parts[2].Media, llm.Media{URL: "https://example.com/moon.png", Detail: "auto"}},
		{"file", r.Messages[0].Parts[3].Media, llm.Media{Type: "application/pdf", Data: "JVBERi0xLjQK", Name: "paper.pdf"}},
		{"tools", []any{r.Tools[0].Name, *r.Tools[0].Strict, r.Tools[1].Schema == nil}, []any{"look", true, true}},
		{"choice", r.ToolChoice, llm.ToolChoice{Mode: "auto", Allowed: []string{"look", "now"}}},
		{"limits", []any{r.MaxTokens, r.Temperature, r.TopP, r.SerialTools}, []any{int64(2000), llm.Number("1"), llm.Number("0.95"), true}},
		{"format", []any{r.Format.Kind, r.Format.Name, *r.Format.Strict}, []any{llm.FormatSchema, "verdict", true}},
		{"reasoning", *r.Reasoning, llm.Reasoning{Effort: "high", Display: "summarized"}},
		{"user", r.User + " " + r.ServiceTier, "u-7f3a auto"},
		{"extra", extra(), []string{"input[].phase", "text.verbosity", "store", "stream_options.include_obfuscation", "metadata", "truncation"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.what, c.got, c.want)
		}
	}
}

// Every text that a guard may change is where the request says it is.
func TestTextsHavePlaces(t *testing.T) {
	r := decodeRequest(t, string(sample(t, "full.json")))
	n := 0
	var check func(parts []llm.Part)
	check = func(parts []llm.Part) {
		for _, p := range parts {
			check(p.Parts)
			if p.At.Empty() {
				continue
			}
			n++
			again := decodeRequest(t, `{"model":"m","input":`+string(r.Body.Raw[p.At.Start:p.At.End])+`}`)
			if got := again.Messages[0].Parts[0].Text; got != p.Text {
				t.Errorf("at %v stands %q, not %q", p.At, got, p.Text)
			}
		}
	}
	check(r.System)
	for _, m := range r.Messages {
		check(m.Parts)
	}
	if n < 14 {
		t.Errorf("only %d texts have a place", n)
	}
}

func TestBadRequests(t *testing.T) {
	for _, c := range []struct{ body, code, param string }{
		{`{"model":"m"}`, llm.CodeInvalidRequest, "input"},
		{`{"input":"x"}`, llm.CodeInvalidRequest, "model"},
		{`{"model":"m","input":"x"`, llm.CodeInvalidJSON, "input"},
		{`{"model":"m","input":"x","Input":"y"}`, llm.CodeInvalidJSON, "Input"},
		{`{"model":"m","input":7}`, llm.CodeInvalidRequest, "input"},
		{`{"model":"m","input":[{"role":"robot","content":"x"}]}`, llm.CodeInvalidRequest, "input[0].role"},
		{`{"model":"m","input":[{"content":"x"}]}`, llm.CodeInvalidRequest, "input[0].role"},
		{`{"model":"m","input":[{"role":"user"}]}`, llm.CodeInvalidRequest, "input[0].content"},
		{`{"model":"m","input":[{"role":"user","content":[{"type":"input_text"}]}]}`, llm.CodeInvalidRequest, "input[0].content[0].text"},
		{`{"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]}`, llm.CodeInvalidRequest, "input[0].content[0].image_url"},
		{`{"model":"m","input":[{"type":"function_call","name":"f"}]}`, llm.CodeInvalidRequest, "input[0].call_id"},
		{`{"model":"m","input":[{"type":"function_call","call_id":"c"}]}`, llm.CodeInvalidRequest, "input[0].name"},
		{`{"model":"m","input":[{"type":"function_call_output","call_id":"c"}]}`, llm.CodeInvalidRequest, "input[0].output"},
		{`{"model":"m","input":"x","max_output_tokens":0}`, llm.CodeInvalidRequest, "max_output_tokens"},
		{`{"model":"m","input":"x","tools":[{"type":"function"}]}`, llm.CodeInvalidRequest, "tools[0].name"},
		{`{"model":"m","input":"x","tools":[{"name":"f"}]}`, llm.CodeInvalidRequest, "tools[0].type"},
		{`{"model":"m","input":"x","tool_choice":"must"}`, llm.CodeInvalidRequest, "tool_choice"},
		{`{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n"}}}`, llm.CodeInvalidRequest, "text.format.schema"},
	} {
		_, err := New().DecodeRequest(llm.OpChat, []byte(c.body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Status != 400 || e.Code != c.code || e.Param != c.param {
			t.Errorf("%s: got %v", c.body, err)
		}
	}
}

// A target of the same dialect gets the client's bytes, but for the model and
// for reasoning that another dialect's provider wrote.
func TestPatch(t *testing.T) {
	const foreign = `{"type":"reasoning","summary":[],"encrypted_content":"attache:anthropic:x"}`
	const own = `{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}`
	const said = `{"role":"user","content":"x"}`
	for _, c := range []struct{ in, want string }{
		{said + ` , ` + foreign + `, ` + said, said + `, ` + said},
		{foreign + ` , ` + said, said},
		{foreign + `,` + foreign + ` ,` + own + `,` + foreign, own},
		{own + `, ` + said, own + `, ` + said},
		{foreign, ``},
	} {
		const head, tail = `{"future":[1], "input": [ `, ` ], "model":"a","previous_response_id":"resp_1"}`
		r := decodeRequest(t, head+c.in+tail)
		w, err := New().EncodeRequest(r, dialect.Target{Model: "b"})
		if err != nil {
			t.Fatal(err)
		}
		if want := head + c.want + strings.Replace(tail, `"a"`, `"b"`, 1); string(w.Body) != want || w.Path != "/responses" {
			t.Errorf("%s:\n got %s\nwant %s", c.in, w.Body, want)
		}
	}
}

// What the canonical form holds and the format does not is refused or warned
// about, named as the client of the other dialect wrote it.
func TestRefusals(t *testing.T) {
	user := func(p llm.Part) llm.Request {
		return llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{p}}}}
	}
	for _, c := range []struct {
		name   string
		req    llm.Request
		rules  llm.Rules
		param  string
		warned []string
	}{
		{name: "several answers", req: llm.Request{N: 2}, param: "n"},
		{name: "stop sequences", req: llm.Request{Dialect: llm.Anthropic, Stop: []string{"x"}}, param: "stop_sequences"},
		{name: "sound", req: user(llm.Part{Kind: llm.PartAudio}), param: "messages"},
		{name: "uploaded file", req: user(llm.Part{Kind: llm.PartFile, Media: llm.Media{FileID: "f"}}), param: "messages"},
		{name: "image of the model", req: llm.Request{Messages: []llm.Message{{Role: llm.RoleAssistant, Parts: []llm.Part{{Kind: llm.PartImage}}}}}, param: "messages"},
		{name: "tool of the provider", req: llm.Request{Tools: []llm.Tool{{Name: "f"}, {Type: "web"}}}, param: "tools"},
		{name: "forced tool", req: llm.Request{Tools: []llm.Tool{{Name: "f"}}, ToolChoice: llm.ToolChoice{Mode: llm.ToolRequired}}, rules: llm.Rules{NoForcedTool: true}, param: "tool_choice"},
		{name: "prefill", req: llm.Request{Messages: []llm.Message{{Role: llm.RoleAssistant, Parts: []llm.Part{{Text: "x"}}}}}, rules: llm.Rules{NoPrefill: true}, param: "messages[0]"},
		{name: "embeddings", req: llm.Request{Op: llm.OpEmbeddings}},
		{name: "penalties", req: llm.Request{FrequencyPenalty: "0", PresencePenalty: "0.5", Seed: "0"},
			warned: []string{"seed: left out: the Responses API has no such control", "presence_penalty: left out: the Responses API has no such control"}},
		{name: "few tokens", req: llm.Request{MaxTokens: 1, Dialect: llm.OpenAI}, warned: []string{"max_completion_tokens: became 16, the least that the Responses API takes"}},
		{name: "sampling", req: llm.Request{Temperature: "1"}, rules: llm.Rules{NoSampling: true}, warned: []string{"temperature: left out: the model takes no sampling parameters"}},
		{name: "reasoning", req: llm.Request{Dialect: llm.OpenAI, Reasoning: &llm.Reasoning{Effort: "low"}}, warned: []string{"reasoning_effort: left out: the model does not reason"}},
		{name: "long user", req: llm.Request{User: strings.Repeat("x", 65)}, warned: []string{"user: left out: it is longer than 64 bytes"}},
	} {
		c.req.Op = max(c.req.Op, llm.OpChat)
		c.req.Dialect = max(c.req.Dialect, "another")
		w, err := New().EncodeRequest(&c.req, dialect.Target{Model: "m", Rules: c.rules})
		var e *llm.Error
		switch {
		case c.warned != nil:
			if err != nil || !slices.Equal(w.Warnings, c.warned) {
				t.Errorf("%s: %v, %+v", c.name, err, w)
			}
		case !errors.As(err, &e) || e.Status != 400 || e.Code != llm.CodeUnsupported || e.Param != c.param:
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestWrittenRequests(t *testing.T) {
	long := strings.Repeat("x", 65)
	call := llm.Message{Role: llm.RoleAssistant, Parts: []llm.Part{{Kind: llm.PartToolCall, ID: long, Name: "f"}}}
	result := llm.Message{Role: llm.RoleUser, Parts: []llm.Part{{Text: "and"}, {Kind: llm.PartToolResult, ID: long, Parts: []llm.Part{{Text: "1"}}}}}
	strict := true
	for _, c := range []struct {
		name  string
		req   llm.Request
		rules llm.Rules
		want  string
	}{
		{"nothing", llm.Request{}, llm.Rules{}, `{"model":"m","input":[],"store":false}`},
		{"long ids, results first", llm.Request{Messages: []llm.Message{call, result}}, llm.Rules{},
			`{"model":"m","input":[{"type":"function_call","call_id":"call_9537c5fdf120482f7d58d25e9ed583f5","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"call_9537c5fdf120482f7d58d25e9ed583f5","output":"1"},{"type":"message","role":"user","content":[{"type":"input_text","text":"and"}]}],"store":false}`},
		{"strictness is said", llm.Request{Tools: []llm.Tool{{Name: "f"}, {Name: "g", Strict: &strict, Schema: []byte(`{"type":"object"}`)}}}, llm.Rules{},
			`{"model":"m","input":[],"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false},{"type":"function","name":"g","parameters":{"type":"object"},"strict":true}],"store":false}`},
		{"thoughts to be seen", llm.Request{Stream: true, Reasoning: &llm.Reasoning{Mode: "enabled", Budget: 5000}}, llm.Rules{Reasons: true},
			`{"model":"m","input":[],"include":["reasoning.encrypted_content"],"reasoning":{"effort":"medium","summary":"auto"},"stream":true,"store":false}`},
		{"no thoughts", llm.Request{Reasoning: &llm.Reasoning{Mode: "disabled"}}, llm.Rules{Reasons: true},
			`{"model":"m","input":[],"include":["reasoning.encrypted_content"],"reasoning":{"effort":"none"},"store":false}`},
		{"own reasoning", llm.Request{Messages: []llm.Message{{Role: llm.RoleAssistant, Parts: []llm.Part{
			{Kind: llm.PartReasoning, Text: "hm", Signature: "attache:responses:gA"}, {Kind: llm.PartReasoning, Text: "x", Signature: "ErcB"}, {Text: "a"}, {Text: "b"}}}}}, llm.Rules{},
			`{"model":"m","input":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gA"},{"type":"message","role":"assistant","content":"ab"}],"store":false}`},
	} {
		c.req.Op, c.req.Dialect = llm.OpChat, "another"
		w, err := New().EncodeRequest(&c.req, dialect.Target{Model: "m", Rules: c.rules})
		if err != nil || string(w.Body) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, err, w.Body, c.want)
		}
	}
}
