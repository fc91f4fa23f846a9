package dialect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// schemas are the published schemas of what a client reads and a provider is
// sent.
type schemas struct {
	request map[string]*jsonschema.Schema
	unary   map[string]*jsonschema.Schema
	events  map[string]map[string]*jsonschema.Schema // by the event's type
	amazon  *service
}

func loadSchemas(t *testing.T) *schemas {
	t.Helper()
	c := jsonschema.NewCompiler()
	compile := func(file, name string) *jsonschema.Schema {
		t.Helper()
		s, err := c.Compile(file + "#/components/schemas/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, file := range []string{"openai-relaxed.json", "anthropic-relaxed.json"} {
		raw, err := os.ReadFile(filepath.Join(shared, "specs", file))
		if err != nil {
			t.Skip("no schemas")
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(file, doc); err != nil {
			t.Fatal(err)
		}
	}
	s := &schemas{
		request: map[string]*jsonschema.Schema{
			llm.OpenAI:    compile("openai-relaxed.json", "CreateChatCompletionRequest"),
			llm.Anthropic: compile("anthropic-relaxed.json", "BetaCreateMessageParams"),
		},
		unary: map[string]*jsonschema.Schema{
			llm.OpenAI:    compile("openai-relaxed.json", "CreateChatCompletionResponse"),
			llm.Anthropic: compile("anthropic-relaxed.json", "BetaMessage"),
		},
		events: map[string]map[string]*jsonschema.Schema{
			llm.OpenAI: {"": compile("openai-relaxed.json", "CreateChatCompletionStreamResponse")},
			llm.Anthropic: {
				"message_start":       compile("anthropic-relaxed.json", "BetaMessageStartEvent"),
				"content_block_start": compile("anthropic-relaxed.json", "BetaContentBlockStartEvent"),
				"content_block_delta": compile("anthropic-relaxed.json", "BetaContentBlockDeltaEvent"),
				"content_block_stop":  compile("anthropic-relaxed.json", "BetaContentBlockStopEvent"),
				"message_delta":       compile("anthropic-relaxed.json", "BetaMessageDeltaEvent"),
				"message_stop":        compile("anthropic-relaxed.json", "BetaMessageStopEvent"),
			},
		},
	}
	s.addResponses(t)
	s.amazon = loadService(t)
	for _, d := range []dialect.Dialect{openaiAPI, anthropicAPI} { // a schema that takes everything proves nothing
		if validate(s.request[d.Name()], []byte("{}")) == nil || validate(s.unary[d.Name()], []byte("{}")) == nil {
			t.Fatalf("the schemas of %s take anything", d.Name())
		}
		for event, schema := range s.events[d.Name()] {
			if validate(schema, []byte("{}")) == nil {
				t.Fatalf("the schema of %s takes anything", event)
			}
		}
	}
	return s
}

// check validates what a client of a dialect is sent.
func (s *schemas) check(to string, stream bool, out []byte) error {
	switch to {
	case llm.Gemini:
		return checkGemini(stream, out)
	case llm.Bedrock:
		return s.amazon.checkAnswer(stream, out)
	}
	if !stream {
		return validate(s.unary[to], out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var tag struct {
			Type  string
			Error any
		}
		if err := json.Unmarshal([]byte(data), &tag); err != nil {
			return err
		}
		if tag.Type == "ping" || tag.Error != nil {
			continue
		}
		schema := s.events[to][tag.Type]
		if schema == nil {
			return fmt.Errorf("unknown event %s", data)
		}
		if err := validate(schema, []byte(data)); err != nil {
			return fmt.Errorf("%s: %w", data, err)
		}
	}
	return nil
}

func validate(schema *jsonschema.Schema, raw []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return schema.Validate(v)
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

// checkRequest validates what a provider is sent.
func (s *schemas) checkRequest(to dialect.Dialect, body []byte) error {
	switch to.Name() {
	case llm.Gemini:
		return checkGeminiRequest(body)
	case llm.Bedrock:
		return s.amazon.checkJSON("ConverseRequest", body)
	}
	return validate(s.request[to.Name()], body)
}
