package provider_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/hosting"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

var update = flag.Bool("update", false, "write README.md anew")

// A feature is what a client asks for, as a request of OpenAI's format. Clients
// of other formats ask for it in their own words, which their dialect writes.
type feature struct {
	name, body string
	op         llm.Op
}

const user = `{"role":"user","content":"What is the weather in Paris?"}`

var features = []feature{
	{name: "chat", body: `"messages":[{"role":"system","content":"Be short."},` + user + `]`},
	{name: "stream", body: `"stream":true,"messages":[` + user + `]`},
	{name: "tools", body: `"messages":[` + user + `,{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"call_1","content":"Sun."}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}]`},
	{name: "forced tools", body: `"messages":[` + user + `],"tool_choice":"required","tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}]`},
	{name: "schemas", body: `"messages":[` + user + `],"response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true,` +
		`"schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}}}`},
	{name: "images", body: media(`{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}`)},
	{name: "image links", body: media(`{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`)},
	{name: "PDF", body: media(`{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}`)},
	{name: "sound", body: media(`{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}`)},
	{name: "reasoning", body: `"messages":[` + user + `],"reasoning_effort":"high"`},
	{name: "cache marks", body: `"messages":[{"role":"system","content":[{"type":"text","text":"Be short.","cache_control":{"type":"ephemeral"}}]},` + user + `]`},
	{name: "temperature", body: `"messages":[` + user + `],"temperature":0.5`},
	{name: "embeddings", body: `"input":["a text"]`, op: llm.OpEmbeddings},
	{name: "token count", body: `"messages":[` + user + `]`, op: llm.OpCountTokens},
}

func media(part string) string {
	return `"messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},` + part + `]}]`
}

// rows are the APIs of the table, each with a model that many use there.
var rows = []struct{ kind, dialect, model string }{
	{"openai", llm.OpenAI, "gpt-5.6-sol"}, {"openai", llm.Responses, "gpt-5.6-sol"},
	{"azure", llm.OpenAI, "gpt-4.1"}, {"azure", llm.Responses, "gpt-4.1"}, {"azure", llm.Anthropic, "claude-opus-4-8"},
	{"anthropic", llm.Anthropic, "claude-sonnet-4-6"}, {"anthropic", llm.Anthropic, "claude-opus-5-5"},
	{"gemini", llm.Gemini, "gemini-3.1-pro-preview"}, {"gemini", llm.OpenAI, "gemini-3.1-pro-preview"},
	{"vertex", llm.Gemini, "gemini-2.5-flash"}, {"vertex", llm.Anthropic, "claude-opus-4-8"},
	{"bedrock", llm.Bedrock, "amazon.nova-pro-v1:0"}, {"bedrock", llm.Bedrock, "anthropic.claude-opus-4-8-v1"}, {"bedrock", llm.Anthropic, "anthropic.claude-opus-4-8-v1"},
	{"bedrock", llm.OpenAI, "openai.gpt-oss-120b-1:0"}, {"bedrock", llm.Responses, "openai.gpt-5.6-luna"},
	{"mistral", llm.OpenAI, "mistral-medium-latest"}, {"cohere", llm.Cohere, "command-a-reasoning-08-2025"}, {"cohere", llm.OpenAI, "command-a-03-2025"},
	{"deepseek", llm.OpenAI, "deepseek-v4-flash"}, {"xai", llm.OpenAI, "grok-4.3"}, {"moonshot", llm.OpenAI, "kimi-k3"}, {"zai", llm.OpenAI, "glm-4.7"},
	{"perplexity", llm.Responses, "perplexity/sonar"}, {"groq", llm.OpenAI, "openai/gpt-oss-120b"}, {"together", llm.OpenAI, "openai/gpt-oss-120b"},
	{"openrouter", llm.OpenAI, "anthropic/claude-haiku-4.5"}, {"fireworks", llm.OpenAI, "accounts/fireworks/models/gpt-oss-120b"},
	{"cerebras", llm.OpenAI, "gpt-oss-120b"}, {"huggingface", llm.OpenAI, "openai/gpt-oss-120b:groq"}, {"snowflake", llm.OpenAI, "claude-sonnet-4-6"},
	{"ollama", llm.OpenAI, "gpt-oss:20b"}, {"vllm", llm.OpenAI, "gpt-oss-120b"},
}

// clients are the dialects that clients speak.
var clients = []string{llm.OpenAI, llm.Responses, llm.Anthropic, llm.Gemini, llm.Bedrock}

// ask returns the request by which a client of a dialect asks for a feature. It
// is nil if the dialect has no words for it.
func ask(t *testing.T, client string, f feature) *llm.Request {
	t.Helper()
	op := f.op
	if op == "" {
		op = llm.OpChat
	}
	shape := op
	if op == llm.OpCountTokens {
		shape = llm.OpChat
	}
	model, limit := `"model":"m",`, `"max_completion_tokens":1000,`
	if shape == llm.OpEmbeddings {
		limit = ""
	}
	q, err := dialects[llm.OpenAI].(dialect.Dialect).DecodeRequest(shape, []byte("{"+model+limit+f.body+"}"))
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	if client == llm.OpenAI {
		if q.Op = op; op == llm.OpCountTokens {
			return nil
		}
		return q
	}
	d := dialects[client].(dialect.Dialect)
	able := llm.Rules{Reasons: true, Adaptive: true, NativeSchema: true, CacheMarks: true}
	w, err := d.EncodeRequest(q, dialect.Target{Model: "m", Rules: able})
	if err != nil || len(w.Warnings) > 0 {
		return nil
	}
	body := w.Body
	if op == llm.OpCountTokens && client == llm.Anthropic {
		body = bytes.Replace(body, []byte(`"max_tokens":1000,`), nil, 1)
	}
	r, err := d.DecodeRequest(op, body)
	if err != nil {
		return nil
	}
	r.Model, r.Stream = "m", q.Stream
	return r
}

// outcome says what becomes of a feature on its way from a client to an API:
// nothing if it arrives.
func outcome(t *testing.T, client string, f feature, p provider.Preset, model string) (note string, asked bool) {
	t.Helper()
	if why := p.Lacks(f.name); why != "" {
		return p.Kind + ": " + why, true
	}
	r := ask(t, client, f)
	if r == nil {
		return "", false
	}
	side := dialects[p.Dialect]
	if h := (hosting.Hosting{Name: p.Hosting, Project: "p", Region: "eu-west-1"}); p.Hosting != "" {
		side = hosted(t, h, p.Dialect)
	}
	w, err := side.EncodeRequest(r, dialect.Target{Model: model, Rules: provider.RulesFor(p.Kind, p.Dialect, p.BaseURL("eu-west-1"), model)})
	switch {
	case err != nil && f.op == llm.OpCountTokens:
		return "the API has no count; the gateway's own is the answer", true
	case err != nil:
		return "refused: " + message(err), true
	case len(w.Warnings) > 0:
		_, reason, _ := strings.Cut(w.Warnings[0], ": ") // every format has another name before it
		return reason, true
	}
	return "", true
}

// message is an error without the field's name, which every dialect has
// another for.
func message(err error) string {
	_, text, _ := strings.Cut(err.Error(), ": ")
	if i := strings.LastIndex(text, ": "); i > 0 {
		text = text[i+2:]
	}
	return text
}

// table writes what each API takes, found out by asking for it. A number is a
// footnote: what happens instead.
func table(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	var notes []string
	out.WriteString("| Kind | Dialect | Model |")
	for _, f := range features {
		fmt.Fprintf(&out, " %s |", f.name)
	}
	out.WriteString("\n|---|---|---|" + strings.Repeat(":-:|", len(features)) + "\n")
	for _, row := range rows {
		p, ok := provider.Lookup(row.kind, row.dialect)
		if !ok {
			t.Fatalf("there is no %s in the dialect %s", row.kind, row.dialect)
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |", row.kind, row.dialect, row.model)
		for _, f := range features {
			out.WriteString(" " + cell(t, f, p, row.model, &notes) + " |")
		}
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
	for i, n := range notes {
		fmt.Fprintf(&out, "%d. %s\n", i+1, n)
	}
	return out.Bytes()
}

// cell is a dot if the feature arrives from all clients who have words for it,
// and otherwise the numbers of the notes that say what happens to whose.
func cell(t *testing.T, f feature, p provider.Preset, model string, notes *[]string) string {
	t.Helper()
	found := map[string][]string{} // clients by what happens
	var order []string
	asked := 0
	for _, client := range clients {
		note, ok := outcome(t, client, f, p, model)
		if !ok {
			continue
		}
		asked++
		if found[note] == nil {
			order = append(order, note)
		}
		found[note] = append(found[note], client)
	}
	var numbers []string
	for _, note := range order {
		if note == "" {
			continue
		}
		if n := len(found[note]); n < asked {
			note += " (clients of " + strings.Join(found[note], ", ") + ")"
		}
		at := slices.Index(*notes, note)
		if at < 0 {
			at = len(*notes)
			*notes = append(*notes, note)
		}
		numbers = append(numbers, fmt.Sprint(at+1))
	}
	if len(numbers) == 0 {
		return "●"
	}
	if len(found[""]) > 0 {
		return "● " + strings.Join(numbers, ", ")
	}
	return strings.Join(numbers, ", ")
}

// kindsTable writes what a user has to know of each kind.
func kindsTable() []byte {
	var out bytes.Buffer
	out.WriteString("| Kind | Formats | Server | Needs | `attache up` looks for |\n|---|---|---|---|---|\n")
	for _, kind := range provider.Kinds() {
		p, _ := provider.Lookup(kind, "")
		server, needs := p.URL, code(p.Needs)
		if server == "" {
			server = "each account has its own"
		}
		variables := append(slices.Clone(p.KeyVars), p.RegionVars...)
		if p.URLVar != "" {
			variables = append(variables, p.URLVar)
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s |\n", kind, strings.Join(provider.Dialects(kind), ", "), server, needs, code(variables))
	}
	return out.Bytes()
}

func code(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}

const readme = "README.md"

// The tables in README.md are what the code does.
func TestReadme(t *testing.T) {
	was, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	is := replace(t, string(was), "kinds", kindsTable())
	is = replace(t, is, "features", table(t))
	switch {
	case is == string(was):
	case *update:
		if err := os.WriteFile(readme, []byte(is), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the code does: run make golden and look at the difference", readme)
	}
}

// replace puts a table between the comments that name it.
func replace(t *testing.T, text, name string, table []byte) string {
	t.Helper()
	begin, end := "<!-- "+name+": make golden writes it -->\n", "<!-- end of "+name+" -->\n"
	head, rest, ok := strings.Cut(text, begin)
	_, tail, also := strings.Cut(rest, end)
	if !ok || !also {
		t.Fatalf("%s has no place for the table of %s", readme, name)
	}
	return head + begin + string(table) + end + tail
}
