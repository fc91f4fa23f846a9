package responses

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// input writes the instructions and the turns as items.
func (w *writer) input() error {
	w.key("input")
	w.dst = append(w.dst, '[')
	if err := w.message(w.systemRole(), w.Request.System); err != nil {
		return err
	}
	last := len(w.Request.Messages) - 1
	for i, m := range w.Request.Messages {
		if m.Name != "" {
			w.Warn("messages.name", "left out: the Responses API knows no names of speakers")
		}
		var err error
		switch m.Role {
		case llm.RoleSystem:
			err = w.message(w.systemRole(), m.Parts)
		case llm.RoleAssistant:
			if i == last && w.target.Rules.NoPrefill {
				return llm.Unsupported(fmt.Sprintf("messages[%d]", i), "the model %s does not go on with an assistant's message", w.target.Model)
			}
			err = w.assistant(m.Parts)
		default:
			err = w.user(m.Parts)
		}
		if err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

func (w *writer) systemRole() string {
	if role := w.target.Rules.SystemRole; role != "" {
		return role
	}
	return "system"
}

// open begins an element of a list.
func (w *writer) open(start string) {
	if w.dst[len(w.dst)-1] != '[' {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(w.dst, start...)
}

// message writes parts as a message, if they say anything.
func (w *writer) message(role string, parts []llm.Part) error {
	begun := false
	for i := range parts {
		p := &parts[i]
		if p.Kind == llm.PartText && p.Text == "" {
			continue
		}
		if !begun {
			begun = true
			w.open(`{"type":"message","role":"` + role + `","content":[`)
		}
		if err := w.part(p); err != nil {
			return err
		}
	}
	if begun {
		w.dst = append(w.dst, "]}"...)
	}
	return nil
}

func (w *writer) part(p *llm.Part) error {
	if err := w.unmarked(p); err != nil {
		return err
	}
	switch {
	case p.Cache == nil:
	case w.target.Rules.CacheMarks:
		w.dst = append(dialect.AppendBreakpoint(w.dst[:len(w.dst)-1], w.marks.Next(p.Cache)), '}')
	default:
		w.cache(p.Cache)
	}
	return nil
}

func (w *writer) unmarked(p *llm.Part) error {
	if err := w.CheckMedia(p, &w.target.Rules); err != nil {
		return err
	}
	switch p.Kind {
	case llm.PartText, llm.PartRefusal:
		w.open(`{"type":"input_text"`)
		w.text("text", p.Text)
		w.dst = append(w.dst, '}')
		return nil
	case llm.PartImage:
		return w.image(p)
	case llm.PartFile:
		return w.file(p)
	}
	return w.Refuse(p, "here")
}

func (w *writer) image(p *llm.Part) error {
	m := &p.Media
	if m.Data == "" && m.URL == "" {
		return w.elsewhere(p)
	}
	detail := m.Detail
	if detail == "" {
		detail = "auto" // the format demands one
	}
	w.open(`{"type":"input_image","image_url":`)
	w.link(m)
	w.text("detail", detail)
	w.dst = append(w.dst, '}')
	return nil
}

func (w *writer) elsewhere(p *llm.Part) error {
	return llm.Unsupported(w.Place(p.Raw, "messages"), "a file that was uploaded to another provider cannot be sent")
}

// link writes a URL, or the bytes as a data URL.
func (w *writer) link(m *llm.Media) {
	if m.Data == "" {
		w.dst = jsonx.AppendString(w.dst, m.URL)
		return
	}
	w.dst = append(append(w.dst, `"data:`...), m.Type...)
	w.dst = append(append(w.dst, ";base64,"...), m.Data...)
	w.dst = append(w.dst, '"')
}

// file writes a document. What is plain text goes as text: the API reads
// nothing but PDF as a file.
func (w *writer) file(p *llm.Part) error {
	m := &p.Media
	switch {
	case m.Data == "" && m.URL == "":
		return w.elsewhere(p)
	case m.Data == "":
		w.open(`{"type":"input_file","file_url":`)
		w.dst = append(jsonx.AppendString(w.dst, m.URL), '}')
		return nil
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
	w.open(`{"type":"input_file","filename":`)
	w.dst = jsonx.AppendString(w.dst, name)
	w.key("file_data")
	w.link(m)
	w.dst = append(w.dst, '}')
	return nil
}

// user writes the results of tools, each an item, and then the rest.
func (w *writer) user(parts []llm.Part) error {
	var rest []llm.Part
	for i := range parts {
		if parts[i].Kind != llm.PartToolResult {
			rest = append(rest, parts[i])
		} else if err := w.result(&parts[i]); err != nil {
			return err
		}
	}
	return w.message("user", rest)
}

func (w *writer) result(p *llm.Part) error {
	w.cache(p.Cache)
	w.open(`{"type":"function_call_output"`)
	w.text("call_id", callID(p.ID))
	w.key("output")
	prefix := ""
	if p.IsError {
		prefix = "Error: " // there is no other place for it
	}
	var b strings.Builder
	for i := range p.Parts {
		if p.Parts[i].Kind != llm.PartText {
			return w.mixedResult(prefix, p.Parts)
		}
		w.cache(p.Parts[i].Cache)
		b.WriteString(p.Parts[i].Text)
	}
	w.dst = append(jsonx.AppendString(w.dst, prefix+b.String()), '}')
	return nil
}

// mixedResult writes a result with more in it than text.
func (w *writer) mixedResult(prefix string, parts []llm.Part) error {
	w.dst = append(w.dst, '[')
	if prefix != "" {
		parts = append([]llm.Part{{Text: strings.TrimSuffix(prefix, ": ")}}, parts...)
	}
	for i := range parts {
		if err := w.part(&parts[i]); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, "]}"...)
	return nil
}

// assistant writes a turn of the model: its texts as messages, reasoning and
// calls as items of their own, in order.
func (w *writer) assistant(parts []llm.Part) error {
	var text strings.Builder
	for i := range parts {
		p := &parts[i]
		switch p.Kind {
		case llm.PartText, llm.PartRefusal:
			w.cache(p.Cache)
			text.WriteString(p.Text)
			continue
		}
		w.answered(&text)
		switch p.Kind {
		case llm.PartToolCall:
			w.call(p)
		case llm.PartReasoning, llm.PartRedacted:
			w.thought(p)
		default:
			return w.Refuse(p, "here")
		}
	}
	w.answered(&text)
	return nil
}

// answered writes what the model has said, as one string: parts of an answer
// have ids and states, which other dialects do not keep.
func (w *writer) answered(text *strings.Builder) {
	if text.Len() > 0 {
		w.open(`{"type":"message","role":"assistant"`)
		w.text("content", text.String())
		w.dst = append(w.dst, '}')
		text.Reset()
	}
}

func (w *writer) call(p *llm.Part) {
	w.cache(p.Cache)
	args := p.Text
	if args == "" {
		args = "{}"
	}
	w.open(`{"type":"function_call"`)
	w.text("call_id", callID(p.ID))
	w.text("name", p.Name)
	w.text("arguments", args)
	w.dst = append(w.dst, '}')
}

// thought gives a provider of this dialect its own reasoning back. Another's it
// could not read.
func (w *writer) thought(p *llm.Part) {
	owner, own := dialect.Unseal(llm.Anthropic, p.Signature)
	if owner != llm.Responses || own == "" {
		w.Warn("messages.reasoning", "left out: the target takes back only its own reasoning")
		return
	}
	w.open(`{"type":"reasoning","summary":[`)
	if p.Text != "" {
		w.dst = append(w.dst, `{"type":"summary_text","text":`...)
		w.dst = append(jsonx.AppendString(w.dst, p.Text), '}')
	}
	w.dst = append(w.dst, ']')
	w.text("encrypted_content", own)
	w.dst = append(w.dst, '}')
}

// maxCallID is the longest id of a call that OpenAI takes.
const maxCallID = 64

// callID shortens ids, so that a call and its result still agree.
func callID(id string) string {
	if len(id) <= maxCallID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "call_" + hex.EncodeToString(sum[:16])
}
