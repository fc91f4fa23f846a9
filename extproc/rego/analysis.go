package rego

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// An analysis says how the rules that an entry point reaches use the input.
type analysis struct {
	uses   map[string]use // by path
	there  map[string]use // objects and facts of which only counts that they are there, which they always are
	pairs  map[[2]string]pair
	impure string   // a builtin that gives another result each time; empty: none is used
	never  problems // comparisons with words that a field never is
}

// A use is a path that rules read: its exact value, or only on which side of
// some integers it lies.
type use struct {
	path   []string // the star stands for any member
	exact  bool
	bounds []int64
	place  *ast.Location // of the first rule
}

// A pair are two numbers of the input that rules compare with each other.
type pair struct{ a, b []string }

// lengthOf stands after the star for how many members there are.
const lengthOf = "#"

// analyse looks at all rules that a set depends on, and the heads that are not in
// it.
func analyse(c *ast.Compiler, set string, rules []rule) *analysis {
	a := &analysis{uses: map[string]use{}, there: map[string]use{}, pairs: map[[2]string]pair{}}
	for _, r := range reached(c, set) {
		w := walker{analysis: a, alias: map[ast.Var][]string{}, done: map[*ast.Expr]bool{}, place: r.Location}
		ast.WalkExprs(r, func(e *ast.Expr) bool { w.bind(e); return false })
		ast.WalkExprs(r, func(e *ast.Expr) bool { w.words(e); w.compare(e); return false })
		ast.NewGenericVisitor(w.read).Walk(r)
	}
	for i := range rules {
		for _, t := range rules[i].facts {
			w := walker{analysis: a, place: t.Location}
			w.exact(pathIn(t.Value.(ast.Ref)))
		}
	}
	return a
}

// reached returns the rules of a set and all that they depend on, in the order
// of their places.
func reached(c *ast.Compiler, set string) []*ast.Rule {
	seen := map[*ast.Rule]bool{}
	var visit func(r *ast.Rule)
	visit = func(r *ast.Rule) {
		if seen[r] {
			return
		}
		seen[r] = true
		for d := range c.Graph.Dependencies(r) {
			if r, ok := d.(*ast.Rule); ok {
				visit(r)
			}
		}
		if r.Else != nil {
			visit(r.Else)
		}
	}
	for _, r := range c.GetRules(ast.MustParseRef(set)) {
		visit(r)
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b *ast.Rule) int { return a.Location.Compare(b.Location) })
}

// A walker goes over one rule. Variables that are equal to a part of the input
// stand for it.
type walker struct {
	*analysis
	alias map[ast.Var][]string
	done  map[*ast.Expr]bool // are understood; the rest is exact use
	place *ast.Location
}

// bind finds variables that stand for a part of the input.
func (w *walker) bind(e *ast.Expr) {
	if every, ok := e.Terms.(*ast.Every); ok {
		if path, ok := w.pathOf(every.Domain); ok {
			if v, ok := every.Value.Value.(ast.Var); ok && w.alias[v] == nil {
				w.alias[v] = append(slices.Clone(path), anyMember)
			}
		}
		return
	}
	if e.Negated || len(e.With) > 0 || !e.IsEquality() && !e.IsAssignment() {
		return
	}
	for i := range 2 {
		v, ok := e.Operand(i).Value.(ast.Var)
		path, isPath := w.pathOf(e.Operand(1 - i))
		if ok && isPath && w.alias[v] == nil {
			w.alias[v] = path
			w.done[e] = true
			w.existence(path)
			w.members(path)
			w.indexes(e.Operand(1 - i))
			return
		}
	}
}

// pathOf returns the path of the input that a term is.
func (w *walker) pathOf(t *ast.Term) ([]string, bool) {
	switch v := t.Value.(type) {
	case ast.Var:
		path, ok := w.alias[v]
		return path, ok
	case ast.Ref:
		var path []string
		head, ok := v[0].Value.(ast.Var)
		if !ok {
			return nil, false
		}
		if !v[0].Equal(ast.InputRootDocument) {
			if path, ok = w.alias[head]; !ok {
				return nil, false
			}
			path = slices.Clone(path)
		}
		return append(path, pathIn(v)...), true
	}
	return nil, false
}

// pathIn is the path behind the head of a reference.
func pathIn(ref ast.Ref) (path []string) {
	for _, t := range ref[1:] {
		if s, ok := t.Value.(ast.String); ok {
			path = append(path, string(s))
		} else {
			path = append(path, anyMember)
		}
	}
	return path
}

// existence notes a path of which it matters whether it is there at all. What
// stands in the document itself always is.
func (w *walker) existence(path []string) {
	f, rest, ok := factAt(path)
	if !ok || len(rest) == 0 {
		w.there[strings.Join(path, "\x00")] = use{path: path, place: w.place}
		return
	}
	_, candidate := f.form.(candidatesOf)
	switch {
	case candidate && len(rest) == 1:
	case numericAt(f.form, rest):
		w.bound(path, 0)
	case ofCandidates(f.form, rest) != "": // each has it
	default:
		w.exact(path)
	}
}

// members notes that the members of an object or array decide how often a
// condition is looked at.
func (w *walker) members(path []string) {
	for i, name := range path {
		if name == anyMember {
			w.exact(append(slices.Clone(path[:i+1]), lengthOf))
		}
	}
}

// indexes reads the variables by which a reference looks things up.
func (w *walker) indexes(t *ast.Term) {
	ref, ok := t.Value.(ast.Ref)
	if !ok {
		return
	}
	for _, t := range ref[1:] {
		if !ast.IsScalar(t.Value) {
			ast.NewGenericVisitor(w.read).Walk(t)
		}
	}
}

func (w *walker) exact(path []string) {
	key := strings.Join(path, "\x00")
	u, ok := w.uses[key]
	if !ok {
		u = use{path: path, place: w.place}
	}
	u.exact = true
	w.uses[key] = u
}

func (w *walker) bound(path []string, n int64) {
	key := strings.Join(path, "\x00")
	u, ok := w.uses[key]
	if !ok {
		u = use{path: path, place: w.place}
	}
	u.bounds = append(u.bounds, n)
	w.uses[key] = u
}

var comparisons = []string{"gt", "gte", "lt", "lte", "equal", "neq", "eq"}

// compare finds comparisons of numbers: nothing else of these decides.
func (w *walker) compare(e *ast.Expr) {
	if w.done[e] || !e.IsCall() || len(e.With) > 0 {
		return
	}
	operator := e.Operator().String()
	if operator == ast.Count.Name {
		if path, ok := w.pathOf(e.Operand(0)); ok && len(e.Operands()) == 2 {
			w.done[e] = true
			w.members(append(slices.Clone(path), anyMember))
			w.indexes(e.Operand(0))
			ast.NewGenericVisitor(w.read).Walk(e.Operand(1))
		}
		return
	}
	if !slices.Contains(comparisons, operator) || len(e.Operands()) != 2 {
		return
	}
	if w.noneThere(e.Operand(0), e.Operand(1)) || w.noneThere(e.Operand(1), e.Operand(0)) {
		w.done[e] = true
		return
	}
	m, mIs := integer(e.Operand(0))
	n, nIs := integer(e.Operand(1))
	if nIs && w.boundEach(e.Operand(0), n) || mIs && w.boundEach(e.Operand(1), m) {
		w.done[e] = true
		return
	}
	a, isA := w.numberAt(e.Operand(0))
	b, isB := w.numberAt(e.Operand(1))
	switch {
	case isA && nIs:
		w.bound(a, n)
	case mIs && isB:
		w.bound(b, m)
	case isA && isB:
		w.pairs[[2]string{strings.Join(a, "\x00"), strings.Join(b, "\x00")}] = pair{a, b}
		w.bound(a, 0)
		w.bound(b, 0)
	default:
		return
	}
	w.done[e] = true
}

func (w *walker) numberAt(t *ast.Term) ([]string, bool) {
	path, ok := w.pathOf(t)
	if !ok {
		return nil, false
	}
	f, rest, ok := factAt(path)
	return path, ok && numericAt(f.form, rest)
}

// noneThere notes that the number of candidates is read, if one term is these and
// the other is [].
func (w *walker) noneThere(candidates, empty *ast.Term) bool {
	if a, ok := empty.Value.(*ast.Array); !ok || a.Len() > 0 {
		return false
	}
	path, ok := w.pathOf(candidates)
	if !ok {
		return false
	}
	f, rest, ok := factAt(path)
	if !ok || len(rest) > 0 {
		return false
	}
	if _, ok = f.form.(candidatesOf); ok {
		w.members(append(slices.Clone(path), anyMember))
	}
	return ok
}

// boundEach notes that a number of each candidate is compared, if a term is one.
func (w *walker) boundEach(t *ast.Term, n int64) bool {
	path, ok := w.pathOf(t)
	if !ok {
		return false
	}
	f, rest, ok := factAt(path)
	if !ok || ofCandidates(f.form, rest) == "" {
		return false
	}
	w.bound(path, n)
	w.indexes(t)
	return true
}

func integer(t *ast.Term) (int64, bool) {
	n, ok := t.Value.(ast.Number)
	if !ok {
		return 0, false
	}
	return n.Int64()
}

// read notes every other use of the input as one of its exact value. It is a
// visitor: true is "go no deeper".
func (w *walker) read(x any) bool {
	switch x := x.(type) {
	case *ast.Expr:
		if w.done[x] {
			return true
		}
		w.calls(x)
	case *ast.Every:
		if path, ok := w.pathOf(x.Domain); ok {
			w.members(append(slices.Clone(path), anyMember))
			w.indexes(x.Domain)
			ast.NewGenericVisitor(w.read).Walk(x.Body)
			return true
		}
	case *ast.Term:
		switch v := x.Value.(type) {
		case ast.Var:
			if path, ok := w.alias[v]; ok {
				w.exact(path)
			} else if x.Equal(ast.InputRootDocument) {
				w.exact(nil)
			}
		case ast.Call:
			w.builtin(v[0].String())
		case ast.Ref:
			if path, ok := w.pathOf(x); ok {
				w.exact(path)
				w.members(path)
				w.indexes(x)
				return true
			}
		}
	}
	return false
}

func (w *walker) calls(e *ast.Expr) {
	if e.IsCall() {
		w.builtin(e.Operator().String())
	}
}

// builtin notes one that makes decisions unfit to be used again.
func (w *walker) builtin(name string) {
	if b := ast.BuiltinMap[name]; b != nil && (b.Nondeterministic || isForbidden(name)) {
		w.impure = name
	}
}

// factAt finds the fact that a path is or lies in, and the rest of the path.
func factAt(path []string) (f *fact, rest []string, ok bool) {
	for i := range document {
		names := factPaths[i]
		if len(path) >= len(names) && slices.Equal(path[:len(names)], names) {
			return &document[i], path[len(names):], true
		}
	}
	return nil, nil, false
}

// factPaths are the paths of the document, taken apart.
var factPaths = func() [][]string {
	all := make([][]string, len(document))
	for i := range document {
		all[i] = split(document[i].path)
	}
	return all
}()
