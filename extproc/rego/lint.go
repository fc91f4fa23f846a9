package rego

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Numbers above which a construct that costs time is worth a word.
const (
	maxPatterns    = 100 // different patterns: an error
	manyLoops      = 5
	manyLookups    = 10
	manyUnindexed  = 10
	patternBuiltin = " regex.match regex.find_n regex.find_all_string_submatch_n regex.replace regex.split regex.globs_match glob.match "
)

// lint looks at the rules as they were written. It returns warnings, one in a
// line, and an error of what is not allowed.
func lint(modules map[string]*ast.Module) ([]string, error) {
	l := linter{patterns: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		l.module(modules[name])
	}
	if len(l.patterns) > maxPatterns {
		l.errors.at(l.lastPattern, "%d different patterns of regular expressions and globs; %d are allowed", len(l.patterns), maxPatterns)
	}
	if len(l.loops) > manyLoops {
		l.warnings.at(l.loops[manyLoops], "%d rules go through arrays of the input, each time; a condition before the loop keeps that rare", len(l.loops))
	}
	if len(l.lookups) > manyLookups {
		l.warnings.at(l.lookups[manyLookups], "%d rules look up data by a value of the input, each time", len(l.lookups))
	}
	if len(l.unindexed) > manyUnindexed {
		l.warnings.at(l.unindexed[manyUnindexed], "%d rules have no condition that can be indexed (a field of the input equal to a constant): they are looked at for each request", len(l.unindexed))
	}
	return l.warnings.lines(), l.errors.join()
}

type linter struct {
	errors, warnings problems
	patterns         map[string]bool
	lastPattern      *ast.Location
	loops, lookups   []*ast.Location
	unindexed        []*ast.Location
	v2               bool // the module has the better not
}

func (l *linter) module(m *ast.Module) {
	l.v2 = slices.ContainsFunc(m.Imports, func(i *ast.Import) bool {
		s := i.Path.String()
		return s == "rego.v2" || s == "future.keywords.not"
	})
	on := homeOf(packagePath(m)).on
	for _, r := range m.Rules {
		l.expressions(r)
		v := verbs[string(r.Head.Ref()[0].Value.(ast.Var))]
		if v == nil || v.on&on == 0 || r.Head.Key == nil {
			continue
		}
		l.head(r)
		if len(r.Body) > 0 && !trivial(r.Body) && !slices.ContainsFunc(r.Body, indexable) {
			l.unindexed = append(l.unindexed, r.Location)
		}
	}
}

func (l *linter) head(r *ast.Rule) {
	ast.WalkTerms(r.Head.Key, func(t *ast.Term) bool {
		if c, ok := t.Value.(ast.Call); ok && c[0].String() == "sprintf" {
			l.warnings.at(r.Location, "sprintf in the head of a rule is slow")
		}
		return false
	})
}

func (l *linter) expressions(r *ast.Rule) {
	loops, lookups := false, false
	ast.WalkExprs(r, func(e *ast.Expr) bool {
		if len(e.With) > 0 {
			l.errors.at(e.Location, "with is for tests only")
		}
		if e.Negated && !l.v2 && calls(e) {
			l.warnings.at(e.Location, "not f(g(x)) is false when x is undefined; import rego.v2 makes it true")
		}
		if d, ok := e.Terms.(*ast.SomeDecl); ok && len(d.Symbols) == 1 {
			loops = loops || overInput(d.Symbols[0])
		}
		l.call(e)
		return false
	})
	ast.WalkRefs(r, func(ref ast.Ref) bool {
		lookups = lookups || lookup(ref)
		return false
	})
	ast.WalkTerms(r, func(t *ast.Term) bool {
		if ref, ok := t.Value.(ast.Ref); ok && len(ref) > 1 && ref.HasPrefix(ast.InputRootRef) {
			return true
		}
		if t.Equal(ast.InputRootDocument) {
			l.warnings.at(r.Location, "the whole input is read")
		}
		return false
	})
	if loops {
		l.loops = append(l.loops, r.Location)
	}
	if lookups {
		l.lookups = append(l.lookups, r.Location)
	}
}

// call looks at patterns and at arithmetic on fractions.
func (l *linter) call(e *ast.Expr) {
	look := func(operator string, operands []*ast.Term) {
		switch {
		case strings.Contains(patternBuiltin, " "+operator+" ") && len(operands) > 0:
			if s, ok := operands[0].Value.(ast.String); ok {
				l.patterns[operator+" "+string(s)] = true
				l.lastPattern = e.Location
			}
		case operator == "plus" || operator == "minus" || operator == "mul" || operator == "div":
			for _, t := range operands {
				if n, ok := t.Value.(ast.Number); ok && strings.ContainsAny(string(n), ".eE") {
					l.warnings.at(e.Location, "arithmetic on the fraction %s is slow; use integers", n)
				}
			}
		}
	}
	if e.IsCall() {
		look(e.Operator().String(), e.Operands())
	}
	ast.WalkTerms(e, func(t *ast.Term) bool {
		if c, ok := t.Value.(ast.Call); ok {
			look(c[0].String(), c[1:])
		}
		return false
	})
}

// calls reports whether an expression calls a function with what another
// returns.
func calls(e *ast.Expr) bool {
	if !e.IsCall() {
		return false
	}
	return slices.ContainsFunc(e.Operands(), func(t *ast.Term) bool { _, ok := t.Value.(ast.Call); return ok })
}

// overInput reports whether "some x in xs" goes through the input.
func overInput(t *ast.Term) bool {
	c, ok := t.Value.(ast.Call)
	if !ok {
		return false
	}
	ref, ok := c[len(c)-1].Value.(ast.Ref)
	return ok && ref.HasPrefix(ast.InputRootRef)
}

// lookup reports whether a reference finds data by a value of the input.
func lookup(ref ast.Ref) bool {
	if ref[0].Equal(ast.InputRootDocument) {
		return false
	}
	return slices.ContainsFunc(ref[1:], func(t *ast.Term) bool {
		r, ok := t.Value.(ast.Ref)
		return ok && r.HasPrefix(ast.InputRootRef)
	})
}

// trivial reports whether a rule holds always: its body is only true.
func trivial(b ast.Body) bool {
	if len(b) != 1 {
		return false
	}
	t, ok := b[0].Terms.(*ast.Term)
	return ok && ast.IsConstant(t.Value)
}

// indexable reports whether OPA's index can leave the rule out by a condition:
// a reference alone, one that is equal to a constant or among constants, or
// that starts with one.
func indexable(e *ast.Expr) bool {
	if e.Negated {
		return false
	}
	if t, ok := e.Terms.(*ast.Term); ok {
		return isRef(t)
	}
	if !e.IsCall() || len(e.Operands()) != 2 {
		return false
	}
	a, b := e.Operand(0), e.Operand(1)
	switch e.Operator().String() {
	case "equal", "eq", "assign":
		return isRef(a) && ast.IsConstant(b.Value) || isRef(b) && ast.IsConstant(a.Value)
	case "internal.member_2", "startswith", "endswith":
		return isRef(a) && ast.IsConstant(b.Value)
	}
	return false
}

func isRef(t *ast.Term) bool {
	_, ok := t.Value.(ast.Ref)
	return ok
}

// lines are the problems in the order of files and lines.
func (ps problems) lines() (lines []string) {
	ps.sort()
	for _, p := range ps {
		if line := fmt.Sprint(p); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}
