package anthropic

import (
	"errors"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/dialect/sse"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewDecoder reads a response. The limit is in bytes: of one event of a stream,
// or of a whole unary body.
func (*Dialect) NewDecoder(op llm.Op, mediaType string, limit int) dialect.Decoder {
	d := &decoder{op: op, held: dialect.Whole{Limit: limit}}
	if dialect.Streamed(mediaType) {
		d.stream = dialect.NewStream(limit)
	}
	return d
}

// A decoder reads one response: a stream if it has a Stream.
type decoder struct {
	jsonx.Reader
	op     llm.Op
	stream *dialect.Stream
	held   dialect.Whole // beginning of a unary body
	events []llm.Event

	started, ended bool // of a stream
	usage          usage
	tools          int // tool calls so far
	chars          int // of text so far
	block          openBlock
}

// An openBlock is the block of which deltas may come.
type openBlock struct {
	isTool  bool
	hasArgs bool   // some were said
	input   []byte // a whole input that came with the start
	begin   int    // of its text, in characters
	cites   []*llm.Event
	other   string // its type, if it has no canonical form
	raw     []byte // of which this is the beginning
	args    []byte // and this its input
}

func (d *decoder) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	if d.stream == nil {
		return d.held.Read(llm.Anthropic, chunk, eos, &d.events, d.body)
	}
	return d.stream.Read(llm.Anthropic, chunk, eos, &d.events, func(e sse.Event) error { return d.event(e.Data) })
}

var errShape = errors.New("not of the dialect")

func (d *decoder) body(body []byte) error {
	d.Reset(body)
	var err error
	switch tag := string(d.Tag("type")); {
	case tag == "message":
		if err = d.message(true); err == nil {
			d.emit(llm.Event{Kind: llm.EventEnd})
		}
	case d.op == llm.OpCountTokens && tag == "":
		err = d.count()
	default:
		err = d.failure(body)
	}
	if err != nil {
		return err
	}
	return d.End()
}

// emit appends an event. Nothing comes behind the last one.
func (d *decoder) emit(e llm.Event) {
	if !d.ended {
		d.events = append(d.events, e)
	}
	d.ended = d.ended || e.Kind == llm.EventEnd || e.Kind == llm.EventError
}

// count reads the answer of count_tokens.
func (d *decoder) count() error {
	found := false
	err := d.Object(func(name []byte) error {
		if string(name) == "input_tokens" && d.Kind() == jsonx.Number {
			found = true
			return d.Count(&d.usage.input)
		}
		_, err := d.Skip()
		return err
	})
	if err == nil && !found {
		err = errShape
	}
	if err == nil {
		d.emit(llm.Event{Kind: llm.EventUsage, Usage: d.usage.total()})
		d.emit(llm.Event{Kind: llm.EventEnd})
	}
	return err
}

// failure reads an error that came as an answer.
func (d *decoder) failure(body []byte) error {
	if _, err := d.Skip(); err != nil {
		return err
	}
	typ, message := errorBody(body)
	if typ == "" && message == "" {
		return errShape
	}
	d.emit(llm.Event{Kind: llm.EventError, Err: newError(0, typ, message)})
	return nil
}

// messageStart reads the beginning of the message. A second one would take back
// what has been said, which no client expects.
func (d *decoder) messageStart() error {
	if d.started {
		_, err := d.Skip()
		d.emit(llm.Event{Kind: llm.EventError, Err: newError(502, "api_error", "the provider began a second message")})
		return err
	}
	d.started = true
	return d.member("message", func() error { return d.message(false) })
}

// event reads the data of one event of a stream. Kinds that are not known say
// nothing.
func (d *decoder) event(data []byte) error {
	switch {
	case data == nil: // a comment
		d.emit(llm.Event{Kind: llm.EventPing})
		return nil
	case len(data) == 0, d.ended, string(data) == "[DONE]":
		return nil
	}
	d.Reset(data)
	var err error
	switch tag := d.Tag("type"); string(tag) {
	case "content_block_delta":
		err = d.member("delta", d.delta)
	case "content_block_start":
		err = d.member("content_block", d.contentBlock)
	case "content_block_stop":
		_, err = d.Skip()
		d.endBlock()
	case "message_start":
		err = d.messageStart()
	case "message_delta":
		err = d.messageDelta()
	case "message_stop":
		_, err = d.Skip()
		d.emit(llm.Event{Kind: llm.EventEnd})
	case "ping":
		_, err = d.Skip()
		d.emit(llm.Event{Kind: llm.EventPing})
	case "error", "":
		if err = d.failure(data); errors.Is(err, errShape) {
			err = nil
		}
	default:
		_, err = d.Skip()
	}
	if err != nil {
		return err
	}
	return d.End()
}

// member reads one member of the object that comes next, if it is an object,
// and skips the others.
func (d *decoder) member(want string, read func() error) error {
	return d.Object(func(name []byte) error {
		if string(name) == want && d.Kind() == jsonx.Object {
			return read()
		}
		_, err := d.Skip()
		return err
	})
}

// str reads a string; what is none is skipped and empty.
func (d *decoder) str(into *string) (err error) {
	if d.Kind() == jsonx.String {
		*into, err = d.String()
		return err
	}
	_, err = d.Skip()
	return err
}
