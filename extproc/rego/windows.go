package rego

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A Window is a limit by the calendar such as rules about requests may state, without
// its numbers.
type Window struct {
	gateway.Limit
	Rules []string // by their ids: the limit counts the requests for which one of them held; nil: all requests
}

// Windows returns one limit of each kind that goes by the calendar: what was used of
// these before a restart has to be known after it. Rules whose "per" is found out
// for each request are left out, and of those that name their limit the ones without
// an id: their place in a file may have been another rule's.
func (p *Policy) Windows() (all []Window) {
	if p.request == nil {
		return nil
	}
	for i := range p.request.rules {
		r := &p.request.rules[i]
		for _, l := range r.windows {
			if l.Own && r.id == r.place {
				continue
			}
			at := slices.IndexFunc(all, func(w Window) bool { return w.Kind() == l.Kind() })
			if at < 0 {
				at, all = len(all), append(all, Window{Limit: l})
			}
			if l.Own {
				all[at].Rules = append(all[at].Rules, r.id)
			}
		}
	}
	return all
}

// windowsOf are the kinds of limits by the calendar that the head of a rule may state:
// those of all windows, if which one it is is known only when the rule is evaluated.
func (r *rule) windowsOf(l limitUse, head ast.Value) (kinds []gateway.Limit) {
	o, ok := head.(ast.Object)
	if !ok || l.Per == "" {
		return nil
	}
	names := []string{l.Window}
	if o.Get(ast.InternedTerm("window")) == nil {
		names = nil
	} else if l.Window == "" {
		names = calendar
	}
	for _, name := range names {
		kinds = append(kinds, gateway.Limit{
			Name: r.limitName(l.Name), Own: l.Own, Per: l.Per, Window: name, Requests: -1, Tokens: -1, CostNano: -1, Concurrent: -1,
		})
	}
	return kinds
}
