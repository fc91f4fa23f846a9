package dialect

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// CountDecoder returns a decoder of a dialect's count of input tokens: a JSON
// object with the number in a member. limit is in bytes.
func CountDecoder(dialect, member string, limit int) Decoder {
	return &countDecoder{dialect: dialect, member: member, held: Whole{Limit: limit}}
}

type countDecoder struct {
	dialect, member string
	held            Whole
}

func (d *countDecoder) Decode(chunk []byte, eos bool) ([]Frame, error) {
	body, err := d.held.Add(chunk, eos)
	if err != nil || !eos {
		return nil, err
	}
	n := int64(-1)
	in := jsonx.NewReader(body)
	err = in.Map(func(name []byte) (err error) {
		if string(name) == d.member {
			n, err = in.Int()
			return err
		}
		_, err = in.Skip()
		return err
	})
	if err != nil || n < 0 {
		return nil, NotValid(d.dialect)
	}
	events := []llm.Event{{Kind: llm.EventUsage, Usage: llm.Usage{Input: n}}, {Kind: llm.EventEnd}}
	return []Frame{{Raw: body, Events: events}}, nil
}

// CountEncoder returns the encoder of a count of input tokens: the number in an
// object that begins with the text before it. An error is written by failure.
func CountEncoder(mediaType, before string, failure func(*llm.Error) []byte) Encoder {
	return &countEncoder{mediaType: mediaType, before: before, failure: failure}
}

type countEncoder struct {
	mediaType, before string
	failure           func(*llm.Error) []byte
	tokens            int64
}

func (c *countEncoder) MediaType() string { return c.mediaType }

func (c *countEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		switch e := &events[i]; e.Kind {
		case llm.EventUsage:
			c.tokens = e.Usage.Input
		case llm.EventError:
			return append(dst, c.failure(e.Err)...), nil
		case llm.EventEnd:
			return append(strconv.AppendInt(append(dst, c.before...), c.tokens, 10), '}'), nil
		}
	}
	return dst, nil
}
