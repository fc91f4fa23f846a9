package rego

import (
	"context"
	"errors"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
)

// result is the query's one variable, the set of effects.
const result = ast.Var("effects")

// A query asks for a set of effects. It talks to OPA's evaluator itself: what
// the package rego of OPA lays around it makes a third of a small evaluation.
type query struct {
	body     ast.Body
	from     ast.QueryCompiler
	rules    *ast.Compiler
	store    storage.Store
	txn      storage.Transaction // read only, shared by all evaluations
	patterns cache.InterQueryValueCache
}

// compile makes the query for a set.
func (q *query) compile(set string) (err error) {
	body := ast.NewBody(ast.Equality.Expr(ast.NewTerm(result), ast.NewTerm(ast.MustParseRef(set))))
	q.from = q.rules.QueryCompiler()
	q.body, err = q.from.Compile(body)
	return err
}

// An evaluation is what one run of a query needs besides the query.
type evaluation struct {
	in      ast.Term
	limit   patience
	answers answers
	effects ast.Set
}

// run evaluates the query, until the limit at most.
func (q *query) run(ctx context.Context, in ast.Value, limit time.Duration, how ...option) (ast.Set, error) {
	now := time.Now()
	e := &evaluation{in: ast.Term{Value: in}, limit: patience{ctx: ctx, until: now.Add(limit)}}
	t := topdown.NewQuery(q.body).
		WithQueryCompiler(q.from).
		WithCompiler(q.rules).
		WithStore(q.store).
		WithTransaction(q.txn).
		WithInput(&e.in).
		WithTime(now).
		WithCancel(&e.limit).
		WithStrictBuiltinErrors(true).
		WithMetrics(metrics.NoOp()).
		WithInterQueryBuiltinValueCache(q.patterns).
		WithVirtualCache(&e.answers)
	for _, o := range how {
		o(t)
	}
	err := t.Iter(ctx, e.take)
	if err == nil && e.effects == nil {
		err = errors.New("evaluation gave no set of effects")
	}
	return e.effects, err
}

func (e *evaluation) take(r topdown.QueryResult) error {
	if t := r[result]; t != nil {
		e.effects, _ = t.Value.(ast.Set)
	}
	return nil
}

// An option changes how a query is evaluated.
type option func(*topdown.Query)

func tracedBy(t topdown.QueryTracer) option {
	return func(q *topdown.Query) { q.WithQueryTracer(t) }
}

func withoutIndex(q *topdown.Query) { q.WithIndexing(false) }

// answers keeps what rules gave within an evaluation, as OPA does, but not the
// sets of effects: each is asked for once. Most policies need nothing else.
type answers struct{ kept topdown.VirtualCache }

func (a *answers) made() topdown.VirtualCache {
	if a.kept == nil {
		a.kept = topdown.NewVirtualCache()
	}
	return a.kept
}

// Push begins to keep answers apart from those before.
func (a *answers) Push() { a.made().Push() }

// Pop forgets the answers since the latest Push.
func (a *answers) Pop() { a.made().Pop() }

// Get returns the answer of a rule, and whether it is known to be undefined.
func (a *answers) Get(ref ast.Ref) (*ast.Term, bool) {
	if a.kept == nil {
		return nil, false
	}
	return a.kept.Get(ref)
}

// Put keeps the answer of a rule. A nil one is undefined.
func (a *answers) Put(ref ast.Ref, value *ast.Term) {
	if ref[len(ref)-1].Value != effectsKey {
		a.made().Put(ref, value)
	}
}

// Keys are the rules whose answers are kept.
func (a *answers) Keys() []ast.Ref { return a.made().Keys() }

// effectsKey ends the path of a set of effects, and of nothing else.
var effectsKey ast.Value = ast.String(effectsName)

// A patience ends an evaluation when its time is over, or its request. OPA asks
// it before each expression; the clock is looked at once in a few times. A timer
// and a hook on the context would cost more than the looks of a usual decision.
type patience struct {
	ctx   context.Context
	until time.Time
	asked uint
	over  bool
}

// looks is how often OPA asks between two looks at the clock.
const looks = 16

// Cancel ends the evaluation.
func (p *patience) Cancel() { p.over = true }

// Cancelled reports whether the evaluation has to end.
func (p *patience) Cancelled() bool {
	p.asked++
	if p.asked%looks == 0 && !p.over {
		p.over = time.Until(p.until) <= 0 || p.ctx.Err() != nil
	}
	return p.over
}
