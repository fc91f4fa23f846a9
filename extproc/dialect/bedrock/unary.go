package bedrock

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A unaryEncoder collects blocks and writes the response at its end.
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
		if raw, ok := source(e); !ok || !u.blocks.Cite(raw) {
			u.Lose("citations")
		}
	case llm.EventMedia:
		if raw, ok := appendImage(nil, e.Media); ok {
			u.blocks.Whole(llm.EventOther, raw)
		} else {
			u.Lose("media")
		}
	case llm.EventOther:
		if raw := dialect.Own(e, llm.Bedrock); raw != nil {
			u.blocks.Whole(e.Kind, raw)
		} else {
			u.Lose(e.Text)
		}
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
	default:
		u.blocks.Add(e)
	}
	return dst
}

func (u *unaryEncoder) message(dst []byte) []byte {
	dst = append(dst, `{"output":{"message":{"role":"assistant","content":[`...)
	n := 0
	for i := range u.blocks.List {
		b := &u.blocks.List[i]
		if b.Kind == llm.EventText && len(b.Text) == 0 {
			continue
		}
		dst = appendBlock(comma(dst, n), b)
		n++
	}
	dst = u.appendStop(append(dst, "]}},"...))
	return append(u.appendUsage(append(dst, ',')), '}')
}

func appendBlock(dst []byte, b *dialect.Block) []byte {
	text := string(b.Text)
	switch b.Kind {
	case llm.EventReasoning:
		dst = jsonx.AppendString(append(dst, `{"reasoningContent":{"reasoningText":{"text":`...), text)
		return append(appendSignature(append(dst, ','), string(b.Signature)), "}}}"...)
	case llm.EventRedacted:
		dst = jsonx.AppendString(append(dst, `{"reasoningContent":{"redactedContent":`...), wrap(text))
		return append(dst, "}}"...)
	case llm.EventToolStart:
		input, _ := dialect.ArgumentsObject(text)
		dst = jsonx.AppendString(append(dst, `{"toolUse":{"toolUseId":`...), b.ID)
		dst = jsonx.AppendString(append(dst, `,"name":`...), b.Name)
		return append(append(append(dst, `,"input":`...), input...), "}}"...)
	case llm.EventOther:
		return append(dst, text...)
	}
	if len(b.Sources) == 0 {
		return append(jsonx.AppendString(append(dst, `{"text":`...), text), '}')
	}
	dst = append(jsonx.AppendString(append(dst, `{"citationsContent":{"content":[{"text":`...), text), `}],"citations":[`...)
	for i, raw := range b.Sources {
		dst = append(comma(dst, i), raw...)
	}
	return append(dst, "]}}"...)
}
