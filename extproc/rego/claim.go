package rego

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A claim is what rules say about something of which there can be one only, such
// as the chain. The rule of the highest priority speaks; two of the same priority
// that differ contradict each other.
type claim[T any] struct {
	value    T
	made     bool
	priority int64
	place    string // of the rule
	disputed bool   // another rule of this priority differs
	against  string // its place
}

// add adds what a rule says. The order of rules does not matter.
func (c *claim[T]) add(value T, r *rule, same bool) {
	switch {
	case !c.made || r.priority > c.priority:
		*c = claim[T]{value: value, made: true, priority: r.priority, place: r.place}
	case r.priority == c.priority && !same:
		places := []string{c.place, r.place}
		if c.disputed {
			places = append(places, c.against)
		}
		c.disputed = true
		c.against, c.place = slices.Min(places), slices.Max(places)
	}
}

// settled returns what was said, or the error that two rules contradict each
// other about what.
func (c *claim[T]) settled(what string) (T, error) {
	if !c.disputed {
		return c.value, nil
	}
	err := contradiction("%s: %s contradicts that of %s; a priority in the METADATA of one would decide", c.place, what, c.against)
	return c.value, &gateway.PolicyError{Fault: gateway.FaultConflict, Rule: c.place, Err: err}
}
