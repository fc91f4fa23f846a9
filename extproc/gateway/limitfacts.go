package gateway

import (
	"context"
	"fmt"
	"slices"
)

// left adds to the facts what is left of the configured limits, where the policy
// looks at it.
func (x *Exchange) left(ctx context.Context, f *Facts, targets []*target) error {
	if len(x.gw.bounds) == 0 {
		return nil
	}
	if x.reads("limits") || x.reads("budgets") {
		if err := x.leftOfCaller(ctx, f); err != nil {
			return fmt.Errorf("gateway: limits: %w", err)
		}
	}
	if f.Candidates != nil && x.reads("candidates.left_permille") {
		if err := x.leftOfTargets(ctx, f.Candidates, targets); err != nil {
			return fmt.Errorf("gateway: limits: %w", err)
		}
	}
	return nil
}

func (x *Exchange) leftOfCaller(ctx context.Context, f *Facts) error {
	var claims []Claim
	for _, l := range x.gw.bounds {
		if !l.targeted() {
			claims = append(claims, Claim{Limit: l, Account: x.account(l, nil), Zone: x.gw.zone})
		}
	}
	left := make([]Left, len(claims))
	if err := x.gw.limits.Left(ctx, x.gw.now(), claims, left); err != nil {
		return err
	}
	f.Limits, f.Budgets = map[string]Left{}, map[string]Left{}
	for i := range claims {
		l := claims[i].Limit
		to := f.Limits
		if l.CostNano >= 0 {
			to = f.Budgets
		}
		to[l.Name] = left[i]
	}
	return nil
}

// leftOfTargets fills in the least that is left of each target's limits.
func (x *Exchange) leftOfTargets(ctx context.Context, cs []Candidate, targets []*target) error {
	var claims []Claim
	var of []int
	for _, l := range x.gw.bounds {
		for i, t := range targets {
			if l.targeted() {
				claims = append(claims, Claim{Limit: l, Account: x.account(l, t), Zone: x.gw.zone})
				of = append(of, i)
			}
		}
	}
	left := make([]Left, len(claims))
	if err := x.gw.limits.Left(ctx, x.gw.now(), claims, left); err != nil {
		return err
	}
	for i := range left {
		c := &cs[of[i]]
		c.LeftPermille = min(c.LeftPermille, left[i].Permille())
	}
	return nil
}

// tighten adds limits that the decision does not have yet, and the rules that say
// them. Its lists may belong to others.
func (d *Decision) tighten(more []Limit) {
	d.Limits, d.Rules = slices.Clip(d.Limits), slices.Clip(d.Rules)
	for _, l := range more {
		if slices.Contains(d.Limits, l) {
			continue
		}
		d.Limits = append(d.Limits, l)
		for _, rule := range [...]string{l.By.Requests, l.By.Tokens, l.By.CostNano, l.By.Concurrent} {
			if rule != "" && !slices.Contains(d.Rules, rule) {
				d.Rules = append(d.Rules, rule)
			}
		}
	}
}
