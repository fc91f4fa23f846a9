package bedrock

import (
	"bytes"
	"errors"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/exception"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

var errShape = errors.New("not of the dialect")

// answer reads a whole response. Its members come in any order, its events in
// the canonical one.
func (d *decoder) answer(body []byte) error {
	var stop ending
	var usage llm.Usage
	hasOutput, hasUsage := false, false
	d.start()
	err := d.Object(func(name []byte) (err error) {
		kind := d.Kind()
		switch {
		case string(name) == "output" && kind == jsonx.Object:
			return d.member("message", func() error {
				return d.Object(func(name []byte) error {
					if string(name) == "content" && d.Kind() == jsonx.Array {
						hasOutput = true
						return d.content()
					}
					_, err := d.Skip()
					return err
				})
			})
		case string(name) == "usage" && kind == jsonx.Object:
			hasUsage = true
			usage, err = d.usage()
			return err
		}
		return d.ending(&stop, string(name))
	})
	if err == nil {
		err = d.End()
	}
	switch {
	case err != nil:
		return err
	case !hasOutput:
		return d.failure(body)
	}
	if hasUsage {
		d.emit(llm.Event{Kind: llm.EventUsage, Usage: usage})
	}
	d.finish(stop)
	d.end()
	return nil
}

// failure reads an error that came as an answer.
func (d *decoder) failure(body []byte) error {
	name, message := exception.Body(body)
	if message == "" {
		return errShape
	}
	d.events = d.events[:0]
	d.emit(llm.Event{Kind: llm.EventError, Err: exception.New(name, message)})
	return nil
}

func (d *decoder) content() error {
	return d.Array(func(int) error {
		if d.Kind() != jsonx.Object {
			_, err := d.Skip()
			return err
		}
		d.openBlock = openBlock{begin: d.chars}
		from := d.Offset()
		err := d.Object(d.block)
		d.raw = d.data[from:d.Offset()]
		d.endBlock()
		return err
	})
}

// block reads the member that a block of a whole response has.
func (d *decoder) block(name []byte) error {
	switch kind := d.Kind(); {
	case string(name) == "text" && kind == jsonx.String:
		return d.say(llm.EventText)
	case string(name) == "type":
	case kind != jsonx.Object:
	case string(name) == "toolUse":
		return d.toolUse()
	case string(name) == "reasoningContent":
		return d.Object(func(name []byte) error {
			if string(name) == "reasoningText" && d.Kind() == jsonx.Object {
				return d.Object(d.reasoning)
			}
			return d.reasoning(name)
		})
	case string(name) == "citationsContent":
		return d.citations()
	case string(name) == "image":
		return d.image()
	default:
		d.other = string(name)
	}
	_, err := d.Skip()
	return err
}

// citations reads the text that was cited. In some answers it stands before, in
// blocks of its own.
func (d *decoder) citations() error {
	return d.Object(func(name []byte) error {
		switch {
		case d.Kind() != jsonx.Array:
			_, err := d.Skip()
			return err
		case string(name) == "citations":
			return d.Array(func(int) error { return d.citation() })
		case string(name) != "content":
			_, err := d.Skip()
			return err
		}
		return d.Array(func(int) error {
			return d.Object(func(name []byte) error {
				if string(name) == "text" && d.Kind() == jsonx.String {
					return d.say(llm.EventText)
				}
				_, err := d.Skip()
				return err
			})
		})
	})
}

// say emits the string that comes next unless it is empty.
func (d *decoder) say(kind llm.Kind) error {
	text, err := d.String()
	if err == nil && text != "" {
		switch kind {
		case llm.EventRedacted:
			text = unwrap(text)
		case llm.EventText:
			d.chars += dialect.Chars(text)
		}
		d.emit(llm.Event{Kind: kind, Text: text})
	}
	return err
}

// reasoning reads a member of reasoning, or of a piece of it.
func (d *decoder) reasoning(name []byte) error {
	if d.Kind() == jsonx.String {
		switch string(name) {
		case "text":
			return d.say(llm.EventReasoning)
		case "signature":
			return d.say(llm.EventSignature)
		case "redactedContent":
			return d.say(llm.EventRedacted)
		}
	}
	_, err := d.Skip()
	return err
}

// toolUse reads a call, or the beginning of one. What the provider runs itself
// is no call for the client.
func (d *decoder) toolUse() error {
	var id, name, kind string
	var input []byte
	err := d.Object(func(member []byte) (err error) {
		switch string(member) {
		case "toolUseId":
			return d.str(&id)
		case "name":
			return d.str(&name)
		case "type":
			return d.str(&kind)
		case "input":
			input, err = d.Raw()
			return err
		}
		_, err = d.Skip()
		return err
	})
	switch {
	case err != nil:
	case kind != "" && kind != "tool_use":
		d.other = kind
	default:
		d.emit(llm.Event{Kind: llm.EventToolStart, Tool: d.tools, ID: id, Name: name})
		d.isTool = true
		d.tools++
		if input != nil {
			d.args(string(dialect.OneLine(input)))
		}
	}
	return err
}

func (d *decoder) args(text string) {
	d.hasArgs = true
	d.emit(llm.Event{Kind: llm.EventToolArgs, Tool: d.tools - 1, Text: text})
}

// endBlock ends the open block. A call without arguments has empty ones.
func (d *decoder) endBlock() {
	if d.isTool && !d.hasArgs {
		d.args("{}")
	}
	for _, e := range d.cites {
		e.Citation.Start, e.Citation.End = d.begin, d.chars
		d.emit(*e)
	}
	if d.other != "" {
		e := llm.Event{Kind: llm.EventOther, Text: d.other}
		if d.raw != nil {
			e.Raw = &llm.Raw{Dialect: llm.Bedrock, JSON: bytes.Clone(d.raw)}
		}
		d.emit(e)
	}
	d.openBlock = openBlock{begin: d.chars}
	d.emit(llm.Event{Kind: llm.EventBlockEnd})
}

// blockStart reads the beginning of a block. Those of text and reasoning have
// none.
func (d *decoder) blockStart() error {
	return d.Object(func(name []byte) error {
		if d.Kind() == jsonx.Object && string(name) == "toolUse" {
			return d.toolUse()
		}
		d.other = string(name)
		_, err := d.Skip()
		return err
	})
}

// delta reads what is added to the open block. What tools of the provider say is
// not passed on.
func (d *decoder) delta() error {
	return d.Object(func(name []byte) error {
		kind := d.Kind()
		switch {
		case string(name) == "text" && kind == jsonx.String:
			return d.say(llm.EventText)
		case string(name) == "reasoningContent" && kind == jsonx.Object:
			return d.Object(d.reasoning)
		case string(name) == "citation" && kind == jsonx.Object:
			return d.citation()
		case string(name) == "toolUse" && kind == jsonx.Object:
			return d.Object(func(name []byte) error {
				if string(name) != "input" || d.Kind() != jsonx.String {
					_, err := d.Skip()
					return err
				}
				text, err := d.String()
				if err == nil && text != "" && d.isTool {
					d.args(text)
				}
				return err
			})
		}
		_, err := d.Skip()
		return err
	})
}

// An ending is why a message stopped.
type ending struct{ reason, sequence string }

// ending reads a member that may say so. The sequence is where the request has
// asked for it: on its own, or in a delta as Anthropic's streams have it.
func (d *decoder) ending(e *ending, name string) error {
	switch {
	case name == "stopReason":
		return d.str(&e.reason)
	case name == "additionalModelResponseFields" && d.Kind() == jsonx.Object:
		return d.Object(func(name []byte) error {
			if string(name) == "delta" && d.Kind() == jsonx.Object {
				return d.Object(func(name []byte) error { return d.sequence(e, name) })
			}
			return d.sequence(e, name)
		})
	}
	_, err := d.Skip()
	return err
}

func (d *decoder) sequence(e *ending, name []byte) error {
	if string(name) == "stop_sequence" {
		return d.str(&e.sequence)
	}
	_, err := d.Skip()
	return err
}

// finish tells why a message stopped. Reasons that say that the model broke
// down are errors.
func (d *decoder) finish(e ending) {
	d.stopped = true
	switch e.reason {
	case "malformed_model_output", "malformed_tool_use":
		d.failed = exception.New("ModelErrorException", "the model's answer was broken: "+e.reason)
		return
	}
	reason, ok := reasonOf[e.reason]
	if !ok {
		reason = llm.FinishStop
	}
	d.emit(llm.Event{Kind: llm.EventFinish, Reason: reason, Stop: e.sequence})
}

// stop reads a messageStop.
func (d *decoder) stop() error {
	var stop ending
	err := d.Object(func(name []byte) error { return d.ending(&stop, string(name)) })
	if err == nil {
		d.finish(stop)
	}
	return err
}

// metadata reads the counts, the last that a stream says.
func (d *decoder) metadata() error {
	err := d.member("usage", func() error {
		u, err := d.usage()
		if err == nil {
			d.emit(llm.Event{Kind: llm.EventUsage, Usage: u})
		}
		return err
	})
	if err == nil && d.stopped {
		d.end()
	}
	return err
}
