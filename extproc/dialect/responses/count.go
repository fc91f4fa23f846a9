package responses

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// countPath asks how many tokens a request has.
const countPath = responsesPath + "/input_tokens"

// A countDecoder reads a count.
type countDecoder struct{ held dialect.Whole }

func (d *countDecoder) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	body, err := d.held.Add(chunk, eos)
	if err != nil || !eos {
		return nil, err
	}
	n := int64(-1)
	in := jsonx.NewReader(body)
	err = in.Map(func(name []byte) (err error) {
		if string(name) == "input_tokens" {
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

// A countEncoder writes a count that is not the provider's.
type countEncoder struct {
	req    *llm.Request
	tokens int64
}

func (*countEncoder) MediaType() string { return "application/json" }

// Encode refuses a count of what a provider keeps: nobody else knows it.
func (c *countEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for _, name := range [...]string{"previous_response_id", "conversation"} {
		if v := c.req.Body.Member(name); v != nil && string(v) != "null" {
			return dst, llm.Unsupported(name, "the target keeps no responses that could be counted")
		}
	}
	for _, e := range events {
		switch e.Kind {
		case llm.EventUsage:
			c.tokens = e.Usage.Input
		case llm.EventEnd:
			dst = strconv.AppendInt(append(dst, `{"object":"response.input_tokens","input_tokens":`...), c.tokens, 10)
			dst = append(dst, '}')
		}
	}
	return dst, nil
}
