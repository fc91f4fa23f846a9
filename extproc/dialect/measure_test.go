package dialect

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Offsets agree with those in the whole text, however it is cut.
func TestMeasure(t *testing.T) {
	for _, text := range []string{"", "plain", "Grüße 😀 ok", "日本語", "a😀b😀", strings.Repeat("x", 100) + "é"} {
		for cut := 0; cut <= len(text); cut++ {
			if !utf8.RuneStart((text + "x")[cut]) {
				continue
			}
			var m Measure
			m.Add(text[:cut])
			m.Add(text[cut:])
			if m.Chars() != utf8.RuneCountInString(text) {
				t.Fatalf("%q has %d characters", text, m.Chars())
			}
			n := 0
			for at := range text {
				if m.Bytes(n) != at || m.CharsAt(at) != n {
					t.Fatalf("%q cut at %d: character %d is at byte %d, byte %d in character %d", text, cut, n, m.Bytes(n), at, m.CharsAt(at))
				}
				n++
			}
			if m.Bytes(n) != len(text) || m.CharsAt(len(text)) != n {
				t.Errorf("%q: the end is at %d and %d", text, m.Bytes(n), m.CharsAt(len(text)))
			}
		}
	}
}

// A pair whose halves came apart is one character of four bytes.
func TestMeasureHalves(t *testing.T) {
	var m Measure
	for _, piece := range []string{"ä", "\xed\xa0\xbd", "\xed\xb8\x80", "b"} {
		m.Add(piece)
	}
	if m.Chars() != 3 || m.Bytes(2) != 6 || m.CharsAt(6) != 2 {
		t.Errorf("%d characters, the third at %d, byte 6 in %d", m.Chars(), m.Bytes(2), m.CharsAt(6))
	}
}
