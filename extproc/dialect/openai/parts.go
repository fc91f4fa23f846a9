package openai

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// partKinds are the types of content parts that have a canonical form. In each
// of them the member with the content is named like the type.
var partKinds = map[string]llm.PartKind{
	"text":        llm.PartText,
	"image_url":   llm.PartImage,
	"input_audio": llm.PartAudio,
	"file":        llm.PartFile,
	"refusal":     llm.PartRefusal,
	"thinking":    llm.PartReasoning, // Mistral
}

func (in *reading) part() (p llm.Part, err error) {
	kind := string(in.Tag("type"))
	if in.Kind() != jsonx.Object {
		return p, in.Want(jsonx.Object)
	}
	start := in.Offset()
	found := false
	if k, ok := partKinds[kind]; ok {
		p.Kind = k
		err = in.Object(func(name []byte) (err error) {
			switch string(name) {
			case "type":
				_, err = in.Skip()
			case kind:
				found = true
				err = in.partContent(&p)
			case "cache_control", "prompt_cache_breakpoint":
				p.Cache, err = in.cache()
			default:
				err = in.unknown()
			}
			return err
		})
	} else {
		p.Kind, p.Type, found = llm.PartOther, kind, true
		_, err = in.Skip()
	}
	switch {
	case err != nil:
		return p, err
	case kind == "":
		return p, in.missing("type")
	case !found:
		return p, in.missing(kind)
	}
	p.Raw = in.since(start)
	return p, nil
}

func (in *reading) partContent(p *llm.Part) error {
	switch p.Kind {
	case llm.PartImage:
		return in.image(p)
	case llm.PartAudio:
		return in.audio(p)
	case llm.PartFile:
		return in.file(p)
	case llm.PartReasoning:
		return in.Array(func(int) error { return in.thought(p) })
	}
	return in.text(p)
}

// image reads a link, which Mistral's clients send without the object around
// it.
func (in *reading) image(p *llm.Part) error {
	if in.Kind() == jsonx.String {
		link, err := in.String()
		p.Media = llm.LinkedMedia(link)
		return err
	}
	var link, detail string
	err := in.Object(func(name []byte) (err error) {
		switch string(name) {
		case "url":
			link, err = in.String()
		case "detail":
			if !in.Null() {
				detail, err = in.String()
			}
		default:
			err = in.unknown()
		}
		return err
	})
	if err == nil && link == "" {
		return in.missing("url")
	}
	p.Media = llm.LinkedMedia(link)
	p.Media.Detail = detail
	return err
}

// audioTypes are the media types of the formats that input_audio names.
var audioTypes = map[string]string{"wav": "audio/wav", "mp3": "audio/mpeg"}

func (in *reading) audio(p *llm.Part) error {
	return in.Object(func(name []byte) (err error) {
		switch string(name) {
		case "data":
			p.Media.Data, err = in.String()
		case "format":
			var format string
			format, err = in.String()
			if p.Media.Type = audioTypes[format]; p.Media.Type == "" {
				p.Media.Type = "audio/" + format
			}
		default:
			err = in.unknown()
		}
		return err
	})
}

func (in *reading) file(p *llm.Part) error {
	var name, id string
	err := in.Object(func(member []byte) (err error) {
		if in.Null() {
			return nil
		}
		switch string(member) {
		case "file_data":
			var data string
			if data, err = in.String(); strings.HasPrefix(data, "data:") {
				p.Media = llm.LinkedMedia(data)
			} else {
				p.Media.Data = data
			}
		case "file_id":
			id, err = in.String()
		case "filename":
			name, err = in.String()
		default:
			err = in.unknown()
		}
		return err
	})
	p.Media.Name, p.Media.FileID = name, id
	if err == nil && id == "" && p.Media.Data == "" {
		return in.missing("file_data")
	}
	return err
}

// thought reads one piece of Mistral's thinking parts.
func (in *reading) thought(p *llm.Part) error {
	return in.Object(func(name []byte) error {
		if string(name) != "text" {
			_, err := in.Skip()
			return err
		}
		text, err := in.String()
		p.Text += text
		return err
	})
}

// cache reads a mark of either kind: cache_control, which OpenRouter and others
// took from Anthropic, or prompt_cache_breakpoint.
func (in *reading) cache() (*llm.Cache, error) {
	if in.Null() {
		return nil, nil
	}
	c := &llm.Cache{}
	err := in.Object(func(name []byte) (err error) {
		switch string(name) {
		case "ttl":
			if !in.Null() {
				c.TTL, err = in.String()
			}
		case "type", "mode":
			_, err = in.Skip()
		default:
			err = in.unknown()
		}
		return err
	})
	return c, err
}
