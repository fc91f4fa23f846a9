package dialect_test

import (
	"bytes"
	"encoding/json"
	"errors"
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
