package rego

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A node is a field of the input document with its key, which is made once: a
// leaf, or an object of others.
type node struct {
	name  string
	key   *ast.Term
	leaf  form // nil: an object
	parts []*node
}

// project is the part of an entry point's document that rules read. The fields
// of an object that is read are the ones that it has.
func project(on int, reads func(path string) bool) *node {
	root := &node{}
	for _, f := range document {
		if f.on&on != 0 && reads(f.path) {
			root.insert(split(f.path), f.form)
		}
	}
	return root
}

func (n *node) insert(path []string, leaf form) {
	if len(path) == 0 {
		n.leaf = leaf
		return
	}
	for _, p := range n.parts {
		if p.name == path[0] {
			p.insert(path[1:], leaf)
			return
		}
	}
	p := &node{name: path[0], key: ast.StringTerm(path[0])}
	n.parts = append(n.parts, p)
	p.insert(path[1:], leaf)
}

// term builds the field, without the detour over Go maps.
func (n *node) term(f *gateway.Facts) *ast.Term {
	if n.leaf != nil {
		return n.leaf.term(f)
	}
	o := ast.NewObjectWithCapacity(len(n.parts))
	for _, p := range n.parts {
		o.Insert(p.key, p.term(f))
	}
	return ast.NewTerm(o)
}

// below reports whether a path is the other or a part of it.
func below(path, of string) bool {
	rest, ok := strings.CutPrefix(path, of)
	return ok && (of == "" || rest == "" || rest[0] == '.')
}

// all reads everything.
func all(string) bool { return true }
