package rego

import (
	"maps"
	"slices"
	"strings"
)

// Reads reports whether a rule may look at a fact, or at a part of it, by its
// path in the input, as request.tokens.
func (p *Policy) Reads(fact string) bool {
	return slices.ContainsFunc(p.entries(), func(e *entry) bool { return e.reads(fact) })
}

func (e *entry) reads(fact string) bool {
	return slices.ContainsFunc(e.paths, func(path string) bool { return below(path, fact) || below(fact, path) })
}

// paths returns what of the input is read, up to the first part that is not
// constant: "" is the whole input.
func (a *analysis) paths() []string {
	paths := map[string]bool{}
	for _, u := range a.uses {
		paths[strings.Join(known(u.path), ".")] = true
	}
	return slices.Sorted(maps.Keys(paths))
}

// misplaced finds uses of what an entry point's input does not have: a rule
// that waits for it would never hold, and its negation always.
func (a *analysis) misplaced(e *entry, o *Options, ps *problems) {
	all := maps.Clone(a.there)
	maps.Copy(all, a.uses)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		u := all[key]
		have := slices.ContainsFunc(document, func(f fact) bool {
			names := split(f.path)
			known := known(u.path)
			n := min(len(names), len(known))
			return f.on&e.on != 0 && slices.Equal(names[:n], known[:n])
		})
		if why := o.unnamed(u.path); why != "" {
			ps.at(u.place, "input.%s: %s", strings.Join(u.path, "."), why)
		}
		if !have && len(u.path) > 0 {
			ps.at(u.place, "input.%s is not there in package %s", strings.Join(known(u.path), "."), e.name)
		}
	}
}

// known is a path up to the first part that is not constant.
func known(path []string) []string {
	if i := slices.Index(path, anyMember); i >= 0 {
		return path[:i]
	}
	return path
}
