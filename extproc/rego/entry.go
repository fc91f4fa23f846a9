package rego

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// An entry is a package that the gateway asks, ready to run.
type entry struct {
	name      string // attache.request
	on        int
	rules     []rule // effects name a rule by its index
	query     query
	guards    guardNames
	deadline  time.Duration
	paths     []string               // of the input that rules read
	input     *node                  // what of the document that is, in whole facts
	needed    *node                  // in members of facts
	diagnosed atomic.Int64           // when a slow rule was last looked for, Unix nanoseconds
	slow      atomic.Pointer[string] // the title of the one that was found last; nil: none was
}

// packages are the entry points' packages.
var packages = map[int]string{onRequest: "attache.request", onResponse: "attache.response", onAdmin: "attache.admin"}

// evaluate returns the set of effects. A panic in a builtin is an error.
func (e *entry) evaluate(ctx context.Context, in ast.Value, limit time.Duration, how ...option) (effects ast.Set, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			effects, err = nil, fmt.Errorf("panic in evaluation: %v", r)
		}
	}()

	growStack(false)

	effects, err = e.query.run(ctx, in, limit, how...)
	switch {
	case topdown.IsCancel(err) && ctx.Err() != nil:
		return nil, ctx.Err()
	case topdown.IsCancel(err):
		return nil, fmt.Errorf("no decision after %v: %w", limit, context.DeadlineExceeded)
	case err != nil:
		return nil, e.failed(err)
	}
	return effects, nil
}

// stackSize is what an evaluation takes of the stack, in bytes, and a little more.
const stackSize = 40 << 10

// growStack makes room on the goroutine's stack in one step. Otherwise it grows
// in several, deep inside the recursion, and each time all its frames are moved:
// up to a third of the CPU time of a request. A function looks for the room of all
// its variables when it begins, needed or not; that it is not needed saves filling
// it with zeros, a microsecond.
//
//go:noinline
func growStack(needed bool) {
	if needed {
		var room [stackSize]byte
		runtime.KeepAlive(&room)
	}
}

// ask evaluates the rules about the facts and joins their effects.
func (e *entry) ask(ctx context.Context, f *gateway.Facts) (*fold, ast.Value, error) {
	in := e.needed.term(f).Value
	effects, err := e.evaluate(ctx, in, e.deadline)
	if errors.Is(err, context.DeadlineExceeded) {
		err = e.diagnose(ctx, in, err)
	}
	if err != nil {
		return nil, in, err
	}
	sum, err := e.fold(effects, in)
	return sum, in, err
}

// fold joins the effects of rules that hold for an input.
func (e *entry) fold(effects ast.Set, in ast.Value) (*fold, error) {
	f := &fold{rules: slices.Grow([]string(nil), effects.Len())}
	var room [4]ast.Value
	for _, t := range effects.Slice() {
		r, values, err := e.effect(room[:0], t, in)
		if err != nil {
			return nil, err
		}
		head, err := r.decode(values, e.guards)
		if err != nil {
			return nil, malformed(r, err)
		}
		f.add(r, head)
	}
	return f, nil
}

// effect finds the rule of an element of the set, and appends what was not known
// of its head when the policy was loaded.
func (e *entry) effect(values []ast.Value, t *ast.Term, in ast.Value) (*rule, []ast.Value, error) {
	index := t.Value
	a, open := index.(*ast.Array)
	if open && a.Len() == 2 {
		index, values = a.Elem(0).Value, append(values, a.Elem(1).Value)
	}
	n, ok := index.(ast.Number)
	if !ok {
		return nil, nil, fmt.Errorf("unknown effect %v", t)
	}
	i, ok := n.Int()
	if !ok || i < 0 || i >= len(e.rules) || open != e.rules[i].open() {
		return nil, nil, fmt.Errorf("unknown effect %v", t)
	}
	r := &e.rules[i]
	for _, t := range r.facts {
		v, err := in.Find(t.Value.(ast.Ref)[1:])
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %v: %w", r.title, t, err)
		}
		values = append(values, v)
	}
	return r, values, nil
}

// The time that a search for a slow rule takes at most, and between two.
const (
	diagnoseTime  = 100 * time.Millisecond
	diagnoseEvery = int64(time.Minute)
)

// diagnose adds to the error the rule that took too long. To find it takes another
// evaluation, which costs as much as what it looks for, so that is done once a
// minute at most. In between it is the one that was found last, and the error says so.
func (e *entry) diagnose(ctx context.Context, in ast.Value, cause error) error {
	how := ", the slow rule that was found last"
	now, last := time.Now().UnixNano(), e.diagnosed.Load()
	if now-last >= diagnoseEvery && e.diagnosed.CompareAndSwap(last, now) {
		if found := e.slowest(ctx, in); found != "" {
			e.slow.Store(&found)
			how = ""
		}
	}
	title := e.slow.Load()
	if title == nil {
		return cause
	}
	return &gateway.PolicyError{Fault: gateway.FaultDeadline, Rule: *title, Err: fmt.Errorf("%s%s: %w", *title, how, cause)}
}

// slowest is the title of the rule at which an evaluation is cut off; empty: it is
// in time.
func (e *entry) slowest(ctx context.Context, in ast.Value) string {
	var t ruleTracer
	if _, err := e.evaluate(context.WithoutCancel(ctx), in, min(e.deadline, diagnoseTime), tracedBy(&t)); err == nil || t.last == nil {
		return ""
	}
	return e.title(t.last.Location)
}

// A ruleTracer remembers the rule that was entered last.
type ruleTracer struct{ last *ast.Rule }

func (*ruleTracer) Enabled() bool { return true }

func (*ruleTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (t *ruleTracer) TraceEvent(e topdown.Event) {
	if r, ok := e.Node.(*ast.Rule); ok && e.Op == topdown.EnterOp {
		t.last = r
	}
}
