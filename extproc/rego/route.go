package rego

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A routing says where requests go. All that is required of a tag must hold at
// once, any of what is excluded is enough; timeouts take the minimum, weights of
// the same preference add up, and there can be one chain, split and pick only: see
// claim.
type routing struct {
	require, exclude    []gateway.Condition
	chain               []string
	timeout, firstToken int64 // ms; 0: not said
	prefer              string
	weight              int64
	split               *gateway.Split
	pick                string
}

// What can be preferred besides a tag, how targets can be picked, and what a
// split keeps together.
var (
	preferable = []string{"price", "latency", "first_token", "load", "errors", "order"}
	picks      = []string{"ordered", "weighted", "cheapest", "fastest", "least_busy"}
	splitters  = []string{"user", "session", "key", "request"}
)

const (
	maxWeight = 1_000_000
	maxShares = 8
)

func readRoute(h *head) effect {
	if h.object.Len() == 0 {
		h.fail("want at least one field")
	}
	r := &routing{
		require: h.conditions("require"),
		exclude: h.conditions("exclude"),
		chain:   h.list("chain", maxChain),
		split:   h.split(),
		weight:  1,
	}
	r.timeout, _ = h.integer("timeout_ms", 1, maxInteger)
	r.firstToken, _ = h.integer("first_token_ms", 1, maxInteger)
	r.pick, _ = h.oneOf("pick", picks)
	if prefer, ok := h.text("prefer"); ok {
		tag, value, isTag := strings.Cut(prefer, "=")
		if !slices.Contains(preferable, prefer) && (!isTag || tag == "" || value == "") {
			h.fail("prefer: want one of %s, or a tag as name=value, have %v", strings.Join(preferable, ", "), ast.String(prefer))
		}
		r.prefer = prefer
	}
	if weight, ok := h.integer("weight", 1, maxWeight); ok {
		r.weight = weight
	}
	if h.count("weight") == 1 && h.count("prefer") == 0 {
		h.fail("weight: belongs to prefer, which is missing")
	}
	return r
}

// split reads {"by": "user", "shares": {"provider/model": 9, …}}.
func (h *head) split() *gateway.Split {
	v := h.value("split")
	if v == nil {
		return nil
	}
	o, ok := v.(ast.Object)
	if !ok {
		h.fail("split: want an object, have %s", ast.ValueName(v))
		return nil
	}
	inner := &head{object: o, loading: h.loading}
	inner.checkKeys([]string{"by", "shares"})
	by, ok := inner.oneOf("by", splitters)
	shares, ok2 := inner.value("shares").(ast.Object)
	switch {
	case inner.err != nil:
		h.fail("split: %w", inner.err)
	case !ok || !ok2:
		h.fail("split: want by and shares, an object")
	case shares.Len() == 0 || shares.Len() > maxShares:
		h.fail("split: shares: want 1 to %d members, have %d", maxShares, shares.Len())
	default:
		return &gateway.Split{By: by, Shares: h.shares(shares)}
	}
	return nil
}

func (h *head) shares(o ast.Object) (shares []gateway.Share) {
	o.Foreach(func(k, v *ast.Term) {
		target, ok := k.Value.(ast.String)
		if !ok || target == "" || len(target) > maxText {
			h.fail("split: shares: want a target's name of 1 to %d bytes, have %s", maxText, k)
		}
		weight, ok := int64(0), false
		if n, isNumber := v.Value.(ast.Number); isNumber {
			weight, ok = n.Int64()
		}
		if !ok || weight < 1 || weight > maxWeight {
			h.fail("split: shares: %s: want an integer from 1 to %d, have %s", k, maxWeight, v)
		}
		shares = append(shares, gateway.Share{Target: string(target), Weight: weight})
	})
	slices.SortFunc(shares, func(a, b gateway.Share) int { return cmp.Compare(a.Target, b.Target) })
	return shares
}

func (r *routing) add(f *fold, by *rule) {
	for _, c := range r.require {
		f.requires(c)
	}
	for _, c := range r.exclude {
		f.excludes(c)
	}
	f.timeout = least(f.timeout, r.timeout)
	f.firstToken = least(f.firstToken, r.firstToken)
	if r.prefer != "" {
		*f.prefer.at(r.prefer) += r.weight
	}
	if r.chain != nil {
		f.chain.add(r.chain, by, slices.Equal(f.chain.value, r.chain))
	}
	if r.split != nil {
		f.split.add(r.split, by, reflect.DeepEqual(f.split.value, r.split))
	}
	if r.pick != "" {
		f.pick.add(r.pick, by, f.pick.value == r.pick)
	}
}

func (f *fold) requires(c gateway.Condition) {
	have := f.require.at(c.Name)
	values := slices.Clone(c.Values)
	if *have != nil {
		values = slices.DeleteFunc(values, func(v string) bool { return !slices.Contains(*have, v) })
	}
	*have = values
}

func (f *fold) excludes(c gateway.Condition) {
	have := f.exclude.at(c.Name)
	*have = unique(append(*have, c.Values...), cmp.Compare[string])
}

func conditions(values table[[]string]) []gateway.Condition {
	if values == nil {
		return nil
	}
	cs := make([]gateway.Condition, len(values))
	for i, v := range values {
		cs[i] = gateway.Condition{Name: v.name, Values: v.value}
	}
	return cs
}

func preferences(weights table[int64]) (ps []gateway.Preference) {
	for _, w := range weights {
		ps = append(ps, gateway.Preference{By: w.name, Weight: w.value})
	}
	return ps
}
