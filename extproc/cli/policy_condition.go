package cli

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// figures are what --fail-on can ask of a replay.
var figures = map[string]func(*replay) int{
	"changed":        func(r *replay) int { return r.Changed },
	"new-deny":       func(r *replay) int { return r.NewDeny },
	"lost-deny":      func(r *replay) int { return r.LostDeny },
	"new-error":      func(r *replay) int { return r.NewError },
	"not-replayable": func(r *replay) int { return r.Recorded - r.Replayed },
}

func figureNames() []string { return slices.Sorted(maps.Keys(figures)) }

// A condition holds if a figure is above a limit.
type condition struct {
	text    string
	figure  string
	limit   float64
	percent bool // of the requests
	equal   bool // the limit itself counts
}

var conditionPattern = regexp.MustCompile(`^([a-z-]+) *(>=?) *([0-9]+(?:\.[0-9]+)?) *(%?)$`)

// parseConditions reads conditions with commas between them.
func parseConditions(text string) (all []condition, err error) {
	for _, part := range split(text) {
		part = strings.TrimSpace(part)
		m := conditionPattern.FindStringSubmatch(part)
		if m == nil || figures[m[1]] == nil {
			return nil, fmt.Errorf("%w: --fail-on: %q is no condition; want %s, then > or >=, then a number or a percentage, as new-deny>0.1%%", errUsage, part, strings.Join(figureNames(), ", "))
		}
		c := condition{text: part, figure: m[1], equal: m[2] == ">=", percent: m[4] != ""}
		if c.limit, err = strconv.ParseFloat(m[3], 64); err != nil {
			return nil, fmt.Errorf("%w: --fail-on: %w", errUsage, err)
		}
		all = append(all, c)
	}
	return all, nil
}
