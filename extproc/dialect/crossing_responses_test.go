package dialect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
)

var responsesAPI = responses.New().WithClock(clock)

func init() {
	endpoints[llm.Responses] = []string{"responses"}
	reasons[llm.Responses] = map[llm.FinishReason]llm.FinishReason{
		llm.FinishStopSequence: llm.FinishStop,
		llm.FinishContext:      llm.FinishLength,
		llm.FinishRefusal:      llm.FinishContentFilter,
		llm.FinishPause:        llm.FinishStop,
	}
	samples[llm.Responses] = "testdata/responses"
}

// anyInput makes every oneOf an anyOf: an ordinary message is two kinds of input
// item in the published schema, which so refuses what OpenAI takes.
func anyInput(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			anyInput(e)
		}
	case map[string]any:
		if one, ok := v["oneOf"].([]any); ok && v["anyOf"] == nil {
			delete(v, "oneOf")
			v["anyOf"] = one
		}
		for _, e := range v {
			anyInput(e)
		}
	}
}

// addResponses adds the schemas of the Responses API.
func (s *schemas) addResponses(t *testing.T) {
	t.Helper()
	const file = "openai-relaxed.json"
	raw, err := os.ReadFile(filepath.Join(shared, "specs", file))
	if err != nil {
		t.Skip("no schemas")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	anyInput(doc.(map[string]any)["components"])
	if err := c.AddResource(file, doc); err != nil {
		t.Fatal(err)
	}
	compile := func(name string) *jsonschema.Schema {
		schema, err := c.Compile(file + "#/components/schemas/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if validate(schema, []byte("{}")) == nil && name != "CreateResponse" {
			t.Fatalf("the schema %s takes anything", name)
		}
		return schema
	}
	s.request[llm.Responses] = compile("CreateResponse")
	s.unary[llm.Responses] = compile("Response")
	s.events[llm.Responses] = map[string]*jsonschema.Schema{}
	var spec struct {
		Components struct {
			Schemas map[string]struct {
				Properties struct{ Type struct{ Enum []string } }
			}
		}
	}
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	for name, schema := range spec.Components.Schemas {
		if e := schema.Properties.Type.Enum; len(e) == 1 && strings.HasPrefix(name, "Response") && (e[0] == "error" || strings.HasPrefix(e[0], "response.")) {
			s.events[llm.Responses][e[0]] = compile(name)
		}
	}
	if n := len(s.events[llm.Responses]); n < 30 {
		t.Fatalf("only %d kinds of events have a schema", n)
	}
}

// pairs are the dialect with each of the others, both ways.
func pairs(run func(from, to dialect.Dialect)) {
	for _, d := range dialects {
		if d.Name() != llm.Responses {
			run(responsesAPI, d)
			run(d, responsesAPI)
		}
	}
}

func TestResponsesAPIAnswersCross(t *testing.T) {
	schemas := loadSchemas(t)
	schemas.addResponses(t)
	pairs(func(from, to dialect.Dialect) {
		t.Run(from.Name()+" to "+to.Name(), func(t *testing.T) {
			tried := 0
			for _, rec := range recordings(t, from.Name()) {
				_, body := rec.wire()
				if rec.Response.Status >= 400 || from == responsesAPI && bytes.Contains(body, []byte("chat.completion")) {
					continue
				}
				tried++
				crossResponse(t, schemas, from, to, rec)
			}
			t.Logf("%d responses tried, each in both forms", tried)
		})
	})
}

func TestResponsesAPIRequestsCross(t *testing.T) {
	schemas := loadSchemas(t)
	schemas.addResponses(t)
	rules := llm.Rules{Reasons: true, Adaptive: true, NativeSchema: true}
	pairs(func(from, to dialect.Dialect) {
		t.Run(from.Name()+" to "+to.Name(), func(t *testing.T) {
			tried, written := 0, 0
			refused := map[string]int{}
			for _, rec := range recordings(t, from.Name()) {
				if rec.Provider == "vertex-anthropic" || rec.Request == nil || len(rec.Request.Body) == 0 || rec.Request.Body[0] != '{' {
					continue
				}
				r, err := from.DecodeRequest(llm.OpChat, rec.Request.Body)
				if err != nil {
					if rec.Response.Status < 400 && !bytes.Contains(rec.Request.Body, []byte(`"prompt":`)) {
						t.Errorf("%s: %v", rec.ID, err)
					}
					continue
				}
				if rec.Response.Status >= 400 {
					continue
				}
				tried++
				w, err := to.EncodeRequest(r, dialect.Target{Model: "m", Rules: rules})
				var e *llm.Error
				switch {
				case err == nil:
					written++
					checkRequest(t, schemas, to, rec, w)
				case errors.As(err, &e) && e.Status == 400 && (e.Code == llm.CodeUnsupported || e.Code == llm.CodeInvalidRequest):
					refused[e.Param+": "+e.Message]++
				default:
					t.Errorf("%s: %v", rec.ID, err)
				}
			}
			t.Logf("%d tried, %d written", tried, written)
			for _, why := range slices.Sorted(maps.Keys(refused)) {
				t.Logf("%d refused: %s", refused[why], why)
			}
		})
	})
}

// What the Responses API alone can say is refused or warned about, and named as
// its client wrote it.
func TestResponsesAPIStaysBehind(t *testing.T) {
	const hi = `"input":[{"role":"user","content":"hi"}]`
	for _, c := range []struct{ name, body, refused, warned string }{
		{name: "plain", body: hi + `,"store":false,"include":["reasoning.encrypted_content"],"background":false,"previous_response_id":null,"truncation":"disabled","text":{"verbosity":"medium"}`},
		{name: "earlier response", body: hi + `,"previous_response_id":"resp_1"`, refused: "previous_response_id"},
		{name: "conversation", body: hi + `,"conversation":"conv_1"`, refused: "conversation"},
		{name: "background", body: hi + `,"background":true`, refused: "background"},
		{name: "prompt", body: `"prompt":{"id":"p"}`, refused: "prompt"},
		{name: "item reference", body: `"input":[{"role":"user","content":"hi"},{"type":"item_reference","id":"msg_1"}]`, refused: "input[1]"},
		{name: "item reference without a type", body: `"input":[{"id":"msg_1"}]`, refused: "input[0]"},
		{name: "call of a custom tool", body: `"input":[{"type":"custom_tool_call","call_id":"c","name":"f","input":"x"}]`, refused: "input[0]"},
		{name: "tool that the provider runs", body: hi + `,"tools":[{"type":"web_search"}]`, refused: "tools[0]"},
		{name: "custom tool", body: hi + `,"tools":[{"type":"function","name":"f"},{"type":"custom","name":"g"}]`, refused: "tools[1]"},
		{name: "choice of a tool that the provider runs", body: hi + `,"tools":[],"tool_choice":{"type":"web_search"}`, refused: "tool_choice"},
		{name: "store", body: hi + `,"store":true`, warned: "store: left out: nothing is stored"},
		{name: "truncation", body: hi + `,"truncation":"auto"`, warned: "truncation: "},
		{name: "obfuscation", body: hi + `,"stream":true,"stream_options":{"include_obfuscation":false}`},
	} {
		r, err := responsesAPI.DecodeRequest(llm.OpChat, []byte(`{"model":"m",`+c.body+`}`))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, to := range dialects {
			if to.Name() == llm.Responses {
				continue
			}
			w, err := to.EncodeRequest(r, dialect.Target{Model: "m"})
			var e *llm.Error
			switch {
			case c.refused != "":
				if !errors.As(err, &e) || e.Status != 400 || e.Code != llm.CodeUnsupported || e.Param != c.refused {
					t.Errorf("%s to %s: %v", c.name, to.Name(), err)
				}
			case err != nil:
				t.Errorf("%s to %s: %v", c.name, to.Name(), err)
			case (c.warned == "") != (len(w.Warnings) == 0) || c.warned != "" && !strings.HasPrefix(w.Warnings[0], c.warned):
				t.Errorf("%s to %s: %q", c.name, to.Name(), w.Warnings)
			}
		}
	}
}

// A provider's reasoning comes back to it through clients of each dialect, and
// to no other provider.
func TestReasoningComesHome(t *testing.T) {
	all := append([]dialect.Dialect{responsesAPI}, dialects...)
	answers := map[string]struct{ body, secret string }{
		llm.Anthropic: {`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"ErcB"},{"type":"redacted_thinking","data":"Rdct"},{"type":"tool_use","id":"toolu_1","name":"f","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`,
			"ErcB"},
		llm.Responses: {`{"id":"resp_1","object":"response","status":"completed","model":"m","output":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA"},{"type":"function_call","id":"fc_1","call_id":"toolu_1","name":"f","arguments":"{}"}],"usage":{"input_tokens":1,"output_tokens":1}}`,
			"gAAA"},
	}
	for provider, answer := range answers {
		for _, client := range all {
			var from dialect.Dialect
			for _, d := range all {
				if d.Name() == provider {
					from = d
				}
			}
			r := &llm.Request{Op: llm.OpChat, Dialect: client.Name(), Model: "m"}
			out, _, err := cross(from, client, r, "application/json", [][]byte{[]byte(answer.body), nil})
			if err != nil {
				t.Fatal(err)
			}
			next, ok := nextTurn(t, client.Name(), out)
			if !ok {
				continue
			}
			q, err := client.DecodeRequest(llm.OpChat, next)
			if err != nil {
				t.Fatalf("%s: %v: %s", client.Name(), err, next)
			}
			for _, to := range all {
				w, err := to.EncodeRequest(q, dialect.Target{Model: "m", Rules: llm.Rules{Reasons: true}})
				if err != nil {
					t.Fatalf("%s: %v", to.Name(), err)
				}
				want := to.Name() == provider
				if got := bytes.Contains(w.Body, []byte(answer.secret)); got != want || bytes.Contains(w.Body, []byte("attache:")) {
					t.Errorf("reasoning of %s, client %s, next to %s: %s", provider, client.Name(), to.Name(), w.Body)
				}
				if provider == llm.Anthropic && want != bytes.Contains(w.Body, []byte("Rdct")) {
					t.Errorf("hidden reasoning of %s, client %s, next to %s: %s", provider, client.Name(), to.Name(), w.Body)
				}
			}
		}
	}
}

// nextTurn is the request of a client that has run the tool of an answer. It is
// not ok for a dialect whose conversations this test does not know.
func nextTurn(t *testing.T, client string, answer []byte) (body []byte, ok bool) {
	t.Helper()
	var a struct {
		Output, Content json.RawMessage
		Choices         []struct{ Message json.RawMessage }
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	switch client {
	case llm.Responses:
		items := bytes.TrimSuffix(a.Output, []byte("]"))
		return []byte(`{"model":"m","input":[{"role":"user","content":"q"},` + string(items[1:]) + `,{"type":"function_call_output","call_id":"toolu_1","output":"x"}]}`), true
	case llm.Anthropic:
		return []byte(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":` + string(a.Content) +
			`},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"x"}]}]}`), true
	case llm.OpenAI:
		return []byte(`{"model":"m","messages":[{"role":"user","content":"q"},` + string(a.Choices[0].Message) + `,{"role":"tool","tool_call_id":"toolu_1","content":"x"}]}`), true
	}
	return nil, false
}

// sampled reports whether there are golden files of a pair: those with the two
// dialects that have most clients are enough.
func sampled(from, to dialect.Dialect) bool {
	other := from.Name()
	if from == responsesAPI {
		other = to.Name()
	}
	return other == llm.OpenAI || other == llm.Anthropic
}

func TestResponsesAPIGoldenRequests(t *testing.T) {
	rules := llm.Rules{Reasons: true, Adaptive: true, NativeSchema: true}
	pairs(func(from, to dialect.Dialect) {
		if !sampled(from, to) {
			return
		}
		folder := samples[from.Name()]
		body, err := os.ReadFile(filepath.Join(folder, "full.json"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := from.DecodeRequest(llm.OpChat, body)
		if err != nil {
			t.Fatal(err)
		}
		if to == responsesAPI {
			r.Stop, r.N, r.TopK = nil, 0, "" // are refused or warned about, see TestRefusals
		}
		w, err := to.EncodeRequest(r, dialect.Target{Model: "target", Rules: rules})
		if err != nil {
			t.Fatalf("%s to %s: %v", from.Name(), to.Name(), err)
		}
		out := fmt.Appendf(nil, "POST %s\n", w.Path)
		for _, warning := range w.Warnings {
			out = fmt.Appendf(out, "warning: %s\n", warning)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, w.Body, "", "  "); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		out = append(append(append(out, '\n'), pretty.Bytes()...), '\n')
		golden(t, filepath.Join(samples[llm.Responses], "full."+from.Name()+"."+to.Name()+".golden"), out)
	})
}

// The two forms of an answer cross to the same answer in either form.
func TestResponsesAPIGoldenAnswers(t *testing.T) {
	pairs(func(from, to dialect.Dialect) {
		if !sampled(from, to) {
			return
		}
		folder := samples[from.Name()]
		for _, form := range []struct{ file, mediaType string }{
			{"answer.json", "application/json"}, {"answer.sse", "text/event-stream"},
		} {
			body, err := os.ReadFile(filepath.Join(folder, form.file))
			if err != nil {
				t.Fatal(err)
			}
			for _, stream := range []bool{false, true} {
				r := &llm.Request{Op: llm.OpChat, Dialect: to.Name(), Stream: stream, StreamUsage: true, InputEstimate: 5}
				out, _, err := cross(from, to, r, form.mediaType, [][]byte{body, nil})
				if err != nil {
					t.Fatal(err)
				}
				name := form.file + "." + from.Name() + "." + to.Name()
				if stream {
					name += ".stream"
				}
				golden(t, filepath.Join(samples[llm.Responses], name+".golden"), out)
			}
		}
	})
}
