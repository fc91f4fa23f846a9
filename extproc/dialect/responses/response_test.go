package responses

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// dataOf writes events as a provider does.
func dataOf(events ...string) []byte {
	var b bytes.Buffer
	for _, e := range events {
		fmt.Fprintf(&b, "data: %s\n\n", e)
	}
	return b.Bytes()
}

// brief says what events say, in a form that is easy to compare.
func brief(events []llm.Event) string {
	var out []string
	for _, e := range events {
		switch e.Kind {
		case llm.EventStart:
			out = append(out, "start "+e.ID)
		case llm.EventText:
			out = append(out, "+"+e.Text)
		case llm.EventReasoning:
			out = append(out, "~"+e.Text)
		case llm.EventRefusal:
			out = append(out, "!"+e.Text)
		case llm.EventSignature:
			out = append(out, "sign "+e.Text)
		case llm.EventRedacted:
			out = append(out, "hidden "+e.Text)
		case llm.EventToolStart:
			out = append(out, fmt.Sprintf("call%d %s %s", e.Tool, e.ID, e.Name))
		case llm.EventToolArgs:
			out = append(out, fmt.Sprintf("args%d %s", e.Tool, e.Text))
		case llm.EventBlockEnd:
			out = append(out, "|")
		case llm.EventUsage:
			out = append(out, fmt.Sprintf("usage %d %d", e.Usage.Input, e.Usage.Output))
		case llm.EventFinish:
			out = append(out, string(e.Reason))
		case llm.EventError:
			out = append(out, fmt.Sprintf("error %d %s %s", e.Err.Status, e.Err.Code, e.Err.Message))
		case llm.EventOther:
			out = append(out, "other "+e.Text)
		case llm.EventEnd:
			out = append(out, "end")
		}
	}
	return strings.Join(out, ", ")
}

const (
	created = `{"type":"response.created","response":{"id":"resp_1","model":"m","created_at":5,"output":[]}}`
	done    = `{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}}`
	added   = `{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":""}}`
	hello   = `{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"hi"}`
)

func TestStreams(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []string
		want   string
	}{
		{"text", []string{created, hello, done}, "start resp_1, +hi, |, usage 3 2, stop, end"},
		{"deltas without an item, then its end", []string{hello, `{"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"m","content":[{"type":"output_text","text":"hi"}]}}`, done},
			"start , +hi, |, usage 3 2, stop, end"},
		{"arguments in done only", []string{created, added, `{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"a\":1}"}`, done},
			`start resp_1, call0 c1 f, args0 {"a":1}, usage 3 2, tool_calls, end`},
		{"arguments in the item only", []string{created, added, `{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}"}}`, done},
			`start resp_1, call0 c1 f, args0 {}, usage 3 2, tool_calls, end`},
		{"arguments before the item", []string{created, `{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}"}}`, done},
			`start resp_1, call0 c1 f, args0 {}, usage 3 2, tool_calls, end`},
		{"nothing but the end", []string{`{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"b"}]}],"status":"completed","id":"resp_2"}}`},
			"start resp_2, +a, |, !b, |, stop, end"},
		{"an item that only the end knows the end of", []string{created, added, `{"type":"response.completed","response":{"status":"completed","output":[{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}"},{"type":"message","id":"x","content":[{"text":"y"}]}]}}`},
			"start resp_1, call0 c1 f, args0 {}, tool_calls, end"},
		{"cut off by the limit", []string{created, hello, `{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[],"usage":{"input_tokens":1,"output_tokens":1}}}`},
			"start resp_1, +hi, |, usage 1 1, length, end"},
		{"filtered", []string{created, `{"type":"response.incomplete","response":{"incomplete_details":{"reason":"content_filter"},"output":[]}}`}, "start resp_1, content_filter, end"},
		{"steered", []string{created, `{"type":"response.incomplete","response":{"incomplete_details":{"reason":"steered"},"output":[]}}`}, "start resp_1, pause, end"},
		{"failed", []string{created, hello, `{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"}}}`},
			"start resp_1, +hi, error 429 rate_limit_exceeded slow"},
		{"error event", []string{created, `{"type":"error","code":"server_error","message":"oops","param":null}`, hello}, "start resp_1, error 500 server_error oops"},
		{"error event with an object", []string{`{"type":"error","error":{"type":"x","code":"invalid_prompt","message":"no"}}`}, "error 500 invalid_prompt no"},
		{"error without a type", []string{`{"error":{"message":"no","code":429}}`}, "error 429 rate_limited no"},
		{"cut", []string{created, hello}, "start resp_1, +hi"},
		{"unknown events and items", []string{created, `{"type":"response.future","x":[1]}`, `{"type":"keepalive","sequence_number":3}`,
			`{"type":"response.output_item.added","output_index":0,"item":{"type":"future_call","id":"x"}}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"future_call","id":"x"}}`, `[DONE]`, done}, "start resp_1, other future_call, usage 3 2, stop, end"},
		{"reasoning", []string{created,
			`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"a"}`,
			`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"b"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"r","summary":[{"text":"a"},{"text":"b"}],"encrypted_content":"gA"}}`, done},
			"start resp_1, ~a, ~\n\n, ~b, sign attache:responses:gA, |, usage 3 2, stop, end"},
		{"reasoning of a gateway like this one", []string{created,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"r","summary":[{"text":"a"}],"encrypted_content":"attache:anthropic:Erc"}}`,
			`{"type":"response.output_item.done","output_index":1,"item":{"type":"reasoning","id":"s","summary":[],"encrypted_content":"attache:redacted:Rdc"}}`, done},
			"start resp_1, ~a, sign Erc, |, hidden Rdc, |, usage 3 2, stop, end"},
		{"reasoning as raw text", []string{created, `{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"a"}`, `{"type":"response.reasoning_text.done","output_index":0,"content_index":0,"text":"a"}`, done},
			"start resp_1, ~a, |, usage 3 2, stop, end"},
		{"interleaved calls", []string{created, added, `{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"fc_2","name":"g","arguments":""}}`,
			`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{"}`, `{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{}"}`,
			`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"}"}`, done},
			"start resp_1, call0 c1 f, call1 fc_2 g, args0 {, args1 {}, args0 }, usage 3 2, tool_calls, end"},
		{"output that lacks the reasoning", []string{created, `{"type":"response.completed","response":{"output":[],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":7}}}`},
			"start resp_1, usage 1 6, stop, end"},
	} {
		events, _, err := decodeAll(New(), "text/event-stream", dataOf(c.events...), whole)
		if got := brief(events); err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, err, got, c.want)
		}
	}
}

func TestUnary(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"members in any order", `{"output":[{"type":"message","content":[{"text":"a"}]},{"type":"function_call","name":"f","arguments":"{}"}],"status":"completed","id":"resp_a1","model":"m"}`,
			"start resp_a1, +a, |, call0 call_respa1_0 f, args0 {}, tool_calls, end"},
		{"queued", `{"id":"resp_1","status":"queued","output":[]}`, "start resp_1, end"},
		{"failed", `{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"oops"},"output":[]}`, "start resp_1, error 500 server_error oops"},
		{"an error with status 200", `{"code":"x","error":"no"}`, "start , error 500 x no"},
	} {
		events, _, err := decodeAll(New(), "application/json", []byte(c.body), whole)
		if got := brief(events); err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, err, got, c.want)
		}
	}
	for _, body := range []string{"<html>", `{"choices":[]}`, `{"output":[]`, ""} {
		if _, _, err := decodeAll(New(), "application/json", []byte(body), whole); err == nil || !strings.Contains(err.Error(), "not valid responses") {
			t.Errorf("%q: %v", body, err)
		}
	}
	dec := New().NewDecoder(llm.OpChat, "application/json", 10)
	if _, err := dec.Decode(make([]byte, 11), false); err == nil {
		t.Error("a body over the limit was read")
	}
	dec = New().NewDecoder(llm.OpChat, "text/event-stream", 10)
	if _, err := dec.Decode(make([]byte, 11), false); err == nil {
		t.Error("an event over the limit was read")
	}
}

// encode writes a response for a client.
func encode(t testing.TB, r *llm.Request, events []llm.Event) []byte {
	t.Helper()
	out, err := New().WithClock(clock).NewEncoder(r).Encode(nil, events)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// follow checks a stream as SDKs do and returns the text of the events' types,
// shortened.
func follow(t *testing.T, out []byte) string {
	t.Helper()
	var types []string
	open := map[string]int{}
	text := map[string]string{}
	ended := false
	for n, frame := range strings.Split(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
		name, data, _ := strings.Cut(strings.TrimPrefix(frame, "event: "), "\ndata: ")
		var e struct {
			Type         string
			Sequence     int `json:"sequence_number"`
			Item         outItem
			ItemID       string `json:"item_id"`
			Index        int    `json:"output_index"`
			ContentIndex int    `json:"content_index"`
			Delta        string
			Text         string
			Arguments    string
			Response     struct {
				Status string
				Output []outItem
			}
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Type != name || e.Sequence != n || ended {
			t.Fatalf("event %d: %v: %s", n, err, frame)
		}
		part := fmt.Sprint(e.Index, " ", e.ContentIndex)
		switch name {
		case "response.output_item.added":
			if e.Index != len(open) {
				t.Errorf("item %d comes after %d items", e.Index, len(open))
			}
			open[fmt.Sprint(e.Index)] = 1
		case "response.output_item.done":
			open[fmt.Sprint(e.Index)]++
		case "response.completed", "response.incomplete":
			ended = true
			if len(e.Response.Output) != len(open) {
				t.Errorf("the response holds %d items of %d", len(e.Response.Output), len(open))
			}
			for i, n := range open {
				if n != 2 {
					t.Errorf("item %s is not done", i)
				}
			}
		}
		if e.ItemID != "" && open[fmt.Sprint(e.Index)] != 1 {
			t.Errorf("%s is about an item that is not open", name)
		}
		if strings.HasSuffix(name, ".delta") {
			text[part] += e.Delta
		} else if whole := e.Text + e.Arguments; whole != "" && whole != text[part] {
			t.Errorf("%s: %q was said, %q is the whole", name, text[part], whole)
		}
		name = strings.TrimPrefix(name, "response.")
		if e.Item.Type != "" {
			name += " " + e.Item.Type
		}
		types = append(types, name)
	}
	return strings.Join(types, ", ")
}

func TestLifecycle(t *testing.T) {
	start := llm.Event{Kind: llm.EventStart, ID: "msg_1", Model: "m", Created: 5}
	text := func(s string) llm.Event { return llm.Event{Kind: llm.EventText, Text: s} }
	kind := func(k llm.Kind, s string) llm.Event { return llm.Event{Kind: k, Text: s} }
	call := func(n int) llm.Event {
		return llm.Event{Kind: llm.EventToolStart, Tool: n, ID: fmt.Sprint("c", n), Name: "f"}
	}
	args := func(n int, s string) llm.Event { return llm.Event{Kind: llm.EventToolArgs, Tool: n, Text: s} }
	finish := func(r llm.FinishReason) llm.Event { return llm.Event{Kind: llm.EventFinish, Reason: r} }
	blockEnd, end := llm.Event{Kind: llm.EventBlockEnd}, llm.Event{Kind: llm.EventEnd}
	const head = "created, in_progress, "
	const message = "output_item.added message, content_part.added, output_text.delta, output_text.done, content_part.done, "
	const thought = "output_item.added reasoning, reasoning_summary_part.added, reasoning_summary_text.delta, reasoning_summary_text.done, reasoning_summary_part.done, output_item.done reasoning, "
	const called = "output_item.added function_call, function_call_arguments.delta, function_call_arguments.done, output_item.done function_call, "
	for _, c := range []struct {
		name   string
		events []llm.Event
		want   string
	}{
		{"nothing", []llm.Event{end}, head + "completed"},
		{"text", []llm.Event{start, text("a"), finish(llm.FinishStop), end}, head + message + "output_item.done message, completed"},
		{"no finish reason", []llm.Event{start, text("a"), end}, head + message + "output_item.done message, completed"},
		{"two texts", []llm.Event{start, text("a"), blockEnd, text("b"), blockEnd, end},
			head + message + "content_part.added, output_text.delta, output_text.done, content_part.done, output_item.done message, completed"},
		{"refusal after text", []llm.Event{start, text("a"), kind(llm.EventRefusal, "no"), end},
			head + message + "content_part.added, refusal.delta, refusal.done, content_part.done, output_item.done message, completed"},
		{"limit", []llm.Event{start, text("a"), finish(llm.FinishLength), end}, head + message + "output_item.done message, incomplete"},
		{"reasoning, text, call", []llm.Event{start, kind(llm.EventReasoning, "r"), kind(llm.EventSignature, "s"), blockEnd, text("a"), blockEnd, call(0), args(0, "{}"), blockEnd, end},
			head + thought + message + "output_item.done message, " + called + "completed"},
		{"signature alone", []llm.Event{start, kind(llm.EventSignature, "s"), end}, head + "output_item.added reasoning, output_item.done reasoning, completed"},
		{"hidden", []llm.Event{start, kind(llm.EventRedacted, "x"), kind(llm.EventReasoning, "r"), end},
			head + "output_item.added reasoning, output_item.done reasoning, " + thought + "completed"},
		{"no arguments", []llm.Event{start, call(0), finish(llm.FinishToolCalls), end}, head + called + "completed"},
		{"interleaved calls", []llm.Event{start, call(0), call(1), args(0, "{"), args(1, "{}"), args(0, "}"), end},
			head + "output_item.added function_call, output_item.added function_call, " + strings.Repeat("function_call_arguments.delta, ", 3) +
				strings.Repeat("function_call_arguments.done, output_item.done function_call, ", 2) + "completed"},
		{"other choices", []llm.Event{start, {Kind: llm.EventText, Choice: 1, Text: "x"}, end}, head + "completed"},
		{"error", []llm.Event{start, text("a"), {Kind: llm.EventError, Err: &llm.Error{Status: 429, Message: "m"}}, text("b")},
			head + "output_item.added message, content_part.added, output_text.delta, error, failed"},
		{"error before all", []llm.Event{{Kind: llm.EventError, Err: &llm.Error{Status: 500, Message: "m"}}}, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := encode(t, &llm.Request{Stream: true}, c.events)
			if got := follow(t, out); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// A unary response is what the last event of a stream holds.
func TestUnaryIsTheLastEvent(t *testing.T) {
	events, _, err := decodeAll(New(), "text/event-stream", sample(t, "answer.sse"), whole)
	if err != nil {
		t.Fatal(err)
	}
	stream := encode(t, &llm.Request{Stream: true}, events)
	body := encode(t, &llm.Request{}, events)
	i := bytes.LastIndex(stream, []byte(`"response":`))
	if last := string(stream[i+len(`"response":`):]); last != string(body)+"}\n\n" {
		t.Errorf("\n got %s\nwant %s", body, last)
	}
}

func TestEcho(t *testing.T) {
	r := decodeRequest(t, string(sample(t, "full.json")))
	r.Stream, r.Body = false, llm.Body{}
	var got map[string]any
	if err := json.Unmarshal(encode(t, r, []llm.Event{{Kind: llm.EventEnd}}), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"model": `"gpt-6.1-sol"`, "store": `false`, "max_output_tokens": `2000`, "temperature": `1`, "top_p": `0.95`, "parallel_tool_calls": `false`,
		"reasoning": `{"effort":"high","summary":"auto"}`, "safety_identifier": `"u-7f3a"`, "metadata": `{}`, "instructions": `null`,
		"tool_choice": `{"mode":"auto","tools":[{"name":"look","type":"function"},{"name":"now","type":"function"}],"type":"allowed_tools"}`,
		"usage":       `null`, "error": `null`, "output": `[]`, "status": `"completed"`, "created_at": `1700000000`,
	} {
		value, ok := got[name]
		text, _ := json.Marshal(value)
		if !ok || string(text) != want {
			t.Errorf("%s: got %s, want %s", name, text, want)
		}
	}
}
