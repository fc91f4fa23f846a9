package rego

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// names finds what a rule names and the configuration does not have. A target or
// provider that is not there is an error. A tag or model may come with a provider
// that is not configured yet, or on another machine: that is a warning.
func (d *desugarer) names(at *ast.Location, r *routing) {
	for _, c := range slices.Concat(r.require, r.exclude) {
		for _, v := range c.Values {
			d.tag(at, c.Name, v)
		}
	}
	if name, value, ok := strings.Cut(r.prefer, "="); ok {
		d.tag(at, name, value)
	}
	targets := slices.Clone(r.chain)
	if r.split != nil {
		for _, s := range r.split.Shares {
			targets = append(targets, s.Target)
		}
	}
	for _, name := range targets {
		if d.Serves != nil && !d.Serves(name) {
			d.problems.at(at, "route: no configured provider serves the model %q", name)
		}
	}
}

// cache finds uses of a cache that is not there.
func (d *desugarer) cache(at *ast.Location, c cacheUse) {
	switch {
	case c.Mode == gateway.CacheOff:
	case d.Uncached:
		d.warnings.at(at, "cache: the configuration has no cache; cache: {mode: asked} is one for rules to ask")
	case c.Mode == gateway.CacheSemantic:
		d.warnings.at(at, "cache: semantic is taken as exact: requests have to be equal")
	}
}

// ownTags are those that every target has.
var ownTags = []string{"provider", "model", "target"}

// tag looks for a tag's value among the providers.
func (d *desugarer) tag(at *ast.Location, name, value string) {
	provider, _, _ := strings.Cut(value, "/")
	values, ok := d.Tags[name]
	switch {
	case d.Providers == nil:
	case name == "provider" || name == "target":
		if !slices.Contains(d.Providers, provider) {
			d.problems.at(at, "route: there is no provider %q; want %s", provider, strings.Join(d.Providers, ", "))
		}
	case d.Tags == nil:
	case name == "model":
		if !d.serves(value) {
			d.warnings.at(at, "route: no configured provider serves the model %q%s", value, suggestion(value, d.models()))
		}
	case !ok:
		d.warnings.at(at, "route: no provider has a tag %q%s", name, suggestion(name, slices.Concat(ownTags, slices.Sorted(maps.Keys(d.Tags)))))
	case !slices.Contains(values, value):
		d.warnings.at(at, "route: no provider has the tag %s with the value %q%s", name, value, suggestion(value, values))
	}
}

// serves reports whether a provider is known to have a model of this name.
func (d *desugarer) serves(model string) bool {
	return d.Serves == nil || d.Serves(model) || slices.Contains(d.models(), model)
}

// models are those of the configured targets.
func (d *desugarer) models() (names []string) {
	for _, t := range d.Targets {
		_, model, _ := strings.Cut(t, "/")
		names = append(names, model)
	}
	return names
}

// suggestion is the end of a message: the word that is most like one that is
// wrong, if any is.
func suggestion(wrong string, words []string) string {
	best, least := "", 1+max(1, len(wrong)/4)
	for _, w := range words {
		if n := edits(wrong, w); n < least {
			best, least = w, n
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// edits is how many bytes must be added, removed or replaced to make b of a
// (Levenshtein 1966).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
