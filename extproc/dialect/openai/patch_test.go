package openai

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestSameDialectIsPatched(t *testing.T) {
	const user = `"messages":[{"role":"user","content":"hi"}]`
	for _, tt := range []struct {
		name, body, want string
		target           dialect.Target
		sets             []llm.Set
		warnings         int
	}{
		{name: "the model", body: `{ "model" : "a", ` + user + `,"x":1 }`, target: dialect.Target{Model: "b"},
			want: `{ "model" : "b", ` + user + `,"x":1 }`},
		{name: "usage, asked for the first time", body: `{"model":"a",` + user + `,"stream":true}`, target: dialect.Target{AskUsage: true},
			want: `{"model":"a",` + user + `,"stream":true,"stream_options":{"include_usage":true}}`},
		{name: "usage beside other options", body: `{"model":"a",` + user + `,"stream":true,"stream_options":{"include_usage":false,"include_obfuscation":false}}`,
			target: dialect.Target{AskUsage: true},
			want:   `{"model":"a",` + user + `,"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}`},
		{name: "usage with options null", body: `{"model":"a",` + user + `,"stream":true,"stream_options":null}`, target: dialect.Target{AskUsage: true},
			want: `{"model":"a",` + user + `,"stream":true,"stream_options":{"include_usage":true}}`},
		{name: "no usage without a stream", body: `{"model":"a",` + user + `}`, target: dialect.Target{AskUsage: true},
			want: `{"model":"a",` + user + `}`},
		{name: "a server that knows no options", body: `{"model":"a",` + user + `,"stream":true,"stream_options":{"include_usage":true}}`,
			target: dialect.Target{AskUsage: true, Rules: llm.Rules{NoUsageOption: true}}, warnings: 1,
			want: `{"model":"a",` + user + `,"stream":true}`},
		{name: "a server that knows the old limit", body: `{"model":"a","max_completion_tokens":9,` + user + `}`,
			target: dialect.Target{Rules: llm.Rules{MaxTokensField: "max_tokens"}},
			want:   `{"model":"a",` + user + `,"max_tokens":9}`},
		{name: "the old limit, lowered", body: `{"model":"a",` + user + `,"max_completion_tokens":9}`,
			target: dialect.Target{Rules: llm.Rules{MaxTokensField: "max_tokens"}},
			sets:   []llm.Set{{Name: "max_completion_tokens", Value: []byte("5")}},
			want:   `{"model":"a",` + user + `,"max_tokens":5}`},
		{name: "a limit where there was none", body: `{"model":"a",` + user + `}`,
			target: dialect.Target{Rules: llm.Rules{MaxTokensField: "max_tokens"}},
			sets:   []llm.Set{{Name: "max_completion_tokens", Value: []byte("5")}},
			want:   `{"model":"a",` + user + `,"max_tokens":5}`},
		{name: "both limits", body: `{"model":"a",` + user + `,"max_tokens":7,"max_completion_tokens":9}`,
			target: dialect.Target{Rules: llm.Rules{MaxTokensField: "max_completion_tokens"}},
			want:   `{"model":"a",` + user + `,"max_completion_tokens":9}`},
		{name: "a server that knows only system", body: `{"model":"a","messages":[{"content":"x","role": "developer"},{"role":"user","content":"developer"}]}`,
			target: dialect.Target{Rules: llm.Rules{SystemRole: "system"}},
			want:   `{"model":"a","messages":[{"content":"x","role": "system"},{"role":"user","content":"developer"}]}`},
		{name: "signatures of another provider", warnings: 1,
			body: `{"model":"a","messages":[{"thinking_blocks":[{"type":"thinking","thinking":"r","signature":"s"}],"role":"assistant"},{"role":"assistant" , "thinking_blocks":[{"type":"redacted_thinking","data":"d"}],"content":"x"}]}`,
			want: `{"model":"a","messages":[{"role":"assistant"},{"role":"assistant","content":"x"}]}`},
	} {
		r := decode(t, tt.body)
		r.Sets = tt.sets
		w, err := New().EncodeRequest(r, tt.target)
		if err != nil || string(w.Body) != tt.want || w.Path != "/chat/completions" || len(w.Warnings) != tt.warnings {
			t.Errorf("%s: got %+v, %v\n%s", tt.name, w, err, w.Body)
		}
	}
}

// A redaction made in the client's bytes reaches the provider.
func TestEditsReachTheProvider(t *testing.T) {
	r := decode(t, `{"model":"a","messages":[{"role":"user","content":"my key is 12345"}]}`)
	r.Edits = []llm.Edit{{At: r.Messages[0].Parts[0].At, New: []byte(`"my key is [key]"`)}}
	w, err := New().EncodeRequest(r, dialect.Target{Model: "b", Rules: llm.Rules{SystemRole: "system"}})
	if want := `{"model":"b","messages":[{"role":"user","content":"my key is [key]"}]}`; err != nil || string(w.Body) != want {
		t.Errorf("got %s, %v", w.Body, err)
	}
}

func TestEmbeddingsArePatched(t *testing.T) {
	body := []byte(`{"model":"a","input":[[1,2]],"dimensions":3}`)
	r, err := New().DecodeRequest(llm.OpEmbeddings, body)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New().EncodeRequest(r, dialect.Target{Model: "b"})
	if err != nil || w.Path != "/embeddings" || string(w.Body) != `{"model":"b","input":[[1,2]],"dimensions":3}` {
		t.Errorf("got %+v, %v", w, err)
	}
	r.Dialect = "another"
	var refused *llm.Error
	if _, err := New().EncodeRequest(r, dialect.Target{}); !errors.As(err, &refused) || refused.Code != llm.CodeUnsupported {
		t.Errorf("got %v", err)
	}
}

// foreign is a request of another dialect.
func foreign(change func(*llm.Request)) *llm.Request {
	r := &llm.Request{Op: llm.OpChat, Dialect: llm.Anthropic, Model: "m",
		Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{{Text: "hi"}}}}}
	change(r)
	return r
}

func say(role llm.Role, parts ...llm.Part) func(*llm.Request) {
	return func(r *llm.Request) { r.Messages = []llm.Message{{Role: role, Parts: parts}} }
}

func TestCrossing(t *testing.T) {
	image := llm.Part{Kind: llm.PartImage, Media: llm.Media{Type: "image/png", Data: "AA=="}}
	yes := true
	for _, tt := range []struct {
		name     string
		request  func(*llm.Request)
		rules    llm.Rules
		want     string // in the body
		warnings string // the fields warned about
	}{
		{name: "results go first, images follow", request: say(llm.RoleUser, llm.Part{Text: "so?"},
			llm.Part{Kind: llm.PartToolResult, ID: "a", Parts: []llm.Part{{Text: "1"}, image}},
			llm.Part{Kind: llm.PartToolResult, ID: "b", IsError: true, Parts: []llm.Part{{Text: "2"}}}),
			want: `"messages":[{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"Error: 2"},` +
				`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"text","text":"so?"}]}]`},
		{name: "a result of images alone", request: say(llm.RoleUser, llm.Part{Kind: llm.PartToolResult, ID: "a", Parts: []llm.Part{image}}),
			want: `{"role":"tool","tool_call_id":"a","content":"The result follows in the next message."},{"role":"user"`},
		{name: "texts of an answer become one", request: say(llm.RoleAssistant, llm.Part{Text: "a"}, llm.Part{Text: "b"}),
			want: `"messages":[{"role":"assistant","content":"ab"}]`},
		{name: "an empty turn is no turn", request: say(llm.RoleUser, llm.Part{Text: ""}), want: `"messages":[]`},
		{name: "no arguments are an object", request: say(llm.RoleAssistant, llm.Part{Kind: llm.PartToolCall, ID: "a", Name: "f"}),
			want: `{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}`},
		{name: "reasoning is not sent", request: say(llm.RoleAssistant, llm.Part{Kind: llm.PartReasoning, Text: "r", Signature: "s"}, llm.Part{Text: "a"}),
			want: `[{"role":"assistant","content":"a"}]`, warnings: "messages.thinking"},
		{name: "reasoning is sent where it must be", request: say(llm.RoleAssistant, llm.Part{Kind: llm.PartReasoning, Text: "r", Signature: "s"}, llm.Part{Text: "a"}),
			rules: llm.Rules{ReasoningField: "reasoning_content"},
			want:  `[{"role":"assistant","content":"a","reasoning_content":"r"}]`},
		{name: "text documents are text", request: say(llm.RoleUser, llm.Part{Kind: llm.PartFile, Media: llm.Media{Type: "text/plain", Data: "aGk="}}),
			want: `"content":[{"type":"text","text":"hi"}]`},
		{name: "nothing breaks out of its quotes", request: say(llm.RoleUser, llm.Part{Kind: llm.PartImage, Media: llm.Media{Type: `image/"`, Data: `AA==`}}),
			want: `{"url":"data:image/\";base64,AA=="}}`},
		{name: "PDF needs a name", request: say(llm.RoleUser, llm.Part{Kind: llm.PartFile, Media: llm.Media{Type: "application/pdf", Data: "JVBE"}}),
			want: `{"type":"file","file":{"filename":"document.pdf","file_data":"data:application/pdf;base64,JVBE"}}`},
		{name: "instructions", request: func(r *llm.Request) { r.System = []llm.Part{{Text: "a", Cache: &llm.Cache{}}, {Text: "b"}} },
			rules:    llm.Rules{SystemRole: "developer"},
			want:     `[{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},`,
			warnings: "cache_control"},
		{name: "tools", request: func(r *llm.Request) {
			r.Tools = []llm.Tool{{Name: "f"}, {Name: "g", Description: "d", Schema: []byte(`{"type":"object"}`), Strict: &yes}}
			r.ToolChoice, r.SerialTools = llm.ToolChoice{Mode: llm.ToolNamed, Name: "g"}, true
		}, want: `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}},` +
			`{"type":"function","function":{"name":"g","description":"d","parameters":{"type":"object"},"strict":true}}],` +
			`"parallel_tool_calls":false,"tool_choice":{"type":"function","function":{"name":"g"}}`},
		{name: "arguments are an object", request: func(r *llm.Request) {
			r.Tools = []llm.Tool{{Name: "f", Schema: []byte(`{}`)}, {Name: "g", Schema: []byte(` { "properties":{}}`)}}
		}, want: `"name":"f","parameters":{"type":"object","properties":{}}}},{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}]`},
		{name: "no choice without tools", request: func(r *llm.Request) { r.ToolChoice.Mode, r.SerialTools = llm.ToolAuto, true },
			want: `"content":"hi"}]}`},
		{name: "the old limit", request: func(r *llm.Request) { r.MaxTokens = 5 }, rules: llm.Rules{MaxTokensField: "max_tokens"}, want: `,"max_tokens":5`},
		{name: "sampling refused", request: func(r *llm.Request) { r.Temperature, r.TopP, r.TopK = "1", "0.5", "3" },
			rules: llm.Rules{NoSampling: true}, want: `"content":"hi"}]}`, warnings: "temperature top_p top_k"},
		{name: "a budget is an effort", request: func(r *llm.Request) { r.Reasoning = &llm.Reasoning{Mode: "enabled", Budget: 10000} },
			rules: llm.Rules{Reasons: true}, want: `"reasoning_effort":"medium"`, warnings: "thinking.budget_tokens"},
		{name: "no reasoning", request: func(r *llm.Request) { r.Reasoning = &llm.Reasoning{Mode: "disabled"} },
			rules: llm.Rules{Reasons: true}, want: `"reasoning_effort":"none"`},
		{name: "a model that does not reason", request: func(r *llm.Request) { r.Reasoning = &llm.Reasoning{Effort: "high"} },
			want: `"content":"hi"}]}`, warnings: "thinking"},
		{name: "a model that always reasons", request: func(r *llm.Request) { r.Reasoning = &llm.Reasoning{Mode: "disabled"} },
			rules: llm.Rules{Reasons: true, NoThinkingOff: true}, want: `"content":"hi"}]}`, warnings: "thinking"},
		{name: "streams report usage", request: func(r *llm.Request) { r.Stream = true }, want: `,"stream":true,"stream_options":{"include_usage":true}}`},
		{name: "unless they cannot", request: func(r *llm.Request) { r.Stream = true }, rules: llm.Rules{NoUsageOption: true}, want: `,"stream":true}`},
		{name: "tiers", request: func(r *llm.Request) { r.ServiceTier = "standard_only" }, want: `"service_tier":"default"`},
		{name: "other tiers", request: func(r *llm.Request) { r.ServiceTier = "batch" }, want: `"content":"hi"}]}`, warnings: "service_tier"},
		{name: "a long user", request: func(r *llm.Request) { r.User = strings.Repeat("x", 129) }, want: `"content":"hi"}]}`, warnings: "metadata.user_id"},
		{name: "a schema", request: func(r *llm.Request) {
			r.Format = &llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{"type":"object"}`)}
		}, want: `"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}}`},
	} {
		w, err := New().EncodeRequest(foreign(tt.request), dialect.Target{Model: "m", Rules: tt.rules})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !strings.Contains(string(w.Body), tt.want) {
			t.Errorf("%s: got %s", tt.name, w.Body)
		}
		var fields []string
		for _, s := range w.Warnings {
			field, _, _ := strings.Cut(s, ":")
			fields = append(fields, field)
		}
		if got := strings.Join(fields, " "); got != tt.warnings {
			t.Errorf("%s: warned about %q", tt.name, w.Warnings)
		}
	}
}

func TestCrossingRefusals(t *testing.T) {
	for _, tt := range []struct {
		param   string
		request func(*llm.Request)
		rules   llm.Rules
	}{
		{param: "stop_sequences", request: func(r *llm.Request) { r.Stop = slices.Repeat([]string{"x"}, 5) }},
		{param: "tools", request: func(r *llm.Request) { r.Tools = []llm.Tool{{Type: "web_search_20260209"}} }},
		{param: "tool_choice", rules: llm.Rules{NoForcedTool: true}, request: func(r *llm.Request) {
			r.Tools, r.ToolChoice.Mode = []llm.Tool{{Name: "f"}}, llm.ToolRequired
		}},
		{param: "messages", rules: llm.Rules{NoPrefill: true}, request: say(llm.RoleAssistant, llm.Part{Text: "I"})},
		{param: "messages", request: say(llm.RoleUser, llm.Part{Text: "a"}, llm.Part{Kind: llm.PartOther, Type: "container_upload"})},
		{param: "messages", request: say(llm.RoleAssistant, llm.Part{Kind: llm.PartOther, Type: "server_tool_use"})},
		{param: "messages", request: say(llm.RoleUser, llm.Part{Kind: llm.PartImage, Media: llm.Media{FileID: "f"}})},
		{param: "messages", request: say(llm.RoleUser, llm.Part{Kind: llm.PartFile, Media: llm.Media{URL: "https://x/y.pdf"}})},
		{param: "messages", request: say(llm.RoleUser, llm.Part{Kind: llm.PartAudio, Media: llm.Media{Type: "audio/ogg", Data: "AA"}})},
		{param: "messages", request: say(llm.RoleUser,
			llm.Part{Kind: llm.PartToolResult, Parts: []llm.Part{{Kind: llm.PartOther, Type: "tool_reference"}}})},
	} {
		_, err := New().EncodeRequest(foreign(tt.request), dialect.Target{Model: "m", Rules: tt.rules})
		var got *llm.Error
		if !errors.As(err, &got) || got.Status != 400 || got.Code != llm.CodeUnsupported || got.Param != tt.param {
			t.Errorf("%s: got %v", tt.param, err)
		}
	}
}

func TestMember(t *testing.T) {
	for field, want := range map[string][]string{"max_tokens": {"max_completion_tokens", "max_tokens"}, "seed": {"seed"}, "stop": {"stop"}, "unheard_of": nil} {
		if got := New().Member(field); !slices.Equal(got, want) {
			t.Errorf("%s: got %v", field, got)
		}
	}
}
