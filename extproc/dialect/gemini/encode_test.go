package gemini

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

var (
	levels  = llm.Rules{Reasons: true, Adaptive: true, NoBudget: true, NativeSchema: true, SignedCalls: true}
	budgets = llm.Rules{Reasons: true, NativeSchema: true, MaxBudget: 24576}
)

func text(s string) llm.Part { return llm.Part{Text: s} }

func user(parts ...llm.Part) llm.Message { return llm.Message{Role: llm.RoleUser, Parts: parts} }

func assistant(parts ...llm.Part) llm.Message {
	return llm.Message{Role: llm.RoleAssistant, Parts: parts}
}

func called(id string) llm.Part {
	return llm.Part{Kind: llm.PartToolCall, ID: id, Name: "f" + id, Text: `{"x":1}`}
}

func returned(id, s string) llm.Part {
	return llm.Part{Kind: llm.PartToolResult, ID: id, Parts: []llm.Part{text(s)}}
}

// What becomes of each thing that a request of another dialect can say.
func TestRequestsOfOthers(t *testing.T) {
	for _, c := range []struct {
		name  string
		r     llm.Request
		rules llm.Rules
		want  string // the body; or the refusal's param and message
		warns string // fields
	}{
		{name: "text", r: llm.Request{System: []llm.Part{text("s"), text("")}, Messages: []llm.Message{user(text("a"), text("b"))}},
			want: `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}],"systemInstruction":{"parts":[{"text":"s"}]}}`},
		{name: "turns are merged, instructions keep their place", r: llm.Request{Messages: []llm.Message{user(text("a")),
			{Role: llm.RoleSystem, Parts: []llm.Part{text("s")}}, assistant(text("b")), assistant(text("c")), user(text("d"))}},
			want: `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"<system>\ns\n</system>"}]},{"role":"model","parts":[{"text":"b"},{"text":"c"}]},{"role":"user","parts":[{"text":"d"}]}]}`},
		{name: "instructions alone", r: llm.Request{System: []llm.Part{text("s")}},
			want: `{"contents":[{"role":"user","parts":[{"text":"s"}]}]}`, warns: "messages"},
		{name: "nothing", r: llm.Request{Messages: []llm.Message{user(text(""))}}, want: "messages: hold no text"},
		{name: "results in the order of the calls, one for each, before the rest", r: llm.Request{Messages: []llm.Message{
			assistant(called("1"), called("2"), called("3")), user(text("t"), returned("3", "c"), returned("1", `{"a":1}`))}},
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f1","args":{"x":1}}},{"functionCall":{"id":"2","name":"f2","args":{"x":1}}},{"functionCall":{"id":"3","name":"f3","args":{"x":1}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f1","response":{"a":1}}},{"functionResponse":{"id":"2","name":"f2","response":{"error":"the call was not answered"}}},{"functionResponse":{"id":"3","name":"f3","response":{"output":"c"}}}]},` +
				`{"role":"user","parts":[{"text":"t"}]}]}`, warns: "messages"},
		{name: "a result with a reference is text", r: llm.Request{Messages: []llm.Message{assistant(called("1")), user(returned("1", `{"$ref":"x"}`))}},
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f1","args":{"x":1}}}]},{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f1","response":{"output":"{\"$ref\":\"x\"}"}}}]}]}`},
		{name: "an image in a result", r: llm.Request{Messages: []llm.Message{assistant(called("1")), user(llm.Part{Kind: llm.PartToolResult, ID: "1",
			Parts: []llm.Part{{Kind: llm.PartImage, Media: llm.Media{Type: "image/webp", Data: "UklG"}}}})}},
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f1","args":{"x":1}}}]},{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f1","response":{"output":"The result follows."}}}]},` +
				`{"role":"user","parts":[{"inlineData":{"mimeType":"image/webp","data":"UklG"}}]}]}`},
		{name: "a result of nothing", r: llm.Request{Messages: []llm.Message{user(returned("9", "x"))}}, want: "messages: is the result of a tool call"},
		{name: "broken arguments", r: llm.Request{Messages: []llm.Message{assistant(llm.Part{Kind: llm.PartToolCall, ID: "1", Name: "f", Text: "{"})}},
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{"arguments":"{"}}}]}]}`, warns: "messages.tool_calls"},
		{name: "prefill that the model refuses", r: llm.Request{Messages: []llm.Message{assistant(text("a"))}}, rules: llm.Rules{NoPrefill: true},
			want: "messages: the model m does not go on"},
		{name: "unsigned calls", r: llm.Request{Messages: []llm.Message{assistant(called("1"), called("2")), user(returned("1", "a"), returned("2", "b"))}}, rules: levels,
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f1","args":{"x":1}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"2","name":"f2","args":{"x":1}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f1","response":{"output":"a"}}},{"functionResponse":{"id":"2","name":"f2","response":{"output":"b"}}}]}]}`},
		{name: "reasoning", r: llm.Request{Messages: []llm.Message{assistant(
			llm.Part{Kind: llm.PartReasoning, Text: "r", Signature: "attache:gemini:cg=="}, llm.Part{Kind: llm.PartReasoning, Text: "foreign", Signature: "EqQB"},
			llm.Part{Kind: llm.PartReasoning, Signature: "attache:gemini:YQ=="}, text("a"),
			llm.Part{Kind: llm.PartReasoning, Signature: "attache:gemini:Yg=="}, called("1"), llm.Part{Kind: llm.PartRedacted, Signature: "x"})}}, rules: levels,
			want:  `{"contents":[{"role":"model","parts":[{"text":"r","thought":true,"thoughtSignature":"cg=="},{"text":"","thoughtSignature":"YQ=="},{"text":"a"},{"functionCall":{"id":"1","name":"f1","args":{"x":1}},"thoughtSignature":"Yg=="}]}]}`,
			warns: "messages.reasoning messages.reasoning"},
		{name: "media", r: llm.Request{Messages: []llm.Message{user(
			llm.Part{Kind: llm.PartImage, Media: llm.Media{Type: "image/jpg", Data: "iVBORw0KGgo", Detail: "high"}},
			llm.Part{Kind: llm.PartImage, Media: llm.Media{URL: "https://e.com/x?y=.png"}},
			llm.Part{Kind: llm.PartFile, Media: llm.Media{URL: "https://e.com/x.pdf?y"}},
			llm.Part{Kind: llm.PartAudio, Media: llm.Media{Type: "audio/wav", Data: "UklG"}})}},
			want: `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo"}},{"fileData":{"mimeType":"image/jpeg","fileUri":"https://e.com/x?y=.png"}},` +
				`{"fileData":{"mimeType":"application/pdf","fileUri":"https://e.com/x.pdf?y"}},{"inlineData":{"mimeType":"audio/wav","data":"UklG"}}]}]}`, warns: "image_url.detail"},
		{name: "another's file", r: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartFile, Media: llm.Media{FileID: "file-1"}})}}, want: "messages: a file that was uploaded"},
		{name: "a strange link", r: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartImage, Media: llm.Media{URL: "file:///etc/passwd"}})}}, want: "messages: the URL of an image"},
		{name: "unknown content", r: llm.Request{Messages: []llm.Message{user(llm.Part{Kind: llm.PartOther, Type: "x"})}}, want: "messages: the Gemini API cannot express content of type x"},
		{name: "settings", r: llm.Request{Messages: []llm.Message{user(text("a"))}, MaxTokens: 9, N: 2, Temperature: "1", TopP: "0.5", TopK: "4", Seed: "1", FrequencyPenalty: "0.1", Stop: []string{"x", "y"}, ServiceTier: "default", User: "u"},
			want: `{"contents":[{"role":"user","parts":[{"text":"a"}]}],"generationConfig":{"maxOutputTokens":9,"temperature":1,"topP":0.5,"topK":4,"seed":1,"frequencyPenalty":0.1,"candidateCount":2,"stopSequences":["x","y"]},"serviceTier":"standard"}`, warns: "user"},
		{name: "settings that the model refuses", r: llm.Request{Messages: []llm.Message{user(text("a"))}, Temperature: "1", FrequencyPenalty: "0.1", PresencePenalty: "0"}, rules: llm.Rules{NoSampling: true, NoPenalties: true},
			want: `{"contents":[{"role":"user","parts":[{"text":"a"}]}]}`, warns: "temperature frequency_penalty"},
		{name: "too many stops", r: llm.Request{Messages: []llm.Message{user(text("a"))}, Stop: make([]string, 6)}, want: "stop: the Gemini API takes at most 5"},
		{name: "JSON", r: llm.Request{Messages: []llm.Message{user(text("a"))}, Format: &llm.Format{Kind: llm.FormatJSON}},
			want: `{"contents":[{"role":"user","parts":[{"text":"a"}]}],"generationConfig":{"responseMimeType":"application/json"}}`},
		{name: "a schema, without const", r: llm.Request{Messages: []llm.Message{user(text("a"))}, Format: &llm.Format{Kind: llm.FormatSchema,
			Schema: []byte(`{"$defs":{"const":{"const":1}},"properties":{"const":{"const":"x","type":"string"},"a":{"anyOf":[{"enum":["x"],"const":"x"}],"default":{"const":2}}}}`)}},
			want: `{"contents":[{"role":"user","parts":[{"text":"a"}]}],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":` +
				`{"$defs":{"const":{"enum":[1]}},"properties":{"const":{"enum":["x"],"type":"string"},"a":{"anyOf":[{"enum":["x"]}],"default":{"const":2}}}}}}`},
		{name: "a schema and tools", r: llm.Request{Messages: []llm.Message{user(text("a"))}, Format: &llm.Format{Kind: llm.FormatJSON}, Tools: []llm.Tool{{Name: "f"}}}, rules: llm.Rules{SchemaOrTools: true},
			want: "response_format: the model m takes tools or structured output"},
		{name: "tools", r: llm.Request{Messages: []llm.Message{user(text("a"))}, SerialTools: true, ToolChoice: llm.ToolChoice{Mode: llm.ToolNamed, Name: "f"},
			Tools: []llm.Tool{{Name: "f", Description: "d", Schema: []byte(`{"properties":{}}`)}, {Name: "g", Schema: []byte(`{}`)}}},
			want:  `{"contents":[{"role":"user","parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"properties":{},"type":"object"}},{"name":"g"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}}`,
			warns: "parallel_tool_calls"},
		{name: "some tools", r: llm.Request{Messages: []llm.Message{user(text("a"))}, ToolChoice: llm.ToolChoice{Mode: llm.ToolAuto, Allowed: []string{"g"}}, Tools: []llm.Tool{{Name: "f"}, {Name: "g"}}},
			want: `{"contents":[{"role":"user","parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":"g"}]}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}`},
		{name: "a tool of the provider's", r: llm.Request{Messages: []llm.Message{user(text("a"))}, Tools: []llm.Tool{{Type: "web_search"}}}, want: "tools: the Gemini API has no tool of type web_search"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.Op, c.r.Dialect = llm.OpChat, "another"
			w, err := New().EncodeRequest(&c.r, dialect.Target{Model: "m", Rules: c.rules})
			var e *llm.Error
			if errors.As(err, &e) {
				if got := e.Param + ": " + e.Message; e.Status != 400 || !strings.HasPrefix(got, c.want) {
					t.Errorf("got %s, want %s", got, c.want)
				}
				return
			}
			if err != nil || string(w.Body) != c.want {
				t.Errorf("got  %s, %v\nwant %s", w.Body, err, c.want)
				return
			}
			var fields []string
			for _, warning := range w.Warnings {
				field, _, _ := strings.Cut(warning, ":")
				fields = append(fields, field)
			}
			if got := strings.Join(fields, " "); got != c.warns {
				t.Errorf("warnings %q, want those of %q", w.Warnings, c.warns)
			}
		})
	}
}

func TestThinking(t *testing.T) {
	always := levels
	always.NoThinkingOff = true
	pro := budgets
	pro.NoThinkingOff = true
	for _, c := range []struct {
		r     llm.Reasoning
		rules llm.Rules
		limit int64
		want  string
		warns int
	}{
		{llm.Reasoning{}, levels, 0, ``, 0},
		{llm.Reasoning{Effort: "high"}, llm.Rules{}, 0, ``, 1},
		{llm.Reasoning{Effort: "none"}, llm.Rules{}, 0, ``, 0},
		{llm.Reasoning{Effort: "medium"}, levels, 0, `{"thinkingLevel":"medium","includeThoughts":true}`, 0},
		{llm.Reasoning{Effort: "xhigh"}, levels, 0, `{"thinkingLevel":"high","includeThoughts":true}`, 1},
		{llm.Reasoning{Effort: "minimal", Display: "omitted"}, levels, 0, `{"thinkingLevel":"minimal"}`, 0},
		{llm.Reasoning{Effort: "minimal"}, always, 0, `{"thinkingLevel":"low","includeThoughts":true}`, 0},
		{llm.Reasoning{Mode: "disabled"}, levels, 0, `{"thinkingLevel":"minimal"}`, 1},
		{llm.Reasoning{Effort: "none"}, always, 0, `{"thinkingLevel":"low"}`, 1},
		{llm.Reasoning{Mode: "enabled", Budget: 1024}, levels, 0, `{"thinkingLevel":"low","includeThoughts":true}`, 1},
		{llm.Reasoning{Mode: "enabled", Budget: 60000}, levels, 0, `{"thinkingLevel":"high","includeThoughts":true}`, 1},
		{llm.Reasoning{Mode: "adaptive"}, levels, 0, `{"includeThoughts":true}`, 0},
		{llm.Reasoning{Effort: "low"}, budgets, 0, `{"thinkingBudget":2048,"includeThoughts":true}`, 0},
		{llm.Reasoning{Effort: "max"}, budgets, 0, `{"thinkingBudget":24576,"includeThoughts":true}`, 0},
		{llm.Reasoning{Mode: "adaptive"}, budgets, 0, `{"thinkingBudget":-1,"includeThoughts":true}`, 0},
		{llm.Reasoning{Mode: "enabled", Budget: 5000}, budgets, 4000, `{"thinkingBudget":3000,"includeThoughts":true}`, 0},
		{llm.Reasoning{Mode: "disabled"}, budgets, 0, `{"thinkingBudget":0}`, 0},
		{llm.Reasoning{Mode: "disabled"}, pro, 0, `{"thinkingBudget":128}`, 1},
	} {
		r := &llm.Request{Op: llm.OpChat, Dialect: "another", MaxTokens: c.limit, Messages: []llm.Message{user(text("a"))}, Reasoning: &c.r}
		w, err := New().EncodeRequest(r, dialect.Target{Model: "m", Rules: c.rules})
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			GenerationConfig struct{ ThinkingConfig json.RawMessage }
		}
		if err := json.Unmarshal(w.Body, &body); err != nil {
			t.Fatal(err)
		}
		if got := string(body.GenerationConfig.ThinkingConfig); got != c.want || len(w.Warnings) != c.warns {
			t.Errorf("%+v: got %s %q, want %s", c.r, got, w.Warnings, c.want)
		}
	}
}

func TestEmbeddingsOfOthers(t *testing.T) {
	r := &llm.Request{Op: llm.OpEmbeddings, Dialect: "another", Inputs: []llm.Part{text("a")}, Dimensions: 3}
	for n, want := range []string{
		`/v1beta/models/m:embedContent {"model":"models/m","content":{"parts":[{"text":"a"}]},"outputDimensionality":3}`,
		`/v1beta/models/m:batchEmbedContents {"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"outputDimensionality":3},{"model":"models/m","content":{"parts":[{"text":"b"}]},"outputDimensionality":3}]}`,
	} {
		if n == 1 {
			r.Inputs = append(r.Inputs, text("b"))
		}
		w, err := New().EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil || w.Path+" "+string(w.Body) != want {
			t.Errorf("got %s %s, %v", w.Path, w.Body, err)
		}
	}
	if _, err := New().EncodeRequest(&llm.Request{Op: llm.OpEmbeddings, Dialect: "another"}, dialect.Target{}); err == nil {
		t.Error("tokens were embedded")
	}
	if _, err := New().EncodeRequest(&llm.Request{Op: llm.OpCountTokens, Dialect: "another"}, dialect.Target{}); err == nil {
		t.Error("a count was translated")
	}
}

func TestStreamIsAskedForAsEvents(t *testing.T) {
	for _, d := range []string{llm.Gemini, "another"} {
		r := &llm.Request{Op: llm.OpChat, Dialect: d, Stream: true, Array: true, Messages: []llm.Message{user(text("a"))}}
		w, err := New().EncodeRequest(r, dialect.Target{Model: "a/b:c d"})
		if err != nil || w.Path != "/v1beta/models/a%2Fb:c%20d:streamGenerateContent?alt=sse" || bytes.Contains(w.Body, []byte("stream")) {
			t.Errorf("got %+v, %v", w, err)
		}
	}
}
