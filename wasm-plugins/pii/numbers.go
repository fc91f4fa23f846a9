package main

// The longest numbers, separators left out.
const (
	maxCard = 19
	maxIBAN = 34
)

// cardAt looks for the number of a payment card that begins at i: 13 to 19
// digits, in groups or not, with the prefix and length of a card scheme and a
// right check digit.
func cardAt(s []byte, i int) (match, bool) {
	if i >= 2 && s[i-1] == '.' && class[s[i-2]]&isDigit != 0 {
		return match{}, false // the decimals of a number
	}
	var digits [maxCard]byte
	n, best := 0, 0
	for at := i; at < len(s) && n < maxCard; at++ {
		c := s[at]
		if class[c]&isDigit == 0 {
			if !separates(s, at) {
				break
			}
			continue
		}
		digits[n] = c - '0'
		n++
		ends := at+1 == len(s) || class[s[at+1]]&isDigit == 0
		if ends && isCard(digits[:n]) {
			best = at + 1
		}
	}
	return match{card, i, best}, best > 0
}

// separates tells whether s[i] is a space or dash between two digits.
func separates(s []byte, i int) bool {
	return (s[i] == ' ' || s[i] == '-') && class[s[i-1]]&isDigit != 0 && i+1 < len(s) && class[s[i+1]]&isDigit != 0
}

func isCard(d []byte) bool {
	return len(d) >= 13 && schemeLength(d) && luhn(d)
}

// schemeLength tells whether numbers with the prefix of d are as long as d. The
// prefixes are those of ISO/IEC 7812 that the large schemes publish.
func schemeLength(d []byte) bool {
	n, two := len(d), int(d[0])*10+int(d[1])
	four := two*100 + int(d[2])*10 + int(d[3])
	switch {
	case d[0] == 4: // Visa
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720: // Mastercard
		return n == 16
	case two == 34, two == 37: // American Express
		return n == 15
	case two == 30, two == 36, two == 38, two == 39: // Diners Club
		return n == 14 || n == 16 || n == 19
	case two == 35: // JCB
		return n >= 16
	case d[0] == 6: // Discover, UnionPay, Maestro
		return n >= 16
	}
	return two == 50 || two >= 56 && two <= 58 // Maestro, of any length
}

// luhn checks the last digit; ISO/IEC 7812-1, annex B.
func luhn(d []byte) bool {
	sum := 0
	for i, v := range d {
		n := int(v)
		if (len(d)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// ibanLengths has the countries of the IBAN registry (ISO 13616) with the length
// of their numbers.
const ibanLengths = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27" +
	"GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19" +
	"MR27MT31MU30NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31SD18SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20"

func ibanLength(a, b byte) int {
	for l := ibanLengths; l != ""; l = l[4:] {
		if l[0] == a && l[1] == b {
			return int(l[2]-'0')*10 + int(l[3]-'0')
		}
	}
	return 0
}

// ibanAt looks for an IBAN that begins at i: the country in capitals, two check
// digits, and capitals and digits, in one piece or in groups.
func ibanAt(s []byte, floor, i int) (match, bool) {
	if i < floor || i+4 > len(s) || class[s[i]]&class[s[i+1]]&isUpper == 0 || class[s[i+3]]&isDigit == 0 {
		return match{}, false
	}
	if i > 0 && class[s[i-1]]&(isLetter|isDigit) != 0 {
		return match{}, false
	}
	want := ibanLength(s[i], s[i+1])
	var chars [maxIBAN]byte
	n, at := 0, i
	for ; at < len(s) && n < want; at++ {
		switch c := s[at]; {
		case class[c]&(isUpper|isDigit) != 0:
			chars[n] = c
			n++
		case c != ' ' || s[at-1] == ' ':
			return match{}, false
		}
	}
	if n == 0 || n < want || at < len(s) && class[s[at]]&(isLetter|isDigit) != 0 {
		return match{}, false
	}
	return match{iban, i, at}, mod97(chars[:n]) == 1
}

// mod97 is the remainder of an IBAN whose first four characters are moved to
// its end, letters read as 10 to 35; ISO 7064.
func mod97(c []byte) int {
	r := 0
	for i := range c {
		v := c[(i+4)%len(c)]
		if class[v]&isDigit != 0 {
			r = (r*10 + int(v-'0')) % 97
		} else {
			r = (r*100 + int(v-'A') + 10) % 97
		}
	}
	return r
}
