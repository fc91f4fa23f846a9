package provider_test

import (
	"bytes"
	"encoding/base64"
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
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/cohere"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/hosting"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

const corpus = "../../../shared/corpus"

// recording is an exchange with a real provider.
type recording struct {
	ID       string
	Provider string
	Endpoint string
	Model    string
	Request  struct{ Body json.RawMessage }
	Response struct {
		Status   int
		Kind     string
		Headers  map[string]string
		Body     json.RawMessage
		BodyB64  string   `json:"body_b64"`
		RawLines []string `json:"raw_lines"`
	}
}

// recordings reads the corpus in place. Without it the test says so and passes.
func recordings(t *testing.T) []recording {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(corpus, "index.json"))
	if err != nil {
		t.Skip("no corpus")
	}
	var files struct{ Recordings []struct{ File string } }
	if err := json.Unmarshal(index, &files); err != nil {
		t.Fatal(err)
	}
	var all []recording
	for _, f := range files.Recordings {
		text, err := os.ReadFile(filepath.Join(corpus, f.File))
		if err != nil {
			t.Fatal(err)
		}
		var r recording
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatalf("%s: %v", f.File, err)
		}
		all = append(all, r)
	}
	return all
}

// endpoints are what is spoken where.
var endpoints = map[string]string{
	"chat": llm.OpenAI, "responses": llm.Responses, "messages": llm.Anthropic, "chat-v2": llm.Cohere,
	"converse": llm.Bedrock, "converse-stream": llm.Bedrock, "generateContent": llm.Gemini, "streamGenerateContent": llm.Gemini,
	"invoke": llm.Anthropic, "invoke-with-response-stream": llm.Anthropic, "streamRawPredict": llm.Anthropic,
}

// kinds are the providers of the corpus that have other names here. What is
// nobody's kind is a server that is compatible with OpenAI.
var kinds = map[string]string{
	"gemini-openai": "gemini", "vertex-anthropic": "vertex", "vllm-crusoe": "vllm",
	"vercel-gateway": "openai", "openai-compatible": "openai", "open-responses": "openai", "bedrock-mantle": "bedrock",
}

var dialects = map[string]dialect.ProviderSide{
	llm.OpenAI: openai.New(), llm.Responses: responses.New(), llm.Anthropic: anthropic.New(),
	llm.Gemini: gemini.New(), llm.Bedrock: bedrock.New(), llm.Cohere: cohere.New(),
}

// server is a provider of the corpus, as a configuration would have it.
type server struct {
	preset  provider.Preset
	url     string
	hosting hosting.Hosting
	side    dialect.ProviderSide
}

// find returns the server of a recording, false if nothing speaks what was
// recorded.
func find(t *testing.T, r *recording) (s server, ok bool) {
	t.Helper()
	name, ok := endpoints[r.Endpoint]
	switch {
	case !ok, strings.HasPrefix(r.Endpoint, "invoke") && !strings.Contains(r.Model, "anthropic."):
		return s, false
	case name == llm.Bedrock && r.Response.Kind == "chunks": // not what was on the wire
		return s, false
	case name == llm.Responses && bytes.Contains(r.Response.Body, []byte(`"choices"`)),
		name == llm.Responses && strings.Contains(strings.Join(r.Response.RawLines, ""), `"chat.completion.chunk"`):
		name = llm.OpenAI // recorded under the wrong name
	}
	kind, other := kinds[r.Provider]
	if !other {
		kind = r.Provider
	}
	s.preset, ok = provider.Lookup(kind, name)
	if !ok {
		t.Errorf("%s: there is no %s in the dialect %s", r.ID, kind, name)
		return s, false
	}
	s.url = s.preset.BaseURL("eu-west-1")
	if other && kind == "openai" {
		s.url = "http://127.0.0.1/v1"
	}
	s.hosting = hosting.Hosting{Name: s.preset.Hosting, Project: "p", Region: "eu-west-1"}
	if s.side, ok = dialects[name], true; s.preset.Hosting != "" {
		s.side = hosted(t, s.hosting, name)
	}
	return s, ok
}

func hosted(t *testing.T, h hosting.Hosting, name string) dialect.ProviderSide {
	t.Helper()
	d, err := h.Of(dialects[name].(dialect.Dialect))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *server) target(model string) dialect.Target {
	return dialect.Target{Model: model, Rules: provider.RulesFor(s.preset.Kind, s.preset.Dialect, s.url, model)}
}

// wire returns the bytes of the response and their media type. Recordings of
// chunks hold the data of the events alone.
func (r *recording) wire(t *testing.T) (body []byte, mediaType string) {
	t.Helper()
	mediaType = "application/json"
	switch r.Response.Kind {
	case "sse":
		return []byte(strings.Join(r.Response.RawLines, "\n")), "text/event-stream"
	case "chunks":
		var b bytes.Buffer
		for _, line := range r.Response.RawLines {
			fmt.Fprintf(&b, "data: %s\n\n", line)
		}
		return b.Bytes(), "text/event-stream"
	case "eventstream":
		body, err := base64.StdEncoding.DecodeString(r.Response.BodyB64)
		if err != nil {
			t.Fatal(err)
		}
		return body, "application/vnd.amazon.eventstream"
	}
	return r.Response.Body, mediaType
}

// tally counts what became of recordings.
type tally struct {
	tried, passed, refused int
	reasons                map[string]int // of refusals
}

func (n *tally) count(err error) error {
	n.tried++
	var refusal *llm.Error
	switch {
	case err == nil:
		n.passed++
	case errors.As(err, &refusal) && refusal.Status == 400:
		n.refused++
		if n.reasons != nil {
			n.reasons[message(err)]++
		}
	default:
		return err
	}
	return nil
}

func (n tally) String() string {
	return fmt.Sprintf("%d tried, %d passed, %d refused", n.tried, n.passed, n.refused)
}

// vendors are the recordings whose requests every provider gets.
var vendors = map[string]dialect.Dialect{"openai chat": openai.New(), "anthropic messages": anthropic.New()}

// What a provider answered goes through its preset: the requests that it took
// lose nothing, those of OpenAI's and Anthropic's clients are written for it or refused,
// and its responses are read to their end.
func TestCorpusThroughPresets(t *testing.T) {
	all := recordings(t)
	var clients []*llm.Request
	for i := range all {
		r := &all[i]
		if client := vendors[r.Provider+" "+r.Endpoint]; client != nil && r.Response.Status == 200 && len(r.Request.Body) > 0 && r.Request.Body[0] == '{' {
			q, err := client.DecodeRequest(llm.OpChat, r.Request.Body)
			if err != nil {
				t.Fatalf("%s: %v", r.ID, err)
			}
			clients = append(clients, q)
		}
	}
	by := map[string][]*recording{}
	for i := range all {
		by[all[i].Provider] = append(by[all[i].Provider], &all[i])
	}
	valid := mistralSchema(t)
	reasons := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		list := by[name]
		var own, responses tally
		foreign := tally{reasons: reasons}
		seen := map[string]bool{}
		for _, r := range list {
			s, ok := find(t, r)
			if !ok {
				continue
			}
			if q, client := taken(&s, r); client != nil {
				if err := own.count(unchanged(&s, client, q)); err != nil {
					t.Errorf("%s: request: %v", r.ID, err)
				}
			}
			if err := responses.count(response(t, &s, r)); err != nil {
				t.Errorf("%s: response: %v", r.ID, err)
			}
			if seen[s.preset.Dialect] {
				continue
			}
			seen[s.preset.Dialect] = true
			for _, q := range clients {
				w, err := s.side.EncodeRequest(q, s.target(r.Model))
				if err = foreign.count(err); err == nil && w != nil && !json.Valid(w.Body) {
					err = errors.New("not JSON")
				}
				if err == nil && w != nil && name == "mistral" {
					err = valid(w.Body)
				}
				if err != nil {
					t.Errorf("%s in %s: a request of the vendors' clients: %v\n%s", name, s.preset.Dialect, err, q.Body.Raw)
				}
			}
		}
		t.Logf("%s: own requests %v; requests of the vendors' clients %v; responses %v", name, own, foreign, responses)
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("refused %d times: %s", reasons[reason], reason)
	}
}

// taken returns the body of a request that the provider took, and the dialect
// of a client who sends it as it is; nil where more than the body says what is
// asked, or no client speaks the dialect.
func taken(s *server, r *recording) (body []byte, client dialect.Dialect) {
	name := s.preset.Dialect
	if name == llm.Gemini || name == llm.Bedrock || s.preset.Hosting == llm.HostVertex || s.preset.Hosting == llm.HostBedrock || r.Response.Status != 200 ||
		len(r.Request.Body) == 0 || r.Request.Body[0] != '{' {
		return nil, nil
	}
	client, _ = dialects[name].(dialect.Dialect)
	return r.Request.Body, client
}

// unchanged sends a request that the provider took: nothing of it may be lost.
func unchanged(s *server, client dialect.Dialect, body []byte) error {
	q, err := client.DecodeRequest(llm.OpChat, body)
	if err != nil {
		return err
	}
	w, err := s.side.EncodeRequest(q, s.target(q.Model))
	if err == nil && len(w.Warnings) > 0 {
		return fmt.Errorf("the provider took it, but it is changed: %q", w.Warnings)
	}
	return err
}

// response reads a response as the gateway does.
func response(t *testing.T, s *server, r *recording) error {
	body, media := r.wire(t)
	if r.Response.Status != 200 {
		if e := s.side.DecodeError(r.Response.Status, nil, body); e == nil || e.Message == "" {
			return errors.New("the error says nothing")
		}
		return nil
	}
	dec := s.side.NewDecoder(llm.OpChat, media, 64<<20)
	frames, err := dec.Decode(body, true)
	if err != nil {
		return err
	}
	for _, f := range frames {
		for _, e := range f.Events {
			if e.Kind == llm.EventEnd || e.Kind == llm.EventError {
				return nil
			}
		}
	}
	return errors.New("it does not end")
}

// mistralSchema checks a request against Mistral's API description, which
// allows nothing that it does not list.
func mistralSchema(t *testing.T) func([]byte) error {
	t.Helper()
	text, err := os.ReadFile("../../../shared/specs/mistral-relaxed.json")
	if err != nil {
		t.Skip("no API description")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mistral.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("mistral.json#/components/schemas/ChatCompletionRequest")
	if err != nil {
		t.Fatal(err)
	}
	return func(body []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
}
