package jsonx

import (
	"bytes"
	"errors"

	"github.com/attache-gateway/attache/extproc/llm"
)

// Members reads an object as Object does and returns the places of its members.
func (r *Reader) Members(fn func(name []byte) error) ([]llm.Member, error) {
	var members []llm.Member
	end := r.pos
	err := r.Object(func(name []byte) error {
		m := llm.Member{Name: string(name)}
		m.At.Start = end + bytes.IndexByte(r.buf[end:], '"')
		r.space()
		m.Value.Start = r.pos
		if err := fn(name); err != nil {
			return err
		}
		end = r.pos
		m.At.End, m.Value.End = end, end
		members = append(members, m)
		return nil
	})
	return members, err
}

// Tag returns the string that the member of this name has in the object that
// comes next, without reading the object: what an object means is often said by
// a "type" that need not come first. It is nil if there is no such string. A
// text that is no JSON is found out when it is read.
func (r *Reader) Tag(name string) []byte {
	pos, path, first := r.pos, r.path, len(r.keys)
	tag, err := r.tag(name)
	if err != nil {
		r.many = nil // may hold names of objects that were not closed
	}
	r.pos, r.path, r.keys = pos, path, r.keys[:first]
	return tag
}

func (r *Reader) tag(name string) ([]byte, error) {
	if err := r.open(Object); err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		more, err := r.next('}', n)
		if err != nil || !more {
			return nil, err
		}
		if r.Kind() != String {
			return nil, r.syntax("expected a member's name")
		}
		key, err := r.str()
		if err != nil {
			return nil, err
		}
		if r.space(); !r.accept(':') {
			return nil, r.syntax("expected a colon")
		}
		if string(key) == name && r.Kind() == String {
			return r.str()
		}
		if _, err := r.Skip(); err != nil {
			return nil, err
		}
	}
}

var errFound = errors.New("json: found")

// PathAt names the value of a text that begins at an offset, as messages[2]. It
// is empty if none does.
func PathAt(text []byte, offset int) (path string) {
	r := NewReader(text)
	var visit func() error
	visit = func() error {
		switch kind := r.Kind(); {
		case r.pos == offset:
			path = r.Path()
			return errFound
		case kind == Object:
			return r.Map(func([]byte) error { return visit() })
		case kind == Array:
			return r.Array(func(int) error { return visit() })
		}
		_, err := r.Skip()
		return err
	}
	_ = visit() // of a broken text the beginning counts
	return path
}
