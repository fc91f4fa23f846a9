package anthropic

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
	ID       string
	Provider string
	Endpoint string
	Request  *struct{ Body json.RawMessage }
	Response struct {
		Status int
		Kind   string
		Body   json.RawMessage
		Lines  []string `json:"raw_lines"`
	}
}

// wire is the response as it came: its media type and bytes.
func (r *recording) wire() (mediaType string, body []byte) {
	switch r.Response.Kind {
	case "sse":
		return "text/event-stream", []byte(strings.Join(r.Response.Lines, "\n"))
	case "chunks": // the data of the events alone
		for _, data := range r.Response.Lines {
			var tag struct{ Type string }
			_ = json.Unmarshal([]byte(data), &tag)
			body = fmt.Appendf(body, "event: %s\ndata: %s\n\n", tag.Type, data)
		}
		return "text/event-stream", body
	}
	return "application/json", r.Response.Body
}

func (r *recording) op() llm.Op {
	if r.Endpoint == "count_tokens" {
		return llm.OpCountTokens
	}
	return llm.OpChat
}

// recordings reads the traffic of Anthropic and of Claude on Vertex.
func recordings(t *testing.T) []*recording {
	t.Helper()
	var out []*recording
	for _, folder := range []string{"anthropic", "vertex-anthropic"} {
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
			out = append(out, r)
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
		if rec.Request == nil || rec.Request.Body == nil || rec.Provider != "anthropic" {
			continue // on Vertex the model is not in the body
		}
		tried++
		body := []byte(rec.Request.Body)
		r, err := New().DecodeRequest(rec.op(), body)
		if err != nil {
			if rec.Response.Status >= 400 {
				continue
			}
			t.Errorf("%s: %v", rec.ID, err)
			continue
		}
		w, err := New().EncodeRequest(r, dialect.Target{Model: r.Model})
		if err != nil {
			t.Errorf("%s: %v", rec.ID, err)
			continue
		}
		if !bytes.Equal(w.Body, body) {
			t.Errorf("%s: the body has changed", rec.ID)
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
	for _, m := range r.Messages {
		check(m.Parts)
	}
}

// A reading is what a response says, in words that both a decoder's events and
// an independent reader of the JSON can be put into.
type reading struct {
	Text, Reasoning, Signature, Redacted string
	Calls                                []call
	Reason                               llm.FinishReason
	Stop                                 string
	Usage                                llm.Usage
	Error                                string
	Ended                                bool
}

type call struct {
	ID, Name string
	Args     any
}

// readEvents is the reading of canonical events.
func readEvents(t *testing.T, events []llm.Event) reading {
	t.Helper()
	var out reading
	args := map[int]string{}
	for _, e := range events {
		switch e.Kind {
		case llm.EventText:
			out.Text += e.Text
		case llm.EventReasoning:
			out.Reasoning += e.Text
		case llm.EventSignature:
			out.Signature += e.Text
		case llm.EventRedacted:
			out.Redacted += e.Text
		case llm.EventToolStart:
			if e.Tool != len(out.Calls) {
				t.Errorf("call %d has the ordinal %d", len(out.Calls), e.Tool)
			}
			out.Calls = append(out.Calls, call{ID: e.ID, Name: e.Name})
		case llm.EventToolArgs:
			args[e.Tool] += e.Text
		case llm.EventUsage:
			out.Usage = e.Usage
		case llm.EventFinish:
			out.Reason, out.Stop = e.Reason, e.Stop
		case llm.EventError:
			out.Error = e.Err.Message
		case llm.EventEnd:
			out.Ended = true
		}
	}
	for i := range out.Calls {
		out.Calls[i].Args = parse(args[i])
	}
	return out
}

func parse(text string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return "no JSON: " + text
	}
	return v
}

type object = map[string]any

// readWire is the reading of a response by means of encoding/json alone.
func readWire(mediaType string, body []byte) reading {
	var out reading
	if mediaType == "application/json" {
		var m object
		_ = json.Unmarshal(body, &m)
		out.message(m)
		out.Ended = out.Error == ""
		return out
	}
	blocks, order, started := map[any]object{}, []any{}, false
	for _, line := range strings.Split(string(body), "\n") {
		data, ok := strings.CutPrefix(line, "data:")
		if !ok {
			continue
		}
		var e object
		_ = json.Unmarshal([]byte(data), &e)
		if out.Ended || out.Error != "" {
			break // two answers in one recording
		}
		switch e["type"] {
		case "message_start":
			if started {
				out.Error = "the provider began a second message"
				continue
			}
			started = true
			out.message(e["message"].(object))
		case "content_block_start":
			b := e["content_block"].(object)
			b["json"] = ""
			blocks[e["index"]] = b
			order = append(order, e["index"])
		case "content_block_delta":
			b, d := blocks[e["index"]], e["delta"].(object)
			for _, field := range []string{"text", "thinking", "signature"} {
				if s, ok := d[field].(string); ok {
					have, _ := b[field].(string)
					b[field] = have + s
				}
			}
			if s, ok := d["partial_json"].(string); ok {
				b["json"] = b["json"].(string) + s
			}
		case "message_delta":
			out.message(e["delta"].(object))
			out.usage(e["usage"])
		case "message_stop":
			out.Ended = true
		case "error":
			out.message(e)
		}
	}
	for _, i := range order {
		if s := blocks[i]["json"].(string); s != "" {
			blocks[i]["input"] = parse(s)
		}
		out.block(blocks[i])
	}
	return out
}

func (r *reading) message(m object) {
	if e, ok := m["error"].(object); ok {
		r.Error, _ = e["message"].(string)
	}
	content, _ := m["content"].([]any)
	for _, b := range content {
		r.block(b.(object))
	}
	if reason, ok := m["stop_reason"].(string); ok {
		r.Reason = reasonOf[reason]
	}
	if stop, ok := m["stop_sequence"].(string); ok {
		r.Stop = stop
	}
	r.usage(m["usage"])
	if n, ok := m["input_tokens"].(float64); ok {
		r.Usage.Input = int64(n)
	}
}

func (r *reading) block(b object) {
	str := func(name string) string { s, _ := b[name].(string); return s }
	switch b["type"] {
	case "text":
		r.Text += str("text")
	case "thinking":
		r.Reasoning += str("thinking")
		r.Signature += str("signature")
	case "redacted_thinking":
		r.Redacted += str("data")
	case "tool_use":
		r.Calls = append(r.Calls, call{str("id"), str("name"), b["input"]})
	}
}

func (r *reading) usage(v any) {
	u, _ := v.(object)
	if u == nil {
		return
	}
	num := func(o any, name string, have int64) int64 {
		m, _ := o.(object)
		if n, ok := m[name].(float64); ok {
			return int64(n)
		}
		return have
	}
	plain := r.Usage.Input - r.Usage.CacheRead - r.Usage.CacheWrite
	plain = num(u, "input_tokens", plain)
	r.Usage.CacheRead = num(u, "cache_read_input_tokens", r.Usage.CacheRead)
	r.Usage.CacheWrite = num(u, "cache_creation_input_tokens", r.Usage.CacheWrite)
	r.Usage.CacheWriteHour = num(u["cache_creation"], "ephemeral_1h_input_tokens", r.Usage.CacheWriteHour)
	r.Usage.Input = plain + r.Usage.CacheRead + r.Usage.CacheWrite
	r.Usage.Output = num(u, "output_tokens", r.Usage.Output)
	r.Usage.Reasoning = num(u["output_tokens_details"], "thinking_tokens", r.Usage.Reasoning)
}

// chunkings are the ways in which a network may cut a body.
func chunkings(body []byte) map[string][][]byte {
	out := map[string][][]byte{"whole": {body}, "bytes": nil, "random": nil}
	for i := range body {
		out["bytes"] = append(out["bytes"], body[i:i+1])
	}
	rng := rand.New(rand.NewPCG(1, uint64(len(body))))
	for rest := body; len(rest) > 0; {
		n := min(len(rest), 1+rng.IntN(300))
		out["random"] = append(out["random"], rest[:n])
		rest = rest[n:]
	}
	return out
}

// decodeAll runs a decoder over chunks, and checks that the frames are the body.
// Text of the same kind in a row is joined.
func decodeAll(t *testing.T, op llm.Op, mediaType string, chunks [][]byte) ([]llm.Event, error) {
	t.Helper()
	d := New().NewDecoder(op, mediaType, 16<<20)
	var raw []byte
	var events []llm.Event
	for i := 0; i <= len(chunks); i++ {
		var chunk []byte
		if i < len(chunks) {
			chunk = bytes.Clone(chunks[i])
		}
		frames, err := d.Decode(chunk, i == len(chunks))
		if err != nil {
			return nil, err
		}
		for _, f := range frames {
			raw = append(raw, f.Raw...)
			events = append(events, f.Events...)
		}
	}
	if want := bytes.Join(chunks, nil); !bytes.Equal(raw, want) {
		t.Errorf("the frames are not the body: %d bytes of %d", len(raw), len(want))
	}
	return events, nil
}

// A recorded response says what an independent reader finds in it, however it
// is cut.
func TestCorpusResponses(t *testing.T) {
	tried := 0
	for _, rec := range recordings(t) {
		mediaType, body := rec.wire()
		want := readWire(mediaType, body)
		if rec.Response.Status >= 400 {
			e := New().DecodeError(rec.Response.Status, nil, body)
			if e.Status != rec.Response.Status || e.Message != want.Error {
				t.Errorf("%s: got %v", rec.ID, e)
			}
			continue
		}
		tried++
		var whole []llm.Event
		for _, how := range []string{"whole", "bytes", "random"} {
			events, err := decodeAll(t, rec.op(), mediaType, chunkings(body)[how])
			if err != nil {
				t.Errorf("%s: %v", rec.ID, err)
				continue
			}
			if how == "whole" {
				whole = events
				if got := readEvents(t, events); !reflect.DeepEqual(got, want) {
					t.Errorf("%s:\n got %+v\nwant %+v", rec.ID, got, want)
				}
			} else if !reflect.DeepEqual(events, whole) {
				t.Errorf("%s: cut into %s it says something else", rec.ID, how)
			}
		}
	}
	t.Logf("%d responses tried", tried)
}
