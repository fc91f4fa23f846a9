package rego

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// open reports whether the head of a rule is known only from its evaluation.
func (r *rule) open() bool { return r.head == nil && r.facts == nil }

// factsOf returns the paths of the facts in a head that is constant but for
// them, in the order in which they stand. OPA need not build such a head: it is
// enough to know that the rule holds and the facts are there. It returns nil for
// other heads.
func factsOf(head *ast.Term) (facts []*ast.Term) {
	if !collect(head, &facts) {
		return nil
	}
	return facts
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
	last := r.last.Load()
	if last != nil && slices.EqualFunc(last.values, values, ast.ValueEqual) {
		return last.head, nil
	}
	head, err := r.verb.decode(r.said(values), guards, false)
	if err == nil {
		r.last.Store(&decodedHead{slices.Clone(values), head})
	}
	return head, err
}

// said is the head of a rule as it was written, with the values in their places.
func (r *rule) said(values []ast.Value) ast.Value {
	if len(values) > 0 && r.facts == nil {
		return values[0]
	}
	return fill(r.written, &values).Value
}

// fill puts values in the places of references.
func fill(t *ast.Term, values *[]ast.Value) *ast.Term {
	switch v := t.Value.(type) {
	case ast.Ref:
		next := (*values)[0]
		*values = (*values)[1:]
		return ast.NewTerm(next)
	case ast.Object:
		pairs := make([][2]*ast.Term, 0, v.Len())
		v.Foreach(func(k, v *ast.Term) { pairs = append(pairs, [2]*ast.Term{k, fill(v, values)}) })
		return ast.ObjectTerm(pairs...)
	case *ast.Array:
		terms := make([]*ast.Term, 0, v.Len())
		v.Foreach(func(t *ast.Term) { terms = append(terms, fill(t, values)) })
		return ast.ArrayTerm(terms...)
	}
	return t
}
