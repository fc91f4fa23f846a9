package responses

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
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

const corpus = "../../../../shared/corpus"

func clock() time.Time { return time.Unix(1700000000, 0) }

// recording is an exchange with a real provider.
type recording struct {
	ID       string
	Provider string
	Request  struct{ Body json.RawMessage }
	Response struct {
		Status   int
		Kind     string
		Body     json.RawMessage
		RawLines []string `json:"raw_lines"`
	}
}

// recordings reads the corpus in place. Without it the test says so and passes.
// What holds chat completions, or several responses in one, is left out.
func recordings(t testing.TB) (all []recording) {
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
	for _, f := range files.Recordings {
		if f.Endpoint != "responses" {
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
		if bytes.Contains(text, []byte("chat.completion")) || strings.Count(strings.Join(r.Response.RawLines, ""), `"type":"response.created"`) > 1 {
			continue
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

func TestCorpusRequests(t *testing.T) {
	d := New()
	counts := map[string]int{}
	for _, r := range recordings(t) {
		if len(r.Request.Body) == 0 || r.Request.Body[0] != '{' {
			counts["none"]++
			continue
		}
		q, err := d.DecodeRequest(llm.OpChat, r.Request.Body)
		if err != nil {
			if bytes.Contains(r.Request.Body, []byte(`"prompt":{`)) {
				counts["without a model"]++
				continue
			}
			counts["refused"]++
			t.Errorf("%s: %v", r.ID, err)
			continue
		}
		w, err := d.EncodeRequest(q, dialect.Target{Model: q.Model})
		if err != nil || !bytes.Equal(w.Body, r.Request.Body) || len(w.Warnings) > 0 {
			t.Errorf("%s: not the same bytes, %v", r.ID, err)
		}
		counts["same bytes"]++
	}
	t.Logf("requests: %v", counts)
}

// decodeAll decodes a response that is cut at the places that next names.
func decodeAll(d *Dialect, mediaType string, body []byte, next func(left int) int) (events []llm.Event, raw []byte, err error) {
	dec := d.NewDecoder(llm.OpChat, mediaType, 64<<20)
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
	for _, r := range recordings(t) {
		if r.Response.Status != 200 {
			continue
		}
		body, mediaType := r.wire()
		events, raw, err := decodeAll(d, mediaType, body, whole)
		if err != nil {
			t.Errorf("%s: %v", r.ID, err)
			counts["failed"]++
			continue
		}
		if !bytes.Equal(raw, body) {
			t.Errorf("%s: frames are not the response", r.ID)
		}
		want, complete := readByHand(t, &r)
		got := gather(events)
		switch {
		case !complete:
			counts["shortened by hand"]++
		case want != got:
			t.Errorf("%s:\ngot  %s\nwant %s", r.ID, got, want)
			counts["differs"]++
			continue
		default:
			counts[r.Response.Kind]++
		}
		random := rand.New(rand.NewSource(int64(len(body))))
		for name, next := range map[string]func(int) int{
			"bytewise": func(int) int { return 1 },
			"random":   func(int) int { return 1 + random.Intn(60) },
			"large":    func(int) int { return 1 + random.Intn(4000) },
		} {
			again, raw, err := decodeAll(d, mediaType, body, next)
			if err != nil || !bytes.Equal(raw, body) || !reflect.DeepEqual(again, events) {
				t.Errorf("%s: cut %s it reads otherwise, %v", r.ID, name, err)
			}
		}
	}
	t.Logf("responses: %v", counts)
}
