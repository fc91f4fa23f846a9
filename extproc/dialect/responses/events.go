package responses

import (
	"bytes"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/fault"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// texts are the events that carry text: pieces of it, or the whole when it is
// complete.
var texts = map[string]struct {
	part
	whole bool
}{
	"response.output_text.delta":             {part: part{kind: llm.EventText}},
	"response.output_text.done":              {part{kind: llm.EventText}, true},
	"response.refusal.delta":                 {part: part{kind: llm.EventRefusal}},
	"response.refusal.done":                  {part{kind: llm.EventRefusal}, true},
	"response.reasoning_text.delta":          {part: part{kind: llm.EventReasoning}},
	"response.reasoning_text.done":           {part{kind: llm.EventReasoning}, true},
	"response.reasoning_summary_text.delta":  {part: part{kind: llm.EventReasoning, summary: true}},
	"response.reasoning_summary_text.done":   {part{kind: llm.EventReasoning, summary: true}, true},
	"response.function_call_arguments.delta": {part: part{kind: llm.EventToolArgs}},
	"response.function_call_arguments.done":  {part{kind: llm.EventToolArgs}, true},
}

// atWork ends the names of events by which a provider says that it goes on,
// such as response.web_search_call.searching.
var atWork = map[string]bool{"keepalive": true, "in_progress": true, "searching": true, "interpreting": true, "generating": true}

// event reads the data of one event. Kinds that are not known say nothing.
func (a *answer) event(data []byte) error {
	a.in.Reset(data)
	a.fault = fault.Fault{}
	from := len(a.events)
	tag := a.in.Tag("type")
	var err error
	switch string(tag) {
	case "response.created", "response.in_progress", "response.queued":
		err = a.in.Object(func(name []byte) error { return a.responseMember(name, false) })
		if err == nil {
			a.begin()
		}
	case "response.output_item.added", "response.output_item.done":
		err = a.itemEvent(string(tag) == "response.output_item.done")
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
		err = a.terminal(string(tag))
	case "response.output_text.annotation.added":
		err = a.annotationEvent()
	case "error", "":
		err = a.errorEvent(string(tag) == "error")
	default:
		if t, ok := texts[string(tag)]; ok {
			err = a.textEvent(t.part, t.whole)
			break
		}
		if atWork[string(tag[bytes.LastIndexByte(tag, '.')+1:])] {
			a.emit(llm.Event{Kind: llm.EventPing})
		}
		err = a.skip(nil)
	}
	if err == nil {
		err = a.in.End()
	}
	a.nameCalls(a.events[from:])
	return err
}

func (a *answer) responseMember(name []byte, items bool) error {
	if string(name) == "response" && a.in.Kind() == jsonx.Object {
		return a.response(items, a.skip)
	}
	return a.skip(nil)
}

// textEvent reads a piece of text or, when the part is done, the whole.
func (a *answer) textEvent(p part, whole bool) error {
	index, text := int64(0), ""
	var logprobs []llm.Logprob
	err := a.in.Object(func(name []byte) (err error) {
		switch string(name) {
		case "logprobs":
			if a.in.Kind() == jsonx.Array {
				logprobs, err = dialect.ReadLogprobs(a.in, nil)
				return err
			}
		case "delta", "text", "refusal", "arguments":
			return keep(a.in, &text)
		case "output_index":
			return natural(a.in, &index)
		case "content_index", "summary_index":
			return natural(a.in, &p.index)
		}
		return a.skip(nil)
	})
	if err != nil {
		return err
	}
	a.begin()
	it, err := a.at(index)
	if err != nil {
		return err
	}
	if p.kind != llm.EventToolArgs || it.begun { // the arguments of an unknown call come with its item
		a.say(it, p, text, whole)
	}
	if len(logprobs) > 0 && (!whole || !it.probable) {
		it.probable = true
		a.emit(llm.Event{Kind: llm.EventLogprobs, Logprobs: &llm.Logprobs{Tokens: logprobs}})
	}
	return nil
}

func (a *answer) itemEvent(done bool) error {
	index := int64(len(a.items))
	var c content
	err := a.in.Object(func(name []byte) (err error) {
		switch {
		case string(name) == "output_index":
			return natural(a.in, &index)
		case string(name) == "item" && a.in.Kind() == jsonx.Object:
			c, err = a.readItem()
			return err
		}
		return a.skip(nil)
	})
	if err != nil || c.kind == "" {
		return err
	}
	a.begin()
	it, err := a.at(index)
	if err != nil {
		return err
	}
	if done {
		a.finishItem(it, &c)
	} else {
		a.startItem(it, &c)
	}
	return nil
}

// terminal reads an event that ends the response.
func (a *answer) terminal(tag string) error {
	a.streamed = len(a.items) > 0
	read, first, from := false, !a.begun, len(a.events)
	err := a.in.Object(func(name []byte) error {
		if string(name) == "response" && a.in.Kind() == jsonx.Object {
			read = true
			a.begin()
		}
		return a.responseMember(name, true)
	})
	if err != nil {
		return err
	}
	if !read {
		return a.in.Fail("has no response")
	}
	if first {
		a.events[from] = a.head // its members may come after the output
	}
	if a.state.status == "" || a.state.status == "in_progress" {
		a.state.status = strings.TrimPrefix(tag, "response.")
	}
	a.finish()
	return nil
}

// errorEvent reads an error, or data of no type that may be one.
func (a *answer) errorEvent(named bool) error {
	if a.in.Kind() != jsonx.Object {
		return a.skip(nil)
	}
	err := a.in.Object(func(name []byte) error { return a.fault.Member(a.in, name) })
	if err == nil && (named || a.fault.Found) {
		a.fail()
	}
	return err
}
