package anthropic

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxInput bounds the input of a tool that the provider runs, and maxCites the
// sources of one block.
const (
	maxInput = 1 << 20
	maxCites = 1024
)

// whole is a block without a canonical form as it would stand in a whole
// message: in a stream its input comes in pieces.
func (b *openBlock) whole() []byte {
	in := jsonx.NewReader(b.args)
	if in.Kind() != jsonx.Object {
		return b.raw
	}
	if _, err := in.Skip(); err != nil || in.End() != nil {
		return b.raw
	}
	block := jsonx.NewReader(b.raw)
	members, err := block.Members(func([]byte) error { _, err := block.Skip(); return err })
	if err != nil {
		return b.raw
	}
	body := llm.Body{Raw: b.raw, Members: members}
	p := body.Patch()
	p.Set("input", b.args)
	return p.Bytes()
}

// locations are the kinds of places in a document, by the type of the citation,
// with the members that say where it begins and ends.
var locations = map[string]struct{ unit, from, to string }{
	"char_location":          {"char", "start_char_index", "end_char_index"},
	"page_location":          {"page", "start_page_number", "end_page_number"},
	"content_block_location": {"block", "start_block_index", "end_block_index"},
	"search_result_location": {"result", "start_block_index", "end_block_index"},
}

// citation reads a source of the open block's text.
func (d *decoder) citation() error {
	if d.Kind() != jsonx.Object {
		_, err := d.Skip()
		return err
	}
	at := locations[string(d.Tag("type"))]
	raw, err := d.Raw()
	if err != nil || len(d.block.cites) == maxCites {
		return err
	}
	raw = bytes.Clone(raw)
	c := &llm.Citation{Unit: at.unit}
	in := decoder{}
	in.Reset(raw)
	err = in.Object(func(name []byte) error {
		switch string(name) {
		case "url", "source":
			return in.str(&c.URL)
		case "title", "document_title":
			return in.str(&c.Title)
		case "cited_text":
			return in.str(&c.Quote)
		case "file_id":
			return in.str(&c.FileID)
		case "document_index", "search_result_index":
			return in.position(&c.Document, 1)
		case at.from:
			return in.position(&c.From, 0)
		case at.to:
			return in.position(&c.To, 0)
		}
		_, err := in.Skip()
		return err
	})
	if err == nil {
		d.block.cites = append(d.block.cites, &llm.Event{Kind: llm.EventCitation, Citation: c, Raw: &llm.Raw{Dialect: llm.Anthropic, JSON: raw}})
	}
	return err
}

// position reads a place that is counted from first; canonically some are from 1.
func (d *decoder) position(into *int, first int64) error {
	n := int64(0)
	err := d.Count(&n)
	*into = int(n + first)
	return err
}

// citation is a source as the API has it. It is not ok if it has no such
// citation.
func citation(e *llm.Event) (source []byte, ok bool) {
	if source = dialect.Own(e, llm.Anthropic); source != nil {
		return source, true
	}
	return appendCitation(nil, e.Citation)
}

// appendCitation writes a source. It is not ok if the API has no such citation.
func appendCitation(dst []byte, c *llm.Citation) (_ []byte, ok bool) {
	text := func(name, value string) {
		dst = jsonx.AppendString(append(append(append(dst, `,"`...), name...), `":`...), value)
	}
	number := func(name string, n int) {
		dst = strconv.AppendInt(append(append(append(dst, `,"`...), name...), `":`...), int64(n), 10)
	}
	if c.Unit == "" {
		if !strings.Contains(c.URL, "://") {
			return dst, false
		}
		dst = append(dst, `{"type":"web_search_result_location"`...)
		text("url", c.URL)
		text("title", c.Title)
		text("cited_text", c.Quote)
		return append(dst, `,"encrypted_index":""}`...), true
	}
	for kind, at := range locations {
		if at.unit != c.Unit {
			continue
		}
		dst = append(append(append(dst, `{"type":"`...), kind...), '"')
		text("cited_text", c.Quote)
		if c.Unit == "result" {
			number("search_result_index", max(0, c.Document-1))
			text("source", c.URL)
			text("title", c.Title)
		} else {
			number("document_index", max(0, c.Document-1))
			text("document_title", c.Title)
			dst = append(dst, `,"file_id":`...)
			dst = jsonx.AppendOrNull(dst, c.FileID)
		}
		number(at.from, c.From)
		number(at.to, c.To)
		return append(dst, '}'), true
	}
	return dst, false
}
