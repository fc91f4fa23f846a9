package openai

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Google's models sign the reasoning behind a tool call and want the signature
// back. It stands in the call's extra_content, as Google's own servers of this
// format have it: {"google":{"thought_signature":"…"}}.

// readSignature reads extra_content and returns the signature in canonical form,
// empty if there is none.
func readSignature(in *jsonx.Reader) (signature string, err error) {
	if in.Kind() != jsonx.Object {
		_, err := in.Skip()
		return "", err
	}
	err = in.Object(func(name []byte) error {
		if string(name) != "google" || in.Kind() != jsonx.Object {
			_, err := in.Skip()
			return err
		}
		return in.Object(func(name []byte) error {
			if string(name) == "thought_signature" {
				return keep(in, &signature)
			}
			_, err := in.Skip()
			return err
		})
	})
	if signature != "" {
		signature = dialect.Seal(llm.Anthropic, llm.Gemini, signature)
	}
	return signature, err
}

// appendSignature appends the member for a canonical signature of Google's.
func appendSignature(dst []byte, signature string) []byte {
	owner, own := dialect.Unseal(llm.Anthropic, signature)
	if owner != llm.Gemini {
		return dst
	}
	dst = append(dst, `,"extra_content":{"google":{"thought_signature":`...)
	return append(jsonx.AppendString(dst, own), "}}"...)
}
