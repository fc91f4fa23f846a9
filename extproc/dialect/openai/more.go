package openai

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// other reads content of a kind that has no canonical form. It stands in a
// member of the message, or of a delta; "[]" behind its name says that it is an
// element of that.
func (a *answer) other(kind, member string) error {
	raw, err := a.in.Raw()
	if err == nil {
		a.delta.more = append(a.delta.more, llm.Event{Kind: llm.EventOther, Text: kind, Name: member,
			Raw: &llm.Raw{Dialect: llm.OpenAI, JSON: bytes.Clone(raw)}})
	}
	return err
}

// filled reads an object that has a string in it. Some servers send all objects
// of the format, most of them empty.
func (a *answer) filled(name string) error {
	if a.in.Kind() != jsonx.Object {
		_, err := a.in.Skip()
		return err
	}
	n := len(a.delta.more)
	if err := a.other(name, name); err != nil {
		return err
	}
	in, text := jsonx.NewReader(a.delta.more[n].Raw.JSON), ""
	err := in.Object(func([]byte) error { return keep(in, &text) })
	if text == "" {
		a.delta.more = a.delta.more[:n]
	}
	return err
}

// list reads the objects of a list.
func (a *answer) list(read func() error) error {
	if a.in.Kind() != jsonx.Array {
		_, err := a.in.Skip()
		return err
	}
	return a.in.Array(func(int) error {
		if a.in.Kind() != jsonx.Object {
			_, err := a.in.Skip()
			return err
		}
		return read()
	})
}

// annotation reads the source of a stretch of the text.
func (a *answer) annotation() error {
	if kind := a.in.Tag("type"); string(kind) != "url_citation" {
		return a.other(string(kind), "annotations[]")
	}
	c := &llm.Citation{}
	err := a.in.Object(func(name []byte) error {
		if string(name) != "url_citation" || a.in.Kind() != jsonx.Object {
			_, err := a.in.Skip()
			return err
		}
		return a.in.Object(func(name []byte) error {
			switch string(name) {
			case "url":
				return keep(a.in, &c.URL)
			case "title":
				return keep(a.in, &c.Title)
			case "content": // OpenRouter
				return keep(a.in, &c.Quote)
			case "start_index":
				return place(a.in, &c.Start)
			case "end_index":
				return place(a.in, &c.End)
			}
			_, err := a.in.Skip()
			return err
		})
	})
	a.delta.more = append(a.delta.more, llm.Event{Kind: llm.EventCitation, Citation: c})
	return err
}

func place(in *jsonx.Reader, to *int) error {
	var n int64
	err := natural(in, &n)
	*to = int(n)
	return err
}

// image reads an image that the model made, as OpenRouter has it.
func (a *answer) image() error {
	var link string
	err := a.in.Object(func(name []byte) error {
		if string(name) != "image_url" || a.in.Kind() != jsonx.Object {
			_, err := a.in.Skip()
			return err
		}
		return a.in.Object(func(name []byte) error {
			if string(name) == "url" {
				return keep(a.in, &link)
			}
			_, err := a.in.Skip()
			return err
		})
	})
	if link != "" {
		m := llm.LinkedMedia(link)
		a.delta.more = append(a.delta.more, llm.Event{Kind: llm.EventMedia, Media: &m})
	}
	return err
}

// readLogprobs reads the probabilities of tokens of the text.
func (a *answer) readLogprobs() error {
	if a.in.Kind() != jsonx.Object {
		_, err := a.in.Skip()
		return err
	}
	return a.in.Object(func(name []byte) error {
		if string(name) == "content" && a.in.Kind() == jsonx.Array {
			var err error
			a.delta.logprobs, err = dialect.ReadLogprobs(a.in, a.delta.logprobs)
			return err
		}
		_, err := a.in.Skip()
		return err
	})
}

// appendMember begins a member of a message or delta for content without a
// canonical form, which may be an element of a list.
func appendMember(dst []byte, name string, raw []byte) []byte {
	bare, element := strings.CutSuffix(name, "[]")
	dst = append(append(append(dst, '"'), bare...), `":`...)
	if !element {
		return append(dst, raw...)
	}
	return append(append(append(dst, '['), raw...), ']')
}

// appendAnnotation writes the source of a stretch of text. It is not ok if the
// source has no address.
func appendAnnotation(dst []byte, c *llm.Citation) (_ []byte, ok bool) {
	if !strings.Contains(c.URL, "://") {
		return dst, false
	}
	dst = strconv.AppendInt(append(dst, `{"type":"url_citation","url_citation":{"start_index":`...), int64(c.Start), 10)
	dst = strconv.AppendInt(append(dst, `,"end_index":`...), int64(c.End), 10)
	dst = jsonx.AppendString(append(dst, `,"url":`...), c.URL)
	dst = jsonx.AppendString(append(dst, `,"title":`...), c.Title)
	return append(dst, "}}"...), true
}

// appendImage writes an image as OpenRouter does. It is not ok if the media is
// something else.
func appendImage(dst []byte, m *llm.Media) (_ []byte, ok bool) {
	link := m.URL
	if m.Data != "" {
		if !strings.HasPrefix(m.Type, "image/") {
			return dst, false
		}
		link = "data:" + m.Type + ";base64," + m.Data
	}
	dst = jsonx.AppendString(append(dst, `{"type":"image_url","image_url":{"url":`...), link)
	return append(dst, "}}"...), true
}
