package rego

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A node is a field of the input document with its key, which is made once: a
// leaf, or an object of others.
type node struct {
	name  string
	key   *ast.Term
	leaf  func(*gateway.Facts) *ast.Term // makes the value, nil where there is none; nil: an object
	parts []*node
	last  latest[object]
}

// An object is what a node was of late. The caller or the time is often the same
// in the next request. Terms do not change, so it can be shared.
type object struct {
	members []*ast.Term // as the node's parts
	term    *ast.Term
}

// project is the part of an entry point's document that rules read.
func project(on int, reads func(path string) bool) *node {
	root := &node{}
	for _, f := range document {
		if f.on&on != 0 && reads(f.path) {
			root.at(split(f.path)).leaf = f.form.term
		}
	}
	return root
}

// at returns the node at a path below this one.
func (n *node) at(path []string) *node {
	if len(path) == 0 {
		return n
	}
	i := slices.IndexFunc(n.parts, func(p *node) bool { return p.name == path[0] })
	if i < 0 {
		i = len(n.parts)
		n.parts = append(n.parts, &node{name: path[0], key: ast.StringTerm(path[0])})
	}
	return n.parts[i].at(path[1:])
}

// complete adds what only has to be there.
func (a *analysis) complete(root *node) *node {
	for _, u := range a.there {
		root.at(known(u.path))
	}
	return root
}

// narrow is like project, but leaves out what rules do not read of the objects
// whose members they name one by one.
func (a *analysis) narrow(on int) *node {
	root := &node{}
	for i, f := range document {
		if f.on&on == 0 {
			continue
		}
		names, read := a.members(factPaths[i])
		open, ok := f.form.(open)
		switch {
		case !read:
		case !ok || names == nil:
			root.at(factPaths[i]).leaf = f.form.term
		default:
			for _, name := range names {
				root.at(factPaths[i]).at([]string{name}).leaf = func(f *gateway.Facts) *ast.Term { return open.member(f, name) }
			}
		}
	}
	return root
}

// members returns the members of a fact that are read, nil for all, and whether
// it is read at all.
func (a *analysis) members(fact []string) (names []string, read bool) {
	for _, u := range a.uses {
		path := known(u.path)
		n := min(len(path), len(fact))
		switch {
		case !slices.Equal(path[:n], fact[:n]):
		case len(path) <= len(fact):
			return nil, true
		default:
			names, read = append(names, path[len(fact)]), true
		}
	}
	slices.Sort(names)
	return slices.Compact(names), read
}

// term builds the field, without the detour over Go maps.
func (n *node) term(f *gateway.Facts) *ast.Term {
	if n.leaf != nil {
		return n.leaf(f)
	}
	var room [16]*ast.Term
	members := room[:0]
	for _, p := range n.parts {
		members = append(members, p.term(f))
	}
	if last := n.last.Load(); last != nil && slices.Equal(last.members, members) {
		return last.term
	}
	o := n.object(members)
	if n.last.due() {
		n.last.Store(&object{slices.Clone(members), o})
	}
	return o
}

func (n *node) object(members []*ast.Term) *ast.Term {
	var room [16][2]*ast.Term
	pairs := room[:0]
	for i, m := range members {
		if m != nil {
			pairs = append(pairs, [2]*ast.Term{n.parts[i].key, m})
		}
	}
	if len(pairs) == 0 {
		return emptyObject
	}
	return ast.ObjectTerm(pairs...)
}

// below reports whether a path is the other or a part of it.
func below(path, of string) bool {
	rest, ok := strings.CutPrefix(path, of)
	return ok && (of == "" || rest == "" || rest[0] == '.')
}

// all reads everything.
func all(string) bool { return true }
