package anthropic

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// media writes an image or a document.
func (e *requestEncoder) media(p *llm.Part) error {
	m, err := inlined(p.Media)
	if err != nil {
		return llm.Invalid(e.Place(p.Raw, "messages"), "%s", err)
	}
	if err := e.CheckMedia(&llm.Part{Media: m, Raw: p.Raw}, &e.rules); err != nil {
		return err
	}
	if m.Detail != "" && m.Detail != "auto" {
		e.Warn("image_url.detail", "left out: the API has no levels of detail")
	}
	kind := "document"
	if p.Kind == llm.PartImage {
		kind = "image"
	}
	e.dst = append(append(append(e.dst, `{"type":"`...), kind...), `","source":{"type":`...)
	switch {
	case m.Data != "" && p.Kind == llm.PartImage:
		err = e.image(p, m)
	case m.Data != "":
		err = e.document(p, m)
	case strings.HasPrefix(m.URL, "https://"), strings.HasPrefix(m.URL, "http://"):
		e.dst = append(e.dst, `"url","url":`...)
		e.dst = jsonx.AppendString(e.dst, m.URL)
	case m.URL != "":
		err = llm.Invalid(e.Place(p.Raw, "messages"), "the URL of an image or file must begin with https:// or data:")
	case m.FileID != "":
		err = llm.Unsupported(e.Place(p.Raw, "messages"), "a file that was uploaded to another provider cannot be sent")
	default:
		err = llm.Invalid(e.Place(p.Raw, "messages"), "an image or file has no content")
	}
	if err != nil {
		return err
	}
	e.dst = append(e.dst, '}')
	if kind == "document" && m.Name != "" {
		e.dst = append(e.dst, `,"title":`...)
		e.dst = jsonx.AppendString(e.dst, m.Name)
	}
	e.dst = append(appendCache(e.dst, e.marks.Next(p.Cache)), '}')
	return nil
}

// imageTypes are the images that the API takes, each with the beginning of its
// bytes in base64.
var imageTypes = []struct{ mediaType, magic string }{
	{"image/png", "iVBORw0KGgo"},
	{"image/jpeg", "/9j/"},
	{"image/gif", "R0lGOD"},
	{"image/webp", "UklGR"},
}

func (e *requestEncoder) image(p *llm.Part, m llm.Media) error {
	for _, t := range imageTypes {
		if strings.HasPrefix(m.Data, t.magic) {
			e.base64(t.mediaType, m.Data)
			return nil
		}
	}
	for _, t := range imageTypes {
		if t.mediaType == m.Type {
			e.base64(m.Type, m.Data)
			return nil
		}
	}
	return llm.Unsupported(e.Place(p.Raw, "messages"), "an image must be PNG, JPEG, GIF or WebP, not %s", m.Type)
}

// pdfMagic is how the base64 of a PDF begins.
const pdfMagic = "JVBER"

func (e *requestEncoder) document(p *llm.Part, m llm.Media) error {
	if m.Type == "application/pdf" || strings.HasPrefix(m.Data, pdfMagic) {
		e.base64("application/pdf", m.Data)
		return nil
	}
	if !strings.HasPrefix(m.Type, "text/") {
		return llm.Unsupported(e.Place(p.Raw, "messages"), "a file must be PDF or text, not %s", m.Type)
	}
	text, err := base64.StdEncoding.DecodeString(m.Data)
	if err != nil {
		return llm.Invalid(e.Place(p.Raw, "messages"), "a file is not valid base64")
	}
	e.dst = append(e.dst, `"text","media_type":"text/plain","data":`...)
	e.dst = jsonx.AppendString(e.dst, string(text))
	return nil
}

func (e *requestEncoder) base64(mediaType, data string) {
	e.dst = append(append(append(e.dst, `"base64","media_type":"`...), mediaType...), `","data":`...)
	e.dst = jsonx.AppendString(e.dst, data)
}

// inlined takes a data: URI apart and cleans what people write: parameters in
// the media type, image/jpg, line ends in base64, a missing ";base64".
func inlined(m llm.Media) (llm.Media, error) {
	for _, field := range []*string{&m.URL, &m.Data} {
		rest, ok := cutPrefixFold(*field, "data:")
		if !ok {
			continue
		}
		head, payload, ok := strings.Cut(rest, ",")
		if !ok {
			return m, errors.New("a data: URL has no comma")
		}
		m.URL, m.Type, m.Data = "", head, payload
		if !strings.Contains(strings.ToLower(head), ";base64") && !looksEncoded(payload) {
			text, err := url.PathUnescape(payload)
			if err != nil {
				return m, errors.New("a data: URL is not valid")
			}
			m.Data = base64.StdEncoding.EncodeToString([]byte(text))
		}
		break
	}
	m.Type, _, _ = strings.Cut(m.Type, ";")
	m.Type = strings.ToLower(strings.TrimSpace(m.Type))
	if m.Type == "image/jpg" || m.Type == "image/pjpeg" {
		m.Type = "image/jpeg"
	}
	if strings.ContainsAny(m.Data, " \t\r\n") {
		m.Data = strings.Join(strings.Fields(m.Data), "")
	}
	return m, nil
}

// looksEncoded reports whether a payload is base64 although nobody said so.
func looksEncoded(payload string) bool {
	for _, t := range imageTypes {
		if strings.HasPrefix(payload, t.magic) {
			return true
		}
	}
	return strings.HasPrefix(payload, pdfMagic)
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
