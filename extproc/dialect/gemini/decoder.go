package gemini

import (
	"bytes"
	"errors"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/dialect/sse"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewDecoder reads a response. The limit is in bytes: of one event of a stream,
// or of a whole body. A stream without alt=sse is a body that is an array.
func (*Dialect) NewDecoder(op llm.Op, mediaType string, limit int) dialect.Decoder {
	d := &decoder{answer: answer{in: jsonx.NewReader(nil), op: op}, held: dialect.Whole{Limit: limit}}
	if dialect.Streamed(mediaType) {
		d.stream = dialect.NewStream(limit)
	}
	return d
}

// A decoder reads one response: a stream if it has a Stream.
type decoder struct {
	answer
	stream *dialect.Stream
	held   dialect.Whole // beginning of a body
}

func (d *decoder) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	if d.stream == nil {
		return d.held.Read(llm.Gemini, chunk, eos, &d.events, d.body)
	}
	frames, err := d.stream.Read(llm.Gemini, chunk, eos, &d.events, d.event)
	if err == nil && eos && d.finished() { // the API has no other end of a stream
		first := len(d.events)
		d.emit(llm.Event{Kind: llm.EventEnd})
		frames = append(frames, dialect.Frame{Events: d.events[first:]})
	}
	return frames, err
}

func (d *decoder) event(e sse.Event) error {
	data := bytes.TrimSpace(e.Data)
	switch {
	case d.over || string(data) == "[DONE]":
		return nil
	case len(data) == 0:
		d.emit(llm.Event{Kind: llm.EventPing})
		return nil
	}
	return d.object(data)
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
