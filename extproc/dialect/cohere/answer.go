package cohere

import (
	"errors"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/fault"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// An answer reads what streams and unary responses have in common.
type answer struct {
	jsonx.Reader
	events []llm.Event

	started, ended bool
	calls          int  // tool calls so far
	hasArgs        bool // of the last call
	index          int64
	texts          map[int64]int // where the text of a content begins, in characters of all text
	chars          int           // of all text so far
	cited          []stretch     // of a unary answer

	finish  string
	failed  string // what a stream says of its own failure
	usage   usage
	counted bool
}

// planText stands for the plan of tool calls among the contents, whose indexes
// begin at 0.
const planText = -1

// maxContents bounds the contents whose places are kept.
const maxContents = 1024

var errShape = errors.New("not of the dialect")

// emit appends an event. Nothing comes behind the last one.
func (a *answer) emit(e llm.Event) {
	if !a.ended {
		a.events = append(a.events, e)
	}
	a.ended = a.ended || e.Kind == llm.EventEnd || e.Kind == llm.EventError
}

func (a *answer) start(id string) {
	if !a.started {
		a.started = true
		a.emit(llm.Event{Kind: llm.EventStart, ID: id})
	}
}

// member reads one member of the object that comes next, if it is one, and
// skips the others. What is no object is skipped.
func (a *answer) member(want string, read func() error) error {
	return a.object(func(name []byte) error {
		if string(name) == want {
			return read()
		}
		_, err := a.Skip()
		return err
	})
}

// object reads an object; what is none is skipped.
func (a *answer) object(read func(name []byte) error) error {
	if a.Kind() == jsonx.Object {
		return a.Object(read)
	}
	_, err := a.Skip()
	return err
}

// array reads a list; what is none is skipped.
func (a *answer) array(read func(i int) error) error {
	if a.Kind() == jsonx.Array {
		return a.Array(read)
	}
	_, err := a.Skip()
	return err
}

// str reads a string; what is none is skipped and empty.
func (a *answer) str(into *string) (err error) {
	if a.Kind() == jsonx.String {
		*into, err = a.String()
		return err
	}
	_, err = a.Skip()
	return err
}

// natural reads a number that counts something; what is none is skipped.
func (a *answer) natural(into *int64) error {
	if a.Kind() != jsonx.Number {
		_, err := a.Skip()
		return err
	}
	f, err := a.Float()
	if f >= 0 && f < 1<<62 {
		*into = int64(f)
	}
	return err
}

// whole reads a unary answer. Its members come in any order, its events in the
// canonical one.
func (a *answer) whole(body []byte) error {
	var id string
	var message, logprobs []byte
	err := a.Object(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			return a.str(&id)
		case "message":
			if a.Kind() == jsonx.Object {
				message, err = a.Raw()
				return err
			}
		case "logprobs":
			logprobs, err = a.Raw()
			return err
		}
		return a.tail(name)
	})
	switch {
	case err != nil:
		return err
	case message == nil:
		return a.failureOf(body)
	}
	a.start(id)
	if err := a.message(message); err != nil {
		return err
	}
	if err := a.logprobs(logprobs); err != nil {
		return err
	}
	a.end()
	return nil
}

// message reads the parts of a message in the order in which they were said.
func (a *answer) message(raw []byte) error {
	for _, part := range [...]struct {
		name string
		read func() error
	}{
		{"citations", func() error { return a.array(a.keep) }}, // they belong into the contents
		{"content", a.contents},
		{"tool_plan", func() error { err := a.said(llm.EventText, planText); a.citeAll(planText); return err }},
		{"tool_calls", func() error { return a.array(func(int) error { err := a.call(); a.endCall(); return err }) }},
	} {
		a.Reset(raw)
		if err := a.member(part.name, part.read); err != nil {
			return err
		}
	}
	return nil
}

// contents reads a list, or the text that compatible servers have.
func (a *answer) contents() error {
	if a.Kind() == jsonx.String {
		return a.wholeContent(0)
	}
	return a.array(a.wholeContent)
}

func (a *answer) keep(int) error {
	s, err := a.citation()
	a.cited = append(a.cited, s)
	return err
}

func (a *answer) wholeContent(i int) error {
	a.index = int64(i)
	err := a.content()
	a.citeAll(a.index)
	a.emit(llm.Event{Kind: llm.EventBlockEnd})
	return err
}

// content reads a content or a piece of one.
func (a *answer) content() error {
	if a.Kind() == jsonx.String {
		return a.said(llm.EventText, a.index)
	}
	return a.object(func(name []byte) error {
		switch string(name) {
		case "text":
			return a.said(llm.EventText, a.index)
		case "thinking":
			return a.said(llm.EventReasoning, a.index)
		}
		_, err := a.Skip()
		return err
	})
}

// said reads a piece of text or reasoning.
func (a *answer) said(kind llm.Kind, index int64) error {
	var text string
	if err := a.str(&text); err != nil || text == "" {
		return err
	}
	if kind == llm.EventText {
		if _, ok := a.texts[index]; !ok && len(a.texts) < maxContents {
			if a.texts == nil {
				a.texts = map[int64]int{}
			}
			a.texts[index] = a.chars
		}
		a.chars += dialect.Chars(text)
	}
	a.emit(llm.Event{Kind: kind, Text: text})
	return nil
}

// call reads the beginning of a tool call, which may be all of it.
func (a *answer) call() error {
	e := llm.Event{Kind: llm.EventToolStart, Tool: a.calls}
	var args string
	err := a.object(func(name []byte) error {
		switch string(name) {
		case "id":
			return a.str(&e.ID)
		case "function":
			return a.object(func(name []byte) error {
				switch string(name) {
				case "name":
					return a.str(&e.Name)
				case "arguments":
					return a.str(&args)
				}
				_, err := a.Skip()
				return err
			})
		}
		_, err := a.Skip()
		return err
	})
	a.calls++
	a.emit(e)
	a.hasArgs = args != ""
	if a.hasArgs {
		a.emit(llm.Event{Kind: llm.EventToolArgs, Tool: e.Tool, Text: args})
	}
	return err
}

// arguments reads a piece of the last call's arguments.
func (a *answer) arguments() error {
	var text string
	if err := a.str(&text); err != nil || text == "" || a.calls == 0 {
		return err
	}
	a.hasArgs = true
	a.emit(llm.Event{Kind: llm.EventToolArgs, Tool: a.calls - 1, Text: text})
	return nil
}

// endCall ends a call. One without arguments has none.
func (a *answer) endCall() {
	if a.calls > 0 && !a.hasArgs {
		a.emit(llm.Event{Kind: llm.EventToolArgs, Tool: a.calls - 1, Text: "{}"})
		a.hasArgs = true
	}
	a.emit(llm.Event{Kind: llm.EventBlockEnd})
}

// failure reads an error that came as an answer.
func (a *answer) failure() error {
	body, err := a.Raw()
	if err != nil {
		return err
	}
	return a.failureOf(body)
}

func (a *answer) failureOf(body []byte) error {
	var message string
	a.Reset(body)
	if err := a.member("message", func() error { return a.str(&message) }); err != nil {
		return err
	}
	if message == "" {
		return errShape
	}
	a.emit(llm.Event{Kind: llm.EventError, Err: fault.Decode(0, body)})
	return nil
}
