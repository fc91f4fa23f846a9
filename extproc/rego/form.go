package rego

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A form is a kind of value in the input document.
type form interface {
	// term builds the value.
	term(f *gateway.Facts) *ast.Term

	// key appends what tells the value, or the member of it at a path, from
	// every other. A path of none is the whole. The star stands for any member.
	key(b []byte, f *gateway.Facts, path []string) []byte
}

// An open form is an object whose members can be made one by one.
type open interface {
	member(f *gateway.Facts, name string) *ast.Term // nil: there is none
}

// A numeric form has integers, at itself or at members. It says false where
// there is none.
type numeric interface {
	number(f *gateway.Facts, path []string) (int64, bool)
}

type (
	textOf    func(*gateway.Facts) string
	numberOf  func(*gateway.Facts) int64
	truthOf   func(*gateway.Facts) bool
	namesOf   func(*gateway.Facts) []string          // a set, as an object {"name": true}: a look-up instead of a scan
	textsOf   func(*gateway.Facts) map[string]string // an object of strings
	headersOf func(*gateway.Facts) headers           // the same; the first of a name counts
	claimsOf  func(*gateway.Facts) map[string]any    // an object of any JSON

	headers = []llm.Header
)

var (
	emptyString = ast.StringTerm("")
	emptyObject = ast.ObjectTerm()
)

func text(s string) *ast.Term {
	if s == "" {
		return emptyString
	}
	return texts.term(s)
}

// keyText appends a string with its length before it: no value can look like
// the end of another.
func keyText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// Whether an optional member is there.
const (
	absent  = 0
	present = 1
)

func keyTruth(b []byte, t bool) []byte {
	if t {
		return append(b, present)
	}
	return append(b, absent)
}

func (v textOf) term(f *gateway.Facts) *ast.Term { return text(v(f)) }

func (v textOf) key(b []byte, f *gateway.Facts, _ []string) []byte { return keyText(b, v(f)) }

func (v numberOf) term(f *gateway.Facts) *ast.Term { return ast.InternedTerm(v(f)) }

func (v numberOf) key(b []byte, f *gateway.Facts, _ []string) []byte {
	return binary.AppendVarint(b, v(f))
}

func (v numberOf) number(f *gateway.Facts, _ []string) (int64, bool) { return v(f), true }

func (v truthOf) term(f *gateway.Facts) *ast.Term { return ast.InternedTerm(v(f)) }

func (v truthOf) key(b []byte, f *gateway.Facts, _ []string) []byte { return keyTruth(b, v(f)) }

// term allows for names that come twice.
func (v namesOf) term(f *gateway.Facts) *ast.Term {
	names := v(f)
	if len(names) == 0 {
		return emptyObject
	}
	o := ast.NewObjectWithCapacity(len(names))
	for _, n := range names {
		o.Insert(text(n), ast.InternedTerm(true))
	}
	return ast.NewTerm(o)
}

func (v namesOf) member(f *gateway.Facts, name string) *ast.Term {
	if !slices.Contains(v(f), name) {
		return nil
	}
	return ast.InternedTerm(true)
}

func (v namesOf) key(b []byte, f *gateway.Facts, path []string) []byte {
	names := v(f)
	if len(path) > 0 && path[0] != anyMember {
		return keyTruth(b, slices.Contains(names, path[0]))
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	b = binary.AppendUvarint(b, uint64(len(sorted)))
	for _, n := range sorted {
		b = keyText(b, n)
	}
	return b
}

func (v textsOf) term(f *gateway.Facts) *ast.Term {
	m := v(f)
	if len(m) == 0 {
		return emptyObject
	}
	o := ast.NewObjectWithCapacity(len(m))
	for k, s := range m {
		o.Insert(text(k), text(s))
	}
	return ast.NewTerm(o)
}

func (v textsOf) member(f *gateway.Facts, name string) *ast.Term {
	s, ok := v(f)[name]
	if !ok {
		return nil
	}
	return text(s)
}

func (v textsOf) key(b []byte, f *gateway.Facts, path []string) []byte {
	m := v(f)
	if len(path) == 0 || path[0] == anyMember {
		return keyTexts(b, m)
	}
	s, ok := m[path[0]]
	if !ok {
		return append(b, absent)
	}
	return keyText(append(b, present), s)
}

func keyTexts(b []byte, m map[string]string) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for _, k := range sorted(m) {
		b = keyText(keyText(b, k), m[k])
	}
	return b
}

func (v headersOf) term(f *gateway.Facts) *ast.Term {
	hs := v(f)
	if len(hs) == 0 {
		return emptyObject
	}
	o := ast.NewObjectWithCapacity(len(hs))
	for i, h := range hs {
		if first(hs, h.Name) == i {
			o.Insert(text(h.Name), text(h.Value))
		}
	}
	return ast.NewTerm(o)
}

func (v headersOf) member(f *gateway.Facts, name string) *ast.Term {
	hs := v(f)
	i := first(hs, name)
	if i < 0 {
		return nil
	}
	return text(hs[i].Value)
}

func (v headersOf) key(b []byte, f *gateway.Facts, path []string) []byte {
	hs := v(f)
	if len(path) > 0 && path[0] != anyMember {
		i := first(hs, path[0])
		if i < 0 {
			return append(b, absent)
		}
		return keyText(append(b, present), hs[i].Value)
	}
	b = binary.AppendUvarint(b, uint64(len(hs)))
	for _, h := range hs {
		b = keyText(keyText(b, h.Name), h.Value)
	}
	return b
}

func first(hs headers, name string) int {
	return slices.IndexFunc(hs, func(h llm.Header) bool { return h.Name == name })
}

func (v claimsOf) term(f *gateway.Facts) *ast.Term {
	m := v(f)
	if len(m) == 0 {
		return emptyObject
	}
	value, err := ast.InterfaceToValue(m)
	if err != nil { // not JSON; what cannot be read is not there
		return emptyObject
	}
	return ast.NewTerm(value)
}

func (v claimsOf) member(f *gateway.Facts, name string) *ast.Term {
	m, ok := v(f)[name]
	if !ok {
		return nil
	}
	if s, ok := m.(string); ok {
		return text(s)
	}
	value, err := ast.InterfaceToValue(m)
	if err != nil {
		return nil
	}
	return ast.NewTerm(value)
}

// key appends claims as JSON, whose members are sorted. A member of what is no
// object is not there.
func (v claimsOf) key(b []byte, f *gateway.Facts, path []string) []byte {
	var value any = v(f)
	for _, name := range path {
		if name == anyMember {
			break
		}
		m, ok := value.(map[string]any)
		if ok {
			value, ok = m[name]
		}
		if !ok {
			return append(b, absent)
		}
	}
	b = append(b, present)
	if s, ok := value.(string); ok {
		return keyText(append(b, '"'), s)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return append(b, absent)
	}
	return keyText(append(b, '{'), string(text))
}

// numericAt reports whether the members at a path below a fact are integers.
func numericAt(v form, path []string) bool {
	switch v := v.(type) {
	case numberOf:
		return len(path) == 0
	case leftOf:
		return v.field(path) >= 0
	case guardsOf:
		return len(path) == 2 && path[1] == "findings" || len(path) == 3 && path[1] == "scores" && !slices.Contains(path, anyMember)
	}
	return false
}

// anyMember stands in a path for a member whose name is not known.
const anyMember = "*"

// split takes a path apart.
func split(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, ".")
}
