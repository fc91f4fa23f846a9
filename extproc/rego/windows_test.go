package rego

import (
	"fmt"
	"slices"
	"testing"
)

func TestWindows(t *testing.T) {
	p := rules(t, Allow, `limit contains {"per": "team", "cost_nano": 5, "window": "day"} if input.caller.team == "a"

limit contains {"per": "team", "requests": 9, "window": "day"} if input.caller.team == "b"

limit contains {"per": "key", "requests": 9, "window_s": 60}

limit contains {"per": "user", "concurrent": 9}

limit contains {"per": "org", "requests": 9, "window": input.caller.labels.window} if input.caller.labels.window

limit contains {"per": per, "requests": 9, "window": "month"} if per := input.caller.labels.per

limit contains object.union({"per": "session"}, {"requests": 1, "window": "day"}) if input.session == ""

label contains {"per": "model", "window": "day"}

# METADATA
# custom: {id: one}
limit contains {"name": "n", "per": "team", "requests": 9, "window": "day"} if input.user == "a"

# METADATA
# custom: {id: two}
limit contains {"name": "n", "per": "team", "tokens": 9, "window": "day"} if input.user == "b"

limit contains {"name": "n", "per": "team", "requests": 8, "window": "day"} if input.user == "c"

limit contains {"name": "no-id", "per": "team", "requests": 9, "window": "day"} if input.user == "d"

# METADATA
# custom: {id: five}
limit contains {"name": "sliding", "per": "team", "requests": 9, "window_s": 60} if input.user == "e"
`)
	var got []string
	for _, w := range p.Windows() {
		got = append(got, fmt.Sprint(w.Kind(), w.Max(), w.Rules))
	}
	want := []string{
		"{ team day 0} {-1 -1 -1 -1} []", "{ org day 0} {-1 -1 -1 -1} []", "{ org week 0} {-1 -1 -1 -1} []", "{ org month 0} {-1 -1 -1 -1} []",
		"{n team day 0} {-1 -1 -1 -1} [one two]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
}
