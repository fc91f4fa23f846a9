package rego

import (
	"slices"
	"strings"
)

// A table has values by name, in the order of names. Of a few it is smaller and
// faster than a map that is sorted afterwards, and rules are about a few things.
type table[V any] []named[V]

type named[V any] struct {
	name  string
	value V
}

// at returns the value of a name to be read or changed, the zero value if it had
// none. It holds until the next call.
func (t *table[V]) at(name string) *V {
	i, ok := slices.BinarySearchFunc(*t, name, func(n named[V], name string) int { return strings.Compare(n.name, name) })
	if !ok {
		*t = slices.Insert(*t, i, named[V]{name: name})
	}
	return &(*t)[i].value
}
