package dialect

import (
	"bytes"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// ReadLogprobs reads a list of tokens with their probabilities, as OpenAI's
// formats have it, and appends them.
func ReadLogprobs(in *jsonx.Reader, to []llm.Logprob) ([]llm.Logprob, error) {
	err := in.Array(func(int) error {
		if in.Kind() != jsonx.Object {
			_, err := in.Skip()
			return err
		}
		var p llm.Logprob
		err := in.Object(func(name []byte) (err error) {
			kind := in.Kind()
			switch {
			case string(name) == "token" && kind == jsonx.String:
				p.Token, err = in.String()
			case string(name) == "logprob" && kind == jsonx.Number:
				var text string
				text, err = in.NumberText()
				p.Logprob = llm.Number(text)
			case string(name) == "bytes" && kind == jsonx.Array:
				var raw []byte
				raw, err = in.Raw()
				p.Bytes = bytes.Clone(raw)
			case string(name) == "top_logprobs" && kind == jsonx.Array:
				p.Top, err = ReadLogprobs(in, nil)
			default:
				_, err = in.Skip()
			}
			return err
		})
		to = append(to, p)
		return err
	})
	return to, err
}

// AppendLogprobs appends the elements of such a list. The likeliest tokens have
// no lists of their own.
func AppendLogprobs(dst []byte, tokens []llm.Logprob) []byte {
	return appendLogprobs(dst, tokens, true)
}

func appendLogprobs(dst []byte, tokens []llm.Logprob, top bool) []byte {
	for i, p := range tokens {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonx.AppendString(append(dst, `{"token":`...), p.Token)
		dst = append(append(dst, `,"logprob":`...), number(p.Logprob)...)
		dst = append(dst, `,"bytes":`...)
		if p.Bytes != nil {
			dst = append(dst, p.Bytes...)
		} else {
			dst = appendBytes(dst, p.Token)
		}
		if top {
			dst = appendLogprobs(append(dst, `,"top_logprobs":[`...), p.Top, false)
			dst = append(dst, ']')
		}
		dst = append(dst, '}')
	}
	return dst
}

func number(n llm.Number) llm.Number {
	if n == "" {
		return "0"
	}
	return n
}

// appendBytes writes the bytes of a token, which some formats do not tell.
func appendBytes(dst []byte, token string) []byte {
	dst = append(dst, '[')
	for i := range len(token) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(token[i]), 10)
	}
	return append(dst, ']')
}
