package rego

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Limits with a name stand beside those without, and rules with the same name join.
func TestLimitNames(t *testing.T) {
	dir := fstest.MapFS{
		"a.rego": {Data: []byte(`package attache.request

limit contains {"per": "team", "window": "day", "requests": 50}

# METADATA
# custom: {id: z}
limit contains {"name": "dear", "per": "team", "window": "day", "requests": 9, "tokens": 100}

# METADATA
# custom: {id: y}
limit contains {"name": "dear", "per": "team", "window": "day", "requests": 9, "tokens": 200}

limit contains {"name": "dear", "per": "team", "window_s": 60, "requests": input.request.bytes}
`)},
		"teams/search/a.rego": {Data: []byte(`package attache.team["search"].request

limit contains {"name": "dear", "per": "team", "window": "day", "requests": 1}
`)},
	}
	p, err := Load(t.Context(), Options{FS: dir, Default: Allow, Deadline: time.Minute, Off: defaults, Teams: map[string][]string{"search": {"limit"}}})
	if err != nil {
		t.Fatal(err)
	}
	f := facts()
	f.Bytes = 7
	got, err := p.Decide(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	limit := func(name, window string, seconds, requests, tokens int64, by gateway.Says) gateway.Limit {
		return gateway.Limit{Name: name, Own: name != "", Per: "team", Window: window, WindowS: seconds, Requests: requests, Tokens: tokens, CostNano: -1, Concurrent: -1, By: by}
	}
	want := []gateway.Limit{
		limit("dear", "", 60, 7, -1, gateway.Says{Requests: "a.rego:13"}),
		limit("", "day", 0, 50, -1, gateway.Says{Requests: "a.rego:3"}),
		limit("dear", "day", 0, 9, 100, gateway.Says{Requests: "y", Tokens: "z"}),
		limit("search/dear", "day", 0, 1, -1, gateway.Says{Requests: "teams/search/a.rego:3"}),
	}
	if !reflect.DeepEqual(got.Limits, want) {
		t.Errorf("have %+v\nwant %+v", got.Limits, want)
	}
}

// A name that a rule computes is no name: there are to be few counts.
func TestComputedLimitName(t *testing.T) {
	p := rules(t, Allow, `limit contains object.union({"per": "key", "concurrent": 1}, {"name": input.user}) if input.user == "somebody"`)
	f := facts()
	f.User = "somebody"
	if _, err := p.Decide(t.Context(), f); err == nil || !strings.Contains(err.Error(), errNameNotWritten.Error()) {
		t.Errorf("decided: %v", err)
	}
}

func TestLimitNamesAreFew(t *testing.T) {
	load := func(n int) error {
		text := "package attache.request\n"
		for i := range n {
			text += fmt.Sprintf("\nlimit contains {\"name\": \"n%d\", \"per\": \"key\", \"concurrent\": 1} if input.user == \"%d\"\n", i/2, i)
		}
		_, err := Load(t.Context(), Options{FS: fstest.MapFS{"a.rego": {Data: []byte(text)}}, Default: Allow, Deadline: time.Minute, Off: defaults})
		return err
	}
	if err := load(2 * maxLimitNames); err != nil {
		t.Error(err)
	}
	if err, want := load(2*maxLimitNames+2), "rego: load: a.rego:515: limit: name: want at most 128 names"; err == nil || err.Error() != want {
		t.Errorf("have %v, want %s", err, want)
	}
}
