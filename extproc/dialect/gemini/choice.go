package gemini

import (
	"strconv"
	"unicode/utf8"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A choice is one candidate while it comes in: the parts that the client does
// not have yet.
type choice struct {
	index  int
	parts  []*outPart
	called bool // there was a tool call
	refuse bool // the model refused in words
	finish llm.Event

	sources sources
	search  []byte // groundingMetadata without sources of the text, as the provider has it
	tokens  []llm.Logprob
}

// An outPart is one part of an answer.
type outPart struct {
	kind      llm.Kind // EventText, EventReasoning, EventRedacted or EventToolStart
	text      []byte   // or arguments
	args      jsonx.Pieces
	signature string // as the client sees it
	tool      int
	id, name  string
	ended     bool // nothing will be added
}

// beside notes what stands beside the text and the calls of the candidate. It
// returns the name of what has no place.
func (c *choice) beside(e *llm.Event) (lost string) {
	switch own := dialect.Own(e, llm.Gemini); {
	case e.Kind == llm.EventText:
		c.sources.text.Add(e.Text)
	case e.Kind == llm.EventCitation && !c.sources.add(e.Citation):
		return "citations"
	case e.Kind == llm.EventLogprobs:
		c.tokens = append(c.tokens, e.Logprobs.Tokens...)
	case e.Kind == llm.EventMedia && (e.Media.Data == "" || !dialect.IsBase64(e.Media.Data)):
		return "media"
	case e.Kind == llm.EventMedia:
		raw := jsonx.AppendString([]byte(`{"inlineData":{"mimeType":`), e.Media.Type)
		raw = append(jsonx.AppendString(append(raw, `,"data":`...), e.Media.Data), "}}"...)
		c.push(&outPart{kind: e.Kind, text: raw, ended: true})
	case e.Kind == llm.EventOther && own == nil:
		return e.Text
	case e.Kind == llm.EventOther && e.Name != "":
		c.search = append([]byte(`,"groundingMetadata":`), own...)
	case e.Kind == llm.EventOther:
		c.push(&outPart{kind: e.Kind, text: own, ended: true})
	}
	return ""
}

// add notes an event of the candidate.
func (c *choice) add(e *llm.Event) {
	switch e.Kind {
	case llm.EventText, llm.EventReasoning, llm.EventRefusal:
		c.text(e)
	case llm.EventSignature:
		c.sign(e.Text)
	case llm.EventRedacted:
		c.push(&outPart{kind: e.Kind, signature: wrapOwned(hidden, e.Text), ended: true})
	case llm.EventToolStart:
		c.called = true
		p := &outPart{kind: e.Kind, tool: e.Tool, id: e.ID, name: e.Name}
		if e.Signature != "" {
			p.signature = wrap(e.Signature)
		}
		c.push(p)
	case llm.EventToolArgs:
		for _, p := range c.parts {
			if p.kind == llm.EventToolStart && p.tool == e.Tool {
				p.text = append(p.text, e.Text...)
				p.args.Add(e.Text)
			}
		}
	case llm.EventBlockEnd:
		if p := c.last(); p != nil {
			p.ended = true
		}
	case llm.EventFinish:
		c.finish = *e
	}
}

func (c *choice) last() *outPart {
	if n := len(c.parts); n > 0 {
		return c.parts[n-1]
	}
	return nil
}

func (c *choice) push(p *outPart) { c.parts = append(c.parts, p) }

// text adds to the text that comes last, if it is of the same kind.
func (c *choice) text(e *llm.Event) {
	kind := e.Kind
	if kind == llm.EventRefusal {
		c.refuse, kind = true, llm.EventText
	}
	if e.Text == "" {
		return
	}
	p := c.last()
	if p == nil || p.kind != kind || p.signature != "" || p.ended {
		p = &outPart{kind: kind}
		c.push(p)
	}
	p.text = append(p.text, e.Text...)
}

// sign puts a signature on the text that it follows, or in a part of its own.
func (c *choice) sign(signature string) {
	p := c.last()
	if p == nil || p.signature != "" || p.kind == llm.EventToolStart {
		p = &outPart{kind: llm.EventReasoning}
		c.push(p)
	}
	p.signature, p.ended = wrap(signature), true
}

// complete reports whether a part that others follow can be written.
func (p *outPart) complete() bool {
	return p.kind != llm.EventToolStart || p.ended || p.args.Complete()
}

// open begins the candidate up to its parts.
func (*choice) open(dst []byte) []byte { return append(dst, `{"content":{"role":"model","parts":[`...) }

// finishReason is why the candidate ended.
func (c *choice) finishReason() string {
	reason := c.finish.Reason
	if c.refuse && (reason == "" || reason == llm.FinishStop) {
		reason = llm.FinishRefusal
	}
	return finishReason(reason)
}

// append writes the part; text, if not empty, stands for its whole text.
func (p *outPart) append(dst []byte, text string) []byte {
	if text == "" {
		text = string(p.text)
	}
	switch {
	case p.kind == llm.EventMedia, p.kind == llm.EventOther:
		return append(dst, text...)
	case p.kind == llm.EventToolStart:
		dst = append(dst, `{"functionCall":{`...)
		if p.id != "" {
			dst = append(jsonx.AppendString(append(dst, `"id":`...), p.id), ',')
		}
		args, _ := dialect.ArgumentsObject(text)
		dst = jsonx.AppendString(append(dst, `"name":`...), p.name)
		dst = append(append(append(dst, `,"args":`...), args...), '}')
	case text == "": // a signature alone; SDKs take an empty text for a broken answer
		dst = append(dst, `{"thought":true`...)
	default:
		dst = jsonx.AppendString(append(dst, `{"text":`...), text)
		if p.kind == llm.EventReasoning {
			dst = append(dst, `,"thought":true`...)
		}
	}
	if p.signature != "" {
		dst = jsonx.AppendString(append(dst, `,"thoughtSignature":`...), p.signature)
	}
	return append(dst, '}')
}

// A streamEncoder writes one object for each piece of content, as server-sent
// events or as an array.
type streamEncoder struct {
	writer
	array   bool
	written bool
}

func (s *streamEncoder) MediaType() string {
	if s.array {
		return "application/json; charset=UTF-8"
	}
	return "text/event-stream"
}

func (s *streamEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		e := &events[i]
		if s.ended {
			break
		}
		if err := s.take(e); err != nil {
			return dst, err
		}
		switch e.Kind {
		case llm.EventError:
			s.ended = true
			dst = s.close(appendError(s.object(dst), e.Err))
		case llm.EventEnd:
			s.ended = true
			dst = s.end(dst)
		case llm.EventText, llm.EventReasoning, llm.EventRefusal, llm.EventSignature, llm.EventRedacted,
			llm.EventToolStart, llm.EventToolArgs, llm.EventBlockEnd, llm.EventMedia, llm.EventOther:
			dst = s.release(dst, s.choice(e.Choice))
		}
	}
	return dst, nil
}

// object begins one object of the stream.
func (s *streamEncoder) object(dst []byte) []byte {
	switch {
	case !s.array:
		return append(dst, "data: "...)
	case s.written:
		return append(dst, ",\r\n"...)
	}
	s.written = true
	return append(dst, '[')
}

// close ends one object, and with the last one the stream.
func (s *streamEncoder) close(dst []byte) []byte {
	switch {
	case !s.array:
		return append(dst, "\r\n\r\n"...)
	case s.ended:
		return append(dst, "]\r\n"...)
	}
	return dst
}

// release writes the parts that are complete, but for the end of the last one.
func (s *streamEncoder) release(dst []byte, c *choice) []byte {
	for len(c.parts) > 1 && c.parts[0].complete() {
		p := c.parts[0]
		dst = s.part(dst, c, p, "")
		s.size -= len(p.text) + partCost
		c.parts = c.parts[1:]
	}
	p := c.parts
	if len(p) != 1 || p[0].kind == llm.EventToolStart || p[0].ended {
		return dst
	}
	last := p[0]
	if n := headLen(last.text); n > 0 {
		dst = s.part(dst, c, last, string(last.text[:n]))
		s.size -= n
		last.text = append(last.text[:0], last.text[n:]...)
	}
	return dst
}

// headLen is the length of a text without its last character.
func headLen(text []byte) int {
	n := len(text)
	if _, size := utf8.DecodeLastRune(text); size > 1 || n == 0 || text[n-1] < utf8.RuneSelf {
		return n - size
	}
	for i := n - 1; i >= 0 && i > n-4; i-- { // half a surrogate pair, see jsonx
		if text[i] == 0xed {
			return i
		}
	}
	return n - 1
}

func (s *streamEncoder) part(dst []byte, c *choice, p *outPart, text string) []byte {
	dst = c.open(append(s.object(dst), `{"candidates":[`...))
	dst = append(p.append(dst, text), `]},"index":`...)
	dst = append(strconv.AppendInt(dst, int64(c.index), 10), "}]"...)
	return s.close(s.appendTail(dst, false))
}

// end writes what was held back, why the candidates ended, and the counts. It
// waits for EventEnd because counts may come behind the finish reason.
func (s *streamEncoder) end(dst []byte) []byte {
	s.choice(0) // an answer has a candidate
	for _, c := range s.choices {
		for len(c.parts) > 1 {
			dst = s.part(dst, c, c.parts[0], "")
			c.parts = c.parts[1:]
		}
	}
	return s.close(s.appendTail(s.appendAll(append(s.object(dst), '{')), true))
}
