package tokens

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// class is what the patterns of the encodings know of a character.
type class uint8

const (
	other   class = iota // not \s, \p{L}, \p{N} or \p{M}; also a byte that is not UTF-8
	mark                 // \p{M}
	space                // \s but for newlines
	newline              // \r and \n
	number               // \p{N}
	upper                // \p{Lu} and \p{Lt}
	lower                // \p{Ll}
	letter               // \p{Lm} and \p{Lo}, which have no case
	wide                 // in ascii only: a byte of a longer character
)

// ascii is the class of each byte.
var ascii = asciiClasses()

func asciiClasses() (t [256]class) {
	for i := range t {
		switch b := byte(i); {
		case b >= utf8.RuneSelf:
			t[i] = wide
		case b == '\r' || b == '\n':
			t[i] = newline
		case b == ' ' || b >= '\t' && b <= '\r':
			t[i] = space
		case b >= '0' && b <= '9':
			t[i] = number
		case b >= 'A' && b <= 'Z':
			t[i] = upper
		case b >= 'a' && b <= 'z':
			t[i] = lower
		}
	}
	return t
}

const pageSize = 256

// classes holds the class of every code point: pages of 256, equal ones stored once.
type classes struct {
	index [(unicode.MaxRune + 1) / pageSize]uint8
	pages [][pageSize]class
}

// unicodeClasses makes the classes from the Unicode tables of the Go release, in about 2 ms.
var unicodeClasses = sync.OnceValue(func() *classes {
	all := make([]class, unicode.MaxRune+1)
	for _, c := range []struct {
		class  class
		tables []*unicode.RangeTable
	}{
		{mark, []*unicode.RangeTable{unicode.M}},
		{space, []*unicode.RangeTable{unicode.White_Space}},
		{number, []*unicode.RangeTable{unicode.N}},
		{upper, []*unicode.RangeTable{unicode.Lu, unicode.Lt}},
		{lower, []*unicode.RangeTable{unicode.Ll}},
		{letter, []*unicode.RangeTable{unicode.Lm, unicode.Lo}},
	} {
		for _, t := range c.tables {
			fill(all, t, c.class)
		}
	}
	all['\r'], all['\n'] = newline, newline
	return paged(all)
})

func fill(all []class, t *unicode.RangeTable, c class) {
	for _, r := range t.R16 {
		for i := int(r.Lo); i <= int(r.Hi); i += int(r.Stride) {
			all[i] = c
		}
	}
	for _, r := range t.R32 {
		for i := int(r.Lo); i <= int(r.Hi); i += int(r.Stride) {
			all[i] = c
		}
	}
}

func paged(all []class) *classes {
	c := &classes{}
	seen := map[[pageSize]class]uint8{}
	for i := range c.index {
		page := [pageSize]class(all[i*pageSize:])
		k, ok := seen[page]
		if !ok {
			k = uint8(len(c.pages))
			c.pages = append(c.pages, page)
			seen[page] = k
		}
		c.index[i] = k
	}
	return c
}

// at returns the class of the character at s[i] and its size in bytes.
func (c *classes) at(s string, i int) (class, int) {
	if k := ascii[s[i]]; k != wide {
		return k, 1
	}
	return c.wide(s, i)
}

func (c *classes) wide(s string, i int) (class, int) {
	r, n := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && n == 1 {
		return other, 1
	}
	return c.pages[c.index[r/pageSize]][r%pageSize], n
}
