package anthropic

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxWaiting bounds the text of blocks that wait for another to end, and
// blockCost is what an empty block counts.
const (
	maxWaiting = 8 << 20
	blockCost  = 256
)

// A streamEncoder writes server-sent events. One block is open at a time. What
// belongs to others while a tool call is incomplete waits: formats that number
// their calls may interleave them.
type streamEncoder struct {
	answer
	started bool
	blocks  int // opened so far
	open    *streamBlock
	waiting []*streamBlock
	size    int // bytes of text in waiting
}

// A streamBlock is a block that is open or waits.
type streamBlock struct {
	kind      llm.Kind // EventText, EventReasoning, EventRedacted or EventToolStart
	tool      int
	id, name  string
	text      []byte // while it waits
	signature string
	cites     [][]byte
	ended     bool // while it waits: nothing will be added
	signed    bool
	said      bool // arguments were written
	args      jsonx.Pieces
}

func (*streamEncoder) MediaType() string { return "text/event-stream" }

func (s *streamEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		if e := &events[i]; e.Choice == 0 && !s.ended {
			dst = s.event(dst, e)
		}
		if s.size+len(s.waiting)*blockCost > maxWaiting {
			return dst, dialect.TooLarge()
		}
	}
	return dst, nil
}

func (s *streamEncoder) event(dst []byte, e *llm.Event) []byte {
	switch e.Kind {
	case llm.EventStart:
		dst = s.begin(dst, e)
	case llm.EventText, llm.EventReasoning, llm.EventRefusal:
		kind := e.Kind
		if kind == llm.EventRefusal {
			s.refused = true
			kind = llm.EventText
		}
		if e.Text != "" {
			dst = s.text(s.begin(dst, nil), kind, e.Text)
		}
	case llm.EventSignature:
		dst = s.sign(s.begin(dst, nil), e.Text)
	case llm.EventRedacted:
		dst = s.add(s.begin(dst, nil), &streamBlock{kind: e.Kind, text: []byte(e.Text), ended: true})
	case llm.EventToolStart:
		dst = s.begin(dst, nil)
		if e.Signature != "" { // which other formats have on the call itself
			dst = s.add(dst, &streamBlock{kind: llm.EventReasoning, signature: e.Signature, ended: true})
		}
		dst = s.add(dst, &streamBlock{kind: e.Kind, tool: e.Tool, id: s.callID(e), name: e.Name})
	case llm.EventToolArgs:
		dst = s.arguments(dst, e)
	case llm.EventCitation:
		dst = s.cite(dst, e)
	case llm.EventOther:
		dst = s.other(dst, e)
	case llm.EventMedia:
		s.Lose("media")
	case llm.EventBlockEnd:
		dst = s.blockEnd(dst)
	case llm.EventUsage:
		s.usage = e.Usage
	case llm.EventFinish:
		s.finish = *e
	case llm.EventPing:
		if s.started {
			dst = append(dst, "event: ping\ndata: {\"type\":\"ping\"}\n\n"...)
		}
	case llm.EventError:
		s.ended = true
		dst = append(appendError(append(dst, "event: error\ndata: "...), e.Err), "\n\n"...)
	case llm.EventEnd:
		dst = s.end(s.begin(dst, nil))
	}
	return dst
}

// begin writes message_start, once. The provider's counts come later as a rule;
// until then clients are told our own count of the input.
func (s *streamEncoder) begin(dst []byte, e *llm.Event) []byte {
	if s.started {
		return dst
	}
	s.started = true
	if e == nil {
		e = &llm.Event{}
	}
	s.start(e)
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"...)
	dst = s.appendHead(dst)
	dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	first := s.usage
	first.Output = max(first.Output, 1)
	return append(appendUsage(dst, first), "}}\n\n"...)
}

// end closes everything and says why. It waits for EventEnd because counts may
// come behind the finish reason.
func (s *streamEncoder) end(dst []byte) []byte {
	s.ended = true
	for _, b := range s.waiting {
		b.ended = true
	}
	dst = s.admit(s.close(dst))
	dst = append(dst, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"...)
	dst = s.appendStop(dst)
	dst = appendUsage(append(dst, `},"usage":`...), s.usage)
	return append(dst, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}

// busy reports whether the open block must not be closed yet: a call whose
// arguments are not complete.
func (s *streamEncoder) busy() bool {
	return s.open != nil && s.open.kind == llm.EventToolStart && !s.open.args.Complete()
}

// text adds to the block of a kind that is open or waits last, or opens one.
func (s *streamEncoder) text(dst []byte, kind llm.Kind, text string) []byte {
	if n := len(s.waiting); n > 0 {
		if last := s.waiting[n-1]; last.kind == kind && !last.ended {
			last.text = append(last.text, text...)
			s.size += len(text)
			return dst
		}
	} else if s.open != nil && s.open.kind == kind {
		return s.delta(dst, text)
	}
	return s.add(dst, &streamBlock{kind: kind, text: []byte(text)})
}

// cite names a source of the text that is open. Text that is closed cannot get
// one any more.
func (s *streamEncoder) cite(dst []byte, e *llm.Event) []byte {
	source, ok := citation(e)
	b := s.open
	if n := len(s.waiting); n > 0 {
		b = s.waiting[n-1]
	}
	switch {
	case !ok || b == nil || b.kind != llm.EventText || b.ended:
		s.Lose("citations")
	case b == s.open:
		return s.citation(dst, source)
	default:
		b.cites = append(b.cites, source)
		s.size += len(source)
	}
	return dst
}

func (s *streamEncoder) citation(dst, source []byte) []byte {
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(s.blocks), 10)
	dst = append(dst, `,"delta":{"type":"citations_delta","citation":`...)
	return append(append(dst, dialect.OneLine(source)...), "}}\n\n"...)
}

// other writes a block that only this dialect has.
func (s *streamEncoder) other(dst []byte, e *llm.Event) []byte {
	raw := dialect.Own(e, llm.Anthropic)
	if raw == nil {
		s.Lose(e.Text)
		return dst
	}
	return s.add(s.begin(dst, nil), &streamBlock{kind: e.Kind, text: raw, ended: true})
}

func (s *streamEncoder) sign(dst []byte, signature string) []byte {
	if n := len(s.waiting); n > 0 {
		if last := s.waiting[n-1]; last.kind == llm.EventReasoning && !last.ended {
			last.signature += signature
			return dst
		}
	} else if s.open != nil && s.open.kind == llm.EventReasoning {
		s.open.signed = true
		return s.signature(dst, signature)
	}
	return s.add(dst, &streamBlock{kind: llm.EventReasoning, signature: signature})
}

// arguments adds to a call, open or waiting. A call that is closed was
// complete; what may still come is white space.
func (s *streamEncoder) arguments(dst []byte, e *llm.Event) []byte {
	if b := s.open; b != nil && b.kind == llm.EventToolStart && b.tool == e.Tool {
		dst = s.delta(dst, e.Text)
		if len(s.waiting) > 0 && !s.busy() {
			dst = s.admit(s.close(dst))
		}
		return dst
	}
	for _, b := range s.waiting {
		if b.kind == llm.EventToolStart && b.tool == e.Tool {
			b.text = append(b.text, e.Text...)
			s.size += len(e.Text)
		}
	}
	return dst
}

func (s *streamEncoder) blockEnd(dst []byte) []byte {
	if n := len(s.waiting); n > 0 {
		s.waiting[n-1].ended = true
		return dst
	}
	return s.close(dst)
}

// add opens a block behind those that are there.
func (s *streamEncoder) add(dst []byte, b *streamBlock) []byte {
	s.waiting = append(s.waiting, b)
	s.size += len(b.text)
	if s.busy() {
		return dst
	}
	return s.admit(s.close(dst))
}

// admit opens the blocks that wait, until one of them must stay open.
func (s *streamEncoder) admit(dst []byte) []byte {
	for s.open == nil && len(s.waiting) > 0 {
		b := s.waiting[0]
		s.waiting = s.waiting[1:]
		text := string(b.text)
		s.size -= len(text)
		b.text = nil
		dst = s.openBlock(dst, b, text)
		if b.ended || len(s.waiting) > 0 && !s.busy() {
			dst = s.close(dst)
		}
	}
	return dst
}

func (s *streamEncoder) openBlock(dst []byte, b *streamBlock, text string) []byte {
	s.open = b
	dst = append(dst, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(s.blocks), 10)
	switch b.kind {
	case llm.EventText:
		dst = append(dst, `,"content_block":{"type":"text","text":""}}`...)
	case llm.EventReasoning:
		dst = append(dst, `,"content_block":{"type":"thinking","thinking":"","signature":""}}`...)
	case llm.EventRedacted:
		dst = append(dst, `,"content_block":{"type":"redacted_thinking","data":`...)
		dst = append(jsonx.AppendString(dst, text), "}}"...)
		text = ""
	case llm.EventOther:
		dst = append(append(append(dst, `,"content_block":`...), dialect.OneLine([]byte(text))...), '}')
		text = ""
	case llm.EventToolStart:
		dst = append(dst, `,"content_block":{"type":"tool_use","id":`...)
		dst = jsonx.AppendString(dst, b.id)
		dst = jsonx.AppendString(append(dst, `,"name":`...), b.name)
		dst = append(dst, `,"input":{}}}`...)
	}
	dst = append(dst, "\n\n"...)
	if b.kind == llm.EventToolStart {
		dst = s.piece(dst, `"input_json_delta","partial_json":`, "")
	}
	if text != "" {
		dst = s.delta(dst, text)
	}
	for _, source := range b.cites {
		s.size -= len(source)
		dst = s.citation(dst, source)
	}
	if b.signature != "" {
		b.signed = true
		dst = s.signature(dst, b.signature)
	}
	return dst
}

// delta writes text of the open block.
func (s *streamEncoder) delta(dst []byte, text string) []byte {
	switch s.open.kind {
	case llm.EventReasoning:
		return s.piece(dst, `"thinking_delta","thinking":`, text)
	case llm.EventToolStart:
		if text == "" {
			return dst
		}
		s.open.said = true
		s.open.args.Add(text)
		return s.piece(dst, `"input_json_delta","partial_json":`, text)
	}
	return s.piece(dst, `"text_delta","text":`, text)
}

func (s *streamEncoder) signature(dst []byte, signature string) []byte {
	return s.piece(dst, `"signature_delta","signature":`, signature)
}

// piece writes a content_block_delta.
func (s *streamEncoder) piece(dst []byte, what, text string) []byte {
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(s.blocks), 10)
	dst = append(append(dst, `,"delta":{"type":`...), what...)
	return append(jsonx.AppendString(dst, text), "}}\n\n"...)
}

// close ends the open block, with what it must not lack.
func (s *streamEncoder) close(dst []byte) []byte {
	b := s.open
	if b == nil {
		return dst
	}
	switch {
	case b.kind == llm.EventReasoning && !b.signed:
		dst = s.signature(dst, unsigned)
	case b.kind == llm.EventToolStart && !b.said:
		dst = s.delta(dst, "{}")
	}
	dst = append(dst, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
	dst = append(strconv.AppendInt(dst, int64(s.blocks), 10), "}\n\n"...)
	s.blocks++
	s.open = nil
	return dst
}
