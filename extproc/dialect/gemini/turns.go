package gemini

import (
	"bytes"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A turn is what one side says at a stretch.
type turn struct {
	role  llm.Role
	parts []llm.Part
}

// turnsOf merges the messages into turns. A system message between turns becomes
// text of the user, in <system> tags, at its place.
func turnsOf(r *llm.Request) (out []turn) {
	for _, m := range r.Messages {
		role, parts := m.Role, m.Parts
		if role == llm.RoleSystem {
			role, parts = llm.RoleUser, slices.Clone(parts)
			for i := range parts {
				parts[i].Text = "<system>\n" + parts[i].Text + "\n</system>"
			}
		}
		if n := len(out); n > 0 && out[n-1].role == role {
			out[n-1].parts = append(out[n-1].parts[:len(out[n-1].parts):len(out[n-1].parts)], parts...)
			continue
		}
		out = append(out, turn{role, parts})
	}
	return out
}

// turn writes what one side says: first the results that the calls before it
// want, as many as calls and in their order, then the rest.
func (e *requestEncoder) turn(t turn) error {
	if t.role == llm.RoleAssistant {
		return e.model(t.parts)
	}
	rest, err := e.results(t.parts)
	if err != nil {
		return err
	}
	return e.content("user", func() error {
		for i := range rest {
			if err := e.part(&rest[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// content writes one content, unless its parts turn out to be none.
func (e *requestEncoder) content(role string, parts func() error) error {
	begin := len(e.dst)
	e.separate()
	e.dst = append(append(append(e.dst, `{"role":"`...), role...), `","parts":[`...)
	empty := len(e.dst)
	if err := parts(); err != nil {
		return err
	}
	if len(e.dst) == empty {
		e.dst = e.dst[:begin]
		return nil
	}
	e.dst = append(e.dst, "]}"...)
	return nil
}

// separate writes the comma between two elements of a list.
func (e *requestEncoder) separate() {
	if e.dst[len(e.dst)-1] != '[' {
		e.dst = append(e.dst, ',')
	}
}

// part writes a part of the user.
func (e *requestEncoder) part(p *llm.Part) error {
	e.cache(p.Cache)
	switch p.Kind {
	case llm.PartText, llm.PartRefusal:
		e.text(p.Text, false, ours(p.Signature))
		return nil
	case llm.PartImage, llm.PartAudio, llm.PartFile:
		return e.media(p)
	}
	return e.Refuse(p, "")
}

// text writes a text, which may stand empty to hold a signature only.
func (e *requestEncoder) text(text string, thought bool, signature string) {
	if text == "" && signature == "" {
		return
	}
	e.separate()
	e.dst = jsonx.AppendString(append(e.dst, `{"text":`...), text)
	if thought {
		e.dst = append(e.dst, `,"thought":true`...)
	}
	e.sign(signature)
	e.dst = append(e.dst, '}')
}

func (e *requestEncoder) sign(signature string) {
	if signature != "" {
		e.dst = jsonx.AppendString(append(e.dst, `,"thoughtSignature":`...), signature)
	}
}

// unsigned stands for the signature of a call that another provider's model
// made. Without one, newer models refuse the conversation.
const unsigned = "skip_thought_signature_validator"

// model writes a turn of the model. A signature without a text belongs to the
// call behind it. Of several calls the first has the signature.
func (e *requestEncoder) model(parts []llm.Part) error {
	e.open = nil
	carried := ""
	return e.content("model", func() error {
		for i := range parts {
			p := &parts[i]
			e.cache(p.Cache)
			switch p.Kind {
			case llm.PartReasoning:
				signature := ours(p.Signature)
				switch {
				case signature == "":
					e.Warn("messages.reasoning", "left out: the API takes back only reasoning that Google has signed")
				case p.Text == "" && i+1 < len(parts) && parts[i+1].Kind == llm.PartToolCall && parts[i+1].Signature == "":
					carried = signature
				default:
					e.text(p.Text, p.Text != "", signature)
				}
			case llm.PartRedacted:
				e.Warn("messages.reasoning", "left out: only its own provider can read it")
			case llm.PartToolCall:
				signature := ours(p.Signature)
				if signature == "" {
					signature, carried = carried, ""
				}
				if signature == "" && e.rules.SignedCalls && len(e.open) == 0 {
					signature = unsigned
				}
				e.call(p, signature)
			default:
				if err := e.part(p); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (e *requestEncoder) call(p *llm.Part, signature string) {
	args, ok := dialect.ArgumentsObject(p.Text)
	if !ok {
		e.Warn("messages.tool_calls", "arguments that are no JSON object were sent as the text that they are")
	}
	e.names[p.ID] = p.Name
	e.open = append(e.open, p.ID)
	e.separate()
	e.dst = append(e.dst, `{"functionCall":{`...)
	if p.ID != "" {
		e.key("id")
		e.dst = jsonx.AppendString(e.dst, p.ID)
	}
	e.key("name")
	e.dst = jsonx.AppendString(e.dst, p.Name)
	e.value("args", string(args))
	e.dst = append(e.dst, '}')
	e.sign(signature)
	e.dst = append(e.dst, '}')
}

// results writes the results among the parts, one for each call that waits for
// one, and returns the other parts. Images of results go with these.
func (e *requestEncoder) results(parts []llm.Part) (rest []llm.Part, err error) {
	byID := map[string]*llm.Part{}
	var order []string
	for i := range parts {
		p := &parts[i]
		if p.Kind != llm.PartToolResult {
			rest = append(rest, *p)
			continue
		}
		if byID[p.ID] == nil && !slices.Contains(e.open, p.ID) {
			order = append(order, p.ID) // to a call of an earlier turn
		}
		byID[p.ID] = p
	}
	var media []llm.Part
	err = e.content("user", func() error {
		for _, id := range append(e.open, order...) {
			p := byID[id]
			if p == nil {
				e.Warn("messages", "a tool call without a result got one that says so")
				p = &llm.Part{ID: id, IsError: true, Parts: []llm.Part{{Text: "the call was not answered"}}}
			}
			more, err := e.result(p)
			if err != nil {
				return err
			}
			media = append(media, more...)
		}
		return nil
	})
	e.open = nil
	return append(media, rest...), err
}

// result writes one result and returns its media.
func (e *requestEncoder) result(p *llm.Part) (media []llm.Part, err error) {
	e.cache(p.Cache)
	name := e.names[p.ID]
	if name == "" {
		name = p.Name
	}
	if name == "" {
		return nil, llm.Invalid(e.Place(p.Raw, "messages"), "is the result of a tool call that the conversation does not hold")
	}
	var text strings.Builder
	for i := range p.Parts {
		switch q := &p.Parts[i]; q.Kind {
		case llm.PartText:
			text.WriteString(q.Text)
		case llm.PartImage, llm.PartAudio, llm.PartFile:
			media = append(media, *q)
		default:
			return nil, e.Refuse(q, "in a tool result")
		}
	}
	if text.Len() == 0 && len(media) > 0 {
		text.WriteString("The result follows.")
	}
	e.separate()
	e.dst = append(e.dst, `{"functionResponse":{`...)
	if p.ID != "" {
		e.key("id")
		e.dst = jsonx.AppendString(e.dst, p.ID)
	}
	e.key("name")
	e.dst = jsonx.AppendString(e.dst, name)
	e.key("response")
	e.dst = append(appendResult(e.dst, text.String(), p.IsError), "}}"...)
	return media, nil
}

// appendResult writes what a tool returned, as the object that the API wants.
// One with a reference in it goes as text, because the API would follow that.
func appendResult(dst []byte, text string, isError bool) []byte {
	key := `{"output":`
	raw, ok := dialect.ArgumentsObject(text)
	switch {
	case isError:
		key = `{"error":`
	case ok && strings.TrimSpace(text) != "" && !bytes.Contains(raw, []byte(`"$ref"`)):
		return append(dst, raw...)
	}
	return append(jsonx.AppendString(append(dst, key...), text), '}')
}

// cache says that a mark was left out.
func (e *requestEncoder) cache(c *llm.Cache) {
	if c != nil {
		e.Warn("cache_control", "left out: prompts are cached without marks")
	}
}
