package tokens

import "math/bits"

// words is the set of the byte strings of all tokens: two open-addressed tables with linear probing, each at most half
// full. One read answers for most words: a cell of the first table is a token of up to shortMax bytes itself. A cell of
// the second refers to a longer token's bytes.
type words struct {
	short []uint64 // shortKey; 0 is empty
	long  []uint64 // 32 bits of the hash, 24 of the place in bytes, 8 of the length; 0 is empty
	bytes []byte   // the long tokens, one after the other
	shift int      // from a 64-bit hash to a place in short
}

const shortMax = 7

func newWords(tokens int) words {
	size := bits.Len(uint(tokens))
	return words{short: make([]uint64, 1<<size), long: make([]uint64, 1<<(size-1)), shift: 64 - size}
}

// shortKey packs n <= shortMax bytes, the first in the lowest byte of x, and their number. Bytes of x above n do not count.
func shortKey(x uint64, n int) uint64 { return x&(1<<(8*n)-1) | uint64(n)<<56 }

func (w *words) shortCell(key uint64) uint64 { return (key * 0x9e3779b97f4a7c15) >> w.shift }

func (w *words) longCell(hash uint64) uint64 { return hash & uint64(len(w.long)-1) }

// hashLong mixes all bytes of s, 8 or more of them, eight at a time; the last eight may overlap those before.
func hashLong(s string) uint64 {
	h := uint64(len(s))
	for i := 0; i+8 < len(s); i += 8 {
		h = mix(h, load(s[i:]))
	}
	return mix(h, load(s[len(s)-8:]))
}

func mix(h, x uint64) uint64 {
	hi, lo := bits.Mul64(h^0xa0761d6478bd642f, x^0xe7037ed1a0b428db)
	return hi ^ lo
}

// load returns the first eight bytes of s, the first in the lowest byte.
func load(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// loadShort is load for a string of any length: bytes past the eighth are left out, bytes past the end are 0.
func loadShort(s string) (x uint64) {
	if len(s) >= 8 {
		return load(s)
	}
	for i := range len(s) {
		x |= uint64(s[i]) << (8 * i)
	}
	return x
}

func (w *words) add(s string) {
	if len(s) <= shortMax {
		key := shortKey(loadShort(s), len(s))
		i := w.shortCell(key)
		for w.short[i] != 0 {
			i = (i + 1) & uint64(len(w.short)-1)
		}
		w.short[i] = key
		return
	}
	hash := hashLong(s)
	i := w.longCell(hash)
	for w.long[i] != 0 {
		i = (i + 1) & uint64(len(w.long)-1)
	}
	w.long[i] = hash>>32<<32 | uint64(len(w.bytes))<<8 | uint64(len(s))
	w.bytes = append(w.bytes, s...)
}

// has reports whether text[from:to] is a token. It is given the whole text because reading past the end of a short
// word, where there is text, is faster than stopping at it.
func (w *words) has(text string, from, to int) bool {
	if n := to - from; n <= shortMax {
		return w.hasShort(shortKey(loadShort(text[from:]), n))
	}
	return w.hasLong(text[from:to])
}

func (w *words) hasShort(key uint64) bool {
	for i := w.shortCell(key); ; i++ {
		switch w.short[i&uint64(len(w.short)-1)] {
		case key:
			return true
		case 0:
			return false
		}
	}
}

func (w *words) hasLong(s string) bool {
	if len(s) > 255 {
		return false
	}
	hash := hashLong(s)
	for i := w.longCell(hash); ; i++ {
		cell := w.long[i&uint64(len(w.long)-1)]
		if cell == 0 {
			return false
		}
		if cell>>32 != hash>>32 || int(cell&0xff) != len(s) {
			continue
		}
		if at := int(cell >> 8 & 0xffffff); string(w.bytes[at:at+len(s)]) == s {
			return true
		}
	}
}
