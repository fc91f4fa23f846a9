package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

var update = flag.Bool("update", false, "write the golden files anew")

const testdata = "../testdata/openai"

// golden compares with a file, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join(testdata, name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", name, got)
	}
}

func full(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "full.json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decode(t testing.TB, body string) *llm.Request {
	t.Helper()
	r, err := New().DecodeRequest(llm.OpChat, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return r
}

// canonical is what a request means, as JSON, without the client's bytes.
func canonical(t *testing.T, r *llm.Request) []byte {
	t.Helper()
	c := *r
	c.Body, c.Messages, c.System = llm.Body{}, nil, plainParts(r.System)
	for _, m := range r.Messages {
		m.Parts = plainParts(m.Parts)
		c.Messages = append(c.Messages, m)
	}
	c.Tools = nil
	for _, tool := range r.Tools {
		tool.Raw = nil
		c.Tools = append(c.Tools, tool)
	}
	out, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func plainParts(parts []llm.Part) []llm.Part {
	var out []llm.Part
	for _, p := range parts {
		p.Raw, p.Parts = nil, plainParts(p.Parts)
		out = append(out, p)
	}
	return out
}

func TestFullRequest(t *testing.T) {
	body := full(t)
	r := decode(t, string(body))
	golden(t, "full.canonical.golden", canonical(t, r))

	w, err := New().EncodeRequest(r, dialect.Target{Model: "gpt-6.1-sol", AskUsage: true})
	if err != nil || len(w.Warnings) != 1 || bytes.Contains(w.Body, []byte("c2lnbmF0dXJl")) {
		t.Errorf("the same dialect: %v, %v\n%s", w.Warnings, err, w.Body)
	}

	foreign := *r
	foreign.Dialect = "another"
	w, err = New().EncodeRequest(&foreign, dialect.Target{Model: "m", Rules: llm.Rules{Reasons: true, ReasoningField: "reasoning_content"}})
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, w.Body, "", "  "); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	for _, warning := range w.Warnings {
		pretty.WriteString("\n// " + warning)
	}
	golden(t, "full.written.golden", append(pretty.Bytes(), '\n'))
}

// Each text knows where it stands in the body, so that a redaction can be made
// there.
func TestTextsKnowTheirPlace(t *testing.T) {
	r := decode(t, string(full(t)))
	n := 0
	var check func(parts []llm.Part)
	check = func(parts []llm.Part) {
		for _, p := range parts {
			check(p.Parts)
			if p.Text == "" || p.At.Empty() {
				continue
			}
			n++
			var text string
			if err := json.Unmarshal(r.Body.Raw[p.At.Start:p.At.End], &text); err != nil || text != p.Text {
				t.Errorf("at the place of %q: %q, %v", p.Text, text, err)
			}
		}
	}
	check(r.System)
	for _, m := range r.Messages {
		check(m.Parts)
	}
	if n != 12 {
		t.Errorf("%d texts have a place", n)
	}
}

func TestRequestRefusals(t *testing.T) {
	const user = `{"role":"user","content":"hi"}`
	for _, tt := range []struct{ body, code, param, message string }{
		{``, "invalid_json", "", "the body is not valid JSON: unexpected end at byte 0"},
		{`{"model":"m","model":"n"}`, "invalid_json", "model", "the body is not valid JSON: duplicate member at byte 13"},
		{`{"model":"m","Model":"n"}`, "invalid_json", "Model", "the body is not valid JSON: duplicate member at byte 13"},
		{`{"model":"m","messages":[` + user + `]} {}`, "invalid_json", "", "the body is not valid JSON: data after the value at byte 58"},
		{`{"messages":[` + user + `]}`, "invalid_request", "model", "is required"},
		{`{"model":"m"}`, "invalid_request", "messages", "is required and must not be empty"},
		{`{"model":"m","messages":[]}`, "invalid_request", "messages", "is required and must not be empty"},
		{`{"model":"m","messages":null}`, "invalid_request", "messages", "is required and must not be empty"},
		{`{"model":7}`, "invalid_request", "model", "must be a string, not a number"},
		{`[]`, "invalid_request", "", "must be an object, not an array"},
		{`{"model":"m","messages":[{"content":"hi"}]}`, "invalid_request", "messages[0].role", "is required"},
		{`{"model":"m","messages":[` + user + `,{"role":"bot","content":"hi"}]}`, "invalid_request", "messages[1].role",
			"must be one of system, developer, user, assistant, tool, function"},
		{`{"model":"m","messages":[{"role":"user","content":7}]}`, "invalid_request", "messages[0].content", "must be a string, not a number"},
		{`{"model":"m","messages":[{"role":"user","content":["hi"]}]}`, "invalid_request", "messages[0].content[0]", "must be an object, not a string"},
		{`{"model":"m","messages":[{"role":"user","content":[{"text":"hi"}]}]}`, "invalid_request", "messages[0].content[0].type", "is required"},
		{`{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}`, "invalid_request", "messages[0].content[0].text", "is required"},
		{`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}`, "invalid_request",
			"messages[0].content[0].image_url.url", "is required"},
		{`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]}`, "invalid_request",
			"messages[0].tool_calls[0].id", "is required"},
		{`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":{}}}]}]}`, "invalid_request",
			"messages[0].tool_calls[0].function.arguments", "must be a string, not an object"},
		{`{"model":"m","messages":[{"role":"tool"}]}`, "invalid_request", "messages[0].tool_call_id", "is required"},
		{`{"model":"m","max_tokens":-1}`, "invalid_request", "max_tokens", "must be at least 1"},
		{`{"model":"m","max_tokens":1.5}`, "invalid_request", "max_tokens", "must be a whole number"},
		{`{"model":"m","n":0}`, "invalid_request", "n", "must be at least 1"},
		{`{"model":"m","temperature":"hot"}`, "invalid_request", "temperature", "must be a number, not a string"},
		{`{"model":"m","stream":1}`, "invalid_request", "stream", "must be a boolean, not a number"},
		{`{"model":"m","stop":[1]}`, "invalid_request", "stop[0]", "must be a string, not a number"},
		{`{"model":"m","tools":[{"type":"function","function":{}}]}`, "invalid_request", "tools[0].function.name", "is required"},
		{`{"model":"m","tools":[{"function":{"name":"f","parameters":[]}}]}`, "invalid_request", "tools[0].function.parameters", "must be an object, not an array"},
		{`{"model":"m","tool_choice":"perhaps"}`, "invalid_request", "tool_choice", "must be one of none, auto, required, or an object"},
		{`{"model":"m","tool_choice":{"type":"function"}}`, "invalid_request", "tool_choice.function.name", "is required"},
		{`{"model":"m","response_format":"json"}`, "invalid_request", "response_format", "must be an object, not a string"},
		{`{"model":"m","response_format":{"type":"json_schema"}}`, "invalid_request", "response_format.json_schema.schema", "is required"},
	} {
		_, err := New().DecodeRequest(llm.OpChat, []byte(tt.body))
		want := &llm.Error{Status: 400, Code: tt.code, Param: tt.param, Message: tt.message}
		var got *llm.Error
		if !errors.As(err, &got) || *got != *want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.body, err, want)
		}
	}
}

func TestRequestMembers(t *testing.T) {
	parts := func(p ...llm.Part) []llm.Part { return p }
	for _, tt := range []struct {
		name, member string // of the only message, or of the body
		want         any
		get          func(*llm.Request) any
	}{
		{"max_tokens alone", `"max_tokens":5`, int64(5), func(r *llm.Request) any { return r.MaxTokens }},
		{"the newer limit goes first", `"max_completion_tokens":7,"max_tokens":5`, int64(7), func(r *llm.Request) any { return r.MaxTokens }},
		{"in either order", `"max_tokens":5,"max_completion_tokens":7`, int64(7), func(r *llm.Request) any { return r.MaxTokens }},
		{"one stop", `"stop":"x"`, []string{"x"}, func(r *llm.Request) any { return r.Stop }},
		{"null is not given", `"stop":null,"n":null,"tools":null,"seed":null,"stream_options":null`, llm.Number(""), func(r *llm.Request) any { return r.Seed }},
		{"a seed keeps its digits", `"seed":9007199254740993`, llm.Number("9007199254740993"), func(r *llm.Request) any { return r.Seed }},
		{"usage in the stream", `"stream_options":{"include_usage":true}`, true, func(r *llm.Request) any { return r.StreamUsage }},
		{"any is required", `"tool_choice":"any"`, llm.ToolChoice{Mode: llm.ToolRequired}, func(r *llm.Request) any { return r.ToolChoice }},
		{"a named tool", `"tool_choice":{"type":"function","function":{"name":"f"}}`, llm.ToolChoice{Mode: llm.ToolNamed, Name: "f"}, func(r *llm.Request) any { return r.ToolChoice }},
		{"thinking", `"thinking":{"type":"enabled","budget_tokens":2048}`, llm.Reasoning{Mode: "enabled", Budget: 2048}, func(r *llm.Request) any { return *r.Reasoning }},
		{"OpenRouter's reasoning", `"reasoning":{"effort":"low","enabled":true}`, llm.Reasoning{Mode: "enabled", Effort: "low"}, func(r *llm.Request) any { return *r.Reasoning }},
		{"user", `"user":"u","safety_identifier":"s"`, "s", func(r *llm.Request) any { return r.User }},
		{"unknown members", `"logit_bias":{},"top_k":4,"min_p":0.1`, []string{"logit_bias", "min_p"}, extras},
		{"unknown nested members", `"stream_options":{"include_obfuscation":false},"response_format":{"type":"grammar"}`,
			[]string{"stream_options.include_obfuscation", "response_format"}, extras},
		{"a tool of another kind", `"tools":[{"type":"custom","custom":{"name":"f"}}]`,
			[]llm.Tool{{Type: "custom", Raw: []byte(`{"type":"custom","custom":{"name":"f"}}`)}}, func(r *llm.Request) any { return r.Tools }},
	} {
		r := decode(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],`+tt.member+`}`)
		if got := tt.get(r); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
	for _, tt := range []struct {
		name, message string
		want          []llm.Part
	}{
		{"role last", `{"content":"hi","role":"user"}`, parts(llm.Part{Text: "hi"})},
		{"image without object", `{"role":"user","content":[{"type":"image_url","image_url":"http://x/y"}]}`,
			parts(llm.Part{Kind: llm.PartImage, Media: llm.Media{URL: "http://x/y"}})},
		{"data URL with parameters and line ends", `{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;charset=utf-8;base64,iVB\nORw="}}]}`,
			parts(llm.Part{Kind: llm.PartImage, Media: llm.Media{Type: "image/png", Data: "iVBORw="}})},
		{"data URL without base64", `{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:text/plain,a%20b"}}]}`,
			parts(llm.Part{Kind: llm.PartImage, Media: llm.Media{Type: "text/plain", Data: "YSBi"}})},
		{"sound", `{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}]}`,
			parts(llm.Part{Kind: llm.PartAudio, Media: llm.Media{Type: "audio/mpeg", Data: "AAAA"}})},
		{"file by id", `{"role":"user","content":[{"type":"file","file":{"file_id":"f1"}}]}`,
			parts(llm.Part{Kind: llm.PartFile, Media: llm.Media{FileID: "f1"}})},
		{"unknown part", `{"role":"user","content":[{"type":"video_url","video_url":{}}]}`,
			parts(llm.Part{Kind: llm.PartOther, Type: "video_url"})},
		{"cache mark of the message", `{"role":"user","content":"hi","cache_control":{"type":"ephemeral","ttl":"1h"}}`,
			parts(llm.Part{Text: "hi", Cache: &llm.Cache{TTL: "1h"}})},
		{"refusal", `{"role":"assistant","refusal":"no"}`, parts(llm.Part{Kind: llm.PartRefusal, Text: "no"})},
		{"reasoning goes first", `{"role":"assistant","content":"a","reasoning":"r"}`,
			parts(llm.Part{Kind: llm.PartReasoning, Text: "r"}, llm.Part{Text: "a"})},
		{"Mistral's thinking", `{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"r"},{"type":"text","text":"s"}]}]}`,
			parts(llm.Part{Kind: llm.PartReasoning, Text: "rs"})},
		{"a signature without its text", `{"role":"assistant","content":"a","reasoning_content":"r","thinking_blocks":[{"type":"thinking","thinking":"","signature":"s"}]}`,
			parts(llm.Part{Kind: llm.PartReasoning, Text: "r", Signature: "s"}, llm.Part{Text: "a"})},
		{"a stream's pieces of a block", `{"role":"assistant","thinking_blocks":[{"type":"thinking","thinking":"r"},{"type":"thinking","thinking":"s","signature":"x"},{"type":"redacted_thinking","data":"d"}]}`,
			parts(llm.Part{Kind: llm.PartReasoning, Text: "rs", Signature: "x"}, llm.Part{Kind: llm.PartRedacted, Signature: "d"})},
		{"signatures that nobody can assign", `{"role":"assistant","reasoning_content":"rs","thinking_blocks":[{"type":"thinking","thinking":"","signature":"x"},{"type":"thinking","thinking":"","signature":"y"}]}`,
			parts(llm.Part{Kind: llm.PartReasoning, Text: "rs"})},
		{"result of a tool", `{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`,
			parts(llm.Part{Kind: llm.PartToolResult, ID: "c", Parts: parts(llm.Part{Text: "a"}, llm.Part{Text: "b"})})},
	} {
		r := decode(t, `{"model":"m","messages":[`+tt.message+`]}`)
		got := plainParts(r.Messages[0].Parts)
		forgetPlaces(got)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func extras(r *llm.Request) any {
	var names []string
	for _, x := range r.Extra {
		names = append(names, x.Name)
	}
	return names
}

func forgetPlaces(parts []llm.Part) {
	for i := range parts {
		parts[i].At = llm.Span{}
		forgetPlaces(parts[i].Parts)
	}
}

func TestEmbeddingsRequest(t *testing.T) {
	for _, tt := range []struct {
		input string
		want  []string
	}{
		{`"a"`, []string{"a"}},
		{`["a","b"]`, []string{"a", "b"}},
		{`[1,2,3]`, nil},
		{`[[1,2],[3]]`, nil},
	} {
		r, err := New().DecodeRequest(llm.OpEmbeddings, []byte(`{"model":"m","input":`+tt.input+`,"encoding_format":"base64"}`))
		var texts []string
		for _, p := range r.Inputs {
			texts = append(texts, p.Text)
			if at := string(r.Body.Raw[p.At.Start:p.At.End]); at != `"`+p.Text+`"` {
				t.Errorf("%s: the place of %q is that of %s", tt.input, p.Text, at)
			}
		}
		if err != nil || !reflect.DeepEqual(texts, tt.want) || !reflect.DeepEqual(extras(r), []string{"encoding_format"}) {
			t.Errorf("%s: got %+v, %v", tt.input, r, err)
		}
	}
	for _, body := range []string{`{"model":"m"}`, `{"model":"m","input":[]}`, `{"model":"m","input":7}`, `{"model":"m","input":["a",{}]}`, `{"input":"a"}`} {
		if r, err := New().DecodeRequest(llm.OpEmbeddings, []byte(body)); err == nil {
			t.Errorf("%s: accepted: %+v", body, r)
		}
	}
}
