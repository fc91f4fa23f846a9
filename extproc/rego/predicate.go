package rego

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A keyer makes the key of a request for one entry point: two requests with the
// same key get the same decision. Of a number that rules only compare with
// constants it holds between which of them it lies, of two that they only
// compare with each other which is larger, of everything else that they read
// the value.
type keyer struct {
	values []keyValue
	bounds []keyBound
	pairs  []keyPair
}

type keyValue struct {
	form form
	path []string
}

type keyBound struct {
	numeric
	path   []string
	each   string  // the number of each candidate; empty: that at the path
	bounds []int64 // sorted
}

type keyPair struct{ a, b keyBound }

// newKeyer returns nil and the reason if decisions are not fit to be used again.
func newKeyer(a *analysis, on int) (*keyer, string) {
	if a.impure != "" {
		return nil, a.impure + " gives another result each time"
	}
	k := &keyer{}
	names := slices.Sorted(maps.Keys(a.uses))
	for _, name := range names {
		u := a.uses[name]
		switch {
		case len(u.path) == 0:
			return nil, "the whole input is read"
		case a.covered(u):
		case u.exact:
			k.exact(u.path, on)
		default:
			slices.Sort(u.bounds)
			k.bounds = append(k.bounds, boundAt(u.path, slices.Compact(u.bounds)))
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(a.pairs), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		p := a.pairs[name]
		k.pairs = append(k.pairs, keyPair{boundAt(p.a, nil), boundAt(p.b, nil)})
	}
	return k, ""
}

// covered reports whether a path that a use lies in is in the key anyway.
func (a *analysis) covered(u use) bool {
	for i := range u.path {
		if o, ok := a.uses[strings.Join(u.path[:i], "\x00")]; ok && o.exact && i > 0 {
			return true
		}
	}
	return false
}

// exact adds the value at a path, or all values below it.
func (k *keyer) exact(path []string, on int) {
	if f, rest, ok := factAt(path); ok {
		k.values = append(k.values, keyValue{f.form, rest})
		return
	}
	path = known(path)
	for i := range document {
		if f := &document[i]; f.on&on != 0 && len(factPaths[i]) > len(path) && slices.Equal(factPaths[i][:len(path)], path) {
			k.values = append(k.values, keyValue{f.form, nil})
		}
	}
}

func boundAt(path []string, bounds []int64) keyBound {
	f, rest, _ := factAt(path)
	k := keyBound{path: rest, each: ofCandidates(f.form, rest), bounds: bounds}
	if k.each == "" {
		k.numeric = f.form.(numeric)
	}
	return k
}

func (k *keyer) key(b []byte, f *gateway.Facts) []byte {
	for i := range k.values {
		b = k.values[i].form.key(b, f, k.values[i].path)
	}
	for i := range k.bounds {
		b = k.bounds[i].key(b, f)
	}
	for i := range k.pairs {
		b = append(b, k.pairs[i].order(f))
	}
	return b
}

// key appends the place of the number, or how many candidates there are and the
// place of each one's. A number that is not there has a place of its own.
func (k *keyBound) key(b []byte, f *gateway.Facts) []byte {
	if k.each == "" {
		n, ok := k.number(f, k.path)
		if !ok {
			return binary.AppendUvarint(b, 0)
		}
		return binary.AppendUvarint(b, k.place(n))
	}
	b = binary.AppendUvarint(b, uint64(len(f.Candidates)))
	for i := range f.Candidates {
		b = binary.AppendUvarint(b, k.place(*candidateNumber(&f.Candidates[i], k.each)))
	}
	return b
}

// place is where a number lies among the bounds: odd between two of them, even on
// one.
func (k *keyBound) place(n int64) uint64 {
	i, on := slices.BinarySearch(k.bounds, n)
	if on {
		return uint64(2*i + 2)
	}
	return uint64(2*i + 1)
}

// order says which of the two is larger.
func (k *keyPair) order(f *gateway.Facts) byte {
	a, okA := k.a.number(f, k.a.path)
	b, okB := k.b.number(f, k.b.path)
	if !okA || !okB {
		return absent
	}
	return byte(2 + cmp.Compare(a, b))
}
