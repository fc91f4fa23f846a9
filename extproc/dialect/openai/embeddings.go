package openai

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// embeddingsMember reads one member of a request for embeddings.
func (in *reading) embeddingsMember(name []byte) (err error) {
	switch string(name) {
	case "model":
		in.req.Model, err = in.String()
	case "input":
		err = in.input()
	case "user":
		if !in.Null() {
			in.req.User, err = in.String()
		}
	case "dimensions":
		if !in.Null() {
			in.req.Dimensions, err = in.count(1)
		}
	case "encoding_format":
		in.Kind() // skips white space
		at := in.Offset()
		err = in.unknown()
		in.req.Packed = string(in.body[at:in.Offset()]) == `"base64"`
	default:
		err = in.unknown()
	}
	return err
}

// input reads a text, texts, tokens, or lists of tokens.
func (in *reading) input() error {
	switch in.Kind() {
	case jsonx.String:
		return in.inputText()
	case jsonx.Array:
		return in.Array(func(int) error { return in.inputItem() })
	}
	return in.Want(jsonx.String)
}

func (in *reading) inputText() error {
	in.asked = true
	var p llm.Part
	err := in.text(&p)
	in.req.Inputs = append(in.req.Inputs, p)
	return err
}

func (in *reading) inputItem() error {
	in.asked = true
	switch in.Kind() {
	case jsonx.String:
		return in.inputText()
	case jsonx.Array:
		return in.Array(func(int) error { _, err := in.count(0); return err })
	}
	_, err := in.count(0)
	return err
}

// data reads the vectors of an answer.
func (a *answer) data() error {
	if !a.embeddings || a.in.Kind() != jsonx.Array {
		_, err := a.in.Skip()
		return err
	}
	a.vectors = true
	a.begin()
	return a.in.Array(func(i int) error {
		index, vector := int64(i), ""
		err := a.in.Object(func(name []byte) error {
			switch string(name) {
			case "index":
				return natural(a.in, &index)
			case "embedding":
				raw, err := a.in.Raw()
				vector = string(raw)
				return err
			}
			_, err := a.in.Skip()
			return err
		})
		a.emit(llm.Event{Kind: llm.EventVector, Choice: int(index), Text: vector})
		return err
	})
}

// embeddings writes a request for embeddings from its canonical form.
func (w *writer) embeddings() (*dialect.Wire, error) {
	if len(w.Request.Inputs) == 0 {
		return nil, llm.Unsupported("input", "only texts are translated, not tokens")
	}
	w.dst = append(w.dst, `{"model":`...)
	w.dst = jsonx.AppendString(w.dst, w.target.Model)
	if err := w.checkExtra(); err != nil {
		return nil, err
	}
	w.key("input")
	for i, p := range w.Request.Inputs {
		w.dst = jsonx.AppendString(append(w.dst, "[,"[min(i, 1)]), p.Text)
	}
	w.dst = append(w.dst, ']')
	if n := w.Request.Dimensions; n > 0 {
		w.key("dimensions")
		w.dst = strconv.AppendInt(w.dst, n, 10)
	}
	return &dialect.Wire{Path: embeddingsPath, Body: append(w.dst, '}'), Warnings: w.Warnings}, nil
}
