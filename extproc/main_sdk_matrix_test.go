package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/bench/mock"
	"github.com/attache-gateway/attache/extproc/envoytest"
)

// matrixProviders are one for each format of a provider, by the format's name,
// with the model that clients ask for.
var matrixProviders = []struct {
	dialect mock.Dialect
	kind    string // and what more its configuration says
	path    string // of its base URL
	model   string
}{
	{mock.OpenAI, "openai", "/v1", "gpt-4o"},
	{mock.Responses, "openai, dialect: responses", "/v1", "gpt-5"},
	{mock.Anthropic, "anthropic", "", "claude-sonnet-4-5"},
	{mock.Gemini, "gemini", "", "gemini-2.5-flash"},
	{mock.Bedrock, "bedrock", "", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
}

// features are what each client does with each provider:
//
//	chat            an answer, by a model's name and as provider/model
//	stream          the same in events, also with the SDK's helper for streams
//	tools           a call, and its result on the way back
//	streamed_tools  the same, the call in events
//	thoughts        a thought before a call, and its signature on the way back
//	structured      JSON by a schema, parsed by the SDK
//	images          a picture in the prompt
//	errors          401, 404, 400 that names the field, and 429 that says when
//	                to come back, as the exceptions that the SDK has for them
//	broken_stream   a stream that fails in the middle is an exception too
//	count           the tokens of a prompt
var features = []string{"chat", "stream", "tools", "streamed_tools", "thoughts", "structured", "images", "errors", "broken_stream", "count"}

// A matrixClient is an SDK with one of the APIs that it speaks. It does every
// feature with every provider, but for those that have a reason not to.
type matrixClient struct {
	name    string
	command []string // the language, the script and its arguments
	not     reasons
}

// Cohere's own package is not among them: it speaks a format that the gateway
// takes from no client. Cohere's models are called by the other packages.
var matrixClients = []matrixClient{
	{"python-openai-chat", python("openai_chat.py"), because(noCount, noThoughts)},
	{"python-openai-responses", python("openai_responses.py"), unsigned},
	{"python-anthropic", python("anthropic_messages.py"), unsigned},
	{"python-google-genai", python("google_genai.py"), unsigned},
	{"python-boto3", python("boto3_converse.py"), unsigned},
	{"python-mistralai", python("mistral_chat.py"), because(noCount, noThoughts, reasons{
		"streamed_tools": "the package wants a call in one piece, as Mistral sends it; in OpenAI's format its arguments come in pieces",
	})},
	{"node-openai-chat", node("openai_chat.js"), because(noCount, noThoughts)},
	{"node-openai-responses", node("openai_responses.js"), inPython},
	{"node-anthropic", node("anthropic_messages.js"), inPython},
	{"node-google-genai", node("google_genai.js"), inPython},
	{"node-ai-openai-chat", node("vercel_ai.js", "chat"), because(noCountInAI, noThoughts)},
	{"node-ai-openai-responses", node("vercel_ai.js", "responses"), because(noCountInAI, unsigned, reasons{
		"gemini/thoughts": "the package sends no thought back that has no signature, which Gemini gives to the call alone",
	})},
	{"node-ai-anthropic", node("vercel_ai.js", "anthropic"), because(noCountInAI, unsigned)},
	{"node-ai-google", node("vercel_ai.js", "google"), because(noCountInAI, unsigned)},
	{"node-ai-amazon-bedrock", node("vercel_ai.js", "bedrock"), because(noCountInAI, unsigned, reasons{
		"responses/thoughts": "the package lets nothing but Claude think",
		"gemini/thoughts":    "the package lets nothing but Claude think",
	})},
	{"go-openai-chat", []string{"go", "openai-chat"}, because(noCount, noThoughts)},
	{"go-openai-responses", []string{"go", "openai-responses"}, inPython},
	{"go-anthropic", []string{"go", "anthropic"}, inPython},
	{"go-google-genai", []string{"go", "google-genai"}, inPython},
}

// reasons say why a client does not do a feature, or one with a provider.
type reasons map[string]string

var (
	noCount     = reasons{"count": "the API has none"}
	noCountInAI = reasons{"count": "the package counts no tokens"}
	noThoughts  = reasons{"thoughts": "Chat Completions tells none; TestSDKs has the gateway's own form"}
	unsigned    = reasons{"openai/thoughts": "Chat Completions tells none"}
	inPython    = reasons{"thoughts": "left to the package of Python"}
)

func because(all ...reasons) reasons {
	sum := reasons{}
	for _, r := range all {
		maps.Copy(sum, r)
	}
	return sum
}

func node(script string, args ...string) []string {
	return append([]string{"node", script}, args...)
}

func python(script string) []string {
	return []string{"python", "-W", "error::UserWarning", "-W", "error::DeprecationWarning", "-B", "testdata/sdk/python/" + script}
}

// Official SDKs of several languages call providers of every format, knowing
// nothing of the gateway but its address and a key.
func TestSDKMatrix(t *testing.T) {
	d := openMatrix(t)
	for _, c := range matrixClients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := d.run(t, c)
			for _, p := range matrixProviders {
				for _, feature := range features {
					cell := string(p.dialect) + "/" + feature
					t.Run(cell, func(t *testing.T) {
						if why := c.why(cell); why != "" {
							t.Skip(why)
						}
						if !bytes.Contains(out, []byte("ok "+cell+"\n")) {
							t.Error("failed: see the output of the client")
						}
						d.checkReceived(t, p.dialect, feature, c.name+"/"+cell)
					})
				}
			}
		})
	}
}

// why says why a client cannot do what a cell asks of it, "" if it can.
func (c matrixClient) why(cell string) string {
	_, feature, _ := strings.Cut(cell, "/")
	if why, ok := c.not[cell]; ok {
		return why
	}
	return c.not[feature]
}

// installed skips a test whose SDK make sdk has not installed.
func installed(t *testing.T, path string, err error) string {
	t.Helper()
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("the SDK is not installed: run make sdk, which tells what it needs")
	} else if err != nil {
		t.Fatal("the SDK is not installed: run make sdk: ", err)
	}
	return path
}

// process is the command that runs a client. Node looks for packages beside its
// scripts, which therefore are copied.
func (c matrixClient) process(t *testing.T) *exec.Cmd {
	t.Helper()
	switch language, args := c.command[0], c.command[1:]; language {
	case "python":
		return exec.CommandContext(t.Context(), installed(t, "../.cache/sdk/bin/python", nil), args...)
	case "node":
		packages := installed(t, "../.cache/sdk-node/node_modules", nil)
		program, err := exec.LookPath("node")
		cmd := exec.CommandContext(t.Context(), installed(t, program, err), args...)
		cmd.Dir = t.TempDir()
		if err := errors.Join(os.CopyFS(cmd.Dir, os.DirFS("testdata/sdk/node")), os.Symlink(packages, filepath.Join(cmd.Dir, "node_modules"))); err != nil {
			t.Fatal(err)
		}
		return cmd
	default:
		return exec.CommandContext(t.Context(), installed(t, "../.cache/sdk-go/clients", nil), args...)
	}
}

// A matrix is a gateway that asks for keys, its Envoy and a provider of each
// format.
type matrix struct {
	url, key  string
	providers map[mock.Dialect]*mock.Server
}

func openMatrix(t *testing.T) *matrix {
	envoytest.Need(t, "1.40")
	envoy, err := envoytest.Find("1.40")
	if err != nil {
		t.Fatal(err)
	}
	m := &matrix{providers: map[mock.Dialect]*mock.Server{}}
	providers, models := "providers:\n", "models:\n"
	for _, p := range matrixProviders {
		s, err := mock.Start(mock.Options{Name: string(p.dialect), Dialect: p.dialect, Log: 4096})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		m.providers[p.dialect] = s
		providers += fmt.Sprintf("  %s: {kind: %s, key: sk-of-%[1]s, url: \"%[3]s%s\"}\n", p.dialect, p.kind, s.URL(), p.path)
		models += fmt.Sprintf("  %s-model: {targets: [\"%[1]s/%s\"]}\n", p.dialect, p.model)
		models += fmt.Sprintf("  %s-busy: {targets: [\"%[1]s/%s@fault=429@retry-after=7\"]}\n", p.dialect, p.model)
		models += fmt.Sprintf("  %s-broken: {targets: [\"%[1]s/%s@fault=error-mid@events=40\"]}\n", p.dialect, p.model)
	}
	dir := t.TempDir()
	m.key, _ = addKey(t, filepath.Join(dir, "keys.json"), time.Time{})
	config := filepath.Join(dir, "attache.yaml")
	write(t, config, fmt.Appendf(nil, "listen: unix:a.sock\nadmin: %s\nenvoy: {port: %s, admin: \"%s\", version: \"1.40\", max_request: 1MiB}\n"+
		"auth: {mode: keys, file: keys.json}\nledger: {sqlite: ledger.db}\n%s%s", freeAddress(t), port(freeAddress(t)), freeAddress(t), providers, models))
	m.url = up(t, config, envoy, m.key, "sk-of-")
	return m
}

// run runs a client's cells in one process, with nothing else in its
// environment, since SDKs read settings there. It returns the output.
func (m *matrix) run(t *testing.T, c matrixClient) []byte {
	cmd := c.process(t)
	cmd.Env = []string{"ATTACHE_URL=" + m.url, "ATTACHE_KEY=" + m.key, "CLIENT=" + c.name}
	var cells []string
	for _, p := range matrixProviders {
		cmd.Env = append(cmd.Env, "MODEL_"+strings.ToUpper(string(p.dialect))+"="+string(p.dialect)+"/"+p.model)
		for _, feature := range features {
			if cell := string(p.dialect) + "/" + feature; c.why(cell) == "" {
				cells = append(cells, cell)
			}
		}
	}
	cmd.Env = append(cmd.Env, "CELLS="+strings.Join(cells, " "))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return out
}

// wire says where a provider's format has a tool's result, * for any element,
// and the second tool's name.
var wire = map[mock.Dialect]struct{ result, tool []string }{
	mock.OpenAI:    {[]string{"messages", "*", "content"}, []string{"tools", "1", "function", "name"}},
	mock.Responses: {[]string{"input", "*", "output"}, []string{"tools", "1", "name"}},
	mock.Anthropic: {[]string{"messages", "*", "content", "*", "content"}, []string{"tools", "1", "name"}},
	mock.Gemini:    {[]string{"contents", "*", "parts", "*", "functionResponse"}, []string{"tools", "0", "functionDeclarations", "1", "name"}},
	mock.Bedrock:   {[]string{"messages", "*", "content", "*", "toolResult", "content"}, []string{"toolConfig", "tools", "1", "toolSpec", "name"}},
}

// checkReceived checks what the provider got of a feature's requests, which
// have their cell's name in the prompt. Its answer has told the client whether
// it got an image or a schema.
func (m *matrix) checkReceived(t *testing.T, d mock.Dialect, feature, mark string) {
	t.Helper()
	var bodies []any
	for _, e := range m.providers[d].Log() {
		var body any
		if bytes.Contains(e.Body, []byte(mark)) && json.Unmarshal(e.Body, &body) == nil {
			bodies = append(bodies, body)
		}
	}
	path, want := []string(nil), ""
	switch feature {
	case "count":
		return // the gateway may count by itself
	case "thoughts":
		want = "bW9jayBzaWduYXR1cmU=" // the mock's signature
	case "tools", "streamed_tools":
		path, want = wire[d].result, "20 degrees"
		if !slices.ContainsFunc(bodies, func(b any) bool { return fmt.Sprint(at(b, wire[d].tool)) == "[time]" }) {
			t.Errorf("the provider did not get both tools: %v", bodies)
		}
	}
	if !slices.ContainsFunc(bodies, func(b any) bool { return strings.Contains(fmt.Sprint(at(b, path)), want) }) {
		t.Errorf("the provider got no %q at %v: %v", want, path, bodies)
	}
}

// at returns the values at a path into JSON.
func at(v any, path []string) []any {
	if len(path) == 0 {
		return []any{v}
	}
	switch v := v.(type) {
	case map[string]any:
		if inner, ok := v[path[0]]; ok {
			return at(inner, path[1:])
		}
	case []any:
		var all []any
		for i, inner := range v {
			if path[0] == "*" || path[0] == fmt.Sprint(i) {
				all = append(all, at(inner, path[1:])...)
			}
		}
		return all
	}
	return nil
}
