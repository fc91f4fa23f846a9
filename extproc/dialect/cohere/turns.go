package cohere

import (
	"encoding/base64"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// messages writes the instructions and the turns.
func (e *encoder) messages() error {
	e.dst = append(e.dst, `,"messages":[`...)
	if err := e.turn("system", e.Request.System); err != nil {
		return err
	}
	for _, m := range e.Request.Messages {
		if m.Name != "" {
			e.Warn("messages.name", "left out: "+api+" knows no names of speakers")
		}
		write := e.user
		switch m.Role {
		case llm.RoleSystem:
			write = func(parts []llm.Part) error { return e.turn("system", parts) }
		case llm.RoleAssistant:
			write = e.assistant
		}
		if err := write(m.Parts); err != nil {
			return err
		}
	}
	if e.dst[len(e.dst)-1] == '[' {
		return llm.Invalid(e.Name("messages"), "hold nothing")
	}
	e.dst = append(e.dst, ']')
	return nil
}

// next begins another element of a list.
func (e *encoder) next() {
	if e.dst[len(e.dst)-1] != '[' {
		e.dst = append(e.dst, ',')
	}
}

// turn writes a message of a role, if it says anything. A single text is a
// string.
func (e *encoder) turn(role string, parts []llm.Part) error {
	var said []*llm.Part
	for i := range parts {
		if p := &parts[i]; p.Kind != llm.PartText || p.Text != "" {
			said = append(said, p)
		}
	}
	if len(said) == 0 {
		return nil
	}
	e.next()
	e.dst = append(append(append(e.dst, `{"role":"`...), role...), `","content":`...)
	if len(said) == 1 && said[0].Kind == llm.PartText {
		e.marked(said[0].Cache)
		e.dst = append(jsonx.AppendString(e.dst, said[0].Text), '}')
		return nil
	}
	e.dst = append(e.dst, '[')
	for _, p := range said {
		e.next()
		if err := e.part(role, p); err != nil {
			return err
		}
	}
	e.dst = append(e.dst, "]}"...)
	return nil
}

func (e *encoder) part(role string, p *llm.Part) error {
	e.marked(p.Cache)
	switch {
	case p.Kind == llm.PartText, p.Kind == llm.PartRefusal:
		e.textPart(p.Text)
		return nil
	case role != "user":
		return e.Refuse(p, "in a message of the "+role)
	case p.Kind == llm.PartImage:
		return e.image(p)
	case p.Kind == llm.PartFile && strings.HasPrefix(p.Media.Type, "text/") && p.Media.Data != "":
		text, err := base64.StdEncoding.DecodeString(p.Media.Data)
		if err != nil {
			return llm.Invalid(e.Place(p.Raw, "messages"), "is not base64")
		}
		e.textPart(string(text))
		return nil
	}
	return e.Refuse(p, "")
}

func (e *encoder) textPart(text string) {
	e.dst = append(jsonx.AppendString(append(e.dst, `{"type":"text","text":`...), text), '}')
}

// details are the levels of detail that the API knows.
var details = map[string]bool{"auto": true, "low": true, "high": true}

func (e *encoder) image(p *llm.Part) error {
	m := &p.Media
	link := m.URL
	switch {
	case m.Data != "":
		link = "data:" + m.Type + ";base64," + m.Data
	case link == "":
		return llm.Unsupported(e.Place(p.Raw, "messages"), "a file that was uploaded to another provider cannot be sent")
	}
	e.dst = jsonx.AppendString(append(e.dst, `{"type":"image_url","image_url":{"url":`...), link)
	switch {
	case details[m.Detail]:
		e.text("detail", m.Detail)
	case m.Detail != "":
		e.Warn("image_url.detail", "left out: "+api+" knows auto, low and high")
	}
	e.dst = append(e.dst, "}}"...)
	return nil
}

// user writes the results of tools, each a message, and then the rest. Images
// of results are the user's: a tool's message has none.
func (e *encoder) user(parts []llm.Part) error {
	var media, rest []llm.Part
	for i := range parts {
		p := &parts[i]
		if p.Kind != llm.PartToolResult {
			rest = append(rest, *p)
			continue
		}
		images, err := e.result(p)
		if err != nil {
			return err
		}
		media = append(media, images...)
	}
	return e.turn("user", append(media, rest...))
}

// result writes the result of a tool and returns what of it the user must say.
func (e *encoder) result(p *llm.Part) (media []llm.Part, err error) {
	e.marked(p.Cache)
	var text strings.Builder
	if p.IsError {
		text.WriteString("Error: ")
	}
	for i := range p.Parts {
		switch q := &p.Parts[i]; q.Kind {
		case llm.PartText:
			text.WriteString(q.Text)
		case llm.PartImage, llm.PartFile:
			media = append(media, *q)
		default:
			return nil, e.Refuse(q, "in the result of a tool")
		}
	}
	if text.Len() == 0 && len(media) > 0 {
		text.WriteString("The result follows in the next message.")
	}
	e.next()
	e.dst = jsonx.AppendString(append(e.dst, `{"role":"tool","tool_call_id":`...), p.ID)
	e.text("content", text.String())
	e.dst = append(e.dst, '}')
	return media, nil
}

// assistant writes a turn of the model. What it said before it called tools is
// its plan.
func (e *encoder) assistant(parts []llm.Part) error {
	var said, thoughts strings.Builder
	var calls []*llm.Part
	for i := range parts {
		p := &parts[i]
		e.marked(p.Cache)
		switch p.Kind {
		case llm.PartText, llm.PartRefusal:
			said.WriteString(p.Text)
		case llm.PartReasoning:
			thoughts.WriteString(p.Text)
		case llm.PartRedacted:
			e.Warn("messages.reasoning", "left out: only its own provider can read it")
		case llm.PartToolCall:
			calls = append(calls, p)
		default:
			return e.Refuse(p, "in a message of the assistant")
		}
	}
	if thoughts.Len() > 0 && !e.target.Rules.Reasons {
		e.Warn("messages.reasoning", "left out: the model does not reason")
		thoughts.Reset()
	}
	if said.Len() == 0 && thoughts.Len() == 0 && len(calls) == 0 {
		return nil
	}
	e.next()
	e.dst = append(e.dst, `{"role":"assistant"`...)
	text := said.String()
	if len(calls) > 0 && text != "" {
		e.text("tool_plan", text)
		text = ""
	}
	e.said(thoughts.String(), text)
	e.calls(calls)
	e.dst = append(e.dst, '}')
	return nil
}

// said writes the content of an assistant's message.
func (e *encoder) said(thoughts, text string) {
	switch {
	case thoughts == "" && text == "":
	case thoughts == "":
		e.text("content", text)
	default:
		e.key("content")
		e.dst = append(jsonx.AppendString(append(e.dst, `[{"type":"thinking","thinking":`...), thoughts), '}')
		if text != "" {
			e.next()
			e.textPart(text)
		}
		e.dst = append(e.dst, ']')
	}
}

func (e *encoder) calls(calls []*llm.Part) {
	if len(calls) == 0 {
		return
	}
	e.dst = append(e.dst, `,"tool_calls":[`...)
	for _, p := range calls {
		e.next()
		e.dst = jsonx.AppendString(append(e.dst, `{"id":`...), p.ID)
		e.dst = jsonx.AppendString(append(e.dst, `,"type":"function","function":{"name":`...), p.Name)
		args := p.Text
		if args == "" {
			args = "{}"
		}
		e.text("arguments", args)
		e.dst = append(e.dst, "}}"...)
	}
	e.dst = append(e.dst, ']')
}
