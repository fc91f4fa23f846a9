// Package rego decides requests by Rego rules, on OPA.
//
// [Load] reads a directory of rules, checks all that can be checked before the
// first request, runs the policy's own tests and prepares one query. The
// resulting [Policy] never changes; new rules make a new one, and a Load that
// fails leaves the old one as it was.
//
// The package knows the rule language, the document that rules see (input) and
// the effects that they state (deny, route, modify, label, allow), and folds
// the effects of all rules into one [gateway.Decision]. It does not know how
// facts are gathered, which targets exist or what is done with a decision.
// policies/README.md is the same contract for authors of rules.
package rego

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	opa "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

var _ gateway.Policy = (*Policy)(nil)

// What holds for a request about which no rule says anything.
const (
	Allow = "allow"
	Deny  = "deny"
)

// Options say what to load.
type Options struct {
	// FS holds the rules (*.rego), their tests (*_test.rego) and data
	// (data/*.json, *.yaml, *.yml). Hidden files and folders are left out.
	FS fs.FS

	// Default is Allow or Deny. With Deny a request needs an allow rule.
	Default string

	// Deadline bounds one decision. It must be positive.
	Deadline time.Duration
}

// A Policy is a set of rules in force. It is safe for concurrent use.
type Policy struct {
	query    opa.PreparedEvalQuery
	options  []opa.EvalOption // the same for every evaluation
	rules    []rule           // effects name a rule by its index
	reads    []string         // paths of the input
	sections []section        // what of the input is read
	closed   bool             // Default is Deny
	deadline time.Duration
	revision string
}

// Revision is a short hash of the rules and data in force.
func (p *Policy) Revision() string { return p.revision }

// Decide evaluates the rules. It returns an error where a rule fails, the
// deadline or ctx ends, or effects are malformed or contradict each other.
func (p *Policy) Decide(ctx context.Context, f *gateway.Facts) (gateway.Decision, error) {
	effects, err := p.evaluate(ctx, input(p.sections, f))
	if err != nil {
		return gateway.Decision{}, fmt.Errorf("rego: %w", err)
	}
	d, err := p.fold(effects)
	if err != nil {
		return gateway.Decision{}, fmt.Errorf("rego: %w", err)
	}
	return d, nil
}

// evaluate returns the set of effects. A panic in a builtin is an error.
func (p *Policy) evaluate(ctx context.Context, in ast.Value) (effects ast.Set, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			effects, err = nil, fmt.Errorf("panic in evaluation: %v", r)
		}
	}()

	// Two hooks on one flag cost less than a context with a deadline, and
	// without a flag of our own OPA starts a goroutine for each evaluation.
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(p.deadline, cancel.Cancel)
	defer timer.Stop()
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, cancel.Cancel)
		defer stop()
	}

	options := make([]opa.EvalOption, 0, 8)
	options = append(options, p.options...)
	options = append(options, opa.EvalParsedInput(in), opa.EvalExternalCancel(cancel))
	rs, err := p.query.Eval(ctx, options...)
	switch {
	case topdown.IsCancel(err) && ctx.Err() != nil:
		return nil, ctx.Err()
	case topdown.IsCancel(err):
		return nil, fmt.Errorf("no decision after %v: %w", p.deadline, context.DeadlineExceeded)
	case err != nil:
		return nil, err
	}
	return effectSet(rs)
}

func effectSet(rs opa.ResultSet) (ast.Set, error) {
	if len(rs) == 1 && len(rs[0].Expressions) == 1 {
		if t, ok := rs[0].Expressions[0].Value.(*ast.Term); ok {
			if set, ok := t.Value.(ast.Set); ok {
				return set, nil
			}
		}
	}
	return nil, errors.New("evaluation gave no set of effects")
}

// fold joins the effects to one decision.
func (p *Policy) fold(effects ast.Set) (gateway.Decision, error) {
	var f fold
	for _, e := range effects.Slice() {
		r, head, err := p.effect(e)
		if err == nil {
			err = f.add(r, head)
		}
		if err != nil {
			return gateway.Decision{}, err
		}
	}
	d, err := f.decision()
	if err == nil && p.closed && !f.allowed && d.Deny == nil {
		d.Deny = &gateway.Denial{
			Code:    llm.CodePolicyDenied,
			Status:  403,
			Message: "no rule of the policy allows this request",
		}
	}
	return d, err
}

// effect finds the rule of an element of the set, and its head: decoded when
// the policy was loaded if it is constant, decoded now if not.
func (p *Policy) effect(e *ast.Term) (*rule, effect, error) {
	index, value := e.Value, ast.Value(nil)
	if a, ok := index.(*ast.Array); ok && a.Len() == 2 {
		index, value = a.Elem(0).Value, a.Elem(1).Value
	}
	n, ok := index.(ast.Number)
	if !ok {
		return nil, nil, fmt.Errorf("unknown effect %v", e)
	}
	i, ok := n.Int()
	if !ok || i < 0 || i >= len(p.rules) || (p.rules[i].head == nil) == (value == nil) {
		return nil, nil, fmt.Errorf("unknown effect %v", e)
	}
	r := &p.rules[i]
	if value == nil {
		return r, r.head, nil
	}
	head, err := r.verb.decode(value, false)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %s: %w", r.place, r.verb.name, err)
	}
	return r, head, nil
}

// term hands the result over as it is, instead of converted to JSON values.
func term(t *ast.Term, _ *opa.EvalContext) (any, error) { return t, nil }

func lean() []opa.EvalOption {
	return []opa.EvalOption{opa.EvalMetrics(metrics.NoOp()), opa.EvalGenerateJSON(term)}
}
