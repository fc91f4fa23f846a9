package gateway

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

// A spec is a target in a table: its price, what is known of it, and the name
// that it was found under.
type spec struct {
	name       string // of the provider
	set        string
	pick       string
	weight     int64
	price      int64 // nano-dollars per million tokens, in and out; -1: not known
	ms         float64
	first      float64
	busy       int64
	errors     int64
	state      state
	small      bool
	tag, value string
}

// ranked returns the names in order.
func ranked(w wish, specs ...spec) string {
	g := &Gateway{health: NewHealth(), breaker: testBreaker, shares: newShareout(), now: func() time.Time { return start }}
	targets, small := make([]*target, len(specs)), make([]bool, len(specs))
	for i, s := range specs {
		t := &target{Provider: &Provider{Name: s.name, Tags: map[string]string{s.tag: s.value}}, model: "m", set: s.set, pick: s.pick, weight: s.weight}
		if s.price >= 0 {
			t.price, t.priced = provider.Price{Input: s.price, Output: s.price}, true
		}
		v := &vitals{seen: start, inFlight: s.busy, attempts: 100, errors: float64(s.errors) / 10}
		if s.ms > 0 {
			v.whole = mean{s.ms, 1}
		}
		if s.first > 0 {
			v.first = mean{s.first, 1}
		}
		switch s.state {
		case open:
			v.opened, v.until = start, start.Add(time.Second)
		case halfOpen:
			v.opened, v.until = start.Add(-time.Second), start
		}
		g.health.targets[t.place()] = v
		targets[i], small[i] = t, s.small
	}
	var r ranking
	g.rank(&r, &w, targets, small, start)
	var names []string
	for i := range r.n {
		names = append(names, r.at(i).Name)
	}
	return strings.Join(names, " ")
}

func TestRank(t *testing.T) {
	for _, tt := range []struct {
		name  string
		wish  wish
		specs []spec
		want  string
	}{
		{"as configured", wish{}, []spec{{name: "a"}, {name: "b"}, {name: "c"}}, "a b c"},
		{"open last, in order", wish{}, []spec{{name: "a", state: open}, {name: "b"}, {name: "c", state: open}, {name: "d", state: halfOpen}}, "b d a c"},
		{"all open", wish{}, []spec{{name: "a", state: open}, {name: "b", state: open}}, "a b"},
		{"too small behind open", wish{}, []spec{{name: "a", small: true}, {name: "b", state: open}, {name: "c"}}, "c b a"},
		{"cheapest", wish{pick: PickCheapest, input: 10}, []spec{{name: "a", price: 3}, {name: "b", price: -1}, {name: "c", price: 1}, {name: "d", price: 0}}, "d c a b"},
		{"fastest", wish{pick: PickFastest}, []spec{{name: "a", ms: 30, first: 1}, {name: "b", ms: 20, first: 9}, {name: "c", busy: 1}, {name: "d"}}, "d b a c"},
		{"fastest, stream", wish{pick: PickFastest, stream: true}, []spec{{name: "a", ms: 30, first: 1}, {name: "b", ms: 20, first: 9}}, "a b"},
		{"least busy", wish{pick: PickLeastBusy}, []spec{{name: "a", busy: 3}, {name: "b", busy: 1}, {name: "c", busy: 3}}, "b a c"},
		{"each model its own pick", wish{input: 1}, []spec{
			{name: "a", set: "x", pick: PickCheapest, price: 5}, {name: "b", set: "x", pick: PickCheapest, price: 4},
			{name: "c", set: "y", price: 3}, {name: "d", set: "y", price: 2},
			{name: "e", set: "z", pick: PickCheapest, price: 1}, {name: "f", set: "z", pick: PickCheapest, price: 0}}, "b a c d f e"},
		{"one pick for all of them", wish{pick: PickCheapest, input: 1}, []spec{
			{name: "a", set: "x", price: 5}, {name: "b", set: "x", price: 4}, {name: "c", set: "y", price: 3}}, "c b a"},
		{"weight 0 comes last", wish{pick: PickWeighted}, []spec{{name: "a"}, {name: "b", weight: 1}}, "b a"},
		{"weights of what is open do not count", wish{pick: PickWeighted}, []spec{{name: "a", weight: 1_000_000, state: open}, {name: "b", weight: 1}}, "b a"},
		{"prefer a tag", wish{prefer: []Preference{{"residency=eu", 1}}}, []spec{{name: "a"}, {name: "b", tag: "residency", value: "eu"}}, "b a"},
		{"prefer not", wish{prefer: []Preference{{"provider=a", -1}}}, []spec{{name: "a"}, {name: "b"}}, "b a"},
		{"prefer price", wish{input: 1, prefer: []Preference{{"price", 1}}}, []spec{{name: "a", price: 9}, {name: "b", price: 1}, {name: "c", price: -1}}, "b a c"},
		{"prefer latency to price", wish{input: 1, prefer: []Preference{{"price", 1}, {"latency", 2}}},
			[]spec{{name: "a", price: 1, ms: 100}, {name: "b", price: 2, ms: 50}}, "b a"},
		{"prefer price to latency", wish{input: 1, prefer: []Preference{{"price", 2}, {"latency", 1}}},
			[]spec{{name: "a", price: 1, ms: 100}, {name: "b", price: 2, ms: 50}}, "a b"},
		{"prefer few errors", wish{prefer: []Preference{{"errors", 1}}}, []spec{{name: "a", errors: 200}, {name: "b", errors: 100}, {name: "c"}}, "c b a"},
		{"prefer the idle", wish{prefer: []Preference{{"load", 1}}}, []spec{{name: "a", busy: 2}, {name: "b"}}, "b a"},
		{"prefer the first content", wish{prefer: []Preference{{"first_token", 1}}}, []spec{{name: "a", first: 200}, {name: "b", first: 100}}, "b a"},
		{"order against a tag", wish{prefer: []Preference{{"order", 3}, {"provider=c", 2}, {"provider=b", 2}}}, []spec{{name: "a"}, {name: "b"}, {name: "c"}}, "b a c"},
		{"a preference goes before the pick", wish{pick: PickCheapest, input: 1, prefer: []Preference{{"provider=a", 1}}},
			[]spec{{name: "a", price: 9}, {name: "b", price: 2}, {name: "c", price: 1}}, "a c b"},
		{"an open target in spite of a preference", wish{prefer: []Preference{{"provider=a", 1}}}, []spec{{name: "a", state: open}, {name: "b"}}, "b a"},
		{"a split goes before a preference", wish{split: &Split{Shares: []Share{{"b/m", 1}}}, prefer: []Preference{{"provider=a", 1}}}, []spec{{name: "c"}, {name: "a"}, {name: "b"}}, "b a c"},
		{"a share of several targets", wish{split: &Split{Shares: []Share{{"x", 1}}}}, []spec{{name: "a"}, {name: "b", set: "x", pick: PickFastest, ms: 9}, {name: "c", set: "x", pick: PickFastest, ms: 8}}, "c b a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ranked(tt.wish, tt.specs...); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// TestWeightsWithinShares: of the requests that a split or a preference sends to a
// model, each target gets its weight, whoever gets the others. One that is not sent
// shows whose turn it is, and takes none.
func TestWeightsWithinShares(t *testing.T) {
	for name, w := range map[string]wish{
		"split":      {split: &Split{By: "request", Shares: []Share{{"x", 1}, {"c/m", 1}}}},
		"preference": {prefer: []Preference{{"provider=c", 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := &Gateway{health: NewHealth(), breaker: testBreaker, shares: newShareout()}
			var targets []*target
			for name, weight := range map[string]int64{"a": 3, "b": 1} {
				targets = append(targets, &target{Provider: &Provider{Name: name}, model: "m", set: "x", pick: PickWeighted, weight: weight})
			}
			targets = append(targets, &target{Provider: &Provider{Name: "c"}, model: "m", set: "c/m"})
			got := map[string]int{}
			for i := range 800 {
				var r, shown ranking
				asked := w
				if i%2 > 0 {
					asked.prefer = nil
				}
				asked.peek = true
				g.rank(&shown, &asked, targets, nil, start)
				asked.peek = false
				g.rank(&r, &asked, targets, nil, start)
				got[r.at(0).Name]++
				if shown.at(0).Name != r.at(0).Name {
					t.Fatalf("request %d went to %s, %s was shown", i, r.at(0).Name, shown.at(0).Name)
				}
			}
			if got["a"] != 300 || got["b"] != 100 || got["c"] != 400 {
				t.Errorf("%v", got)
			}
		})
	}
}

// randomSpecs are targets of which anything may be known.
func randomSpecs(r *rand.Rand, n int) []spec {
	all := make([]spec, n)
	for i := range all {
		all[i] = spec{
			name: "p" + strconv.Itoa(i), set: []string{"x", "y"}[i*2/n], pick: picks[r.IntN(len(picks))], weight: r.Int64N(5),
			price: r.Int64N(5) - 1, ms: float64(r.IntN(3) * 100), first: float64(r.IntN(3) * 10), busy: r.Int64N(3),
			errors: r.Int64N(1000), state: state(r.IntN(3)), small: r.IntN(9) == 0, tag: "region", value: []string{"eu", "us"}[r.IntN(2)],
		}
	}
	return all
}

var picks = []string{"", PickOrdered, PickWeighted, PickCheapest, PickFastest, PickLeastBusy}

func randomWish(r *rand.Rand) wish {
	w := wish{pick: picks[r.IntN(len(picks))], stream: r.IntN(2) == 0, input: 100, output: 100, sticks: sticks{user: strconv.Itoa(r.IntN(100))}}
	for _, by := range []string{"price", "latency", "first_token", "load", "errors", "order", "region=eu"} {
		if r.IntN(3) == 0 {
			w.prefer = append(w.prefer, Preference{by, r.Int64N(7) - 3})
		}
	}
	if r.IntN(2) == 0 {
		w.split = &Split{By: []string{"user", "request"}[r.IntN(2)], Shares: []Share{{"p0/m", 1}, {"y", 3}, {"absent/m", 1}}}
	}
	return w
}

// Whatever is wished for: each target is there once, those that can be used come
// before those that are open, and these before those that are too small; and
// the same wish about the same targets has the same answer.
func TestRankKeepsWhatMustHold(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		specs, w := randomSpecs(r, 1+r.IntN(maxTargets)), randomWish(r)
		got := ranked(w, specs...)
		if again := ranked(w, specs...); again != got {
			t.Fatalf("%+v %+v: %s, then %s", w, specs, got, again)
		}
		names := strings.Fields(got)
		last := usable
		for _, name := range names {
			i := slices.IndexFunc(specs, func(s spec) bool { return s.name == name })
			c := usable
			switch {
			case specs[i].small:
				c = tooSmall
			case specs[i].state == open:
				c = resting
			}
			if c < last {
				t.Fatalf("%+v %+v: %s: %s is too far behind", w, specs, got, name)
			}
			last = c
		}
		slices.Sort(names)
		if names = slices.Compact(names); len(names) != len(specs) {
			t.Fatalf("%d of %d targets are left", len(names), len(specs))
		}
	}
}

// Constraints hold for every target that is tried, whatever else the policy
// says, and whatever the client asks for.
func TestConstraintsHoldForAllAttempts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	names := []string{"smart", "a/gpt-4o", "both", "c/llama", "b/claude", "cheap"}
	some := func() (list []string) {
		for range 1 + r.IntN(4) {
			list = append(list, names[r.IntN(len(names))])
		}
		return list
	}
	tried := 0
	for range 500 {
		w := randomWish(r)
		d := Decision{Prefer: w.prefer, Pick: w.pick}
		if r.IntN(2) == 0 {
			d.Require = []Condition{{"region", []string{"eu"}}}
		}
		if r.IntN(2) == 0 {
			d.Exclude = []Condition{{"provider", []string{[]string{"a", "b", "c"}[r.IntN(3)]}}}
		}
		if r.IntN(2) == 0 {
			d.Chain = some()
		}
		if r.IntN(2) == 0 {
			d.Split = &Split{By: "user"}
			for _, name := range some() {
				d.Split.Shares = append(d.Split.Shares, Share{name, 1 + r.Int64N(5)})
			}
		}
		h := newGateway(t, func(o *Options) {
			o.Policy = policyFunc(func(*Facts) (Decision, error) { return d, nil })
		})
		x, answer, f := decide(t, h, chatPath, chat(strings.Join(some(), ","), ""), "x-attache-user", w.sticks.user)
		if answer != nil {
			if answer.Status != 503 || x.record.Code != llm.CodeNoTarget {
				t.Fatalf("answered %d %s", answer.Status, answer.Body)
			}
			continue
		}
		for _, st := range x.plan.steps {
			tried++
			if len(d.Require) > 0 && st.Tags["region"] != "eu" || len(d.Exclude) > 0 && d.Exclude[0].Values[0] == st.Name {
				t.Fatalf("%+v: the plan has %s", d, st.target)
			}
		}
		if len(f.Clusters) > maxAttempts {
			t.Fatalf("%d attempts", len(f.Clusters))
		}
		x.Close(false)
	}
	if tried < 500 {
		t.Errorf("only %d attempts were looked at", tried)
	}
}

func TestBelow(t *testing.T) {
	for _, tt := range []struct {
		x, worst float64
		want     int64
	}{{0, 0, 1000}, {0, 5, 1000}, {5, 5, 0}, {100, 101, 9}, {1, 1000, 999}, {math.Inf(1), 5, 0}, {math.Inf(1), 0, 0}} {
		if got := below(tt.x, tt.worst); got != tt.want {
			t.Errorf("below(%v, %v) = %d, want %d", tt.x, tt.worst, got, tt.want)
		}
	}
}

func BenchmarkRank(b *testing.B) {
	g := &Gateway{health: NewHealth(), breaker: testBreaker, shares: newShareout()}
	var targets []*target
	for i := range 20 {
		t := &target{Provider: &Provider{Name: fmt.Sprintf("provider-%d", i), Tags: map[string]string{"region": "eu"}}, model: "model", weight: 1, priced: true, price: provider.Price{Input: int64(i)}}
		targets = append(targets, t)
		v := g.health.begin(t.place(), start, &g.breaker)
		g.health.succeeded(v, outcome{begun: start, now: start.Add(time.Duration(i) * time.Millisecond), timed: true}, &g.breaker)
		g.health.end(v)
	}
	now := start.Add(time.Second)
	for name, w := range map[string]wish{
		"ordered":  {},
		"fastest":  {pick: PickFastest},
		"weighted": {pick: PickWeighted},
		"prefer":   {prefer: []Preference{{"latency", 2}, {"price", 1}, {"region=eu", 5}}, input: 10},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var r ranking
				g.rank(&r, &w, targets, nil, now)
			}
		})
	}
}
