package dialect

import "github.com/attache-gateway/attache/extproc/llm"

// A Block is one block of an answer.
type Block struct {
	Kind      llm.Kind // EventText, EventReasoning, EventRedacted, EventToolStart or EventOther
	Text      []byte   // or arguments, or the JSON of a block that is as its provider wrote it
	Signature []byte
	Sources   [][]byte // of the text, each as the format has it
	ID, Name  string   // of a call
}

// Blocks collects the events of an answer for formats whose unary answer is a
// list of blocks.
type Blocks struct {
	List  []Block
	size  int         // bytes
	open  bool        // the last block may go on
	calls map[int]int // ordinal of a call to its block
}

// maxAnswer bounds the bytes of an answer, and blockCost is what an empty block
// counts.
const (
	maxAnswer = 64 << 20
	blockCost = 256
)

// Full reports whether the answer is larger than any should be.
func (b *Blocks) Full() bool { return b.size+len(b.List)*blockCost > maxAnswer }

// Add takes an event of the content.
func (b *Blocks) Add(e *llm.Event) {
	b.size += len(e.Text)
	switch e.Kind {
	case llm.EventText, llm.EventRefusal:
		p := b.block(llm.EventText)
		p.Text = append(p.Text, e.Text...)
	case llm.EventReasoning:
		p := b.block(e.Kind)
		p.Text = append(p.Text, e.Text...)
	case llm.EventSignature:
		p := b.block(llm.EventReasoning)
		p.Signature = append(p.Signature, e.Text...)
	case llm.EventRedacted:
		b.Whole(e.Kind, []byte(e.Text))
	case llm.EventToolStart:
		b.call(e)
	case llm.EventToolArgs:
		if i, ok := b.calls[e.Tool]; ok {
			b.List[i].Text = append(b.List[i].Text, e.Text...)
		}
	case llm.EventBlockEnd:
		b.open = false
	}
}

// Whole adds a block that comes in one piece.
func (b *Blocks) Whole(kind llm.Kind, text []byte) {
	b.size += len(text)
	b.open = false
	b.List = append(b.List, Block{Kind: kind, Text: text})
}

// Cite adds a source to the text that is open. It is not ok if none is.
func (b *Blocks) Cite(source []byte) (ok bool) {
	n := len(b.List)
	if !b.open || n == 0 || b.List[n-1].Kind != llm.EventText {
		return false
	}
	b.size += len(source)
	b.List[n-1].Sources = append(b.List[n-1].Sources, source)
	return true
}

// block returns the open block of a kind, which it opens if need be.
func (b *Blocks) block(kind llm.Kind) *Block {
	if n := len(b.List); b.open && n > 0 && b.List[n-1].Kind == kind {
		return &b.List[n-1]
	}
	b.open = true
	b.List = append(b.List, Block{Kind: kind})
	return &b.List[len(b.List)-1]
}

// call begins a call. A signature that other formats have on the call itself
// becomes reasoning before it.
func (b *Blocks) call(e *llm.Event) {
	if b.calls == nil {
		b.calls = map[int]int{}
	}
	if e.Signature != "" {
		b.List = append(b.List, Block{Kind: llm.EventReasoning, Signature: []byte(e.Signature)})
	}
	b.calls[e.Tool] = len(b.List)
	b.List = append(b.List, Block{Kind: e.Kind, ID: e.ID, Name: e.Name})
	b.open = false
}
