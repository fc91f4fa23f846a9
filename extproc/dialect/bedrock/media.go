package bedrock

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// mediaTypes are the media types of the API's document formats.
var mediaTypes = map[string]string{
	"pdf":  "application/pdf",
	"csv":  "text/csv",
	"doc":  "application/msword",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"xls":  "application/vnd.ms-excel",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"html": "text/html",
	"txt":  "text/plain",
	"md":   "text/markdown",
}

func (d *requestDecoder) image() (llm.Part, error) {
	return d.media(llm.PartImage, func(format string) string { return "image/" + format })
}

func (d *requestDecoder) audio() (llm.Part, error) {
	return d.media(llm.PartAudio, func(format string) string { return "audio/" + format })
}

// media reads an image or a sound: its format and where its bytes are.
func (d *requestDecoder) media(kind llm.PartKind, typeOf func(format string) string) (llm.Part, error) {
	p := llm.Part{Kind: kind}
	start := d.Offset()
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "format":
			var format string
			format, err = d.String()
			p.Media.Type = typeOf(format)
		case "source":
			_, err = d.source(&p, nil)
		default:
			err = d.extra()
		}
		return err
	})
	p.Raw = d.body[start:d.Offset()]
	if err == nil && p.Media.Data == "" && p.Media.URL == "" {
		err = d.Fail("must have a source")
	}
	return p, err
}

// document reads a document. One that is text becomes texts, so that guards see
// them.
func (d *requestDecoder) document(parts []llm.Part) ([]llm.Part, error) {
	p := llm.Part{Kind: llm.PartFile}
	start, has := d.Offset(), false
	var texts, about []llm.Part
	err := d.Object(func(name []byte) (err error) {
		switch {
		case string(name) == "format":
			var format string
			format, err = d.String()
			p.Media.Type = mediaTypes[format]
		case string(name) == "name":
			p.Media.Name, err = d.String()
		case string(name) == "source":
			has = true
			texts, err = d.source(&p, texts)
		case string(name) == "context" && d.Kind() == jsonx.String:
			about = make([]llm.Part, 1)
			about[0], err = d.text()
		default:
			err = d.extra()
		}
		return err
	})
	if err == nil && !has {
		err = d.Fail("must have a source")
	}
	p.Raw = d.body[start:d.Offset()]
	parts = append(parts, about...)
	if texts != nil {
		if p.Media.Name != "" {
			d.note(d.Shape()+".name", llm.Span{Start: start, End: d.Offset()})
		}
		return append(parts, texts...), err
	}
	return append(parts, p), err
}

// source reads where the bytes of something are, or the texts that it is.
func (d *requestDecoder) source(p *llm.Part, texts []llm.Part) ([]llm.Part, error) {
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "bytes":
			p.Media.Data, err = d.String()
		case "s3Location":
			err = d.Object(func(name []byte) (err error) {
				if string(name) != "uri" {
					return d.extra()
				}
				p.Media.URL, err = d.String()
				return err
			})
		case "text":
			var text llm.Part
			text, err = d.text()
			texts = append(texts, text)
		case "content":
			err = d.Array(func(int) error {
				texts, err = d.block(texts)
				return err
			})
		default:
			err = d.extra()
		}
		return err
	})
	return texts, err
}

// imageFormats are the images that the API takes, each with the beginning of
// its bytes in base64.
var imageFormats = []struct{ format, magic string }{
	{"png", "iVBORw0KGgo"},
	{"jpeg", "/9j/"},
	{"gif", "R0lGOD"},
	{"webp", "UklGR"},
}

// media writes an image, a sound or a document.
func (e *requestEncoder) media(p *llm.Part) error {
	if err := e.CheckMedia(p, &e.target.Rules); err != nil {
		return err
	}
	m := p.Media
	if len(m.URL) > 5 && strings.EqualFold(m.URL[:5], "data:") {
		name := m.Name
		m = llm.LinkedMedia(m.URL)
		m.Name = name
	}
	if m.Detail != "" && m.Detail != "auto" {
		e.Warn("messages.image_url.detail", "left out: the API has no levels of detail")
	}
	var kind, format string
	switch p.Kind {
	case llm.PartImage:
		kind, format = "image", imageFormat(&m)
	case llm.PartAudio:
		kind, format = "audio", audioFormat(&m)
	default:
		kind, format = "document", documentFormat(&m)
	}
	s3 := strings.HasPrefix(m.URL, "s3://")
	switch {
	case m.Data == "" && m.FileID != "":
		return llm.Unsupported(e.Place(p.Raw, "messages"), "a file that was uploaded to another provider cannot be sent")
	case m.Data == "" && m.URL == "":
		return llm.Invalid(e.Place(p.Raw, "messages"), "an image or file has no content")
	case m.Data == "" && !s3:
		return llm.Unsupported(e.Place(p.Raw, "messages"), "Bedrock does not fetch links: send the bytes, or the address of an S3 object")
	case format == "":
		return llm.Unsupported(e.Place(p.Raw, "messages"), "the Converse API takes no %s of type %q", kind, m.Type)
	}
	e.dst = append(append(append(e.dst, `{"`...), kind...), `":{"format":"`...)
	e.dst = append(append(e.dst, format...), '"')
	if kind == "document" {
		e.dst = jsonx.AppendString(append(e.dst, `,"name":`...), e.documentName(m.Name))
	}
	e.dst = append(e.dst, `,"source":{`...)
	if s3 {
		e.dst = append(jsonx.AppendString(append(e.dst, `"s3Location":{"uri":`...), m.URL), '}')
	} else {
		e.dst = jsonx.AppendString(append(e.dst, `"bytes":`...), m.Data)
	}
	e.dst = append(e.dst, "}}}"...)
	return nil
}

// imageFormat tells an image's format by its bytes, which count for more than
// what the client says of them.
func imageFormat(m *llm.Media) string {
	for _, f := range imageFormats {
		if strings.HasPrefix(m.Data, f.magic) {
			return f.format
		}
	}
	for _, f := range imageFormats {
		if m.Type == "image/"+f.format || m.Data == "" && strings.HasSuffix(strings.ToLower(m.URL), "."+f.format) {
			return f.format
		}
	}
	return ""
}

// audioFormats are the sounds that other formats know.
var audioFormats = map[string]string{
	"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/ogg": "ogg",
	"audio/flac": "flac", "audio/aac": "aac", "audio/webm": "webm", "audio/mp4": "mp4", "audio/opus": "opus",
}

func audioFormat(m *llm.Media) string { return audioFormats[m.Type] }

// documentFormat tells a document's format by its media type or its name.
func documentFormat(m *llm.Media) string {
	const pdfMagic = "JVBER" // in base64
	if strings.HasPrefix(m.Data, pdfMagic) {
		return "pdf"
	}
	for format, mediaType := range mediaTypes {
		if m.Type == mediaType {
			return format
		}
	}
	for _, name := range [...]string{m.Name, m.URL} {
		if dot := strings.LastIndexByte(name, '.'); dot >= 0 && mediaTypes[strings.ToLower(name[dot+1:])] != "" {
			return strings.ToLower(name[dot+1:])
		}
	}
	if strings.HasPrefix(m.Type, "text/") {
		return "txt"
	}
	return ""
}
