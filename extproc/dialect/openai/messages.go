package openai

import (
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// message is one message while it is read: what its members mean depends on
// its role, which may come last.
type message struct {
	role, name, callID string
	named              llm.Span // where the name stands
	content            []llm.Part
	refusal            []llm.Part
	reasoning          []llm.Part
	thinking           []llm.Part // of thinking_blocks
	calls              []llm.Part
	cache              *llm.Cache
}

func (in *reading) message(int) error {
	in.asked = true
	var m message
	err := in.Object(func(name []byte) error {
		if in.Null() {
			return nil
		}
		return in.messageMember(&m, name)
	})
	if err != nil {
		return err
	}
	if n := len(m.content); m.cache != nil && n > 0 {
		m.content[n-1].Cache = m.cache
	}
	return in.turn(&m)
}

func (in *reading) messageMember(m *message, name []byte) (err error) {
	switch string(name) {
	case "role":
		m.role, err = in.String()
	case "name":
		in.Kind() // skips white space
		m.named.Start = in.Offset()
		m.name, err = in.String()
		m.named.End = in.Offset()
	case "content":
		m.content, err = in.content()
	case "refusal":
		m.refusal, err = in.textParts(llm.PartRefusal)
	case "reasoning_content", "reasoning":
		if m.reasoning == nil {
			m.reasoning, err = in.textParts(llm.PartReasoning)
		} else {
			_, err = in.Skip() // the same text by its other name
		}
	case "thinking_blocks":
		err = in.Array(func(int) error { return in.thinkingBlock(m) })
	case "tool_calls":
		err = in.Array(func(int) error { return in.toolCall(m) })
	case "tool_call_id":
		m.callID, err = in.String()
	case "cache_control":
		m.cache, err = in.cache()
	default:
		err = in.unknown()
	}
	return err
}

// turn gives a message its canonical form.
func (in *reading) turn(m *message) error {
	q := in.req
	add := func(role llm.Role, name string, parts ...llm.Part) {
		in.begun = true
		q.Messages = append(q.Messages, llm.Message{Role: role, Name: name, Parts: parts})
	}
	switch m.role {
	case "system", "developer":
		if in.begun {
			add(llm.RoleSystem, m.name, m.content...)
		} else {
			q.System = append(q.System, m.content...)
			if m.name != "" { // which canonical instructions have no place for
				in.extra = append(in.extra, llm.Member{Name: in.Path() + ".name", Value: m.named})
			}
		}
	case "user":
		add(llm.RoleUser, m.name, m.content...)
	case "assistant":
		add(llm.RoleAssistant, m.name, m.assistant()...)
	case "tool":
		if m.callID == "" && m.content == nil {
			return in.missing("tool_call_id")
		}
		add(llm.RoleUser, "", llm.Part{Kind: llm.PartToolResult, ID: m.callID, Name: m.name, Parts: m.content})
	case "function":
		add(llm.RoleUser, "", llm.Part{Kind: llm.PartOther, Type: "function", Name: m.name, Parts: m.content})
	case "":
		return in.missing("role")
	default:
		return llm.Invalid(in.Path()+".role", "must be one of system, developer, user, assistant, tool, function")
	}
	return nil
}

func (m *message) assistant() []llm.Part {
	parts := m.reasoned()
	parts = append(parts, m.content...)
	parts = append(parts, m.refusal...)
	return append(parts, m.calls...)
}

// reasoned returns the reasoning with its signatures, where the client sent
// them back. A client that collects a stream's deltas has the text in
// reasoning_content and the signature in a block without text.
func (m *message) reasoned() []llm.Part {
	var text string
	var blocks []llm.Part
	open := false // the last block waits for its signature
	for _, p := range m.thinking {
		last := len(blocks) - 1
		if p.Kind == llm.PartReasoning && open {
			blocks[last].Text += p.Text
			blocks[last].Signature = p.Signature
			blocks[last].At = llm.Span{}
		} else {
			blocks = append(blocks, p)
		}
		text += p.Text
		open = p.Kind == llm.PartReasoning && p.Signature == ""
	}
	if text != "" || len(m.reasoning) == 0 {
		return blocks
	}
	signed := -1
	for i, p := range blocks {
		if p.Kind == llm.PartReasoning && signed >= 0 {
			return m.reasoning // one text, several signatures: whose is which is lost
		} else if p.Kind == llm.PartReasoning {
			signed = i
		}
	}
	if signed < 0 {
		return append(m.reasoning, blocks...)
	}
	blocks[signed].Text, blocks[signed].At = m.reasoning[0].Text, m.reasoning[0].At
	return blocks
}

func (in *reading) thinkingBlock(m *message) error {
	p := llm.Part{Kind: llm.PartReasoning}
	err := in.Object(func(name []byte) (err error) {
		if in.Null() {
			return nil
		}
		switch string(name) {
		case "type":
			var kind []byte
			if kind, err = in.StringBytes(); string(kind) == "redacted_thinking" {
				p.Kind = llm.PartRedacted
			}
		case "thinking":
			err = in.text(&p)
		case "signature", "data":
			p.Signature, err = in.String()
		default:
			err = in.unknown()
		}
		return err
	})
	m.thinking = append(m.thinking, p)
	return err
}

func (in *reading) toolCall(m *message) error {
	if kind := in.Tag("type"); kind != nil && string(kind) != "function" {
		p := llm.Part{Kind: llm.PartOther, Type: string(kind)}
		var err error
		p.Raw, err = in.Raw()
		m.calls = append(m.calls, p)
		return err
	}
	p := llm.Part{Kind: llm.PartToolCall}
	identified := false
	err := in.Object(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			identified = true
			p.ID, err = in.String()
		case "type", "index":
			_, err = in.Skip()
		case "extra_content":
			p.Signature, err = readSignature(in.Reader)
		case "function":
			err = in.Object(func(name []byte) (err error) {
				switch string(name) {
				case "name":
					p.Name, err = in.String()
				case "arguments":
					err = in.text(&p)
				default:
					err = in.unknown()
				}
				return err
			})
		default:
			err = in.unknown()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !identified:
		return in.missing("id")
	case p.Name == "":
		return in.missing("function.name")
	}
	m.calls = append(m.calls, p)
	return nil
}

// text reads a string into the part, with its place.
func (in *reading) text(p *llm.Part) (err error) {
	in.Kind() // goes to where the value begins
	p.At.Start = in.Offset()
	p.Text, err = in.String()
	p.At.End = in.Offset()
	return err
}

func (in *reading) textParts(kind llm.PartKind) ([]llm.Part, error) {
	p := llm.Part{Kind: kind}
	err := in.text(&p)
	if err != nil || p.Text == "" && kind != llm.PartText {
		return nil, err
	}
	return []llm.Part{p}, nil
}

func (in *reading) content() (parts []llm.Part, err error) {
	if in.Kind() != jsonx.Array {
		return in.textParts(llm.PartText)
	}
	err = in.Array(func(int) error {
		p, err := in.part()
		parts = append(parts, p)
		return err
	})
	return parts, err
}
