package jsonx

import (
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Half surrogate pairs, as Reader
// keeps them, become escapes; other invalid UTF-8 becomes U+FFFD. It escapes no
// more than JSON demands.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[from:i]...)
			dst = appendEscape(dst, c)
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || n > 1 {
			i += n
			continue
		}
		dst = append(dst, s[from:i]...)
		dst, n = appendBroken(dst, s[i:])
		i += n
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

// AppendOrNull appends s as a JSON string, or null if it is empty.
func AppendOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return AppendString(dst, s)
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// appendBroken appends what s, which begins with invalid UTF-8, stands for and
// returns how many bytes that was.
func appendBroken(dst []byte, s string) ([]byte, int) {
	if len(s) >= 3 && s[0] == 0xed && 0xa0 <= s[1] && s[1] <= 0xbf && 0x80 <= s[2] && s[2] <= 0xbf {
		u := 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f)
		return append(dst, '\\', 'u', hexDigits[u>>12], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15]), 3
	}
	return append(dst, "\ufffd"...), 1
}

// appendSurrogate appends half a surrogate pair in the three bytes of WTF-8.
func appendSurrogate(dst []byte, u rune) []byte {
	return append(dst, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
}
