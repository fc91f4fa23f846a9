// Package dialect_test sends recorded traffic across the dialects: what a
// provider of one says must reach a client of another unchanged in meaning, and
// in a form that the other's published schema allows.
package dialect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
)

// shared is the folder of recordings and published schemas, which a clone may
// not have.
const shared = "../../../shared"

func clock() time.Time { return time.Unix(1700000000, 0) }

// The dialects that clients speak and, for each, the endpoints whose recordings
// speak it.
var (
	openaiAPI    = openai.New().WithClock(clock)
	responsesAPI = responses.New().WithClock(clock)
	anthropicAPI = anthropic.New()
	geminiAPI    = gemini.New()
	converse     = bedrock.New()

	dialects = []dialect.Dialect{openaiAPI, responsesAPI, anthropicAPI, geminiAPI, converse}

	endpoints = map[string][]string{
		llm.OpenAI: {"chat"}, llm.Responses: {"responses"}, llm.Anthropic: {"messages"},
		llm.Gemini: {"generateContent", "streamGenerateContent"},
	}
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

// An exchange is a recording as bytes.
type exchange struct {
	id, mediaType string
	status        int
	request, body []byte
}

// converseExchanges reads what was recorded of the Converse API.
func converseExchanges(t *testing.T) (out []exchange) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(shared, "corpus/bedrock/bedrock-converse-*.json"))
	if len(files) == 0 {
		t.Skip("no corpus")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			ID       string
			Request  *struct{ Body json.RawMessage }
			Response struct {
				Status int
				Kind   string
				Body   json.RawMessage
				Base64 []byte   `json:"body_b64"`
				Lines  []string `json:"raw_lines"`
			}
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		x := exchange{id: r.ID, status: r.Response.Status, mediaType: "application/json", body: r.Response.Body}
		if r.Request != nil && bytes.HasPrefix(r.Request.Body, []byte("{")) {
			x.request = r.Request.Body
		}
		if r.Response.Kind != "json" {
			x.mediaType, x.body = eventstream.MediaType, r.Response.Base64
		}
		for _, line := range r.Response.Lines { // the events alone
			var e map[string]json.RawMessage
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			for name, payload := range e {
				start := len(x.body)
				x.body = eventstream.Begin(x.body, eventstream.Field{Name: ":event-type", Value: name}, eventstream.Field{Name: ":message-type", Value: "event"})
				x.body = eventstream.End(append(x.body, payload...), start)
			}
		}
		out = append(out, x)
	}
	return out
}

// exchangesOf reads what was recorded of any dialect.
func exchangesOf(t *testing.T, name string) (out []exchange) {
	t.Helper()
	if name == llm.Bedrock {
		return converseExchanges(t)
	}
	for _, rec := range recordings(t, name) {
		x := exchange{id: rec.ID, status: rec.Response.Status}
		x.mediaType, x.body = rec.wire()
		if name == llm.Responses && bytes.Contains(x.body, []byte("chat.completion")) {
			continue
		}
		if rec.Provider != "vertex-anthropic" && rec.Request != nil && bytes.HasPrefix(rec.Request.Body, []byte("{")) {
			x.request = rec.Request.Body
		}
		out = append(out, x)
	}
	return out
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
	out, events, _, err = crossing(from, to, r, mediaType, chunks)
	return out, events, err
}

// crossing does the same and returns what was left out.
func crossing(from, to dialect.Dialect, r *llm.Request, mediaType string, chunks [][]byte) (out []byte, events []llm.Event, lost []string, err error) {
	dec, enc := from.NewDecoder(r.Op, mediaType, 16<<20), to.NewEncoder(r)
	for i, chunk := range chunks {
		frames, err := dec.Decode(chunk, i == len(chunks)-1)
		if err != nil {
			return out, events, nil, err
		}
		for _, f := range frames {
			events = append(events, f.Events...)
			if out, err = enc.Encode(out, f.Events); err != nil {
				return out, events, nil, err
			}
		}
	}
	if r, ok := enc.(dialect.Reporter); ok {
		lost = r.Warnings()
	}
	return out, events, lost, nil
}
