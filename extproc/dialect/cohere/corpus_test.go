package cohere

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

	"github.com/attache-gateway/attache/extproc/llm"
)

const shared = "../../../../shared"

// A recording is an exchange with Cohere.
type recording struct {
	ID       string
	Response struct {
		Status int
		Kind   string
		Body   json.RawMessage
		Lines  []string `json:"raw_lines"`
	}
}

func recordings(t testing.TB, pattern string) (all []*recording) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(shared, "corpus/cohere", pattern))
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
	if len(all) == 0 {
		t.Skip("no corpus")
	}
	return all
}

// wire is the response as it came: its media type and bytes. Recordings of
// chunks hold the data of the events alone.
func (r *recording) wire() (mediaType string, body []byte) {
	switch r.Response.Kind {
	case "sse":
		return "text/event-stream", []byte(strings.Join(r.Response.Lines, "\n"))
	case "chunks":
		for _, data := range r.Response.Lines {
			body = fmt.Appendf(body, "data: %s\n\n", data)
		}
		return "text/event-stream", body
	}
	return "application/json", r.Response.Body
}

// decode reads a response in chunks. raw are its frames, joined.
func decode(op llm.Op, mediaType string, chunks [][]byte) (events []llm.Event, raw []byte, err error) {
	dec := New().NewDecoder(op, mediaType, 16<<20)
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

// A reading is what an answer says, by its events or by the JSON itself.
type reading struct {
	Text, Plan, Reasoning, Reason string
	Calls                         []call
	Cited                         []string // the stretches with sources, once for each
	Usage                         llm.Usage
}

type call struct{ ID, Name, Args string }

func read(events []llm.Event) (out reading) {
	var all []rune
	for _, e := range events {
		switch e.Kind {
		case llm.EventText:
			out.Text += e.Text
			all = append(all, []rune(e.Text)...)
		case llm.EventReasoning:
			out.Reasoning += e.Text
		case llm.EventToolStart:
			out.Calls = append(out.Calls, call{ID: e.ID, Name: e.Name})
		case llm.EventToolArgs:
			out.Calls[e.Tool].Args += e.Text
		case llm.EventCitation:
			out.Cited = append(out.Cited, string(all[e.Citation.Start:e.Citation.End]))
		case llm.EventUsage:
			out.Usage = e.Usage
		case llm.EventFinish:
			out.Reason = string(e.Reason)
		}
	}
	return out
}

// A wireMessage is a message, or a piece of one, as encoding/json reads it.
type wireMessage struct {
	Content   json.RawMessage
	ToolPlan  string          `json:"tool_plan"`
	ToolCalls json.RawMessage `json:"tool_calls"`
	Citations json.RawMessage
}

type wireTail struct {
	Finish string `json:"finish_reason"`
	Usage  struct {
		Tokens struct {
			Input     int64 `json:"input_tokens"`
			Output    int64 `json:"output_tokens"`
			Reasoning int64 `json:"reasoning_tokens"`
		}
		Cached int64 `json:"cached_tokens"`
	}
}

// listOf reads a list, or the one that stands for it in streams.
func listOf[T any](t *testing.T, raw json.RawMessage) (list []T) {
	t.Helper()
	if len(raw) == 0 {
		return nil
	}
	if raw[0] != '[' {
		raw = append(append([]byte("["), raw...), ']')
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return list
}

func (out *reading) add(t *testing.T, m *wireMessage) {
	for _, c := range listOf[struct{ Text, Thinking string }](t, m.Content) {
		out.Text, out.Reasoning = out.Text+c.Text, out.Reasoning+c.Thinking
	}
	out.Text += m.ToolPlan
	for _, c := range listOf[struct {
		ID       string
		Function struct{ Name, Arguments string }
	}](t, m.ToolCalls) {
		if c.ID != "" {
			out.Calls = append(out.Calls, call{ID: c.ID, Name: c.Function.Name})
		}
		out.Calls[len(out.Calls)-1].Args += c.Function.Arguments
	}
	for _, c := range listOf[struct {
		Text    string
		Sources []any
	}](t, m.Citations) {
		for range c.Sources {
			out.Cited = append(out.Cited, c.Text)
		}
	}
}

func (out *reading) close(tail *wireTail) {
	out.Reason = map[string]string{"COMPLETE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls", "STOP_SEQUENCE": "stop_sequence"}[tail.Finish]
	u := tail.Usage
	out.Usage = llm.Usage{Input: u.Tokens.Input, Output: u.Tokens.Output, Reasoning: u.Tokens.Reasoning, CacheRead: u.Cached}
	for i := range out.Calls {
		if out.Calls[i].Args == "" {
			out.Calls[i].Args = "{}"
		}
	}
}

// independent reads a recording by other means.
func independent(t *testing.T, rec *recording) (out reading) {
	t.Helper()
	parse := func(raw []byte, into any) {
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatalf("%s: %v", rec.ID, err)
		}
	}
	if rec.Response.Kind == "json" {
		var body struct {
			Message wireMessage
			wireTail
		}
		parse(rec.Response.Body, &body)
		out.add(t, &body.Message)
		out.close(&body.wireTail)
		return out
	}
	for _, line := range rec.Response.Lines {
		line = strings.TrimSpace(strings.TrimPrefix(line, "data:"))
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var e struct {
			Type  string
			Delta struct {
				Message wireMessage
				wireTail
			}
		}
		parse([]byte(line), &e)
		if e.Type == "message-end" {
			out.close(&e.Delta.wireTail)
		} else if e.Type != "message-start" {
			out.add(t, &e.Delta.Message)
		}
	}
	return out
}

// A recorded response says what is in it, however it is cut.
func TestCorpusResponses(t *testing.T) {
	tried := map[string]int{}
	for _, rec := range recordings(t, "cohere-chat-v2-*.json") {
		mediaType, body := rec.wire()
		if rec.Response.Status >= 400 {
			e := New().DecodeError(rec.Response.Status, nil, body)
			if e.Status != rec.Response.Status || !bytes.Contains(body, []byte(e.Message)) {
				t.Errorf("%s: got %v", rec.ID, e)
			}
			if tooMany := bytes.Contains(body, []byte("TOO_MANY_TOKENS")); tooMany != (e.Code == codeContext) {
				t.Errorf("%s: got %v", rec.ID, e)
			}
			tried["errors"]++
			continue
		}
		tried[rec.Response.Kind]++
		events, raw, err := decode(llm.OpChat, mediaType, [][]byte{body})
		if err != nil || len(events) < 3 || events[0].Kind != llm.EventStart || events[len(events)-1].Kind != llm.EventEnd || !bytes.Equal(raw, body) {
			t.Errorf("%s: %v, %v", rec.ID, err, events)
			continue
		}
		got, want := read(events), independent(t, rec)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", rec.ID, got, want)
		}
		for _, most := range []int{1, 9, 400} {
			again, raw, err := decode(llm.OpChat, mediaType, cut(body, rand.New(rand.NewPCG(2, uint64(most))), most))
			if err != nil || !reflect.DeepEqual(again, events) || !bytes.Equal(raw, body) {
				t.Errorf("%s: cut into pieces of %d it is read otherwise: %v", rec.ID, most, err)
			}
		}
	}
	t.Log(tried)
}

func TestCorpusEmbeddings(t *testing.T) {
	for _, rec := range recordings(t, "cohere-embed-*.json") {
		var want struct {
			Embeddings struct{ Float [][]float64 }
			Meta       struct {
				Billed struct {
					Input int64 `json:"input_tokens"`
				} `json:"billed_units"`
			}
		}
		if err := json.Unmarshal(rec.Response.Body, &want); err != nil {
			t.Fatalf("%s: %v", rec.ID, err)
		}
		events, _, err := decode(llm.OpEmbeddings, "application/json", [][]byte{rec.Response.Body})
		if err != nil {
			t.Errorf("%s: %v: %.200s", rec.ID, err, rec.Response.Body)
			continue
		}
		n := 0
		for _, e := range events {
			switch e.Kind {
			case llm.EventVector:
				var v []float64
				if err := json.Unmarshal([]byte(e.Text), &v); err != nil || e.Choice != n || !reflect.DeepEqual(v, want.Embeddings.Float[n]) {
					t.Errorf("%s: vector %d: %v", rec.ID, n, err)
				}
				n++
			case llm.EventUsage:
				if e.Usage.Input != want.Meta.Billed.Input {
					t.Errorf("%s: %+v", rec.ID, e.Usage)
				}
			}
		}
		if n != len(want.Embeddings.Float) || events[len(events)-1].Kind != llm.EventEnd {
			t.Errorf("%s: %d vectors of %d", rec.ID, n, len(want.Embeddings.Float))
		}
	}
}
