package gemini

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

func decodeChat(t testing.TB, body string) *llm.Request {
	t.Helper()
	r, err := New().DecodeRequest(llm.OpChat, []byte(body))
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return r
}

// The request with everything in it, in canonical form.
func TestFullRequest(t *testing.T) {
	r := decodeChat(t, string(sample(t, "full.json")))
	checkSpans(t, "full.json", r)
	raw := r.Body.Raw
	strip(r)
	out, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "full.golden", append(out, '\n'))
	r = decodeChat(t, string(raw))
	w, err := New().EncodeRequest(r, dialect.Target{Model: "m"})
	if err != nil || string(w.Body) != string(raw) || w.Path != "/v1beta/models/m:generateContent" {
		t.Errorf("got %s, %v", w.Body, err)
	}
}

// strip takes out what would make a golden file long.
func strip(r *llm.Request) {
	r.Body = llm.Body{}
	var parts func(ps []llm.Part)
	parts = func(ps []llm.Part) {
		for i := range ps {
			ps[i].Raw = nil
			parts(ps[i].Parts)
		}
	}
	parts(r.System)
	for _, m := range r.Messages {
		parts(m.Parts)
	}
	for i := range r.Tools {
		r.Tools[i].Raw = nil
	}
}

// Both spellings of a request mean the same.
func TestSpellings(t *testing.T) {
	const camel = `{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"aa"}}]}],` +
		`"generationConfig":{"maxOutputTokens":5,"stopSequences":["x"],"thinkingConfig":{"thinkingBudget":0}},` +
		`"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["a","b"]}},` +
		`"tools":[{"functionDeclarations":[{"name":"a","parametersJsonSchema":{"type":"object"}}]}]}`
	const snake = `{"system_instruction":{"parts":[{"text":"s"}]},"contents":[{"parts":[{"inline_data":{"mime_type":"image/png","data":"aa"}}]}],` +
		`"generation_config":{"max_output_tokens":5,"stop_sequences":["x"],"thinking_config":{"thinking_budget":0}},` +
		`"tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["a","b"]}},` +
		`"tools":[{"function_declarations":[{"name":"a","parameters_json_schema":{"type":"object"}}]}]}`
	a, b := decodeChat(t, camel), decodeChat(t, snake)
	for _, r := range []*llm.Request{a, b} {
		strip(r)
		r.System[0].At = llm.Span{}
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("\n%+v\n%+v", a, b)
	}
	if len(a.Extra) > 0 {
		t.Errorf("members without a meaning: %v", a.Extra)
	}
}

func TestInvalidRequests(t *testing.T) {
	for _, c := range []struct{ body, param, code string }{
		{`{`, "", llm.CodeInvalidJSON},
		{`{"contents":[],"contents":[]}`, "contents", llm.CodeInvalidJSON},
		{`{}`, "contents", llm.CodeInvalidRequest},
		{`{"contents":[]}`, "contents", llm.CodeInvalidRequest},
		{`{"contents":"hi"}`, "contents", llm.CodeInvalidRequest},
		{`{"contents":[{"role":"system","parts":[]}]}`, "contents[0].role", llm.CodeInvalidRequest},
		{`{"contents":[{"parts":[7]}]}`, "contents[0].parts[0]", llm.CodeInvalidRequest},
		{`{"contents":[{"parts":[{"text":7}]}]}`, "contents[0].parts[0].text", llm.CodeInvalidRequest},
		{`{"contents":[{"parts":[{"text":"a","functionCall":{"name":"f"}}]}]}`, "contents[0].parts[0].functionCall", llm.CodeInvalidRequest},
		{`{"contents":[{"parts":[{"functionCall":{"args":{}}}]}]}`, "contents[0].parts[0].functionCall", llm.CodeInvalidRequest},
		{`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`, "contents[0]", llm.CodeInvalidRequest},
		{`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":"x"}}]}]}`, "contents[0].parts[0].functionResponse.response", llm.CodeInvalidRequest},
		{`{"contents":[{}],"generationConfig":{"maxOutputTokens":-1}}`, "generationConfig.maxOutputTokens", llm.CodeInvalidRequest},
		{`{"contents":[{}],"generationConfig":{},"generation_config":{}}`, "generation_config", llm.CodeInvalidRequest},
		{`{"contents":[{}],"generationConfig":{"thinkingConfig":{"thinkingBudget":-2}}}`, "generationConfig.thinkingConfig.thinkingBudget", llm.CodeInvalidRequest},
		{`{"contents":[{}],"tools":[{"functionDeclarations":[{}]}]}`, "tools[0].functionDeclarations[0]", llm.CodeInvalidRequest},
		{`{"contents":[{}],"tools":[{"functionDeclarations":[{"name":"f","parameters":{"minItems":"1,"}}]}]}`, "tools[0].functionDeclarations[0].parameters.minItems", llm.CodeInvalidRequest},
		{`{"contents":[{}],"toolConfig":{"functionCallingConfig":{"mode":"x"}}}`, "toolConfig.functionCallingConfig.mode", llm.CodeInvalidRequest},
	} {
		_, err := New().DecodeRequest(llm.OpChat, []byte(c.body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Status != 400 || e.Param != c.param || e.Code != c.code {
			t.Errorf("%s: got %v", c.body, err)
		}
	}
	if _, err := New().DecodeRequest(llm.OpForward, []byte(`{}`)); err == nil {
		t.Error("an operation that the API does not have was read")
	}
}

// The places of fields have all the spellings that clients may mix.
func TestMember(t *testing.T) {
	for field, want := range map[string]string{
		"top_p":        "generationConfig.topP generationConfig.top_p generation_config.topP generation_config.top_p",
		"seed":         "generationConfig.seed generation_config.seed",
		"metadata":     "labels",
		"user":         "",
		"service_tier": "serviceTier service_tier",
	} {
		if have := strings.Join(New().Member(field), " "); have != want {
			t.Errorf("%s: %s", field, have)
		}
	}
	if have := New().Member("reasoning_effort"); have[0] != "" || len(have) != 9 {
		t.Errorf("%q", have)
	}
}

// Calls that name the model in their body get the target's.
func TestModelInBody(t *testing.T) {
	for _, c := range []struct {
		op               llm.Op
		body, want, path string
	}{
		{llm.OpCountTokens, `{"contents":[{"parts":[{"text":"model"}]}]}`, "", "/v1beta/models/x%2Fm:countTokens"},
		{llm.OpCountTokens, `{"generateContentRequest":{"model":"models/a","contents":[{}]}}`,
			`{"generateContentRequest":{"model":"models/x/m","contents":[{}]}}`, "/v1beta/models/x%2Fm:countTokens"},
		{llm.OpEmbeddings, `{"model":"models/x/m","content":{"parts":[{"text":"a"}]}}`, "", "/v1beta/models/x%2Fm:embedContent"},
		{llm.OpEmbeddings, `{"requests":[{"model":"models/a","content":{"parts":[{"text":"a"}]}}]}`,
			`{"requests":[{"model":"models/x/m","content":{"parts":[{"text":"a"}]}}]}`, "/v1beta/models/x%2Fm:batchEmbedContents"},
	} {
		r, err := New().DecodeRequest(c.op, []byte(c.body))
		if err != nil {
			t.Fatalf("%s: %v", c.body, err)
		}
		if c.want == "" {
			c.want = c.body
		}
		w, err := New().EncodeRequest(r, dialect.Target{Model: "x/m"})
		if err != nil || string(w.Body) != c.want || w.Path != c.path {
			t.Errorf("got %s %s, %v", w.Path, w.Body, err)
		}
	}
}

// Calls and results without ids find each other by name and order.
func TestPairing(t *testing.T) {
	r := decodeChat(t, `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"a"}},{"functionCall":{"name":"b"}},{"functionCall":{"name":"a"}}]},`+
		`{"parts":[{"functionResponse":{"name":"b","response":{}}},{"functionResponse":{"name":"a","response":{"x":1}}},{"functionResponse":{"name":"a","response":{"result":"y"}}}]}]}`)
	var got []string
	for _, m := range r.Messages {
		for _, p := range m.Parts {
			text := p.Text
			if p.Kind == llm.PartToolResult {
				text = p.Parts[0].Text
			}
			got = append(got, p.ID+" "+p.Name+" "+text)
		}
	}
	const want = `call_1 a {}; call_2 b {}; call_3 a {}; call_2 b {}; call_1 a {"x":1}; call_3 a y`
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// Signatures of other providers come back as they went, hidden reasoning too.
func TestForeignSignatures(t *testing.T) {
	for _, canonical := range []string{"EqQB", "attache:responses:gAAA", "attache:gemini:c2ln"} {
		if got := unwrap(wrap(canonical)); got != canonical {
			t.Errorf("%s came back as %s", canonical, got)
		}
	}
	body := fmt.Sprintf(`{"contents":[{"role":"model","parts":[{"text":"a","thought":true},{"thought":true,"thoughtSignature":%q},{"thought":true,"thoughtSignature":%q},{"text":"b"}]}]}`,
		wrap("EqQB"), wrapOwned(hidden, "data"))
	parts := decodeChat(t, body).Messages[0].Parts
	if len(parts) != 3 || parts[0].Text != "a" || parts[0].Signature != "EqQB" || parts[1].Kind != llm.PartRedacted || parts[1].Signature != "data" {
		t.Errorf("got %+v", parts)
	}
}
