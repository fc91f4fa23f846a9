package gemini

import (
	"encoding/base64"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// sealedPrefix begins the base64 of every sealed signature, "attache:…".
const sealedPrefix = "YXR0YWNoZT"

// hidden owns reasoning that only its provider can read, which this API has no
// place for but a signature.
const hidden = "hidden"

// wrap is a canonical signature as a client of this API sees it: base64, which
// its SDKs decode.
func wrap(signature string) string {
	owner, own := dialect.Unseal(llm.Anthropic, signature)
	return wrapOwned(owner, own)
}

func wrapOwned(owner, own string) string {
	sealed := dialect.Seal(llm.Gemini, owner, own)
	if sealed == own {
		return own
	}
	return base64.StdEncoding.EncodeToString([]byte(sealed))
}

// unwrap is the canonical form of a signature on the wire.
func unwrap(signature string) string {
	if signature == "" {
		return ""
	}
	if strings.HasPrefix(signature, sealedPrefix) {
		if plain, err := base64.StdEncoding.DecodeString(standardBase64(signature)); err == nil {
			signature = string(plain)
		}
	}
	owner, own := dialect.Unseal(llm.Gemini, signature)
	return dialect.Seal(llm.Anthropic, owner, own)
}

// redacted returns hidden reasoning that stands as a canonical signature.
func redacted(signature string) (data string, ok bool) {
	owner, own := dialect.Unseal(llm.Anthropic, signature)
	return own, owner == hidden
}

// ours returns Google's own form of a canonical signature, empty if it is
// another's.
func ours(signature string) string {
	if owner, own := dialect.Unseal(llm.Anthropic, signature); owner == llm.Gemini {
		return own
	}
	return ""
}
