package gemini

import (
	"crypto/rand"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewEncoder writes the response to r. Official SDKs keep the chunks of a stream
// as the model's turn, and forget a turn of which one chunk has no content or an
// empty text. So every chunk has some, the last one too: a little of the content
// is held back for it. Between chunks nothing may stand, no comment either.
func (d *Dialect) NewEncoder(r *llm.Request) dialect.Encoder {
	w := writer{Report: dialect.Report{API: api}, model: r.Model, usage: llm.Usage{Input: r.InputEstimate}}
	switch {
	case r.Op == llm.OpCountTokens:
		return dialect.CountEncoder("application/json; charset=UTF-8", `{"totalTokens":`, d.EncodeError)
	case r.Op == llm.OpEmbeddings:
		return &vectorEncoder{batch: batched(r)}
	case r.Stream:
		return dialect.Restored(r, &streamEncoder{writer: w, array: r.Array})
	}
	return dialect.Restored(r, &unaryEncoder{writer: w})
}

// A writer is what both forms of a response have in common.
type writer struct {
	dialect.Report
	id, model string
	usage     llm.Usage
	choices   []*choice
	size      int  // bytes of text that wait
	ended     bool // nothing may be written any more
}

// Bounds of what waits: of a unary answer all of it.
const (
	maxWaiting = 64 << 20
	partCost   = 256 // bytes that an empty part counts
)

// take notes an event.
func (w *writer) take(e *llm.Event) error {
	switch e.Kind {
	case llm.EventStart:
		w.begin(e)
	case llm.EventUsage:
		w.usage = e.Usage
	case llm.EventPing, llm.EventVector, llm.EventError, llm.EventEnd:
	default:
		c := w.choice(e.Choice)
		before := len(c.parts)
		if lost := c.beside(e); lost != "" {
			w.Lose(lost)
		}
		c.add(e)
		w.size += len(e.Text) + (len(c.parts)-before)*partCost
	}
	if w.size > maxWaiting || len(w.choices) > maxChoices {
		return dialect.TooLarge()
	}
	return nil
}

func (w *writer) begin(e *llm.Event) {
	if w.id = e.ID; w.id == "" {
		w.id = rand.Text()
	}
	if e.Model != "" {
		w.model = e.Model
	}
	if e.Usage != (llm.Usage{}) {
		w.usage = e.Usage
	}
}

func (w *writer) choice(index int) *choice {
	for _, c := range w.choices {
		if c.index == index {
			return c
		}
	}
	c := &choice{index: index}
	w.choices = append(w.choices, c)
	return c
}

// appendTail writes the members that follow the candidates and closes the
// object.
func (w *writer) appendTail(dst []byte, usage bool) []byte {
	if w.id == "" {
		w.begin(&llm.Event{})
	}
	if usage {
		dst = appendUsage(append(dst, `,"usageMetadata":`...), &w.usage)
	}
	dst = jsonx.AppendString(append(dst, `,"modelVersion":`...), w.model)
	dst = jsonx.AppendString(append(dst, `,"responseId":`...), w.id)
	return append(dst, '}')
}

// appendUsage writes counts as this API has them: thoughts apart from the rest
// of the output.
func appendUsage(dst []byte, u *llm.Usage) []byte {
	field := func(name string, n int64) {
		dst = strconv.AppendInt(append(dst, name...), n, 10)
	}
	field(`{"promptTokenCount":`, u.Input)
	if u.CacheRead > 0 {
		field(`,"cachedContentTokenCount":`, u.CacheRead)
	}
	field(`,"candidatesTokenCount":`, max(0, u.Output-u.Reasoning))
	if u.Reasoning > 0 {
		field(`,"thoughtsTokenCount":`, u.Reasoning)
	}
	field(`,"totalTokenCount":`, u.Total())
	if u.AudioInput > 0 {
		field(`,"promptTokensDetails":[{"modality":"TEXT","tokenCount":`, max(0, u.Input-u.AudioInput))
		field(`},{"modality":"AUDIO","tokenCount":`, u.AudioInput)
		dst = append(dst, "}]"...)
	}
	if u.AudioOutput > 0 {
		field(`,"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":`, max(0, u.Output-u.Reasoning-u.AudioOutput))
		field(`},{"modality":"AUDIO","tokenCount":`, u.AudioOutput)
		dst = append(dst, "}]"...)
	}
	return append(dst, '}')
}

// A unaryEncoder collects the parts and writes the answer at its end.
type unaryEncoder struct{ writer }

func (*unaryEncoder) MediaType() string { return "application/json; charset=UTF-8" }

func (u *unaryEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		e := &events[i]
		if u.ended {
			break
		}
		if err := u.take(e); err != nil {
			return dst, err
		}
		switch e.Kind {
		case llm.EventError:
			u.ended = true
			dst = appendError(dst, e.Err)
		case llm.EventEnd:
			u.ended = true
			u.choice(0) // an answer has a candidate
			dst = u.appendTail(u.appendAll(append(dst, '{')), true)
		}
	}
	return dst, nil
}

// appendAll writes all that waits, and why each candidate ended.
func (w *writer) appendAll(dst []byte) []byte {
	dst = append(dst, `"candidates":[`...)
	for i, c := range w.choices {
		dst = c.open(comma(dst, i))
		for j, p := range c.parts {
			dst = p.append(comma(dst, j), "")
		}
		dst = append(append(dst, `]},"finishReason":"`...), c.finishReason()...)
		dst = strconv.AppendInt(append(dst, `","index":`...), int64(c.index), 10)
		dst = append(appendTokens(c.sources.append(append(dst, c.search...)), c.tokens), '}')
	}
	return append(dst, ']')
}

// A vectorEncoder answers a request for embeddings.
type vectorEncoder struct {
	batch   bool
	vectors []string
	ended   bool
}

func (*vectorEncoder) MediaType() string { return "application/json; charset=UTF-8" }

func (v *vectorEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		switch e := &events[i]; {
		case v.ended:
		case e.Kind == llm.EventVector:
			v.vectors = append(v.vectors, string(dialect.AppendVector(nil, e.Text, false)))
		case e.Kind == llm.EventError:
			v.ended = true
			dst = appendError(dst, e.Err)
		case e.Kind == llm.EventEnd:
			v.ended = true
			dst = v.write(dst)
		}
	}
	return dst, nil
}

func (v *vectorEncoder) write(dst []byte) []byte {
	if !v.batch {
		values := "[]"
		if len(v.vectors) > 0 {
			values = v.vectors[0]
		}
		return append(append(append(dst, `{"embedding":{"values":`...), values...), "}}"...)
	}
	dst = append(dst, `{"embeddings":[`...)
	for i, values := range v.vectors {
		dst = append(append(append(comma(dst, i), `{"values":`...), values...), '}')
	}
	return append(dst, "]}"...)
}
