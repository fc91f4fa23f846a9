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
`)
	var got []string
	for _, l := range p.Windows() {
		got = append(got, fmt.Sprint(l.Per, " ", l.Window, " ", l.Max()))
	}
	want := []string{"team day {-1 -1 -1 -1}", "org day {-1 -1 -1 -1}", "org week {-1 -1 -1 -1}", "org month {-1 -1 -1 -1}"}
	if !slices.Equal(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
}
