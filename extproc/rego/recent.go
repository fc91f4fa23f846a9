package rego

import (
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// recentSize is how many inputs are kept.
const recentSize = 256

// Recent keeps the inputs of the latest requests that were evaluated, as far as
// the rules could see them, to try new rules on. It outlives policies. Its zero
// value is ready, a nil one keeps nothing.
type Recent struct {
	mu     sync.Mutex
	inputs [recentSize]ast.Value
	next   int
	paths  []string // that the inputs have
}

// add keeps an input. Those of rules that read something else are dropped: what
// they do not have would look like something that is not there.
func (r *Recent) add(e *entry, in ast.Value) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.paths, e.paths) {
		r.inputs, r.next, r.paths = [recentSize]ast.Value{}, 0, e.paths
	}
	r.inputs[r.next%recentSize] = in
	r.next++
}

// fit returns the inputs that have all that an entry point's rules read.
func (r *Recent) fit(e *entry) []ast.Value {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, path := range e.paths {
		if !slices.ContainsFunc(r.paths, func(have string) bool { return below(path, have) }) {
			return nil
		}
	}
	return slices.Clone(r.inputs[:min(r.next, recentSize)])
}
