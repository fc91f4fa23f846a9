package rego

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// TestTeams: a team's rules hold for that team alone.
func TestTeams(t *testing.T) {
	dir := fstest.MapFS{
		"a.rego": {Data: []byte("package attache.request\n\nlabel contains {\"all\": \"1\"} if input.request.op == \"chat\"\n")},
		"teams/red-1/a.rego": {Data: []byte(`package attache.team["red-1"].request

import data.attache.team["red-1"].help

deny contains {"code": "red"} if help.large
`)},
		"teams/red-1/help.rego": {Data: []byte("package attache.team[\"red-1\"].help\n\nlarge if input.request.bytes > 10\n")},
		"teams/blue/a.rego":     {Data: []byte("package attache.team.blue.response\n\nlabel contains {\"blue\": \"1\"}\n")},
	}
	p, err := Load(t.Context(), Options{FS: dir, Default: Allow, Deadline: time.Minute, Off: defaults, Teams: map[string][]string{"red-1": {"deny"}, "blue": {"label"}}})
	if err != nil {
		t.Fatal(err)
	}
	for team, want := range map[string]string{"red-1": "red", "red-2": "", "blue": "", "": ""} {
		f := facts()
		f.Caller.Team, f.Record = team, &gateway.Record{}
		d, err := p.Decide(t.Context(), f)
		if err != nil || (d.Deny != nil) != (want != "") || d.Labels["all"] != "1" {
			t.Errorf("%q: %s, %v", team, show(d), err)
		}
		r, err := p.Review(t.Context(), f)
		if err != nil || (r.Labels["blue"] == "1") != (team == "blue") {
			t.Errorf("%q after the response: %+v, %v", team, r, err)
		}
	}
}

// TestReviewAndAdmit has the entry points besides attache.request.
func TestReviewAndAdmit(t *testing.T) {
	dir := fstest.MapFS{
		"a.rego": {Data: []byte(`package attache.response

import rego.v2

label contains {"slow": "yes"} if input.response.duration_ms > 1000

log contains {"level": "none", "redact": ["/user", "/properties/a"]} if input.response.finish == "length"

log contains {"redact": "/session"}

cache contains {"ttl_s": 60, "scope": "team"}

cache contains {"mode": "off", "scope": "user"} if input.response.truncated
`)},
		"b.rego": {Data: []byte("package attache.admin\n\ndeny contains {\"code\": \"readonly\", \"status\": 405} if input.admin.method == \"DELETE\"\n")},
	}
	p, err := Load(t.Context(), Options{FS: dir, Default: Deny, Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	f := facts()
	f.Record = &gateway.Record{Duration: 2 * time.Second, Finish: "length", Truncated: true}
	got, err := p.Review(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	want := gateway.Review{
		Cache:  &gateway.CacheUse{Mode: "off", TTLS: 60, Scope: "user"},
		Log:    gateway.LogUse{Level: "none", Redact: []string{"/properties/a", "/session", "/user"}},
		Labels: map[string]string{"slow": "yes"},
		Rules:  []string{"a.rego:11", "a.rego:5", "a.rego:7", "a.rego:9", "a.rego:13"},
	}
	slices.Sort(want.Rules)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("have %+v\nwant %+v", got, want)
	}
	for _, c := range []struct {
		method, role, want string
	}{{"GET", "admin", ""}, {"GET", "dev", "admin_only"}, {"DELETE", "admin", "readonly"}} {
		f := &gateway.Facts{Caller: gateway.Caller{Roles: []string{c.role}}, Admin: &gateway.AdminCall{Method: c.method, Path: "/api/keys"}}
		d, err := p.Admit(t.Context(), f)
		if err != nil || (d == nil) != (c.want == "") || d != nil && d.Code != c.want {
			t.Errorf("%+v: %+v, %v", c, d, err)
		}
	}
}

// TestVerbs folds the verbs that no other test does.
func TestVerbs(t *testing.T) {
	p := rules(t, Allow, `
header contains {"name": "x-team", "value": input.caller.team}

header contains {"name": "x-team", "value": "search"}

header contains {"on": "response", "name": "x-team", "op": "remove"}

guard contains {"name": "pii"}

guard contains {"name": "pii", "on": "input"} if input.request.stream

limit contains {"per": "user", "requests": 5, "tokens": 100, "window_s": 60}

limit contains {"per": "user", "requests": 9, "cost_nano": 7, "window_s": 60}

limit contains {"per": "property.tenant", "concurrent": 0}

cache contains {"mode": "semantic", "ttl_s": 60}

cache contains {"mode": "exact", "ttl_s": 70, "scope": "org"}

log contains {"level": "meta", "redact": "/user"}

log contains {"level": "full"}

route contains {"prefer": "price", "weight": 2, "pick": "fastest"}

route contains {"prefer": "price"}

route contains {"prefer": "residency=eu", "split": {"by": "user", "shares": {"b/n": 9, "a/m": 1}}}

# METADATA
# custom: {priority: 2}
label contains {"kind": "high"}

label contains {"kind": "low"}`)
	got, err := p.Decide(t.Context(), facts())
	if err != nil {
		t.Fatal(err)
	}
	got.Rules, got.Speaks = nil, gateway.Speaks{}
	want := gateway.Decision{
		Headers: []gateway.HeaderChange{{Name: "x-team", Value: "search"}, {Name: "x-team", Response: true, Remove: true}},
		Guards:  []string{"pii"},
		Limits: []gateway.Limit{
			{Per: "property.tenant", Requests: -1, Tokens: -1, CostNano: -1, By: gateway.Says{Concurrent: "a.rego:20"}},
			{Per: "user", WindowS: 60, Requests: 5, Tokens: 100, CostNano: 7, Concurrent: -1, By: gateway.Says{Requests: "a.rego:16", Tokens: "a.rego:16", CostNano: "a.rego:18"}},
		},
		Cache:  &gateway.CacheUse{Mode: "exact", TTLS: 60, Scope: "org"},
		Log:    gateway.LogUse{Level: "meta", Redact: []string{"/user"}},
		Prefer: []gateway.Preference{{By: "price", Weight: 3}, {By: "residency=eu", Weight: 1}},
		Pick:   "fastest",
		Split:  &gateway.Split{By: "user", Shares: []gateway.Share{{Target: "a/m", Weight: 1}, {Target: "b/n", Weight: 9}}},
		Labels: map[string]string{"kind": "high"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("have %s\nwant %s", show(got), show(want))
	}
}

// TestEvaluate: all that led to a decision.
func TestEvaluate(t *testing.T) {
	p := rules(t, Allow, "# METADATA\n# custom: {id: no}\ndeny contains {\"code\": \"x\"} if input.request.bytes > 5\n\nlabel contains {\"user\": input.user}")
	v, err := p.Evaluate(t.Context(), facts())
	if err != nil {
		t.Fatal(err)
	}
	want := []gateway.Effect{{Rule: "no", Place: "a.rego:7", Verb: "deny", Head: []byte(`{"code":"x"}`)}, {Rule: "a.rego:9", Place: "a.rego:9", Verb: "label", Head: []byte(`{"user":"end-user"}`)}}
	if !reflect.DeepEqual(v.Rules, want) || string(v.Input) != `{"request":{"bytes":5321},"user":"end-user"}` || v.Decision.Deny == nil || len(v.Key) == 0 {
		t.Errorf("have %s %s %q %s", v.Rules, v.Input, v.Key, show(v.Decision))
	}
}

// TestWarnings has what is doubtful, but no reason to refuse rules.
func TestWarnings(t *testing.T) {
	dir := fstest.MapFS{"a.rego": {Data: []byte(`package attache.request

deny contains {} if input.request.bytes > 5

deny contains {"message": sprintf("%s", [input.user])} if input.user == "x"

deny contains {} if {
	input.user == "x"
	not startswith(lower(input.session), "a")
	input.request.bytes * 1.5 > 7
}

route contains {"chain": ["a"]} if input.request.op == "chat"

route contains {"chain": ["b"]} if input.request.stream
`)}, "attache/mine.rego": {Data: []byte("package x\n")}}
	p, err := Load(t.Context(), Options{FS: dir, Default: Allow, Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"attache/mine.rego: left out; what is in attache is built into the program",
		"a.rego:5: sprintf in the head",
		"a.rego:9: not f(g(x)) is false",
		"a.rego:10: arithmetic on the fraction 1.5",
		`chain contradicts`,
	}
	for _, w := range want {
		if !slices.ContainsFunc(p.Warnings(), func(have string) bool { return strings.Contains(have, w) }) {
			t.Errorf("no warning %q in %q", w, p.Warnings())
		}
	}
	if len(p.Warnings()) != len(want) {
		t.Errorf("warnings %q", p.Warnings())
	}
}

// TestManyOfAKind: what costs little once is a warning where there is much of it.
func TestManyOfAKind(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{"deny contains {} if input.request.bytes > %d\n\n", "11 rules have no condition that can be indexed"},
		{"deny contains {} if {\n\tinput.user == \"u%d\"\n\tsome c in input.candidates\n\tc.model == \"x\"\n}\n\n", "11 rules go through arrays of the input"},
		{"deny contains {} if {\n\tinput.user == \"u%d\"\n\tdata.attache.config[input.session]\n}\n\n", "11 rules look up data"},
	} {
		text := ""
		for i := range manyLookups + 1 {
			text += fmt.Sprintf(c.rule, i)
		}
		if got := strings.Join(rules(t, Allow, text).Warnings(), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("want %s, have %q", c.want, got)
		}
	}
	p, err := Load(t.Context(), Options{FS: os.DirFS("../../policies"), Default: Allow, Deadline: time.Minute})
	if err != nil || len(p.Warnings()) != 0 {
		t.Errorf("the shipped rules: %v, %v", p.Warnings(), err)
	}
}

// TestRecent: new rules are tried on what came lately.
func TestRecent(t *testing.T) {
	var recent Recent
	load := func(text string) (*Policy, error) {
		return Load(t.Context(), Options{FS: fstest.MapFS{"a.rego": {Data: []byte("package attache.request\n\n" + text)}}, Default: Allow, Deadline: time.Minute, Off: defaults, Recent: &recent})
	}
	p, err := load(`deny contains {"message": input.user} if input.user == "nobody"`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Decide(t.Context(), facts()); err != nil {
		t.Fatal(err)
	}
	_, err = load("deny contains {} if {\n\tinput.user == \"end-user\"\n\tto_number(input.user) > 3\n}")
	if want := "on a request of late"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("have %v, want %s", err, want)
	}
	if _, err := load("deny contains {} if {\n\tinput.session == \"s1\"\n\tinput.user == \"end-user\"\n\tto_number(input.user) > 3\n}"); err != nil {
		t.Errorf("tried on inputs that do not have all it reads: %v", err)
	}
}

// TestLastGood: what was loaded is kept, what was refused is not.
func TestLastGood(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run", "policy.zip")
	o := Options{FS: fstest.MapFS{
		"a.rego":      {Data: []byte("package attache.request\n\ndeny contains {\"code\": \"old\"} if data.attache.config.on\n")},
		"data/c.yaml": {Data: []byte("on: true\n")},
	}, Default: Allow, Deadline: time.Minute, LastGood: file}
	if _, err := LoadLastGood(t.Context(), o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is none yet: %v", err)
	}
	first, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.FS = fstest.MapFS{"a.rego": {Data: []byte("package attache.request\n\ndeny contains {")}}
	if _, err := Load(t.Context(), o); err == nil {
		t.Fatal("loaded")
	}
	p, err := LoadLastGood(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := p.Decide(t.Context(), facts()); err != nil || d.Deny == nil || d.Deny.Code != "old" || p.Revision() != first.Revision() {
		t.Errorf("have %s, %v, revision %s", show(d), err, p.Revision())
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("files %v, %v", entries, err)
	}
}

// TestSlowRuleIsNamed: one is looked for once in a while; in between it is the one
// that was found last, as the error says.
func TestSlowRuleIsNamed(t *testing.T) {
	p := within(t, Allow, "# METADATA\n# custom: {id: slow}\n"+endless+"\n\ndeny contains {\"code\": \"other\"} if input.request.bytes > 5", 20*time.Millisecond)
	_, err := p.Decide(t.Context(), facts())
	if want := "rego: a.rego:7 (slow): no decision after 20ms: context deadline exceeded"; err == nil || err.Error() != want {
		t.Errorf("have %v\nwant %s", err, want)
	}
	_, err = p.Decide(t.Context(), facts())
	if want := "rego: a.rego:7 (slow), the slow rule that was found last: no decision after 20ms: context deadline exceeded"; err == nil || err.Error() != want || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("have %v\nwant %s", err, want)
	}
	var e *gateway.PolicyError
	if !errors.As(err, &e) || e.Fault != gateway.FaultDeadline || e.Rule != "a.rego:7 (slow)" {
		t.Errorf("have %+v", e)
	}
	another := within(t, Allow, endless, 20*time.Millisecond)
	another.request.diagnosed.Store(time.Now().UnixNano()) // as if it had just looked and found nothing
	_, err = another.Decide(t.Context(), facts())
	if want := "rego: no decision after 20ms: context deadline exceeded"; err == nil || err.Error() != want {
		t.Errorf("of other rules: have %v\nwant %s", err, want)
	}
}

// FuzzDecode feeds the decoder what no rule should say.
func FuzzDecode(f *testing.F) {
	for name := range verbs {
		for _, head := range []string{`{}`, `{"path": "/n", "max": 1}`, `{"split": {"by": "user", "shares": {"a": 1}}}`, `{"redact": [1]}`, `{"name": 1, "on": []}`, `{"require": {"a": ["b", 1]}}`, `[]`, `"x"`} {
			f.Add(name, head)
		}
	}
	f.Fuzz(func(t *testing.T, name, head string) {
		v := verbs[name]
		term, err := ast.ParseTerm(head)
		if v == nil || err != nil {
			t.Skip()
		}
		e, err := v.decode(term.Value, guardNames{input: []string{"pii"}, output: []string{"pii"}}, false)
		if (e == nil) == (err == nil) {
			t.Fatalf("effect %v, error %v", e, err)
		}
		if err == nil {
			var sum fold
			sum.add(&rule{verb: v}, e)
			_, _ = sum.decision(false)
		}
	})
}

// TestNames: constants that name what is not configured are found at load.
func TestNames(t *testing.T) {
	dir := fstest.MapFS{"a.rego": {Data: []byte(`package attache.request

route contains {"require": {"provider": ["openai", "opnai"]}}

route contains {"exclude": {"target": "opnai/gpt"}, "timeout_ms": input.request.messages}

route contains {"chain": ["smart", "smrt"]}

route contains {"split": {"by": "user", "shares": {"openai/a": 1, "nobody/b": 1}}}

route contains {"require": {"residency": "eu", "target": "openai/gpt"}}

route contains {"exclude": {"provider": input.user}}

route contains {"prefer": "provider=opnai"}
`)}}
	o := Options{FS: dir, Default: Allow, Deadline: time.Second, Off: defaults, Providers: []string{"openai"}, Tags: map[string][]string{},
		Serves: gateway.Serves([]string{"smart"}, []gateway.Provider{{Name: "openai", Models: []string{"gpt-*"}}})}
	_, err := Load(t.Context(), o)
	const want = `rego: load: a.rego:3: route: there is no provider "opnai"; want openai
a.rego:5: route: there is no provider "opnai"; want openai
a.rego:7: route: no configured provider serves the model "smrt"
a.rego:9: route: no configured provider serves the model "nobody/b"
a.rego:15: route: there is no provider "opnai"; want openai`
	if err == nil || err.Error() != want {
		t.Errorf("have %v\nwant %s", err, want)
	}
}

// TestUnknownTags: constants that no provider has as a tag are doubtful.
func TestUnknownTags(t *testing.T) {
	dir := fstest.MapFS{"a.rego": {Data: []byte(`package attache.request

import rego.v2

route contains {"require": {"residency": "eu", "region": "eu-central-1"}} if input.request.stream

route contains {"require": {"residncy": "eu"}} if input.request.stream

route contains {"exclude": {"residency": ["us", "ue", "mars"]}, "chain": ["smart"]}

route contains {"prefer": "region=eu-central-2"}

route contains {"prefer": "model=gpt-4o-mino", "weight": 2}

route contains {"exclude": {"model": ["gpt-4o-mini", "gpt-4o", "llama3.3", "mistral"]}}

route contains {"require": {"residency": input.properties.residency, "zone": "a"}} if input.user == "u"
`)}}
	o := Options{
		FS: dir, Default: Allow, Deadline: time.Second, Off: defaults, Providers: []string{"openai", "local"},
		Tags:    map[string][]string{"residency": {"eu", "us"}, "region": {"eu-central-1"}},
		Targets: []string{"openai/gpt-4o-mini", "local/llama3.3"},
		Serves:  gateway.Serves([]string{"smart"}, []gateway.Provider{{Name: "openai", Models: []string{"gpt-4o"}}}),
	}
	want := `a.rego:7: route: no provider has a tag "residncy"; did you mean "residency"?
a.rego:9: route: no provider has the tag residency with the value "mars"
a.rego:9: route: no provider has the tag residency with the value "ue"; did you mean "us"?
a.rego:11: route: no provider has the tag region with the value "eu-central-2"; did you mean "eu-central-1"?
a.rego:13: route: no configured provider serves the model "gpt-4o-mino"; did you mean "gpt-4o-mini"?
a.rego:15: route: no configured provider serves the model "mistral"`
	for _, known := range []bool{true, false} {
		if !known {
			o.Providers, o.Tags, want = nil, nil, ""
		}
		p, err := Load(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.Warnings(), "\n"); got != want {
			t.Errorf("have\n%s\nwant\n%s", got, want)
		}
	}
}

// TestMisspeltPriority: a rule that thinks it has a priority is told.
func TestMisspeltPriority(t *testing.T) {
	p := rules(t, Allow, "# METADATA\n# custom: {priorty: 5, owner: me, id: a}\nlabel contains {\"a\": \"b\"} if input.user == \"x\"\n")
	want := []string{`a.rego:7: nothing in the METADATA is called "priorty"; did you mean "priority"?`}
	if got := p.Warnings(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestTeamsGoBehind: no priority of a team's rule puts it before the gateway's own.
func TestTeamsGoBehind(t *testing.T) {
	const high = "# METADATA\n# custom: {priority: 1000}\n"
	own := `deny contains {"code": "own", "status": 403} if input.request.stream

label contains {"kind": "own"}

header contains {"name": "x-tier", "value": "own"}

modify contains {"path": "/max_tokens", "max": 100}

modify contains {"path": "/seed", "op": "remove"}
`
	team := high + `deny contains {"code": "team", "status": 400} if input.request.stream

` + high + `deny contains {"code": "head", "status": 400, "priority": 2000} if input.request.stream

` + high + `label contains {"kind": "team", "more": "team"}

` + high + `header contains {"name": "x-tier", "op": "remove"}

` + high + `modify contains {"path": "/max_tokens", "op": "remove"}

` + high + `modify contains {"path": "/seed", "value": 1}
`
	dir := fstest.MapFS{
		"a.rego":              {Data: []byte("package attache.request\n\nimport rego.v2\n\n" + own)},
		"teams/search/a.rego": {Data: []byte("package attache.team.search.request\n\nimport rego.v2\n\n" + team)},
	}
	p, err := Load(t.Context(), Options{FS: dir, Default: Allow, Deadline: time.Minute, Off: defaults, Teams: map[string][]string{"search": {"deny", "label", "header", "modify"}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Decide(t.Context(), facts())
	if err != nil {
		t.Fatal(err)
	}
	got.Rules = nil
	want := gateway.Decision{
		Deny:    &gateway.Denial{Code: "own", Status: 403, Rule: "a.rego:5"},
		Labels:  map[string]string{"kind": "own", "more": "team"},
		Headers: []gateway.HeaderChange{{Name: "x-tier", Value: "own"}},
		Modify:  []gateway.Modification{{Path: "max_tokens", Max: ptr[int64](100)}, {Path: "seed", Remove: true}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("have %s\nwant %s", show(got), show(want))
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"eu", "eu", 0}, {"region", "regoin", 2}} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
