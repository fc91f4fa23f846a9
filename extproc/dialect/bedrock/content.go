package bedrock

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

func (d *requestDecoder) message() (m llm.Message, err error) {
	has := false
	err = d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "role":
			m.Role, err = d.role()
		case "content":
			has = true
			m.Parts, err = d.blocks()
		default:
			err = d.extra()
		}
		return err
	})
	switch {
	case err != nil:
	case m.Role == "":
		err = d.Fail("must have a role")
	case !has:
		err = d.Fail("must have content")
	}
	return m, err
}

func (d *requestDecoder) role() (llm.Role, error) {
	s, err := d.String()
	switch r := llm.Role(s); r {
	case llm.RoleUser, llm.RoleAssistant, llm.RoleSystem:
		return r, nil
	}
	if err == nil {
		err = d.Fail("must be user, assistant or system")
	}
	return "", err
}

// blocks reads a list of blocks. Reasoning that carries another provider's
// signature under a seal goes no further: Bedrock refuses what it has not
// signed.
func (d *requestDecoder) blocks() (parts []llm.Part, err error) {
	var cuts removal
	err = d.Array(func(int) error {
		d.Kind() // skips white space
		start, n := d.Offset(), len(parts)
		if parts, err = d.block(parts); err != nil {
			return err
		}
		cuts.saw(llm.Span{Start: start, End: d.Offset()}, len(parts) > n && foreign(&parts[n]))
		return nil
	})
	if err == nil {
		d.req.Edits = append(d.req.Edits, cuts.edits()...)
	}
	return parts, err
}

// content reads the member of a block that says what it is, if it is known.
func (d *requestDecoder) content(name string, parts []llm.Part) (_ []llm.Part, known bool, err error) {
	var p llm.Part
	switch name {
	case "text":
		p, err = d.text()
	case "image":
		p, err = d.image()
	case "audio":
		p, err = d.audio()
	case "toolUse":
		p, err = d.toolUse()
	case "toolResult":
		p, err = d.toolResult()
	case "reasoningContent":
		p, err = d.reasoningContent()
	case "document":
		parts, err = d.document(parts)
		return parts, true, err
	case "cachePoint":
		parts, err = d.cachePoint(parts)
		return parts, true, err
	case "guardContent":
		parts, err = d.guardContent(parts)
		return parts, true, err
	case "searchResult", "citationsContent":
		parts, err = d.textsIn(parts)
		return parts, true, err
	default:
		if name != "json" || !d.result {
			return parts, false, nil
		}
		p, err = d.json()
	}
	return append(parts, p), true, err
}

// block reads one block and appends what it says. It has one member that
// matters; one that is not known is kept as it is.
func (d *requestDecoder) block(parts []llm.Part) ([]llm.Part, error) {
	d.Kind() // skips white space
	start, found, other := d.Offset(), false, ""
	err := d.Object(func(name []byte) error {
		if d.Null() {
			return nil
		}
		more, known, err := d.content(string(name), parts)
		switch {
		case err != nil:
		case !known:
			other = string(name)
			_, err = d.Skip()
		case found:
			err = d.Fail("must stand in a block of its own")
		default:
			parts, found = more, true
		}
		return err
	})
	switch {
	case err != nil || found:
	case other == "":
		err = d.Fail("must have a member such as text")
	default:
		parts = append(parts, llm.Part{Kind: llm.PartOther, Type: other, Raw: d.body[start:d.Offset()]})
	}
	return parts, err
}

// text reads a string as a part.
func (d *requestDecoder) text() (llm.Part, error) {
	d.Kind() // skips white space
	at := d.Offset()
	s, err := d.String()
	return llm.Part{Kind: llm.PartText, Text: s, At: llm.Span{Start: at, End: d.Offset()}}, err
}

// json reads a result of a tool that is JSON.
func (d *requestDecoder) json() (llm.Part, error) {
	raw, err := d.Raw()
	return llm.Part{Kind: llm.PartText, Text: string(raw)}, err
}

// textsIn reads a block that is made of texts: those in its content.
func (d *requestDecoder) textsIn(parts []llm.Part) ([]llm.Part, error) {
	err := d.Object(func(name []byte) error {
		if string(name) != "content" || d.Kind() != jsonx.Array {
			return d.extra()
		}
		return d.Array(func(int) error {
			return d.Object(func(name []byte) error {
				if string(name) != "text" {
					return d.extra()
				}
				p, err := d.text()
				parts = append(parts, p)
				return err
			})
		})
	})
	return parts, err
}

// guardContent reads text that a guardrail of Bedrock shall look at. Another
// provider has none, but the model is to read the text.
func (d *requestDecoder) guardContent(parts []llm.Part) ([]llm.Part, error) {
	shape, at := d.Shape(), d.Offset()
	err := d.Object(func(name []byte) error {
		switch string(name) {
		case "image":
			p, err := d.image()
			parts = append(parts, p)
			return err
		case "text":
			return d.Object(func(name []byte) error {
				if string(name) != "text" {
					return d.extra()
				}
				p, err := d.text()
				parts = append(parts, p)
				return err
			})
		}
		return d.extra()
	})
	d.note(shape, llm.Span{Start: at, End: d.Offset()})
	return parts, err
}

// cachePoint marks the part before it.
func (d *requestDecoder) cachePoint(parts []llm.Part) ([]llm.Part, error) {
	c, err := d.cache()
	if n := len(parts); n > 0 {
		parts[n-1].Cache = c
	}
	return parts, err
}

func (d *requestDecoder) cache() (*llm.Cache, error) {
	c := &llm.Cache{}
	err := d.Object(func(name []byte) (err error) {
		switch {
		case string(name) == "type":
			_, err = d.String()
		case string(name) == "ttl" && d.Kind() == jsonx.String:
			c.TTL, err = d.String()
		default:
			err = d.extra()
		}
		return err
	})
	return c, err
}

func (d *requestDecoder) toolUse() (llm.Part, error) {
	p := llm.Part{Kind: llm.PartToolCall}
	start := d.Offset()
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "toolUseId":
			p.ID, err = d.String()
		case "name":
			p.Name, err = d.String()
		case "input":
			var raw []byte
			raw, err = d.Raw()
			p.Text = string(raw)
		default:
			err = d.extra()
		}
		return err
	})
	p.Raw = d.body[start:d.Offset()]
	if err == nil && (p.ID == "" || p.Name == "" || p.Text == "") {
		err = d.Fail("must have a toolUseId, a name and an input")
	}
	return p, err
}

func (d *requestDecoder) toolResult() (llm.Part, error) {
	p := llm.Part{Kind: llm.PartToolResult}
	start, has := d.Offset(), false
	if d.result {
		return p, d.Fail("must not stand in a result")
	}
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "toolUseId":
			p.ID, err = d.String()
		case "content":
			has, d.result = true, true
			p.Parts, err = d.blocks()
			d.result = false
		case "status":
			var status string
			status, err = d.String()
			p.IsError = status == "error"
		default:
			err = d.extra()
		}
		return err
	})
	p.Raw = d.body[start:d.Offset()]
	if err == nil && (p.ID == "" || !has) {
		err = d.Fail("must have a toolUseId and content")
	}
	return p, err
}

func (d *requestDecoder) reasoningContent() (llm.Part, error) {
	p := llm.Part{Kind: llm.PartReasoning}
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "reasoningText":
			err = d.Object(func(name []byte) (err error) {
				switch {
				case string(name) == "text":
					p.Text, err = d.String()
				case string(name) == "signature" && d.Kind() == jsonx.String:
					p.Signature, err = d.String()
				default:
					err = d.extra()
				}
				return err
			})
		case "redactedContent":
			var blob string
			blob, err = d.String()
			p.Kind, p.Signature = llm.PartRedacted, unwrap(blob)
		default:
			err = d.extra()
		}
		return err
	})
	return p, err
}

// unwrap returns what a blob of redacted reasoning is elsewhere: base64 of what
// Anthropic's own API has as a string. What is something else is Bedrock's own.
func unwrap(blob string) string {
	text, err := base64.StdEncoding.DecodeString(blob)
	if err != nil || !utf8.Valid(text) {
		return dialect.Seal(llm.Anthropic, llm.Bedrock, blob)
	}
	return string(text)
}

// wrap is the reverse of unwrap.
func wrap(redacted string) string {
	if owner, own := dialect.Unseal(llm.Anthropic, redacted); owner == llm.Bedrock {
		return own
	}
	return base64.StdEncoding.EncodeToString([]byte(redacted))
}
