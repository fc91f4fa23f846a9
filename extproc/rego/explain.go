package rego

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/attache-gateway/attache/extproc/gateway"
)

var _ gateway.Explainer = (*Policy)(nil)

// maxNear bounds how many of the rules that do not hold are told.
const maxNear = 32

// explainTime bounds an evaluation that is followed: it looks at every rule.
const explainTime = time.Second

// Explain evaluates the rules about a request and follows them. What it found
// out before an error is in the Reasons.
func (p *Policy) Explain(ctx context.Context, f *gateway.Facts) (gateway.Reasons, error) {
	v, err := p.explain(ctx, p.sight(f))
	if p.cache != nil {
		v.Cached = p.cache.holds(p.cache.keyer.key(nil, f))
	}
	return v.Reasons, err
}

// sight is what the rules about requests see of the facts.
func (p *Policy) sight(f *gateway.Facts) ast.Value {
	if p.request == nil {
		return emptyObject.Value
	}
	return p.request.input.term(f).Value
}

// explain is inspect with the rules that do not hold. All rules are evaluated,
// instead of those that the index finds.
func (p *Policy) explain(ctx context.Context, in ast.Value) (Evaluation, error) {
	e := p.request
	if e == nil {
		return p.inspect(ctx, in, explainTime)
	}
	t := newTrail(e)
	v, err := p.inspect(ctx, in, explainTime, tracedBy(t), withoutIndex)
	v.Near, v.Others = t.near(in)
	return v, err
}

// holds reports whether there is a decision for a key, without counting.
func (c *decisions) holds(key []byte) bool {
	if c.wrong.Load() || c.rest.Load() > 0 {
		return false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.young[string(key)] != nil || c.old[string(key)] != nil
}

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

// An Evaluation is a decision about a request with all that led to it.
type Evaluation struct {
	Decision gateway.Decision
	gateway.Reasons
	Reads []string // the paths of the input that the rules read
	Key   []byte   // requests with this key get the same decision; nil: they are not cached
}

// Evaluate evaluates the rules about a request without the cache, and tells what
// it saw. What it could find out before an error is in the Evaluation.
func (p *Policy) Evaluate(ctx context.Context, f *gateway.Facts) (Evaluation, error) {
	v, err := p.inspect(ctx, p.sight(f), 0)
	if p.cache != nil {
		v.Key = p.cache.keyer.key(nil, f)
	}
	return v, err
}

// inspect evaluates an input and tells what it saw. A limit of 0 is the policy's.
func (p *Policy) inspect(ctx context.Context, in ast.Value, limit time.Duration, how ...option) (v Evaluation, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("rego: %w", err)
		}
	}()
	v.Rules = []gateway.Effect{}
	sum := &fold{}
	if e := p.request; e != nil {
		v.Reads = e.paths
		if v.Input, err = jsonOf(in); err != nil {
			return v, err
		}
		effects, err := e.evaluate(ctx, in, cmp.Or(limit, e.deadline), how...)
		if err != nil {
			return v, err
		}
		if v.Rules, err = e.describe(effects, in); err != nil {
			return v, err
		}
		if sum, err = e.fold(effects, in); err != nil {
			return v, err
		}
	}
	v.Decision, err = sum.decision(p.closed)
	return v, err
}

// describe is what the rules of effects say, in the order of their places.
func (e *entry) describe(effects ast.Set, in ast.Value) ([]gateway.Effect, error) {
	all := make([]gateway.Effect, 0, effects.Len())
	for _, t := range effects.Slice() {
		r, values, err := e.effect(nil, t, in)
		if err != nil {
			return all, err
		}
		head, err := jsonOf(r.said(values))
		if err != nil {
			return all, err
		}
		all = append(all, gateway.Effect{Rule: r.id, Place: r.place, Verb: r.verb.name, Head: head})
	}
	slices.SortFunc(all, func(a, b gateway.Effect) int { return comparePlaces(a.Place, b.Place) })
	return all, nil
}

// comparePlaces orders by file, then line.
func comparePlaces(a, b string) int {
	i, j := strings.LastIndexByte(a, ':')+1, strings.LastIndexByte(b, ':')+1
	return cmp.Or(strings.Compare(a[:i], b[:j]), cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}
