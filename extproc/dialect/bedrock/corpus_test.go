package bedrock

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/llm"
)

// corpus is the folder of recorded traffic, which a clone may not have.
const corpus = "../../../../shared/corpus"

const jsonType = "application/json"

// A recording is one exchange with a provider.
type recording struct {
	ID       string
	Endpoint string
	Request  *struct{ Body json.RawMessage }
	Response struct {
		Status int
		Kind   string
		Body   json.RawMessage
		Base64 string `json:"body_b64"`
		Events []struct {
			Headers map[string]string
			Payload json.RawMessage
		}
		Lines []string `json:"raw_lines"`
	}
}

// wire is the response as it came. Of some only the events are recorded.
func (r *recording) wire(t *testing.T) (mediaType string, body []byte) {
	t.Helper()
	switch r.Response.Kind {
	case "eventstream":
		body, err := base64.StdEncoding.DecodeString(r.Response.Base64)
		if err != nil {
			t.Fatal(err)
		}
		return eventstream.MediaType, body
	case "chunks":
		for _, line := range r.Response.Lines {
			for name, payload := range parse[map[string]json.RawMessage](t, []byte(line)) {
				body = event(body, name, string(payload))
			}
		}
		return eventstream.MediaType, body
	}
	return jsonType, r.Response.Body
}

// event appends a message with an event.
func event(dst []byte, name, payload string) []byte {
	dst, start := frame(dst, name)
	return eventstream.End(append(dst, payload...), start)
}

func parse[T any](t *testing.T, raw []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return v
}

func recordings(t *testing.T) (out []*recording) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(corpus, "bedrock/bedrock-converse-*.json"))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := parse[recording](t, raw)
		out = append(out, &r)
	}
	if len(out) == 0 {
		t.Skip("no corpus")
	}
	return out
}

// A recorded request goes out as it came in, and the place of each text holds
// that text.
func TestCorpusRequests(t *testing.T) {
	tried := 0
	for _, rec := range recordings(t) {
		if rec.Request == nil || len(rec.Request.Body) == 0 || rec.Request.Body[0] != '{' {
			continue
		}
		tried++
		r, err := New().DecodeRequest(llm.OpChat, rec.Request.Body)
		if err != nil {
			t.Errorf("%s: %v", rec.ID, err)
			continue
		}
		w, err := New().EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil || !bytes.Equal(w.Body, rec.Request.Body) {
			t.Errorf("%s: the body has changed: %v", rec.ID, err)
		}
		checkSpans(t, r)
	}
	t.Logf("%d requests tried", tried)
}

func checkSpans(t *testing.T, r *llm.Request) {
	t.Helper()
	var check func(parts []llm.Part)
	check = func(parts []llm.Part) {
		for _, p := range parts {
			check(p.Parts)
			if !p.At.Empty() && parse[string](t, r.Body.Raw[p.At.Start:p.At.End]) != p.Text {
				t.Errorf("%q stands for %q", r.Body.Raw[p.At.Start:p.At.End], p.Text)
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
	Reason                               string
	Usage                                llm.Usage
}

type call struct {
	ID, Name string
	Args     any
}

// read puts events into a reading.
func read(t *testing.T, events []llm.Event) (out reading) {
	t.Helper()
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
			out.Redacted += wrap(e.Text)
		case llm.EventToolStart:
			out.Calls = append(out.Calls, call{ID: e.ID, Name: e.Name})
		case llm.EventToolArgs:
			args[e.Tool] += e.Text
		case llm.EventUsage:
			out.Usage = e.Usage
		case llm.EventFinish:
			out.Reason = stopReasonOf[e.Reason]
		}
	}
	for i := range out.Calls {
		out.Calls[i].Args = parse[any](t, []byte(args[i]))
	}
	return out
}

// Shapes of the wire, as an independent reader sees them.
type (
	wireUsage struct {
		InputTokens, OutputTokens, CacheReadInputTokens, CacheWriteInputTokens int64
		CacheDetails                                                           []struct {
			TTL         string
			InputTokens int64
		}
	}
	wireReasoning struct {
		Text, Signature, RedactedContent string
		ReasoningText                    struct{ Text, Signature string }
	}
	wireTool struct {
		ToolUseID, Name, Type string
		Input                 json.RawMessage
	}
	wireBlock struct {
		Text             string
		ToolUse          *wireTool
		ReasoningContent wireReasoning
		CitationsContent struct{ Content []struct{ Text string } }
	}
)

func (u wireUsage) total() llm.Usage {
	out := llm.Usage{Input: u.InputTokens + u.CacheReadInputTokens + u.CacheWriteInputTokens, Output: u.OutputTokens,
		CacheRead: u.CacheReadInputTokens, CacheWrite: u.CacheWriteInputTokens}
	for _, d := range u.CacheDetails {
		if d.TTL == "1h" {
			out.CacheWriteHour = d.InputTokens
		}
	}
	return out
}

func independent(t *testing.T, rec *recording) (out reading) {
	t.Helper()
	if rec.Response.Kind == "json" {
		body := parse[struct {
			Output     struct{ Message struct{ Content []wireBlock } }
			StopReason string
			Usage      wireUsage
		}](t, rec.Response.Body)
		for _, b := range body.Output.Message.Content {
			out.Text += b.Text
			for _, c := range b.CitationsContent.Content {
				out.Text += c.Text
			}
			out.Reasoning += b.ReasoningContent.ReasoningText.Text
			out.Signature += b.ReasoningContent.ReasoningText.Signature
			out.Redacted += b.ReasoningContent.RedactedContent
			if b.ToolUse != nil && b.ToolUse.Type != "server_tool_use" {
				out.Calls = append(out.Calls, call{b.ToolUse.ToolUseID, b.ToolUse.Name, parse[any](t, b.ToolUse.Input)})
			}
		}
		out.Reason, out.Usage = body.StopReason, body.Usage.total()
		return out
	}
	type payload struct {
		ContentBlockIndex int
		Start             struct{ ToolUse *wireTool }
		Delta             struct {
			Text             string
			ToolUse          struct{ Input string }
			ReasoningContent wireReasoning
		}
		StopReason string
		Usage      *wireUsage
	}
	var payloads []payload
	for _, e := range rec.Response.Events {
		payloads = append(payloads, parse[payload](t, e.Payload))
	}
	for _, line := range rec.Response.Lines {
		for _, raw := range parse[map[string]payload](t, []byte(line)) {
			payloads = append(payloads, raw)
		}
	}
	args := map[int]string{}
	index := map[int]int{}
	for _, p := range payloads {
		out.Text += p.Delta.Text
		out.Reasoning += p.Delta.ReasoningContent.Text
		out.Signature += p.Delta.ReasoningContent.Signature
		out.Redacted += p.Delta.ReasoningContent.RedactedContent
		args[p.ContentBlockIndex] += p.Delta.ToolUse.Input
		if u := p.Start.ToolUse; u != nil && u.Type != "server_tool_use" {
			index[len(out.Calls)] = p.ContentBlockIndex
			out.Calls = append(out.Calls, call{ID: u.ToolUseID, Name: u.Name})
		}
		if p.StopReason != "" {
			out.Reason = p.StopReason
		}
		if p.Usage != nil {
			out.Usage = p.Usage.total()
		}
	}
	for i := range out.Calls {
		text := args[index[i]]
		if text == "" {
			text = "{}"
		}
		out.Calls[i].Args = parse[any](t, []byte(text))
	}
	return out
}

// A recorded response says what is in it, however it is cut, and an encoder says
// it again, streamed or not.
func TestCorpusResponses(t *testing.T) {
	tried := map[string]int{}
	for _, rec := range recordings(t) {
		mediaType, body := rec.wire(t)
		if rec.Response.Status >= 400 {
			e := New().DecodeError(rec.Response.Status, nil, body)
			if e.Status != rec.Response.Status || !strings.Contains(string(body), e.Message[:10]) {
				t.Errorf("%s: got %v", rec.ID, e)
			}
			tried["errors"]++
			continue
		}
		tried[rec.Response.Kind]++
		whole, err := decodeAll(t, mediaType, [][]byte{body})
		if err != nil || len(whole) == 0 || whole[len(whole)-1].Kind != llm.EventEnd {
			t.Errorf("%s: %v, no end in %v", rec.ID, err, whole)
			continue
		}
		want := independent(t, rec)
		if want.Reason == "guardrail_intervened" {
			want.Reason = "content_filtered"
		}
		if got := read(t, whole); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", rec.ID, got, want)
		}
		for how, chunks := range chunkings(body) {
			if got, err := decodeAll(t, mediaType, chunks); err != nil || !reflect.DeepEqual(got, whole) {
				t.Errorf("%s: cut into %s: %v", rec.ID, how, err)
			}
		}
		for _, stream := range []bool{true, false} {
			again := recode(t, &llm.Request{Stream: stream}, whole)
			if got := read(t, again); want.Reasoning != "" && want.Signature == "" && got.Signature == unsigned {
				got.Signature = ""
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s: encoded, stream %v:\n got %+v\nwant %+v", rec.ID, stream, got, want)
				}
			} else if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: encoded, stream %v:\n got %+v\nwant %+v", rec.ID, stream, got, want)
			}
		}
	}
	t.Log(tried)
}

// recode writes events and reads what was written.
func recode(t *testing.T, r *llm.Request, events []llm.Event) []llm.Event {
	t.Helper()
	enc := New().NewEncoder(r)
	out, err := enc.Encode(nil, events)
	if err != nil {
		t.Fatal(err)
	}
	again, err := decodeAll(t, enc.MediaType(), [][]byte{out})
	if err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	return again
}

// chunkings cuts a body as networks might.
func chunkings(body []byte) map[string][][]byte {
	out := map[string][][]byte{}
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
func decodeAll(t *testing.T, mediaType string, chunks [][]byte) ([]llm.Event, error) {
	t.Helper()
	d := New().NewDecoder(llm.OpChat, mediaType, 16<<20)
	var raw []byte
	var events []llm.Event
	for i := 0; i <= len(chunks); i++ {
		var chunk []byte
		if i < len(chunks) {
			chunk = bytes.Clone(chunks[i])
		}
		frames, err := d.Decode(chunk, i == len(chunks))
		for _, f := range frames {
			raw, events = append(raw, f.Raw...), append(events, f.Events...)
		}
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Status != 502 {
				t.Errorf("got %v", err)
			}
			return events, err
		}
	}
	want := bytes.Join(chunks, nil)
	if !bytes.HasPrefix(want, raw) || mediaType == jsonType && len(raw) < len(want) {
		t.Errorf("the frames are not the body: %d bytes of %d", len(raw), len(want))
	}
	return events, nil
}
