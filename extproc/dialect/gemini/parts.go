package gemini

import (
	"bytes"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

func (a *answer) content() error {
	return a.in.Object(func(name []byte) error {
		if string(name) != "parts" || a.in.Kind() != jsonx.Array {
			_, err := a.in.Skip()
			return err
		}
		return a.in.Array(func(int) error { return a.part() })
	})
}

// A piece is one part of an answer while it is read.
type piece struct {
	kind      string // the member that holds the content
	text      string
	thought   bool
	signature string
	id, name  string
	args      string
	raw       []byte // of a kind that has no canonical form
	media     *llm.Media
}

func (a *answer) part() error {
	if a.in.Kind() != jsonx.Object {
		_, err := a.in.Skip()
		return err
	}
	var p piece
	begin := a.in.Offset()
	err := a.in.Object(func(name []byte) error {
		kind := a.in.Kind()
		switch string(name) {
		case "text":
			return str(a.in, &p.text)
		case "thought":
			if kind == jsonx.Bool {
				var err error
				p.thought, err = a.in.Bool()
				return err
			}
		case "thoughtSignature":
			return str(a.in, &p.signature)
		case "functionCall":
			if kind == jsonx.Object {
				p.kind = "functionCall"
				return a.call(&p)
			}
		case "inlineData":
			if kind == jsonx.Object {
				p.kind = string(name)
				return a.media(&p)
			}
		case "fileData", "executableCode", "codeExecutionResult", "toolCall", "toolResponse", "functionResponse":
			p.kind = string(name)
		}
		_, err := a.in.Skip()
		return err
	})
	p.raw = a.data[begin:a.in.Offset()]
	a.pieces = append(a.pieces, p)
	return err
}

func (a *answer) media(p *piece) error {
	m := &llm.Media{}
	p.media = m
	err := a.in.Object(func(name []byte) error {
		switch string(name) {
		case "mimeType":
			return str(a.in, &m.Type)
		case "data":
			return str(a.in, &m.Data)
		}
		_, err := a.in.Skip()
		return err
	})
	m.Data = standardBase64(m.Data)
	return err
}

func (a *answer) call(p *piece) error {
	return a.in.Object(func(name []byte) error {
		switch string(name) {
		case "id":
			return str(a.in, &p.id)
		case "name":
			return str(a.in, &p.name)
		case "partialArgs", "willContinue": // Vertex, for clients that ask for it
			p.kind = "functionCall.partialArgs"
		case "args":
			if a.in.Kind() == jsonx.Object {
				raw, err := a.in.Raw()
				p.args = string(raw)
				return err
			}
		}
		_, err := a.in.Skip()
		return err
	})
}

// say emits a part. Tools that Google runs itself are content that others have
// no form for, not calls for the client.
func (a *answer) say(c *candidate, p *piece) error {
	emit := func(e llm.Event) {
		e.Choice = c.index
		c.content = true
		a.emit(e)
	}
	signature := unwrap(p.signature)
	data, isHidden := redacted(signature)
	switch {
	case isHidden:
		emit(llm.Event{Kind: llm.EventRedacted, Text: data})
		return nil
	case p.kind == "functionCall" && p.name != "":
		if c.calls == maxCalls {
			return errShape
		}
		emit(llm.Event{Kind: llm.EventToolStart, Tool: c.calls, ID: p.id, Name: p.name, Signature: signature})
		if p.args == "" {
			p.args = "{}"
		}
		emit(llm.Event{Kind: llm.EventToolArgs, Tool: c.calls, Text: p.args})
		emit(llm.Event{Kind: llm.EventBlockEnd})
		c.calls++
		return nil
	case p.media != nil:
		emit(llm.Event{Kind: llm.EventMedia, Media: p.media})
	case p.kind != "":
		emit(llm.Event{Kind: llm.EventOther, Text: p.kind, Raw: &llm.Raw{Dialect: llm.Gemini, JSON: bytes.Clone(p.raw)}})
	case p.text != "" && p.thought:
		emit(llm.Event{Kind: llm.EventReasoning, Text: p.text})
	case p.text != "":
		c.text.Add(p.text)
		emit(llm.Event{Kind: llm.EventText, Text: p.text})
	}
	if signature != "" {
		emit(llm.Event{Kind: llm.EventSignature, Text: signature})
		emit(llm.Event{Kind: llm.EventBlockEnd})
	}
	return nil
}

// vectors reads one embedding or a list of them.
func (a *answer) vectors(kind jsonx.Kind) error {
	index := 0
	one := func() error {
		return a.in.Object(func(name []byte) error {
			raw, err := a.in.Raw()
			if err == nil && string(name) == "values" {
				a.emit(llm.Event{Kind: llm.EventVector, Choice: index, Text: string(raw)})
				index++
			}
			return err
		})
	}
	a.said = true
	a.begin()
	if kind == jsonx.Array {
		return a.in.Array(func(int) error { return one() })
	}
	return one()
}
