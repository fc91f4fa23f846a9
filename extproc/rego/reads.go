package rego

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Reads reports whether a rule may look at a fact, or at a part of it, by its
// path in the input, as request.tokens.
func (p *Policy) Reads(fact string) bool {
	return slices.ContainsFunc(p.reads, func(path string) bool { return below(path, fact) || below(fact, path) })
}

// below reports whether a path is the other or a part of it.
func below(path, of string) bool {
	rest, ok := strings.CutPrefix(path, of)
	return ok && (of == "" || rest == "" || rest[0] == '.')
}

// inputPaths returns the paths of the input that stand anywhere in the modules,
// up to the first part that is not constant: "" for the whole input. What
// follows through a variable or a function's argument is part of such a path.
func inputPaths(modules map[string]*ast.Module) []string {
	paths := map[string]bool{}
	for _, m := range modules {
		ast.WalkRefs(m, func(r ast.Ref) bool {
			if r[0].Equal(ast.InputRootDocument) {
				paths[constantPath(r[1:])] = true
			}
			return false
		})
	}
	return slices.Sorted(maps.Keys(paths))
}

func constantPath(parts []*ast.Term) string {
	var names []string
	for _, t := range parts {
		s, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		names = append(names, string(s))
	}
	return strings.Join(names, ".")
}
