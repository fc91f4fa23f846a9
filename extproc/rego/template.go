package rego

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// open reports whether the head of a rule is known only from its evaluation.
func (r *rule) open() bool { return r.head == nil && r.facts == nil }

// template finds the facts in a head that is constant but for them. OPA need not
// build such a head: it is enough to know that the rule holds and the facts are
// there. They are filled in afterwards, if they are others than last time.
func (r *rule) template(head ast.Value) {
	o, ok := head.(ast.Object)
	var facts []*ast.Term
	if !ok || !collect(ast.NewTerm(o), &facts) {
		return
	}
	r.facts = facts
	o.Foreach(func(k, v *ast.Term) { r.written = append(r.written, [2]*ast.Term{k, v}) })
}

func collect(t *ast.Term, facts *[]*ast.Term) (ok bool) {
	switch v := t.Value.(type) {
	case ast.Ref:
		*facts = append(*facts, t)
		return isFact(v)
	case ast.Object:
		ok = true
		v.Foreach(func(k, v *ast.Term) { ok = ok && ast.IsScalar(k.Value) && collect(v, facts) })
		return ok
	case *ast.Array:
		ok = true
		v.Foreach(func(t *ast.Term) { ok = ok && collect(t, facts) })
		return ok
	}
	return ast.IsScalar(t.Value)
}

// isFact reports whether a reference is to a text or a number of the input, which
// as a condition says that it is there.
func isFact(ref ast.Ref) bool {
	if !ref[0].Equal(ast.InputRootDocument) {
		return false
	}
	f, rest, ok := factAt(pathIn(ref))
	if !ok {
		return false
	}
	switch f.form.(type) {
	case textOf, numberOf:
		return len(rest) == 0
	case textsOf, headersOf:
		return len(rest) == 1 && rest[0] != anyMember
	}
	return false
}

// there are the conditions that facts are there, of those that no condition of a
// body compares with something anyway.
func there(facts []*ast.Term, body ast.Body) (all []*ast.Expr) {
	for i, t := range facts {
		if slices.ContainsFunc(body, func(e *ast.Expr) bool { return compares(e, t) }) {
			continue
		}
		e := ast.Equality.Expr(ast.VarTerm(fmt.Sprint(ast.WildcardPrefix, "fact", i)), t.Copy())
		e.Location = t.Location
		all = append(all, e)
	}
	return all
}

// compares reports whether an expression is a comparison with a term.
func compares(e *ast.Expr, t *ast.Term) bool {
	return !e.Negated && len(e.With) == 0 && e.IsCall() && slices.Contains(comparisons, e.Operator().String()) &&
		slices.ContainsFunc(e.Operands(), t.Equal)
}

// A decodedHead is the latest head of a rule, because many requests in turn give
// the same, as that of a team. Effects do not change, so it can be shared.
type decodedHead struct {
	values []ast.Value
	head   effect
}

// decode returns the head of a rule with the values that were not known when it
// was loaded.
func (r *rule) decode(values []ast.Value, guards guardNames) (effect, error) {
	if len(values) == 0 {
		return r.head, nil
	}
	if last := r.last.Load(); last != nil && slices.EqualFunc(last.values, values, ast.ValueEqual) {
		return last.head, nil
	}
	head, err := r.read(values, guards)
	if err == nil && r.last.due() {
		r.last.Store(&decodedHead{slices.Clone(values), head})
	}
	return head, err
}

func (r *rule) read(values []ast.Value, guards guardNames) (e effect, err error) {
	if r.open() {
		e, err = r.verb.decode(values[0], guards, false)
	} else {
		e, err = r.verb.members(r.filled(values), guards, false)
	}
	if l, ok := e.(limitUse); ok && l.Name != r.limit {
		return nil, errNameNotWritten
	}
	return e, err
}

// said is the head of a rule with the values in their places.
func (r *rule) said(values []ast.Value) ast.Value {
	switch {
	case len(values) == 0:
		return r.constant
	case r.open():
		return values[0]
	}
	return ast.NewObject(r.filled(values)...)
}

// fields are the members of an object, in the order of their keys. Few of them
// are made and read faster than an object of OPA's.
type fields [][2]*ast.Term

// Len returns how many there are.
func (f fields) Len() int { return len(f) }

// Get returns the value of a member, nil if there is none.
func (f fields) Get(key *ast.Term) *ast.Term {
	for _, m := range f {
		if m[0].Equal(key) {
			return m[1]
		}
	}
	return nil
}

// Foreach calls do with each member.
func (f fields) Foreach(do func(key, value *ast.Term)) {
	for _, m := range f {
		do(m[0], m[1])
	}
}

// filled is the head as it was written, with the values in the places of facts.
func (r *rule) filled(values []ast.Value) fields {
	f := make(fields, len(r.written))
	for i, m := range r.written {
		f[i][0] = m[0]
		f[i][1], values = fill(m[1], values)
	}
	return f
}

// fill puts values in the places of references, and returns the rest of them.
func fill(t *ast.Term, values []ast.Value) (*ast.Term, []ast.Value) {
	switch v := t.Value.(type) {
	case ast.Ref:
		return ast.NewTerm(values[0]), values[1:]
	case ast.Object:
		return fillObject(v, values)
	case *ast.Array:
		return fillArray(v, values)
	}
	return t, values
}

func fillObject(o ast.Object, values []ast.Value) (*ast.Term, []ast.Value) {
	f := make(fields, 0, o.Len())
	o.Foreach(func(k, v *ast.Term) {
		v, values = fill(v, values)
		f = append(f, [2]*ast.Term{k, v})
	})
	return ast.ObjectTerm(f...), values
}

func fillArray(a *ast.Array, values []ast.Value) (*ast.Term, []ast.Value) {
	terms := make([]*ast.Term, a.Len())
	for i := range terms {
		terms[i], values = fill(a.Elem(i), values)
	}
	return ast.ArrayTerm(terms...), values
}
