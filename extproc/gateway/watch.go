package gateway

import (
	"errors"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A Watch looks at the response of one attempt before anybody else does, so
// that an attempt which turns out to be none can still fall back. Of a stream
// it sees the first content, of a unary response all.
type Watch struct {
	x *Exchange
	n int
	step
	op    llm.Op
	limit int
	dec   dialect.Decoder
}

// A Ruling is what becomes of a response that is watched.
type Ruling struct {
	Hold bool       // wait for more
	Fail *llm.Error // the attempt failed; nil and no Hold: let it through
}

// Head looks at the headers. Envoy judges responses with an error status
// itself, so they are let through.
func (w *Watch) Head(status int, head []llm.Header) Ruling {
	if status < 200 || status >= 300 {
		w.note(func() { w.x.answered(status, head) })
		return Ruling{}
	}
	media := mediaType(head)
	if media != "application/json" && !streaming(media) {
		return w.fail(notADialect())
	}
	w.dec = w.target.wire.NewDecoder(w.op, media, w.limit)
	if e := value(head, "content-encoding"); e != "" && e != "identity" {
		w.dec = &unzip{Decoder: w.dec, body: dialect.Whole{Limit: w.limit}}
	}
	return Ruling{Hold: true}
}

// Chunk looks at the next bytes of the body.
func (w *Watch) Chunk(p []byte, eos bool) Ruling {
	frames, err := w.dec.Decode(p, eos)
	for _, f := range frames {
		for _, ev := range f.Events {
			switch {
			case ev.Kind == llm.EventError:
				return w.fail(ev.Err)
			case ev.Kind == llm.EventFinish, ev.Kind == llm.EventEnd, ev.Kind.Content():
				w.note(w.x.succeeded)
				return Ruling{}
			}
		}
	}
	if err != nil {
		e := notADialect()
		errors.As(err, &e)
		return w.fail(e)
	}
	if eos {
		return w.fail(notADialect())
	}
	return Ruling{Hold: true}
}

func (w *Watch) fail(e *llm.Error) Ruling {
	if failing(e.Status) {
		w.note(func() { w.x.failed(0) })
	}
	return Ruling{Fail: e}
}

// Error is the body of a failed attempt, in the provider's dialect, as which
// the downstream side will read it.
func (w *Watch) Error(e *llm.Error) []byte { return w.target.wire.EncodeError(e) }

func notADialect() *llm.Error {
	return &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider's response is not one of its API"}
}
