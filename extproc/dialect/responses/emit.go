package responses

import (
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// output is an item of the output while it is written.
type output struct {
	kind  string // message, reasoning or function_call
	index int
	id    string

	said      []spoken // of a message
	speaking  bool     // the last of said may go on
	text      []byte   // of reasoning; arguments of a call
	signature []byte
	sealed    string // encrypted content that is complete
	raw       []byte // of an item that only this dialect has
	call      llm.Event
	status    string
	done      bool
}

// spoken is a content part of a message.
type spoken struct {
	refusal  bool
	text     []byte
	from     int // where it begins, in characters of all text
	sources  [][]byte
	logprobs []byte // elements of the list
}

// add opens an item.
func (l *lifecycle) add(dst []byte, it *output) ([]byte, *output) {
	prefix := map[string]string{"message": "msg_", "reasoning": "rs_", "function_call": "fc_"}[it.kind]
	it.index, it.status = len(l.items), "in_progress"
	it.id = prefix + l.base + "_" + strconv.Itoa(it.index)
	l.items = append(l.items, it)
	return l.itemEvent(dst, "response.output_item.added", it), it
}

func (l *lifecycle) itemEvent(dst []byte, name string, it *output) []byte {
	dst = append(l.send(dst, name), `,"output_index":`...)
	dst = strconv.AppendInt(dst, int64(it.index), 10)
	dst = append(dst, `,"item":`...)
	return append(it.append(dst), "}\n\n"...)
}

// about begins an event about an item.
func (l *lifecycle) about(dst []byte, name string, it *output) []byte {
	dst = append(l.send(dst, name), `,"item_id":"`...)
	dst = append(append(dst, it.id...), `","output_index":`...)
	return strconv.AppendInt(dst, int64(it.index), 10)
}

// become makes an item of a kind the one that text goes to.
func (l *lifecycle) become(dst []byte, kind string) []byte {
	if l.open != nil && l.open.kind == kind {
		return dst
	}
	dst = l.close(dst, l.open, "completed")
	dst, l.open = l.add(dst, &output{kind: kind})
	return dst
}

// text says a piece of a message.
func (l *lifecycle) text(dst []byte, e *llm.Event) []byte {
	dst = l.become(dst, "message")
	it, refusal := l.open, e.Kind == llm.EventRefusal
	if n := len(it.said); it.speaking && it.said[n-1].refusal != refusal {
		dst = l.endPart(dst, it)
	}
	if !it.speaking {
		it.speaking = true
		it.said = append(it.said, spoken{refusal: refusal, from: l.chars})
		dst = l.part(dst, "response.content_part.added", it)
	}
	p := &it.said[len(it.said)-1]
	p.text = append(p.text, e.Text...)
	name := "response.output_text.delta"
	if refusal {
		name = "response.refusal.delta"
	} else {
		l.chars += dialect.Chars(e.Text)
	}
	dst = append(l.place(dst, name, it), `,"delta":`...)
	dst = jsonx.AppendString(dst, e.Text)
	if !refusal {
		dst = append(dst, `,"logprobs":[]`...)
	}
	return append(dst, "}\n\n"...)
}

// place begins an event about the last part of a message.
func (l *lifecycle) place(dst []byte, name string, it *output) []byte {
	dst = append(l.about(dst, name, it), `,"content_index":`...)
	return strconv.AppendInt(dst, int64(len(it.said)-1), 10)
}

func (l *lifecycle) part(dst []byte, name string, it *output) []byte {
	dst = append(l.place(dst, name, it), `,"part":`...)
	return append(it.said[len(it.said)-1].append(dst), "}\n\n"...)
}

// endPart says that the last part of a message is complete.
func (l *lifecycle) endPart(dst []byte, it *output) []byte {
	if !it.speaking {
		return dst
	}
	it.speaking = false
	p := &it.said[len(it.said)-1]
	if p.refusal {
		dst = append(l.place(dst, "response.refusal.done", it), `,"refusal":`...)
		dst = append(jsonx.AppendString(dst, string(p.text)), "}\n\n"...)
	} else {
		dst = append(l.place(dst, "response.output_text.done", it), `,"text":`...)
		dst = append(jsonx.AppendString(dst, string(p.text)), `,"logprobs":[`...)
		dst = append(append(dst, p.logprobs...), "]}\n\n"...)
	}
	return l.part(dst, "response.content_part.done", it)
}

// cite names a source of the text that is being said.
func (l *lifecycle) cite(dst []byte, e *llm.Event) []byte {
	it := l.open
	if it == nil || !it.speaking || it.said[len(it.said)-1].refusal {
		l.Lose("citations")
		return dst
	}
	p := &it.said[len(it.said)-1]
	source, ok := annotation(e, p.from)
	if !ok {
		l.Lose("citations")
		return dst
	}
	dst = append(l.place(dst, "response.output_text.annotation.added", it), `,"annotation_index":`...)
	dst = strconv.AppendInt(dst, int64(len(p.sources)), 10)
	dst = append(append(append(dst, `,"annotation":`...), source...), "}\n\n"...)
	p.sources = append(p.sources, source)
	l.size += len(source)
	return dst
}

// probabilities says how likely the tokens of the text just said were: with a
// piece of text that adds nothing.
func (l *lifecycle) probabilities(dst []byte, e *llm.Event) []byte {
	it := l.open
	if it == nil || !it.speaking || it.said[len(it.said)-1].refusal {
		l.Lose("logprobs")
		return dst
	}
	p := &it.said[len(it.said)-1]
	if len(p.logprobs) > 0 {
		p.logprobs = append(p.logprobs, ',')
	}
	begin := len(p.logprobs)
	p.logprobs = dialect.AppendLogprobs(p.logprobs, e.Logprobs.Tokens)
	l.size += len(p.logprobs) - begin
	dst = append(l.place(dst, "response.output_text.delta", it), `,"delta":"","logprobs":[`...)
	return append(append(dst, p.logprobs[begin:]...), "]}\n\n"...)
}

// image writes an image as the work of the tool that makes them.
func (l *lifecycle) image(dst []byte, e *llm.Event) []byte {
	if dialect.Own(e, llm.Responses) != nil {
		return l.other(dst, e)
	}
	m := e.Media
	format, ok := strings.CutPrefix(m.Type, "image/")
	if m.Data == "" || !ok {
		l.Lose("media")
		return dst
	}
	l.size += len(m.Data)
	id := "ig_" + l.base + "_" + strconv.Itoa(len(l.items))
	raw := jsonx.AppendString([]byte(`{"type":"image_generation_call","id":`), id)
	raw = jsonx.AppendString(append(raw, `,"status":"completed","output_format":`...), format)
	raw = jsonx.AppendString(append(raw, `,"result":`...), m.Data)
	return l.whole(dst, append(raw, '}'))
}

// other writes an item that only this dialect has.
func (l *lifecycle) other(dst []byte, e *llm.Event) []byte {
	raw := dialect.Own(e, llm.Responses)
	if raw == nil {
		l.Lose(e.Text)
		return dst
	}
	l.size += len(raw)
	return l.whole(dst, dialect.OneLine(raw))
}

// whole writes an item that comes in one piece.
func (l *lifecycle) whole(dst, raw []byte) []byte {
	dst = l.close(dst, l.open, "completed")
	dst, it := l.add(dst, &output{raw: raw})
	return l.close(dst, it, "completed")
}

// reasoning says a piece of reasoning, which is one part of a summary.
func (l *lifecycle) reasoning(dst []byte, text string) []byte {
	if l.open != nil && len(l.open.signature) > 0 {
		dst = l.close(dst, l.open, "completed") // what was signed is complete
	}
	dst = l.become(dst, "reasoning")
	it := l.open
	if len(it.text) == 0 {
		dst = append(l.about(dst, "response.reasoning_summary_part.added", it), `,"summary_index":0,"part":`...)
		dst = append(appendSummary(dst, ""), "}\n\n"...)
	}
	it.text = append(it.text, text...)
	dst = append(l.about(dst, "response.reasoning_summary_text.delta", it), `,"summary_index":0,"delta":`...)
	return append(jsonx.AppendString(dst, text), "}\n\n"...)
}

func (l *lifecycle) sign(dst []byte, signature string) []byte {
	dst = l.become(dst, "reasoning")
	l.open.signature = append(l.open.signature, signature...)
	return dst
}

// redacted says reasoning that only its provider can read.
func (l *lifecycle) redacted(dst []byte, data string) []byte {
	dst = l.close(dst, l.open, "completed")
	dst, it := l.add(dst, &output{kind: "reasoning", sealed: dialect.Seal(llm.Responses, redacted, data)})
	return l.close(dst, it, "completed")
}

// call begins a call. Calls stay open beside each other, because some formats
// interleave them.
func (l *lifecycle) call(dst []byte, e *llm.Event) []byte {
	dst = l.close(dst, l.open, "completed")
	if l.calls == nil {
		l.calls = map[int]*output{}
	}
	it := &output{kind: "function_call", call: *e}
	if it.call.ID == "" {
		it.call.ID = "call_" + l.base + "_" + strconv.Itoa(e.Tool)
	}
	dst, l.calls[e.Tool] = l.add(dst, it)
	return dst
}

func (l *lifecycle) arguments(dst []byte, e *llm.Event) []byte {
	it := l.calls[e.Tool]
	if it == nil || it.done || e.Text == "" {
		return dst
	}
	it.text = append(it.text, e.Text...)
	dst = append(l.about(dst, "response.function_call_arguments.delta", it), `,"delta":`...)
	return append(jsonx.AppendString(dst, e.Text), "}\n\n"...)
}

// blockEnd ends what was begun last. A message may go on with another part.
func (l *lifecycle) blockEnd(dst []byte) []byte {
	n := len(l.items)
	if n == 0 || l.items[n-1].done {
		return dst
	}
	if it := l.items[n-1]; it.kind == "message" {
		return l.endPart(dst, it)
	}
	return l.close(dst, l.items[n-1], "completed")
}

// close says that an item is done; nil and one that is done already are no item
// to close.
func (l *lifecycle) close(dst []byte, it *output, status string) []byte {
	if it == nil || it.done {
		return dst
	}
	if it == l.open {
		l.open = nil
	}
	switch it.kind {
	case "message":
		dst = l.endPart(dst, it)
	case "reasoning":
		dst = l.endReasoning(dst, it)
	case "function_call":
		dst = l.endCall(dst, it)
	}
	it.done, it.status = true, status
	return l.itemEvent(dst, "response.output_item.done", it)
}

func (l *lifecycle) endReasoning(dst []byte, it *output) []byte {
	if len(it.signature) > 0 {
		owner, own := dialect.Unseal(llm.Anthropic, string(it.signature))
		it.sealed = dialect.Seal(llm.Responses, owner, own)
	}
	if len(it.text) == 0 {
		return dst
	}
	text := string(it.text)
	dst = append(l.about(dst, "response.reasoning_summary_text.done", it), `,"summary_index":0,"text":`...)
	dst = append(jsonx.AppendString(dst, text), "}\n\n"...)
	dst = append(l.about(dst, "response.reasoning_summary_part.done", it), `,"summary_index":0,"part":`...)
	return append(appendSummary(dst, text), "}\n\n"...)
}

func (l *lifecycle) endCall(dst []byte, it *output) []byte {
	if len(it.text) == 0 { // no arguments are an empty object, not an empty text
		dst = l.arguments(dst, &llm.Event{Tool: it.call.Tool, Text: "{}"})
	}
	dst = append(l.about(dst, "response.function_call_arguments.done", it), `,"name":`...)
	dst = jsonx.AppendString(dst, it.call.Name)
	dst = append(dst, `,"arguments":`...)
	return append(jsonx.AppendString(dst, string(it.text)), "}\n\n"...)
}

// closeAll ends the items that are open, in their order.
func (l *lifecycle) closeAll(dst []byte, status string) []byte {
	for _, it := range l.items {
		dst = l.close(dst, it, status)
	}
	return dst
}

func appendSummary(dst []byte, text string) []byte {
	dst = append(dst, `{"type":"summary_text","text":`...)
	return append(jsonx.AppendString(dst, text), '}')
}

func (p *spoken) append(dst []byte) []byte {
	if p.refusal {
		dst = append(dst, `{"type":"refusal","refusal":`...)
		return append(jsonx.AppendString(dst, string(p.text)), '}')
	}
	dst = append(dst, `{"type":"output_text","text":`...)
	dst = jsonx.AppendString(dst, string(p.text))
	dst = append(dst, `,"annotations":[`...)
	for i, source := range p.sources {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, source...)
	}
	return append(append(append(dst, `],"logprobs":[`...), p.logprobs...), "]}"...)
}

// append appends the item. What is still open is empty: its text comes in
// deltas.
func (it *output) append(dst []byte) []byte {
	if it.raw != nil {
		return append(dst, it.raw...)
	}
	dst = append(append(dst, `{"id":"`...), it.id...)
	dst = append(append(dst, `","type":"`...), it.kind...)
	switch it.kind {
	case "message":
		dst = append(append(dst, `","status":"`...), it.status...)
		dst = append(dst, `","role":"assistant","content":[`...)
		for i := range it.said {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = it.said[i].append(dst)
		}
		return append(dst, "]}"...)
	case "reasoning":
		dst = append(dst, `","summary":[`...)
		if len(it.text) > 0 {
			dst = appendSummary(dst, string(it.text))
		}
		dst = append(dst, `],"encrypted_content":`...)
		return append(jsonx.AppendOrNull(dst, it.sealed), '}')
	}
	dst = append(append(dst, `","status":"`...), it.status...)
	dst = append(dst, `","call_id":`...)
	dst = jsonx.AppendString(dst, it.call.ID)
	dst = append(dst, `,"name":`...)
	dst = jsonx.AppendString(dst, it.call.Name)
	dst = append(dst, `,"arguments":`...)
	return append(jsonx.AppendString(dst, string(it.text)), '}')
}
