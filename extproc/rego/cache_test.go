package rego

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/rego"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// various uses the input in every way that a key has to tell apart. The rules
// stand apart by empty lines.
const various = `deny contains {"code": "large"} if input.request.bytes > 5000

deny contains {"code": "many"} if {
	n := input.request.messages
	n >= 10
	n != 15
}

deny contains {"code": "over"} if input.request.tokens.input > input.request.max_tokens

deny contains {"code": "shell"} if input.request.tools.shell

deny contains {"code": "late"} if {
	input.time.hour in {22, 23}
	not input.caller.roles.admin
}

deny contains {"code": "suspicious"} if input.guards.pii.scores.risk >= 500

deny contains {"code": "ssn"} if input.guards.pii.labels.ssn

deny contains {"code": "no_pii"} if not input.guards.pii

deny contains {"code": "group"} if "b" in input.caller.claims.groups

deny contains {"code": "level"} if input.caller.claims.level == 3

deny contains {"code": "header"} if input.request.headers["x-tenant"] == "t1"

deny contains {"code": "hot", "message": input.user} if input.request.temperature_milli > 1000

route contains {"require": {"residency": input.properties.residency}}

route contains {"prefer": "price", "weight": count(input.candidates)} if count(input.candidates) > 1

route contains {"exclude": {"model": c.model}} if {
	some c in input.candidates
	c.output_price > 5
	c.state != "open"
}

route contains {"timeout_ms": 500} if {
	every c in input.candidates {
		c.tags.region == "eu"
	}
}

label contains {k: v} if some k, v in input.properties

label contains {"roles": concat(",", sort([r | some r, _ in input.caller.roles]))}

modify contains {"path": "/max_tokens", "max": 100 * input.request.images} if input.request.images > 0

deny contains {"code": code} if {
	some code, tools in {"mail": {"mail", "post"}, "search": {"search"}}
	some t in tools
	input.request.tools[t]
	input.caller.labels[code] == "off"
}

guard contains {"name": "pii"} if tight(input.caller)
tight(caller) if caller.org == "acme"
tight(caller) if caller.labels.tier == "free"

log contains {"level": "none"} if {
	r := input.request
	r.stream
	r.files > 2
}

log contains {"level": "meta"} if {
	_ = input.caller.labels
	c := input.request
	_ = c
	_ = input.session
}

route contains {"exclude": {"model": ["m", input.user]}, "timeout_ms": input.request.max_tokens} if {
	input.request.max_tokens > 0
	input.user != ""
}

label contains {"tenant": input.request.headers["x-tenant"], "tier": input.caller.labels.tier, "mail": input.properties.mail}

header contains {"name": "x-team", "value": input.caller.team} if input.caller.team != ""

cache contains {"mode": "off"} if input.time.weekday == "sunday"

route contains {"chain": ["cheap"]} if input.budgets.team.left_permille < 200

label contains {"budget": input.budgets.team.state} if input.budgets.team.state != "ok"

deny contains {"code": "burst"} if {
	some name
	input.limits[name].left_permille < 100
}

modify contains {"path": "/max_tokens", "max": 100} if input.limits.key.tokens_left < 400

deny contains {"code": "busy"} if not input.limits.tenant.concurrent_left > 0

route contains {"exclude": {"target": [sprintf("%s/%s", [c.provider, c.model]) | some c in input.candidates; c.left_permille < 500]}} if {
	some c in input.candidates
	c.left_permille < 500
}

limit contains {"per": "team", "cost_nano": 5000000, "window": w} if w := {"free": "day", "gold": "month"}[input.caller.labels.tier]

limit contains {"per": "user", "requests": limit, "window_s": 60} if limit := {"free": 5, "gold": 50}[input.caller.labels.tier]
`

// wild are random facts, of few values each so that keys come again.
func wild(r *rand.Rand) *gateway.Facts {
	f := imagine(r, 2+r.IntN(100), &Options{Limits: limited, Budgets: budgeted})
	few := func(ns ...int64) int64 { return ns[r.IntN(len(ns))] }
	f.Now = time.Unix(1795267800+3600*r.Int64N(48), 0)
	f.Bytes, f.Messages, f.InputTokens, f.MaxTokens = few(0, 5000, 5001), int(few(1, 9, 10, 11, 15, 16)), few(0, 100, 101), few(0, 100)
	f.Temperature, f.Images, f.Files = few(-1, 1000, 1001), int(few(0, 0, 1, 2)), int(few(0, 2, 3))
	f.User = []string{"u1", "u2"}[r.IntN(2)]
	f.Properties = map[string]string{}
	if r.IntN(2) == 0 {
		f.Properties["residency"] = []string{"eu", "us", ""}[r.IntN(3)]
	}
	f.Headers[0].Name, f.Headers[0].Value = "x-tenant", []string{"t1", "t2"}[r.IntN(2)]
	f.Caller.Claims = wildClaims(r)
	f.Caller.Labels = map[string]string{"tier": []string{"free", "gold", "none"}[r.IntN(3)], "mail": []string{"on", "off"}[r.IntN(2)]}
	for name, l := range f.Budgets {
		l.Left.CostNano = few(0, l.Max.CostNano/1001, l.Max.CostNano/11, l.Max.CostNano/10, l.Max.CostNano/5, l.Max.CostNano)
		f.Budgets[name] = l
	}
	f.Guards = map[string]gateway.Verdict{}
	if r.IntN(3) > 0 {
		f.Guards["pii"] = gateway.Verdict{Action: "allow", Labels: []string{"email", "ssn"}[:r.IntN(3)], Scores: map[string]float64{"risk": []float64{0.4994, 0.4996, 0.5, 0.9}[r.IntN(4)]}}
	}
	return f
}

// TestLikePlainRules compares decisions, cached ones among them, with those of
// the rules as OPA evaluates them, on random requests: a few rules at a time, so
// that keys come again and it is over soon.
func TestLikePlainRules(t *testing.T) {
	const together = 3
	n := 100_000
	if testing.Short() || underRace {
		n = 5_000
	}
	all := strings.Split(various, "\n\n")
	var hits atomic.Int64
	groups := (len(all) + together - 1) / together
	t.Run("group", func(t *testing.T) {
		for i := range groups {
			text := strings.Join(all[i*together:min(len(all), (i+1)*together)], "\n\n")
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				hits.Add(likePlain(t, text, n/groups, uint64(i)))
			})
		}
	})
	if hits.Load() < int64(n)/10 {
		t.Errorf("only %d hits, so little of the cache is tried", hits.Load())
	}
}

// likePlain returns how many decisions came from the cache.
func likePlain(t *testing.T, text string, n int, seed uint64) int64 {
	p, plain := twins(t, "package attache.request\n\nimport rego.v2\n\n"+text)
	if p.cache == nil {
		t.Fatal(p.warnings)
	}
	everything := project(onRequest, all)
	r := rand.New(rand.NewPCG(7, seed))
	for range n {
		f := wild(r)
		in := everything.term(f).Value
		want, wantErr := plain(in)
		got, err := p.Decide(t.Context(), f)
		got.Rules, got.Speaks, got.Limits = nil, gateway.Speaks{}, slices.Clone(got.Limits)
		for i := range got.Limits {
			got.Limits[i].By = gateway.Says{}
		}
		if got.Deny != nil {
			deny := *got.Deny
			deny.Rule = ""
			got.Deny = &deny
		}
		if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
			t.Fatalf("input %v\nhave %s, %v\nwant %s, %v", in, show(got), err, show(want), wantErr)
		}
	}
	if p.cache.wrong.Load() {
		t.Error("the cache was taken out of use")
	}
	return p.cache.total.Load()
}

// twins loads rules twice: as a policy, and as a function that has OPA evaluate
// the sets of the verbs one by one and joins them.
func twins(t *testing.T, text string) (*Policy, func(ast.Value) (gateway.Decision, error)) {
	t.Helper()
	p, err := Load(t.Context(), Options{FS: fstest.MapFS{"a.rego": {Data: []byte(text)}}, Default: Allow, Deadline: time.Minute, Off: defaults, Guards: []string{"pii"}, Limits: limited, Budgets: budgeted})
	if err != nil {
		t.Fatal(err)
	}
	q, err := opa.New(opa.Query(`data.attache.request`), opa.Module("a.rego", text), opa.StrictBuiltinErrors(true)).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p, func(in ast.Value) (gateway.Decision, error) {
		rs, err := q.Eval(t.Context(), opa.EvalParsedInput(in), opa.EvalGenerateJSON(term))
		if err != nil {
			return gateway.Decision{}, err
		}
		var sum fold
		var failed error
		rs[0].Expressions[0].Value.(*ast.Term).Value.(ast.Object).Foreach(func(k, v *ast.Term) {
			verb := verbs[string(k.Value.(ast.String))]
			set, ok := v.Value.(ast.Set)
			if verb == nil || !ok {
				return
			}
			set.Foreach(func(head *ast.Term) {
				e, err := verb.decode(head.Value, guardNames{input: []string{"pii"}}, false)
				if err != nil {
					failed = err
					return
				}
				sum.add(&rule{verb: verb}, e)
			})
		})
		if failed != nil {
			return gateway.Decision{}, failed
		}
		sum.rules = nil
		return sum.decision(false)
	}
}

// TestKeys: what rules cannot tell apart has one key, all else has two.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		name, rules string
		change      func(*gateway.Facts)
		same        bool
	}{
		{"a role that is read", `deny contains {} if input.caller.roles.ops`, func(f *gateway.Facts) { f.Caller.Roles = []string{"dev", "admin", "ops"} }, false},
		{"a role that is not", `deny contains {} if input.caller.roles.ops`, func(f *gateway.Facts) { f.Caller.Roles = []string{"x"} }, true},
		{"all roles", `deny contains {} if count(input.caller.roles) == 9`, func(f *gateway.Facts) { f.Caller.Roles = []string{"x"} }, false},
		{"roles in another order", `deny contains {} if count(input.caller.roles) == 9`, func(f *gateway.Facts) { f.Caller.Roles = []string{"admin", "dev"} }, true},
		{"a claim", `deny contains {} if input.caller.claims.level == 4`, func(f *gateway.Facts) { f.Caller.Claims = map[string]any{"level": 4} }, false},
		{"another claim", `deny contains {} if input.caller.claims.level == 4`, func(f *gateway.Facts) { f.Caller.Claims = map[string]any{"level": 3, "sub": "x"} }, true},
		{"between two bounds", "deny contains {} if input.request.bytes > 9000\n\ndeny contains {} if input.request.bytes < 10", func(f *gateway.Facts) { f.Bytes = 9000 - 1 }, true},
		{"on a bound", `deny contains {} if input.request.bytes >= 9000`, func(f *gateway.Facts) { f.Bytes = 9000 }, false},
		{"in arithmetic", `deny contains {} if input.request.bytes + 1 > 9000`, func(f *gateway.Facts) { f.Bytes++ }, false},
		{"the larger of two", `deny contains {} if input.request.tokens.input > input.request.max_tokens`, func(f *gateway.Facts) { f.InputTokens, f.MaxTokens = 5, 6 }, true},
		{"the smaller of two", `deny contains {} if input.request.tokens.input > input.request.max_tokens`, func(f *gateway.Facts) { f.InputTokens = 2001 }, false},
		{"a model's price", "deny contains {} if {\n\tsome c in input.candidates\n\tc.input_price > 5\n}", func(f *gateway.Facts) { f.Candidates[0].LatencyMS++ }, true},
		{"a model's latency, on the same side", "deny contains {} if {\n\tsome c in input.candidates\n\tc.latency_ms > 5\n}", func(f *gateway.Facts) { f.Candidates[0].LatencyMS++ }, true},
		{"on the other side", "deny contains {} if {\n\tsome c in input.candidates\n\tc.latency_ms > 5\n}", func(f *gateway.Facts) { f.Candidates[0].LatencyMS = 4 }, false},
		{"of another candidate", "deny contains {} if 5 < input.candidates[_].latency_ms", func(f *gateway.Facts) {
			f.Candidates[0], f.Candidates[1] = f.Candidates[1], f.Candidates[0]
		}, false},
		{"at a place that is read", "deny contains {} if input.candidates[input.request.files].latency_ms > 5", func(f *gateway.Facts) { f.Files++ }, false},
		{"in every candidate", "deny contains {} if {\n\tevery c in input.candidates {\n\t\tc.in_flight < 90\n\t}\n}", func(f *gateway.Facts) { f.Candidates[1].InFlight++ }, true},
		{"one more of them", "deny contains {} if input.candidates[_].latency_ms > 5", func(f *gateway.Facts) { f.Candidates = append(f.Candidates, f.Candidates[0]) }, false},
		{"two latencies", "deny contains {} if input.candidates[0].latency_ms > input.candidates[1].latency_ms", func(f *gateway.Facts) { f.Candidates[0].LatencyMS++ }, false},
		{"a latency in a head", "label contains {\"l\": format_int(c.latency_ms, 10)} if {\n\tsome c in input.candidates\n\tc.latency_ms > 5\n}", func(f *gateway.Facts) { f.Candidates[0].LatencyMS++ }, false},
		{"the whole of a candidate", `deny contains {} if json.marshal(input.candidates[0]) == ""`, func(f *gateway.Facts) { f.Candidates[1].InFlight++ }, false},
		{"whether there are any", "deny contains {} if input.candidates == []", func(f *gateway.Facts) { f.Candidates[0].InFlight++ }, true},
		{"that there are any", "deny contains {} if [] != input.candidates", func(f *gateway.Facts) { f.Candidates = nil }, false},
		{"whether they are others", "deny contains {} if input.candidates != [1]", func(f *gateway.Facts) { f.Candidates[0].InFlight++ }, false},
		{"how many there are", "deny contains {} if some _ in input.candidates", func(f *gateway.Facts) { f.Candidates = nil }, false},
		{"a part in a head", `label contains {"a": input.properties.residency}`, func(f *gateway.Facts) { f.Properties["residency"] = "us" }, false},
		{"whether it is there", "deny contains {} if _ = input.properties.residency", func(f *gateway.Facts) { f.Properties = nil }, false},
		{"names of properties", "deny contains {} if {\n\tsome k, _ in input.properties\n\tk == \"x\"\n}", func(f *gateway.Facts) { f.Properties["x"] = "" }, false},
		{"a guard's score", `deny contains {} if input.guards.pii.scores.risk > 900`, func(f *gateway.Facts) { f.Guards = nil }, false},
		{"another part of a budget, on the same side", `deny contains {} if input.budgets.team.left_permille < 40`, func(f *gateway.Facts) { spend(f, "team", 170e9) }, true},
		{"on the other side", `deny contains {} if input.budgets.team.left_permille < 50`, func(f *gateway.Facts) { spend(f, "team", 190e9) }, false},
		{"a budget that is not there", `deny contains {} if input.budgets.team.left_permille < 50`, func(f *gateway.Facts) { f.Budgets = nil }, false},
		{"the state of a budget", `deny contains {} if input.budgets.team.state == "low"`, func(f *gateway.Facts) { spend(f, "team", 185e9) }, true},
		{"another state", `deny contains {} if input.budgets.team.state == "low"`, func(f *gateway.Facts) { spend(f, "team", 200e9) }, false},
		{"when a budget begins anew", `deny contains {} if input.budgets.team.resets_s > 60`, func(f *gateway.Facts) { f.Now = f.Now.Add(-time.Minute) }, false},
		{"any limit", "deny contains {} if {\n\tsome name\n\tinput.limits[name].left_permille < 5\n}", func(f *gateway.Facts) { delete(f.Limits, "tenant") }, false},
		{"a candidate's limits", "deny contains {} if {\n\tsome c in input.candidates\n\tc.left_permille < 5\n}", func(f *gateway.Facts) { f.Candidates[0].LeftPermille = 3 }, false},
		{"in a text", "label contains {\"a\": $\"x {input.session}\"}", func(f *gateway.Facts) { f.Session = "s2" }, false},
		{"a function's argument", "f(r) if r.files > 3\n\ndeny contains {} if f(input.request)", func(f *gateway.Facts) { f.Files = 1 }, false},
		{"not", "deny contains {} if not input.request.bytes > 9000", func(f *gateway.Facts) { f.Bytes = 9001 }, false},
		{"texts that run into each other", "deny contains {\"message\": input.user} if input.session != \"\"", func(f *gateway.Facts) { f.Session, f.User = "s1e", "nd-user" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := rules(t, Allow, c.rules)
			before := p.cache.keyer.key(nil, facts())
			f := facts()
			c.change(f)
			if after := p.cache.keyer.key(nil, f); bytes.Equal(before, after) != c.same {
				t.Errorf("keys %x and %x; reads %q", before, after, p.request.paths)
			}
		})
	}
}

// spend sets what is used of a budget.
func spend(f *gateway.Facts, name string, nano int64) {
	l := f.Budgets[name]
	l.Used.CostNano, l.Left.CostNano = nano, l.Max.CostNano-nano
	f.Budgets[name] = l
}

func TestNotCached(t *testing.T) {
	for text, want := range map[string]string{
		`deny contains {} if json.marshal(input) == ""`: "attache.request: decisions are not cached: the whole input is read",
		`deny contains {} if time.now_ns() < 0`:         "attache.request: decisions are not cached: time.now_ns gives another result each time",
	} {
		dir := fstest.MapFS{"a.rego": {Data: []byte("package attache.request\n\nimport rego.v2\n\n" + text)}}
		p, err := Load(t.Context(), Options{FS: dir, Default: Allow, Deadline: time.Minute, Builtins: []string{"time.now_ns"}})
		if err != nil {
			t.Fatal(err)
		}
		if p.cache != nil || !strings.Contains(strings.Join(p.Warnings(), "\n"), want) {
			t.Errorf("%s: cached %v, warnings %q", text, p.cache != nil, p.Warnings())
		}
	}
}

// TestCachePays: a cache that finds little is given up for a while.
func TestCachePays(t *testing.T) {
	p := rules(t, Allow, `deny contains {"message": input.user} if input.user == "nobody"`)
	ask := func(user string) {
		f := facts()
		f.User = user
		if _, err := p.Decide(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	for i := range cacheWindow {
		ask(fmt.Sprint(i % 50))
	}
	if p.cache.rest.Load() != 0 {
		t.Fatal("given up, though nearly all was found")
	}
	for i := range cacheWindow {
		ask(fmt.Sprint("x", i))
	}
	if p.cache.rest.Load() == 0 {
		t.Fatal("not given up, though nothing was found")
	}
	if len(p.cache.young)+len(p.cache.old) != 0 {
		t.Error("it keeps what it does not use")
	}
	p.cache.rest.Store(1)
	ask("x")
	ask("x")
	if len(p.cache.young) != 1 {
		t.Error("it was not tried again")
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newDecisions(&keyer{})
	first := &gateway.Decision{Pick: "first"}
	for i := range 3 * cacheSize {
		c.put(fmt.Append(nil, "k", i), &gateway.Decision{})
		if i%100 == 0 { // used all the time
			if d, _ := c.get([]byte("first")); i > 0 && d != first {
				t.Fatalf("after %d others what is used all the time is gone", i)
			}
			c.put([]byte("first"), first)
		}
		if n := len(c.young) + len(c.old); n > cacheSize {
			t.Fatalf("%d decisions are held", n)
		}
	}
}

// TestWrongCache: one hit in a thousand is compared with the rules, and a
// difference ends the use of the cache.
func TestWrongCache(t *testing.T) {
	var log bytes.Buffer
	p := rules(t, Allow, `deny contains {"code": "d"} if input.user == "end-user"`)
	p.log = slog.New(slog.NewTextHandler(&log, nil))
	p.cache.put(p.cache.keyer.key(nil, facts()), &gateway.Decision{Rules: []string{"another"}})
	for i := range checkEvery {
		d, err := p.Decide(t.Context(), facts())
		if err != nil || (d.Deny == nil) != (i < checkEvery-1) {
			t.Fatalf("%d: %s, %v", i, show(d), err)
		}
	}
	if !p.cache.wrong.Load() || !strings.Contains(log.String(), "another") {
		t.Errorf("in use %v, log %q", !p.cache.wrong.Load(), log.String())
	}
}

// BenchmarkCached is a decision that was made before, with the building of the
// key.
func BenchmarkCached(b *testing.B) {
	text, err := os.ReadFile("testdata/fifteen.rego")
	if err != nil {
		b.Fatal(err)
	}
	for _, more := range []int{0, 50, 500} {
		b.Run(fmt.Sprintf("rules=%d", 15+more), func(b *testing.B) {
			p := indexed(b, string(text), more)
			f, ctx := facts(), b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Decide(ctx, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
