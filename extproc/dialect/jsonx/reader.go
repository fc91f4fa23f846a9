// Package jsonx reads and writes JSON (RFC 8259) in one pass, strictly and with
// the place of every value, so that a body can be checked, understood and
// patched without being parsed twice.
//
// It knows JSON and nothing of what is said in it. Unlike encoding/json it
// refuses duplicate names, names that differ only in case, invalid UTF-8 and
// deep nesting, and its errors name the path, as in messages[2].content.
//
// Half a surrogate pair (\ud83d alone) is legal JSON and occurs where a stream
// cuts a character in two. It is kept as the three bytes that UTF-8 would use
// for it (WTF-8), and AppendString writes it as an escape again.
package jsonx

import (
	"fmt"
	"strconv"
)

// MaxDepth is how deep values may be nested.
const MaxDepth = 256

// A Kind is the type of a JSON value.
type Kind uint8

// The kinds of values.
const (
	Invalid Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

var kindNames = [...]string{"no value", "an object", "an array", "a string", "a number", "a boolean", "null"}

func (k Kind) String() string { return kindNames[k] }

// An Error is a value that is not what it should be.
type Error struct {
	Path   string // of the value, as messages[2].content; empty for the whole
	Offset int    // bytes from the start
	Syntax bool   // not JSON at all, rather than of the wrong type
	Msg    string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("json: %s at byte %d", e.Msg, e.Offset)
	}
	return fmt.Sprintf("json: %s: %s at byte %d", e.Path, e.Msg, e.Offset)
}

// A Reader walks through one JSON text. After an error the Reader is spent.
type Reader struct {
	buf   []byte
	pos   int
	path  []step              // a step for each value that is open
	first [16]step            // where path begins, as deep as most bodies are
	keys  [][]byte            // names of the objects that are open
	many  map[member]struct{} // the same for objects with many members

	scratch []byte // of strings that had to be unescaped
}

// A step of the path is a name or, if the name is nil, an index.
type step struct {
	name  []byte
	index int
}

// NewReader returns a Reader over b, which must not change while it is read.
func NewReader(b []byte) *Reader {
	r := &Reader{buf: b}
	r.path = r.first[:0]
	return r
}

// Reset makes the Reader read b.
func (r *Reader) Reset(b []byte) {
	r.buf, r.pos, r.path, r.keys, r.many = b, 0, r.path[:0], r.keys[:0], nil
}

// Offset is the number of bytes read. Before a value it includes white space
// once Kind has been asked.
func (r *Reader) Offset() int { return r.pos }

// Kind returns the kind of the next value without reading it.
func (r *Reader) Kind() Kind {
	r.space()
	if r.pos >= len(r.buf) {
		return Invalid
	}
	switch c := r.buf[r.pos]; {
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '"':
		return String
	case c == '-' || '0' <= c && c <= '9':
		return Number
	case c == 't' || c == 'f':
		return Bool
	case c == 'n':
		return Null
	}
	return Invalid
}

// Object reads an object and calls fn before each value, which fn must read.
// The name is valid until fn returns; write switch string(name).
func (r *Reader) Object(fn func(name []byte) error) error { return r.object(true, fn) }

// Map reads an object whose names are data, such as the properties of a JSON
// Schema: it is Object, but names that differ in case are two names.
func (r *Reader) Map(fn func(name []byte) error) error { return r.object(false, fn) }

// object reads an object. fold makes names that differ only in case the same.
func (r *Reader) object(fold bool, fn func(name []byte) error) error {
	if err := r.open(Object); err != nil {
		return err
	}
	first := len(r.keys)
	for n := 0; ; n++ {
		more, err := r.next('}', n)
		if err != nil || !more {
			r.closeObject(first, fold)
			return err
		}
		name, err := r.name(first, fold)
		if err != nil {
			return err
		}
		r.path[len(r.path)-1] = step{name: name}
		if err := fn(name); err != nil {
			return err
		}
	}
}

// Array reads an array and calls fn before each value, which fn must read.
func (r *Reader) Array(fn func(i int) error) error {
	if err := r.open(Array); err != nil {
		return err
	}
	for n := 0; ; n++ {
		more, err := r.next(']', n)
		if err != nil || !more {
			r.path = r.path[:len(r.path)-1]
			return err
		}
		r.path[len(r.path)-1] = step{index: n}
		if err := fn(n); err != nil {
			return err
		}
	}
}

func (r *Reader) open(k Kind) error {
	if r.Kind() != k {
		return r.Want(k)
	}
	if len(r.path) == MaxDepth {
		return r.syntax("nested deeper than %d", MaxDepth)
	}
	r.path = append(r.path, step{index: -1})
	r.pos++
	return nil
}

// next reads what stands between values: nothing, a comma or the closing
// bracket.
func (r *Reader) next(closing byte, n int) (more bool, err error) {
	r.space()
	if r.pos >= len(r.buf) {
		return false, r.syntax("unexpected end")
	}
	switch c := r.buf[r.pos]; {
	case c == closing:
		r.pos++
		return false, nil
	case n == 0:
		return true, nil
	case c == ',':
		r.pos++
		if r.space(); r.pos < len(r.buf) && r.buf[r.pos] == closing {
			return false, r.syntax("comma before %q", closing)
		}
		return true, nil
	}
	return false, r.syntax("expected a comma or %q", closing)
}

// String reads a string.
func (r *Reader) String() (string, error) {
	if r.Kind() != String {
		return "", r.Want(String)
	}
	b, err := r.passing()
	return string(b), err
}

// StringBytes reads a string without copying it where it has no escapes.
func (r *Reader) StringBytes() ([]byte, error) {
	if r.Kind() != String {
		return nil, r.Want(String)
	}
	return r.str()
}

// Int reads a number that is whole and fits 64 bits, however it is written.
func (r *Reader) Int() (int64, error) {
	at, b, err := r.number()
	if err != nil {
		return 0, err
	}
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if n := int64(f); err == nil && float64(n) == f && n > -1<<53 && n < 1<<53 {
		return n, nil
	}
	r.pos = at
	return 0, r.Fail("must be a whole number")
}

// Float reads a number.
func (r *Reader) Float() (float64, error) {
	at, b, err := r.number()
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		r.pos = at
		return 0, r.Fail("number is out of range")
	}
	return f, nil
}

// NumberText reads a number and returns it as it is written.
func (r *Reader) NumberText() (string, error) {
	_, b, err := r.number()
	return string(b), err
}

func (r *Reader) number() (at int, text []byte, err error) {
	if r.Kind() != Number {
		return 0, nil, r.Want(Number)
	}
	at = r.pos
	err = r.skipNumber()
	return at, r.buf[at:r.pos], err
}

// Bool reads true or false.
func (r *Reader) Bool() (bool, error) {
	if r.Kind() != Bool {
		return false, r.Want(Bool)
	}
	is := r.buf[r.pos] == 't'
	return is, r.skipLiteral()
}

// Null reads null if it is next and reports whether it was.
func (r *Reader) Null() bool {
	return r.Kind() == Null && r.skipLiteral() == nil
}

// End reports an error unless nothing but white space is left.
func (r *Reader) End() error {
	if r.space(); r.pos < len(r.buf) {
		return r.syntax("data after the value")
	}
	return nil
}

// Want returns the error that the next value is not of kind k.
func (r *Reader) Want(k Kind) error {
	switch got := r.Kind(); {
	case r.pos >= len(r.buf):
		return r.syntax("unexpected end")
	case got == Invalid:
		return r.syntax("invalid character %q", r.buf[r.pos])
	default:
		return r.Fail("must be %s, not %s", k, got)
	}
}

// Fail returns an error about the value that is being read.
func (r *Reader) Fail(format string, args ...any) error {
	return &Error{Path: r.Path(), Offset: r.pos, Msg: fmt.Sprintf(format, args...)}
}

func (r *Reader) syntax(format string, args ...any) error {
	return &Error{Path: r.Path(), Offset: r.pos, Syntax: true, Msg: fmt.Sprintf(format, args...)}
}

// Path names the value that is being read, as messages[2].content.
func (r *Reader) Path() string { return r.steps(true) }

// Shape names it without the indexes, as messages[].content: the same for every
// element of a list.
func (r *Reader) Shape() string { return r.steps(false) }

func (r *Reader) steps(indexes bool) string {
	var b []byte
	for _, s := range r.path {
		switch {
		case s.name == nil && s.index < 0: // before the first member
		case s.name == nil:
			b = append(b, '[')
			if indexes {
				b = strconv.AppendInt(b, int64(s.index), 10)
			}
			b = append(b, ']')
		case len(b) > 0:
			b = append(append(b, '.'), s.name...)
		default:
			b = append(b, s.name...)
		}
	}
	if len(b) > maxPath {
		b = b[:maxPath]
	}
	return string(b)
}

// maxPath bounds what a client can make us print in an error.
const maxPath = 256
