package guard

import "errors"

// Options reads a configuration that is one JSON object of strings, such as
// {"email":"redact"}, and calls set for each member. Names and values must not
// have escapes. Plugins with a richer configuration parse it themselves.
func Options(config []byte, set func(name, value string) error) error {
	p := parser{config}
	if !p.take('{') {
		return errOptions
	}
	for n := 0; !p.take('}'); n++ {
		if n > 0 && !p.take(',') {
			return errOptions
		}
		name, ok := p.string()
		if !ok || !p.take(':') {
			return errOptions
		}
		value, ok := p.string()
		if !ok {
			return errOptions
		}
		if err := set(name, value); err != nil {
			return err
		}
	}
	if p.space(); len(p.rest) > 0 {
		return errOptions
	}
	return nil
}

var errOptions = errors.New("configuration must be a JSON object of strings without escapes")

type parser struct{ rest []byte }

func (p *parser) space() {
	for len(p.rest) > 0 && (p.rest[0] == ' ' || p.rest[0] == '\n' || p.rest[0] == '\t' || p.rest[0] == '\r') {
		p.rest = p.rest[1:]
	}
}

// take reads c if it is next.
func (p *parser) take(c byte) bool {
	p.space()
	if len(p.rest) == 0 || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *parser) string() (string, bool) {
	if !p.take('"') {
		return "", false
	}
	for i, c := range p.rest {
		switch {
		case c == '"':
			s := string(p.rest[:i])
			p.rest = p.rest[i+1:]
			return s, true
		case c == '\\' || c < 0x20:
			return "", false
		}
	}
	return "", false
}
