package bedrock

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// unsigned stands where a client is sent reasoning of a provider that signs
// nothing, so that it is known when it comes back: Claude wants its own
// signature.
var unsigned = dialect.Seal(llm.Anthropic, "unsigned", "")

// foreign reports whether a part is reasoning with somebody's signature that no
// model on Bedrock takes. Anthropic's signatures hold on every platform.
func foreign(p *llm.Part) bool {
	if p.Kind != llm.PartReasoning && p.Kind != llm.PartRedacted {
		return false
	}
	owner, _ := dialect.Unseal(llm.Anthropic, p.Signature)
	return owner != llm.Anthropic && owner != llm.Bedrock
}

// A removal takes blocks out of a list.
type removal struct {
	blocks []llm.Span
	gone   []bool
}

// saw is told of each block.
func (r *removal) saw(at llm.Span, gone bool) {
	r.blocks, r.gone = append(r.blocks, at), append(r.gone, gone)
}

// edits returns the changes. A block goes with the comma before it or, where
// none before it stays, with the comma behind it. A list must not become empty:
// its first block becomes a text without meaning.
func (r *removal) edits() (out []llm.Edit) {
	kept := false
	for i, at := range r.blocks {
		switch {
		case !r.gone[i]:
			kept = true
		case kept:
			out = append(out, llm.Edit{At: llm.Span{Start: r.blocks[i-1].End, End: at.End}})
		case i+1 < len(r.blocks):
			out = append(out, llm.Edit{At: llm.Span{Start: at.Start, End: r.blocks[i+1].Start}})
		default:
			text := append(jsonx.AppendString([]byte(`{"text":`), leftOut), '}')
			out = append(out, llm.Edit{At: at, New: text})
		}
	}
	return out
}

// leftOut stands for a message that was nothing but foreign reasoning.
const leftOut = "(reasoning of another model, left out)"
