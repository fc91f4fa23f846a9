package rego

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// An effect is the head of a rule that holds. It adds itself to a fold, and
// says so if it contradicts what is there. The order of effects must not matter.
type effect interface {
	add(f *fold, rule string) error
}

// A fold joins effects to one decision.
type fold struct {
	rules      []string
	denial     *denial
	allowed    bool
	require    map[string][]string // values of a tag, sorted
	exclude    map[string][]string
	chain      []string
	timeout    int64
	firstToken int64
	changes    map[string]change // by path
	labels     map[string]string
}

func (f *fold) add(r *rule, e effect) error {
	f.rules = append(f.rules, r.id)
	if err := e.add(f, r.id); err != nil {
		return fmt.Errorf("%s: %s: %w", r.place, r.verb.name, err)
	}
	return nil
}

func (f *fold) decision() (gateway.Decision, error) {
	d := gateway.Decision{
		Require:      conditions(f.require),
		Exclude:      conditions(f.exclude),
		Chain:        f.chain,
		TimeoutMS:    f.timeout,
		FirstTokenMS: f.firstToken,
		Labels:       f.labels,
		Rules:        unique(f.rules, cmp.Compare[string]),
	}
	if f.denial != nil {
		d.Deny = &f.denial.Denial
	}
	for _, path := range slices.Sorted(maps.Keys(f.changes)) {
		c := f.changes[path]
		m, err := c.modification()
		if err != nil {
			return gateway.Decision{}, err
		}
		d.Modify = append(d.Modify, m)
	}
	return d, nil
}

func unique[T comparable](s []T, compare func(a, b T) int) []T {
	slices.SortFunc(s, compare)
	return slices.Compact(s)
}

// conditions are in the order of their names.
func conditions(values map[string][]string) (cs []gateway.Condition) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		cs = append(cs, gateway.Condition{Name: name, Values: values[name]})
	}
	return cs
}

// A permission allows where the default is to deny.
type permission struct{}

func (permission) add(f *fold, _ string) error {
	f.allowed = true
	return nil
}

// A denial refuses. Of several the one with the highest priority speaks, then
// the one with the lowest status; what is left is decided by the alphabet.
type denial struct {
	gateway.Denial
	priority int64
}

func (d *denial) add(f *fold, rule string) error {
	mine := *d // the head of a constant rule is shared by all requests
	mine.Rule = rule
	if f.denial == nil || mine.compare(f.denial) < 0 {
		f.denial = &mine
	}
	return nil
}

func (d *denial) compare(o *denial) int {
	return cmp.Or(
		cmp.Compare(o.priority, d.priority),
		cmp.Compare(d.Status, o.Status),
		cmp.Compare(d.Code, o.Code),
		cmp.Compare(d.Rule, o.Rule),
		cmp.Compare(d.Message, o.Message),
		cmp.Compare(d.RetryAfterS, o.RetryAfterS),
	)
}

// A routing constrains the targets. All that is required of a tag must hold at
// once, any of what is excluded is enough; timeouts take the minimum, and there
// can be one chain only.
type routing struct {
	require, exclude    []gateway.Condition
	chain               []string
	timeout, firstToken int64 // ms; 0: not said
}

func (r *routing) add(f *fold, _ string) error {
	for _, c := range r.require {
		f.requires(c)
	}
	for _, c := range r.exclude {
		f.excludes(c)
	}
	f.timeout = least(f.timeout, r.timeout)
	f.firstToken = least(f.firstToken, r.firstToken)
	if r.chain == nil {
		return nil
	}
	if f.chain != nil && !slices.Equal(f.chain, r.chain) {
		return fmt.Errorf("chain %q contradicts chain %q of another rule", r.chain, f.chain)
	}
	f.chain = slices.Clone(r.chain)
	return nil
}

func (f *fold) requires(c gateway.Condition) {
	if f.require == nil {
		f.require = make(map[string][]string)
	}
	values := slices.Clone(c.Values)
	if have, ok := f.require[c.Name]; ok {
		values = slices.DeleteFunc(values, func(v string) bool { return !slices.Contains(have, v) })
	}
	f.require[c.Name] = values
}

func (f *fold) excludes(c gateway.Condition) {
	if f.exclude == nil {
		f.exclude = make(map[string][]string)
	}
	f.exclude[c.Name] = unique(append(f.exclude[c.Name], c.Values...), cmp.Compare[string])
}

// least is the smaller of two limits, where 0 is none.
func least(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// A change is what one rule, or all so far, want of a field.
type change struct {
	path   string
	max    *int64
	value  []byte // JSON
	remove bool
}

func (c *change) add(f *fold, _ string) error {
	if f.changes == nil {
		f.changes = make(map[string]change)
	}
	sum := f.changes[c.path]
	sum.path = c.path
	sum.remove = sum.remove || c.remove
	if c.max != nil && (sum.max == nil || *c.max < *sum.max) {
		sum.max = c.max
	}
	if c.value != nil {
		if sum.value != nil && !bytes.Equal(sum.value, c.value) {
			return fmt.Errorf("/%s: value contradicts that of another rule", c.path)
		}
		sum.value = c.value
	}
	f.changes[c.path] = sum
	return nil
}

// modification is the sum of all changes to a field. A value that has to stay
// below a maximum is cut to it.
func (c *change) modification() (gateway.Modification, error) {
	m := gateway.Modification{Path: c.path, Value: bytes.Clone(c.value), Remove: c.remove}
	switch {
	case c.remove && (c.value != nil || c.max != nil):
		return m, fmt.Errorf("modify: /%s: one rule removes it, another sets or limits it", c.path)
	case c.max == nil:
		return m, nil
	case c.value == nil:
		most := *c.max
		m.Max = &most
		return m, nil
	}
	n, err := strconv.ParseInt(string(c.value), 10, 64)
	if err != nil {
		return m, fmt.Errorf("modify: /%s: one rule limits it, another sets it to what is not an integer", c.path)
	}
	m.Value = strconv.AppendInt(nil, min(n, *c.max), 10)
	return m, nil
}

// Labels are for the record. Two rules may agree on one, not differ.
type labels map[string]string

func (l labels) add(f *fold, _ string) error {
	if f.labels == nil {
		f.labels = make(map[string]string, len(l))
	}
	for k, v := range l {
		if have, ok := f.labels[k]; ok && have != v {
			return fmt.Errorf("%q: value contradicts that of another rule", k)
		}
		f.labels[k] = v
	}
	return nil
}
