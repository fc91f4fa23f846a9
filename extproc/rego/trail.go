package rego

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A trail follows an evaluation of an entry point's rules and keeps how far each
// of them got, and the helpers that they call.
type trail struct {
	places  map[string]*progress            // of all rules, by place
	helpers map[string]map[string]*progress // the latest of each, by their path, then by place
	open    map[uint64]*progress            // of those that were begun, by OPA's number of the query
}

// A progress is how far a rule got.
type progress struct {
	rule   *rule // nil: a helper
	place  string
	caller uint64 // the query that called a helper
	call   bool   // the helper is a function
	body   ast.Body
	held   bool
	failed *ast.Expr // the furthest condition that did not hold; nil: the rule was not begun
	inside *progress // of the helper for which it did not; nil: none
}

// Bounds of what is told of helpers, and of how many calls are followed.
const (
	maxInside   = 4
	maxFollowed = 10_000
)

func newTrail(e *entry) *trail {
	t := &trail{places: make(map[string]*progress, len(e.rules)), helpers: map[string]map[string]*progress{}, open: map[uint64]*progress{}}
	for i := range e.rules {
		t.places[e.rules[i].place] = &progress{rule: &e.rules[i], place: e.rules[i].place}
	}
	return t
}

// Enabled is always true.
func (*trail) Enabled() bool { return true }

// Config asks for nothing in particular.
func (*trail) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent takes one step of the evaluation.
func (t *trail) TraceEvent(e topdown.Event) {
	switch node := e.Node.(type) {
	case *ast.Rule:
		t.rule(e, node)
	case *ast.Expr:
		p := t.open[e.QueryID]
		if p != nil && e.Op == topdown.FailOp && (p.failed == nil || node.Index >= p.failed.Index) {
			p.failed, p.inside = node, t.within(node, e.QueryID)
		}
	}
}

// rule notes that a rule begins or holds. Rules of a verb to which others refer by
// its name are helpers.
func (t *trail) rule(e topdown.Event, r *ast.Rule) {
	p := t.open[e.QueryID]
	switch {
	case e.Op == topdown.ExitOp && p != nil:
		p.held = true
	case e.Op != topdown.EnterOp:
	case r.Head.Ref()[0].Equal(ast.VarTerm(effectsName)):
		if p = t.places[place(r.Location)]; p != nil {
			p.body = r.Body
			t.open[e.QueryID] = p
		}
	case len(t.open) < maxFollowed && r.Location != nil:
		path, at := r.Ref().ConstantPrefix().String(), place(r.Location)
		if t.helpers[path] == nil {
			t.helpers[path] = map[string]*progress{}
		}
		p = &progress{place: at, caller: e.ParentID, call: len(r.Head.Args) > 0, body: r.Body}
		t.helpers[path][at], t.open[e.QueryID] = p, p
	}
}

// within returns the helper for which a condition of a query does not hold: of
// those that it refers to and that do not hold, the one that came nearest. What a
// function said to another caller is another matter.
func (t *trail) within(e *ast.Expr, query uint64) (nearest *progress) {
	if e.Negated {
		return nil
	}
	ast.WalkRefs(e, func(ref ast.Ref) bool {
		for _, p := range t.called(ref.ConstantPrefix()) {
			if p.held || !p.told() || p.call && p.caller != query {
				continue
			}
			if nearest == nil || cmp.Or(cmp.Compare(nearest.count(), p.count()), comparePlaces(p.place, nearest.place)) < 0 {
				nearest = p
			}
		}
		return false
	})
	return nearest
}

// called are the helpers that a reference is to, or to a part of what they give.
func (t *trail) called(ref ast.Ref) map[string]*progress {
	for n := len(ref); n > 1; n-- {
		if all := t.helpers[ref[:n].String()]; all != nil {
			return all
		}
	}
	return nil
}

// told reports whether there is a condition to tell.
func (p *progress) told() bool { return p.failed != nil && p.failed.Location != nil }

// near are the rules that do not hold, those with the most conditions that do
// first, and how many more there are.
func (t *trail) near(in ast.Value) (told []gateway.Near, others int) {
	var all []*progress
	for _, p := range t.places {
		if !p.held && p.told() {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *progress) int {
		return cmp.Or(cmp.Compare(b.count(), a.count()), comparePlaces(a.place, b.place))
	})
	for _, p := range all[:min(len(all), maxNear)] {
		n := gateway.Near{Rule: p.rule.id, Place: p.place, Verb: p.rule.verb.name, Held: p.count(), Cause: p.cause(in)}
		for inner := p.inside; inner != nil && len(n.Inside) < maxInside; inner = inner.inside {
			n.Inside = append(n.Inside, inner.cause(in))
		}
		told = append(told, n)
	}
	return told, len(all) - len(told)
}

func (p *progress) cause(in ast.Value) gateway.Cause {
	return gateway.Cause{False: excerpt(p.failed), FalseAt: place(p.failed.Location), Values: valuesOf(p.failed, in)}
}

// maxValue bounds a value that is told with a condition, in bytes.
const maxValue = 200

// valuesOf are the fields of the input that a condition names, as it was written,
// as far as they are there and no objects or arrays.
func valuesOf(e *ast.Expr, in ast.Value) map[string]json.RawMessage {
	body, err := ast.ParseBodyWithOpts(string(e.Location.Text), ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil // a condition that the compiler made of a part of another
	}
	values := map[string]json.RawMessage{}
	ast.WalkRefs(body, func(ref ast.Ref) bool {
		if len(ref) < 2 || !ref.HasPrefix(ast.InputRootRef) || !ref.IsGround() {
			return false
		}
		v, err := in.Find(ref[1:])
		if err != nil || !ast.IsScalar(v) {
			return false
		}
		if text, err := jsonOf(v); err == nil && len(text) <= maxValue {
			values[strings.TrimPrefix(ref.String(), "input.")] = text
		}
		return false
	})
	return values
}

// count returns how many conditions hold before the one that does not, as they
// were written: the compiler makes several of one, which lie within it.
func (p *progress) count() (n int) {
	counted := []span{spanOf(p.failed)}
	before := slices.Clone(p.body[:p.failed.Index])
	slices.SortFunc(before, func(a, b *ast.Expr) int { return cmp.Compare(spanOf(b).length(), spanOf(a).length()) })
	for _, e := range before {
		s := spanOf(e)
		if s.length() > 0 && !trivial(ast.Body{e}) && !slices.ContainsFunc(counted, s.overlaps) {
			counted = append(counted, s)
			n++
		}
	}
	return n
}

// A span is where an expression stands in its file, in bytes.
type span struct{ from, to int }

func spanOf(e *ast.Expr) span {
	if e.Location == nil {
		return span{}
	}
	return span{e.Location.Offset, e.Location.Offset + len(e.Location.Text)}
}

func (s span) length() int { return s.to - s.from }

func (s span) overlaps(o span) bool { return s.from < o.to && o.from < s.to }

// maxExcerpt bounds the text of a condition, in bytes.
const maxExcerpt = 200

// excerpt is a condition as it was written, in one line.
func excerpt(e *ast.Expr) string {
	text := strings.Join(strings.Fields(string(e.Location.Text)), " ")
	if len(text) > maxExcerpt {
		text = strings.ToValidUTF8(text[:maxExcerpt], "") + "…"
	}
	return text
}
