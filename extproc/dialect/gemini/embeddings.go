package gemini

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// batched reports whether a client asks for several embeddings in one call.
func batched(r *llm.Request) bool { return r.Body.Member("requests") != nil }

// embedMember reads one member of a request for embeddings: of one text, or of
// a list of such requests.
func (d *requestDecoder) embedMember(name string) (err error) {
	if d.Null() {
		return nil
	}
	switch name {
	case "requests":
		err = d.list(func(int) error { return d.object(d.embedMember) })
	case "content":
		err = d.embedContent()
	case "outputDimensionality":
		d.req.Dimensions, err = d.count()
	default:
		err = d.skip(name, "model")
	}
	return err
}

// embedContent reads what is to be embedded: texts, which are one, or media,
// which only this dialect knows.
func (d *requestDecoder) embedContent() error {
	var input llm.Part
	d.Kind() // skips white space
	at := llm.Span{Start: d.Offset()}
	shape := d.shape()
	foreign := false
	err := d.object(func(name string) error {
		if name != "parts" {
			return d.skip(name, "role")
		}
		parts, err := d.parts()
		for _, p := range parts {
			d.asked = true
			foreign = foreign || p.Kind != llm.PartText
		}
		input = joined(parts)
		return err
	})
	if at.End = d.Offset(); foreign {
		d.note(shape, at)
	}
	d.req.Inputs = append(d.req.Inputs, input)
	return err
}

// joined makes one text of the parts, in one place of the body if it is one.
func joined(parts []llm.Part) llm.Part {
	if len(parts) == 1 {
		return parts[0]
	}
	var all llm.Part
	for _, p := range parts {
		all.Text += p.Text
	}
	return all
}

// embedding writes a request for the embeddings of texts.
func (e *requestEncoder) embedding() error {
	if err := e.checkExtra(); err != nil {
		return err
	}
	inputs := e.Request.Inputs
	switch {
	case len(inputs) == 0:
		return llm.Unsupported("input", "the Gemini API embeds texts, not tokens")
	case len(inputs) == 1:
		e.embedOne(inputs[0].Text)
		return nil
	}
	e.dst = append(e.dst, `{"requests":[`...)
	for _, input := range inputs {
		e.separate()
		e.embedOne(input.Text)
	}
	e.dst = append(e.dst, "]}"...)
	return nil
}

func (e *requestEncoder) embedOne(text string) {
	e.dst = jsonx.AppendString(append(e.dst, `{"model":`...), resource(e.target.Model))
	e.dst = jsonx.AppendString(append(e.dst, `,"content":{"parts":[{"text":`...), text)
	e.dst = append(e.dst, "}]}"...)
	if n := e.Request.Dimensions; n > 0 {
		e.value("outputDimensionality", strconv.FormatInt(n, 10))
	}
	e.dst = append(e.dst, '}')
}
