package openai

import (
	"bytes"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/dialect/sse"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewDecoder reads one response. limit bounds one event of a stream, or the
// whole of a unary body, in bytes.
func (d *Dialect) NewDecoder(op llm.Op, mediaType string, limit int) dialect.Decoder {
	a := &answer{in: jsonx.NewReader(nil), embeddings: op == llm.OpEmbeddings}
	if dialect.Streamed(mediaType) {
		return &stream{a, dialect.NewStream(limit), false}
	}
	return &unary{a, dialect.Whole{Limit: limit}}
}

// unary reads a response that is one JSON text.
type unary struct {
	*answer
	body dialect.Whole
}

func (u *unary) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	return u.body.Read(llm.OpenAI, chunk, eos, &u.events, u.whole)
}

// stream reads a response in server-sent events.
type stream struct {
	*answer
	split *dialect.Stream
	over  bool // the provider said that it is done, or broken
}

// Decode returns one frame for each event. A stream that ends without [DONE]
// has an EventEnd all the same if the model gave a finish reason.
func (s *stream) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	frames, err := s.split.Read(llm.OpenAI, chunk, eos, &s.events, s.event)
	if err == nil && eos && !s.over && s.finished() {
		from := len(s.events)
		s.end()
		frames = append(frames, dialect.Frame{Events: s.events[from:]})
	}
	return frames, err
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
		s.over = true // whether or not the stream was cut here
		return err
	}
	if n := len(s.events) - from; n == 0 || n == 1 && s.found > 0 && s.events[from].Kind == llm.EventUsage {
		s.emit(llm.Event{Kind: llm.EventPing}) // there was something else than usage
	}
	return nil
}
