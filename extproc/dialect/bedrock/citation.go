package bedrock

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxCites bounds the sources of one block.
const maxCites = 1024

// locations are the kinds of places in a document, by the member that holds one,
// with the member that says which document it is.
var locations = map[string]struct{ unit, document string }{
	"documentChar":         {"char", "documentIndex"},
	"documentPage":         {"page", "documentIndex"},
	"documentChunk":        {"block", "documentIndex"},
	"searchResultLocation": {"result", "searchResultIndex"},
}

// citation reads a source of the open block's text.
func (d *decoder) citation() error {
	raw, err := d.Raw()
	if err != nil || len(d.cites) == maxCites {
		return err
	}
	raw = bytes.Clone(raw)
	in := decoder{}
	in.Reset(raw)
	if in.Kind() != jsonx.Object {
		return nil
	}
	c := &llm.Citation{}
	err = in.Object(func(name []byte) error {
		kind := in.Kind()
		switch {
		case string(name) == "title":
			return in.str(&c.Title)
		case string(name) == "source":
			return in.str(&c.URL)
		case string(name) == "sourceContent" && kind == jsonx.Array:
			return in.Array(func(int) error {
				var text string
				err := in.member1("text", &text)
				c.Quote += text
				return err
			})
		case string(name) == "location" && kind == jsonx.Object:
			return in.Object(func(name []byte) error { return in.location(c, string(name)) })
		}
		_, err := in.Skip()
		return err
	})
	if err == nil {
		d.cites = append(d.cites, &llm.Event{Kind: llm.EventCitation, Citation: c, Raw: &llm.Raw{Dialect: llm.Bedrock, JSON: raw}})
	}
	return err
}

// member1 reads the one string of an object that matters.
func (d *decoder) member1(want string, into *string) error {
	if d.Kind() != jsonx.Object {
		_, err := d.Skip()
		return err
	}
	return d.Object(func(name []byte) error {
		if string(name) == want {
			return d.str(into)
		}
		_, err := d.Skip()
		return err
	})
}

// location reads where in the source it stands.
func (d *decoder) location(c *llm.Citation, name string) error {
	at, known := locations[name]
	switch {
	case name == "web":
		return d.member1("url", &c.URL)
	case !known || d.Kind() != jsonx.Object:
		_, err := d.Skip()
		return err
	}
	c.Unit = at.unit
	return d.Object(func(name []byte) error {
		var n int64
		err := d.Count(&n)
		switch string(name) {
		case at.document:
			c.Document = int(n) + 1
		case "start":
			c.From = int(n)
		case "end":
			c.To = int(n)
		}
		return err
	})
}

// source writes a source. It is not ok if the API has no such source.
func source(e *llm.Event) (_ []byte, ok bool) {
	if raw := dialect.Own(e, llm.Bedrock); raw != nil {
		return dialect.OneLine(raw), true
	}
	c := e.Citation
	dst := jsonx.AppendString([]byte(`{"title":`), c.Title)
	if c.Quote != "" {
		dst = append(jsonx.AppendString(append(dst, `,"sourceContent":[{"text":`...), c.Quote), "}]"...)
	}
	if c.Unit == "" {
		if !strings.Contains(c.URL, "://") {
			return nil, false
		}
		dst = jsonx.AppendString(append(dst, `,"location":{"web":{"url":`...), c.URL)
		return append(dst, "}}}"...), true
	}
	for name, at := range locations {
		if at.unit != c.Unit {
			continue
		}
		if c.URL != "" {
			dst = jsonx.AppendString(append(dst, `,"source":`...), c.URL)
		}
		dst = append(append(append(dst, `,"location":{"`...), name...), `":{"`...)
		dst = append(append(dst, at.document...), `":`...)
		dst = strconv.AppendInt(dst, int64(max(0, c.Document-1)), 10)
		dst = strconv.AppendInt(append(dst, `,"start":`...), int64(c.From), 10)
		dst = strconv.AppendInt(append(dst, `,"end":`...), int64(c.To), 10)
		return append(dst, "}}}"...), true
	}
	return nil, false
}

// image reads an image that the model made.
func (d *decoder) image() error {
	m := &llm.Media{}
	err := d.Object(func(name []byte) error {
		switch string(name) {
		case "format":
			err := d.str(&m.Type)
			m.Type = "image/" + m.Type
			return err
		case "source":
			return d.member1("bytes", &m.Data)
		}
		_, err := d.Skip()
		return err
	})
	if m.Data == "" {
		d.other = "image"
	} else {
		d.emit(llm.Event{Kind: llm.EventMedia, Media: m})
	}
	return err
}

// appendImage writes an image. It is not ok if the API has no such format.
func appendImage(dst []byte, m *llm.Media) (_ []byte, ok bool) {
	format, ok := strings.CutPrefix(m.Type, "image/")
	if !ok || m.Data == "" || !dialect.IsBase64(m.Data) {
		return dst, false
	}
	dst = jsonx.AppendString(append(dst, `{"image":{"format":`...), format)
	dst = jsonx.AppendString(append(dst, `,"source":{"bytes":`...), m.Data)
	return append(dst, "}}}"...), true
}
