package jsonx

import (
	"bytes"
	"slices"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A member is a name in one of the objects that are open.
type member struct {
	object int // where its names begin in Reader.keys
	name   string
}

// linearKeys is the number of names up to which comparing each with each is
// faster than a map.
const linearKeys = 24

// Skip reads any value and returns its place. It checks the value as strictly
// as the other methods, but names that differ in case are two names: what it
// reads is somebody else's vocabulary, such as a JSON Schema.
func (r *Reader) Skip() (llm.Span, error) {
	kind := r.Kind()
	at := r.pos
	var err error
	switch kind {
	case Object:
		err = r.Map(func([]byte) error { _, err := r.Skip(); return err })
	case Array:
		err = r.Array(func(int) error { _, err := r.Skip(); return err })
	case String:
		_, err = r.passing()
	case Number:
		err = r.skipNumber()
	case Bool, Null:
		err = r.skipLiteral()
	default:
		err = r.Want(Object)
	}
	return llm.Span{Start: at, End: r.pos}, err
}

// Raw reads any value and returns its bytes, which are those of the text.
func (r *Reader) Raw() ([]byte, error) {
	at, err := r.Skip()
	if err != nil {
		return nil, err
	}
	return r.buf[at.Start:at.End], nil
}

// name reads a member's name and the colon, and refuses one that the object,
// whose names begin at first, already has.
func (r *Reader) name(first int, fold bool) ([]byte, error) {
	if r.Kind() != String {
		return nil, r.syntax("expected a member's name")
	}
	at := r.pos
	name, err := r.str()
	if err != nil {
		return nil, err
	}
	if r.taken(first, name, fold) {
		r.pos = at
		r.path[len(r.path)-1] = step{name: name}
		return nil, r.syntax("duplicate member")
	}
	if r.space(); r.pos >= len(r.buf) || r.buf[r.pos] != ':' {
		return nil, r.syntax("expected a colon")
	}
	r.pos++
	return name, nil
}

// taken reports whether the innermost open object has the name already, and
// notes it. Few names are compared with each other, many go through a map:
// a body of nothing but names must not cost their square.
func (r *Reader) taken(first int, name []byte, fold bool) bool {
	open := r.keys[first:]
	defer func() { r.keys = append(r.keys, name) }()
	if len(open) < linearKeys {
		return slices.ContainsFunc(open, func(k []byte) bool {
			return len(k) == len(name) && (bytes.Equal(k, name) || fold && bytes.EqualFold(k, name))
		})
	}
	if r.many == nil {
		r.many = map[member]struct{}{}
	}
	if len(open) == linearKeys {
		for _, k := range open {
			r.many[memberOf(first, k, fold)] = struct{}{}
		}
	}
	m := memberOf(first, name, fold)
	_, ok := r.many[m]
	r.many[m] = struct{}{}
	return ok
}

func memberOf(object int, name []byte, fold bool) member {
	if fold {
		name = bytes.ToLower(name)
	}
	return member{object, string(name)}
}

// closeObject forgets the names of the innermost open object.
func (r *Reader) closeObject(first int, fold bool) {
	if open := r.keys[first:]; len(open) > linearKeys {
		for _, k := range open {
			delete(r.many, memberOf(first, k, fold))
		}
	}
	r.keys = r.keys[:first]
	r.path = r.path[:len(r.path)-1]
}
