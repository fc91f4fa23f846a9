package responses

import (
	"bytes"
	"errors"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/dialect/sse"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewDecoder reads one response. limit bounds one event of a stream, or the
// whole of a unary body, in bytes.
func (d *Dialect) NewDecoder(op llm.Op, mediaType string, limit int) dialect.Decoder {
	if op == llm.OpCountTokens {
		return dialect.CountDecoder(llm.Responses, "input_tokens", limit)
	}
	a := &answer{in: jsonx.NewReader(nil)}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(mediaType)), "text/event-stream") {
		return &stream{answer: a, split: sse.New(limit)}
	}
	return &unary{answer: a, body: dialect.Whole{Limit: limit}}
}

// notOurs is the error of a body that is not of the dialect.
func notOurs() error { return dialect.NotValid(llm.Responses) }

// unary reads a response that is one JSON text.
type unary struct {
	*answer
	body dialect.Whole
}

// Decode keeps the chunks until the last one makes the body whole.
func (u *unary) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	body, err := u.body.Add(chunk, eos)
	if err != nil || !eos {
		return nil, err
	}
	frames := []dialect.Frame{{Raw: body}}
	if err := u.whole(body); err != nil {
		return frames, notOurs()
	}
	frames[0].Events = u.events
	return frames, nil
}

// stream reads a response in server-sent events.
type stream struct {
	*answer
	split  *sse.Splitter
	frames []dialect.Frame
}

// Decode returns one frame for each event. Only an event that ends the response
// makes an EventEnd.
func (s *stream) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	s.frames, s.events = s.frames[:0], s.events[:0]
	err := s.split.Split(chunk, eos, func(e sse.Event) error {
		from := len(s.events)
		err := s.frame(e)
		s.frames = append(s.frames, dialect.Frame{Raw: e.Raw, Events: s.events[from:len(s.events):len(s.events)]})
		return err
	})
	switch {
	case errors.Is(err, sse.ErrTooLong):
		return s.frames, dialect.TooLarge()
	case err != nil:
		return s.frames, notOurs()
	}
	return s.frames, nil
}

func (s *stream) frame(e sse.Event) error {
	if s.over {
		return nil
	}
	from := len(s.events)
	var err error
	if data := bytes.TrimSpace(e.Data); len(data) == 0 {
		s.emit(llm.Event{Kind: llm.EventPing}) // a comment
	} else if string(data) != "[DONE]" {
		err = s.event(data)
	}
	if err != nil {
		s.events = s.events[:from]
		if !bytes.HasSuffix(e.Raw, []byte("\n")) && !bytes.HasSuffix(e.Raw, []byte("\r")) {
			return nil // the stream was cut inside this line
		}
		return err
	}
	return nil
}
