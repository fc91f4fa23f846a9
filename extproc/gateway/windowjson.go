package gateway

// jsonText follows JSON text, cut anywhere: where its strings are, and whether
// it is complete. It does not check the JSON.
type jsonText struct {
	in     bool // a string
	escape int  // bytes of an escape that are still to come; -1: its kind is
	depth  int  // of objects and arrays
	begun  bool // an object or array did
}

// run goes on to the end of text.
func (j *jsonText) run(text []byte) {
	for _, c := range text {
		j.next(c)
	}
}

func (j *jsonText) next(c byte) {
	switch {
	case j.escape < 0:
		j.escape = 0
		if c == 'u' {
			j.escape = 4
		}
	case j.escape > 0:
		j.escape--
	case c == '"':
		j.in = !j.in
	case j.in:
		if c == '\\' {
			j.escape = -1
		}
	case c == '{' || c == '[':
		j.depth++
		j.begun = true
	case c == '}' || c == ']':
		j.depth--
	}
}

// complete reports whether the object or array has ended.
func (j *jsonText) complete() bool { return j.begun && j.depth <= 0 && !j.in }

// inside reports whether this is a place in a string where it can be cut.
func (j *jsonText) inside() bool { return j.in && j.escape == 0 }

// stays goes on to the end of text and reports whether that is in the same
// string, and a place where it can be cut.
func (j *jsonText) stays(text []byte) bool {
	for _, c := range text {
		if j.next(c); !j.in {
			return false
		}
	}
	return j.inside()
}
