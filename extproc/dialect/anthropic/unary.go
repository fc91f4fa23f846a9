package anthropic

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A unaryEncoder collects blocks and writes the message at its end.
type unaryEncoder struct {
	answer
	blocks []unaryBlock
	size   int         // bytes of text
	open   bool        // the last block may go on
	byTool map[int]int // ordinal of a call to its block
}

type unaryBlock struct {
	kind      llm.Kind // EventText, EventReasoning, EventRedacted or EventToolStart
	text      []byte
	signature []byte
	cites     [][]byte
	id, name  string
}

func (*unaryEncoder) MediaType() string { return "application/json" }

// maxAnswer bounds the text of a message, and blockCost is what an empty block
// counts.
const (
	maxAnswer = 64 << 20
	blockCost = 256
)

func (u *unaryEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		e := &events[i]
		if e.Choice > 0 || u.ended {
			continue
		}
		if u.size += len(e.Text); u.size+len(u.blocks)*blockCost > maxAnswer {
			return dst, dialect.TooLarge()
		}
		switch e.Kind {
		case llm.EventStart:
			u.start(e)
		case llm.EventText, llm.EventReasoning:
			b := u.block(e.Kind)
			b.text = append(b.text, e.Text...)
		case llm.EventRefusal:
			u.refused = true
			b := u.block(llm.EventText)
			b.text = append(b.text, e.Text...)
		case llm.EventSignature:
			b := u.block(llm.EventReasoning)
			b.signature = append(b.signature, e.Text...)
		case llm.EventRedacted:
			u.open = false
			b := u.block(e.Kind)
			b.text = append(b.text, e.Text...)
			u.open = false
		case llm.EventToolStart:
			u.call(e)
		case llm.EventToolArgs:
			if i, ok := u.byTool[e.Tool]; ok {
				u.blocks[i].text = append(u.blocks[i].text, e.Text...)
			}
		case llm.EventCitation:
			u.cite(e)
		case llm.EventOther:
			u.other(e)
		case llm.EventMedia:
			u.Lose("media")
		case llm.EventBlockEnd:
			u.open = false
		case llm.EventUsage:
			u.usage = e.Usage
		case llm.EventFinish:
			u.finish = *e
		case llm.EventError:
			u.ended = true
			dst = appendError(dst, e.Err)
		case llm.EventEnd:
			u.ended = true
			dst = u.message(dst)
		}
	}
	return dst, nil
}

// block returns the open block of a kind, which it opens if need be.
func (u *unaryEncoder) block(kind llm.Kind) *unaryBlock {
	if n := len(u.blocks); u.open && n > 0 && u.blocks[n-1].kind == kind {
		return &u.blocks[n-1]
	}
	u.open = true
	u.blocks = append(u.blocks, unaryBlock{kind: kind})
	return &u.blocks[len(u.blocks)-1]
}

func (u *unaryEncoder) call(e *llm.Event) {
	if u.byTool == nil {
		u.byTool = map[int]int{}
	}
	if e.Signature != "" { // which other formats have on the call itself
		u.blocks = append(u.blocks, unaryBlock{kind: llm.EventReasoning, signature: []byte(e.Signature)})
	}
	u.byTool[e.Tool] = len(u.blocks)
	u.blocks = append(u.blocks, unaryBlock{kind: e.Kind, id: u.callID(e), name: e.Name})
	u.open = false
}

// cite names a source of the text that is open.
func (u *unaryEncoder) cite(e *llm.Event) {
	source, ok := dialect.Own(e, llm.Anthropic), true
	if source == nil {
		source, ok = appendCitation(nil, e.Citation)
	}
	if n := len(u.blocks); ok && u.open && n > 0 && u.blocks[n-1].kind == llm.EventText {
		u.blocks[n-1].cites = append(u.blocks[n-1].cites, source)
		u.size += len(source)
		return
	}
	u.Lose("citations")
}

// other keeps a block that only this dialect has.
func (u *unaryEncoder) other(e *llm.Event) {
	raw := dialect.Own(e, llm.Anthropic)
	if raw == nil {
		u.Lose(e.Text)
		return
	}
	u.open = false
	u.blocks = append(u.blocks, unaryBlock{kind: e.Kind, text: raw})
	u.size += len(raw)
}

func (u *unaryEncoder) message(dst []byte) []byte {
	if u.id == "" {
		u.start(&llm.Event{})
	}
	dst = u.appendHead(append(dst, '{'))
	dst = append(dst, `,"content":[`...)
	n := 0
	for _, b := range u.blocks {
		if b.kind == llm.EventText && len(b.text) == 0 {
			continue
		}
		dst = b.append(comma(dst, n))
		n++
	}
	dst = u.appendStop(append(dst, `],`...))
	dst = appendUsage(append(dst, `,"usage":`...), u.usage)
	return append(dst, '}')
}

func (b *unaryBlock) append(dst []byte) []byte {
	text := string(b.text)
	switch b.kind {
	case llm.EventReasoning:
		dst = jsonx.AppendString(append(dst, `{"type":"thinking","thinking":`...), text)
		signature := string(b.signature)
		if signature == "" {
			signature = unsigned
		}
		dst = jsonx.AppendString(append(dst, `,"signature":`...), signature)
	case llm.EventRedacted:
		dst = jsonx.AppendString(append(dst, `{"type":"redacted_thinking","data":`...), text)
	case llm.EventToolStart:
		input, _ := dialect.ArgumentsObject(text)
		dst = jsonx.AppendString(append(dst, `{"type":"tool_use","id":`...), b.id)
		dst = jsonx.AppendString(append(dst, `,"name":`...), b.name)
		dst = append(append(dst, `,"input":`...), input...)
	case llm.EventOther:
		return append(dst, text...)
	default:
		dst = jsonx.AppendString(append(dst, `{"type":"text","text":`...), text)
		for i, source := range b.cites {
			if i == 0 {
				dst = append(dst, `,"citations":`...)
			}
			dst = append(append(dst, "[,"[min(i, 1)]), source...)
		}
		if len(b.cites) > 0 {
			dst = append(dst, ']')
		}
	}
	return append(dst, '}')
}
