package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
)

// printLimits says what requests may use.
func printLimits(w io.Writer, c *config.Config) {
	for i := range c.Limits {
		fmt.Fprintf(w, "limit %s: %s\n", c.Limits[i].Name, describe(&c.Limits[i], c.Zone))
	}
	for i := range c.Budgets {
		b := &c.Budgets[i]
		fmt.Fprintf(w, "budget %s: %s", b.Name, describe(&b.Limit, c.Zone))
		for i, permille := range b.Alerts {
			fmt.Fprint(w, [...]string{", told at ", ", "}[min(i, 1)], share(permille))
		}
		fmt.Fprintln(w)
	}
}

// describe says a limit in words.
func describe(l *gateway.Limit, zone *time.Location) string {
	var parts []string
	if l.Requests >= 0 {
		parts = append(parts, fmt.Sprint(l.Requests, " requests"))
	}
	if l.Tokens >= 0 {
		parts = append(parts, fmt.Sprint(l.Tokens, " tokens"))
	}
	if l.CostNano >= 0 {
		parts = append(parts, "$"+strings.TrimSuffix(dollars(l.CostNano), ".000000"))
	}
	said := strings.Join(parts, " and ")
	switch {
	case l.Window != "":
		said += fmt.Sprintf(" %s (%s)", l.Span(), zone)
	case l.WindowS > 0:
		said += " " + l.Span()
	}
	if l.Concurrent >= 0 {
		said += fmt.Sprintf(", %d at once", l.Concurrent)
	}
	return "each " + l.Per + ": " + strings.TrimPrefix(said, ", ")
}

// share writes permille as a percentage.
func share(permille int64) string {
	return strings.TrimSuffix(fmt.Sprintf("%d.%d", permille/10, permille%10), ".0") + "%"
}

// unpriced finds the targets of models that have no price although there are
// budgets.
func unpriced(c *config.Config) (warnings []string) {
	strict := slices.IndexFunc(c.Budgets, func(b config.Budget) bool { return !b.Unpriced })
	if len(c.Budgets) == 0 {
		return nil
	}
	seen := map[string]bool{}
	for _, m := range c.Models {
		for _, target := range m.Targets {
			name, model, _ := strings.Cut(target, "/")
			i := slices.IndexFunc(c.Providers, func(p config.Provider) bool { return p.Name == name })
			if _, ok := priceOf(&c.Providers[i], model); ok || seen[target] {
				continue
			}
			seen[target] = true
			what := "it costs nothing"
			if strict >= 0 {
				what = fmt.Sprintf("no request goes there because of budget %s", c.Budgets[strict].Name)
			}
			warnings = append(warnings, fmt.Sprintf("%s has no known price, so %s; it can be written as providers.%s.prices", target, what, name))
		}
	}
	return warnings
}
