package openai

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// spec reads the API description, where it is at hand: OpenAI's own, with null
// allowed where live answers have it.
func spec(t testing.TB) func(name string, document []byte) error {
	t.Helper()
	const file = "../../../../shared/specs/openai-relaxed.json"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Skip("no API description")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openai.json", doc); err != nil {
		t.Fatal(err)
	}
	return func(name string, document []byte) error {
		s, err := c.Compile("openai.json#/components/schemas/" + name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
		if err != nil {
			return err
		}
		return s.Validate(v)
	}
}

// strictChunks checks a stream as the strictest of the official SDKs do, and
// each chunk against the description.
func strictChunks(t *testing.T, id string, stream []byte, valid func(string, []byte) error, withUsage bool) {
	t.Helper()
	var first object
	events := strings.Split(strings.TrimSuffix(string(stream), "\n\n"), "\n\n")
	for i, e := range events {
		if strings.HasPrefix(e, ": ") {
			continue
		}
		data, ok := strings.CutPrefix(e, "data: ")
		if !ok {
			t.Fatalf("%s: event %q", id, e)
		}
		if data == "[DONE]" {
			if i != len(events)-1 {
				t.Errorf("%s: data after [DONE]", id)
			}
			continue
		}
		var o object
		if err := json.Unmarshal([]byte(data), &o); err != nil {
			t.Fatalf("%s: %v: %s", id, err, data)
		}
		if _, failed := o["error"]; failed {
			if i != len(events)-1 {
				t.Errorf("%s: something after an error", id)
			}
			continue
		}
		if valid != nil {
			if err := valid("CreateChatCompletionStreamResponse", []byte(data)); err != nil {
				t.Errorf("%s: %v\n%s", id, err, data)
				return
			}
		}
		if first == nil {
			first = o
		}
		for _, name := range []string{"id", "created", "model"} {
			if o[name] != first[name] || o[name] == "" {
				t.Errorf("%s: %s is %v in chunk %d", id, name, o[name], i)
			}
		}
		if _, has := o["usage"]; has != withUsage {
			t.Errorf("%s: usage member: %v", id, has)
		}
		if len(list(o, "choices")) == 0 && o["usage"] == nil {
			t.Errorf("%s: a chunk without choices and usage", id)
		}
	}
}
