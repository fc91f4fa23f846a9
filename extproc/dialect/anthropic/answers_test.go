package anthropic

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// brief is a stream in few words: the events' kinds with what they say.
func brief(stream []byte) string {
	var out []string
	for _, line := range strings.Split(string(stream), "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var e struct {
			Type  string
			Index int
			Block struct{ Type, ID, Name, Data string } `json:"content_block"`
			Delta struct {
				Type, Text, Thinking, Signature string
				JSON                            string                       `json:"partial_json"`
				Reason                          string                       `json:"stop_reason"`
				Stop                            string                       `json:"stop_sequence"`
				Details                         struct{ Explanation string } `json:"stop_details"`
			}
			Error struct{ Type, Message string }
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			out = append(out, "not JSON: "+data)
			continue
		}
		switch d := e.Delta; e.Type {
		case "content_block_start":
			out = append(out, fmt.Sprintf("%d:%s", e.Index, strings.TrimSpace(e.Block.Type+" "+e.Block.ID+e.Block.Data)))
		case "content_block_delta":
			out = append(out, "+"+d.Text+d.Thinking+d.Signature+d.JSON)
		case "content_block_stop":
			out = append(out, "-")
		case "message_delta":
			out = append(out, strings.TrimSpace(d.Reason+" "+d.Stop+d.Details.Explanation))
		case "error":
			out = append(out, "error "+e.Error.Type)
		default:
			out = append(out, e.Type)
		}
	}
	return strings.Join(out, " | ")
}

func start() llm.Event { return llm.Event{Kind: llm.EventStart, ID: "m", Model: "c"} }

func say(kind llm.Kind, text string) llm.Event { return llm.Event{Kind: kind, Text: text} }

func begin(tool int, id string) llm.Event {
	return llm.Event{Kind: llm.EventToolStart, Tool: tool, ID: id, Name: "f"}
}

func args(tool int, text string) llm.Event {
	return llm.Event{Kind: llm.EventToolArgs, Tool: tool, Text: text}
}

func finish(reason llm.FinishReason) llm.Event {
	return llm.Event{Kind: llm.EventFinish, Reason: reason}
}

var (
	endBlock = llm.Event{Kind: llm.EventBlockEnd}
	end      = llm.Event{Kind: llm.EventEnd}
)

func TestStream(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []llm.Event
		want   string
	}{
		{"nothing said", []llm.Event{start(), finish(llm.FinishStop), end}, "message_start | end_turn | message_stop"},
		{"no start", []llm.Event{say(llm.EventText, "a"), end}, "message_start | 0:text | +a | - | end_turn | message_stop"},
		{"empty texts", []llm.Event{start(), say(llm.EventText, ""), say(llm.EventReasoning, ""), end}, "message_start | end_turn | message_stop"},
		{"two texts", []llm.Event{start(), say(llm.EventText, "a"), say(llm.EventText, "b"), endBlock, say(llm.EventText, "c"), endBlock, end},
			"message_start | 0:text | +a | +b | - | 1:text | +c | - | end_turn | message_stop"},
		{"reasoning that nobody signed", []llm.Event{start(), say(llm.EventReasoning, "r"), say(llm.EventText, "a"), end},
			"message_start | 0:thinking | +r | +" + unsigned + " | - | 1:text | +a | - | end_turn | message_stop"},
		{"signed reasoning", []llm.Event{start(), say(llm.EventReasoning, "r"), say(llm.EventSignature, "s"), endBlock, end},
			"message_start | 0:thinking | +r | +s | - | end_turn | message_stop"},
		{"reasoning that is not shown", []llm.Event{start(), say(llm.EventSignature, "s"), endBlock, end},
			"message_start | 0:thinking | +s | - | end_turn | message_stop"},
		{"redacted reasoning", []llm.Event{start(), say(llm.EventRedacted, "x"), endBlock, say(llm.EventRedacted, "y"), end},
			"message_start | 0:redacted_thinking x | - | 1:redacted_thinking y | - | end_turn | message_stop"},
		{"calls one after the other", []llm.Event{start(), begin(0, "a"), args(0, `{"x":`), args(0, `1}`), begin(1, "b"), args(1, `{}`), finish(llm.FinishToolCalls), end},
			`message_start | 0:tool_use a | + | +{"x": | +1} | - | 1:tool_use b | + | +{} | - | tool_use | message_stop`},
		{"calls that interleave", []llm.Event{start(), begin(0, "a"), begin(1, "b"), args(1, `{"y"`), args(0, `{"x":`), args(1, `:2}`), args(0, `1}`), end},
			`message_start | 0:tool_use a | + | +{"x": | +1} | - | 1:tool_use b | + | +{"y":2} | - | tool_use | message_stop`},
		{"text in a call", []llm.Event{start(), begin(0, "a"), args(0, `{"x":`), say(llm.EventText, "t"), args(0, `1}`), say(llm.EventText, "u"), end},
			`message_start | 0:tool_use a | + | +{"x": | +1} | - | 1:text | +t | +u | - | tool_use | message_stop`},
		{"brackets in strings", []llm.Event{start(), begin(0, "a"), args(0, `{"x":"}\"`), begin(1, "b"), args(0, `"}`), end},
			`message_start | 0:tool_use a | + | +{"x":"}\" | +"} | - | 1:tool_use b | + | +{} | - | tool_use | message_stop`},
		{"no arguments", []llm.Event{start(), begin(0, "a"), begin(1, "b"), end},
			`message_start | 0:tool_use a | + | +{} | - | 1:tool_use b | + | +{} | - | tool_use | message_stop`},
		{"cut off call", []llm.Event{start(), begin(0, "a"), args(0, `{"x`), finish(llm.FinishLength), end},
			`message_start | 0:tool_use a | + | +{"x | - | max_tokens | message_stop`},
		{"calls of providers that say stop", []llm.Event{start(), begin(0, "a"), finish(llm.FinishStop), end}, `message_start | 0:tool_use a | + | +{} | - | tool_use | message_stop`},
		{"ids that this API would not take", []llm.Event{start(), begin(0, "a.b"), end},
			`message_start | 0:tool_use ` + toolID("a.b") + ` | + | +{} | - | tool_use | message_stop`},
		{"refusal in words", []llm.Event{start(), say(llm.EventRefusal, "no"), finish(llm.FinishStop), end}, "message_start | 0:text | +no | - | refusal | message_stop"},
		{"filtered", []llm.Event{start(), finish(llm.FinishContentFilter), end}, "message_start | refusal | message_stop"},
		{"context full", []llm.Event{start(), finish(llm.FinishContext), end}, "message_start | model_context_window_exceeded | message_stop"},
		{"refusal with its reason", []llm.Event{start(), {Kind: llm.EventFinish, Reason: llm.FinishRefusal, Text: "why"}, end}, "message_start | refusal why | message_stop"},
		{"stop sequence", []llm.Event{start(), {Kind: llm.EventFinish, Reason: llm.FinishStopSequence, Stop: "X"}, end}, "message_start | stop_sequence X | message_stop"},
		{"error", []llm.Event{start(), say(llm.EventText, "a"), {Kind: llm.EventError, Err: &llm.Error{Status: 529}}, say(llm.EventText, "b"), end},
			"message_start | 0:text | +a | error overloaded_error"},
		{"pings", []llm.Event{{Kind: llm.EventPing}, start(), {Kind: llm.EventPing}, end}, "message_start | ping | end_turn | message_stop"},
		{"other choices", []llm.Event{start(), {Kind: llm.EventText, Choice: 1, Text: "b"}, end}, "message_start | end_turn | message_stop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := range 3 {
				stream := encode(t, &llm.Request{Op: llm.OpChat, Stream: true}, c.events, n)
				if got := brief(stream); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
				strictStream(t, stream)
			}
		})
	}
}

// The estimate stands in message_start until the provider says better.
func TestEstimate(t *testing.T) {
	r := &llm.Request{Op: llm.OpChat, Stream: true, InputEstimate: 42}
	usage := llm.Event{Kind: llm.EventUsage, Usage: llm.Usage{Input: 50, CacheRead: 8, CacheWrite: 2, Output: 7, Reasoning: 3}}
	out := string(encode(t, r, []llm.Event{start(), finish(llm.FinishStop), usage, end}, 1))
	for _, want := range []string{
		`"usage":{"input_tokens":42,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}`,
		`"usage":{"input_tokens":40,"cache_creation_input_tokens":2,"cache_read_input_tokens":8,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":0},"output_tokens":7,"output_tokens_details":{"thinking_tokens":3}}}`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	known := start()
	known.Usage = llm.Usage{Input: 50}
	if out := string(encode(t, r, []llm.Event{known}, 1)); !strings.Contains(out, `"input_tokens":50`) {
		t.Errorf("the provider's count was not used: %s", out)
	}
}

func TestUnary(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []llm.Event
		want   string
	}{
		{"nothing said", []llm.Event{start(), end},
			`{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}`},
		{"broken arguments", []llm.Event{start(), begin(0, "t"), args(0, `{"x`), finish(llm.FinishLength), end},
			`{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"tool_use","id":"t","name":"f","input":{"arguments":"{\"x"}}],"stop_reason":"max_tokens","stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}`},
		{"error", []llm.Event{start(), say(llm.EventText, "a"), {Kind: llm.EventError, Err: &llm.Error{Status: 500, Code: "internal", Message: "no"}}, end},
			`{"type":"error","error":{"type":"api_error","message":"no","code":"internal"},"request_id":null}`},
		{"not at its end", []llm.Event{start(), say(llm.EventText, "a")}, ""},
	} {
		if got := string(encode(t, &llm.Request{Op: llm.OpChat}, c.events, 1)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// Ids that a provider did not give are made: one for each call.
func TestMissingIDs(t *testing.T) {
	events := []llm.Event{{Kind: llm.EventStart}, begin(0, ""), begin(1, ""), end}
	var m struct {
		ID, Model string
		Content   []struct{ ID string }
	}
	if err := json.Unmarshal(encode(t, &llm.Request{Op: llm.OpChat, Model: "asked"}, events, 0), &m); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(m.ID, "msg_") || m.Model != "asked" || m.Content[0].ID == "" || m.Content[0].ID == m.Content[1].ID {
		t.Errorf("got %+v", m)
	}
}

// What waits for a call that never ends is bounded.
func TestWaitingIsBounded(t *testing.T) {
	enc := New().NewEncoder(&llm.Request{Op: llm.OpChat, Stream: true})
	var dst []byte
	var err error
	if dst, err = enc.Encode(dst, []llm.Event{start(), begin(0, "t")}); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 1<<20)
	for range 10 {
		if dst, err = enc.Encode(dst[:0], []llm.Event{say(llm.EventText, text)}); err != nil {
			break
		}
	}
	var e *llm.Error
	if !errors.As(err, &e) || e.Status != 502 {
		t.Errorf("got %v", err)
	}
}
