// Package dialect_test sends recorded traffic across the dialects: what a
// provider of one says must reach a client of another unchanged in meaning, and
// in a form that the other's published schema allows.
package dialect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/llm"
)

// shared is the folder of recordings and published schemas, which a clone may
// not have.
const shared = "../../../shared"

func clock() time.Time { return time.Unix(1700000000, 0) }

// The dialects and, for each, the endpoints whose recordings speak it.
var (
	dialects  = []dialect.Dialect{openai.New().WithClock(clock), anthropic.New()}
	endpoints = map[string][]string{llm.OpenAI: {"chat"}, llm.Anthropic: {"messages"}}
)

// others are the dialects that traffic of one can cross to.
func others(name string) []dialect.Dialect {
	return slices.DeleteFunc(slices.Clone(dialects), func(d dialect.Dialect) bool { return d.Name() == name })
}

// A recording is one exchange with a provider.
type recording struct {
	ID, Provider, Endpoint string
	Request                *struct{ Body json.RawMessage }
	Response               struct {
		Status int
		Kind   string
		Body   json.RawMessage
		Lines  []string `json:"raw_lines"`
	}
}

// recordings reads those that speak a dialect.
func recordings(t *testing.T, name string) []*recording {
	t.Helper()
	var index struct {
		Recordings []struct{ File, Endpoint string }
	}
	raw, err := os.ReadFile(filepath.Join(shared, "corpus/index.json"))
	if err != nil {
		t.Skip("no corpus")
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	var out []*recording
	for _, entry := range index.Recordings {
		if !slices.Contains(endpoints[name], entry.Endpoint) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(shared, "corpus", entry.File))
		if err != nil {
			t.Fatal(err)
		}
		r := &recording{}
		if err := json.Unmarshal(raw, r); err != nil {
			t.Fatalf("%s: %v", entry.File, err)
		}
		out = append(out, r)
	}
	return out
}

// wire is the response as it came: its media type and bytes.
func (r *recording) wire() (mediaType string, body []byte) {
	switch r.Response.Kind {
	case "sse":
		return "text/event-stream", []byte(strings.Join(r.Response.Lines, "\n"))
	case "chunks": // the data of the events alone
		for _, data := range r.Response.Lines {
			body = fmt.Appendf(body, "data: %s\n\n", data)
		}
		return "text/event-stream", body
	}
	return "application/json", r.Response.Body
}

// cut cuts a body into chunks as a network might.
func cut(body []byte, rng *rand.Rand, most int) (chunks [][]byte) {
	for len(body) > 0 {
		n := min(len(body), 1+rng.IntN(most))
		chunks = append(chunks, bytes.Clone(body[:n]))
		body = body[n:]
	}
	return append(chunks, nil)
}

// cross sends chunks of a response through a decoder and an encoder. It returns
// the canonical events as well.
func cross(from, to dialect.Dialect, r *llm.Request, mediaType string, chunks [][]byte) (out []byte, events []llm.Event, err error) {
	dec, enc := from.NewDecoder(r.Op, mediaType, 16<<20), to.NewEncoder(r)
	for i, chunk := range chunks {
		frames, err := dec.Decode(chunk, i == len(chunks)-1)
		if err != nil {
			return out, events, err
		}
		for _, f := range frames {
			events = append(events, f.Events...)
			if out, err = enc.Encode(out, f.Events); err != nil {
				return out, events, err
			}
		}
	}
	return out, events, nil
}

// A reading is what a response says.
type reading struct {
	Text, Reasoning, Signature string
	Calls                      []call
	Reason                     llm.FinishReason
	Usage                      llm.Usage
	Error                      string
	Ended                      bool
}

type call struct {
	ID, Name string
	Args     any
}

func read(events []llm.Event) (out reading) {
	args := map[int]string{}
	for _, e := range events {
		if e.Choice > 0 {
			continue // no other format has several answers; asking for them is refused
		}
		switch e.Kind {
		case llm.EventText, llm.EventRefusal:
			out.Text += e.Text
		case llm.EventReasoning:
			out.Reasoning += e.Text
		case llm.EventSignature:
			out.Signature += strings.TrimPrefix(e.Text, "YXR0YWNoZTp1bnNpZ25lZA==") // stands for none
		case llm.EventToolStart:
			out.Calls = append(out.Calls, call{ID: e.ID, Name: e.Name})
			out.Signature += e.Signature
		case llm.EventToolArgs:
			args[e.Tool] += e.Text
		case llm.EventUsage:
			out.Usage = e.Usage
		case llm.EventFinish:
			out.Reason = e.Reason
		case llm.EventError:
			out.Error = e.Err.Message
		case llm.EventEnd:
			out.Ended = true
		}
	}
	for i := range out.Calls {
		text := strings.TrimSpace(args[i])
		if text == "" {
			text = "{}"
		}
		if json.Unmarshal([]byte(text), &out.Calls[i].Args) != nil {
			out.Calls[i].Args = text
		}
	}
	return out
}

// reasons are the finish reasons that a dialect has another name for.
var reasons = map[string]map[llm.FinishReason]llm.FinishReason{
	llm.OpenAI: {
		llm.FinishStopSequence: llm.FinishStop,
		llm.FinishContext:      llm.FinishLength,
		llm.FinishRefusal:      llm.FinishContentFilter,
		llm.FinishPause:        llm.FinishStop,
	},
	llm.Anthropic: {llm.FinishContentFilter: llm.FinishRefusal},
}

// expected is what a client of a dialect should read.
func expected(want reading, to string) reading {
	if other, ok := reasons[to][want.Reason]; ok {
		want.Reason = other
	}
	if len(want.Calls) > 0 && (want.Reason == llm.FinishStop || want.Reason == "") {
		want.Reason = llm.FinishToolCalls
	}
	if want.Reason == "" || want.Reason == llm.FinishToolCalls && len(want.Calls) == 0 {
		want.Reason = llm.FinishStop
	}
	want.Usage.CacheWriteHour = 0
	if to == llm.Gemini {
		want.Usage.CacheWrite = 0 // it has no such count
	}
	return want
}

// schemas are the published schemas of what a client reads.
type schemas struct {
	request map[string]*jsonschema.Schema
	unary   map[string]*jsonschema.Schema
	events  map[string]map[string]*jsonschema.Schema // by the event's type
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
	for _, d := range dialects { // a schema that takes everything proves nothing
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
	if to == llm.Gemini {
		return checkGemini(stream, out)
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

// A recorded response says the same to a client of another dialect, streamed or
// not, however the network cuts it.
func TestResponsesCross(t *testing.T) {
	schemas := loadSchemas(t)
	for _, from := range dialects {
		for _, to := range others(from.Name()) {
			t.Run(from.Name()+" to "+to.Name(), func(t *testing.T) {
				tried := 0
				for _, rec := range recordings(t, from.Name()) {
					if rec.Response.Status < 400 {
						tried++
						crossResponse(t, schemas, from, to, rec)
					}
				}
				t.Logf("%d responses tried, each in both forms", tried)
			})
		}
	}
}

func crossResponse(t *testing.T, schemas *schemas, from, to dialect.Dialect, rec *recording) {
	t.Helper()
	mediaType, body := rec.wire()
	for _, stream := range []bool{true, false} {
		r := &llm.Request{Op: llm.OpChat, Dialect: to.Name(), Model: "asked", Stream: stream, StreamUsage: true, InputEstimate: 5}
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("%s, stream %v: %s", rec.ID, stream, fmt.Sprintf(format, args...))
		}
		out, events, err := cross(from, to, r, mediaType, [][]byte{bytes.Clone(body), nil})
		if err != nil {
			fail("%v", err)
			return
		}
		want := read(events)
		if !want.Ended && want.Error == "" {
			continue // cut off: the gateway makes it an error
		}
		if err := schemas.check(to.Name(), stream, out); err != nil && want.Error == "" {
			fail("%v\n%s", err, out)
		}
		_, again, err := cross(to, to, r, to.NewEncoder(r).MediaType(), [][]byte{out, nil})
		if err != nil {
			fail("%v\n%s", err, out)
			continue
		}
		got := read(again)
		if want.Error != "" {
			if got.Error == "" || got.Ended {
				fail("the error was lost: %s", out)
			}
			continue
		}
		if want = expected(want, to.Name()); want.Usage == (llm.Usage{}) && (to.Name() == llm.Anthropic || to.Name() == llm.Gemini) {
			want.Usage.Input = r.InputEstimate // the provider did not say
		}
		if got.Usage.CacheWriteHour = 0; want.Signature == "" {
			got.Signature = ""
		}
		compareCalls(&got, &want)
		if !reflect.DeepEqual(got, want) {
			fail("\n got %+v\nwant %+v", got, want)
		}
		if start := slices.IndexFunc(events, func(e llm.Event) bool { return e.Kind == llm.EventStart }); start < 0 || events[start].ID == "" {
			continue // the id is made up, another one each time
		}
		rng := rand.New(rand.NewPCG(3, uint64(len(body))))
		pieces, _, err := cross(from, to, r, mediaType, cut(body, rng, 200))
		if err != nil || !bytes.Equal(pieces, out) {
			fail("cut otherwise it is written otherwise: %v\n%s\n%s", err, out, pieces)
		}
	}
}

// compareCalls makes ids equal where the provider's would not be taken.
func compareCalls(got, want *reading) {
	for i := range min(len(got.Calls), len(want.Calls)) {
		id := want.Calls[i].ID
		if ok := id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""; !ok && got.Calls[i].ID != "" {
			want.Calls[i].ID = got.Calls[i].ID
		}
	}
}

// A recorded request can be written for another dialect, or is refused for a
// reason that has a code and, as a rule, names the field.
func TestRequestsCross(t *testing.T) {
	schemas := loadSchemas(t)
	rules := llm.Rules{Reasons: true, Adaptive: true, NativeSchema: true}
	for _, from := range dialects {
		for _, to := range others(from.Name()) {
			t.Run(from.Name()+" to "+to.Name(), func(t *testing.T) {
				tried, written := 0, 0
				refused := map[string]int{}
				for _, rec := range recordings(t, from.Name()) {
					if rec.Provider == "vertex-anthropic" || rec.Request == nil || len(rec.Request.Body) == 0 || rec.Request.Body[0] != '{' {
						continue
					}
					r, err := from.DecodeRequest(llm.OpChat, rec.Request.Body)
					if err != nil {
						if rec.Response.Status < 400 {
							t.Errorf("%s: %v", rec.ID, err)
						}
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
						refused[e.Message]++
					default:
						t.Errorf("%s: %v", rec.ID, err)
					}
				}
				t.Logf("%d tried, %d written", tried, written)
				for _, why := range slices.Sorted(maps.Keys(refused)) {
					t.Logf("%d refused: %s", refused[why], why)
				}
			})
		}
	}
}

// checkRequest asserts that what was written is a request of the dialect.
func checkRequest(t *testing.T, schemas *schemas, to dialect.Dialect, rec *recording, w *dialect.Wire) {
	t.Helper()
	if _, err := to.DecodeRequest(llm.OpChat, w.Body); err != nil {
		t.Errorf("%s: %v: %.300s", rec.ID, err, w.Body)
	}
	if err := validate(schemas.request[to.Name()], w.Body); err != nil {
		t.Errorf("%s: %v: %.300s", rec.ID, err, w.Body)
	}
	for _, warning := range w.Warnings {
		if name, reason, ok := strings.Cut(warning, ": "); !ok || name == "" || reason == "" {
			t.Errorf("%s: the warning %q names no field or no reason", rec.ID, warning)
		}
	}
}

// A client that sends an answer back, as SDKs do for the next turn, gives the
// provider its own signed reasoning again, although it speaks another dialect.
func TestSignaturesSurvive(t *testing.T) {
	body, err := os.ReadFile("testdata/anthropic/answer.json")
	if err != nil {
		t.Fatal(err)
	}
	client, provider := dialects[0], dialects[1]
	r := &llm.Request{Op: llm.OpChat, Dialect: llm.OpenAI}
	out, _, err := cross(provider, client, r, "application/json", [][]byte{body, nil})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Choices []struct{ Message json.RawMessage }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	next := fmt.Appendf(nil, `{"model":"m","messages":[{"role":"user","content":"q"},%s,{"role":"tool","tool_call_id":"toolu_1","content":"a"}]}`, answer.Choices[0].Message)
	r, err = client.DecodeRequest(llm.OpChat, next)
	if err != nil {
		t.Fatal(err)
	}
	w, err := provider.EncodeRequest(r, dialect.Target{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `"content":[{"type":"thinking","thinking":"Two calls.\nLet me.","signature":"c2ln"},{"type":"redacted_thinking","data":"eHg="},{"type":"text",`
	if !bytes.Contains(w.Body, []byte(want)) {
		t.Errorf("no %s in\n%s", want, w.Body)
	}
}

// The mark that stands for the signature of unsigned reasoning comes back from
// the client and goes no further.
func TestUnsignedReasoningComesBack(t *testing.T) {
	body, err := os.ReadFile("testdata/crossing/answer.json")
	if err != nil {
		t.Fatal(err)
	}
	provider, client := dialects[0], dialects[1]
	r := &llm.Request{Op: llm.OpChat, Dialect: llm.Anthropic}
	out, _, err := cross(provider, client, r, "application/json", [][]byte{body, nil})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Content json.RawMessage }
	var blocks []struct{ Type, Signature string }
	if err := errors.Join(json.Unmarshal(out, &answer), json.Unmarshal(answer.Content, &blocks)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mark := blocks[0].Signature
	if blocks[0].Type != "thinking" || mark == "" {
		t.Fatalf("no reasoning with a signature: %s", out)
	}
	next := fmt.Appendf(nil, `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":%s},{"role":"user","content":"go on"}]}`, answer.Content)
	r, err = client.DecodeRequest(llm.OpChat, next)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range dialects {
		w, err := to.EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(w.Body, []byte(mark)) {
			t.Errorf("%s got the mark: %s", to.Name(), w.Body)
		}
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of the expected output.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", file, got)
	}
}

// samples are the folders with one request that has everything in it, and one
// answer in both forms.
var samples = map[string]string{llm.OpenAI: "testdata/crossing", llm.Anthropic: "testdata/anthropic"}

func TestGoldenRequests(t *testing.T) {
	rules := llm.Rules{Reasons: true, Adaptive: true, NativeSchema: true}
	for _, from := range dialects {
		body, err := os.ReadFile(filepath.Join(samples[from.Name()], "full.json"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := from.DecodeRequest(llm.OpChat, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range others(from.Name()) {
			w, err := to.EncodeRequest(r, dialect.Target{Model: "target", Rules: rules})
			if err != nil {
				t.Fatal(err)
			}
			out := fmt.Appendf(nil, "POST %s\n", w.Path)
			for _, h := range w.Header {
				out = fmt.Appendf(out, "%s: %s\n", h.Name, h.Value)
			}
			for _, warning := range w.Warnings {
				out = fmt.Appendf(out, "warning: %s\n", warning)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, w.Body, "", "  "); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			out = append(append(append(out, '\n'), pretty.Bytes()...), '\n')
			golden(t, filepath.Join(samples[from.Name()], "full."+to.Name()+".golden"), out)
		}
	}
}

// The answer's two forms cross to the same answer in either form.
func TestGoldenResponses(t *testing.T) {
	for _, from := range dialects {
		for _, to := range others(from.Name()) {
			for _, form := range []struct{ file, mediaType string }{
				{"answer.json", "application/json"}, {"answer.sse", "text/event-stream"},
			} {
				body, err := os.ReadFile(filepath.Join(samples[from.Name()], form.file))
				if err != nil {
					t.Fatal(err)
				}
				for _, stream := range []bool{false, true} {
					r := &llm.Request{Op: llm.OpChat, Dialect: to.Name(), Stream: stream, StreamUsage: true, InputEstimate: 5}
					out, _, err := cross(from, to, r, form.mediaType, [][]byte{body, nil})
					if err != nil {
						t.Fatal(err)
					}
					name := form.file + "." + to.Name()
					if stream {
						name += ".stream"
					}
					golden(t, filepath.Join(samples[from.Name()], name+".golden"), out)
				}
			}
		}
	}
}
