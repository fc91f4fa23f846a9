package gemini

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// corpus is the folder of recorded traffic, which a clone may not have.
const corpus = "../../../../shared/corpus"

// A recording is one exchange with a provider.
type recording struct {
	ID, Provider, Endpoint, Model string

	Request  *struct{ Body json.RawMessage }
	Response struct {
		Status int
		Kind   string
		Body   json.RawMessage
		Lines  []string `json:"raw_lines"`
	}
}

// ops are the endpoints that this package reads.
var ops = map[string]llm.Op{
	"generateContent": llm.OpChat, "streamGenerateContent": llm.OpChat, "countTokens": llm.OpCountTokens,
	"embedContent": llm.OpEmbeddings, "batchEmbedContents": llm.OpEmbeddings,
}

// wire is the response as it came: its media type and bytes.
func (r *recording) wire() (mediaType string, body []byte) {
	switch r.Response.Kind {
	case "sse":
		return "text/event-stream", []byte(strings.Join(r.Response.Lines, "\n"))
	case "chunks": // the data of the events alone
		for _, data := range r.Response.Lines {
			body = fmt.Appendf(body, "data: %s\r\n\r\n", data)
		}
		return "text/event-stream", body
	}
	return "application/json", r.Response.Body
}

// recordings reads the traffic of Gemini, also on Vertex.
func recordings(t *testing.T) (out []*recording) {
	t.Helper()
	for _, folder := range []string{"gemini", "vertex"} {
		files, _ := filepath.Glob(filepath.Join(corpus, folder, "*.json"))
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := &recording{}
			if err := json.Unmarshal(raw, r); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if ops[r.Endpoint] != "" {
				out = append(out, r)
			}
		}
	}
	if len(out) == 0 {
		t.Skip("no corpus")
	}
	return out
}

// A recorded request goes out as it came in.
func TestCorpusRequests(t *testing.T) {
	tried := 0
	for _, rec := range recordings(t) {
		if rec.Request == nil || len(rec.Request.Body) == 0 || rec.Request.Body[0] != '{' {
			continue
		}
		tried++
		body := []byte(rec.Request.Body)
		r, err := New().DecodeRequest(ops[rec.Endpoint], body)
		if err != nil {
			if rec.Response.Status < 400 {
				t.Errorf("%s: %v", rec.ID, err)
			}
			continue
		}
		w, err := New().EncodeRequest(r, dialect.Target{Model: rec.Model})
		if err != nil {
			t.Errorf("%s: %v", rec.ID, err)
			continue
		}
		if !bytes.Equal(w.Body, body) {
			t.Errorf("%s: the body has changed\n%s\n%s", rec.ID, body, w.Body)
		}
		checkSpans(t, rec.ID, r)
	}
	t.Logf("%d requests tried", tried)
}

// checkSpans asserts that the place of each text holds that text.
func checkSpans(t *testing.T, id string, r *llm.Request) {
	t.Helper()
	var check func(parts []llm.Part)
	check = func(parts []llm.Part) {
		for _, p := range parts {
			check(p.Parts)
			if p.At.Empty() {
				continue
			}
			var s string
			if err := json.Unmarshal(r.Body.Raw[p.At.Start:p.At.End], &s); err != nil || s != p.Text {
				t.Errorf("%s: %q stands for %q", id, r.Body.Raw[p.At.Start:p.At.End], p.Text)
			}
		}
	}
	check(r.System)
	check(r.Inputs)
	for _, m := range r.Messages {
		check(m.Parts)
	}
}

// A reading is what a response says, in words that both a decoder's events and
// an independent reader of the JSON can be put into.
type reading struct {
	ID, Model, Text, Reasoning string
	Signatures                 []string
	Calls                      []call
	Finish                     bool
	Usage                      llm.Usage
	Error                      string
}

type call struct {
	Name string
	Args any
}

// read puts a decoder's events into a reading.
func read(events []llm.Event) (out reading) {
	args := map[int]string{}
	sign := func(s string) { out.Signatures = append(out.Signatures, strings.TrimPrefix(s, "attache:gemini:")) }
	for _, e := range events {
		switch e.Kind {
		case llm.EventStart:
			out.ID, out.Model = e.ID, e.Model
		case llm.EventText:
			out.Text += e.Text
		case llm.EventReasoning:
			out.Reasoning += e.Text
		case llm.EventSignature:
			sign(e.Text)
		case llm.EventToolStart:
			out.Calls = append(out.Calls, call{Name: e.Name})
			if e.Signature != "" {
				sign(e.Signature)
			}
		case llm.EventToolArgs:
			args[e.Tool] += e.Text
		case llm.EventUsage:
			out.Usage = e.Usage
		case llm.EventFinish:
			out.Finish = true
		case llm.EventError:
			out.Error = e.Err.Message
		}
	}
	for i := range out.Calls {
		_ = json.Unmarshal([]byte(args[i]), &out.Calls[i].Args)
	}
	return out
}

// plainly reads a body with encoding/json.
func plainly(t *testing.T, mediaType string, body []byte) (out reading) {
	t.Helper()
	type object struct {
		Candidates []struct {
			Content struct {
				Parts []struct {
					Text, ThoughtSignature string
					Thought                bool
					FunctionCall           *struct {
						Name         string
						Args         map[string]any
						WillContinue *bool
					}
				}
			}
			FinishReason any
		}
		PromptFeedback *struct{ BlockReason string }
		UsageMetadata  struct {
			PromptTokensDetails, CandidatesTokensDetails []struct {
				Modality   any // some send its number
				TokenCount int64
			}
			PromptTokenCount, ToolUsePromptTokenCount, CachedContentTokenCount, CandidatesTokenCount, ThoughtsTokenCount int64
		}
		ModelVersion, ResponseID string
		Error                    *struct{ Message string }
	}
	var objects []object
	switch {
	case mediaType == "text/event-stream":
		for _, line := range strings.Split(string(body), "\n") {
			if data, ok := strings.CutPrefix(line, "data:"); ok {
				var o object
				if err := json.Unmarshal([]byte(data), &o); err != nil {
					t.Fatal(err)
				}
				objects = append(objects, o)
			}
		}
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")):
		if err := json.Unmarshal(body, &objects); err != nil {
			t.Fatal(err)
		}
	default:
		objects = make([]object, 1)
		if err := json.Unmarshal(body, &objects[0]); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range objects {
		if o.Error != nil {
			out.Error = o.Error.Message
		}
		if out.ID == "" {
			out.ID, out.Model = o.ResponseID, o.ModelVersion
		}
		for _, c := range o.Candidates {
			for _, p := range c.Content.Parts {
				switch {
				case p.FunctionCall != nil && (p.FunctionCall.WillContinue != nil || p.FunctionCall.Name == ""):
				case p.FunctionCall != nil:
					args := p.FunctionCall.Args
					if args == nil {
						args = map[string]any{}
					}
					out.Calls = append(out.Calls, call{p.FunctionCall.Name, args})
				case p.Thought:
					out.Reasoning += p.Text
				default:
					out.Text += p.Text
				}
				if p.ThoughtSignature != "" {
					out.Signatures = append(out.Signatures, p.ThoughtSignature)
				}
			}
			out.Finish = out.Finish || c.FinishReason != nil
		}
		out.Finish = out.Finish || o.PromptFeedback != nil
		u := o.UsageMetadata
		if u.PromptTokenCount+u.CandidatesTokenCount > 0 {
			out.Usage = llm.Usage{Input: u.PromptTokenCount + u.ToolUsePromptTokenCount, CacheRead: u.CachedContentTokenCount,
				Output: u.CandidatesTokenCount + u.ThoughtsTokenCount, Reasoning: u.ThoughtsTokenCount}
			for _, d := range u.PromptTokensDetails {
				if d.Modality == "AUDIO" {
					out.Usage.AudioInput = d.TokenCount
				}
			}
			for _, d := range u.CandidatesTokensDetails {
				if d.Modality == "AUDIO" {
					out.Usage.AudioOutput = d.TokenCount
				}
			}
		}
	}
	return out
}

// decode sends chunks through a decoder.
func decode(op llm.Op, mediaType string, chunks ...[]byte) (raw []byte, events []llm.Event, err error) {
	d := New().NewDecoder(op, mediaType, 16<<20)
	for i, chunk := range chunks {
		frames, err := d.Decode(bytes.Clone(chunk), i == len(chunks)-1)
		for _, f := range frames {
			raw = append(raw, f.Raw...)
			events = append(events, f.Events...)
		}
		if err != nil {
			return raw, events, err
		}
	}
	return raw, events, nil
}

// cut cuts a body into chunks of random sizes up to most.
func cut(body []byte, rng *rand.Rand, most int) (chunks [][]byte) {
	for len(body) > 0 {
		n := min(len(body), 1+rng.IntN(most))
		chunks = append(chunks, body[:n])
		body = body[n:]
	}
	return append(chunks, nil)
}

// A recorded response is read as an independent reader reads it, byte for byte
// the same, however it is cut.
func TestCorpusResponses(t *testing.T) {
	tried, streams, cutOff := 0, 0, 0
	for _, rec := range recordings(t) {
		if rec.Response.Status >= 400 {
			continue
		}
		tried++
		op := ops[rec.Endpoint]
		mediaType, body := rec.wire()
		raw, events, err := decode(op, mediaType, body, nil)
		if err != nil {
			t.Errorf("%s: %v", rec.ID, err)
			continue
		}
		if !bytes.Equal(raw, body) {
			t.Errorf("%s: the frames are not the response", rec.ID)
		}
		if op == llm.OpChat {
			want := plainly(t, mediaType, body)
			if got := read(events); !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\n got %+v\nwant %+v", rec.ID, got, want)
			}
		}
		if mediaType == "text/event-stream" {
			streams++
		}
		if len(events) == 0 || events[len(events)-1].Kind != llm.EventEnd {
			cutOff++
		}
		rng := rand.New(rand.NewPCG(1, uint64(len(body))))
		for _, most := range []int{1, 7, 500} {
			raw, again, err := decode(op, mediaType, cut(body, rng, most)...)
			if err != nil || !bytes.Equal(raw, body) || !reflect.DeepEqual(again, events) {
				t.Errorf("%s: cut otherwise it is read otherwise: %v", rec.ID, err)
			}
		}
	}
	t.Logf("%d responses tried, %d of them streams, %d without an end", tried, streams, cutOff)
}

// Recorded errors keep their message and get the status and code of theirs.
func TestCorpusErrors(t *testing.T) {
	tried := 0
	for _, rec := range recordings(t) {
		if rec.Response.Status < 400 {
			continue
		}
		tried++
		e := New().DecodeError(rec.Response.Status, nil, rec.Response.Body)
		var body struct{ Error struct{ Message string } }
		if err := json.Unmarshal(rec.Response.Body, &body); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(rec.Response.Body, []byte("API_KEY_INVALID")) {
			if e.Status != 502 { // the gateway's key, not the client's
				t.Errorf("%s: got %+v", rec.ID, e)
			}
			continue
		}
		if e.Status != rec.Response.Status || e.Message != body.Error.Message || e.Code == "" {
			t.Errorf("%s: got %+v", rec.ID, e)
		}
	}
	t.Logf("%d errors tried", tried)
}
