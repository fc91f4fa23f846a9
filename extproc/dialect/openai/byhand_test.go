package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// object is JSON as encoding/json sees it: a second opinion on what a response
// says.
type object = map[string]any

func sub(o object, name string) object { s, _ := o[name].(object); return s }
func str(o object, name string) string { s, _ := o[name].(string); return s }
func num(o object, name string) int64  { n, _ := o[name].(float64); return int64(n) }
func list(o object, name string) (l []object) {
	items, _ := o[name].([]any)
	for _, i := range items {
		l = append(l, i.(object))
	}
	return l
}

// readByHand says what a recorded response holds, in gather's words.
func readByHand(t *testing.T, r *recording) string {
	t.Helper()
	body, mediaType := r.wire()
	var g gathered
	if mediaType == "application/json" {
		var o object
		if err := json.Unmarshal(body, &o); err != nil {
			t.Fatalf("%s: %v", r.ID, err)
		}
		g.object(o)
		g.ended = g.failure == ""
		for i, c := range g.choices[0].calls {
			if c.id == "" {
				g.choices[0].calls[i].id = fmt.Sprintf("call_%s_0_%d", strings.ReplaceAll(str(o, "id"), "-", ""), i)
			}
		}
		return g.String()
	}
	for line := range bytes.Lines(body) {
		data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data:"))
		if !ok || line[0] == ' ' || g.failure != "" {
			continue
		}
		if data = bytes.TrimSpace(data); string(data) == "[DONE]" {
			g.ended = true
			break
		}
		var o object
		if err := json.Unmarshal(data, &o); err != nil {
			t.Fatalf("%s: %v: %s", r.ID, err, data)
		}
		g.object(o)
	}
	for i := range g.choices {
		c := &g.choices[i]
		g.ended = g.ended || c.reason != "" && g.failure == ""
		if g.ended && c.reason == "" && len(c.calls) > 0 {
			c.reason = "tool_calls"
		} else if g.ended && c.reason == "" && c.text != "" {
			c.reason = "stop"
		}
	}
	return g.String()
}

// gathered is an answer put together, as a client would.
type gathered struct {
	choices [8]gatheredChoice
	usage   llm.Usage
	failure string
	ended   bool
}

type gatheredChoice struct {
	text, reasoning, refusal, reason string
	calls                            []gatheredCall
}

type gatheredCall struct{ id, name, args string }

func (g *gathered) String() string {
	var b strings.Builder
	for i, c := range g.choices {
		if fmt.Sprint(c) != fmt.Sprint(gatheredChoice{}) {
			fmt.Fprintf(&b, "%d %q\n", i, c)
		}
	}
	return fmt.Sprintf("%s%+v %s %v", b.String(), g.usage, g.failure, g.ended)
}

func (g *gathered) object(o object) {
	if e := sub(o, "error"); e != nil {
		g.failure = str(e, "message")
		return
	}
	for _, u := range []object{sub(o, "usage"), sub(sub(o, "x_groq"), "usage")} {
		if u != nil {
			g.count(u)
		}
	}
	for _, c := range list(o, "choices") {
		g.choice(c)
	}
}

func (g *gathered) choice(c object) {
	at := &g.choices[num(c, "index")]
	for _, m := range []object{sub(c, "message"), sub(c, "delta")} {
		at.text += str(m, "content")
		if parts, ok := m["content"].([]any); ok && parts != nil {
			for _, p := range list(m, "content") {
				at.text += str(p, "text")
				for _, th := range list(p, "thinking") {
					at.reasoning += str(th, "text")
				}
			}
		}
		if r := str(m, "reasoning_content"); r != "" {
			at.reasoning += r
		} else {
			at.reasoning += str(m, "reasoning")
		}
		at.refusal += str(m, "refusal")
		for i, call := range list(m, "tool_calls") {
			g.call(at, i, call)
		}
	}
	finish, given := c["finish_reason"].(string)
	if given {
		at.reason = map[string]string{"eos": "stop", "": "stop", "function_call": "tool_calls"}[finish]
		if at.reason == "" {
			at.reason = finish
		}
		if at.reason == "stop" && len(at.calls) > 0 {
			at.reason = "tool_calls"
		}
	}
}

func (g *gathered) call(at *gatheredChoice, i int, call object) {
	f := sub(call, "function")
	n := len(at.calls) - 1
	if index, ok := call["index"].(float64); ok && int(index) < len(at.calls) {
		n = int(index)
	} else if str(f, "name") != "" {
		at.calls = append(at.calls, gatheredCall{id: str(call, "id"), name: str(f, "name")})
		n++
	}
	at.calls[n].args += str(f, "arguments")
}

func (g *gathered) count(u object) {
	in, out, total := num(u, "prompt_tokens"), num(u, "completion_tokens"), num(u, "total_tokens")
	inside, outside := sub(u, "prompt_tokens_details"), sub(u, "completion_tokens_details")
	g.usage.Reasoning = max(num(outside, "reasoning_tokens"), total-in-out)
	g.usage.Output = max(out, total-in)
	if g.usage.Reasoning > g.usage.Output {
		g.usage.Output += g.usage.Reasoning
	}
	g.usage.CacheRead = max(num(inside, "cached_tokens"), num(u, "prompt_cache_hit_tokens"),
		num(u, "cached_tokens"), num(u, "num_cached_tokens"), num(u, "cache_read_input_tokens"))
	g.usage.CacheWrite = max(num(inside, "cache_write_tokens"), num(u, "cache_creation_input_tokens"))
	g.usage.Input = in
	g.usage.AudioInput, g.usage.AudioOutput = max(num(inside, "audio_tokens"), 0), max(num(outside, "audio_tokens"), 0)
	if cached := g.usage.CacheRead + g.usage.CacheWrite; cached > in {
		g.usage.Input += cached
	}
}

// gather puts events together.
func gather(events []llm.Event) string {
	var g gathered
	for _, e := range events {
		at := &g.choices[e.Choice]
		switch e.Kind {
		case llm.EventText:
			at.text += e.Text
		case llm.EventReasoning:
			at.reasoning += e.Text
		case llm.EventRefusal:
			at.refusal += e.Text
		case llm.EventToolStart:
			at.calls = append(at.calls, gatheredCall{id: e.ID, name: e.Name})
		case llm.EventToolArgs:
			at.calls[e.Tool].args += e.Text
		case llm.EventFinish:
			at.reason = string(e.Reason)
		case llm.EventUsage:
			g.usage = e.Usage
		case llm.EventError:
			g.failure = e.Err.Message
		case llm.EventEnd:
			g.ended = true
		}
	}
	return g.String()
}
