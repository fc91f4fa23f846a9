package rego

import (
	"cmp"
	"errors"
	"maps"
	"regexp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A limitUse bounds what requests use. Of those for the same window of the same
// thing, and with the same name, the smallest counts.
type limitUse gateway.Limit

// calendar are the windows that go by it.
var calendar = []string{gateway.WindowDay, gateway.WindowWeek, gateway.WindowMonth}

var perPattern = regexp.MustCompile(`^(key|team|org|user|model|provider|session|property\.[a-z0-9_-]{1,64})$`)

var limitNames = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func readLimit(h *head) effect {
	if h.count("per") == 0 || h.count("requests", "tokens", "cost_nano", "concurrent") == 0 {
		h.fail("want per and at least one of requests, tokens, cost_nano and concurrent")
	}
	windows := 0
	if h.count("requests", "tokens", "cost_nano") > 0 {
		windows = 1
	}
	if h.count("window_s", "window") != windows {
		h.fail("want either window_s or window with requests, tokens or cost_nano, and only with them")
	}
	l := limitUse{Requests: -1, Tokens: -1, CostNano: -1, Concurrent: -1}
	l.Name, l.Own = h.limitName()
	per, ok := h.text("per")
	if ok && !perPattern.MatchString(per) {
		h.fail("per: want key, team, org, user, model, provider, session or property.NAME, have %v", ast.String(per))
	}
	l.Per = per
	l.Window, _ = h.oneOf("window", calendar)
	l.WindowS, _ = h.integer("window_s", 1, maxWindow)
	for _, f := range [...]struct {
		name string
		to   *int64
	}{{"requests", &l.Requests}, {"tokens", &l.Tokens}, {"cost_nano", &l.CostNano}, {"concurrent", &l.Concurrent}} {
		if n, ok := h.integer(f.name, 0, maxInteger); ok {
			*f.to = n
		}
	}
	return l
}

// limitName reads the name of a count. There are to be few counts, so no request
// may make one.
func (h *head) limitName() (name string, ok bool) {
	name, ok = h.text("name")
	switch {
	case !ok && h.count("name") > 0:
		h.fail("%w", errNameNotWritten)
	case ok && !limitNames.MatchString(name):
		h.fail("name: want 1 to 64 letters, digits, dashes, underscores and dots, have %.100v", ast.String(name))
	}
	return name, ok
}

// maxLimitNames bounds the names of the limits of a policy: the memory keeps as many
// counts, and some more.
const maxLimitNames = 128

// limit finds names that are those of the configuration's, and too many.
func (d *desugarer) limit(at *ast.Location, name string) {
	if name == "" || d.limits[name] {
		return
	}
	for _, l := range slices.Concat(d.Limits, d.Budgets) {
		if l.Name == name {
			d.problems.at(at, "limit: name: the configuration has a limit or budget %q", name)
			return
		}
	}
	d.limits[name] = true
	if len(d.limits) == maxLimitNames+1 {
		d.problems.at(at, "limit: name: want at most %d names", maxLimitNames)
	}
}

// errNameNotWritten is of a name that a rule computes.
var errNameNotWritten = errors.New("name: has to be a constant in the head of the rule")

func (l limitUse) add(f *fold, r *rule) {
	if f.limits == nil {
		f.limits = make(map[gateway.LimitKind]gateway.Limit)
	}
	next := gateway.Limit(l)
	next.Name = r.limitName(l.Name)
	sum, ok := f.limits[next.Kind()]
	if !ok {
		sum = next
		sum.Requests, sum.Tokens, sum.CostNano, sum.Concurrent = -1, -1, -1, -1
	}
	tighten(&sum.Requests, l.Requests, &sum.By.Requests, r.id)
	tighten(&sum.Tokens, l.Tokens, &sum.By.Tokens, r.id)
	tighten(&sum.CostNano, l.CostNano, &sum.By.CostNano, r.id)
	tighten(&sum.Concurrent, l.Concurrent, &sum.By.Concurrent, r.id)
	f.limits[next.Kind()] = sum
}

// tighten makes a figure the smaller one of two, where -1 is none, and notes whose
// it is: of two rules that say the same the first by name, so that their order does
// not matter.
func tighten(figure *int64, n int64, by *string, id string) {
	switch {
	case n < 0:
	case *figure < 0 || n < *figure:
		*figure, *by = n, id
	case n == *figure:
		*by = min(*by, id)
	}
}

// limitName is what a limit of the rule is called: the names of a team are its own.
func (r *rule) limitName(name string) string {
	if r.team == "" || name == "" {
		return name
	}
	return r.team + "/" + name
}

func limits(all map[gateway.LimitKind]gateway.Limit) (ls []gateway.Limit) {
	if len(all) == 0 {
		return nil
	}
	for _, at := range slices.SortedFunc(maps.Keys(all), func(a, b gateway.LimitKind) int {
		return cmp.Or(cmp.Compare(a.Per, b.Per), cmp.Compare(a.Window, b.Window), cmp.Compare(a.WindowS, b.WindowS), cmp.Compare(a.Name, b.Name))
	}) {
		ls = append(ls, all[at])
	}
	return ls
}
