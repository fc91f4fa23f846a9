package mock

import (
	"fmt"
	"strings"
)

// An item is one element of a response's output: its members when it is added
// and when it is done, and the events between.
type item struct {
	begun, done string
	events      []event
}

type event struct{ kind, members string }

// response is a whole answer of the responses API.
func (q question) response() reply {
	var output []string
	for _, it := range q.items() {
		output = append(output, "{"+it.done+"}")
	}
	return unary(typeJSON, []byte(q.responseObject("completed", strings.Join(output, ","))))
}

// responseStream is the same as events, which are numbered from 0.
func (q question) responseStream() reply {
	var frames []string
	send := func(kind, members string) {
		frames = append(frames, fmt.Sprintf("event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%d,%s}\n\n", kind, kind, len(frames), members))
	}
	began := `"response":` + q.responseObject("in_progress", "")
	send("response.created", began)
	send("response.in_progress", began)
	var output []string
	for i, it := range q.items() {
		send("response.output_item.added", fmt.Sprintf(`"output_index":%d,"item":{%s}`, i, it.begun))
		for _, e := range it.events {
			send(e.kind, fmt.Sprintf(`"output_index":%d,%s`, i, e.members))
		}
		send("response.output_item.done", fmt.Sprintf(`"output_index":%d,"item":{%s}`, i, it.done))
		output = append(output, "{"+it.done+"}")
	}
	send("response.completed", `"response":`+q.responseObject("completed", strings.Join(output, ",")))
	return stream(frames)
}

func (q question) items() []item {
	var items []item
	if q.thinking {
		items = append(items, reasoningItem())
	}
	if q.tool != "" {
		return append(items, callItem(q.tool))
	}
	return append(items, messageItem(q.pieces()))
}

func messageItem(pieces []string) item {
	const id, place = "msg_mock", `"item_id":"msg_mock","content_index":0,`
	text := quote(strings.Join(pieces, ""))
	part := `{"type":"output_text","annotations":[],"logprobs":[],"text":` + text + `}`
	head := `"id":"` + id + `","type":"message","role":"assistant","status":`
	it := item{
		begun:  head + `"in_progress","content":[]`,
		done:   head + `"completed","content":[` + part + `]`,
		events: []event{{"response.content_part.added", place + `"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}`}},
	}
	for _, delta := range wrap(place+`"logprobs":[],"delta":`, pieces...) {
		it.events = append(it.events, event{"response.output_text.delta", delta})
	}
	it.events = append(it.events,
		event{"response.output_text.done", place + `"logprobs":[],"text":` + text},
		event{"response.content_part.done", place + `"part":` + part})
	return it
}

func callItem(tool string) item {
	whole := quote(arguments[0] + arguments[1])
	head := `"id":"fc_mock","type":"function_call","call_id":"call_mock","name":` + quote(tool)
	it := item{begun: head + `,"arguments":"","status":"in_progress"`, done: head + `,"arguments":` + whole + `,"status":"completed"`}
	for _, delta := range wrap(`"item_id":"fc_mock","delta":`, arguments[:]...) {
		it.events = append(it.events, event{"response.function_call_arguments.delta", delta})
	}
	it.events = append(it.events, event{"response.function_call_arguments.done", `"item_id":"fc_mock","name":` + quote(tool) + `,"arguments":` + whole})
	return it
}

func reasoningItem() item {
	const place = `"item_id":"rs_mock","summary_index":0,`
	text := quote(strings.Join(thoughts[:], ""))
	part := `{"type":"summary_text","text":` + text + `}`
	head := `"id":"rs_mock","type":"reasoning","encrypted_content":"` + signature + `","summary":`
	it := item{
		begun:  head + "[]",
		done:   head + "[" + part + "]",
		events: []event{{"response.reasoning_summary_part.added", place + `"part":{"type":"summary_text","text":""}`}},
	}
	for _, delta := range wrap(place+`"delta":`, thoughts[:]...) {
		it.events = append(it.events, event{"response.reasoning_summary_text.delta", delta})
	}
	it.events = append(it.events,
		event{"response.reasoning_summary_text.done", place + `"text":` + text},
		event{"response.reasoning_summary_part.done", place + `"part":` + part})
	return it
}

// responseObject is a response with its output so far. Usage comes at the end.
func (q question) responseObject(status, output string) string {
	usage := "null"
	if status == "completed" {
		usage = fmt.Sprintf(`{"input_tokens":%d,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":%d},"total_tokens":%d}`,
			q.input, q.outputTokens(), q.thoughtTokens(), q.input+q.outputTokens())
	}
	return fmt.Sprintf(`{"id":"resp_mock","object":"response","created_at":%d,"status":"%s","background":false,"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"model":%s,"output":[%s],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,"temperature":1,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1,"truncation":"disabled","usage":%s,"user":null,"metadata":{}}`,
		created, status, quote(q.model), output, usage)
}
