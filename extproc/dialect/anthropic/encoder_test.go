package anthropic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// strictStream reads a stream as the official SDKs do and fails on what they
// would not take: events without a name, a block that is not started or not the
// next, deltas of the wrong kind, anything behind the end.
func strictStream(t *testing.T, stream []byte) {
	t.Helper()
	deltas := map[string]string{
		"text": "text_delta citations_delta", "thinking": "thinking_delta signature_delta", "tool_use": "input_json_delta",
	}
	next, open, signed, state := 0, "", false, "new"
	for _, event := range strings.Split(strings.TrimSuffix(string(stream), "\n\n"), "\n\n") {
		head, data, ok := strings.Cut(event, "\n")
		name, named := strings.CutPrefix(head, "event: ")
		data, prefixed := strings.CutPrefix(data, "data: ")
		var e struct {
			Type    string
			Index   int
			Message struct {
				Content []any
				Usage   struct {
					Input *int `json:"input_tokens"`
				}
			}
			Block struct{ Type string } `json:"content_block"`
			Delta struct{ Type, Text string }
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil || !ok || !named || !prefixed || e.Type != name {
			t.Fatalf("not an event: %q", event)
		}
		fail := func(why string) { t.Helper(); t.Fatalf("%s: %s\n%s", why, event, stream) }
		if state == "ended" {
			fail("behind the end")
		}
		switch name {
		case "message_start":
			if state != "new" || e.Message.Content == nil || e.Message.Usage.Input == nil {
				fail("unexpected message_start")
			}
			state = "started"
		case "content_block_start":
			if state != "started" || open != "" || e.Index != next {
				fail("unexpected start")
			}
			open, signed = e.Block.Type, false
		case "content_block_delta":
			if e.Index != next || !strings.Contains(deltas[open], e.Delta.Type) {
				fail("unexpected delta")
			}
			signed = e.Delta.Type == "signature_delta"
		case "content_block_stop":
			if open == "" || e.Index != next || open == "thinking" && !signed {
				fail("unexpected stop")
			}
			open = ""
			next++
		case "message_delta":
			if state != "started" || open != "" {
				fail("unexpected message_delta")
			}
			state = "stopped"
		case "message_stop":
			if state != "stopped" {
				fail("unexpected message_stop")
			}
			state = "ended"
		case "error":
			state = "ended"
		case "ping":
		default:
			fail("unknown event")
		}
	}
	if state != "ended" {
		t.Fatalf("no end: %s", stream)
	}
}

// encode runs an encoder over events, which are cut into runs of n; n of zero
// gives all at once.
func encode(t *testing.T, r *llm.Request, events []llm.Event, n int) []byte {
	t.Helper()
	enc := New().NewEncoder(r)
	var out []byte
	if n == 0 {
		n = max(1, len(events))
	}
	for len(events) > 0 {
		n := min(n, len(events))
		var err error
		if out, err = enc.Encode(out, events[:n]); err != nil {
			t.Fatal(err)
		}
		events = events[n:]
	}
	return out
}

// What a recorded response says, an encoder says again, streamed or not.
func TestCorpusEncoders(t *testing.T) {
	for _, rec := range recordings(t) {
		mediaType, body := rec.wire()
		events, err := decodeAll(t, rec.op(), mediaType, [][]byte{body})
		if err != nil || rec.Response.Status >= 400 || rec.op() != llm.OpChat {
			continue
		}
		want := readEvents(t, events)
		if want.Error != "" || !want.Ended {
			continue
		}
		if want.Reasoning != "" && want.Signature == "" {
			want.Signature = unsigned
		}
		if len(want.Calls) > 0 && want.Reason == llm.FinishStop {
			want.Reason = llm.FinishToolCalls // calls that the provider's own code made
		}
		for _, stream := range []bool{true, false} {
			r := &llm.Request{Op: llm.OpChat, Stream: stream}
			out := encode(t, r, events, 0)
			if again := encode(t, r, events, 1); !bytes.Equal(out, again) {
				t.Errorf("%s: cut otherwise it is written otherwise", rec.ID)
			}
			if stream {
				strictStream(t, out)
			}
			again, err := decodeAll(t, llm.OpChat, New().NewEncoder(r).MediaType(), [][]byte{out})
			if err != nil {
				t.Fatalf("%s: %v\n%s", rec.ID, err, out)
			}
			if got := readEvents(t, again); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, stream %v:\n got %+v\nwant %+v", rec.ID, stream, got, want)
			}
		}
	}
}

// Any order of events that a decoder may give becomes a stream that SDKs take,
// and says the same as the unary answer.
func TestEncoderProperty(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 7))
		events := randomEvents(rng)
		stream := encode(t, &llm.Request{Op: llm.OpChat, Stream: true}, events, 1+rng.IntN(4))
		strictStream(t, stream)
		unary := encode(t, &llm.Request{Op: llm.OpChat}, events, 0)
		a, err := decodeAll(t, llm.OpChat, "text/event-stream", [][]byte{stream})
		if err != nil {
			t.Fatal(err)
		}
		b, err := decodeAll(t, llm.OpChat, "application/json", [][]byte{unary})
		if err != nil {
			t.Fatalf("%v: %s", err, unary)
		}
		got, want := readEvents(t, a), readEvents(t, b)
		got.Signature, want.Signature = "", "" // blocks are cut differently where texts interleave
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d:\nstream %+v\n unary %+v\n%+v", seed, got, want, events)
		}
	}
}

// randomEvents are the events of an answer whose calls interleave.
func randomEvents(rng *rand.Rand) []llm.Event {
	events := []llm.Event{{Kind: llm.EventStart, ID: "m"}}
	var args [][]string // pieces that each call has still to say
	for range rng.IntN(20) {
		switch rng.IntN(8) {
		case 0, 1:
			events = append(events, llm.Event{Kind: llm.EventText, Text: string(rune('a' + rng.IntN(26)))})
		case 2:
			events = append(events, llm.Event{Kind: llm.EventReasoning, Text: "r"})
		case 3:
			events = append(events, llm.Event{Kind: llm.EventToolStart, Tool: len(args), ID: fmt.Sprint("t", len(args)), Name: "f"})
			pieces := []string{}
			if rng.IntN(3) > 0 {
				pieces = []string{`{"a`, fmt.Sprintf(`":"}\"%d"`, len(args)), "}"}
			}
			args = append(args, pieces)
		default:
			if len(args) == 0 {
				continue
			}
			i := rng.IntN(len(args))
			if len(args[i]) > 0 {
				events = append(events, llm.Event{Kind: llm.EventToolArgs, Tool: i, Text: args[i][0]})
				args[i] = args[i][1:]
			}
		}
	}
	for i, pieces := range args {
		for _, p := range pieces {
			events = append(events, llm.Event{Kind: llm.EventToolArgs, Tool: i, Text: p})
		}
	}
	return append(events,
		llm.Event{Kind: llm.EventFinish, Reason: llm.FinishStop},
		llm.Event{Kind: llm.EventUsage, Usage: llm.Usage{Input: 9, CacheRead: 2, Output: 3}},
		llm.Event{Kind: llm.EventEnd})
}

// The signature of a tool call stands in a block of reasoning before it, which
// clients send back.
func TestSignedCall(t *testing.T) {
	events := []llm.Event{
		{Kind: llm.EventStart, ID: "i", Model: "m"},
		{Kind: llm.EventReasoning, Text: "r"},
		{Kind: llm.EventToolStart, ID: "a", Name: "f", Signature: "attache:gemini:c2ln"},
		{Kind: llm.EventToolArgs, Text: "{}"},
		{Kind: llm.EventFinish, Reason: llm.FinishToolCalls},
		{Kind: llm.EventEnd},
	}
	for _, stream := range []bool{false, true} {
		enc := New().NewEncoder(&llm.Request{Op: llm.OpChat, Stream: stream})
		out, err := enc.Encode(nil, events)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		d := New().NewDecoder(llm.OpChat, enc.MediaType(), 1<<20)
		frames, err := d.Decode(out, true)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, f := range frames {
			for _, e := range f.Events {
				switch e.Kind {
				case llm.EventReasoning, llm.EventSignature:
					got = append(got, e.Text)
				case llm.EventToolStart:
					got = append(got, e.ID)
				}
			}
		}
		if want := []string{"r", unsigned, "attache:gemini:c2ln", "a"}; !slices.Equal(got, want) {
			t.Errorf("stream %v: got %q, want %q", stream, got, want)
		}
	}
}
