package cohere

import (
	"errors"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/sse"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewDecoder reads a response. The limit is in bytes: of one event of a stream,
// or of a whole unary body.
func (*Dialect) NewDecoder(op llm.Op, mediaType string, limit int) dialect.Decoder {
	d := &decoder{op: op, held: dialect.Whole{Limit: limit}}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(mediaType)), "text/event-stream") {
		d.stream = sse.New(limit)
	}
	return d
}

// A decoder reads one response: a stream if it has a splitter.
type decoder struct {
	answer
	op     llm.Op
	stream *sse.Splitter
	held   dialect.Whole // beginning of a unary body
	frames []dialect.Frame
}

func (d *decoder) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	d.frames, d.events = d.frames[:0], d.events[:0]
	if d.stream == nil {
		return d.unary(chunk, eos)
	}
	err := d.stream.Split(chunk, eos, d.frame)
	switch {
	case errors.Is(err, sse.ErrTooLong):
		return d.frames, dialect.TooLarge()
	case err != nil:
		return d.frames, dialect.NotValid(llm.Cohere)
	}
	return d.frames, nil
}

// frame reads one event of a stream. One that the end of the stream cuts inside
// a line says nothing: that the stream is not complete is found out anyway.
func (d *decoder) frame(ev sse.Event) error {
	first := len(d.events)
	if err := d.event(ev.Data); err != nil {
		if line := ev.Raw[len(ev.Raw)-1]; line == '\n' || line == '\r' {
			return err
		}
		d.events = d.events[:first]
	}
	d.frames = append(d.frames, dialect.Frame{Raw: ev.Raw, Events: d.events[first:len(d.events):len(d.events)]})
	return nil
}

// unary waits for the whole body, which becomes one frame.
func (d *decoder) unary(chunk []byte, eos bool) ([]dialect.Frame, error) {
	body, err := d.held.Add(chunk, eos)
	if err != nil || !eos {
		return nil, err
	}
	if err := d.body(body); err != nil {
		return nil, dialect.NotValid(llm.Cohere)
	}
	d.frames = append(d.frames, dialect.Frame{Raw: body, Events: d.events})
	return d.frames, nil
}

func (d *decoder) body(body []byte) error {
	d.Reset(body)
	if _, err := d.Skip(); err != nil {
		return err
	}
	if err := d.End(); err != nil {
		return err
	}
	d.Reset(body)
	if d.op == llm.OpEmbeddings {
		return d.vectors(body)
	}
	return d.whole(body)
}
