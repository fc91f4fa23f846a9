package tokens

import "math/bits"

// merge encodes one piece, which is not empty, and returns its number of tokens. The places where they start are left
// in m.starts.
//
// Byte pair encoding as it is usually written, merging the best pair until none is left, is quadratic or needs a heap.
// This goes from left to right instead: take the longest token that fits, step back where none does. A token fits after
// another when byte pair encoding of the two together keeps the border between them, and a sequence in which all
// neighbours fit is the one that merging ends with. A place that was stepped back from is never tried again, so n bytes
// take at most 3n steps, and the vocabulary bounds the work of each. The algorithm is that of the crate bpe in
// github.com/github/rust-gems.
func (v *vocabulary) merge(piece string, m *merging) int64 {
	m.reset(len(piece))
	var count int64
	at, last := 0, none
	next := v.longest(piece)
	for {
		t := v.fitting(next, last, at, m)
		if t == none {
			m.dead.set(at)
			at -= int(v.tokens[last].size)
			m.starts.clear(at)
			count--
			next, last = v.tokens[last].prefix, none
			if at > 0 {
				last = v.longest(piece[m.starts.before(at):at])
			}
			continue
		}
		m.starts.set(at)
		count++
		at += int(v.tokens[t].size)
		if at == len(piece) {
			return count
		}
		last, next = t, v.longest(piece[at:])
	}
}

// fitting returns the first of t, its longest prefix, that one's longest prefix and so on which can follow last at a
// place, or none.
func (v *vocabulary) fitting(t, last uint32, at int, m *merging) uint32 {
	for ; t != none; t = v.tokens[t].prefix {
		m.tried++
		if !m.dead.has(at+int(v.tokens[t].size)) && (last == none || v.fits(last, t)) {
			break
		}
	}
	return t
}

// fits reports whether byte pair encoding of the bytes of a and b ends with just these two. It takes both apart again,
// the later merge first: at no time before a half was merged may a pair across the border have been merged earlier.
func (v *vocabulary) fits(a, b uint32) bool {
	limit := none
	for {
		if ab := v.merged(a, b); ab < limit {
			return false
		}
		innerA, innerB := v.tokens[a].right, v.tokens[b].left // a single byte has itself
		switch {
		case innerA == a && innerB == b:
			return true
		case innerB == b || innerA != a && a > b:
			limit, a = a, innerA
		default:
			limit, b = b+1, innerB
		}
	}
}

// merging is the memory of one merge: two bits for each byte of the piece.
type merging struct {
	dead   bitset // places that no tokens of the piece lead on from
	starts bitset // places where a token starts
	tried  int64  // tokens tried so far, for the tests that bound the work
}

func (m *merging) reset(size int) {
	words := size/64 + 1 // the end is a place too
	if cap(m.dead) < words {
		m.dead, m.starts = make(bitset, words), make(bitset, words)
	}
	m.dead, m.starts = m.dead[:words], m.starts[:words]
	clear(m.dead)
	clear(m.starts)
}

type bitset []uint64

func (b bitset) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }
func (b bitset) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bitset) clear(i int)    { b[i/64] &^= 1 << (i % 64) }

// before returns the last member below i; there has to be one.
func (b bitset) before(i int) int {
	k := i / 64
	for word := b[k] & (1<<(i%64) - 1); ; word = b[k] {
		if word != 0 {
			return k*64 + bits.Len64(word) - 1
		}
		k--
	}
}
