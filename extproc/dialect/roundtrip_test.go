package dialect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// words are what random texts are made of: escapes, several bytes, control
// characters, what looks like framing.
var words = []string{"a", " ", "Grüße", "日本", "😀", "\"", "\\", "\n", "\r\n", "data: ", "\u2028", "{}", "</x>", "\x01", "é"}

func someText(rng *rand.Rand) string {
	var b strings.Builder
	for range 1 + rng.IntN(6) {
		b.WriteString(words[rng.IntN(len(words))])
	}
	return b.String() + "."
}

// someArguments is an object with numbers that no float holds.
func someArguments(rng *rand.Rand) string {
	if rng.IntN(4) == 0 {
		return "{}"
	}
	text, _ := json.Marshal(someText(rng))
	return fmt.Sprintf(`{"q":%s,"n":%d%09d}`, text, 1+rng.Uint32(), rng.IntN(1e9))
}

// pieces cuts a text where runes begin.
func pieces(rng *rand.Rand, text string) (out []string) {
	runes := []rune(text)
	for len(runes) > 0 {
		n := 1 + rng.IntN(len(runes))
		out = append(out, string(runes[:n]))
		runes = runes[n:]
	}
	return out
}

// someAnswer is a random answer within what all dialects can express: signed
// reasoning, a text, calls, in this order.
func someAnswer(rng *rand.Rand) (events []llm.Event) {
	add := func(e llm.Event) { events = append(events, e) }
	say := func(kind llm.Kind, text string, tool int) {
		for _, p := range pieces(rng, text) {
			add(llm.Event{Kind: kind, Text: p, Tool: tool})
		}
	}
	add(llm.Event{Kind: llm.EventStart, ID: "id1", Model: "m", Created: 1700000000})
	if rng.IntN(2) == 0 {
		say(llm.EventReasoning, someText(rng), 0)
		add(llm.Event{Kind: llm.EventSignature, Text: "c2lnbmVk"})
		add(llm.Event{Kind: llm.EventBlockEnd})
	}
	calls := rng.IntN(3)
	if calls == 0 || rng.IntN(2) == 0 {
		say(llm.EventText, someText(rng), 0)
		add(llm.Event{Kind: llm.EventBlockEnd})
	}
	for i := range calls {
		add(llm.Event{Kind: llm.EventToolStart, Tool: i, ID: fmt.Sprintf("call_%d", i), Name: "look_up"})
		say(llm.EventToolArgs, someArguments(rng), i)
		add(llm.Event{Kind: llm.EventBlockEnd})
	}
	read := int64(rng.IntN(50))
	add(llm.Event{Kind: llm.EventUsage, Usage: llm.Usage{Input: read + int64(rng.IntN(100)) + 1, CacheRead: read, Output: int64(1 + rng.IntN(100))}})
	reason := []llm.FinishReason{llm.FinishStop, llm.FinishLength}[rng.IntN(2)]
	if calls > 0 {
		reason = llm.FinishToolCalls
	}
	add(llm.Event{Kind: llm.EventFinish, Reason: reason})
	add(llm.Event{Kind: llm.EventEnd})
	return events
}

// TestAnswersComeBack: decode(encode(x)) is x for random answers, streamed and
// unary alike, and some of them for every way to cut the stream in two.
func TestAnswersComeBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for n := range 100 {
		events := someAnswer(rng)
		want := read(events)
		for _, d := range dialects {
			for _, stream := range []bool{false, true} {
				r := &llm.Request{Op: llm.OpChat, Dialect: d.Name(), Model: "m", Stream: stream, StreamUsage: true}
				enc := d.NewEncoder(r)
				out, err := enc.Encode(nil, slices.Clone(events))
				if err != nil {
					t.Fatal(err)
				}
				one := d.NewEncoder(r)
				var apart []byte
				for i := range events {
					if apart, err = one.Encode(apart, slices.Clone(events[i:i+1])); err != nil {
						t.Fatal(err)
					}
				}
				if !bytes.Equal(apart, out) {
					t.Fatalf("%s, stream %v: one by one it is written otherwise:\n%s\n%s", d.Name(), stream, out, apart)
				}
				_, again, err := cross(d, d, r, enc.MediaType(), [][]byte{out, nil})
				if got := read(again); err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s, stream %v: %v\n got %+v\nwant %+v\n%q", d.Name(), stream, err, got, want, out)
				}
				if !stream || n >= 8 {
					continue
				}
				for at := range out {
					_, split, err := cross(d, d, r, enc.MediaType(), [][]byte{bytes.Clone(out[:at]), bytes.Clone(out[at:]), nil})
					if err != nil || !reflect.DeepEqual(split, again) {
						t.Fatalf("%s cut at %d: %v\n%q", d.Name(), at, err, out)
					}
				}
			}
		}
	}
}

// someRequest is a random request within what all dialects can express.
func someRequest(rng *rand.Rand) *llm.Request {
	r := &llm.Request{Op: llm.OpChat, Dialect: "canonical", Model: "m", Body: llm.Body{Raw: []byte("{}")}, MaxTokens: 100 + int64(rng.IntN(1000))}
	text := func() llm.Part { return llm.Part{Kind: llm.PartText, Text: someText(rng)} }
	if rng.IntN(2) == 0 {
		r.System = []llm.Part{text(), text()}
	}
	add := func(role llm.Role, parts ...llm.Part) {
		r.Messages = append(r.Messages, llm.Message{Role: role, Parts: parts})
	}
	add(llm.RoleUser, text())
	for turn := range rng.IntN(3) {
		said := []llm.Part{text()}
		var results []llm.Part
		for i := range rng.IntN(3) {
			id := fmt.Sprintf("call_%d_%d", turn, i)
			said = append(said, llm.Part{Kind: llm.PartToolCall, ID: id, Name: "look_up", Text: someArguments(rng)})
			results = append(results, llm.Part{Kind: llm.PartToolResult, ID: id, Parts: []llm.Part{text()}})
		}
		add(llm.RoleAssistant, said...)
		if len(results) > 0 {
			add(llm.RoleUser, results...)
		} else {
			add(llm.RoleUser, text(), llm.Part{Kind: llm.PartImage, Media: llm.Media{Type: "image/png", Data: "iVBORw0KGgo="}})
		}
	}
	r.Tools = []llm.Tool{{Name: "look_up", Description: "d", Schema: []byte(`{"type":"object","properties":{"q":{"type":"string"}}}`)}}
	r.ToolChoice.Mode = []llm.ToolMode{"", llm.ToolAuto, llm.ToolRequired, llm.ToolNamed}[rng.IntN(4)]
	if r.ToolChoice.Mode == llm.ToolNamed {
		r.ToolChoice.Name = "look_up"
	}
	if rng.IntN(2) == 0 {
		r.Temperature = llm.Number([]string{"0", "0.5", "1"}[rng.IntN(3)])
	}
	if rng.IntN(3) == 0 {
		r.Format = &llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{"type":"object","properties":{},"additionalProperties":false}`)}
	}
	return r
}

// gist is what of a request is compared: all that the generator makes.
func gist(r *llm.Request) string {
	var b strings.Builder
	part := func(p *llm.Part) {
		fmt.Fprintf(&b, "%d %q %s %s %s\n", p.Kind, p.Text, p.ID, p.Media.Type, p.Media.Data)
	}
	for i := range r.System {
		part(&r.System[i])
	}
	role := llm.Role("")
	for _, m := range r.Messages {
		if m.Role != role {
			fmt.Fprintf(&b, "%s\n", m.Role)
		}
		role = m.Role
		for _, p := range m.Parts {
			if p.Kind == llm.PartToolResult {
				fmt.Fprintf(&b, "result %s\n", p.ID)
				for i := range p.Parts {
					part(&p.Parts[i])
				}
				continue
			}
			part(&p)
		}
	}
	for _, t := range r.Tools {
		fmt.Fprintf(&b, "tool %s %s %s\n", t.Name, t.Description, t.Schema)
	}
	fmt.Fprintf(&b, "%d %s %+v", r.MaxTokens, r.Temperature, r.ToolChoice)
	if r.Format != nil {
		fmt.Fprintf(&b, " %s %s", r.Format.Kind, r.Format.Schema)
	}
	return b.String()
}

// TestRequestsComeBack: decode(encode(x)) is x for random requests.
func TestRequestsComeBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 300 {
		r := someRequest(rng)
		for _, d := range dialects {
			w, err := d.EncodeRequest(r, dialect.Target{Model: "anthropic.m", Rules: llm.Rules{NativeSchema: true}})
			if err != nil {
				t.Fatalf("%s: %v", d.Name(), err)
			}
			if len(w.Warnings) > 0 {
				t.Fatalf("%s: %q", d.Name(), w.Warnings)
			}
			again, err := d.DecodeRequest(llm.OpChat, w.Body)
			if err != nil {
				t.Fatalf("%s: %v\n%s", d.Name(), err, w.Body)
			}
			if got, want := gist(again), gist(r); got != want {
				t.Fatalf("%s:\n got %s\nwant %s\n%s", d.Name(), got, want, w.Body)
			}
		}
	}
}
