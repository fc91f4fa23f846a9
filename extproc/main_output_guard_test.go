package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/bench/mock"
)

// leaks is what the providers say: a card's number, in as many events as it has
// groups, and more.
const leaks = "Your card is 4111 1111 1111 1111 and that is all that there is to say about it for now"

// leaky starts providers of that, and returns their lines of the configuration,
// which come first of all, and the models that are made of them.
func leaky(t *testing.T) (providers map[string]*mock.Server, lines, models string) {
	t.Helper()
	providers = map[string]*mock.Server{}
	for name, kind := range map[string]struct {
		mock.Dialect
		line string
	}{
		"leaky-o": {mock.OpenAI, "  leaky-o: {kind: openai, url: \"%s/v1\", key: k}\n"},
		"leaky-a": {mock.Anthropic, "  leaky-a: {kind: anthropic, url: \"%s\", key: k}\n"},
	} {
		s, err := mock.Start(mock.Options{Name: name, Dialect: kind.Dialect, Behaviour: mock.Behaviour{Text: leaks}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		providers[name] = s
		lines += fmt.Sprintf(kind.line, s.URL())
		models += fmt.Sprintf("  say-%s: {targets: [%[1]s/m]}\n  drop-%[1]s: {targets: [%[1]s/m@chunks=random:7]}\n  long-%[1]s: {targets: [%[1]s/m@events=600@gap=10ms]}\n", name)
	}
	return providers, lines, "models:\n" + models + "  chain: {targets: [dead-o/m, leaky-a/m@chunks=byte]}\n"
}

// guardLine is pii in attache.yaml, with more fields.
func guardLine(t *testing.T, fields string) string {
	t.Helper()
	path, err := filepath.Abs("../wasm-plugins/pii/pii.wasm")
	if err != nil {
		t.Fatal(err)
	}
	digest, err := os.ReadFile(path + ".sha256")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("guards:\n  - {name: pii, wasm: %q, sha256: %s, deadline: 10s, %s}\n", path, strings.Fields(string(digest))[0], fields)
}

// questions are requests in every client's format; %s is the model, %t whether
// it is to stream.
var questions = map[string]struct{ path, streamPath, body string }{
	"openai":    {"/v1/chat/completions", "", `{"model":"%s","stream":%t,"messages":[{"role":"user","content":"hi"}]}`},
	"responses": {"/v1/responses", "", `{"model":"%s","stream":%t,"input":"hi"}`},
	"anthropic": {"/v1/messages", "", `{"model":"%s","stream":%t,"max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`},
	"gemini":    {"/v1beta/models/%s:generateContent", "/v1beta/models/%s:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
	"bedrock":   {"/model/%s/converse", "/model/%s/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`},
}

// question sends one and returns the response, whose body is to be read.
func (w *world) question(t *testing.T, format, model string, stream bool, headers ...string) *http.Response {
	t.Helper()
	q := questions[format]
	path := q.path
	if stream && q.streamPath != "" {
		path = q.streamPath
	}
	path = strings.Replace(path, "%s", model, 1)
	body := strings.NewReplacer("%s", model, "%t", fmt.Sprint(stream)).Replace(q.body)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Anthropic-Version", "2023-06-01")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// read reads the rest of a response.
func read(t *testing.T, response *http.Response) answer {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body), err}
}

// TestOutputGuard: a card's number that is spread over events, or cut into bytes,
// is redacted in every format, streamed or whole, translated or not.
func TestOutputGuard(t *testing.T) {
	for _, c := range []struct{ version, fields string }{
		{"1.40", "on: [output], config: {card: redact}"},
		{"1.40", "on: [input, output], stream: full, config: {card: redact}"},
		{"1.39", "on: [output], hold: 40, config: {card: redact}"},
	} {
		t.Run(c.version+" "+c.fields, func(t *testing.T) {
			_, lines, models := leaky(t)
			w := begin(t, c.version, lines, models, guardLine(t, c.fields))
			var answers []answer
			for format := range questions {
				for _, model := range []string{"say-leaky-o", "say-leaky-a", "drop-leaky-o", "drop-leaky-a", "chain"} {
					for _, stream := range []bool{true, false} {
						a := read(t, w.question(t, format, model, stream))
						if a.status != 200 || a.err != nil || strings.Contains(a.body, "1111") || !strings.Contains(a.body, "[PII.CARD") || !strings.Contains(a.body, "about") {
							t.Errorf("%s from %s, stream %t: %d %v %s", format, model, stream, a.status, a.err, a.body)
							continue
						}
						if format == "openai" || format == "anthropic" {
							if got := (ask{dialect: format, stream: stream}).outcome(a); got != "good" {
								t.Errorf("%s from %s, stream %t: %s: %s", format, model, stream, got, a.body)
							}
						}
						answers = append(answers, a)
					}
				}
			}
			for _, a := range answers {
				if r := w.row(t, a); r.code != "" || r.truncated || r.counted || r.output == 0 {
					t.Errorf("the record is %+v", r)
				}
			}
		})
	}
}

// TestOutputGuardBlocks: in the middle of a stream the client gets an error, in
// its own format, and the provider is told to stop; a whole response becomes one.
func TestOutputGuardBlocks(t *testing.T) {
	providers, lines, models := leaky(t)
	w := begin(t, "1.40", lines, models, guardLine(t, "on: [output], config: {card: block}"))
	for provider, server := range providers {
		for format := range questions {
			before := server.Stats().Cancelled
			response := w.question(t, format, "long-"+provider, true)
			a := read(t, response)
			if a.status != 200 || a.err != nil || strings.Contains(a.body, "1111") || !strings.Contains(a.body, "Your") || !strings.Contains(a.body, "payment card") {
				t.Errorf("%s from %s: %d %v %s", format, provider, a.status, a.err, a.body)
				continue
			}
			if format == "openai" || format == "anthropic" {
				if got := (ask{dialect: format, stream: true}).outcome(a); got != "error event" {
					t.Errorf("%s from %s: %s: %s", format, provider, got, a.body)
				}
			}
			await(t, server, func(s mock.Stats) bool { return s.Cancelled == before+1 && s.InFlight == 0 })
			if r := w.row(t, a); r.code != "guard_blocked" || r.status != 200 || !r.truncated || r.cancelled {
				t.Errorf("%s from %s: the record is %+v", format, provider, r)
			}

			a = read(t, w.question(t, format, "say-"+provider, false))
			if a.status != 403 || strings.Contains(a.body, "1111") || !strings.Contains(a.body, "payment card") || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
				t.Errorf("%s from %s, whole: %d %s", format, provider, a.status, a.body)
			}
			if r := w.row(t, a); r.code != "guard_blocked" || r.status != 403 {
				t.Errorf("%s from %s, whole: the record is %+v", format, provider, r)
			}
		}
	}
}

// TestOutputGuardWindow: text goes out while the provider still writes.
func TestOutputGuardWindow(t *testing.T) {
	providers, lines, models := leaky(t)
	w := begin(t, "1.40", lines, models, guardLine(t, "on: [output], config: {card: redact}"))
	response := w.question(t, "openai", "long-leaky-o", true)
	read := bufio.NewScanner(response.Body)
	for read.Scan() && !strings.Contains(read.Text(), "[PII.CARD]") {
		if strings.Contains(read.Text(), "1111") {
			t.Fatal("the number is out")
		}
	}
	if s := providers["leaky-o"].Stats(); s.InFlight != 1 {
		t.Errorf("the provider has ended: %+v", s)
	}
}

// TestOutputGuardAsked: a rule asks for the guard. Other responses stay in Envoy.
// Rules about responses see what it found.
func TestOutputGuardAsked(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.rego"), []byte(`package attache.request

guard contains {"name": "pii", "on": "output"} if input.properties.audience == "public"
`))
	write(t, filepath.Join(dir, "b.rego"), []byte(`package attache.response

label contains {"leak": input.response.guards.pii.action} if input.response.guards.pii.labels["pii.card"]
`))
	_, lines, models := leaky(t)
	w := begin(t, "1.40", lines, models, guardLine(t, "on: [output], run: asked, config: {card: redact}"), "policy: {dir: "+dir+", deadline: 1s}")
	before := w.messages(t)
	a := read(t, w.question(t, "anthropic", "say-leaky-a", true))
	if !strings.Contains(a.body, "1111 ") || w.messages(t)-before != 4 {
		t.Errorf("nobody asked, and Envoy sent %d messages: %s", w.messages(t)-before, a.body)
	}
	w.row(t, a)
	for _, stream := range []bool{true, false} {
		a := read(t, w.question(t, "anthropic", "say-leaky-a", stream, "x-attache-property-audience", "public"))
		if strings.Contains(a.body, "1111") || !strings.Contains(a.body, "[PII.CARD]") {
			t.Errorf("stream %t: %s", stream, a.body)
		}
		w.row(t, a)
		var labels string
		if err := w.ledger.QueryRowContext(t.Context(), "SELECT coalesce(labels, '') FROM exchanges WHERE id = ?", a.header.Get("X-Attache-Request-Id")).Scan(&labels); err != nil || !strings.Contains(labels, `"leak":"redact"`) {
			t.Errorf("the labels are %s, %v", labels, err)
		}
	}
}
