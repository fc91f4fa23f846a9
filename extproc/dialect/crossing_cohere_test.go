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
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/cohere"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
)

// cohereAPI stands where the tests want both sides of a dialect.
var cohereAPI = oneSided{cohere.New()}

func init() { endpoints[llm.Cohere] = []string{"chat-v2"} }

// oneSided is a dialect that no client speaks.
type oneSided struct{ dialect.ProviderSide }

func (oneSided) DecodeRequest(llm.Op, []byte) (*llm.Request, error) { panic("no client speaks it") }
func (oneSided) NewEncoder(*llm.Request) dialect.Encoder            { panic("no client speaks it") }
func (oneSided) Member(string) []string                             { panic("no client speaks it") }

// clients are the dialects that clients speak.
func clients() []dialect.Dialect {
	return []dialect.Dialect{openai.New().WithClock(clock), anthropic.New(), responses.New().WithClock(clock), gemini.New(), bedrock.New()}
}

// loadCohere compiles the schema of requests in Cohere's published description.
func loadCohere(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	const file = "cohere-relaxed.json"
	raw, err := os.ReadFile(filepath.Join(shared, "specs", file))
	if err != nil {
		t.Skip("no schemas")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	anyInput(doc.(map[string]any)["components"]) // a type that all share is in each of several schemas
	c := jsonschema.NewCompiler()
	if err := c.AddResource(file, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(file + "#/paths/" + path + "/post/requestBody/content/application~1json/schema")
	if err != nil {
		t.Fatal(err)
	}
	if validate(schema, []byte("{}")) == nil || validate(schema, []byte(`{"model":"m","messages":[{"role":"tool"}]}`)) == nil {
		t.Fatal("the schema takes anything")
	}
	return schema
}

// What Cohere has answered says the same to clients of each dialect.
func TestCohereAnswersCross(t *testing.T) {
	schemas, amazon := loadSchemas(t), loadService(t)
	schemas.addResponses(t)
	for _, to := range clients() {
		check := func(stream bool, out []byte) error { return schemas.check(to.Name(), stream, out) }
		if to.Name() == llm.Bedrock {
			check = amazon.checkAnswer
		}
		t.Run(to.Name(), func(t *testing.T) {
			tried := 0
			for _, rec := range recordings(t, llm.Cohere) {
				if rec.Response.Status >= 400 {
					continue
				}
				tried++
				x := exchange{id: rec.ID, status: rec.Response.Status}
				x.mediaType, x.body = rec.wire()
				converseCrosses(t, cohereAPI, to, x, check)
			}
			t.Logf("%d responses tried, each in both forms", tried)
		})
	}
}

// What clients have asked elsewhere can be asked of Cohere, or is refused for a
// reason that has a code.
func TestCohereRequestsCross(t *testing.T) {
	schema := loadCohere(t, "~1v2~1chat")
	for _, from := range clients() {
		t.Run(from.Name(), func(t *testing.T) {
			tried, written := 0, 0
			refused := map[string]int{}
			for _, x := range exchangesOf(t, from.Name()) {
				r, err := from.DecodeRequest(llm.OpChat, x.request)
				if err != nil {
					continue // not ours to judge
				}
				tried++
				w, err := cohereAPI.EncodeRequest(r, dialect.Target{Model: "command", Rules: llm.Rules{Reasons: true}})
				var e *llm.Error
				switch {
				case err == nil:
					written++
					if err := validate(schema, w.Body); err != nil {
						t.Errorf("%s: %v\n%.600s", x.id, err, w.Body)
					}
				case errors.As(err, &e) && e.Status == 400 && (e.Code == llm.CodeUnsupported || e.Code == llm.CodeInvalidRequest) && e.Param != "":
					refused[e.Message]++
				default:
					t.Errorf("%s: %v", x.id, err)
				}
			}
			t.Logf("%d tried, %d written", tried, written)
			for _, why := range slices.Sorted(maps.Keys(refused)) {
				t.Logf("%d refused: %s", refused[why], why)
			}
		})
	}
}

// The request with everything in it, of each dialect, as Cohere gets it, and an
// answer with everything in it, in both forms, as clients get it.
func TestCohereGolden(t *testing.T) {
	for _, client := range clients() {
		full, err := os.ReadFile(filepath.Join("testdata", client.Name(), "full.json"))
		if err != nil {
			t.Fatal(err)
		}
		asked, err := client.DecodeRequest(llm.OpChat, full)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		target := dialect.Target{Model: "target", Rules: llm.Rules{Reasons: true}}
		_, err = cohereAPI.EncodeRequest(asked, target)
		fmt.Fprintf(&out, "refused: %v\n", err)
		textual(asked)
		w, err := cohereAPI.EncodeRequest(asked, target)
		if err != nil {
			t.Fatalf("%s: %v", client.Name(), err)
		}
		for _, warning := range w.Warnings {
			fmt.Fprintf(&out, "warning: %s\n", warning)
		}
		if err := json.Indent(&out, w.Body, "", "  "); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
		golden(t, "testdata/cohere/full."+client.Name()+".golden", out.Bytes())
		for _, form := range []struct{ file, mediaType string }{{"answer.json", "application/json"}, {"answer.sse", "text/event-stream"}} {
			body, err := os.ReadFile("testdata/cohere/" + form.file)
			if err != nil {
				t.Fatal(err)
			}
			r := &llm.Request{Op: llm.OpChat, Dialect: client.Name(), Model: "asked", Stream: form.file == "answer.sse", StreamUsage: true}
			answer, events, err := cross(cohereAPI, client, r, form.mediaType, [][]byte{body, nil})
			if err != nil || !read(events).Ended {
				t.Fatalf("%v, %v", err, events)
			}
			if client.Name() != llm.Responses { // whose ids are made up
				golden(t, "testdata/cohere/"+form.file+"."+client.Name()+".golden", answer)
			}
		}
	}
}

// textual takes what only some providers can read out of a request.
func textual(r *llm.Request) {
	lost := func(p llm.Part) bool {
		return p.Kind == llm.PartFile || p.Kind == llm.PartAudio || p.Kind == llm.PartOther
	}
	for i := range r.Messages {
		m := &r.Messages[i]
		m.Parts = slices.DeleteFunc(m.Parts, lost)
		for j := range m.Parts {
			m.Parts[j].Parts = slices.DeleteFunc(m.Parts[j].Parts, lost)
		}
	}
	r.Tools = slices.DeleteFunc(r.Tools, func(t llm.Tool) bool { return t.Type != "" })
	r.N = min(r.N, 1)
}
