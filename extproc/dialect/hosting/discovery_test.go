package hosting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A discovery is Google's published description of Vertex AI, version v1.
type discovery struct {
	Schemas map[string]*schema
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       string
	Properties map[string]*schema
	Items      *schema
	More       *schema `json:"additionalProperties"`
}

func loadDiscovery(t *testing.T) *discovery {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shared, "specs/vertex-v1.discovery.json"))
	if err != nil {
		t.Skip("no schemas")
	}
	d := &discovery{}
	if err := json.Unmarshal(raw, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// check validates a value as Vertex does: what it does not know it refuses.
// Both spellings of a member are one.
func (d *discovery) check(s *schema, at string, v any) error {
	if s.Ref != "" {
		return d.check(d.Schemas[s.Ref], at, v)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			member := s.Properties[camel(name)]
			switch {
			case member == nil && s.Type == "object" && s.More != nil:
				member = s.More
			case member == nil && s.Type == "any":
				continue
			case member == nil:
				return fmt.Errorf("%s has no %s", at, name)
			}
			if err := d.check(member, at+"."+name, value); err != nil {
				return err
			}
		}
	case []any:
		for i, e := range v {
			if s.Type == "any" {
				continue
			}
			if s.Type != "array" {
				return fmt.Errorf("%s is a list", at)
			}
			if err := d.check(s.Items, fmt.Sprintf("%s[%d]", at, i), e); err != nil {
				return err
			}
		}
	}
	return nil
}

func camel(name string) string {
	first, rest, ok := strings.Cut(name, "_")
	if !ok || rest == "" {
		return name
	}
	return first + strings.ToUpper(rest[:1]) + camel(rest[1:])
}

// requests are those that Vertex calls by a method.
var requests = map[string]string{
	"generateContent": "GenerateContentRequest", "streamGenerateContent": "GenerateContentRequest",
	"countTokens": "CountTokensRequest", "embedContent": "EmbedContentRequest", "predict": "PredictRequest",
}

// What clients have sent to Google's other API, and to OpenAI, is something that
// Vertex knows.
func TestVertexKnowsWhatIsSent(t *testing.T) {
	spec := loadDiscovery(t)
	if spec.check(spec.Schemas["GoogleCloudAiplatformV1GenerateContentRequest"], "", map[string]any{"serviceTier": "x"}) == nil {
		t.Fatal("the schema takes anything")
	}
	d := of(t, onVertex, gemini.New())
	tried, refused, lacking := 0, 0, 0
	for _, rec := range recordings(t, "gemini/*.json", "openai/openai-chat-*.json", "openai/openai-embeddings-*.json") {
		front, op := dialect.Dialect(gemini.New()), geminiOps[rec.Endpoint]
		switch rec.Endpoint {
		case "batchEmbedContents":
			op = llm.OpEmbeddings
		case "chat":
			front, op = openai.New(), llm.OpChat
		case "embeddings":
			front, op = openai.New(), llm.OpEmbeddings
		}
		if op == "" || rec.Response.Status >= 400 || !bytes.HasPrefix(rec.Request.Body, []byte("{")) {
			continue
		}
		r, err := front.DecodeRequest(op, rec.Request.Body)
		if err != nil {
			continue // not ours to judge
		}
		tried++
		w, err := d.EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil {
			refused++
			continue
		}
		path, _, _ := strings.Cut(w.Path, "?")
		method := path[strings.LastIndexByte(path, ':')+1:]
		var body any
		if err := json.Unmarshal(w.Body, &body); err != nil {
			t.Fatalf("%s: %v", rec.ID, err)
		}
		err = spec.check(spec.Schemas["GoogleCloudAiplatformV1"+requests[method]], method, body)
		if err != nil && (strings.HasSuffix(err.Error(), " has no includeServerSideToolInvocations") || strings.HasSuffix(err.Error(), " has no fileSearch")) {
			lacking++ // which Vertex will say
		} else if err != nil {
			t.Errorf("%s: %v\n%.300s", rec.ID, err, w.Body)
		}
	}
	t.Logf("%d tried, %d refused, %d ask for what only Google's other API has", tried, refused, lacking)
}
