package tokens

import "math/bits"

// Text is cut into pieces before merging, at the places where the encoding's regular expression does. The expressions
// are those of tiktoken (tiktoken_ext/openai_public.py). Each function here returns where the piece that starts at s[i]
// ends, and looks no further than a constant number of times over the piece and the run of characters it belongs to.

// pieceO200K follows
//
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	\p{N}{1,3}
//	 ?[^\s\p{L}\p{N}]+[\r\n/]*
//	\s*[\r\n]+
//	\s+(?!\S)
//	\s+
func (c *classes) pieceO200K(s string, i int) int {
	k, n := c.at(s, i)
	switch k {
	case newline:
		return c.blank(s, i)
	case number:
		return c.digits(s, i)
	case other, space, mark:
		lowered, end := c.word(s, i+n)
		if lowered < 0 && k == mark {
			lowered, _ = c.word(s, i) // a mark is a word by itself
		}
		if lowered >= 0 {
			end = lowered
		}
		if end == i+n && k != mark {
			return c.symbols(s, i, true)
		}
		return end + contraction(s, end)
	default:
		lowered, end := c.word(s, i)
		if lowered >= 0 {
			end = lowered
		}
		return end + contraction(s, end)
	}
}

// word returns where the word at s[i] ends without its contraction. lowered is the end in the first alternative of
// o200k, which wants a character of the second bracket last, or -1; run is the end in the second, if the first fails.
func (c *classes) word(s string, i int) (lowered, run int) {
	lowered = -1
	for i < len(s) {
		k, n := c.at(s, i)
		if k == lower {
			i = c.lowers(s, i+n)
			return i, i
		}
		if k != upper && k != letter && k != mark {
			break
		}
		i += n
		if k != upper {
			lowered = i
		}
	}
	return lowered, i
}

// lowers skips [\p{Ll}\p{Lm}\p{Lo}\p{M}]*.
func (c *classes) lowers(s string, i int) int {
	for i < len(s) {
		if ascii[s[i]] == lower { // spares the call below
			i++
			continue
		}
		k, n := c.at(s, i)
		if k != lower && k != letter && k != mark {
			break
		}
		i += n
	}
	return i
}

// pieceCL100K follows
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)
//	[^\r\n\p{L}\p{N}]?\p{L}+
//	\p{N}{1,3}
//	 ?[^\s\p{L}\p{N}]+[\r\n]*
//	\s*[\r\n]+
//	\s+(?!\S)
//	\s+
//
// Newer releases of tiktoken put \s+$ before the newlines; no token joins a newline to blanks after it, so the ids are
// the same.
func (c *classes) pieceCL100K(s string, i int) int {
	if n := contraction(s, i); n > 0 {
		return i + n
	}
	k, n := c.at(s, i)
	switch k {
	case newline:
		return c.blank(s, i)
	case number:
		return c.digits(s, i)
	}
	if end := c.letters(s, i+n); end > i+n || k >= upper {
		return end
	}
	return c.symbols(s, i, false)
}

// letters skips \p{L}*.
func (c *classes) letters(s string, i int) int {
	for i < len(s) {
		k, n := c.at(s, i)
		if k < upper {
			break
		}
		i += n
	}
	return i
}

// contraction returns the length of (?i:'s|'t|'re|'ve|'m|'ll|'d) at s[i], or 0. Without regard to case, s is
// also the long s, U+017F; no token joins that to its neighbours, so leaving it out changes no ids.
func contraction(s string, i int) int {
	if i+1 >= len(s) || s[i] != '\'' {
		return 0
	}
	switch s[i+1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	}
	if i+2 >= len(s) {
		return 0
	}
	switch [2]byte{s[i+1] | 0x20, s[i+2] | 0x20} {
	case [2]byte{'r', 'e'}, [2]byte{'v', 'e'}, [2]byte{'l', 'l'}:
		return 3
	}
	return 0
}

// digits follows \p{N}{1,3}, the first of which is known to be there.
func (c *classes) digits(s string, i int) int {
	for range 3 {
		if i == len(s) {
			break
		}
		k, n := c.at(s, i)
		if k != number {
			break
		}
		i += n
	}
	return i
}

// symbols follows ` ?[^\s\p{L}\p{N}]+[\r\n]*`, with / in the second bracket if slash is set, and blank where that
// matches nothing.
func (c *classes) symbols(s string, i int, slash bool) int {
	from := i
	if s[i] == ' ' {
		from++
	}
	end := from
	for end < len(s) {
		k, n := c.at(s, end)
		if k > mark {
			break
		}
		end += n
	}
	if end == from {
		return c.blank(s, i)
	}
	for end < len(s) && (ascii[s[end]] == newline || slash && s[end] == '/') {
		end++
	}
	return end
}

// blank follows \s*[\r\n]+|\s+(?!\S)|\s+: up to the last newline of the run of white space; without one the whole run,
// but for its last character if something follows.
func (c *classes) blank(s string, i int) int {
	lastNewline, last, end := -1, i, i
	for end < len(s) {
		k, n := c.at(s, end)
		if k != space && k != newline {
			break
		}
		last, end = end, end+n
		if k == newline {
			lastNewline = end
		}
	}
	switch {
	case lastNewline >= 0:
		return lastNewline
	case end < len(s) && last > i:
		return last
	}
	return end
}

// simpleWord is a shortcut for most pieces of ordinary text. x is the next eight bytes; it returns the length of the
// piece they begin with if that is an ASCII word of up to seven bytes, with the blank or symbol before it, which both
// encodings cut alike: at most one capital and that first, and then neither a letter nor an apostrophe. Otherwise 0.
func simpleWord(x uint64) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	low := x &^ highs
	// The high bit of each byte: whether it is a to z. Sums do not carry into the next byte.
	lowers := (low + (0x80-'a')*ones) &^ (low + (0x80-'z'-1)*ones) &^ x & highs
	lead := leads[byte(x)]
	if lead == leadNone {
		return 0
	}
	known := uint64(0x80)
	if second := byte(x >> 8); lead == leadSymbol && second-'A' < 26 {
		known = 0x8080
	}
	n := bits.TrailingZeros64(^(lowers|known)&highs) / 8
	if n == 8 || n == 1 && lead == leadSymbol || !wordEnds[byte(x>>(8*n))] {
		return 0
	}
	return n
}

const (
	leadNone   uint8 = iota
	leadLetter       // an ASCII letter
	leadSymbol       // ASCII of [^\r\n\p{L}\p{N}], but for the apostrophe, which may start a contraction
)

// leads says how a byte may start a simple word; wordEnds whether one may end before it.
var leads, wordEnds = simpleWordBytes()

func simpleWordBytes() (leads [256]uint8, ends [256]bool) {
	for i, k := range ascii {
		switch {
		case k == upper || k == lower:
			leads[i] = leadLetter
		case i != '\'' && (k == other || k == space):
			leads[i] = leadSymbol
		}
		ends[i] = k != upper && k != lower && k != wide && i != '\''
	}
	return leads, ends
}
