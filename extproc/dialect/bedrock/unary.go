package bedrock

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A unaryEncoder collects blocks and writes the response at its end.
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
	sources   [][]byte
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
		dst = u.event(dst, e)
	}
	return dst, nil
}

func (u *unaryEncoder) event(dst []byte, e *llm.Event) []byte {
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
	case llm.EventMedia:
		raw, ok := appendImage(nil, e.Media)
		u.whole(e, raw, ok, "media")
	case llm.EventOther:
		raw := dialect.Own(e, llm.Bedrock)
		u.whole(e, raw, raw != nil, e.Text)
	case llm.EventBlockEnd:
		u.open = false
	case llm.EventUsage:
		u.usage = e.Usage
	case llm.EventFinish:
		u.finish = *e
	case llm.EventError:
		u.ended = true
		dst = append(dst, New().EncodeError(e.Err)...)
	case llm.EventEnd:
		u.ended = true
		dst = u.message(dst)
	}
	return dst
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
	raw, ok := source(e)
	if n := len(u.blocks); ok && u.open && n > 0 && u.blocks[n-1].kind == llm.EventText {
		u.blocks[n-1].sources = append(u.blocks[n-1].sources, raw)
		u.size += len(raw)
		return
	}
	u.Lose("citations")
}

// whole keeps a block that comes in one piece, if there is a place for it.
func (u *unaryEncoder) whole(e *llm.Event, raw []byte, ok bool, what string) {
	if !ok {
		u.Lose(what)
		return
	}
	u.open = false
	u.size += len(raw)
	u.blocks = append(u.blocks, unaryBlock{kind: llm.EventOther, text: raw})
}

func (u *unaryEncoder) message(dst []byte) []byte {
	dst = append(dst, `{"output":{"message":{"role":"assistant","content":[`...)
	n := 0
	for _, b := range u.blocks {
		if b.kind == llm.EventText && len(b.text) == 0 {
			continue
		}
		dst = b.append(comma(dst, n))
		n++
	}
	dst = u.appendStop(append(dst, "]}},"...))
	return append(u.appendUsage(append(dst, ',')), '}')
}

func (b *unaryBlock) append(dst []byte) []byte {
	text := string(b.text)
	switch b.kind {
	case llm.EventReasoning:
		dst = jsonx.AppendString(append(dst, `{"reasoningContent":{"reasoningText":{"text":`...), text)
		return append(appendSignature(append(dst, ','), string(b.signature)), "}}}"...)
	case llm.EventRedacted:
		dst = jsonx.AppendString(append(dst, `{"reasoningContent":{"redactedContent":`...), wrap(text))
		return append(dst, "}}"...)
	case llm.EventToolStart:
		input, _ := dialect.ArgumentsObject(text)
		dst = jsonx.AppendString(append(dst, `{"toolUse":{"toolUseId":`...), b.id)
		dst = jsonx.AppendString(append(dst, `,"name":`...), b.name)
		return append(append(append(dst, `,"input":`...), input...), "}}"...)
	case llm.EventOther:
		return append(dst, text...)
	}
	if len(b.sources) == 0 {
		return append(jsonx.AppendString(append(dst, `{"text":`...), text), '}')
	}
	dst = append(jsonx.AppendString(append(dst, `{"citationsContent":{"content":[{"text":`...), text), `}],"citations":[`...)
	for i, raw := range b.sources {
		dst = append(comma(dst, i), raw...)
	}
	return append(dst, "]}}"...)
}
