package openai

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/fault"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// answer reads the objects of one response, of which a stream has many. Whole
// answers and chunks differ in little more than the name of a member, so that
// one function reads both.
type answer struct {
	in         *jsonx.Reader
	embeddings bool
	events     []llm.Event

	started bool
	head    llm.Event // EventStart, as far as it is known
	choices []*choice
	usage   llm.Usage

	// Of the object that is being read.
	delta   delta
	fault   fault.Fault
	found   int  // choices; -1: no such member
	counted bool // it reports usage
	vectors bool // it has embeddings
}

// maxChoices bounds how many answers one response may have.
const maxChoices = 256

func (a *answer) emit(e llm.Event) { a.events = append(a.events, e) }

// whole reads a unary body.
func (a *answer) whole(body []byte) error {
	broken, err := a.object(body, false)
	if err != nil || broken {
		return err
	}
	if a.embeddings && !a.vectors || !a.embeddings && a.found < 0 {
		return a.in.Fail("is no answer")
	}
	a.end()
	return nil
}

// object reads one object. It is broken when it says that the response is.
func (a *answer) object(data []byte, failed bool) (broken bool, err error) {
	a.in.Reset(data)
	a.fault, a.found, a.counted, a.vectors = fault.Fault{}, -1, false, false
	from, before, begun := len(a.events), a.usage, a.started
	if err = a.in.Object(a.member); err == nil {
		err = a.in.End()
	}
	if err != nil {
		return false, err
	}
	if !begun && a.started {
		a.events[from] = a.head // its members may come after the choices
	}
	a.nameCalls(a.events[from:])
	if a.fault.Found || failed {
		a.emit(llm.Event{Kind: llm.EventError, Err: a.fault.Error(0)})
		return true, nil
	}
	if a.counted && (a.usage != before || a.found <= 0) {
		a.begin()
		a.emit(llm.Event{Kind: llm.EventUsage, Usage: a.usage})
	}
	return false, nil
}

func (a *answer) member(name []byte) (err error) {
	if a.in.Null() {
		return nil
	}
	switch string(name) {
	case "id":
		err = keep(a.in, &a.head.ID)
	case "model":
		err = keep(a.in, &a.head.Model)
	case "created":
		err = natural(a.in, &a.head.Created)
	case "choices":
		a.found = 0
		err = a.in.Array(a.choice)
	case "usage":
		err = a.readUsage()
	case "x_groq":
		err = a.groq()
	case "data":
		err = a.data()
	case "error":
		err = a.fault.Member(a.in, name)
	case "message", "code", "type":
		err = a.fault.Field(a.in, name) // some errors have no inner object
	default:
		_, err = a.in.Skip()
	}
	return err
}

// keep reads a string unless there is one already: an answer has one id and one
// model, and some providers leave them out of their first chunk.
func keep(in *jsonx.Reader, to *string) error {
	if *to != "" || in.Kind() != jsonx.String {
		_, err := in.Skip()
		return err
	}
	s, err := in.String()
	*to = s
	return err
}

// natural reads a number that is not negative; providers write some as fractions.
// What is something else changes nothing.
func natural(in *jsonx.Reader, to *int64) error {
	if in.Kind() != jsonx.Number {
		_, err := in.Skip()
		return err
	}
	text, err := in.NumberText()
	if err != nil {
		return err
	}
	if n, ok := parseWhole(text); ok {
		*to = n
	}
	return nil
}

func (a *answer) begin() {
	if a.started {
		return
	}
	a.started = true
	a.head.Kind = llm.EventStart
	a.emit(a.head)
}

// choice reads one element of choices. What it says is put in order when all of
// it is known.
func (a *answer) choice(i int) error {
	a.begin()
	a.found++
	a.delta.reset()
	index := int64(i)
	err := a.in.Object(func(name []byte) (err error) {
		if a.in.Null() {
			return nil
		}
		switch string(name) {
		case "index":
			err = natural(a.in, &index)
		case "delta", "message":
			err = a.in.Object(a.deltaMember)
		case "logprobs":
			err = a.readLogprobs()
		case "finish_reason":
			err = keep(a.in, &a.delta.finish)
		default:
			_, err = a.in.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if index >= maxChoices {
		return a.in.Fail("has too many choices")
	}
	return a.deliver(a.at(int(index)))
}

func (a *answer) at(index int) *choice {
	for _, c := range a.choices {
		if c.index == index {
			return c
		}
	}
	c := &choice{index: index}
	a.choices = append(a.choices, c)
	return c
}

// end closes what the provider left open and says that it is done.
func (a *answer) end() {
	a.begin()
	if len(a.choices) == 0 && !a.embeddings {
		a.at(0)
	}
	for _, c := range a.choices {
		a.finish(c, "stop")
	}
	a.emit(llm.Event{Kind: llm.EventEnd})
}

// finished reports whether the model gave a reason for its end.
func (a *answer) finished() bool {
	for _, c := range a.choices {
		if c.done {
			return true
		}
	}
	return false
}

// reasons are the finish reasons of OpenAI and of servers that let their own
// slip through, in lower case. All others mean an end like any other.
var reasons = map[string]llm.FinishReason{
	"length": llm.FinishLength, "max_tokens": llm.FinishLength, "model_length": llm.FinishLength,
	"max_output_tokens":             llm.FinishLength,
	"model_context_window_exceeded": llm.FinishContext,
	"tool_calls":                    llm.FinishToolCalls, "tool_use": llm.FinishToolCalls, "function_call": llm.FinishToolCalls,
	"content_filter": llm.FinishContentFilter, "safety": llm.FinishContentFilter, "recitation": llm.FinishContentFilter,
	"refusal":    llm.FinishRefusal,
	"pause_turn": llm.FinishPause,
}

// finish says why a choice ended, once. An end with tool calls is an end for
// tool calls, whatever the provider calls it; one that cut the answer short
// stays what it is, since the calls may be cut too.
func (a *answer) finish(c *choice, word string) {
	if c.done {
		return
	}
	c.done = true
	reason, ok := reasons[strings.ToLower(word)]
	if !ok {
		reason = llm.FinishStop
	}
	if reason == llm.FinishStop && len(c.calls) > 0 {
		reason = llm.FinishToolCalls
	}
	a.emit(llm.Event{Kind: llm.EventFinish, Choice: c.index, Reason: reason})
}
