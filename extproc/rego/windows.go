package rego

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Windows returns limits by the calendar such as rules about requests may state,
// one for each kind, without their numbers: what was used of these before a restart
// has to be known after it. Rules whose "per" is found out for each request are left
// out.
func (p *Policy) Windows() (kinds []gateway.Limit) {
	if p.request == nil {
		return nil
	}
	for i := range p.request.rules {
		for _, k := range p.request.rules[i].windows {
			if !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
	}
	return kinds
}

// windowsOf are the kinds of limits by the calendar that a head may state: those of
// all windows, if which one it is is known only when the rule is evaluated.
func windowsOf(l limitUse, head ast.Value) (kinds []gateway.Limit) {
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
		kinds = append(kinds, gateway.Limit{Per: l.Per, Window: name, Requests: -1, Tokens: -1, CostNano: -1, Concurrent: -1})
	}
	return kinds
}
