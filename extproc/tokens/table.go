package tokens

import (
	_ "embed"
	"encoding/binary"
	"math/bits"
	"strings"
)

//go:generate go run ./internal/gen o200k_base o200k.bin
//go:generate go run ./internal/gen cl100k_base cl100k.bin

//go:embed o200k.bin
var o200kTable string

//go:embed cl100k.bin
var cl100kTable string

// A table is the trie of all tokens of a vocabulary in breadth-first order, siblings in byte order, root first:
//
//	nodes   uint32, little-endian
//	tokens  uint32, little-endian
//	labels  nodes bytes: the byte that leads to the node
//	parents nodes bits, low bit first: the node has children
//	lasts   nodes bits: the node is the last of its siblings
//	ends    nodes bits: the path to the node is a token
//	ranks   3 bytes little-endian for each token, in the order of its node: its id, which is also its rank in merging
//	lefts   1 byte for each token: length of the left half of the merge that makes it; 0 for a single byte
//
// That is a quarter of the size of the published text and needs no search to unfold.
type table struct {
	nodes, tokens        int
	labels               string
	parents, lasts, ends string
	ranks, lefts         string
}

func openTable(s string) table {
	t := table{
		nodes:  int(binary.LittleEndian.Uint32([]byte(s[:4]))),
		tokens: int(binary.LittleEndian.Uint32([]byte(s[4:8]))),
	}
	s = s[8:]
	cut := func(n int) (section string) {
		section, s = s[:n], s[n:]
		return section
	}
	size := (t.nodes + 7) / 8
	t.labels, t.parents, t.lasts, t.ends = cut(t.nodes), cut(size), cut(size), cut(size)
	t.ranks, t.lefts = cut(3*t.tokens), cut(t.tokens)
	return t
}

// none is the absent token.
const none = ^uint32(0)

// node is a node of the trie. Its children are the nodes from first up to the first of the next node.
type node struct {
	first uint32
	token uint32 // none: only a prefix of tokens
}

// token is what merging has to know of a token.
type token struct {
	left, right uint32 // the merge that makes it; a single byte has itself on both sides
	prefix      uint32 // the longest token that is a proper prefix of it, or none
	size        uint8  // bytes
}

// vocabulary is a table unfolded for use. It does not change after newVocabulary.
type vocabulary struct {
	labels string // label of each node
	nodes  []node
	tokens []token // by id
	words  words
	pairs  pairs
}

func newVocabulary(packed string) *vocabulary {
	t := openTable(packed)
	v := &vocabulary{
		labels: t.labels,
		nodes:  make([]node, t.nodes+1), // one more, to end the children of the last
		tokens: make([]token, t.tokens),
		words:  newWords(t.tokens),
		pairs:  newPairs(t.tokens),
	}
	w := walk{vocabulary: v, lefts: v.link(t)}
	w.visit(0, 0, none)
	return v
}

// link fills in the nodes and returns the length of the left half of each token by id.
func (v *vocabulary) link(t table) (lefts []uint8) {
	lefts = make([]uint8, t.tokens)
	bit := func(bits string, i int) bool { return bits[i/8]>>(i%8)&1 != 0 }
	next, k := uint32(1), 0
	for i := range t.nodes {
		v.nodes[i] = node{first: next, token: none}
		if bit(t.parents, i) {
			for !bit(t.lasts, int(next)) {
				next++
			}
			next++
		}
		if bit(t.ends, i) {
			id := uint32(t.ranks[3*k]) | uint32(t.ranks[3*k+1])<<8 | uint32(t.ranks[3*k+2])<<16
			v.nodes[i].token = id
			lefts[id] = t.lefts[k]
			k++
		}
	}
	v.nodes[t.nodes] = node{first: next, token: none}
	return lefts
}

// walk is a way through the trie, from the root down, that fills in the tokens, words and pairs of a vocabulary.
type walk struct {
	*vocabulary
	lefts []uint8     // length of the left half by token
	path  [256]byte   // from the root to here
	ids   [256]uint32 // ids[n] is the token that the first n bytes of path are, if they are one
}

// visit goes to a node, depth steps from the root, and all below it. prefix is the last token on the path to it.
func (w *walk) visit(at uint32, depth int, prefix uint32) {
	if id := w.nodes[at].token; id != none {
		t := token{left: id, right: id, prefix: prefix, size: uint8(depth)}
		if n := w.lefts[id]; n > 0 {
			t.left, t.right = w.ids[n], w.longest(string(w.path[n:depth]))
			w.pairs.add(t.left, t.right, id)
		}
		w.tokens[id] = t
		w.words.add(string(w.path[:depth]))
		w.ids[depth], prefix = id, id
	}
	for kid := w.nodes[at].first; kid < w.nodes[at+1].first; kid++ {
		w.path[depth] = w.labels[kid]
		w.visit(kid, depth+1, prefix)
	}
}

// longest returns the longest token that text begins with. Every byte is a token, so there is one.
func (v *vocabulary) longest(text string) uint32 {
	at := 1 + uint32(text[0]) // the root has all 256 children
	best := v.nodes[at].token
	for i := 1; i < len(text); i++ {
		from, to := v.nodes[at].first, v.nodes[at+1].first
		k := strings.IndexByte(v.labels[from:to], text[i])
		if k < 0 {
			break
		}
		at = from + uint32(k)
		if id := v.nodes[at].token; id != none {
			best = id
		}
	}
	return best
}

// pairs maps the two halves of a merge to the token it makes. It is an open-addressed table with linear probing; a cell
// is the token's id, 18 bits, below 14 bits of the hash, and empty when all ones.
type pairs struct {
	cells []uint32
	shift int
}

const idBits = 18 // ids are below 200,000; all ones is never an id

func newPairs(tokens int) pairs {
	size := bits.Len(uint(tokens)) + 1 // a quarter to a half full
	p := pairs{cells: make([]uint32, 1<<size), shift: 64 - size}
	for i := range p.cells {
		p.cells[i] = none
	}
	return p
}

func (p *pairs) add(left, right, id uint32) {
	h := mix(uint64(left), uint64(right))
	i := h >> p.shift
	for p.cells[i] != none {
		i = (i + 1) & uint64(len(p.cells)-1)
	}
	p.cells[i] = uint32(h)&^(1<<idBits-1) | id
}

// merged returns the token that left and right merge into, or none.
func (v *vocabulary) merged(left, right uint32) uint32 {
	h := mix(uint64(left), uint64(right))
	for i := h >> v.pairs.shift; ; i++ {
		cell := v.pairs.cells[i&uint64(len(v.pairs.cells)-1)]
		if cell == none {
			return none
		}
		if (cell^uint32(h))>>idBits != 0 {
			continue
		}
		if t := &v.tokens[cell&(1<<idBits-1)]; t.left == left && t.right == right {
			return cell & (1<<idBits - 1)
		}
	}
}
