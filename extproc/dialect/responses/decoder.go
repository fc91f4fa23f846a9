package responses

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
	if op == llm.OpCountTokens {
		return dialect.CountDecoder(llm.Responses, "input_tokens", limit)
	}
	a := &answer{in: jsonx.NewReader(nil)}
	if dialect.Streamed(mediaType) {
		return &stream{a, dialect.NewStream(limit)}
	}
	return &unary{a, dialect.Whole{Limit: limit}}
}

// unary reads a response that is one JSON text.
type unary struct {
	*answer
	body dialect.Whole
}

func (u *unary) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	return u.body.Read(llm.Responses, chunk, eos, &u.events, u.whole)
}

// stream reads a response in server-sent events.
type stream struct {
	*answer
	split *dialect.Stream
}

// Decode returns one frame for each event. Only an event that ends the response
// makes an EventEnd.
func (s *stream) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	return s.split.Read(llm.Responses, chunk, eos, &s.events, s.frame)
}

func (s *stream) frame(e sse.Event) error {
	data := bytes.TrimSpace(e.Data)
	switch {
	case s.over || string(data) == "[DONE]":
		return nil
	case len(data) == 0:
		s.emit(llm.Event{Kind: llm.EventPing}) // a comment
		return nil
	}
	return s.event(data)
}
