package gateway

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Forward says how Envoy shall send a request on.
type Forward struct {
	Clusters []string      // one for each attempt, in order
	PerTry   time.Duration // limit of each attempt; 0: none
	First    *Upstream     // the request for the first attempt; nil: that one asks too
}

// Decide settles everything that can say no. It returns the answer if the
// gateway itself answers, or else how to send the request on. Nothing after it
// may refuse the request.
func (x *Exchange) Decide(ctx context.Context, body []byte) (*llm.Answer, *Forward) {
	if x.front.op == llm.OpModels {
		return x.listModels(ctx), nil
	}
	if x.gw.tooLarge(int64(len(body))) {
		return x.refuse(errTooLarge()), nil
	}
	r, err := x.decode(body)
	if err != nil {
		return x.fail(llm.CodeInternal, err), nil
	}
	x.front.complete(r)
	x.record.Model, x.record.Stream = clip(r.Model), r.Stream
	for _, name := range dialectHeaders {
		if v := x.head.Get(name); v != "" {
			r.Header = append(r.Header, llm.Header{Name: name, Value: v})
		}
	}
	x.named(r.User)
	targets, settings, refusal := x.candidates(ctx, r)
	if x.why != nil && x.why.only && x.why.asked {
		return x.explained(ctx, r, targets, settings), nil
	}
	if refusal != nil {
		return refusal, nil
	}
	if targets, refusal = x.reserve(ctx, r, targets); refusal != nil {
		return refusal, nil
	}
	if refusal := x.guard(ctx, r, targets[0]); refusal != nil {
		return refusal, nil
	}
	if answer := x.recall(ctx, r, targets[0]); answer != nil {
		return answer, nil
	}
	if err := x.boundOutput(ctx, r); err != nil {
		return x.fail(llm.CodeInternal, err), nil
	}
	if x.front.op == llm.OpCountTokens && targets[0].Dialect != x.front.dialect {
		return x.countTokens(r), nil
	}
	return x.send(r, targets, settings)
}

// candidates finds the targets that the client asked for and that the key and
// the policy allow, and applies what the policy changes.
func (x *Exchange) candidates(ctx context.Context, r *llm.Request) ([]*target, Settings, *llm.Answer) {
	targets, settings, err := x.targets(r)
	if err == nil {
		err = x.mayUse(r.Model, targets)
	}
	if err != nil {
		return nil, settings, x.refuse(err)
	}
	settings = x.asked(settings)
	f, refusal := x.consult(ctx, r, targets)
	if refusal != nil {
		return nil, settings, refusal
	}
	d, shown := &x.decision, targets
	targets, lost := x.gw.follow(d, targets)
	if lost != nil {
		return nil, settings, x.unfit(lost)
	}
	if !within(targets, shown) {
		if refusal := x.consultAgain(ctx, f, targets); refusal != nil {
			return nil, settings, refusal
		}
	}
	settings = d.limit(settings)
	all := targets
	if targets = x.filter(all, d); len(targets) == 0 {
		x.record.Detail = d.barred(all)
		return nil, settings, x.refuse(&llm.Error{Status: 503, Code: llm.CodeNoTarget, Message: "the policy leaves no target for this request"})
	}
	if err := apply(d.Modify, r, x.wire); err != nil {
		return nil, settings, x.unfit(err)
	}
	if targets, err = x.route(r, targets, d); err != nil {
		return nil, settings, x.refuse(err)
	}
	return x.gw.speaking(r, x.front.dialect, targets), settings, nil
}

// mayUse checks the models that a key is restricted to, by the name that was
// asked for and by each target's.
func (x *Exchange) mayUse(asked string, targets []*target) *llm.Error {
	if x.caller.Models == nil || x.caller.allows(asked) {
		return nil
	}
	for _, t := range targets {
		if !x.caller.allows(t.model) && !x.caller.allows(t.String()) {
			return &llm.Error{Status: 403, Code: llm.CodePolicyDenied, Param: "model", Message: "this key may not use this model"}
		}
	}
	return nil
}

func (c *Caller) allows(model string) bool {
	for _, pattern := range c.Models {
		if ok, err := path.Match(pattern, model); ok && err == nil {
			return true
		}
	}
	return false
}

// asked applies the client's own wishes for deadlines.
func (x *Exchange) asked(s Settings) Settings {
	if d, ok := headerTime(x.head.Get("x-attache-timeout")); ok {
		s.Timeout = d
	}
	if d, ok := headerTime(x.head.Get("x-attache-first-token")); ok {
		s.FirstToken = d
	}
	return s
}

// limit applies the policy's deadlines.
func (d *Decision) limit(s Settings) Settings {
	if d.TimeoutMS > 0 {
		s.Timeout = time.Duration(d.TimeoutMS) * time.Millisecond
	}
	if d.FirstTokenMS > 0 {
		s.FirstToken = time.Duration(d.FirstTokenMS) * time.Millisecond
	}
	return s
}

// within reports whether all targets are among others.
func within(targets, others []*target) bool {
	return !slices.ContainsFunc(targets, func(t *target) bool {
		return !slices.ContainsFunc(others, func(o *target) bool { return o.place() == t.place() })
	})
}

// filter returns the targets for which all that the policy requires holds.
func (x *Exchange) filter(targets []*target, d *Decision) (kept []*target) {
	for _, t := range targets {
		if c, required := d.bars(t); c == nil {
			kept = append(kept, t)
		} else if x.why != nil {
			x.why.leave(t, fmt.Sprintf("the policy %s %s %s", verbOf(required), c.Name, strings.Join(c.Values, " or ")))
		}
	}
	return kept
}

// bars returns the condition for which a target may not be used, nil if it may,
// and whether the policy requires it or excludes it.
func (d *Decision) bars(t *target) (c *Condition, required bool) {
	for i := range d.Require {
		if !t.has(d.Require[i]) {
			return &d.Require[i], true
		}
	}
	for i := range d.Exclude {
		if t.has(d.Exclude[i]) {
			return &d.Exclude[i], false
		}
	}
	return nil, false
}

func verbOf(required bool) string {
	if required {
		return "requires"
	}
	return "excludes"
}

// barred says for operators why the policy leaves none of some targets. Of rules it
// has the names of tags, of targets what they have: what rules want of a tag may be
// of the request.
func (d *Decision) barred(targets []*target) string {
	all := make([]string, len(targets))
	for i, t := range targets {
		c, required := d.bars(t)
		has, tagged := t.tag(c.Name)
		what := c.Name
		switch {
		case !required:
			what += " " + has
		case tagged:
			what = "another " + what + " than " + has
		}
		all[i] = fmt.Sprintf("target %s left out: the policy %s %s", t, verbOf(required), what)
	}
	return strings.Join(all, "; ")
}

// follow returns the targets of the policy's chain and split, instead of those that
// were asked for or beside them.
func (g *Gateway) follow(d *Decision, targets []*target) ([]*target, error) {
	if len(d.Chain) > 0 {
		targets = nil
		for i, name := range d.Chain {
			found, _, err := g.resolve(name)
			if err != nil {
				return nil, astray(d.Speaks.Chain, "chain: name %d stands for no target", i+1)
			}
			targets = append(targets, found...)
		}
		if len(targets) > maxTargets {
			return nil, astray(d.Speaks.Chain, "chain: more than %d targets", maxTargets)
		}
	}
	if d.Split == nil {
		return targets, nil
	}
	for i, share := range d.Split.Shares {
		if slices.ContainsFunc(targets, func(t *target) bool { return t.is(share.Target) }) {
			continue
		}
		found, _, err := g.resolve(share.Target)
		if err != nil {
			return nil, astray(d.Speaks.Split, "split: name %d of shares stands for no target", i+1)
		}
		targets = append(targets, found...)
	}
	if len(targets) > maxTargets {
		return nil, astray(d.Speaks.Split, "split: makes more than %d targets", maxTargets)
	}
	return targets, nil
}
