package openai

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
	a := &answer{in: jsonx.NewReader(nil), embeddings: op == llm.OpEmbeddings}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(mediaType)), "text/event-stream") {
		return &stream{answer: a, split: sse.New(limit)}
	}
	return &unary{answer: a, body: dialect.Whole{Limit: limit}}
}

// notOurs is the error of a body that is not of the dialect.
func notOurs() error { return dialect.NotValid(llm.OpenAI) }

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
	over   bool // the provider said that it is done, or broken
}

// Decode returns one frame for each event. A stream that ends without [DONE]
// has an EventEnd all the same if the model gave a finish reason.
func (s *stream) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	s.frames, s.events = s.frames[:0], s.events[:0]
	err := s.split.Split(chunk, eos, func(e sse.Event) error {
		from := len(s.events)
		err := s.event(e)
		s.frames = append(s.frames, dialect.Frame{Raw: e.Raw, Events: s.events[from:len(s.events):len(s.events)]})
		return err
	})
	switch {
	case errors.Is(err, sse.ErrTooLong):
		return s.frames, dialect.TooLarge()
	case err != nil:
		return s.frames, notOurs()
	}
	if eos && !s.over && s.finished() {
		from := len(s.events)
		s.end()
		s.frames = append(s.frames, dialect.Frame{Events: s.events[from:]})
	}
	return s.frames, nil
}

func (s *stream) event(e sse.Event) error {
	switch {
	case s.over:
		return nil
	case len(bytes.TrimSpace(e.Data)) == 0:
		s.emit(llm.Event{Kind: llm.EventPing})
		return nil
	case string(bytes.TrimSpace(e.Data)) == "[DONE]":
		s.over = true
		s.end()
		return nil
	}
	from := len(s.events)
	broken, err := s.object(e.Data, string(e.Name) == "error")
	s.over = broken
	if err != nil {
		s.events = s.events[:from]
		return s.cut(e, err)
	}
	if n := len(s.events) - from; n == 0 || n == 1 && s.found > 0 && s.events[from].Kind == llm.EventUsage {
		s.emit(llm.Event{Kind: llm.EventPing}) // there was something else than usage
	}
	return nil
}

// cut forgives an event that the end of the stream cut inside a line. What is
// missing then is the end.
func (s *stream) cut(e sse.Event, err error) error {
	if last := e.Raw[len(e.Raw)-1]; last == '\n' || last == '\r' {
		return err
	}
	s.over = true
	return nil
}
