package gemini

import (
	"mime"
	"path"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// media writes bytes or a link.
func (e *requestEncoder) media(p *llm.Part) error {
	if err := e.CheckMedia(p, &e.rules); err != nil {
		return err
	}
	m := p.Media
	if m.Detail != "" && m.Detail != "auto" {
		e.Warn("image_url.detail", "left out: the API has no levels of detail for one image")
	}
	if p.Kind == llm.PartFile && m.Name != "" {
		e.Warn("file.filename", "left out: the API takes no names of files")
	}
	kind := mediaType(p.Kind, &m)
	switch {
	case m.Data != "" && kind == "":
		return llm.Invalid(e.Place(p.Raw, "messages"), "has no media type, which the Gemini API demands")
	case m.Data != "":
		e.link(`{"inlineData":{"mimeType":`, kind, "data", m.Data)
	case strings.HasPrefix(m.FileID, uploads):
		e.link(`{"fileData":{"mimeType":`, kind, "fileUri", m.FileID)
	case m.FileID != "":
		return llm.Unsupported(e.Place(p.Raw, "messages"), "a file that was uploaded to another provider cannot be sent")
	case m.URL != "" && kind == "":
		return llm.Unsupported(e.Place(p.Raw, "messages"), "the Gemini API wants the media type of a link, and its name does not tell")
	case strings.HasPrefix(m.URL, "https://"), strings.HasPrefix(m.URL, "http://"), strings.HasPrefix(m.URL, "gs://"):
		e.link(`{"fileData":{"mimeType":`, kind, "fileUri", m.URL)
	case m.URL != "":
		return llm.Invalid(e.Place(p.Raw, "messages"), "the URL of an image or file must begin with https:// or data:")
	default:
		return llm.Invalid(e.Place(p.Raw, "messages"), "an image or file has no content")
	}
	return nil
}

func (e *requestEncoder) link(begin, mediaType, member, value string) {
	e.separate()
	e.dst = jsonx.AppendString(append(e.dst, begin...), mediaType)
	e.key(member)
	e.dst = append(jsonx.AppendString(e.dst, value), "}}"...)
}

// magics are the beginnings of bytes, in base64, that tell the media type
// better than the client does.
var magics = []struct{ prefix, mediaType string }{
	{"iVBORw0KGgo", "image/png"}, {"/9j/", "image/jpeg"}, {"R0lGOD", "image/gif"}, {"JVBER", "application/pdf"},
}

// mediaType is the type of media as far as anything tells it.
func mediaType(kind llm.PartKind, m *llm.Media) string {
	for _, magic := range magics {
		if strings.HasPrefix(m.Data, magic.prefix) {
			return magic.mediaType
		}
	}
	t, _, _ := strings.Cut(m.Type, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if t == "" {
		name := m.Name
		if link, _, _ := strings.Cut(m.URL, "?"); link != "" {
			name = link
		}
		t, _, _ = strings.Cut(mime.TypeByExtension(strings.ToLower(path.Ext(name))), ";")
	}
	switch {
	case t == "image/jpg" || t == "image/pjpeg":
		return "image/jpeg"
	case t == "" && kind == llm.PartImage && m.URL != "":
		return "image/jpeg" // Google looks at what it fetches
	}
	return t
}
