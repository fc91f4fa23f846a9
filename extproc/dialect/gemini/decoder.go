package gemini

import (
	"bytes"
	"errors"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/dialect/sse"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewDecoder reads a response. The limit is in bytes: of one event of a stream,
// or of a whole body. A stream without alt=sse is a body that is an array.
func (*Dialect) NewDecoder(op llm.Op, mediaType string, limit int) dialect.Decoder {
	d := &decoder{answer: answer{in: jsonx.NewReader(nil), op: op}, held: dialect.Whole{Limit: limit}}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(mediaType)), "text/event-stream") {
		d.stream = sse.New(limit)
	}
	return d
}

// A decoder reads one response: a stream if it has a splitter.
type decoder struct {
	answer
	stream *sse.Splitter
	held   dialect.Whole // beginning of a body
	frames []dialect.Frame
}

func (d *decoder) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	d.frames, d.events = d.frames[:0], d.events[:0]
	if d.stream == nil {
		return d.whole(chunk, eos)
	}
	err := d.stream.Split(chunk, eos, d.frame)
	switch {
	case errors.Is(err, sse.ErrTooLong):
		return d.frames, dialect.TooLarge()
	case err != nil:
		return d.frames, notOurs()
	}
	if eos && d.finished() { // the API has no other end of a stream
		first := len(d.events)
		d.emit(llm.Event{Kind: llm.EventEnd})
		d.frames = append(d.frames, dialect.Frame{Events: d.events[first:]})
	}
	return d.frames, nil
}

// frame reads one event of a stream. One that the end of the stream cuts inside
// a line says nothing: that the stream is not complete is found out anyway.
func (d *decoder) frame(ev sse.Event) error {
	first := len(d.events)
	data := bytes.TrimSpace(ev.Data)
	switch {
	case d.over || string(data) == "[DONE]":
	case len(data) == 0:
		d.emit(llm.Event{Kind: llm.EventPing})
	default:
		if err := d.object(data); err != nil {
			if last := ev.Raw[len(ev.Raw)-1]; last == '\n' || last == '\r' {
				return err
			}
			d.events = d.events[:first]
		}
	}
	d.frames = append(d.frames, dialect.Frame{Raw: ev.Raw, Events: d.events[first:len(d.events):len(d.events)]})
	return nil
}

// whole waits for the whole body, which becomes one frame.
func (d *decoder) whole(chunk []byte, eos bool) ([]dialect.Frame, error) {
	body, err := d.held.Add(chunk, eos)
	if err != nil || !eos {
		return nil, err
	}
	if err := d.body(body); err != nil {
		return nil, notOurs()
	}
	d.frames = append(d.frames, dialect.Frame{Raw: body, Events: d.events})
	return d.frames, nil
}

// body reads one object or an array of them.
func (d *decoder) body(body []byte) error {
	in := jsonx.NewReader(body)
	if in.Kind() != jsonx.Array {
		if err := d.object(body); err != nil {
			return err
		}
	} else if err := d.array(in); err != nil {
		return err
	}
	if !d.over && !d.said {
		return errShape
	}
	d.end()
	return nil
}

func (d *decoder) array(in *jsonx.Reader) error {
	err := in.Array(func(int) error {
		raw, err := in.Raw()
		if err != nil || d.over {
			return err
		}
		return d.object(raw)
	})
	if err != nil {
		return err
	}
	return in.End()
}

var errShape = errors.New("not of the dialect")
