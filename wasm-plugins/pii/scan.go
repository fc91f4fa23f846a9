package main

// A kind is one kind of personal data.
type kind uint8

const (
	email kind = iota
	card
	iban
)

var kinds = [...]struct{ option, label, message string }{
	email: {"email", "pii.email", "The text contains an e-mail address."},
	card:  {"card", "pii.card", "The text contains the number of a payment card."},
	iban:  {"iban", "pii.iban", "The text contains an IBAN."},
}

// A match is a range of the text, in bytes.
type match struct {
	kind       kind
	start, end int
}

// Classes of bytes.
const (
	isDigit = 1 << iota
	isUpper
	isLower
	isLocal // of the local part of an address, besides letters and digits
	isAt

	isLetter = isUpper | isLower
	trigger  = isDigit | isAt // only here can something be found
)

var class = func() (c [256]uint8) {
	for b := '0'; b <= '9'; b++ {
		c[b] = isDigit
	}
	for b := 'a'; b <= 'z'; b++ {
		c[b], c[b-'a'+'A'] = isLower, isUpper
	}
	for _, b := range "._%+-" { // those that occur, of RFC 5322, section 3.2.3
		c[b] = isLocal
	}
	c['@'] = isAt
	return c
}()

// scan appends the matches in s to out, in order and without overlaps. Its time
// is linear in the length of s.
func scan(s []byte, out []match) []match {
	floor := 0 // end of the last match
	for i := next(s, 0); i < len(s); i = next(s, i) {
		m, ok := at(s, floor, i)
		if !ok {
			i++
			continue
		}
		out = append(out, m)
		floor, i = m.end, m.end
	}
	return out
}

// next returns the first position from i on where something may be found. Steps
// of eight bytes pay, since a guest is interrupted at the end of each loop.
func next(s []byte, i int) int {
	for ; i+8 <= len(s); i += 8 {
		b := s[i : i+8 : i+8]
		if (class[b[0]]|class[b[1]]|class[b[2]]|class[b[3]]|class[b[4]]|class[b[5]]|class[b[6]]|class[b[7]])&trigger != 0 {
			break
		}
	}
	for i < len(s) && class[s[i]]&trigger == 0 {
		i++
	}
	return i
}

// at looks for a match about position i that does not begin before floor.
func at(s []byte, floor, i int) (match, bool) {
	if s[i] == '@' {
		return emailAt(s, floor, i)
	}
	if i > floor && class[s[i-1]]&isDigit != 0 {
		return match{}, false // inside a number that was looked at from its start
	}
	if m, ok := ibanAt(s, floor, i-2); ok {
		return m, true
	}
	return cardAt(s, i)
}

// emailAt looks for an address whose @ is at i.
func emailAt(s []byte, floor, i int) (match, bool) {
	start := i
	for start > floor && class[s[start-1]]&(isLetter|isDigit|isLocal) != 0 {
		start--
	}
	end := domain(s, i+1)
	return match{email, start, end}, start < i && end > 0
}

// domain returns the end of the domain name that begins at i, or 0 if there is
// none. It has a dot, and letters after the last.
func domain(s []byte, i int) int {
	start, dot := i, 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && i > start && s[i-1] != '.' && i+1 < len(s) && class[s[i+1]]&(isLetter|isDigit) != 0 {
			dot = i
		} else if class[c]&(isLetter|isDigit) == 0 && c != '-' {
			break
		}
	}
	for i > start && s[i-1] == '-' {
		i--
	}
	if dot == 0 || i-dot < 3 || class[s[dot+1]]&isLetter == 0 {
		return 0
	}
	return i
}
