package dialect

// Chars counts the characters of a piece of text. Of a surrogate pair whose
// halves came in two pieces, see jsonx, the first half counts.
func Chars(text string) (n int) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c&0xC0 == 0x80: // inside a character
		case c == 0xED && i+1 < len(text) && text[i+1] >= 0xB0: // a second half
		default:
			n++
		}
	}
	return n
}

// A Measure says where in a text the byte of a character is, and the character
// of a byte, in UTF-8: formats count either. The text comes in pieces.
type Measure struct {
	plain int    // bytes at the beginning that are one character each
	rest  []byte // the text behind them, in UTF-8
	chars int
	full  bool
}

// maxMeasured bounds the text that is kept for it, in bytes.
const maxMeasured = 4 << 20

// Add appends a piece of the text.
func (m *Measure) Add(text string) {
	m.chars += Chars(text)
	for len(m.rest) == 0 && text != "" && text[0] < 0x80 {
		m.plain++
		text = text[1:]
	}
	if m.full = m.full || len(m.rest)+len(text) > maxMeasured; m.full {
		return
	}
	for i := 0; i < len(text); i++ {
		if n := len(m.rest); n >= 3 && text[i] == 0xED && i+2 < len(text) && text[i+1] >= 0xB0 && m.rest[n-3] == 0xED && m.rest[n-2] >= 0xA0 {
			m.rest = append(m.rest, 0x80) // two halves are four bytes together
			i += 2
			continue
		}
		m.rest = append(m.rest, text[i])
	}
}

// Chars is the length of the text in characters.
func (m *Measure) Chars() int { return m.chars }

// Len is the length of the text in bytes.
func (m *Measure) Len() int { return m.plain + len(m.rest) }

// Bytes is where the character at an offset begins.
func (m *Measure) Bytes(chars int) int {
	if chars <= m.plain {
		return chars
	}
	n := m.plain
	for i, c := range m.rest {
		if c&0xC0 != 0x80 { // it begins a character
			if n == chars {
				return m.plain + i
			}
			n++
		}
	}
	return m.Len()
}

// CharsAt is the character that begins at a byte or has it inside.
func (m *Measure) CharsAt(bytes int) int {
	if bytes <= m.plain {
		return bytes
	}
	n := m.plain
	for i, c := range m.rest {
		if m.plain+i >= bytes {
			break
		}
		if c&0xC0 != 0x80 {
			n++
		}
	}
	return n
}
