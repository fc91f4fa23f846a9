package bedrock

import (
	"errors"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/amazon"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// decodeCount reads the body of a call to count-tokens, in which the request to
// converse stands below input.converse. That is what becomes the body. The form
// of InvokeModel, in which every model speaks its own format, is refused.
func (d *Dialect) decodeCount(body []byte) (*llm.Request, error) {
	var converse []byte
	in := jsonx.NewReader(body)
	err := in.Object(func(name []byte) error {
		if string(name) != "input" {
			_, err := in.Skip()
			return err
		}
		return in.Object(func(name []byte) (err error) {
			if string(name) != "converse" {
				return llm.Unsupported("input."+string(name), "only requests to converse are counted")
			}
			if in.Kind() != jsonx.Object {
				return in.Want(jsonx.Object)
			}
			converse, err = in.Raw()
			return err
		})
	})
	if err == nil {
		err = in.End()
	}
	switch {
	case err != nil:
		return nil, jsonx.Problem(err)
	case converse == nil:
		return nil, llm.Invalid("input.converse", "is required")
	}
	r, err := d.DecodeRequest(llm.OpChat, converse)
	if e := (*llm.Error)(nil); errors.As(err, &e) && e.Param != "" {
		e.Param = "input.converse." + e.Param
	}
	if err != nil {
		return nil, err
	}
	r.Op = llm.OpCountTokens
	return r, nil
}

// encodeCount writes a call to count-tokens.
func encodeCount(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	if r.Dialect != llm.Bedrock {
		return nil, llm.Unsupported("", "%s counts no requests of other formats", api)
	}
	body := append([]byte(`{"input":{"converse":`), r.Patch().Bytes()...)
	return &dialect.Wire{Path: amazon.CountPath(t.Model), Body: append(body, "}}"...)}, nil
}

// A countDecoder reads the answer to count-tokens.
type countDecoder struct{ held dialect.Whole }

func (d *countDecoder) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	body, err := d.held.Add(chunk, eos)
	if err != nil || !eos {
		return nil, err
	}
	n := int64(-1)
	in := jsonx.NewReader(body)
	err = in.Map(func(name []byte) (err error) {
		if string(name) == "inputTokens" {
			n, err = in.Int()
			return err
		}
		_, err = in.Skip()
		return err
	})
	if err != nil || n < 0 {
		return nil, notOurs()
	}
	events := []llm.Event{{Kind: llm.EventUsage, Usage: llm.Usage{Input: n}}, {Kind: llm.EventEnd}}
	return []dialect.Frame{{Raw: body, Events: events}}, nil
}

// A countEncoder answers count-tokens.
type countEncoder struct{ tokens int64 }

func (*countEncoder) MediaType() string { return "application/json" }

func (c *countEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for _, e := range events {
		switch e.Kind {
		case llm.EventUsage:
			c.tokens = e.Usage.Input
		case llm.EventEnd:
			dst = append(strconv.AppendInt(append(dst, `{"inputTokens":`...), c.tokens, 10), '}')
		}
	}
	return dst, nil
}
