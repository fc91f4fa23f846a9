package dialect

import (
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestSeal(t *testing.T) {
	for _, c := range []struct{ native, owner, signature, sealed string }{
		{llm.Anthropic, llm.Anthropic, "EqQB:x", "EqQB:x"},
		{llm.Anthropic, llm.Responses, "gAAA:=", "attache:responses:gAAA:="},
		{llm.Responses, llm.Responses, "gAAA:=", "gAAA:="},
		{llm.Responses, llm.Anthropic, "", "attache:anthropic:"},
	} {
		got := Seal(c.native, c.owner, c.signature)
		if owner, own := Unseal(c.native, got); got != c.sealed || owner != c.owner || own != c.signature {
			t.Errorf("%s of %s: sealed %q, unsealed %q of %q", c.signature, c.owner, got, own, owner)
		}
	}
}
