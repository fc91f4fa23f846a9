package jsonx

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

func (r *Reader) space() {
	for r.pos < len(r.buf) {
		switch r.buf[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// str reads a string; the reader stands on its first quote. What it returns
// stays valid.
func (r *Reader) str() ([]byte, error) {
	text, quote, err := r.plainStr()
	if text == nil && err == nil {
		return r.escaped(quote, make([]byte, 0, quote-r.pos+64))
	}
	return text, err
}

// passing reads a string that the next one may overwrite.
func (r *Reader) passing() ([]byte, error) {
	text, quote, err := r.plainStr()
	if text == nil && err == nil {
		text, err = r.escaped(quote, r.scratch[:0])
		r.scratch = text
	}
	return text, err
}

// plainStr reads a string without escapes. Of one that has some it returns nil
// and where the first quote in it is.
func (r *Reader) plainStr() (text []byte, quote int, err error) {
	start := r.pos + 1
	end := bytes.IndexByte(r.buf[start:], '"')
	if end < 0 {
		return nil, 0, r.syntax("string without end")
	}
	text, quote = r.buf[start:start+end], start+end
	if bytes.IndexByte(text, '\\') >= 0 {
		return nil, quote, nil
	}
	if !plain(text) {
		return nil, 0, r.syntax("control character or invalid UTF-8 in a string")
	}
	r.pos = quote + 1
	return text, quote, nil
}

// escaped appends a string with escapes to out. The first quote behind its
// beginning is at quote; it ends the string unless a backslash stands before it.
func (r *Reader) escaped(quote int, out []byte) ([]byte, error) {
	for i := r.pos + 1; ; {
		if i > quote {
			n := bytes.IndexByte(r.buf[i:], '"')
			if n < 0 {
				return nil, r.syntax("string without end")
			}
			quote = i + n
		}
		text := r.buf[i:quote]
		n := bytes.IndexByte(text, '\\')
		if n >= 0 {
			text = text[:n]
		}
		if !plain(text) {
			return nil, r.syntax("control character or invalid UTF-8 in a string")
		}
		out = append(out, text...)
		if n < 0 {
			r.pos = quote + 1
			return out, nil
		}
		var ok bool
		if out, i, ok = r.escape(out, i+n); !ok {
			r.pos = i
			return nil, r.syntax("invalid escape in a string")
		}
	}
}

// unescaped maps the character behind a backslash to what it means.
var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape appends the character that the escape at i stands for and returns
// the offset behind it.
func (r *Reader) escape(out []byte, i int) ([]byte, int, bool) {
	if i+1 >= len(r.buf) {
		return out, i, false
	}
	if c := unescaped[r.buf[i+1]]; c != 0 {
		return append(out, c), i + 2, true
	}
	u, ok := hex4(r.buf, i)
	if !ok {
		return out, i, false
	}
	if !utf16.IsSurrogate(u) {
		return utf8.AppendRune(out, u), i + 6, true
	}
	if low, ok := hex4(r.buf, i+6); ok {
		if pair := utf16.DecodeRune(u, low); pair != utf8.RuneError {
			return utf8.AppendRune(out, pair), i + 12, true
		}
	}
	return appendSurrogate(out, u), i + 6, true
}

// hex4 reads an escape of \u and four digits at i.
func hex4(b []byte, i int) (u rune, ok bool) {
	if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
		return 0, false
	}
	for _, c := range b[i+2 : i+6] {
		switch {
		case '0' <= c && c <= '9':
			u = u<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			u = u<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return u, true
}

// plain reports whether text may stand in a JSON string as it is: valid UTF-8
// without control characters.
func plain(text []byte) bool {
	const low, high = 0x0101010101010101, 0x8080808080808080
	rest, ascii := text, true
	for ; len(rest) >= 8; rest = rest[8:] {
		w := binary.LittleEndian.Uint64(rest)
		if (w-low*0x20)&^w&high != 0 { // a byte below 0x20; high bytes may hide one, see below
			return plainSlow(text)
		}
		ascii = ascii && w&high == 0
	}
	for _, c := range rest {
		if c < 0x20 {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.Valid(text)
}

// plainSlow decides where the test of eight bytes at once was not sure: its
// borrow can make a byte look like a control character behind a real one only,
// but never hides one.
func plainSlow(text []byte) bool {
	for _, c := range text {
		if c < 0x20 {
			return false
		}
	}
	return utf8.Valid(text)
}

func (r *Reader) skipNumber() error {
	at := r.pos
	r.accept('-')
	if !r.accept('0') && r.digits() == 0 {
		return r.bad(at, "invalid number")
	}
	if r.accept('.') && r.digits() == 0 {
		return r.bad(at, "invalid number")
	}
	if r.accept('e') || r.accept('E') {
		_ = r.accept('+') || r.accept('-')
		if r.digits() == 0 {
			return r.bad(at, "invalid number")
		}
	}
	if r.pos < len(r.buf) && '0' <= r.buf[r.pos] && r.buf[r.pos] <= '9' {
		return r.bad(at, "number with a leading zero")
	}
	return nil
}

func (r *Reader) bad(at int, msg string) error {
	r.pos = at
	return r.syntax("%s", msg)
}

func (r *Reader) accept(c byte) bool {
	if r.pos < len(r.buf) && r.buf[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

func (r *Reader) digits() (n int) {
	for ; r.pos < len(r.buf) && '0' <= r.buf[r.pos] && r.buf[r.pos] <= '9'; n++ {
		r.pos++
	}
	return n
}

func (r *Reader) skipLiteral() error {
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(r.buf[r.pos:], []byte(word)) {
			r.pos += len(word)
			return nil
		}
	}
	return r.syntax("invalid character %q", r.buf[r.pos])
}
