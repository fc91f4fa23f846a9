package bedrock

import (
	"bytes"
	"github.com/attache-gateway/attache/extproc/dialect"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/dialect/exception"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A streamEncoder writes messages of an event stream. One block is open at a
// time.
type streamEncoder struct {
	answer
	started bool
	queue   queue
	blocks  int      // opened so far
	open    llm.Kind // of the open block: EventText, EventReasoning, EventToolStart; or none
	signed  bool     // the open reasoning is
	said    bool     // the open call has arguments
}

// none is the kind of no block.
const none = llm.EventBlockEnd

func (*streamEncoder) MediaType() string { return eventstream.MediaType }

func (s *streamEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		e := &events[i]
		if e.Choice > 0 || s.ended {
			continue
		}
		if dst = s.event(dst, e); s.queue.size > maxQueue {
			return dst, dialect.TooLarge()
		}
	}
	return dst, nil
}

func (s *streamEncoder) event(dst []byte, e *llm.Event) []byte {
	switch e.Kind {
	case llm.EventStart:
		dst = s.begin(dst, e)
	case llm.EventUsage:
		s.usage = e.Usage
	case llm.EventFinish:
		s.finish = *e
	case llm.EventError:
		s.ended = true
		dst = s.exception(dst, e.Err)
	case llm.EventEnd:
		dst = s.end(s.begin(dst, nil))
	case llm.EventOther:
		s.Lose(e.Text)
	case llm.EventPing, llm.EventVector, llm.EventLogprobs:
	default:
		dst = s.begin(dst, nil)
		s.queue.push(e, func(e *llm.Event) { dst = s.content(dst, e) })
	}
	return dst
}

// begin writes messageStart, once.
func (s *streamEncoder) begin(dst []byte, e *llm.Event) []byte {
	if s.started {
		return dst
	}
	s.started, s.open = true, none
	if e != nil {
		s.start(e)
	}
	dst, start := frame(dst, "messageStart")
	return eventstream.End(append(dst, `{"role":"assistant"}`...), start)
}

// end closes everything and says why. It waits for EventEnd because counts may
// come behind the finish reason.
func (s *streamEncoder) end(dst []byte) []byte {
	s.ended = true
	s.queue.flush(func(e *llm.Event) { dst = s.content(dst, e) })
	dst, start := frame(s.close(dst), "messageStop")
	dst = eventstream.End(append(s.appendStop(append(dst, '{')), '}'), start)
	dst, start = frame(dst, "metadata")
	return eventstream.End(append(s.appendUsage(append(dst, '{')), '}'), start)
}

// content writes an event of the content. Those of one block come together.
func (s *streamEncoder) content(dst []byte, e *llm.Event) []byte {
	switch e.Kind {
	case llm.EventText, llm.EventRefusal:
		s.refused = s.refused || e.Kind == llm.EventRefusal
		if e.Text != "" {
			dst = s.delta(s.in(dst, llm.EventText), `"text":`, e.Text, "")
		}
	case llm.EventReasoning:
		if e.Text != "" {
			dst = s.delta(s.in(dst, llm.EventReasoning), `"reasoningContent":{"text":`, e.Text, "}")
		}
	case llm.EventSignature:
		dst = s.in(dst, llm.EventReasoning)
		s.signed = true
		dst = s.delta(dst, `"reasoningContent":{"signature":`, e.Text, "}")
	case llm.EventRedacted:
		dst = s.in(s.close(dst), llm.EventReasoning)
		s.signed = true
		dst = s.close(s.delta(dst, `"reasoningContent":{"redactedContent":`, wrap(e.Text), "}"))
	case llm.EventToolStart:
		dst = s.close(dst)
		if e.Signature != "" { // which other formats have on the call itself
			dst = s.content(dst, &llm.Event{Kind: llm.EventSignature, Text: e.Signature})
		}
		dst = s.call(s.close(dst), e)
	case llm.EventToolArgs:
		if e.Text != "" {
			s.said = true
			dst = s.delta(dst, `"toolUse":{"input":`, e.Text, "}")
		}
	case llm.EventCitation:
		raw, ok := source(e)
		if !ok || s.open != llm.EventText {
			s.Lose("citations")
			return dst
		}
		dst = s.piece(dst, `"citation":`, raw)
	case llm.EventMedia:
		dst = s.image(s.close(dst), e.Media)
	case llm.EventBlockEnd:
		dst = s.close(dst)
	}
	return dst
}

// image writes an image, which comes in one piece.
func (s *streamEncoder) image(dst []byte, m *llm.Media) []byte {
	raw, ok := appendImage(nil, m)
	if !ok {
		s.Lose("media")
		return dst
	}
	s.open = llm.EventMedia
	dst, start := frame(dst, "contentBlockStart")
	dst = append(s.index(dst), `,"start":{"image":{"format":`...)
	dst = jsonx.AppendString(dst, strings.TrimPrefix(m.Type, "image/"))
	dst = eventstream.End(append(dst, "}}}"...), start)
	from := bytes.Index(raw, []byte(`"source"`))
	return s.close(s.piece(dst, `"image":{`, raw[from:len(raw)-1]))
}

// in makes a block of the kind the open one. Blocks of text and reasoning begin
// without a word.
func (s *streamEncoder) in(dst []byte, kind llm.Kind) []byte {
	if s.open != kind {
		dst = s.close(dst)
		s.open, s.signed = kind, false
	}
	return dst
}

func (s *streamEncoder) call(dst []byte, e *llm.Event) []byte {
	s.open, s.said = llm.EventToolStart, false
	dst, start := frame(dst, "contentBlockStart")
	dst = append(s.index(dst), `,"start":{"toolUse":{"toolUseId":`...)
	dst = jsonx.AppendString(dst, s.callID(e))
	dst = jsonx.AppendString(append(dst, `,"name":`...), e.Name)
	return eventstream.End(append(dst, "}}}"...), start)
}

// delta writes a piece of the open block.
func (s *streamEncoder) delta(dst []byte, before, text, after string) []byte {
	dst, start := frame(dst, "contentBlockDelta")
	dst = append(append(s.index(dst), `,"delta":{`...), before...)
	dst = append(jsonx.AppendString(dst, text), after...)
	return eventstream.End(append(dst, "}}"...), start)
}

// piece writes a piece of the open block that is JSON already.
func (s *streamEncoder) piece(dst []byte, before string, raw []byte) []byte {
	dst, start := frame(dst, "contentBlockDelta")
	dst = append(append(s.index(dst), `,"delta":{`...), before...)
	return eventstream.End(append(append(dst, raw...), "}}"...), start)
}

// close ends the open block, with what it must not lack.
func (s *streamEncoder) close(dst []byte) []byte {
	switch {
	case s.open == none:
		return dst
	case s.open == llm.EventReasoning && !s.signed:
		dst = s.delta(dst, `"reasoningContent":{"signature":`, unsigned, "}")
	case s.open == llm.EventToolStart && !s.said:
		dst = s.delta(dst, `"toolUse":{"input":`, "{}", "}")
	}
	dst, start := frame(dst, "contentBlockStop")
	dst = eventstream.End(append(s.index(dst), '}'), start)
	s.blocks++
	s.open = none
	return dst
}

// index writes the beginning of a payload: which block it is about.
func (s *streamEncoder) index(dst []byte) []byte {
	return strconv.AppendInt(append(dst, `{"contentBlockIndex":`...), int64(s.blocks), 10)
}

// frame begins a message with an event. start is where it begins.
func frame(dst []byte, event string) (out []byte, start int) {
	return eventstream.Begin(dst,
		eventstream.Field{Name: ":event-type", Value: event},
		eventstream.Field{Name: ":content-type", Value: "application/json"},
		eventstream.Field{Name: ":message-type", Value: "event"}), len(dst)
}

// streamed are the exceptions that a stream can have.
var streamed = map[string]bool{
	"ValidationException": true, "ThrottlingException": true, "ServiceUnavailableException": true,
	"InternalServerException": true, "ModelStreamErrorException": true,
}

// exception writes an error as the end of the stream.
func (s *streamEncoder) exception(dst []byte, e *llm.Error) []byte {
	name := exception.Name(e)
	switch {
	case streamed[name]:
	case e.Status == 429:
		name = "ThrottlingException"
	case e.Status >= 500:
		name = "InternalServerException"
	default:
		name = "ValidationException"
	}
	start := len(dst)
	dst = eventstream.Begin(dst,
		eventstream.Field{Name: ":exception-type", Value: strings.ToLower(name[:1]) + name[1:]},
		eventstream.Field{Name: ":content-type", Value: "application/json"},
		eventstream.Field{Name: ":message-type", Value: "exception"})
	return eventstream.End(append(exception.Append(append(dst, '{'), e), '}'), start)
}
