package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

const corpus = "../../../../shared/corpus"

// recording is an exchange with a real provider.
type recording struct {
	ID       string
	Provider string
	Endpoint string
	Request  struct{ Body json.RawMessage }
	Response struct {
		Status   int
		Kind     string
		Body     json.RawMessage
		RawLines []string `json:"raw_lines"`
	}
}

// recordings reads the corpus in place. Without it the test says so and passes.
func recordings(t testing.TB, endpoint string) []recording {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(corpus, "index.json"))
	if err != nil {
		t.Skip("no corpus")
	}
	var files struct {
		Recordings []struct{ File, Endpoint string }
	}
	if err := json.Unmarshal(index, &files); err != nil {
		t.Fatal(err)
	}
	var all []recording
	for _, f := range files.Recordings {
		if f.Endpoint != endpoint {
			continue
		}
		text, err := os.ReadFile(filepath.Join(corpus, f.File))
		if err != nil {
			t.Fatal(err)
		}
		var r recording
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// wire returns the bytes of the response and their media type. Recordings of
// chunks hold the data of the events alone.
func (r *recording) wire() (body []byte, mediaType string) {
	switch r.Response.Kind {
	case "sse":
		return []byte(strings.Join(r.Response.RawLines, "\n")), "text/event-stream"
	case "chunks":
		var b bytes.Buffer
		for _, line := range r.Response.RawLines {
			fmt.Fprintf(&b, "data: %s\n\n", line)
		}
		return b.Bytes(), "text/event-stream; charset=utf-8"
	}
	return r.Response.Body, "application/json"
}

// words are what providers say otherwise, which is their own: their clients'
// requests go to them as they came.
var words = map[string]llm.Rules{"mistral": {ToolAny: true, SeedField: "random_seed"}}

func TestCorpusRequests(t *testing.T) {
	d := New()
	counts := map[string]int{}
	for op, endpoint := range map[llm.Op]string{llm.OpChat: "chat", llm.OpEmbeddings: "embeddings"} {
		for _, r := range recordings(t, endpoint) {
			if len(r.Request.Body) == 0 || r.Request.Body[0] != '{' {
				counts["none"]++
				continue
			}
			q, err := d.DecodeRequest(op, r.Request.Body)
			if err != nil {
				counts["refused"]++
				t.Errorf("%s: %v", r.ID, err)
				continue
			}
			w, err := d.EncodeRequest(q, dialect.Target{Model: q.Model, Rules: words[r.Provider]})
			if err != nil || !bytes.Equal(w.Body, r.Request.Body) || len(w.Warnings) > 0 {
				t.Errorf("%s: not the same bytes, %v", r.ID, err)
			}
			counts["same bytes"]++
		}
	}
	t.Logf("requests: %v", counts)
}

// decodeAll decodes a response that is cut at the places that next names.
func decodeAll(d *Dialect, op llm.Op, mediaType string, body []byte, next func(left int) int) (events []llm.Event, raw []byte, err error) {
	dec := d.NewDecoder(op, mediaType, 64<<20)
	for eos := false; !eos; {
		n := min(next(len(body)), len(body))
		chunk := slices.Clone(body[:n])
		body = body[n:]
		eos = len(body) == 0
		frames, err := dec.Decode(chunk, eos)
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

func whole(left int) int { return left }

func TestCorpusResponses(t *testing.T) {
	d := New()
	counts := map[string]int{}
	for _, r := range recordings(t, "chat") {
		if r.Response.Status != 200 {
			continue
		}
		body, mediaType := r.wire()
		events, raw, err := decodeAll(d, llm.OpChat, mediaType, body, whole)
		if err != nil {
			t.Errorf("%s: %v", r.ID, err)
			counts["failed"]++
			continue
		}
		if !bytes.Equal(raw, body) {
			t.Errorf("%s: frames are not the response", r.ID)
		}
		want, got := readByHand(t, &r), gather(events)
		if want != got {
			t.Errorf("%s:\ngot  %s\nwant %s", r.ID, got, want)
			counts["differs"]++
			continue
		}
		counts[r.Response.Kind]++
		random := rand.New(rand.NewSource(int64(len(body))))
		for name, next := range map[string]func(int) int{
			"bytewise": func(int) int { return 1 },
			"random":   func(int) int { return 1 + random.Intn(60) },
			"large":    func(int) int { return 1 + random.Intn(4000) },
		} {
			again, raw, err := decodeAll(d, llm.OpChat, mediaType, body, next)
			if err != nil || !bytes.Equal(raw, body) || !reflect.DeepEqual(again, events) {
				t.Errorf("%s: cut %s it reads otherwise, %v", r.ID, name, err)
			}
		}
	}
	t.Logf("responses: %v", counts)
}

func TestCorpusEmbeddings(t *testing.T) {
	d := New()
	all := recordings(t, "embeddings")
	valid := spec(t)
	n := 0
	for _, r := range all {
		if r.Response.Status != 200 {
			continue
		}
		body, mediaType := r.wire()
		events, raw, err := decodeAll(d, llm.OpEmbeddings, mediaType, body, func(int) int { return 1000 })
		if err != nil || !bytes.Equal(raw, body) {
			t.Errorf("%s: %v", r.ID, err)
			continue
		}
		var o object
		if err := json.Unmarshal(body, &o); err != nil {
			t.Fatal(err)
		}
		vectors, usage := 0, int64(-1)
		for _, e := range events {
			switch e.Kind {
			case llm.EventVector:
				vectors++
			case llm.EventUsage:
				usage = e.Usage.Input
			}
		}
		if vectors != len(list(o, "data")) || usage != num(sub(o, "usage"), "prompt_tokens") {
			t.Errorf("%s: %d vectors, %d tokens", r.ID, vectors, usage)
		}
		out := encode(t, d, &llm.Request{Op: llm.OpEmbeddings, Model: "m"}, events)
		if bytes.Contains(body, []byte(`"embedding":"`)) || bytes.Contains(body, []byte(`"embedding": "`)) {
			continue // base64, which the description does not have
		}
		if err := valid("CreateEmbeddingResponse", out); err != nil {
			t.Errorf("%s: %v", r.ID, err)
		}
		n++
	}
	t.Logf("%d answers with vectors", n)
}
