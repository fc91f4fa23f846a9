package bedrock

import (
	"errors"

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
