package rego

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// TestTexts: strings that share a place do not get each other's terms, whoever
// asks at the same time, and a long one has none.
func TestTexts(t *testing.T) {
	var table textTable
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 20 * textSlots {
				want := fmt.Sprint("text", i%(3*textSlots))
				if have := table.term(want); have.Value != ast.Value(ast.String(want)) {
					t.Errorf("have %v, want %q", have, want)
					return
				}
			}
		})
	}
	all.Wait()
	for n, kept := range map[int]bool{longest: true, longest + 1: false} {
		s := strings.Repeat("x", n)
		if first, second := table.term(s), table.term(s); (first == second) != kept {
			t.Errorf("a string of %d bytes gets the same term twice: %t", n, first == second)
		}
	}
}

// TestLatest: what stays the same is kept, and what does not is kept now and
// then only.
func TestLatest(t *testing.T) {
	var l latest[int]
	kept := 0
	for i := range 80 {
		if l.due() {
			l.Store(&i)
			kept++
		}
		if i == 0 && l.Load() == nil {
			t.Error("the first is not kept")
		}
	}
	if kept != 10 {
		t.Errorf("%d of 80 misses are kept", kept)
	}
}
