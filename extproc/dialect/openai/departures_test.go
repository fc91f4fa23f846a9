package openai

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestDepartures(t *testing.T) {
	const user = `"messages":[{"role":"user","content":"hi"}]`
	strict := llm.Rules{Members: []string{"model", "messages", "random_seed", "messages[].role", "messages[].content", "messages[].tool_calls"}, SeedField: "random_seed"}
	for _, tt := range []struct {
		name, body, want string
		rules            llm.Rules
		warnings         []string
	}{
		{"nothing to change", `{"model":"m",` + user + `,"seed":1}`, `{"model":"m",` + user + `,"seed":1}`, llm.Rules{MaxTemperature: 1}, nil},
		{"the seed", `{"model":"m","seed":1,` + user + `}`, `{"model":"m",` + user + `,"random_seed":1}`, llm.Rules{SeedField: "random_seed"}, nil},
		{"the seed in both names", `{"seed":1,"model":"m",` + user + `,"random_seed":2}`, `{"model":"m",` + user + `,"random_seed":2}`, llm.Rules{SeedField: "random_seed"}, nil},
		{"the user", `{"model":"m",` + user + `,"safety_identifier":"u"}`, `{"model":"m",` + user + `,"user_id":"u"}`, llm.Rules{UserField: "user_id"}, nil},
		{"Mistral's seed elsewhere", `{"model":"m",` + user + `,"random_seed":1}`, `{"model":"m",` + user + `,"seed":1}`, llm.Rules{}, nil},
		{"Mistral's choice elsewhere", `{"model":"m",` + user + `,"tool_choice":"any"}`, `{"model":"m",` + user + `,"tool_choice":"required"}`, llm.Rules{}, nil},
		{"Mistral's choice", `{"model":"m",` + user + `,"tool_choice":"any"}`, `{"model":"m",` + user + `,"tool_choice":"any"}`, llm.Rules{ToolAny: true}, nil},
		{"a high temperature", `{"model":"m",` + user + `,"temperature": 1.9}`, `{"model":"m",` + user + `,"temperature": 1.5}`, llm.Rules{MaxTemperature: 1.5},
			[]string{"temperature: lowered to 1.5: the server takes no more"}},
		{"a low temperature", `{"model":"m",` + user + `,"temperature":0.5}`, `{"model":"m",` + user + `,"temperature":0.5}`, llm.Rules{MaxTemperature: 1}, nil},
		{"refused members", `{"logprobs":true,"top_logprobs":2,"model":"m","messages":[{"name":"n","role":"user","content":"hi"}]}`,
			`{"model":"m","messages":[{"role":"user","content":"hi"}]}`, llm.Rules{Refused: []string{"logprobs", "top_logprobs", "messages[].name"}},
			[]string{"messages.name: left out", "logprobs: left out", "top_logprobs: left out"}},
		{"members that are not known", `{"store":true,"x":1,"model":"m","y":{"z":1},"messages":[{"a":1,"b":2,"role":"user","c":3,"content":"hi","d":4}],"seed":7}`,
			`{"model":"m","messages":[{"role":"user","content":"hi"}],"random_seed":7}`, strict,
			[]string{"messages.a", "messages.b", "messages.c", "messages.d", "store", "x", "y"}},
		{"an object of nothing but these", `{"model":"m",` + user + `,"stop_at":{"a":1,"b":2}}`, `{"model":"m",` + user + `,"stop_at":{}}`,
			llm.Rules{Refused: []string{"stop_at.a", "stop_at.b"}}, []string{"stop_at.a", "stop_at.b"}},
		{"what is below a member that nobody names", `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"t","x":1}]}]}`,
			`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"t","x":1}]}]}`, strict, nil},
		{"ids of tool calls", `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}},` +
			`{"id":"abcDEF123","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"x"},{"role":"tool","tool_call_id":"abcDEF123","content":"y"}]}`,
			`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"` + shortID("call_1") + `","type":"function","function":{"name":"f","arguments":"{}"}},` +
				`{"id":"abcDEF123","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"` + shortID("call_1") + `","content":"x"},{"role":"tool","tool_call_id":"abcDEF123","content":"y"}]}`,
			llm.Rules{ShortCallIDs: true}, nil},
		{"reasoning before the content", `{"model":"m","messages":[{"role":"assistant","reasoning_content":"why","content":"so"},{"role":"assistant","content":null,"reasoning_content":"a\\nb"},` +
			`{"content":[ {"type":"text","text":"t"}],"role":"assistant","reasoning_content":"c"},{"role":"assistant","content":"d","reasoning_content":""}]}`,
			`{"model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"why"}]},{"type":"text","text":"so"}]},` +
				`{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"a\\nb"}]}]},` +
				`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"c"}]}, {"type":"text","text":"t"}],"role":"assistant"},{"role":"assistant","content":"d"}]}`,
			llm.Rules{ThinkingParts: true, Members: []string{"model", "messages", "messages[].role", "messages[].content"}}, []string{"messages.reasoning_content: left out"}},
		{"sound and documents as text", `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"t"},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},` +
			`{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,BBBB"}},{"type":"file","file":{"file_id":"f"}}]}]}`,
			`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"t"},{"type":"input_audio","input_audio":"AAAA"},` +
				`{"type":"document_url","document_url":"data:application/pdf;base64,BBBB","document_name":"a.pdf"},{"type":"file","file_id":"f"}]}]}`,
			llm.Rules{PlainMedia: true}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := decode(t, tt.body)
			w, err := New().EncodeRequest(r, dialect.Target{Rules: tt.rules})
			if err != nil || string(w.Body) != tt.want {
				t.Fatalf("got\n%s, want\n%s\n%v", w.Body, tt.want, err)
			}
			if len(w.Warnings) != len(tt.warnings) || !slices.EqualFunc(w.Warnings, tt.warnings, strings.HasPrefix) {
				t.Errorf("warnings %q, want %q", w.Warnings, tt.warnings)
			}
		})
	}
}

func TestShortIDs(t *testing.T) {
	a, b := shortID("call_1"), shortID("call_2")
	if !short(a) || !short(b) || a == b || a != shortID("call_1") {
		t.Errorf("%q and %q", a, b)
	}
	for _, id := range []string{"", "abcdefgh", "abcdefghij", "abc_efghi"} {
		if short(id) {
			t.Errorf("%q passes for an id of nine letters and digits", id)
		}
	}
}

// A request that comes from another format departs in the same way, and what
// the server cannot do is refused before it costs anything.
func TestCrossingDepartures(t *testing.T) {
	ask := func(change func(*llm.Request)) *llm.Request {
		r := foreign(change)
		r.Messages = []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{{Text: "hi"}}}}
		return r
	}
	for _, tt := range []struct {
		name   string
		change func(*llm.Request)
		rules  llm.Rules
		want   string // in the body; empty: refused
	}{
		{"the user", func(r *llm.Request) { r.User = "u" }, llm.Rules{UserField: "user"}, `"user":"u"`},
		{"the temperature", func(r *llm.Request) { r.Temperature = "2" }, llm.Rules{MaxTemperature: 1}, `"temperature":1}`},
		{"a level of effort", func(r *llm.Request) { r.Reasoning = &llm.Reasoning{Effort: "max"} },
			llm.Rules{Reasons: true, Efforts: []string{"low", "high"}}, `"reasoning_effort":"high"`},
		{"two answers", func(r *llm.Request) { r.N = 2 }, llm.Rules{OneAnswer: true}, ""},
		{"one answer", func(r *llm.Request) { r.N = 1 }, llm.Rules{OneAnswer: true}, `"n":1`},
		{"two stop words", func(r *llm.Request) { r.Stop = []string{"a", "b"} }, llm.Rules{MaxStop: 1}, ""},
		{"a schema", func(r *llm.Request) { r.Format = &llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{}`)} }, llm.Rules{NoSchema: true}, ""},
		{"JSON", func(r *llm.Request) { r.Format = &llm.Format{Kind: llm.FormatJSON} }, llm.Rules{NoSchema: true}, `"json_object"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := New().EncodeRequest(ask(tt.change), dialect.Target{Model: "m", Rules: tt.rules})
			switch {
			case tt.want == "" && err == nil:
				t.Errorf("not refused: %s", w.Body)
			case tt.want != "" && (err != nil || !strings.Contains(string(w.Body), tt.want)):
				t.Errorf("want %s, got %+v, %v", tt.want, w, err)
			}
		})
	}
}

// Whatever a client sends, a request that departs is JSON, holds nothing that
// the server refuses, and departs in nothing more.
func FuzzDepartures(f *testing.F) {
	f.Add([]byte(`{"model":"m","seed":1,"temperature":9,"messages":[{"role":"user","name":"n","content":[{"type":"text","text":"t","x":1},{"type":"file","file":{"file_id":"f"}}]}]}`))
	f.Add([]byte(`{"x":{},"model":"m","messages":[{"role":"assistant","reasoning_content":"r","content":[],"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}]}`))
	rules := llm.Rules{
		Members: []string{"model", "messages", "random_seed", "temperature", "messages[].role", "messages[].content", "messages[].tool_calls",
			"messages[].tool_call_id", "messages[].content[].type", "messages[].content[].text", "messages[].content[].thinking", "messages[].content[].file_id"},
		SeedField: "random_seed", MaxTemperature: 1.5, ShortCallIDs: true, PlainMedia: true, ThinkingParts: true,
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := New().DecodeRequest(llm.OpChat, body)
		if err != nil {
			return
		}
		w, err := New().EncodeRequest(r, dialect.Target{Rules: rules})
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		if !json.Valid(w.Body) {
			t.Fatalf("not JSON: %s\nfrom %s", w.Body, body)
		}
		again := depart(&dialect.Wire{Body: w.Body}, r, &rules)
		if string(again.Body) != string(w.Body) {
			t.Errorf("it departs once more:\n%s\n%s", w.Body, again.Body)
		}
	})
}
