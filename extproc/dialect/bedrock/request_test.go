package bedrock

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

var update = flag.Bool("update", false, "write the golden files anew")

const samples = "../testdata/bedrock"

func sample(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// golden compares bytes with a file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join(samples, name), got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := sample(t, name); !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", name, got)
	}
}

func decode(t *testing.T, body string) *llm.Request {
	t.Helper()
	r, err := New().DecodeRequest(llm.OpChat, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A request with everything in it: what it means, and what another provider of
// the dialect would be sent if it had come from elsewhere.
func TestFullRequest(t *testing.T) {
	body := sample(t, "full.json")
	r := decode(t, string(body))
	checkSpans(t, r)
	w, err := New().EncodeRequest(r, dialect.Target{Model: "a:b/c"})
	if err != nil || &w.Body[0] != &r.Body.Raw[0] || w.Path != "/model/a%3Ab%2Fc/converse" {
		t.Errorf("the same dialect: %v, %s", err, w.Path)
	}
	canonical := *r
	canonical.Body = llm.Body{}
	for _, m := range canonical.Messages {
		for i := range m.Parts {
			m.Parts[i].Raw = nil
		}
	}
	text, err := json.MarshalIndent(&canonical, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "full.canonical.golden", append(text, '\n'))
	r.Dialect, r.Stream = llm.OpenAI, true
	w, err = New().EncodeRequest(r, dialect.Target{Model: "us.anthropic.claude-x", Rules: llm.Rules{Reasons: true, NativeSchema: true}})
	if err != nil || !strings.HasSuffix(w.Path, "/converse-stream") {
		t.Fatal(err, w)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, w.Body, "", " "); err != nil {
		t.Fatal(err)
	}
	out.WriteString("\n" + strings.Join(w.Warnings, "\n") + "\n")
	golden(t, "full.written.golden", out.Bytes())
}

func TestRefusedRequests(t *testing.T) {
	for _, c := range []struct{ body, code, message string }{
		{`{"messages":[`, llm.CodeInvalidJSON, ""},
		{`{"messages":[],"messages":[]}`, llm.CodeInvalidJSON, "messages"},
		{`{}`, llm.CodeInvalidRequest, "messages: must hold"},
		{`{"messages":[{"content":[{"text":"x"}]}]}`, llm.CodeInvalidRequest, "messages[0]: must have a role"},
		{`{"messages":[{"role":"tool","content":[]}]}`, llm.CodeInvalidRequest, "messages[0].role"},
		{`{"messages":[{"role":"user"}]}`, llm.CodeInvalidRequest, "messages[0]: must have content"},
		{`{"messages":[{"role":"user","content":"x"}]}`, llm.CodeInvalidRequest, "messages[0].content: must be an array"},
		{`{"messages":[{"role":"user","content":[{}]}]}`, llm.CodeInvalidRequest, "messages[0].content[0]: must have a member"},
		{`{"messages":[{"role":"user","content":[{"text":"x","cachePoint":{"type":"default"}}]}]}`, llm.CodeInvalidRequest, "messages[0].content[0].cachePoint: must stand in a block of its own"},
		{`{"messages":[{"role":"user","content":[{"image":{"format":"png"}}]}]}`, llm.CodeInvalidRequest, "must have a source"},
		{`{"messages":[{"role":"user","content":[{"toolUse":{"name":"x","input":{}}}]}]}`, llm.CodeInvalidRequest, "must have a toolUseId"},
		{`{"messages":[{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"toolResult":{"toolUseId":"b","content":[]}}]}}]}]}`, llm.CodeInvalidRequest, "must not stand in a result"},
		{`{"messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"maxTokens":0}}`, llm.CodeInvalidRequest, "inferenceConfig.maxTokens"},
		{`{"messages":[{"role":"user","content":[{"text":"x"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"x"}}]}}`, llm.CodeInvalidRequest, "toolConfig.tools[0]"},
		{`{"messages":[{"role":"user","content":[{"text":"x"}]}],"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{"}}}}}`, llm.CodeInvalidRequest, "schema: must be a JSON Schema in a string"},
	} {
		_, err := New().DecodeRequest(llm.OpChat, []byte(c.body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Status != 400 || e.Code != c.code || !strings.Contains(e.Error(), c.message) {
			t.Errorf("%s: got %v", c.body, err)
		}
	}
	if _, err := New().DecodeRequest(llm.OpEmbeddings, nil); err == nil {
		t.Error("took embeddings")
	}
}

const ask = `"messages":[{"role":"user","content":[{"text":"x"}]}]`

// What a policy changes is below inferenceConfig; everything else stays.
// Vercel's AI SDK asks Claude for JSON in Claude's own words.
func TestClaudesFormat(t *testing.T) {
	const ask = `{"messages":[{"role":"user","content":[{"text":"x"}]}],"additionalModelRequestFields":{"output_config":{"effort":"low","format":%s}}}`
	r, err := New().DecodeRequest(llm.OpChat, fmt.Appendf(nil, ask, `{"type":"json_schema","schema":{"type":"object"}}`))
	if err != nil || r.Format == nil || r.Format.Kind != llm.FormatSchema || string(r.Format.Schema) != `{"type":"object"}` || r.Reasoning.Effort != "low" || len(r.Extra) != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, other := range []string{`{"type":"grammar"}`, `"json"`} {
		r, err := New().DecodeRequest(llm.OpChat, fmt.Appendf(nil, ask, other))
		if err != nil || r.Format != nil || len(r.Extra) != 1 || r.Extra[0].Name != "additionalModelRequestFields.output_config.format" {
			t.Errorf("%s: got %+v, %v", other, r, err)
		}
	}
	if _, err := New().DecodeRequest(llm.OpChat, fmt.Appendf(nil, ask, `{"type":"json_schema"}`)); err == nil {
		t.Error("took a format without a schema")
	}
}

// Reasoning that somebody else has signed, or nobody, does not go to Bedrock.
func TestForeignReasoning(t *testing.T) {
	block := func(signature string) string {
		return `{"reasoningContent":{"reasoningText":{"text":"r","signature":"` + signature + `"}}}`
	}
	ours, foreign, mark := block("c2ln"), block("attache:gemini:x"), block(unsigned)
	for list, want := range map[string]string{
		ours + `,{"text":"a"}`:                                ours + `,{"text":"a"}`,
		foreign + `, {"text":"a"}`:                            `{"text":"a"}`,
		mark + `,` + foreign + `, {"text":"a"} ,` + mark:      `{"text":"a"}`,
		ours + ` , ` + foreign + `,{"text":"a"}`:              ours + `,{"text":"a"}`,
		foreign + `,` + mark:                                  `{"text":"` + leftOut + `"}`,
		`{"reasoningContent":{"reasoningText":{"text":"r"}}}`: `{"reasoningContent":{"reasoningText":{"text":"r"}}}`,
		`{"reasoningContent":{"redactedContent":"` + wrap("attache:openai:x") + `"}},{"text":"a"}`: `{"text":"a"}`,
	} {
		const before, after = `{"messages":[{"role":"assistant","content":[`, `]}]}`
		r := decode(t, before+list+after)
		w, err := New().EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil || string(w.Body) != before+want+after {
			t.Errorf("%s: got %s, %v", list, w.Body, err)
		}
	}
}

func TestRedactedReasoning(t *testing.T) {
	for blob, canonical := range map[string]string{"ZXhhbXBsZQ==": "example", "/w==": "attache:bedrock:/w==", "?": "attache:bedrock:?"} {
		if got := unwrap(blob); got != canonical || wrap(got) != blob {
			t.Errorf("%s: got %q, back %q", blob, got, wrap(got))
		}
	}
}
