package rego

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A claim is what rules say about something of which there can be one only, such
// as the chain. The rule of the highest priority speaks, a team's after all others;
// two of the same priority that differ contradict each other.
type claim[T any] struct {
	value    T
	made     bool
	priority int64
	by       string // the title of the rule
	disputed bool   // another rule of this priority differs
	against  string // its title
}

// add adds what a rule says. The order of rules does not matter.
func (c *claim[T]) add(value T, r *rule, same bool) {
	switch {
	case !c.made || r.priority > c.priority:
		*c = claim[T]{value: value, made: true, priority: r.priority, by: r.title}
	case r.priority == c.priority && !same:
		titles := []string{c.by, r.title}
		if c.disputed {
			titles = append(titles, c.against)
		}
		c.disputed = true
		c.against, c.by = slices.Min(titles), slices.Max(titles)
	case r.priority == c.priority && !c.disputed:
		c.by = min(c.by, r.title)
	}
}

// settled returns what was said, or the error that two rules contradict each
// other about what, whose parts are put together for it only.
func (c *claim[T]) settled(what ...string) (T, error) {
	if !c.disputed {
		return c.value, nil
	}
	return c.value, undecided(strings.Join(what, ""), c.by, "that", c.against)
}

// A contradictory error says that two rules cannot both be followed.
type contradictory struct{ error }

func (c contradictory) Unwrap() error { return c.error }

// undecided is the error that a rule says what contradicts another's,
// and that no priority decides.
func undecided(what, at, other, against string) error {
	err := fmt.Errorf("%s: %s contradicts %s of %s; a priority in the METADATA of one would decide", at, what, other, against)
	return contradictory{&gateway.PolicyError{Fault: gateway.FaultConflict, Rule: at, Err: err}}
}

// undecidable returns the errors of rules without conditions that contradict each
// other: those of an entry point, and a team's beside them.
func undecidable(rules map[int][]rule) error {
	var errs []error
	for _, on := range []int{onRequest, onResponse} {
		common := holding(rules[on], "")
		err := common.contradicted()
		errs = append(errs, err)
		for _, team := range teamsOf(rules[on]) {
			if err == nil {
				errs = append(errs, holding(rules[on], team).contradicted())
			}
		}
	}
	return errors.Join(errs...)
}

func teamsOf(rules []rule) (teams []string) {
	for i := range rules {
		if rules[i].always && rules[i].team != "" {
			teams = append(teams, rules[i].team)
		}
	}
	return unique(teams, strings.Compare)
}

// holding joins the effects of the rules that hold for every request of a team.
func holding(rules []rule, team string) *fold {
	f := &fold{}
	for i := range rules {
		if r := &rules[i]; r.always && (r.team == "" || r.team == team) {
			f.add(r, r.head)
		}
	}
	return f
}

func (f *fold) contradicted() error {
	_, err := f.decision(false)
	if err != nil {
		err = fmt.Errorf("%w; neither has a condition", err)
	}
	return err
}
