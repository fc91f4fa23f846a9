package anthropic

import (
	"bytes"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// usage holds the counts as the wire has them: input without cached tokens.
type usage struct {
	input, cacheRead, cacheWrite, cacheWriteHour, output, thinking int64
}

func (u usage) total() llm.Usage {
	return llm.Usage{
		Input:          u.input + u.cacheRead + u.cacheWrite,
		CacheRead:      u.cacheRead,
		CacheWrite:     u.cacheWrite,
		CacheWriteHour: u.cacheWriteHour,
		Output:         u.output,
		Reasoning:      u.thinking,
	}
}

// message reads a message: a whole one, or the beginning of a streamed one.
// Its members come in any order, its events in the canonical one.
func (d *decoder) message(whole bool) error {
	start := len(d.events)
	d.emit(llm.Event{Kind: llm.EventStart})
	var id, model string
	var stop ending
	hasContent, hasUsage := false, false
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			return d.str(&id)
		case "model":
			return d.str(&model)
		case "content":
			if d.Kind() == jsonx.Array {
				hasContent = true
				return d.content()
			}
		case "usage":
			if d.Kind() == jsonx.Object {
				hasUsage = true
				return d.readUsage()
			}
		}
		return d.ending(&stop, string(name))
	})
	if err != nil {
		return err
	}
	if whole && !hasContent {
		return errShape
	}
	total := d.usage.total()
	d.events[start].ID, d.events[start].Model, d.events[start].Usage = id, model, total
	if hasUsage {
		d.emit(llm.Event{Kind: llm.EventUsage, Usage: total})
	}
	d.finish(stop)
	return nil
}

// An ending is why a message stopped.
type ending struct{ reason, sequence, explanation string }

// ending reads a member that may say so.
func (d *decoder) ending(e *ending, name string) error {
	switch name {
	case "stop_reason":
		return d.str(&e.reason)
	case "stop_sequence":
		return d.str(&e.sequence)
	case "stop_details":
		if d.Kind() == jsonx.Object {
			return d.Object(func(name []byte) error {
				if string(name) == "explanation" {
					return d.str(&e.explanation)
				}
				_, err := d.Skip()
				return err
			})
		}
	}
	_, err := d.Skip()
	return err
}

func (d *decoder) finish(e ending) {
	if e.reason == "" {
		return
	}
	reason, ok := reasonOf[e.reason]
	if !ok {
		reason = llm.FinishStop
	}
	d.emit(llm.Event{Kind: llm.EventFinish, Reason: reason, Stop: e.sequence, Text: e.explanation})
}

func (d *decoder) content() error {
	return d.Array(func(int) error {
		if d.Kind() != jsonx.Object {
			_, err := d.Skip()
			return err
		}
		err := d.contentBlock()
		d.endBlock()
		return err
	})
}

// written are the blocks of answers that have a canonical form.
var written = map[string]bool{"text": true, "thinking": true, "redacted_thinking": true, "tool_use": true}

// contentBlock reads a block, or the beginning of a streamed one, which is a
// block that is still empty.
func (d *decoder) contentBlock() error {
	tag := string(d.Tag("type"))
	d.block = openBlock{begin: d.chars}
	if !written[tag] {
		raw, err := d.Raw()
		d.block.other, d.block.raw = tag, bytes.Clone(raw)
		return err
	}
	var b struct{ text, thinking, signature, data, id, name string }
	var input []byte
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "text":
			return d.str(&b.text)
		case "thinking":
			return d.str(&b.thinking)
		case "signature":
			return d.str(&b.signature)
		case "data":
			return d.str(&b.data)
		case "id":
			return d.str(&b.id)
		case "name":
			return d.str(&b.name)
		case "input":
			input, err = d.Raw()
			return err
		case "citations":
			if d.Kind() == jsonx.Array {
				return d.Array(func(int) error { return d.citation() })
			}
		}
		_, err = d.Skip()
		return err
	})
	if err != nil {
		return err
	}
	switch tag {
	case "text":
		d.say(llm.EventText, b.text)
	case "thinking":
		d.say(llm.EventReasoning, b.thinking)
		d.say(llm.EventSignature, b.signature)
	case "redacted_thinking":
		d.say(llm.EventRedacted, b.data)
	case "tool_use":
		d.emit(llm.Event{Kind: llm.EventToolStart, Tool: d.tools, ID: b.id, Name: b.name})
		d.block.isTool, d.block.input = true, bytes.Clone(input)
		d.tools++
	}
	return nil
}

// say emits text unless it is empty.
func (d *decoder) say(kind llm.Kind, text string) {
	if text == "" {
		return
	}
	if kind == llm.EventText {
		d.chars += dialect.Chars(text)
	}
	d.emit(llm.Event{Kind: kind, Text: text})
}

// endBlock ends the open block. A call without arguments has empty ones. What is
// cited is cited for all of the block's text.
func (d *decoder) endBlock() {
	for _, e := range d.block.cites {
		e.Citation.Start, e.Citation.End = d.block.begin, d.chars
		d.emit(*e)
	}
	if d.block.other != "" {
		d.emit(llm.Event{Kind: llm.EventOther, Text: d.block.other, Raw: &llm.Raw{Dialect: llm.Anthropic, JSON: d.block.whole()}})
	}
	if d.block.isTool && !d.block.hasArgs {
		args := "{}"
		if !isNull(d.block.input) {
			args = string(dialect.OneLine(d.block.input))
		}
		d.emit(llm.Event{Kind: llm.EventToolArgs, Tool: d.tools - 1, Text: args})
	}
	d.block = openBlock{}
	d.emit(llm.Event{Kind: llm.EventBlockEnd})
}

// delta reads what a content_block_delta adds to the open block.
func (d *decoder) delta() error {
	var kind llm.Kind
	var field string
	switch string(d.Tag("type")) {
	case "text_delta":
		kind, field = llm.EventText, "text"
	case "thinking_delta":
		kind, field = llm.EventReasoning, "thinking"
	case "signature_delta":
		kind, field = llm.EventSignature, "signature"
	case "input_json_delta":
		kind, field = llm.EventToolArgs, "partial_json"
	case "citations_delta":
		return d.member("citation", d.citation)
	default: // nothing is known of it
		_, err := d.Skip()
		return err
	}
	return d.Object(func(name []byte) error {
		if string(name) != field || d.Kind() != jsonx.String {
			_, err := d.Skip()
			return err
		}
		text, err := d.String()
		if err != nil || text == "" {
			return err
		}
		switch {
		case kind != llm.EventToolArgs:
			d.say(kind, text)
		case d.block.isTool:
			d.block.hasArgs = true
			d.emit(llm.Event{Kind: kind, Tool: d.tools - 1, Text: text})
		case len(d.block.args)+len(text) <= maxInput: // of a tool that the provider runs itself
			d.block.args = append(d.block.args, text...)
		}
		return nil
	})
}

// messageDelta reads how a message ended and what it has used by then.
func (d *decoder) messageDelta() error {
	var stop ending
	hasUsage := false
	err := d.Object(func(name []byte) (err error) {
		switch {
		case string(name) == "delta" && d.Kind() == jsonx.Object:
			err = d.Object(func(name []byte) error { return d.ending(&stop, string(name)) })
		case string(name) == "usage" && d.Kind() == jsonx.Object:
			hasUsage = true
			err = d.readUsage()
		default:
			_, err = d.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if hasUsage {
		d.emit(llm.Event{Kind: llm.EventUsage, Usage: d.usage.total()})
	}
	d.finish(stop)
	return nil
}

// readUsage reads counts. They are totals, so a later one replaces an earlier
// one; a stream need not repeat those that stay.
func (d *decoder) readUsage() error {
	return d.Object(func(name []byte) error {
		switch string(name) {
		case "input_tokens":
			return d.Count(&d.usage.input)
		case "output_tokens":
			return d.Count(&d.usage.output)
		case "cache_read_input_tokens":
			return d.Count(&d.usage.cacheRead)
		case "cache_creation_input_tokens":
			return d.Count(&d.usage.cacheWrite)
		case "cache_creation":
			return d.detail("ephemeral_1h_input_tokens", &d.usage.cacheWriteHour)
		case "output_tokens_details":
			return d.detail("thinking_tokens", &d.usage.thinking)
		}
		_, err := d.Skip()
		return err
	})
}

func (d *decoder) detail(want string, into *int64) error {
	if d.Kind() != jsonx.Object {
		_, err := d.Skip()
		return err
	}
	return d.Object(func(name []byte) error {
		if string(name) == want {
			return d.Count(into)
		}
		_, err := d.Skip()
		return err
	})
}
