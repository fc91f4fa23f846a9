package jsonx

// A Pieces tells when an object or array that comes in pieces is complete. It
// checks nothing.
type Pieces struct {
	depth         int
	quoted, after bool // in a string; behind a backslash in one
	done          bool
}

// Complete reports whether the last bracket has been closed.
func (p *Pieces) Complete() bool { return p.done }

// Add takes the next piece.
func (p *Pieces) Add(piece string) {
	for i := 0; i < len(piece) && !p.done; i++ {
		switch c := piece[i]; {
		case p.after:
			p.after = false
		case p.quoted:
			p.after, p.quoted = c == '\\', c != '"'
		case c == '"':
			p.quoted = true
		case c == '{' || c == '[':
			p.depth++
		case c == '}' || c == ']':
			p.depth--
			p.done = p.depth <= 0
		}
	}
}
