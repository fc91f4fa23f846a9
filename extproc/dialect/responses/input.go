package responses

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// input reads a text, or the items of the conversation so far. Reasoning that
// another dialect's provider wrote is taken out of the client's own bytes: no
// provider of this dialect could read it.
func (in *reading) input() error {
	if in.Kind() == jsonx.String {
		parts, err := in.texts(llm.PartText)
		in.turn(llm.RoleUser, parts...)
		return err
	}
	q := in.req
	end, kept, open := 0, false, false // of the last item; one stays; the last edit goes on to the next item
	return in.Array(func(int) error {
		start := in.place()
		if open {
			q.Edits[len(q.Edits)-1].At.End = start // nothing before it stays, so the comma behind it goes
		}
		in.foreign, open = false, false
		if err := in.item(); err != nil {
			return err
		}
		switch {
		case !in.foreign:
			kept = true
		case kept:
			q.Edits = append(q.Edits, llm.Edit{At: llm.Span{Start: end, End: in.Offset()}})
		default:
			open = true
			q.Edits = append(q.Edits, llm.Edit{At: llm.Span{Start: start, End: in.Offset()}})
		}
		end = in.Offset()
		return nil
	})
}

func (in *reading) item() error {
	if in.Kind() != jsonx.Object {
		return in.Want(jsonx.Object)
	}
	switch kind := string(in.Tag("type")); kind {
	case "", "message":
		return in.message()
	case "function_call":
		return in.call()
	case "function_call_output":
		return in.result()
	case "reasoning":
		return in.reasoning()
	default:
		raw, err := in.Raw()
		in.turn(llm.RoleAssistant, llm.Part{Kind: llm.PartOther, Type: kind, Raw: raw})
		return err
	}
}

// turn adds parts to the conversation. All that the model says at a stretch is
// one message, and so are all results of tools.
func (in *reading) turn(role llm.Role, parts ...llm.Part) {
	in.begun = true
	q := in.req
	if n := len(q.Messages); n > 0 && len(parts) > 0 && q.Messages[n-1].Role == role {
		last := &q.Messages[n-1]
		if role == llm.RoleAssistant || parts[0].Kind == llm.PartToolResult && last.Parts[0].Kind == llm.PartToolResult {
			last.Parts = append(last.Parts, parts...)
			return
		}
	}
	q.Messages = append(q.Messages, llm.Message{Role: role, Parts: parts})
}

// message reads a message. An object with nothing but an id refers to an item
// that the provider has stored.
func (in *reading) message() error {
	var role, id string
	var content []llm.Part
	said := false
	start := in.place()
	err := in.Object(func(name []byte) (err error) {
		if in.Null() {
			return nil
		}
		switch string(name) {
		case "role":
			role, err = in.String()
		case "content":
			said = true
			content, err = in.content()
		case "id":
			id, err = in.String()
		case "type", "status":
			_, err = in.Skip()
		default:
			err = in.unknown()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case role == "" && !said && id != "":
		in.turn(llm.RoleAssistant, llm.Part{Kind: llm.PartOther, Type: "item_reference", Raw: in.since(start)})
		return nil
	case role == "":
		return in.missing("role")
	case !said:
		return in.missing("content")
	}
	return in.speak(role, content)
}

func (in *reading) speak(role string, content []llm.Part) error {
	switch role {
	case "user":
		in.turn(llm.RoleUser, content...)
	case "assistant":
		in.turn(llm.RoleAssistant, content...)
	case "system", "developer":
		if in.begun {
			in.turn(llm.RoleSystem, content...)
		} else {
			in.req.System = append(in.req.System, content...)
		}
	default:
		return llm.Invalid(in.Path()+".role", "must be one of user, assistant, system, developer")
	}
	return nil
}

func (in *reading) call() error {
	p := llm.Part{Kind: llm.PartToolCall}
	err := in.Object(func(name []byte) (err error) {
		if in.Null() {
			return nil
		}
		switch string(name) {
		case "call_id":
			p.ID, err = in.String()
		case "name":
			p.Name, err = in.String()
		case "arguments":
			err = in.text(&p)
		case "type", "id", "status":
			_, err = in.Skip()
		default:
			err = in.unknown()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case p.ID == "":
		return in.missing("call_id")
	case p.Name == "":
		return in.missing("name")
	}
	in.turn(llm.RoleAssistant, p)
	return nil
}

func (in *reading) result() error {
	p := llm.Part{Kind: llm.PartToolResult}
	said := false
	err := in.Object(func(name []byte) (err error) {
		if in.Null() {
			return nil
		}
		switch string(name) {
		case "call_id":
			p.ID, err = in.String()
		case "output":
			said = true
			p.Parts, err = in.content()
		case "type", "id", "status":
			_, err = in.Skip()
		default:
			err = in.unknown()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case p.ID == "":
		return in.missing("call_id")
	case !said:
		return in.missing("output")
	}
	in.turn(llm.RoleUser, p)
	return nil
}

// redacted owns the seal of reasoning that had no text to begin with.
const redacted = "redacted"

// reasoning reads an item that the client sends back. Who wrote it can be seen
// from the seal of its content.
func (in *reading) reasoning() error {
	p := llm.Part{Kind: llm.PartReasoning}
	var texts []llm.Part
	var encrypted string
	err := in.Object(func(name []byte) (err error) {
		if in.Null() {
			return nil
		}
		switch string(name) {
		case "summary", "content":
			var more []llm.Part
			more, err = in.content()
			texts = append(texts, more...)
		case "encrypted_content":
			encrypted, err = in.String()
		case "type", "id", "status":
			_, err = in.Skip()
		default:
			err = in.unknown()
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(texts) == 1 {
		p.Text, p.At = texts[0].Text, texts[0].At
	} else {
		p.Text = paragraphs(texts)
	}
	in.sign(&p, encrypted)
	in.turn(llm.RoleAssistant, p)
	return nil
}

// sign gives reasoning the signature that came as its encrypted content.
func (in *reading) sign(p *llm.Part, encrypted string) {
	if encrypted == "" {
		return
	}
	owner, own := dialect.Unseal(llm.Responses, encrypted)
	in.foreign = owner != llm.Responses
	if owner == redacted {
		p.Kind, p.Signature = llm.PartRedacted, own
	} else {
		p.Signature = dialect.Seal(llm.Anthropic, owner, own)
	}
}

func paragraphs(texts []llm.Part) string {
	all := make([]string, len(texts))
	for i := range texts {
		all[i] = texts[i].Text
	}
	return strings.Join(all, paragraph)
}

// paragraph stands between the parts of one item's reasoning.
const paragraph = "\n\n"
