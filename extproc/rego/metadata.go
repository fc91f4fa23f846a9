package rego

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// labelsOf are the labels in the METADATA of rules, by the places of these. A rule
// has those of its package as well, unless it says otherwise.
func labelsOf(modules map[string]*ast.Module) (map[string]map[string]any, error) {
	annotations, errs := ast.BuildAnnotationSet(slices.Collect(maps.Values(modules)))
	if len(errs) > 0 {
		var ps problems
		ps.found("", errs)
		return nil, ps.join()
	}
	all := map[string]map[string]any{}
	for _, m := range modules {
		for _, r := range m.Rules {
			if labels, _ := annotations.MergedLabels(r); labels != nil {
				all[place(r.Location)] = labels
			}
		}
	}
	return all, nil
}

// Labels are those in the METADATA of a rule, by its id; nil: it has none.
func (p *Policy) Labels(id string) map[string]any { return p.labels[p.Place(id)] }
