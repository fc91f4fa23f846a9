package rego

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// effectsName is the set that the rules of all verbs are merged into. One set
// is one look-up in OPA's rule index, however many verbs and files there are.
const effectsName = "effects"

// A rule is one rule of a verb.
type rule struct {
	id    string // custom.id of its METADATA, else its place
	place string // file:line
	verb  *verb
	head  effect // nil: not known before evaluation
}

// desugar adds to each rule "verb contains X if body" of package
// attache.request a copy of it: "effects contains N" where X is constant, else
// "effects contains [N, X]", N being the rule's index in the result. The
// originals stay, as rules may refer to them; unreferenced they cost nothing.
func desugar(modules map[string]*ast.Module, closed bool) ([]rule, error) {
	d := desugarer{closed: closed}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		d.module(modules[name])
	}
	if err := d.problems.join(); err != nil {
		return nil, err
	}
	if len(d.rules) == 0 {
		return nil, errors.New("no rule of a verb in package attache.request")
	}
	return d.rules, nil
}

type desugarer struct {
	closed   bool
	rules    []rule
	problems problems
}

func (d *desugarer) module(m *ast.Module) {
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if len(e.With) > 0 {
			d.problems.at(e.Location, "with is for tests only")
		}
		return false
	})
	name := packageName(m)
	if name != "attache.request" {
		if name == "attache" || strings.HasPrefix(name, "attache.") {
			d.problems.at(m.Package.Location, "package %s: names below attache are reserved; rules go into attache.request", name)
		}
		return
	}
	var copies []*ast.Rule
	for _, r := range m.Rules {
		if c := d.rule(r); c != nil {
			copies = append(copies, c)
		}
	}
	m.Rules = append(m.Rules, copies...)
}

// packageName is the path of a package without data.
func packageName(m *ast.Module) string {
	return strings.TrimPrefix(m.Package.Path.String(), "data.")
}

// rule returns the copy of a verb's rule, nil for others.
func (d *desugarer) rule(r *ast.Rule) *ast.Rule {
	name := string(r.Head.Ref()[0].Value.(ast.Var))
	v := verbs[name]
	switch {
	case name == effectsName:
		d.problems.at(r.Location, "%s is a reserved name", name)
		return nil
	case slices.Contains(laterVerbs, name):
		d.problems.at(r.Location, "%s is not supported yet", name)
		return nil
	case v == nil:
		return nil
	case !isSet(r) || len(r.Head.Ref()) != 1:
		d.problems.at(r.Location, "%s is a set: want %s contains {…} if …", name, name)
		return nil
	case name == "allow" && !d.closed:
		d.problems.at(r.Location, "allow has no effect unless the default is to deny")
		return nil
	}
	return d.effect(r, v)
}

func (d *desugarer) effect(r *ast.Rule, v *verb) *ast.Rule {
	n := len(d.rules)
	decoded, err := v.decode(r.Head.Key.Value, true)
	if err != nil {
		d.problems.at(r.Location, "%s: %w", v.name, err)
		return nil
	}
	element := ast.InternedTerm(n)
	if !ast.IsConstant(r.Head.Key.Value) {
		decoded = nil
		element = ast.ArrayTerm(element, r.Head.Key.Copy())
	}
	d.rules = append(d.rules, rule{id: ruleID(r), place: place(r.Location), verb: v, head: decoded})

	c := r.Copy()
	c.Head = ast.NewHead(effectsName, element)
	c.Head.Location = r.Head.Location
	return c
}

func ruleID(r *ast.Rule) string {
	for _, a := range r.Annotations {
		if id, ok := a.Custom["id"].(string); ok && id != "" {
			return id
		}
	}
	return place(r.Location)
}

// unusedSets finds sets in package attache.request that are no verb and that
// no rule refers to: more likely a verb misspelt than a wish.
func unusedSets(c *ast.Compiler) error {
	var ps problems
	for _, m := range c.Modules {
		if packageName(m) != "attache.request" {
			continue
		}
		for _, r := range m.Rules {
			name := r.Head.Ref()[0].String()
			if !isSet(r) || verbs[name] != nil || name == effectsName {
				continue
			}
			if len(c.Graph.Dependents(r)) == 0 {
				ps.at(r.Location, "%s is not a verb and no rule uses it", name)
			}
		}
	}
	return ps.join()
}

func isSet(r *ast.Rule) bool { return r.Head.Key != nil && r.Head.RuleKind() == ast.MultiValue }

func place(l *ast.Location) string { return fmt.Sprintf("%s:%d", l.File, l.Row) }
