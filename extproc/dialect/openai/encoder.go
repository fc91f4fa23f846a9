package openai

import (
	"strconv"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/fault"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewEncoder writes the response to r in the form that r asks for.
func (d *Dialect) NewEncoder(r *llm.Request) dialect.Encoder {
	h := head{Report: dialect.Report{API: api}, model: r.Model, created: d.now}
	switch {
	case r.Op == llm.OpEmbeddings:
		return &vectors{head: h, packed: r.Packed}
	case r.Stream:
		return dialect.Restored(r, &chunks{head: h, withUsage: r.StreamUsage})
	}
	return dialect.Restored(r, &completion{head: h})
}

// head is what all chunks of an answer have in common.
type head struct {
	dialect.Report
	id, model string
	created   func() time.Time
	at        int64
}

// set fixes the head, once: clients refuse a stream whose id changes.
func (h *head) set(e *llm.Event) {
	h.id, h.at = e.ID, e.Created
	if h.id == "" {
		h.id = newID()
	}
	if e.Model != "" {
		h.model = e.Model
	}
	if h.at == 0 {
		h.at = h.created().Unix()
	}
}

// append appends the members of the head, the object not closed.
func (h *head) append(dst []byte, object string) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonx.AppendString(dst, h.id)
	dst = append(dst, `,"object":"`...)
	dst = append(dst, object...)
	dst = append(dst, `","created":`...)
	dst = strconv.AppendInt(dst, h.at, 10)
	dst = append(dst, `,"model":`...)
	return jsonx.AppendString(dst, h.model)
}

// chunks writes a stream.
type chunks struct {
	head
	withUsage bool
	prefix    []byte // of each chunk, up to choices
	suffix    string
	choices   []*written
	usage     llm.Usage
	counted   bool
	over      bool
}

// written is what of a choice the client has.
type written struct {
	index    int
	calls    []bool // whether the call has arguments
	thoughts []byte // of the open block, for its signature
	finished bool
}

// maxThoughts bounds what is kept of a block of reasoning until its signature
// comes, in bytes. Of a longer one the client gets the signature alone.
const maxThoughts = 1 << 20

// think keeps the text of a block of reasoning. A client sends a block back with
// its text and signature together; it has them in a stream's deltas too, so
// that it need not know how to join them.
func (w *written) think(e *llm.Event) {
	switch {
	case e.Kind != llm.EventReasoning || len(w.thoughts)+len(e.Text) > maxThoughts:
		w.thoughts = w.thoughts[:0]
	default:
		w.thoughts = append(w.thoughts, e.Text...)
	}
}

// MediaType is the content-type of what is written.
func (c *chunks) MediaType() string { return "text/event-stream; charset=utf-8" }

// Encode appends a chunk for each event that a client shall see.
func (c *chunks) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		if !c.over {
			dst = c.event(dst, &events[i])
		}
	}
	return dst, nil
}

func (c *chunks) event(dst []byte, e *llm.Event) []byte {
	switch e.Kind {
	case llm.EventStart:
		return c.begin(dst, e)
	case llm.EventPing:
		return append(dst, ": ping\n\n"...)
	case llm.EventVector:
		return dst
	case llm.EventUsage:
		c.usage, c.counted = e.Usage, true
		return dst
	case llm.EventError:
		c.over = true
		dst = append(dst, "data: "...)
		return append(fault.Append(dst, e.Err), "\n\n"...)
	case llm.EventEnd:
		return c.end(dst)
	}
	dst, w := c.choice(dst, e.Choice)
	switch e.Kind {
	case llm.EventFinish:
		return c.finish(dst, w, e.Reason)
	case llm.EventBlockEnd:
		w.thoughts = w.thoughts[:0]
		return dst
	case llm.EventToolStart:
		for len(w.calls) <= e.Tool {
			w.calls = append(w.calls, false)
		}
	case llm.EventToolArgs:
		if e.Text == "" || e.Tool >= len(w.calls) {
			return dst
		}
		w.calls[e.Tool] = true
	case llm.EventCitation, llm.EventMedia, llm.EventOther:
		return c.more(dst, e)
	case llm.EventLogprobs:
		dst = append(c.open(dst, e.Choice), `{},"logprobs":{"content":[`...)
		dst = append(dialect.AppendLogprobs(dst, e.Logprobs.Tokens), `],"refusal":null},"finish_reason":null`...)
		return append(dst, c.suffix...)
	default:
		if e.Text == "" {
			return dst
		}
	}
	dst = c.open(dst, e.Choice)
	if e.Kind == llm.EventSignature {
		dst = append(dst, `{"thinking_blocks":[`...)
		dst = append(appendThinking(dst, string(w.thoughts), e.Text), "]}"...)
	} else {
		dst = appendDelta(dst, e)
	}
	w.think(e)
	return c.close(dst, "null")
}

// more writes a delta with something beside text and calls.
func (c *chunks) more(dst []byte, e *llm.Event) []byte {
	name, value, ok := c.extra(e)
	if !ok {
		return dst
	}
	dst = append(c.open(dst, e.Choice), '{')
	return c.close(append(appendMember(dst, name, value), '}'), "null")
}

// extra is the member of a message in which something beside text and calls
// stands, and its value. What has no place is lost.
func (h *head) extra(e *llm.Event) (name string, value []byte, ok bool) {
	switch e.Kind {
	case llm.EventCitation:
		value, ok = appendAnnotation(nil, e.Citation)
		name, e = "annotations[]", &llm.Event{Text: "citations"}
	case llm.EventMedia:
		value, ok = appendImage(nil, e.Media)
		name, e = "images[]", &llm.Event{Text: "media"}
	default:
		name, value = e.Name, dialect.Own(e, llm.OpenAI)
		ok = value != nil
	}
	if !ok {
		h.Lose(e.Text)
	}
	return name, value, ok
}

func (c *chunks) begin(dst []byte, e *llm.Event) []byte {
	if c.prefix != nil {
		return dst
	}
	c.set(e)
	c.prefix = c.append([]byte("data: "), "chat.completion.chunk")
	c.prefix = append(c.prefix, `,"choices":[`...)
	c.suffix = "}]}\n\n"
	if c.withUsage {
		c.suffix = "}],\"usage\":null}\n\n"
	}
	dst, _ = c.choice(dst, 0)
	return dst
}

// choice finds the state of a choice, which begins with a chunk that says who
// speaks.
func (c *chunks) choice(dst []byte, index int) ([]byte, *written) {
	dst = c.begin(dst, &llm.Event{})
	for _, w := range c.choices {
		if w.index == index {
			return dst, w
		}
	}
	w := &written{index: index}
	c.choices = append(c.choices, w)
	dst = c.open(dst, index)
	dst = append(dst, `{"role":"assistant","content":"","refusal":null}`...)
	return c.close(dst, "null"), w
}

func (c *chunks) open(dst []byte, index int) []byte {
	dst = append(append(dst, c.prefix...), `{"index":`...)
	dst = strconv.AppendInt(dst, int64(index), 10)
	return append(dst, `,"delta":`...)
}

func (c *chunks) close(dst []byte, reason string) []byte {
	dst = append(dst, `,"logprobs":null,"finish_reason":`...)
	return append(append(dst, reason...), c.suffix...)
}

func (c *chunks) finish(dst []byte, w *written, reason llm.FinishReason) []byte {
	if w.finished {
		return dst
	}
	w.finished = true
	for i, has := range w.calls {
		if !has { // no arguments are an empty object, not an empty text
			dst = c.open(dst, w.index)
			dst = appendDelta(dst, &llm.Event{Kind: llm.EventToolArgs, Tool: i, Text: "{}"})
			dst = c.close(dst, "null")
		}
	}
	dst = append(c.open(dst, w.index), "{}"...)
	return c.close(dst, finishReason(reason))
}

func (c *chunks) end(dst []byte) []byte {
	dst = c.begin(dst, &llm.Event{})
	for _, w := range c.choices {
		reason := llm.FinishStop
		if len(w.calls) > 0 {
			reason = llm.FinishToolCalls
		}
		dst = c.finish(dst, w, reason)
	}
	if c.withUsage && c.counted {
		dst = append(dst, c.prefix...)
		dst = append(dst, `],"usage":`...)
		dst = append(appendUsage(dst, &c.usage), "}\n\n"...)
	}
	c.over = true
	return append(dst, "data: [DONE]\n\n"...)
}

// appendDelta appends the delta of an event that has content.
func appendDelta(dst []byte, e *llm.Event) []byte {
	switch e.Kind {
	case llm.EventText:
		return append(jsonx.AppendString(append(dst, `{"content":`...), e.Text), '}')
	case llm.EventRefusal:
		return append(jsonx.AppendString(append(dst, `{"refusal":`...), e.Text), '}')
	case llm.EventReasoning:
		return append(jsonx.AppendString(append(dst, `{"reasoning_content":`...), e.Text), '}')
	case llm.EventRedacted:
		dst = append(dst, `{"thinking_blocks":[`...)
		return append(appendRedacted(dst, e.Text), "]}"...)
	case llm.EventToolStart:
		dst = append(dst, `{"tool_calls":[{"index":`...)
		dst = strconv.AppendInt(dst, int64(e.Tool), 10)
		dst = append(dst, `,"id":`...)
		dst = jsonx.AppendString(dst, e.ID)
		dst = append(dst, `,"type":"function","function":{"name":`...)
		dst = jsonx.AppendString(dst, e.Name)
		dst = appendSignature(append(dst, `,"arguments":""}`...), e.Signature)
		return append(dst, "}]}"...)
	case llm.EventToolArgs:
		dst = append(dst, `{"tool_calls":[{"index":`...)
		dst = strconv.AppendInt(dst, int64(e.Tool), 10)
		dst = append(dst, `,"function":{"arguments":`...)
		return append(jsonx.AppendString(dst, e.Text), "}}]}"...)
	}
	return append(dst, "{}"...)
}

func appendThinking(dst []byte, text, signature string) []byte {
	dst = append(dst, `{"type":"thinking","thinking":`...)
	dst = jsonx.AppendString(dst, text)
	dst = append(dst, `,"signature":`...)
	return append(jsonx.AppendString(dst, signature), '}')
}

func appendRedacted(dst []byte, data string) []byte {
	dst = append(dst, `{"type":"redacted_thinking","data":`...)
	return append(jsonx.AppendString(dst, data), '}')
}

// finishReason is the format's word for a reason, in quotes.
func finishReason(r llm.FinishReason) string {
	switch r {
	case llm.FinishLength, llm.FinishContext:
		return `"length"`
	case llm.FinishToolCalls:
		return `"tool_calls"`
	case llm.FinishContentFilter, llm.FinishRefusal:
		return `"content_filter"`
	}
	return `"stop"`
}

func appendUsage(dst []byte, u *llm.Usage) []byte {
	field := func(name string, n int64) {
		dst = append(dst, name...)
		dst = strconv.AppendInt(dst, n, 10)
	}
	field(`{"prompt_tokens":`, u.Input)
	field(`,"completion_tokens":`, u.Output)
	field(`,"total_tokens":`, u.Total())
	field(`,"prompt_tokens_details":{"cached_tokens":`, u.CacheRead)
	field(`,"cache_write_tokens":`, u.CacheWrite)
	field(`,"audio_tokens":`, u.AudioInput)
	field(`},"completion_tokens_details":{"reasoning_tokens":`, u.Reasoning)
	field(`,"audio_tokens":`, u.AudioOutput)
	return append(dst, `,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`...)
}
