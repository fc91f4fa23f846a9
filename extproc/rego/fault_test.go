package rego

import (
	"errors"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// TestFaults: an error says how the policy failed, and where.
func TestFaults(t *testing.T) {
	const named = "# METADATA\n# custom: {id: mine}\n"
	const never = "count([1 | some i in numbers.range(1, 9000); some j in numbers.range(1, 9000); i * j == 7]) == 1000"
	for _, tt := range []struct {
		name, rules string
		fault       gateway.Fault
		rule        string
	}{
		{"deadline", "deny contains {} if {\n\tinput.user == \"victim\"\n\t" + never + "\n}", gateway.FaultDeadline, "a.rego:5"},
		{"builtin", "deny contains {} if {\n\tinput.user == \"victim\"\n\tto_number(input.user) > 3\n}", gateway.FaultBuiltin, "a.rego:7"},
		{"conflict", "label contains {\"a\": \"1\"} if input.user == \"victim\"\n\nlabel contains {\"a\": \"2\"} if input.user == \"victim\"", gateway.FaultConflict, "a.rego:7"},
		{"conflict of routes", "route contains {\"pick\": \"fastest\"} if input.user == \"victim\"\n\nroute contains {\"pick\": \"cheapest\"} if input.user == \"victim\"", gateway.FaultConflict, "a.rego:7"},
		{"decode", "deny contains {\"status\": s} if {\n\tinput.user == \"victim\"\n\ts := 100 + count(input.user)\n}", gateway.FaultDecode, "a.rego:5"},
		{"deadline of a rule with an id", named + "deny contains {} if {\n\tinput.user == \"victim\"\n\t" + never + "\n}", gateway.FaultDeadline, "a.rego:7 (mine)"},
		{"builtin in a rule with an id", named + "deny contains {} if {\n\tinput.user == \"victim\"\n\tto_number(input.user) > 3\n}\n\ndeny contains {} if input.user == \"x\"", gateway.FaultBuiltin, "a.rego:9 (mine)"},
		{"builtin after a rule with an id", named + "deny contains {} if input.user == \"x\"\n\ndeny contains {} if {\n\tinput.user == \"victim\"\n\tto_number(input.user) > 3\n}", gateway.FaultBuiltin, "a.rego:11"},
		{"conflict with a rule with an id", "route contains {\"pick\": \"fastest\"} if input.user == \"victim\"\n\n" + named + "route contains {\"pick\": \"cheapest\"} if input.user == \"victim\"", gateway.FaultConflict, "a.rego:9 (mine)"},
		{"decode of a rule with an id", named + "deny contains {\"status\": s} if {\n\tinput.user == \"victim\"\n\ts := 100 + count(input.user)\n}", gateway.FaultDecode, "a.rego:7 (mine)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := within(t, Allow, tt.rules, 50*time.Millisecond)
			f := facts()
			f.User = "victim"
			_, err := p.Decide(t.Context(), f)
			var e *gateway.PolicyError
			if !errors.As(err, &e) || e.Fault != tt.fault || e.Rule != tt.rule {
				t.Errorf("got %+v of %v, want %s at %s", e, err, tt.fault, tt.rule)
			}
		})
	}
}

// TestSpeaks: a decision has the rules whose chain and split it follows, whichever
// order the rules are in.
func TestSpeaks(t *testing.T) {
	p := rules(t, Allow, `# METADATA
# custom: {id: first, priority: 2}
route contains {"chain": ["a"], "split": {"by": "key", "shares": {"x": 1}}}

route contains {"chain": ["b"]} if input.request.stream

# METADATA
# custom: {priority: 2}
route contains {"chain": ["a"]} if input.request.stream

# METADATA
# custom: {priority: 3}
route contains {"split": {"by": "key", "shares": {"y": 1}}} if input.request.stream`)
	f := facts()
	f.Stream = true
	d, err := p.Decide(t.Context(), f)
	if want := (gateway.Speaks{Chain: "a.rego:13", Split: "a.rego:17"}); err != nil || d.Speaks != want {
		t.Errorf("have %+v, %v, want %+v", d.Speaks, err, want)
	}
}

func TestCacheState(t *testing.T) {
	p := rules(t, Allow, `deny contains {} if input.request.model == "x"`)
	for range 3 {
		if _, err := p.Decide(t.Context(), facts()); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := p.Cache(), (CacheState{On: true, Hits: 2, Misses: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	p.cache.compare(&gateway.Decision{}, &gateway.Decision{Pick: "fastest"})
	if got := p.Cache(); got.On || got.Differences != 1 {
		t.Errorf("after a difference: %+v", got)
	}
	if got := (&Policy{}).Cache(); got != (CacheState{}) {
		t.Errorf("rules that are not fit for it: %+v", got)
	}
}
