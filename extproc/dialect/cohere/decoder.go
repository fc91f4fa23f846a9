package cohere

import (
	"github.com/attache-gateway/attache/extproc/dialect"
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
	answer
	op     llm.Op
	stream *dialect.Stream
	held   dialect.Whole // beginning of a unary body
}

func (d *decoder) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	if d.stream == nil {
		return d.held.Read(llm.Cohere, chunk, eos, &d.events, d.body)
	}
	return d.stream.Read(llm.Cohere, chunk, eos, &d.events, func(e sse.Event) error { return d.event(e.Data) })
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
