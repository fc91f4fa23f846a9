package rego

import (
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/attache-gateway/attache/policies"
)

// publishedInput is the schema of the whole input.
var publishedInput = sync.OnceValue(func() map[string]any {
	return util.MustUnmarshalJSON(policies.InputSchema).(map[string]any)
})

// wordsAt returns the words that a field of the input can be, as the schema has
// them; nil: it can be anything.
func wordsAt(path []string) (words []string) {
	at := publishedInput()
	for _, name := range path {
		members, _ := at["properties"].(map[string]any)
		next, ok := members[name].(map[string]any)
		if !ok {
			next, ok = at["additionalProperties"].(map[string]any)
		}
		if !ok {
			next, ok = at["items"].(map[string]any)
		}
		if !ok {
			return nil
		}
		at = next
	}
	all, _ := at["enum"].([]any)
	for _, w := range all {
		if s, _ := w.(string); s != "" {
			words = append(words, s)
		}
	}
	return words
}

// words finds comparisons of a field with a word that it never is.
func (w *walker) words(e *ast.Expr) {
	if !e.IsCall() || len(e.Operands()) < 2 {
		return
	}
	a, b := e.Operand(0), e.Operand(1)
	switch e.Operator().String() {
	case ast.Equal.Name, ast.Equality.Name, ast.NotEqual.Name:
		w.word(e, a, b)
		w.word(e, b, a)
	case ast.Member.Name:
		if all, ok := b.Value.(interface{ Foreach(func(*ast.Term)) }); ok {
			all.Foreach(func(t *ast.Term) { w.word(e, a, t) })
		}
	}
}

// word looks at one of them.
func (w *walker) word(e *ast.Expr, field, word *ast.Term) {
	s, ok := word.Value.(ast.String)
	path, ok2 := w.pathOf(field)
	if !ok || !ok2 || s == "" {
		return
	}
	if words := wordsAt(path); words != nil && !slices.Contains(words, string(s)) {
		w.never.at(e.Location, "%s is never %s; it is one of %s", strings.ReplaceAll(strings.Join(path, "."), ".*", "[_]"), s, strings.Join(words, ", "))
	}
}
