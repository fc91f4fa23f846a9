package responses

import (
	"errors"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/fault"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// answer reads one response, whole or event by event. Both forms say their
// items by the same functions, so that they say the same.
type answer struct {
	in     *jsonx.Reader
	events []llm.Event

	head     llm.Event // EventStart, as far as it is known
	begun    bool
	over     bool
	items    []*item // in the order in which they began
	calls    int
	streamed bool  // its items came as events
	block    block // that is open
	usage    llm.Usage
	chars    int // of text so far

	// Of the response object that is being read.
	state  state
	output bool // it has one
	fault  fault.Fault
}

// state is how a response stands.
type state struct {
	status string
	reason string // why it is incomplete
}

// block is a piece of text that deltas may go on with.
type block struct {
	item *item
	part part
}

func (a *answer) emit(e llm.Event) { a.events = append(a.events, e) }

// begin starts the answer, once.
func (a *answer) begin() {
	if !a.begun {
		a.begun = true
		a.head.Kind = llm.EventStart
		a.emit(a.head)
	}
}

var errShape = errors.New("not of the dialect")

// whole reads a unary body: a response, or an error.
func (a *answer) whole(body []byte) error {
	a.in.Reset(body)
	a.begin()
	err := a.response(true, func(name []byte) error { return a.fault.Field(a.in, name) })
	if err == nil {
		err = a.in.End()
	}
	switch {
	case err != nil:
		return err
	case a.fault.Found && !a.output:
		a.fail()
		return nil
	case !a.output:
		return errShape
	}
	a.events[0] = a.head // its members may come after the output
	a.finish()
	a.nameCalls(a.events)
	return nil
}

// response reads a response object. Its output is taken if items is set; other
// reads the members that it does not know.
func (a *answer) response(items bool, other func(name []byte) error) error {
	a.state, a.output, a.fault = state{}, false, fault.Fault{}
	return a.in.Object(func(name []byte) (err error) {
		if a.in.Null() {
			return nil
		}
		switch string(name) {
		case "id":
			err = keep(a.in, &a.head.ID)
		case "model":
			err = keep(a.in, &a.head.Model)
		case "created_at":
			err = natural(a.in, &a.head.Created)
		case "status":
			err = keep(a.in, &a.state.status)
		case "incomplete_details":
			err = a.details()
		case "usage":
			err = a.readUsage()
		case "error":
			err = a.fault.Member(a.in, name)
		case "output":
			a.output = true
			if items && a.in.Kind() == jsonx.Array {
				return a.in.Array(a.outputItem)
			}
			_, err = a.in.Skip()
		default:
			err = other(name)
		}
		return err
	})
}

func (a *answer) skip([]byte) error {
	_, err := a.in.Skip()
	return err
}

func (a *answer) details() error {
	if a.in.Kind() != jsonx.Object {
		return a.skip(nil)
	}
	return a.in.Object(func(name []byte) error {
		if string(name) == "reason" {
			return keep(a.in, &a.state.reason)
		}
		return a.skip(nil)
	})
}

// finish ends the answer as its status says. One that is queued or in progress
// is all that the client gets for now: it asked for it to run in the background.
func (a *answer) finish() {
	if status := a.state.status; a.fault.Found || status == "failed" || status == "cancelled" {
		a.fail()
		return
	}
	a.close()
	if a.usage != (llm.Usage{}) {
		a.emit(llm.Event{Kind: llm.EventUsage, Usage: a.usage})
	}
	switch a.state.status {
	case "queued", "in_progress":
	case "incomplete":
		a.emit(llm.Event{Kind: llm.EventFinish, Reason: incomplete(a.state.reason)})
	default:
		reason := llm.FinishStop
		if a.calls > 0 {
			reason = llm.FinishToolCalls
		}
		a.emit(llm.Event{Kind: llm.EventFinish, Reason: reason})
	}
	a.over = true
	a.emit(llm.Event{Kind: llm.EventEnd})
}

func incomplete(reason string) llm.FinishReason {
	switch reason {
	case "max_output_tokens":
		return llm.FinishLength
	case "content_filter":
		return llm.FinishContentFilter
	}
	return llm.FinishPause // steered, or after so many messages: the client may go on
}

func (a *answer) fail() {
	a.over = true
	e := a.fault.Error(0)
	e.Type = "" // the name of the event
	a.emit(llm.Event{Kind: llm.EventError, Err: e})
}

// say emits text of a part of an item: a piece of it, or the whole, which says
// nothing new if pieces came before.
func (a *answer) say(it *item, p part, text string, whole bool) {
	if text == "" || !it.note(p, a.chars) && whole {
		return
	}
	if p.kind == llm.EventToolArgs {
		a.emit(llm.Event{Kind: p.kind, Tool: it.call, Text: text})
		return
	}
	if a.block.item == it && a.block.part != p && p.kind == llm.EventReasoning {
		a.emit(llm.Event{Kind: p.kind, Text: paragraph})
	} else if a.block.item != it || a.block.part != p {
		a.close()
	}
	if a.block = (block{it, p}); p.kind == llm.EventText {
		a.chars += dialect.Chars(text)
	}
	a.emit(llm.Event{Kind: p.kind, Text: text})
}

// close ends the open block.
func (a *answer) close() {
	if a.block.item != nil {
		a.emit(llm.Event{Kind: llm.EventBlockEnd})
		a.block = block{}
	}
}

// keep reads a string unless there is one already.
func keep(in *jsonx.Reader, to *string) error {
	if *to != "" || in.Kind() != jsonx.String {
		_, err := in.Skip()
		return err
	}
	s, err := in.String()
	*to = s
	return err
}

// natural reads a number that is not negative; some providers write fractions.
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
	if f, err := strconv.ParseFloat(text, 64); err == nil && 0 <= f && f < maxCount {
		*to = int64(f)
	}
	return nil
}

// maxCount bounds a number, so that sums of them stay numbers.
const maxCount = 1 << 48

// nameCalls gives ids to the calls that came without one. They are the same for
// every cut of the response, and other than in the turns before.
func (a *answer) nameCalls(events []llm.Event) {
	for i := range events {
		if e := &events[i]; e.Kind == llm.EventToolStart && e.ID == "" {
			e.ID = "call_" + alphanumeric(a.head.ID) + "_" + strconv.Itoa(e.Tool)
		}
	}
}

// alphanumeric is the end of an id without what some providers refuse in ids.
func alphanumeric(id string) string {
	id = strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return -1
	}, id)
	return id[max(0, len(id)-24):]
}
