package rego

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

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
