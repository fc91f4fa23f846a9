package gateway

import (
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// memberAt returns the value of a member of the client's body as it was changed
// so far, by its name, as metadata.user_id; nil if there is none. The name of a
// list's element, as include[x], is the string x.
func memberAt(r *llm.Request, name string) []byte {
	first, rest, nested := strings.Cut(name, ".")
	list, element, inList := strings.Cut(strings.TrimSuffix(name, "]"), "[")
	switch {
	case inList:
		if strings.Contains(string(memberAt(r, list)), string(jsonx.AppendString(nil, element))) {
			return []byte("true")
		}
		return nil
	case nested:
		return objectOf(top(r, first)).at(rest)
	}
	return top(r, name)
}

// top returns a member of the body itself.
func top(r *llm.Request, name string) []byte {
	for _, s := range slices.Backward(r.Sets) {
		if s.Name == name {
			return s.Value
		}
	}
	return r.Body.Member(name)
}

// setMember gives a member of the client's body a value, nil for none.
func setMember(r *llm.Request, name string, value []byte) {
	first, rest, nested := strings.Cut(name, ".")
	list, element, inList := strings.Cut(strings.TrimSuffix(name, "]"), "[")
	switch {
	case inList:
		first, value = list, withElement(memberAt(r, list), element, value != nil)
	case nested:
		value = objectOf(top(r, first)).with(rest, value)
	}
	r.Sets = append(r.Sets, llm.Set{Name: first, Value: value})
}

// objectOf reads an object in the body. What is none has no members.
func objectOf(raw []byte) object {
	in := jsonx.NewReader(raw)
	if in.Kind() != jsonx.Object {
		return object{Raw: []byte("{}")}
	}
	members, err := in.Members(func([]byte) error { _, err := in.Skip(); return err })
	if err != nil { // the dialect has read it
		return object{Raw: []byte("{}")}
	}
	return object{Raw: raw, Members: members}
}

type object llm.Body

func (o object) at(name string) []byte {
	b := llm.Body(o)
	first, rest, nested := strings.Cut(name, ".")
	if nested {
		return objectOf(b.Member(first)).at(rest)
	}
	return b.Member(name)
}

// with returns the object with another value of a member, nil for none.
func (o object) with(name string, value []byte) []byte {
	b := llm.Body(o)
	first, rest, nested := strings.Cut(name, ".")
	if nested {
		value = objectOf(b.Member(first)).with(rest, value)
	}
	p := b.Patch()
	p.Set(first, value)
	return p.Bytes()
}

// withElement returns a list of strings with one or without it.
func withElement(list []byte, element string, there bool) []byte {
	out := []byte("[")
	add := func(s string) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = jsonx.AppendString(out, s)
	}
	in := jsonx.NewReader(list)
	if in.Kind() == jsonx.Array {
		_ = in.Array(func(int) error { // the dialect has read it
			s, err := in.String()
			if err == nil && s != element {
				add(s)
			}
			return err
		})
	}
	if there {
		add(element)
	}
	return append(out, ']')
}
