package hosting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
)

const shared = "../../../../shared"

// A recording is an exchange with a real service.
type recording struct {
	ID, Provider, Endpoint string
	Request                struct {
		Path  string
		Query string
		Body  json.RawMessage
	}
	Response struct {
		Status  int
		Headers map[string]string
		Kind    string
		Body    json.RawMessage
		Base64  []byte            `json:"body_b64"`
		Lines   []string          `json:"raw_lines"`
		Chunks  []json.RawMessage `json:"invoke_chunks"`
	}
}

// recordings reads those whose files match, in place.
func recordings(t testing.TB, patterns ...string) (all []*recording) {
	t.Helper()
	for _, pattern := range patterns {
		files, _ := filepath.Glob(filepath.Join(shared, "corpus", pattern))
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := &recording{}
			if err := json.Unmarshal(raw, r); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		t.Skip("no corpus")
	}
	return all
}

// wire is the response as it came: its media type and bytes.
func (r *recording) wire() (mediaType string, body []byte) {
	switch r.Response.Kind {
	case "eventstream":
		return eventstream.MediaType, r.Response.Base64
	case "sse":
		return "text/event-stream", []byte(strings.Join(r.Response.Lines, "\n"))
	}
	return "application/json", r.Response.Body
}

func (r *recording) head() (head []llm.Header) {
	for name, value := range r.Response.Headers {
		head = append(head, llm.Header{Name: name, Value: value})
	}
	return head
}

// of is the dialect as a service offers it.
func of(t testing.TB, h Hosting, d dialect.ProviderSide) dialect.ProviderSide {
	t.Helper()
	hosted, err := h.Of(d)
	if err != nil {
		t.Fatal(err)
	}
	return hosted
}

// decode reads a response in chunks. raw are its frames, joined.
func decode(d dialect.ProviderSide, op llm.Op, mediaType string, chunks [][]byte) (events []llm.Event, raw []byte, err error) {
	dec := d.NewDecoder(op, mediaType, 16<<20)
	for i, chunk := range chunks {
		frames, err := dec.Decode(bytes.Clone(chunk), i == len(chunks)-1)
		for _, f := range frames {
			raw = append(raw, f.Raw...)
			events = append(events, f.Events...)
		}
		if err != nil {
			return events, raw, err
		}
	}
	return events, raw, nil
}

// cut cuts a body into chunks as a network might.
func cut(body []byte, rng *rand.Rand, most int) (chunks [][]byte) {
	for len(body) > 0 {
		n := min(len(body), 1+rng.IntN(most))
		chunks = append(chunks, body[:n])
		body = body[n:]
	}
	return append(chunks, nil)
}

// same reports whether two texts are the same JSON.
func same(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatalf("%v: %s", err, a)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return reflect.DeepEqual(x, y)
}

// vendors is a recorded body as Anthropic's own API has it.
func vendors(t *testing.T, body []byte, stream bool) []byte {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "anthropic_version")
	members["model"] = json.RawMessage(`"claude"`)
	if stream {
		members["stream"] = json.RawMessage("true")
	}
	out, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// modelOf takes the model out of a recorded path.
func modelOf(path, before string) string {
	_, rest, _ := strings.Cut(path, before)
	rest, _, _ = strings.Cut(rest, "/")
	if i := strings.LastIndexByte(rest, ':'); strings.Contains(before, "publishers") {
		rest = rest[:i]
	}
	return strings.ReplaceAll(rest, "%3A", ":")
}

// What Anthropic's client would have sent becomes the recorded request of
// Bedrock, and the recorded response becomes what Anthropic would have sent.
func TestInvokeCorpus(t *testing.T) {
	d := of(t, Hosting{Name: llm.HostBedrock}, anthropic.New())
	tried := map[string]int{}
	for _, rec := range recordings(t, "bedrock/bedrock-invoke-*.json") {
		if !bytes.Contains(rec.Request.Body, []byte(`"anthropic_version"`)) {
			continue // another family of models
		}
		stream := rec.Endpoint == "invoke-with-response-stream"
		model := modelOf(rec.Request.Path, "/model/")
		sent := vendors(t, rec.Request.Body, stream)
		r, err := anthropic.New().DecodeRequest(llm.OpChat, sent)
		if err != nil {
			t.Errorf("%s: %v", rec.ID, err)
			continue
		}
		mediaType, answer := rec.wire()
		w, err := d.EncodeRequest(r, dialect.Target{Model: model})
		if err != nil && rec.Response.Status == 400 { // as Bedrock did
			w = nil
			tried["refused"]++
		} else if err != nil {
			t.Errorf("%s: %v", rec.ID, err)
			continue
		}
		if want := strings.ReplaceAll(rec.Request.Path, ":", "%3A"); w != nil && (w.Path != want || !same(t, w.Body, rec.Request.Body) || len(w.Header) > 0) {
			t.Errorf("%s: %s %v\n got %s\nwant %s", rec.ID, w.Path, w.Header, w.Body, rec.Request.Body)
		}
		tried["requests"]++
		if rec.Response.Status >= 400 {
			e := d.DecodeError(rec.Response.Status, rec.head(), answer)
			if e.Status != rec.Response.Status || !bytes.Contains(answer, []byte(e.Message)) || e.Type != "ValidationException" {
				t.Errorf("%s: %+v", rec.ID, e)
			}
			tried["errors"]++
			continue
		}
		tried[rec.Response.Kind]++
		events, raw, err := decode(d, llm.OpChat, mediaType, [][]byte{answer})
		if err != nil || len(events) == 0 || events[len(events)-1].Kind != llm.EventEnd {
			t.Errorf("%s: %v, no end in %v", rec.ID, err, events)
			continue
		}
		unwrapped(t, rec, raw)
		for _, most := range []int{1, 7, 300} {
			cutEvents, cutRaw, err := decode(d, llm.OpChat, mediaType, cut(answer, rand.New(rand.NewPCG(1, uint64(most))), most))
			if err != nil || !reflect.DeepEqual(cutEvents, events) || !bytes.Equal(cutRaw, raw) {
				t.Errorf("%s: cut into pieces of %d it is read otherwise: %v", rec.ID, most, err)
			}
		}
	}
	t.Log(tried)
}

// unwrapped asserts that the frames hold the recorded events, as Anthropic
// frames them.
func unwrapped(t *testing.T, rec *recording, raw []byte) {
	t.Helper()
	if rec.Response.Kind != "eventstream" {
		if !bytes.Equal(raw, rec.Response.Body) {
			t.Errorf("%s: the body has changed", rec.ID)
		}
		return
	}
	blocks := strings.Split(strings.TrimSuffix(string(raw), "\n\n"), "\n\n")
	if len(blocks) != len(rec.Response.Chunks) {
		t.Fatalf("%s: %d events of %d", rec.ID, len(blocks), len(rec.Response.Chunks))
	}
	for i, chunk := range rec.Response.Chunks {
		name, data, _ := strings.Cut(blocks[i], "\n")
		var event struct{ Type string }
		if err := json.Unmarshal(chunk, &event); err != nil {
			t.Fatal(err)
		}
		if name != "event: "+event.Type || !same(t, []byte(strings.TrimPrefix(data, "data: ")), chunk) {
			t.Errorf("%s: got %s, want %s", rec.ID, blocks[i], chunk)
		}
	}
}

func TestInvokeCountCorpus(t *testing.T) {
	d := of(t, Hosting{Name: llm.HostBedrock}, anthropic.New())
	for _, rec := range recordings(t, "bedrock/bedrock-count-tokens-*.json") {
		events, raw, err := decode(d, llm.OpCountTokens, "application/json", [][]byte{rec.Response.Body})
		var want struct{ InputTokens int64 }
		if err := json.Unmarshal(rec.Response.Body, &want); err != nil {
			t.Fatal(err)
		}
		if err != nil || events[0].Usage.Input != want.InputTokens || string(raw) != fmt.Sprintf(`{"input_tokens":%d}`, want.InputTokens) {
			t.Errorf("%s: %v, %v, %s", rec.ID, events, err, raw)
		}
	}
}

func TestRawPredictCorpus(t *testing.T) {
	d := of(t, Hosting{Name: llm.HostVertex, Project: "test-project", Region: "us-east5"}, anthropic.New())
	for _, rec := range recordings(t, "vertex-anthropic/*.json") {
		sent := vendors(t, rec.Request.Body, true)
		r, err := anthropic.New().DecodeRequest(llm.OpChat, sent)
		if err != nil {
			t.Fatalf("%s: %v", rec.ID, err)
		}
		w, err := d.EncodeRequest(r, dialect.Target{Model: modelOf(rec.Request.Path, "/publishers/anthropic/models/")})
		if err != nil || w.Path != rec.Request.Path {
			t.Fatalf("%s: %v, %+v", rec.ID, err, w)
		}
		if !same(t, w.Body, rec.Request.Body) {
			t.Errorf("%s:\n got %s\nwant %s", rec.ID, w.Body, rec.Request.Body)
		}
		mediaType, body := rec.wire()
		events, raw, err := decode(d, llm.OpChat, mediaType, [][]byte{body})
		if err != nil || events[len(events)-1].Kind != llm.EventEnd || !bytes.Equal(raw, body) {
			t.Errorf("%s: %v, %v", rec.ID, events, err)
		}
	}
}

// geminiOps are the calls of Vertex that are Gemini's own.
var geminiOps = map[string]llm.Op{
	"generateContent": llm.OpChat, "streamGenerateContent": llm.OpChat,
	"countTokens": llm.OpCountTokens, "embedContent": llm.OpEmbeddings,
}

func TestVertexCorpus(t *testing.T) {
	tried := map[string]int{}
	for _, rec := range recordings(t, "vertex/*.json") {
		op, ok := geminiOps[rec.Endpoint]
		if !ok || !bytes.HasPrefix(rec.Request.Body, []byte("{")) {
			continue
		}
		tried[rec.Endpoint]++
		steps := strings.Split(rec.Request.Path, "/") // "", version, projects, test-project, locations, region …
		version, region := steps[1], steps[5]
		if strings.HasPrefix(region, "<") { // taken out of the recording
			rec.Request.Path = strings.Replace(rec.Request.Path, region, "europe-west1", 1)
			region = "europe-west1"
		}
		d := of(t, Hosting{Name: llm.HostVertex, Project: "test-project", Region: region, APIVersion: version}, gemini.New())
		r, err := gemini.New().DecodeRequest(op, rec.Request.Body)
		if err != nil {
			if rec.Response.Status < 400 {
				t.Errorf("%s: %v", rec.ID, err)
			}
			continue
		}
		r.Stream = rec.Endpoint == "streamGenerateContent"
		w, err := d.EncodeRequest(r, dialect.Target{Model: modelOf(rec.Request.Path, "/publishers/google/models/")})
		if err != nil {
			t.Errorf("%s: %v", rec.ID, err)
			continue
		}
		if path, _, _ := strings.Cut(w.Path, "?"); path != rec.Request.Path || !bytes.Equal(w.Body, rec.Request.Body) || len(w.Warnings) > 0 {
			t.Errorf("%s: %s, want %s, %v\n got %s\nwant %s", rec.ID, w.Path, rec.Request.Path, w.Warnings, w.Body, rec.Request.Body)
		}
		mediaType, body := rec.wire()
		if rec.Response.Status >= 400 {
			if e := d.DecodeError(rec.Response.Status, nil, body); e.Status != rec.Response.Status {
				t.Errorf("%s: %v", rec.ID, e)
			}
			continue
		}
		events, _, err := decode(d, op, mediaType, [][]byte{body})
		if err != nil || events[len(events)-1].Kind != llm.EventEnd {
			t.Errorf("%s: %v, %v", rec.ID, events, err)
		}
	}
	t.Log(tried)
}

// A predict is Gemini's request for embeddings and back.
func TestPredictCorpus(t *testing.T) {
	for _, rec := range recordings(t, "vertex/vertex-predict-*.json") {
		var q struct {
			Instances []struct {
				Content  string
				TaskType string `json:"task_type"`
			}
			Parameters struct{ OutputDimensionality int64 }
		}
		if err := json.Unmarshal(rec.Request.Body, &q); err != nil {
			t.Fatal(err)
		}
		d := of(t, Hosting{Name: llm.HostVertex, Project: "test-project", Region: "global", APIVersion: "v1beta1"}, gemini.New())
		r := &llm.Request{Op: llm.OpEmbeddings, Dialect: llm.OpenAI, Dimensions: q.Parameters.OutputDimensionality}
		for _, i := range q.Instances {
			r.Inputs = append(r.Inputs, llm.Part{Text: i.Content})
		}
		model := modelOf(rec.Request.Path, "/publishers/google/models/")
		w, err := d.EncodeRequest(r, dialect.Target{Model: model})
		if err != nil {
			t.Fatal(err)
		}
		want := rec.Request.Body
		if q.Instances[0].TaskType != "" {
			want = bytes.ReplaceAll(want, []byte(`,"task_type":"`+q.Instances[0].TaskType+`"`), nil)
		}
		if !same(t, w.Body, want) || !strings.HasSuffix(w.Path, "/publishers/google/models/"+model+":predict") {
			t.Errorf("%s: %s\n got %s\nwant %s", rec.ID, w.Path, w.Body, want)
		}
		var a struct {
			Predictions []struct {
				Embeddings struct {
					Statistics struct {
						TokenCount int64 `json:"token_count"`
					}
					Values []float64
				}
			}
		}
		if err := json.Unmarshal(rec.Response.Body, &a); err != nil {
			t.Fatal(err)
		}
		events, _, err := decode(d, llm.OpEmbeddings, "application/json", cut(rec.Response.Body, rand.New(rand.NewPCG(1, 1)), 900))
		if err != nil {
			t.Fatal(err)
		}
		vectors := slices.DeleteFunc(slices.Clone(events), func(e llm.Event) bool { return e.Kind != llm.EventVector })
		usage := slices.DeleteFunc(events, func(e llm.Event) bool { return e.Kind != llm.EventUsage })
		if len(vectors) != len(a.Predictions) || len(usage) != 1 {
			t.Fatalf("%s: %d vectors, %v", rec.ID, len(vectors), usage)
		}
		tokens := int64(0)
		for i, p := range a.Predictions {
			var got []float64
			if err := json.Unmarshal([]byte(vectors[i].Text), &got); err != nil || !slices.Equal(got, p.Embeddings.Values) {
				t.Errorf("%s: vector %d: %v", rec.ID, i, err)
			}
			tokens += p.Embeddings.Statistics.TokenCount
		}
		if usage[0].Usage.Input != tokens {
			t.Errorf("%s: %+v, want %d tokens", rec.ID, usage[0].Usage, tokens)
		}
	}
}

// Azure has OpenAI's bodies, so that a request of a client of OpenAI's becomes
// the recorded one by its path alone.
func TestAzureCorpus(t *testing.T) {
	tried := map[string]int{}
	for _, rec := range recordings(t, "azure/*.json") {
		classic := strings.HasPrefix(rec.Request.Path, "/openai/deployments/") || rec.Request.Path == "/openai/responses"
		if !classic && !strings.HasPrefix(rec.Request.Path, "/openai/v1/") {
			tried["of another form"]++
			continue
		}
		op, inner := llm.OpChat, dialect.Dialect(openai.New())
		switch rec.Endpoint {
		case "embeddings":
			op = llm.OpEmbeddings
		case "responses":
			inner = responses.New()
		}
		mediaType, body := rec.wire()
		tried[rec.Endpoint+" "+mediaType]++
		d := of(t, Hosting{Name: llm.HostAzure, APIVersion: strings.TrimPrefix(rec.Request.Query, "api-version=")}, inner)
		r, err := inner.DecodeRequest(op, rec.Request.Body)
		if err != nil {
			t.Errorf("%s: %v", rec.ID, err)
			continue
		}
		model := r.Model
		if _, rest, ok := strings.Cut(rec.Request.Path, "/deployments/"); ok {
			model, _, _ = strings.Cut(rest, "/")
			r.Model = model // the recorded body names another one, or none
		}
		w, err := d.EncodeRequest(r, dialect.Target{Model: model})
		path := rec.Request.Path
		if rec.Request.Query != "" {
			path += "?" + rec.Request.Query
		}
		if err != nil || w.Path != path || !bytes.Equal(w.Body, rec.Request.Body) {
			t.Errorf("%s: %v, %+v, want %s", rec.ID, err, w, path)
		}
		if rec.Response.Status >= 400 {
			if e := d.DecodeError(rec.Response.Status, nil, body); e.Status != rec.Response.Status || !bytes.Contains(body, []byte(e.Message)) {
				t.Errorf("%s: %v", rec.ID, e)
			}
			continue
		}
		events, raw, err := decode(d, op, mediaType, [][]byte{body})
		if err != nil || !bytes.Equal(raw, body) {
			t.Errorf("%s: %v", rec.ID, err)
		}
		switch last := events[len(events)-1]; {
		case last.Kind == llm.EventEnd:
		case last.Kind == llm.EventError && last.Err.Code == "content_filter": // a 200 that is none
		default:
			t.Errorf("%s: ends with %+v", rec.ID, last)
		}
	}
	t.Log(tried)
}
