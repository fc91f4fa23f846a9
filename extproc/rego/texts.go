package rego

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// texts are terms of strings of late. Names of teams, models and regions come
// again and again, in any request.
var texts textTable

// The table's bounds.
const (
	textSlots = 1024
	longest   = 64 // bytes
)

var textSeed = maphash.MakeSeed()

// A textTable has one place for a string, by its hash: the latest stays.
type textTable [textSlots]atomic.Pointer[ast.Term]

func (t *textTable) term(s string) *ast.Term {
	if len(s) > longest {
		return ast.StringTerm(s)
	}
	slot := &t[maphash.String(textSeed, s)%textSlots]
	if have := slot.Load(); have != nil && have.Value.(ast.String) == ast.String(s) {
		return have
	}
	made := ast.StringTerm(strings.Clone(s)) // it may be a part of a whole body
	slot.Store(made)
	return made
}
