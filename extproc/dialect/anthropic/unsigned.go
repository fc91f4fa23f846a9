package anthropic

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// foreign reports whether a part is reasoning that Anthropic has not signed: it
// carries our own mark, another provider's signature under a seal, or none.
func foreign(p *llm.Part) bool {
	switch p.Kind {
	case llm.PartReasoning, llm.PartRedacted:
		owner, _ := dialect.Unseal(llm.Anthropic, p.Signature)
		return p.Signature == "" || p.Signature == unsigned || owner != llm.Anthropic
	}
	return false
}

// A removal takes the blocks of one list out of the body whose reasoning is
// foreign but signed: what has no signature at all is the client's own doing.
type removal struct {
	edits []llm.Edit
	kept  bool // some block before stays
	open  bool // the last edit goes on to the next block
	text  string
}

// saw is told of each block: its place, where the one before it ended, and the
// part that it became. A block goes with the comma before it or, where none
// before it stays, with the comma behind it.
func (r *removal) saw(at llm.Span, before int, p *llm.Part) {
	if r.open {
		r.edits[len(r.edits)-1].At.End = at.Start
		r.open = false
	}
	switch {
	case p.Signature == "" || !foreign(p):
		r.kept = true
	case r.kept:
		r.edits = append(r.edits, llm.Edit{At: llm.Span{Start: before, End: at.End}})
	default:
		r.edits = append(r.edits, llm.Edit{At: at})
		r.open, r.text = true, p.Text
	}
}

// done returns the edits. A list must not become empty: reasoning that is all
// there is becomes text.
func (r *removal) done() []llm.Edit {
	if r.open {
		r.edits[len(r.edits)-1].New = appendTextBlock(nil, r.text, nil)
	}
	return r.edits
}

// stripUnsigned makes the mark what it stands for: no signature.
func stripUnsigned(parts []llm.Part) {
	for i := range parts {
		if parts[i].Kind == llm.PartReasoning && parts[i].Signature == unsigned {
			parts[i].Signature = ""
		}
	}
}
