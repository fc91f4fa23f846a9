package bedrock

import (
	"errors"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/dialect/exception"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewDecoder reads a response. The limit is in bytes: of one message of a
// stream, or of a whole unary body.
func (*Dialect) NewDecoder(op llm.Op, mediaType string, limit int) dialect.Decoder {
	if op == llm.OpCountTokens {
		return dialect.CountDecoder(llm.Bedrock, "inputTokens", limit)
	}
	d := &decoder{held: dialect.Whole{Limit: limit}}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(mediaType)), eventstream.MediaType) {
		d.stream = eventstream.New(limit)
	}
	return d
}

// A decoder reads one response: a stream if it has a splitter.
type decoder struct {
	jsonx.Reader
	stream *eventstream.Splitter
	held   dialect.Whole // beginning of a unary body
	frames []dialect.Frame
	events []llm.Event

	started, stopped, ended bool
	failed                  *llm.Error // what the stop reason says; told behind the usage
	tools                   int        // tool calls so far
	chars                   int        // of text so far
	data                    []byte     // of a whole response
	openBlock
}

// An openBlock is the block of which deltas may come.
type openBlock struct {
	isTool, hasArgs bool
	begin           int // of its text, in characters
	cites           []*llm.Event
	other           string // its type, if it has no canonical form
	raw             []byte // the block, where it came as a whole
}

func (d *decoder) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	d.frames, d.events = d.frames[:0], d.events[:0]
	if d.stream == nil {
		return d.held.Read(llm.Bedrock, chunk, eos, &d.events, d.whole)
	}
	err := d.stream.Split(chunk, d.frame)
	switch {
	case errors.Is(err, eventstream.ErrTooLong):
		return d.frames, dialect.TooLarge()
	case err != nil:
		return d.frames, notOurs()
	}
	if eos {
		d.eos()
	}
	return d.frames, nil
}

// eos ends a stream. The message stop is its end although the counts, which
// come behind it, are missing. Half a message is dropped: behind it no client
// could read the error that follows.
func (d *decoder) eos() {
	if !d.stopped || d.ended || d.stream.Held() > 0 {
		return
	}
	first := len(d.events)
	d.end()
	d.frames = append(d.frames, dialect.Frame{Events: d.events[first:]})
}

// frame reads one message of a stream. Kinds that are not known say nothing.
func (d *decoder) frame(m *eventstream.Message) error {
	first := len(d.events)
	if !d.ended {
		if err := d.message(m); err != nil {
			return err
		}
	}
	d.frames = append(d.frames, dialect.Frame{Raw: m.Raw, Events: d.events[first:len(d.events):len(d.events)]})
	return nil
}

func (d *decoder) message(m *eventstream.Message) (err error) {
	if e := exception.Of(m); e != nil {
		d.emit(llm.Event{Kind: llm.EventError, Err: e})
		return nil
	}
	if string(m.Text(":message-type")) != "event" {
		return nil
	}
	d.Reset(m.Payload)
	switch string(m.Text(":event-type")) {
	case "contentBlockDelta":
		err = d.member("delta", d.delta)
	case "contentBlockStart":
		d.openBlock = openBlock{begin: d.chars}
		err = d.member("start", d.blockStart)
	case "contentBlockStop":
		_, err = d.Skip()
		d.endBlock()
	case "messageStart":
		_, err = d.Skip()
		d.start()
	case "messageStop":
		err = d.stop()
	case "metadata":
		err = d.metadata()
	default:
		return nil
	}
	if err == nil {
		err = d.End()
	}
	return err
}

// emit appends an event. Nothing comes behind the last one.
func (d *decoder) emit(e llm.Event) {
	if !d.ended {
		d.events = append(d.events, e)
	}
	d.ended = d.ended || e.Kind == llm.EventEnd || e.Kind == llm.EventError
}

func (d *decoder) start() {
	if !d.started {
		d.started = true
		d.emit(llm.Event{Kind: llm.EventStart})
	}
}

// end ends the response: well, or with what its stop reason has said.
func (d *decoder) end() {
	if d.failed != nil {
		d.emit(llm.Event{Kind: llm.EventError, Err: d.failed})
		return
	}
	d.emit(llm.Event{Kind: llm.EventEnd})
}

// whole reads a unary body.
func (d *decoder) whole(body []byte) error {
	d.Reset(body)
	d.data = body
	return d.answer(body)
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
