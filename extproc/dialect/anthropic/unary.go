package anthropic

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A unaryEncoder collects blocks and writes the message at its end.
type unaryEncoder struct {
	answer
	blocks dialect.Blocks
}

func (*unaryEncoder) MediaType() string { return "application/json" }

func (u *unaryEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		e := &events[i]
		if e.Choice > 0 || u.ended {
			continue
		}
		if dst = u.event(dst, e); u.blocks.Full() {
			return dst, dialect.TooLarge()
		}
	}
	return dst, nil
}

func (u *unaryEncoder) event(dst []byte, e *llm.Event) []byte {
	switch e.Kind {
	case llm.EventStart:
		u.start(e)
	case llm.EventRefusal:
		u.refused = true
		u.blocks.Add(e)
	case llm.EventToolStart:
		call := *e
		call.ID = u.callID(e)
		u.blocks.Add(&call)
	case llm.EventCitation:
		if source, ok := citation(e); !ok || !u.blocks.Cite(source) {
			u.Lose("citations")
		}
	case llm.EventOther:
		if raw := dialect.Own(e, llm.Anthropic); raw != nil {
			u.blocks.Whole(e.Kind, raw)
		} else {
			u.Lose(e.Text)
		}
	case llm.EventMedia:
		u.Lose("media")
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
	default:
		u.blocks.Add(e)
	}
	return dst
}

func (u *unaryEncoder) message(dst []byte) []byte {
	if u.id == "" {
		u.start(&llm.Event{})
	}
	dst = u.appendHead(append(dst, '{'))
	dst = append(dst, `,"content":[`...)
	n := 0
	for i := range u.blocks.List {
		b := &u.blocks.List[i]
		if b.Kind == llm.EventText && len(b.Text) == 0 {
			continue
		}
		dst = appendBlock(comma(dst, n), b)
		n++
	}
	dst = u.appendStop(append(dst, `],`...))
	dst = appendUsage(append(dst, `,"usage":`...), u.usage)
	return append(dst, '}')
}

func appendBlock(dst []byte, b *dialect.Block) []byte {
	text := string(b.Text)
	switch b.Kind {
	case llm.EventReasoning:
		dst = jsonx.AppendString(append(dst, `{"type":"thinking","thinking":`...), text)
		signature := string(b.Signature)
		if signature == "" {
			signature = unsigned
		}
		dst = jsonx.AppendString(append(dst, `,"signature":`...), signature)
	case llm.EventRedacted:
		dst = jsonx.AppendString(append(dst, `{"type":"redacted_thinking","data":`...), text)
	case llm.EventToolStart:
		input, _ := dialect.ArgumentsObject(text)
		dst = jsonx.AppendString(append(dst, `{"type":"tool_use","id":`...), b.ID)
		dst = jsonx.AppendString(append(dst, `,"name":`...), b.Name)
		dst = append(append(dst, `,"input":`...), input...)
	case llm.EventOther:
		return append(dst, text...)
	default:
		dst = jsonx.AppendString(append(dst, `{"type":"text","text":`...), text)
		for i, source := range b.Sources {
			if i == 0 {
				dst = append(dst, `,"citations":`...)
			}
			dst = append(append(dst, "[,"[min(i, 1)]), source...)
		}
		if len(b.Sources) > 0 {
			dst = append(dst, ']')
		}
	}
	return append(dst, '}')
}
