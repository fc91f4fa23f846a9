package dialect

import (
	"github.com/attache-gateway/attache/extproc/llm"
)

// CheckMedia refuses bytes of a part that no provider could read, or that are
// more than the model takes.
func (n *Notes) CheckMedia(p *llm.Part, rules *llm.Rules) error {
	m := &p.Media
	if m.Data == "" {
		return nil
	}
	if size := int64(len(m.Data)) / 4 * 3; rules.MaxMedia > 0 && size > rules.MaxMedia {
		return &llm.Error{Status: 413, Code: llm.CodeTooLarge, Param: n.Place(p.Raw, "messages"), Message: "the model takes no image, sound or file of this size"}
	}
	if !IsBase64(m.Data) {
		return llm.Invalid(n.Place(p.Raw, "messages"), "is not valid base64")
	}
	return nil
}

// inBase64 are the digits of base64 (RFC 4648, section 4).
var inBase64 = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		is[c] = true
	}
	return is
}()

// IsBase64 reports whether a text is base64, which need not be padded.
func IsBase64(text string) bool {
	end := len(text)
	for pad := 0; pad < 2 && end > 0 && text[end-1] == '='; pad++ {
		end--
	}
	if end%4 == 1 || end < len(text) && len(text)%4 != 0 {
		return false
	}
	for i := range end {
		if !inBase64[text[i]] {
			return false
		}
	}
	return true
}
