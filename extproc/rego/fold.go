package rego

import (
	"cmp"
	"slices"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// An effect is the head of a rule that holds. It adds itself to a fold. The order
// of effects must not matter.
type effect interface {
	add(f *fold, r *rule)
}

// A fold joins effects to one decision.
type fold struct {
	rules      []string
	denial     *denial
	allowed    bool
	require    table[[]string] // values of a tag, sorted
	exclude    table[[]string]
	chain      claim[[]string]
	timeout    int64
	firstToken int64
	prefer     table[int64] // weights
	split      claim[*gateway.Split]
	pick       claim[string]
	changes    table[changes] // by path
	headers    map[headerName]claim[headerEffect]
	guards     []string

	outputGuards []string

	limits map[gateway.LimitKind]gateway.Limit
	cache  *gateway.CacheUse
	log    gateway.LogUse
	labels table[claim[string]]
}

func (f *fold) add(r *rule, e effect) {
	f.rules = append(f.rules, r.id)
	e.add(f, r)
}

// decision is the sum of all effects. Where the default is to deny, closed, it
// takes a permission.
func (f *fold) decision(closed bool) (gateway.Decision, error) {
	d := gateway.Decision{
		Deny:         f.refusal(closed),
		Require:      conditions(f.require),
		Exclude:      conditions(f.exclude),
		TimeoutMS:    f.timeout,
		FirstTokenMS: f.firstToken,
		Prefer:       preferences(f.prefer),
		Guards:       unique(f.guards, cmp.Compare[string]),
		OutputGuards: unique(f.outputGuards, cmp.Compare[string]),
		Limits:       limits(f.limits),
		Cache:        f.cache,
		Log:          f.logUse(),
		Rules:        unique(f.rules, cmp.Compare[string]),
	}
	for i := range f.changes {
		m, err := f.changes[i].value.modification()
		if err != nil {
			return gateway.Decision{}, err
		}
		d.Modify = append(d.Modify, m)
	}
	if err := f.settle(&d); err != nil {
		return gateway.Decision{}, err
	}
	return d, nil
}

// settle adds what there can be one of only.
func (f *fold) settle(d *gateway.Decision) (err error) {
	d.Speaks = gateway.Speaks{Chain: f.chain.by, Split: f.split.by}
	if d.Chain, err = f.chain.settled("route: chain"); err != nil {
		return err
	}
	d.Chain = slices.Clone(d.Chain) // the head of a constant rule is shared
	if d.Split, err = f.split.settled("route: split"); err != nil {
		return err
	}
	if d.Pick, err = f.pick.settled("route: pick"); err != nil {
		return err
	}
	if d.Headers, err = headerChanges(f.headers); err != nil {
		return err
	}
	d.Labels, err = labelTexts(f.labels)
	return err
}

func (f *fold) refusal(closed bool) *gateway.Denial {
	switch {
	case f.denial != nil:
		return &f.denial.Denial
	case closed && !f.allowed:
		return &gateway.Denial{Code: llm.CodePolicyDenied, Status: 403, Message: "no rule of the policy allows this request"}
	}
	return nil
}

// review is the sum of all effects after the response.
func (f *fold) review() (gateway.Review, error) {
	labels, err := labelTexts(f.labels)
	if err != nil {
		return gateway.Review{}, err
	}
	return gateway.Review{Cache: f.cache, Log: f.logUse(), Labels: labels, Rules: unique(f.rules, cmp.Compare[string])}, nil
}

func (f *fold) logUse() gateway.LogUse {
	return gateway.LogUse{Level: f.log.Level, Redact: unique(f.log.Redact, cmp.Compare[string])}
}

// sorted are the names in a map. It is asked for many that are empty.
func sorted[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func unique[T comparable](s []T, compare func(a, b T) int) []T {
	slices.SortFunc(s, compare)
	return slices.Compact(s)
}

// least is the smaller of two limits, where 0 is none.
func least(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
