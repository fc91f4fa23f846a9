package gateway

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// A TargetState is what is known of a target that was tried of late.
type TargetState struct {
	Provider, Model string
	State           string // of its circuit: closed, half_open or open
	InFlight        int64  // attempts under way
}

// States are those of all targets that are remembered, in the order of their
// names.
func (h *Health) States(now time.Time) []TargetState {
	h.mu.Lock()
	all := make([]TargetState, 0, len(h.targets))
	for p, v := range h.targets {
		all = append(all, TargetState{p.provider, p.model, v.state(now).String(), v.inFlight})
	}
	h.mu.Unlock()
	slices.SortFunc(all, func(a, b TargetState) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	return all
}

// Configured are the targets that the configuration names, as provider/model:
// those of models, and those that a provider is said to serve by their full names.
func (g *Gateway) Configured() (names []string) {
	for _, m := range g.models {
		for _, t := range m.targets {
			names = append(names, t.String())
		}
	}
	for _, p := range g.ordered {
		for _, model := range p.Models {
			if !strings.ContainsAny(model, `*?[\`) {
				names = append(names, p.Name+"/"+model)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
