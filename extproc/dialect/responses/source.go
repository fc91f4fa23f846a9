package responses

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// source reads an annotation: where a stretch of a part's text comes from. Its
// places are those in the part, until cite is told where that begins.
func (a *answer) source(to *[]llm.Event) error {
	raw, err := a.in.Raw()
	if err != nil || len(*to) == maxParts {
		return err
	}
	raw = bytes.Clone(raw)
	in := jsonx.NewReader(raw)
	if in.Kind() != jsonx.Object {
		return nil
	}
	c, index := &llm.Citation{}, -1
	place := func(to *int) error {
		var n int64
		err := natural(in, &n)
		*to = int(n)
		return err
	}
	err = in.Object(func(name []byte) error {
		switch string(name) {
		case "url":
			return keep(in, &c.URL)
		case "title", "filename":
			return keep(in, &c.Title)
		case "file_id":
			return keep(in, &c.FileID)
		case "start_index":
			return place(&c.Start)
		case "end_index":
			return place(&c.End)
		case "index":
			return place(&index)
		}
		_, err := in.Skip()
		return err
	})
	if index >= 0 {
		c.Start, c.End = index, index
	}
	*to = append(*to, llm.Event{Kind: llm.EventCitation, Citation: c, Raw: &llm.Raw{Dialect: llm.Responses, JSON: raw}})
	return err
}

// cite tells a source of a part of an item.
func (a *answer) cite(it *item, part int64, e llm.Event) {
	from := it.start(part)
	e.Citation.Start += from
	e.Citation.End += from
	it.cited++
	a.emit(e)
}

// annotationEvent reads a source that a stream adds to a part.
func (a *answer) annotationEvent() error {
	var index, part int64
	var sources []llm.Event
	err := a.in.Object(func(name []byte) error {
		switch string(name) {
		case "output_index":
			return natural(a.in, &index)
		case "content_index":
			return natural(a.in, &part)
		case "annotation":
			return a.source(&sources)
		}
		return a.skip(nil)
	})
	if err != nil || len(sources) == 0 {
		return err
	}
	a.begin()
	it, err := a.at(index)
	if err == nil {
		a.cite(it, part, sources[0])
	}
	return err
}

// annotation writes a source whose part begins at from. It is not ok if the API
// has no such source.
func annotation(e *llm.Event, from int) (_ []byte, ok bool) {
	if raw := dialect.Own(e, llm.Responses); raw != nil {
		return dialect.OneLine(raw), true
	}
	c := e.Citation
	var dst []byte
	switch {
	case strings.Contains(c.URL, "://"):
		dst = strconv.AppendInt(append(dst, `{"type":"url_citation","start_index":`...), int64(max(0, c.Start-from)), 10)
		dst = strconv.AppendInt(append(dst, `,"end_index":`...), int64(max(0, c.End-from)), 10)
		dst = jsonx.AppendString(append(dst, `,"url":`...), c.URL)
		dst = jsonx.AppendString(append(dst, `,"title":`...), c.Title)
	case c.FileID != "":
		dst = jsonx.AppendString(append(dst, `{"type":"file_citation","file_id":`...), c.FileID)
		dst = jsonx.AppendString(append(dst, `,"filename":`...), c.Title)
		dst = strconv.AppendInt(append(dst, `,"index":`...), int64(max(0, c.End-from)), 10)
	default:
		return nil, false
	}
	return append(dst, '}'), true
}
