package anthropic

import (
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

func (d *requestDecoder) messages() error {
	err := d.Array(func(int) error {
		m, err := d.message()
		d.req.Messages = append(d.req.Messages, m)
		return err
	})
	if err == nil && len(d.req.Messages) == 0 {
		err = llm.Invalid("messages", "must hold at least one message")
	}
	return err
}

func (d *requestDecoder) message() (llm.Message, error) {
	var m llm.Message
	var hasContent bool
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "role":
			m.Role, err = d.role()
		case "content":
			hasContent = true
			m.Parts, err = d.content()
		default:
			err = d.extra()
		}
		return err
	})
	switch {
	case err != nil:
		return m, err
	case m.Role == "":
		return m, d.Fail("must have a role")
	case !hasContent:
		return m, d.Fail("must have content")
	}
	return m, nil
}

func (d *requestDecoder) role() (llm.Role, error) {
	if d.Kind() != jsonx.String {
		return "", d.Want(jsonx.String)
	}
	at := d.Offset()
	role, err := d.StringBytes()
	if err != nil {
		return "", err
	}
	switch r := llm.Role(role); r {
	case llm.RoleUser, llm.RoleAssistant, llm.RoleSystem:
		return r, nil
	}
	return "", &jsonx.Error{Path: d.Path(), Offset: at, Msg: "must be user, assistant or system"}
}

// content reads a string or a list of blocks.
func (d *requestDecoder) content() ([]llm.Part, error) {
	switch d.Kind() {
	case jsonx.String:
		p, err := d.text()
		return []llm.Part{p}, err
	case jsonx.Array:
		return d.blocks()
	}
	return nil, d.Fail("must be a string or a list of blocks, not %s", d.Kind())
}

func (d *requestDecoder) blocks() (parts []llm.Part, err error) {
	if d.depth == maxBlockDepth {
		return nil, d.Fail("has blocks nested deeper than %d", maxBlockDepth)
	}
	d.depth++
	defer func() { d.depth-- }()
	end := d.Offset()
	var foreign removal
	err = d.Array(func(int) error {
		d.Kind() // skips white space
		start := d.Offset()
		if parts, err = d.block(parts); err != nil {
			return err
		}
		foreign.saw(llm.Span{Start: start, End: d.Offset()}, end, &parts[len(parts)-1])
		end = d.Offset()
		return nil
	})
	if edits := foreign.done(); err == nil && len(edits) > 0 {
		d.req.Edits = append(d.req.Edits, edits...)
		stripUnsigned(parts)
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

// partKinds are the blocks that have a canonical form.
var partKinds = map[string]llm.PartKind{
	"text":              llm.PartText,
	"image":             llm.PartImage,
	"document":          llm.PartFile,
	"search_result":     llm.PartText,
	"tool_use":          llm.PartToolCall,
	"tool_result":       llm.PartToolResult,
	"thinking":          llm.PartReasoning,
	"redacted_thinking": llm.PartRedacted,
}

// block reads one block and appends what it says.
func (d *requestDecoder) block(parts []llm.Part) ([]llm.Part, error) {
	if d.Kind() != jsonx.Object {
		return parts, d.Want(jsonx.Object)
	}
	tag := d.Tag("type")
	if tag == nil {
		if _, err := d.Skip(); err != nil { // it may be no JSON at all
			return parts, err
		}
		return parts, d.Fail("must have a type")
	}
	kind, known := partKinds[string(tag)]
	if !known {
		raw, err := d.Raw()
		return append(parts, llm.Part{Kind: llm.PartOther, Type: string(tag), Raw: raw}), err
	}
	b := block{tag: string(tag), Part: llm.Part{Kind: kind}}
	start := d.Offset()
	err := d.Object(func(name []byte) error { return d.blockMember(&b, string(name)) })
	if err != nil {
		return parts, err
	}
	b.Raw = d.body[start:d.Offset()]
	if missing := b.missing(); missing != "" {
		return parts, d.Fail("must have %s", missing)
	}
	return b.appendTo(parts), nil
}

// A block is a block that is being read: a part and what becomes parts of its
// own, because guards and other formats must see it as text.
type block struct {
	llm.Part
	tag    string
	has    struct{ text, id, name, input, source, content bool }
	title  llm.Part // of a document or search result
	about  llm.Part // context of a document, source of a search result
	inline []llm.Part
}

func (d *requestDecoder) blockMember(b *block, name string) (err error) {
	kind := b.Kind
	switch {
	case name == "type":
		_, err = d.Skip()
	case name == "cache_control":
		b.Cache, err = d.cache()
	case name == "text" && b.tag == "text":
		b.has.text = true
		p, err := d.text()
		b.Text, b.At = p.Text, p.At
		return err
	case name == "thinking" && kind == llm.PartReasoning:
		b.has.text = true
		b.Text, err = d.String()
	case name == "signature" && kind == llm.PartReasoning:
		b.Signature, err = d.String()
	case name == "data" && kind == llm.PartRedacted:
		b.has.text = true
		b.Signature, err = d.String()
	case name == "id" && kind == llm.PartToolCall, name == "tool_use_id" && kind == llm.PartToolResult:
		b.has.id = true
		b.ID, err = d.String()
	case name == "name" && kind == llm.PartToolCall:
		b.has.name = true
		b.Name, err = d.String()
	case name == "input" && kind == llm.PartToolCall:
		b.has.input = true
		return d.toolInput(b)
	case name == "content" && (kind == llm.PartToolResult || b.tag == "search_result"):
		if !d.Null() {
			b.has.content = true
			b.Parts, err = d.content()
		}
	case name == "is_error" && kind == llm.PartToolResult:
		if !d.Null() {
			b.IsError, err = d.Bool()
		}
	default:
		return d.mediaMember(b, name)
	}
	return err
}

// mediaMember reads members of images, documents and search results.
func (d *requestDecoder) mediaMember(b *block, name string) (err error) {
	document := b.Kind == llm.PartFile
	switch {
	case name == "source" && (document || b.Kind == llm.PartImage):
		b.has.source = true
		return d.source(b)
	case name == "source" && b.tag == "search_result", name == "context" && document:
		if !d.Null() {
			b.about, err = d.text()
		}
	case name == "title" && (document || b.tag == "search_result"):
		if !d.Null() {
			b.title, err = d.text()
		}
	default:
		err = d.extra()
	}
	return err
}

func (d *requestDecoder) toolInput(b *block) error {
	raw, err := d.rawObject()
	b.Text = string(raw)
	return err
}

func (d *requestDecoder) cache() (*llm.Cache, error) {
	if d.Null() {
		return nil, nil
	}
	c := &llm.Cache{}
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "type":
			_, err = d.String()
		case "ttl":
			if !d.Null() {
				c.TTL, err = d.String()
			}
		default:
			err = d.extra()
		}
		return err
	})
	return c, err
}

// source reads where the bytes of an image or a document are.
func (d *requestDecoder) source(b *block) error {
	tag := string(d.Tag("type"))
	known := tag == "base64" || tag == "url" || tag == "file" ||
		b.Kind == llm.PartFile && (tag == "text" || tag == "content")
	if !known && d.Kind() == jsonx.Object {
		_, err := d.Skip() // it may be no JSON at all
		if err == nil {
			err = d.Fail("has a type that is not known")
		}
		return err
	}
	return d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "type":
			_, err = d.Skip()
		case "media_type":
			b.Media.Type, err = d.String()
		case "data":
			if tag != "text" {
				b.Media.Data, err = d.String()
				return err
			}
			var p llm.Part
			p, err = d.text()
			b.inline = append(b.inline, p)
		case "url":
			b.Media.URL, err = d.String()
		case "file_id":
			b.Media.FileID, err = d.String()
		case "content":
			b.inline, err = d.content()
		default:
			err = d.extra()
		}
		return err
	})
}

// missing names the member that a block must have and has not.
func (b *block) missing() string {
	switch {
	case b.tag == "text" && !b.has.text:
		return "text"
	case b.Kind == llm.PartReasoning && !b.has.text:
		return "thinking"
	case b.Kind == llm.PartRedacted && !b.has.text:
		return "data"
	case b.Kind == llm.PartToolCall && !b.has.id:
		return "an id"
	case b.Kind == llm.PartToolCall && !b.has.name:
		return "a name"
	case b.Kind == llm.PartToolCall && !b.has.input:
		return "an input"
	case b.Kind == llm.PartToolResult && !b.has.id:
		return "a tool_use_id"
	case (b.Kind == llm.PartImage || b.Kind == llm.PartFile) && !b.has.source:
		return "a source"
	case b.tag == "search_result" && !b.has.content:
		return "content"
	}
	return ""
}

// appendTo appends the block as parts. A document that is text becomes texts:
// its title, its context and its content, so that guards see them.
func (b *block) appendTo(parts []llm.Part) []llm.Part {
	inline := b.inline
	if b.tag == "search_result" {
		inline = b.Parts
	}
	if b.tag == "text" || b.Kind != llm.PartFile && b.tag != "search_result" {
		return append(parts, b.Part)
	}
	if inline == nil {
		b.Media.Name = b.title.Text
		if b.about.Text != "" {
			parts = append(parts, b.about)
		}
		return append(parts, b.Part)
	}
	for _, p := range []llm.Part{b.title, b.about} {
		if p.Text != "" {
			parts = append(parts, p)
		}
	}
	parts = append(parts, inline...)
	if b.Cache != nil {
		parts[len(parts)-1].Cache = b.Cache
	}
	return parts
}
