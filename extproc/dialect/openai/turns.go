package openai

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// messages writes the instructions and the turns.
func (w *writer) messages() error {
	w.key("messages")
	w.dst = append(w.dst, '[')
	if len(w.Request.System) > 0 {
		if err := w.instructions(w.Request.System); err != nil {
			return err
		}
	}
	last := len(w.Request.Messages) - 1
	for i, m := range w.Request.Messages {
		var err error
		switch m.Role {
		case llm.RoleSystem:
			err = w.instructions(m.Parts)
		case llm.RoleAssistant:
			if i == last && w.target.Rules.NoPrefill {
				return llm.Unsupported(w.Name("messages"), "the model %s does not go on with an assistant's message", w.target.Model)
			}
			err = w.assistant(m)
		default:
			err = w.user(m)
		}
		if err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

// message begins a message and says who speaks.
func (w *writer) message(role, name string) {
	if w.dst[len(w.dst)-1] == '}' {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(w.dst, `{"role":"`...)
	w.dst = append(append(w.dst, role...), '"')
	if name != "" {
		w.text("name", name)
	}
}

func (w *writer) instructions(parts []llm.Part) error {
	role := w.target.Rules.SystemRole
	if role == "" {
		role = "system"
	}
	return w.turn(role, "", parts)
}

// turn writes a message of parts, if there are any. A single text is a string,
// which all servers understand.
func (w *writer) turn(role, name string, parts []llm.Part) error {
	if slices.IndexFunc(parts, hasContent) < 0 {
		return nil
	}
	w.message(role, name)
	if err := w.content(parts); err != nil {
		return err
	}
	w.dst = append(w.dst, '}')
	return nil
}

// hasContent reports whether a part says anything: other formats refuse empty
// texts, and here they would be noise.
func hasContent(p llm.Part) bool { return p.Kind != llm.PartText || p.Text != "" }

func (w *writer) content(parts []llm.Part) error {
	w.key("content")
	marked := w.target.Rules.CacheMarks && parts[0].Cache != nil
	if len(parts) == 1 && parts[0].Kind == llm.PartText && !marked {
		w.cache(parts[0].Cache)
		w.dst = jsonx.AppendString(w.dst, parts[0].Text)
		return nil
	}
	w.dst = append(w.dst, '[')
	for i := range parts {
		if !hasContent(parts[i]) {
			continue
		}
		if w.dst[len(w.dst)-1] == '}' {
			w.dst = append(w.dst, ',')
		}
		if err := w.part(&parts[i]); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

func (w *writer) part(p *llm.Part) error {
	if err := w.unmarked(p); err != nil {
		return err
	}
	w.mark(p.Cache)
	return nil
}

func (w *writer) unmarked(p *llm.Part) error {
	switch p.Kind {
	case llm.PartText, llm.PartRefusal:
		w.dst = append(w.dst, `{"type":"text","text":`...)
		w.dst = append(jsonx.AppendString(w.dst, p.Text), '}')
		return nil
	case llm.PartImage, llm.PartAudio, llm.PartFile:
		return w.media(p)
	}
	return w.Refuse(p, "here")
}

func (w *writer) media(p *llm.Part) error {
	if err := w.CheckMedia(p, &w.target.Rules); err != nil {
		return err
	}
	switch p.Kind {
	case llm.PartImage:
		return w.image(p)
	case llm.PartAudio:
		return w.audio(p)
	}
	return w.file(p)
}

func (w *writer) image(p *llm.Part) error {
	m := &p.Media
	if m.Data == "" && m.URL == "" {
		return w.otherFile(p)
	}
	w.dst = append(w.dst, `{"type":"image_url","image_url":{"url":`...)
	w.link(m)
	if m.Detail != "" {
		w.text("detail", m.Detail)
	}
	w.dst = append(w.dst, "}}"...)
	return nil
}

func (w *writer) otherFile(p *llm.Part) error {
	return llm.Unsupported(w.Place(p.Raw, "messages"), "a file that was uploaded to another provider cannot be sent")
}

// link writes a URL, or the bytes as a data URL. Neither is known to be what it
// should, so both are written as any text.
func (w *writer) link(m *llm.Media) {
	link := m.URL
	if m.Data != "" {
		link = "data:" + m.Type + ";base64," + m.Data
	}
	w.dst = jsonx.AppendString(w.dst, link)
}

func (w *writer) audio(p *llm.Part) error {
	m := &p.Media
	for format, mediaType := range audioTypes {
		if m.Data != "" && (m.Type == mediaType || m.Type == "audio/"+format) {
			w.dst = append(w.dst, `{"type":"input_audio","input_audio":{"data":`...)
			w.dst = jsonx.AppendString(w.dst, m.Data)
			w.text("format", format)
			w.dst = append(w.dst, "}}"...)
			return nil
		}
	}
	return llm.Unsupported(w.Place(p.Raw, "messages"), "Chat Completions takes sound as WAV or MP3 only, and not by link")
}

// file writes a document. What is plain text goes as text: the format takes
// nothing but PDF as a file.
func (w *writer) file(p *llm.Part) error {
	m := &p.Media
	switch {
	case m.Data == "" && m.URL != "":
		return llm.Unsupported(w.Place(p.Raw, "messages"), "Chat Completions takes no links to files")
	case m.Data == "":
		return w.otherFile(p)
	case strings.HasPrefix(m.Type, "text/"):
		text, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil {
			return llm.Invalid(w.Place(p.Raw, "messages"), "is not base64")
		}
		return w.part(&llm.Part{Text: string(text)})
	}
	name := m.Name
	if name == "" {
		name = "document.pdf" // bytes without a name are refused
	}
	w.dst = append(w.dst, `{"type":"file","file":{"filename":`...)
	w.dst = jsonx.AppendString(w.dst, name)
	w.key("file_data")
	w.link(m)
	w.dst = append(w.dst, "}}"...)
	return nil
}

// user writes the results of tools, each a message, and then the rest.
func (w *writer) user(m llm.Message) error {
	var rest, media []llm.Part
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != llm.PartToolResult {
			rest = append(rest, *p)
			continue
		}
		if w.dst[len(w.dst)-1] == '}' {
			w.dst = append(w.dst, ',')
		}
		w.cache(p.Cache)
		w.dst = append(w.dst, `{"role":"tool","tool_call_id":`...)
		w.dst = jsonx.AppendString(w.dst, p.ID)
		text, others, err := w.resultText(p)
		if err != nil {
			return err
		}
		w.text("content", text)
		w.dst = append(w.dst, '}')
		media = append(media, others...)
	}
	return w.turn("user", m.Name, append(media, rest...))
}

// resultText is what a tool message can hold of a result, which is text alone.
// Its images follow in a message of the user.
func (w *writer) resultText(p *llm.Part) (text string, media []llm.Part, err error) {
	var b strings.Builder
	if p.IsError {
		b.WriteString("Error: ")
	}
	for i := range p.Parts {
		switch q := &p.Parts[i]; q.Kind {
		case llm.PartText:
			b.WriteString(q.Text)
		case llm.PartImage, llm.PartFile, llm.PartAudio:
			media = append(media, *q)
		default:
			return "", nil, w.Refuse(q, "in a tool result")
		}
	}
	if b.Len() == 0 && len(media) > 0 {
		b.WriteString("The result follows in the next message.")
	}
	return b.String(), media, nil
}

// assistant writes a turn of the model. Its texts become one, as they do in
// answers.
func (w *writer) assistant(m llm.Message) error {
	var text, thoughts strings.Builder
	var calls []llm.Part
	var details []byte
	for i := range m.Parts {
		p := &m.Parts[i]
		w.cache(p.Cache)
		switch p.Kind {
		case llm.PartText, llm.PartRefusal:
			text.WriteString(p.Text)
		case llm.PartReasoning:
			if more, ok := appendDetail(details, p); ok && w.target.Rules.ReasoningDetails {
				details = more
				continue
			}
			thoughts.WriteString(p.Text)
		case llm.PartRedacted:
			w.Warn("messages.reasoning", "left out: only its own provider can read it")
		case llm.PartToolCall:
			calls = append(calls, *p)
		default:
			return w.Refuse(p, "here")
		}
	}
	member := w.target.Rules.ReasoningField
	if thoughts.Len() > 0 && member == "" {
		w.Warn("messages.reasoning", "left out: the target takes no reasoning back")
	}
	if text.Len() == 0 && len(calls) == 0 {
		return nil
	}
	w.message("assistant", m.Name)
	if text.Len() > 0 {
		w.text("content", text.String())
	} else {
		w.dst = append(w.dst, `,"content":null`...)
	}
	if thoughts.Len() > 0 && member != "" {
		w.text(member, thoughts.String())
	}
	if len(details) > 0 {
		w.key("reasoning_details")
		w.dst = append(append(append(w.dst, '['), details...), ']')
	}
	w.calls(calls)
	w.dst = append(w.dst, '}')
	return nil
}

func (w *writer) calls(calls []llm.Part) {
	if len(calls) == 0 {
		return
	}
	w.key("tool_calls")
	for i, p := range calls {
		w.dst = append(w.dst, "[,"[min(i, 1)])
		w.dst = append(w.dst, `{"id":`...)
		w.dst = jsonx.AppendString(w.dst, p.ID)
		w.dst = append(w.dst, `,"type":"function","function":{"name":`...)
		w.dst = jsonx.AppendString(w.dst, p.Name)
		args := p.Text
		if args == "" {
			args = "{}"
		}
		w.text("arguments", args)
		w.dst = append(w.dst, "}}"...)
	}
	w.dst = append(w.dst, ']')
}
