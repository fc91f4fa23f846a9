package rego

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// missingData finds what rules look for in the policy's data and is not there: a
// condition on it never holds, and its negation always does.
func missingData(c *ast.Compiler, data map[string]any) (ps problems) {
	for _, m := range c.Modules {
		ast.WalkRefs(m, func(r ast.Ref) bool {
			if path := missingPath(r, data); path != nil {
				ps.at(path[len(path)-1].Location, "there is no %s in the data", path)
			}
			return false
		})
	}
	return ps
}

// missingPath returns a reference up to the first member that the data do not
// have; nil: they have it, or it goes by a value that is not constant.
func missingPath(r ast.Ref, data map[string]any) ast.Ref {
	if !r[0].Equal(ast.DefaultRootDocument) || len(r) < 4 || !r[1].Equal(ast.StringTerm("attache")) || !r[2].Equal(ast.StringTerm("config")) {
		return nil
	}
	for i, t := range r[1:] {
		name, constant := t.Value.(ast.String)
		if !constant || data == nil {
			return nil
		}
		v, ok := data[string(name)]
		if !ok {
			return r[:i+2]
		}
		data, _ = v.(map[string]any)
	}
	return nil
}

// allows reports whether some rule allows anything.
func allows(rules []rule) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return r.verb.name == "allow" })
}
