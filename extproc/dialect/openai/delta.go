package openai

import (
	"slices"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// delta is what one choice of one object adds to the answer.
type delta struct {
	reasoning string      // reasoning_content, or what stands for it
	blocks    []llm.Event // of thinking_blocks
	text      bool        // of which some have text
	details   []llm.Event // signatures of reasoning_details
	content   []llm.Event
	calls     []call
	more      []llm.Event // sources, media, and what has no canonical form
	logprobs  []llm.Logprob
	finish    string
}

func (d *delta) reset() {
	*d = delta{blocks: d.blocks[:0], content: d.content[:0], calls: d.calls[:0], more: d.more[:0], logprobs: d.logprobs[:0], details: d.details[:0]}
}

// call is what a delta says of one tool call.
type call struct {
	index    int64 // as the provider counts; -1: it does not
	id, name string
	args     string

	signature string // of the reasoning behind it, in canonical form
}

// choice is what is known of one of several answers.
type choice struct {
	index    int
	calls    []*begunCall
	thinking bool // reasoning is out whose signature is not
	done     bool // EventFinish is out
}

// begunCall is a tool call whose pieces come one by one. Its place in
// choice.calls is its canonical ordinal.
type begunCall struct {
	call
	started bool // EventToolStart is out
}

// maxCalls bounds the tool calls of one answer.
const maxCalls = 4096

func (a *answer) deltaMember(name []byte) (err error) {
	if a.in.Null() {
		return nil
	}
	d := &a.delta
	switch string(name) {
	case "content":
		err = a.content()
	case "reasoning_content", "reasoning":
		err = keep(a.in, &d.reasoning)
	case "thinking_blocks":
		err = a.in.Array(func(int) error { return a.thinkingBlock() })
	case "reasoning_details":
		err = a.list(a.detail)
	case "refusal":
		err = a.textEvent(llm.EventRefusal)
	case "tool_calls":
		err = a.in.Array(func(int) error { return a.toolCall() })
	case "function_call", "audio":
		err = a.filled(string(name))
	case "annotations":
		err = a.list(a.annotation)
	case "images":
		err = a.list(a.image)
	default:
		_, err = a.in.Skip()
	}
	return err
}

func (a *answer) textEvent(kind llm.Kind) error {
	text, err := a.in.String()
	if text != "" {
		a.delta.content = append(a.delta.content, llm.Event{Kind: kind, Text: text})
	}
	return err
}

// content reads a text, or Mistral's list of parts.
func (a *answer) content() error {
	if a.in.Kind() == jsonx.String {
		return a.textEvent(llm.EventText)
	}
	return a.in.Array(func(int) error {
		kind := string(a.in.Tag("type"))
		if kind != "text" && kind != "thinking" {
			return a.other(kind, "content[]")
		}
		return a.in.Object(func(name []byte) error {
			switch string(name) {
			case "text":
				return a.textEvent(llm.EventText)
			case "thinking":
				return a.thoughts()
			}
			_, err := a.in.Skip()
			return err
		})
	})
}

func (a *answer) thoughts() error {
	if a.in.Kind() == jsonx.String {
		return a.textEvent(llm.EventReasoning)
	}
	return a.in.Array(func(int) error {
		return a.in.Object(func(name []byte) error {
			if string(name) == "text" {
				return a.textEvent(llm.EventReasoning)
			}
			_, err := a.in.Skip()
			return err
		})
	})
}

func (a *answer) thinkingBlock() error {
	var thinking, signature, data string
	err := a.in.Object(func(name []byte) error {
		switch string(name) {
		case "thinking":
			return keep(a.in, &thinking)
		case "signature":
			return keep(a.in, &signature)
		case "data":
			return keep(a.in, &data)
		}
		_, err := a.in.Skip()
		return err
	})
	d := &a.delta
	add := func(kind llm.Kind, text string) {
		if text != "" {
			d.blocks = append(d.blocks, llm.Event{Kind: kind, Text: text})
		}
	}
	add(llm.EventReasoning, thinking)
	add(llm.EventSignature, signature)
	add(llm.EventRedacted, data)
	if signature != "" || data != "" {
		d.blocks = append(d.blocks, llm.Event{Kind: llm.EventBlockEnd})
	}
	d.text = d.text || thinking != ""
	return err
}

func (a *answer) toolCall() error {
	if kind := a.in.Tag("type"); len(kind) > 0 && string(kind) != "function" {
		return a.other(string(kind), "tool_calls[]")
	}
	c := call{index: -1}
	err := a.in.Object(func(name []byte) error {
		switch string(name) {
		case "index":
			return natural(a.in, &c.index)
		case "id":
			return keep(a.in, &c.id)
		case "extra_content":
			var err error
			c.signature, err = readSignature(a.in)
			return err
		case "function":
			if !a.in.Null() {
				return a.in.Object(func(name []byte) error { return a.function(&c, name) })
			}
			return nil
		}
		_, err := a.in.Skip()
		return err
	})
	a.delta.calls = append(a.delta.calls, c)
	return err
}

// function reads a name and arguments, which are a string or, from some
// servers, the object itself.
func (a *answer) function(c *call, name []byte) error {
	switch {
	case string(name) == "name":
		return keep(a.in, &c.name)
	case string(name) == "arguments" && a.in.Kind() == jsonx.String:
		return keep(a.in, &c.args)
	case string(name) == "arguments" && a.in.Kind() == jsonx.Object:
		raw, err := a.in.Raw()
		c.args = string(raw)
		return err
	}
	_, err := a.in.Skip()
	return err
}

// deliver emits what the delta says, in the order in which a model writes.
func (a *answer) deliver(c *choice) error {
	d := &a.delta
	if d.reasoning != "" && !d.text {
		a.emit(llm.Event{Kind: llm.EventReasoning, Choice: c.index, Text: d.reasoning})
		c.thinking = true
	}
	for i, e := range d.blocks {
		if e.Kind == llm.EventReasoning && c.thinking && i+1 < len(d.blocks) && d.blocks[i+1].Kind == llm.EventSignature {
			continue // the signature repeats the text that came before it
		}
		e.Choice = c.index
		a.emit(e)
		c.thinking = e.Kind == llm.EventReasoning
	}
	if rest := d.unsigned(); rest != "" {
		a.emit(llm.Event{Kind: llm.EventReasoning, Choice: c.index, Text: rest})
		c.thinking = true
	}
	for _, e := range d.details {
		e.Choice = c.index
		a.emit(e)
		c.thinking = false
	}
	for _, e := range d.content {
		e.Choice = c.index
		a.emit(e)
	}
	before := len(c.calls)
	for _, piece := range d.calls {
		if err := a.piece(c, piece, before); err != nil {
			return err
		}
	}
	for _, e := range d.more {
		e.Choice = c.index
		a.emit(e)
	}
	if len(d.logprobs) > 0 {
		a.emit(llm.Event{Kind: llm.EventLogprobs, Choice: c.index, Logprobs: &llm.Logprobs{Tokens: slices.Clone(d.logprobs)}})
	}
	switch strings.ToLower(d.finish) {
	case "":
	case "error", "insufficient_system_resource":
		a.fault.Found = true
	default:
		a.finish(c, d.finish)
	}
	return nil
}

// unsigned is the reasoning behind that of the blocks, if these have text at all
// and the text of both agrees.
func (d *delta) unsigned() string {
	if !d.text {
		return ""
	}
	rest, same := d.reasoning, true
	for _, e := range d.blocks {
		if e.Kind == llm.EventReasoning && same {
			rest, same = strings.CutPrefix(rest, e.Text)
		}
	}
	if !same {
		return ""
	}
	return rest
}

// piece emits what a delta says of a tool call. before is how many calls there
// were when the delta began.
func (a *answer) piece(c *choice, p call, before int) error {
	n := c.ordinal(p, before)
	if n < 0 {
		if n = len(c.calls); n == maxCalls {
			return a.in.Fail("has too many tool calls")
		}
		c.calls = append(c.calls, &begunCall{call: call{index: p.index, id: p.id, name: p.name}})
	}
	b := c.calls[n]
	if b.id == "" && !b.started {
		b.id = p.id
	}
	if b.name == "" {
		b.name = p.name
	}
	if !b.started && (b.name != "" || p.args != "") {
		b.started = true
		a.emit(llm.Event{Kind: llm.EventToolStart, Choice: c.index, Tool: n, ID: b.id, Name: b.name, Signature: p.signature})
	}
	if p.args != "" {
		a.emit(llm.Event{Kind: llm.EventToolArgs, Choice: c.index, Tool: n, Text: p.args})
	}
	return nil
}

// ordinal finds the call that a piece belongs to, -1 if it begins a new one.
// Servers leave out the index or the id, or give every call the same. Two calls
// that one delta names are two.
func (c *choice) ordinal(p call, before int) int {
	last := len(c.calls) - 1
	for n := last; n >= 0; n-- {
		b := c.calls[n]
		switch {
		case n >= before && p.name != "":
		case p.index >= 0 && b.index != p.index:
		case p.id != "" && b.id != "" && p.id != b.id && (p.name != "" || p.index < 0):
		case p.index < 0 && p.id == "" && p.name != "":
		default:
			return n
		}
	}
	return -1
}

// nameCalls gives ids to the calls that came without one. They are the same for
// every cut of the response, and other than in the turns before.
func (a *answer) nameCalls(events []llm.Event) {
	for i := range events {
		if e := &events[i]; e.Kind == llm.EventToolStart && e.ID == "" {
			e.ID = "call_" + alphanumeric(a.head.ID) + "_" + strconv.Itoa(e.Choice) + "_" + strconv.Itoa(e.Tool)
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
