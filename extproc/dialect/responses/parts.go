package responses

import (
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// text reads a string into the part, with its place.
func (in *reading) text(p *llm.Part) (err error) {
	p.At.Start = in.place()
	p.Text, err = in.String()
	p.At.End = in.Offset()
	return err
}

func (in *reading) texts(kind llm.PartKind) ([]llm.Part, error) {
	p := llm.Part{Kind: kind}
	err := in.text(&p)
	return []llm.Part{p}, err
}

// content reads a string or a list of parts.
func (in *reading) content() (parts []llm.Part, err error) {
	if in.Kind() == jsonx.String {
		return in.texts(llm.PartText)
	}
	parts = []llm.Part{}
	err = in.Array(func(int) error {
		p, err := in.part()
		parts = append(parts, p)
		return err
	})
	return parts, err
}

// partKinds are the types of parts that have a canonical form.
var partKinds = map[string]llm.PartKind{
	"input_text":     llm.PartText,
	"output_text":    llm.PartText,
	"text":           llm.PartText,
	"summary_text":   llm.PartText,
	"reasoning_text": llm.PartText,
	"refusal":        llm.PartRefusal,
	"input_image":    llm.PartImage,
	"input_file":     llm.PartFile,
}

func (in *reading) part() (p llm.Part, err error) {
	if in.Kind() != jsonx.Object {
		return p, in.Want(jsonx.Object)
	}
	kind, start := string(in.Tag("type")), in.place()
	canonical, known := partKinds[kind]
	p.Kind = canonical
	if known {
		err = in.Object(func(name []byte) error { return in.partMember(&p, name) })
	} else {
		p.Kind, p.Type = llm.PartOther, kind
		_, err = in.Skip()
	}
	if err != nil {
		return p, err
	}
	p.Raw = in.since(start)
	if missing := lacks(&p, kind); missing != "" {
		return p, in.missing(missing)
	}
	return p, nil
}

// lacks names the member that a part must have and has not.
func lacks(p *llm.Part, kind string) string {
	nowhere := p.Media.URL == "" && p.Media.Data == "" && p.Media.FileID == ""
	switch {
	case kind == "":
		return "type"
	case p.Kind == llm.PartText && p.At.Empty():
		return "text"
	case p.Kind == llm.PartRefusal && p.At.Empty():
		return "refusal"
	case p.Kind == llm.PartImage && nowhere:
		return "image_url"
	case p.Kind == llm.PartFile && nowhere:
		return "file_data"
	}
	return ""
}

func (in *reading) partMember(p *llm.Part, name []byte) (err error) {
	if in.Null() {
		return nil
	}
	switch string(name) {
	case "text", "refusal":
		err = in.text(p)
	case "image_url", "file_url":
		err = in.link(p)
	case "file_data":
		if err = in.link(p); p.Media.URL != "" {
			p.Media.Data, p.Media.URL = p.Media.URL, "" // the bytes alone
		}
	case "file_id":
		p.Media.FileID, err = in.String()
	case "filename":
		p.Media.Name, err = in.String()
	case "detail":
		p.Media.Detail, err = in.String()
	case "prompt_cache_breakpoint":
		p.Cache, err = in.cache()
	case "type", "annotations", "logprobs":
		_, err = in.Skip()
	default:
		err = in.unknown()
	}
	return err
}

// link reads a URL, which may hold the bytes itself.
func (in *reading) link(p *llm.Part) error {
	link, err := in.String()
	name, detail := p.Media.Name, p.Media.Detail
	p.Media = llm.LinkedMedia(link)
	p.Media.Name, p.Media.Detail = name, detail
	return err
}

// cache reads a mark.
func (in *reading) cache() (*llm.Cache, error) {
	c := &llm.Cache{}
	err := in.Object(func(name []byte) (err error) {
		switch string(name) {
		case "ttl":
			if !in.Null() {
				c.TTL, err = in.String()
			}
		case "mode":
			_, err = in.Skip()
		default:
			err = in.unknown()
		}
		return err
	})
	return c, err
}
