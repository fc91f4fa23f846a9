package rego

import (
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Rule is a rule of a verb with what it may cost.
type Rule struct {
	ID    string        `json:"rule"`
	Place string        `json:"at"` // file:line
	Entry string        `json:"entry"`
	Verb  string        `json:"verb"`
	Cost  time.Duration `json:"cost_ns"` // a rough guess: where no index leaves it out
	Index bool          `json:"indexed"` // a condition can leave it out almost for nothing
}

// Rules are the rules of the entry points, in the order of their places.
func (p *Policy) Rules() (all []Rule) {
	for _, e := range p.entries() {
		for i := range e.rules {
			r := &e.rules[i]
			all = append(all, Rule{ID: r.id, Place: r.place, Entry: e.name, Verb: r.verb.name, Cost: r.cost, Index: r.indexed})
		}
	}
	slices.SortStableFunc(all, func(a, b Rule) int { return comparePlaces(a.Place, b.Place) })
	return all
}

// What constructs cost, measured one by one with OPA 1.22 on two shared virtual
// processors. The sum for a rule is a guess that tells slow rules from fast
// ones; a benchmark on recorded inputs tells how slow.
const (
	costHead       = 780 * time.Nanosecond // constant
	costMadeHead   = 1950 * time.Nanosecond
	costIndexed    = 20 * time.Nanosecond
	costCondition  = 900 * time.Nanosecond
	costNegation   = 1020 * time.Nanosecond
	costPattern    = 1140 * time.Nanosecond
	costText       = 1430 * time.Nanosecond // sprintf, a template
	costLoop       = 1560 * time.Nanosecond // of eight members
	costFunction   = 2000 * time.Nanosecond
	costArithmetic = 2200 * time.Nanosecond
	costFraction   = 7580 * time.Nanosecond
	costCollection = 4760 * time.Nanosecond // a comprehension over eight members
)

// costOf guesses what a rule costs when it is evaluated, and reports whether the
// index can leave it out.
func costOf(r *ast.Rule) (sum time.Duration, indexed bool) {
	sum = costMadeHead
	if ast.IsConstant(r.Head.Key.Value) {
		sum = costHead
	}
	sum += costOfTerms(r.Head)
	if trivial(r.Body) {
		return sum, false
	}
	for _, e := range r.Body {
		switch {
		case indexable(e):
			sum, indexed = sum+costIndexed, true
		case e.Negated:
			sum += costNegation
		default:
			sum += costCondition
		}
		sum += costOfTerms(e)
	}
	return sum, indexed
}

// costOfTerms is what the calls, loops and comprehensions in a part of a rule
// cost, besides its being a condition.
func costOfTerms(part any) (sum time.Duration) {
	call := func(operator string, operands []*ast.Term) {
		sum += costOfCall(operator, operands)
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.IsCall() {
				call(x.Operator().String(), x.Operands())
			}
		case ast.Call:
			call(x[0].String(), x[1:])
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			sum += costCollection
		case *ast.SomeDecl:
			sum += costLoop
		case *ast.Every:
			sum += costLoop
		}
		return false
	}).Walk(part)
	return sum
}

func costOfCall(operator string, operands []*ast.Term) time.Duration {
	switch {
	case strings.Contains(patternBuiltin, " "+operator+" "):
		return costPattern
	case operator == "sprintf" || operator == "internal.template_string":
		return costText
	case operator == "plus" || operator == "minus" || operator == "mul" || operator == "div" || operator == "rem":
		if slices.ContainsFunc(operands, func(t *ast.Term) bool {
			n, ok := t.Value.(ast.Number)
			return ok && strings.ContainsAny(string(n), ".eE")
		}) {
			return costFraction
		}
		return costArithmetic
	case ast.BuiltinMap[operator] == nil:
		return costFunction
	}
	return 0
}
