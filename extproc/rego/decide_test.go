package rego

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"go.uber.org/goleak"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// rules loads one file of rules, without a package line.
func rules(t testing.TB, preset, text string) *Policy {
	t.Helper()
	return within(t, preset, text, time.Minute)
}

func within(t testing.TB, preset, text string, deadline time.Duration) *Policy {
	t.Helper()
	dir := fstest.MapFS{"a.rego": {Data: []byte("package attache.request\n\nimport rego.v2\n\n" + text)}}
	p, err := Load(context.Background(), Options{FS: dir, Default: preset, Deadline: deadline, Off: defaults, Guards: []string{"pii"}, Limits: limited, Budgets: budgeted})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// limited and budgeted are the configured limits and budgets.
var (
	limited = []gateway.Limit{
		{Name: "key", Per: "key", WindowS: 60, Requests: 60, Tokens: 1000, CostNano: -1, Concurrent: -1},
		{Name: "tenant", Per: "property.tenant", Requests: -1, Tokens: -1, CostNano: -1, Concurrent: 3},
		{Name: "model", Per: "model", WindowS: 60, Requests: 5, Tokens: -1, CostNano: -1, Concurrent: -1},
	}
	budgeted = []gateway.Limit{
		{Name: "team", Per: "team", Window: gateway.WindowMonth, Requests: -1, Tokens: -1, CostNano: 200e9, Concurrent: -1},
		{Name: "provider", Per: "provider", Window: gateway.WindowDay, Requests: -1, Tokens: -1, CostNano: 1e9, Concurrent: -1},
	}
)

// defaults are the names of the shipped rules that can be switched off.
var defaults = []string{"admin", "cost-center", "residency", "suspended"}

// whole is all of an entry point's input.
func whole(on int, f *gateway.Facts) ast.Value { return project(on, all).term(f).Value }

func ptr[T any](v T) *T { return &v }

// facts is a request in which every field has a value.
func facts() *gateway.Facts {
	return &gateway.Facts{
		Now: time.Date(2026, 11, 21, 13, 30, 0, 0, time.UTC), Op: "chat", Dialect: "openai", Method: "POST", Path: "/v1/chat/completions",
		Model: "smart", Stream: true, MaxTokens: 2000, InputTokens: 1200, Messages: 3, Images: 1, Audios: 2, Files: 4,
		Tools: []string{"search", "mail", "search"}, Bytes: 5321, Temperature: 700, TopP: -1, Format: "text",
		Headers: []llm.Header{{Name: "x-tenant", Value: "t1"}, {Name: "x-tenant", Value: "t2"}}, Address: "192.0.2.1",
		Caller: gateway.Caller{KeyID: "k1", Org: "acme", Team: "search", User: "ann", Roles: []string{"dev", "admin"}, Labels: map[string]string{"tier": "free"},
			Claims: map[string]any{"groups": []any{"a", "b"}, "level": json.Number("3")}},
		User: "end-user", Session: "s1", Properties: map[string]string{"residency": "eu"},
		Candidates: []gateway.Candidate{
			{Provider: "openai", Model: "gpt-4o", Tags: map[string]string{"region": "us"}, Region: "us", InputPrice: 2_500_000_000, OutputPrice: 10_000_000_000,
				Context: 128000, MaxOutput: 16000, State: "closed", ErrorsPermille: 7, LatencyMS: 900, FirstTokenMS: 300, InFlight: 2, Weight: 5, LeftPermille: 1000},
			{Provider: "local", Model: "llama3.3", InputPrice: -1, OutputPrice: -1, State: "open"},
		},
		Guards: map[string]gateway.Verdict{"pii": {Action: gateway.ActionRedact, Code: "found", Findings: make([]gateway.Finding, 2), Labels: []string{"email"}, Scores: map[string]float64{"risk": 0.8765}}},
		Limits: map[string]gateway.Left{
			"key":    {Max: gateway.Amount{Requests: 60, Tokens: 1000, CostNano: -1, Concurrent: -1}, Left: gateway.Amount{Requests: 59, Tokens: 250, CostNano: -1, Concurrent: -1}},
			"tenant": {Max: gateway.Amount{Requests: -1, Tokens: -1, CostNano: -1, Concurrent: 3}, Left: gateway.Amount{Requests: -1, Tokens: -1, CostNano: -1}},
		},
		Budgets: map[string]gateway.Left{"team": {
			Max: gateway.Amount{Requests: -1, Tokens: -1, CostNano: 200e9, Concurrent: -1}, Used: gateway.Amount{Tokens: 7, CostNano: 190e9 + 1},
			Left: gateway.Amount{Requests: -1, Tokens: -1, CostNano: 10e9 - 1, Concurrent: -1}, Resets: time.Date(2026, 11, 21, 13, 30, 1, 1, time.UTC),
		}},
	}
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name, preset, rules string
		want                gateway.Decision
	}{
		{"nothing fires", Allow, `deny contains {} if input.request.bytes < 0`, gateway.Decision{}},
		{"deny by default", Deny, `allow contains {} if input.request.bytes < 0`,
			gateway.Decision{Deny: &gateway.Denial{Code: "policy_denied", Status: 403, Message: "no rule of the policy allows this request"}}},
		{"allowed", Deny, `allow contains {"reason": "team"} if input.caller.team == "search"`, gateway.Decision{Rules: []string{"a.rego:5"}}},
		{"deny beats allow", Deny, "allow contains {}\n\ndeny contains {}",
			gateway.Decision{Deny: &gateway.Denial{Code: "policy_denied", Status: 403, Rule: "a.rego:7"}, Rules: []string{"a.rego:5", "a.rego:7"}}},
		{"deny in full", Allow, `deny contains {"code": "busy", "status": 429, "message": sprintf("%s waits", [input.caller.team]), "retry_after_s": 9, "priority": -3}`,
			gateway.Decision{Deny: &gateway.Denial{Code: "busy", Status: 429, Message: "search waits", RetryAfterS: 9, Rule: "a.rego:5"}, Rules: []string{"a.rego:5"}}},
		{"lowest status speaks", Allow, "deny contains {\"status\": 429}\n\ndeny contains {\"status\": 401}\n\ndeny contains {\"status\": 403}",
			gateway.Decision{Deny: &gateway.Denial{Code: "policy_denied", Status: 401, Rule: "a.rego:7"}, Rules: []string{"a.rego:5", "a.rego:7", "a.rego:9"}}},
		{"highest priority speaks", Allow, "deny contains {\"status\": 401}\n\ndeny contains {\"status\": 429, \"priority\": 1}",
			gateway.Decision{Deny: &gateway.Denial{Code: "policy_denied", Status: 429, Rule: "a.rego:7"}, Rules: []string{"a.rego:5", "a.rego:7"}}},
		{"rule id", Allow, "# METADATA\n# custom: {id: mine}\ndeny contains {}",
			gateway.Decision{Deny: &gateway.Denial{Code: "policy_denied", Status: 403, Rule: "mine"}, Rules: []string{"mine"}}},
		{"route", Allow, `
route contains {"require": {"region": "eu", "zone": "a"}, "timeout_ms": 900}

route contains {"require": {"region": ["us", "eu"]}, "exclude": {"provider": "openai"}, "first_token_ms": 70}

route contains {"exclude": {"model": c.model}, "timeout_ms": 800} if some c in input.candidates

route contains {"chain": ["smart", "cheap"], "first_token_ms": 80}

route contains {"chain": ["smart", "cheap"]} if input.request.stream`,
			gateway.Decision{
				Require:   []gateway.Condition{{Name: "region", Values: []string{"eu"}}, {Name: "zone", Values: []string{"a"}}},
				Exclude:   []gateway.Condition{{Name: "model", Values: []string{"gpt-4o", "llama3.3"}}, {Name: "provider", Values: []string{"openai"}}},
				Chain:     []string{"smart", "cheap"},
				TimeoutMS: 800, FirstTokenMS: 70,
				Rules: []string{"a.rego:10", "a.rego:12", "a.rego:14", "a.rego:6", "a.rego:8"},
			}},
		{"modify", Allow, `
modify contains {"path": "/max_tokens", "max": 4000}

modify contains {"path": "/max_tokens", "max": 1000 + input.request.messages}

modify contains {"path": "/logprobs", "op": "remove"}

modify contains {"path": "/logprobs", "op": "remove"} if input.request.stream

modify contains {"path": "/stop", "value": {"b", "a"}}

modify contains {"path": "/n", "value": 5}

modify contains {"path": "/n", "max": 3}

modify contains {"path": "/seed", "value": 2}

modify contains {"path": "/seed", "max": 3}

modify contains {"path": "/top_p", "value": 0.5}

modify contains {"path": "/top_p", "max": 1}

modify contains {"path": "/temperature", "value": 1.5}

modify contains {"path": "/temperature", "max": 1}`,
			gateway.Decision{
				Modify: []gateway.Modification{
					{Path: "logprobs", Remove: true},
					{Path: "max_tokens", Max: ptr[int64](1003)},
					{Path: "n", Value: []byte("3")},
					{Path: "seed", Value: []byte("2")},
					{Path: "stop", Value: []byte(`["a","b"]`)},
					{Path: "temperature", Value: []byte("1")},
					{Path: "top_p", Value: []byte("0.5")},
				},
				Rules: []string{"a.rego:10", "a.rego:12", "a.rego:14", "a.rego:16", "a.rego:18", "a.rego:20", "a.rego:22", "a.rego:24", "a.rego:26", "a.rego:28", "a.rego:30", "a.rego:6", "a.rego:8"},
			}},
		{"label", Allow, `
label contains {"team": input.caller.team, "kind": "x"}

label contains {"kind": "x"}`,
			gateway.Decision{Labels: map[string]string{"team": "search", "kind": "x"}, Rules: []string{"a.rego:6", "a.rego:8"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := rules(t, c.preset, c.rules).Decide(t.Context(), facts())
			if err != nil {
				t.Fatal(err)
			}
			got.Speaks = gateway.Speaks{}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("have %+v\nwant %+v", show(got), show(c.want))
			}
		})
	}
}

func show(d gateway.Decision) string {
	b, _ := json.MarshalIndent(d, "", " ")
	return string(b)
}

// TestBroken has the ways in which a policy can fail on a request. None of them
// may look like a decision.
func TestBroken(t *testing.T) {
	for _, c := range []struct{ name, rules, want string }{
		{"builtin", "deny contains {} if {\n\tinput.user == \"end-user\"\n\tto_number(input.user) > 3\n}", `rego: a.rego:7: eval_builtin_error: to_number failed`},
		{"operand", "deny contains {} if {\n\tinput.user == \"end-user\"\n\tstartswith(object.get(input.properties, \"none\", 7), \"x\")\n}", `rego: a.rego:7: eval_type_error: startswith: operand 1 must be string but got number`},
		{"conflict of values", "deny contains {} if x == 1\n\nx := 1 if input.request.stream\n\nx := 2 if input.request.messages == 3", "rego: a.rego:9: eval_conflict_error: rule data.attache.request.x produced conflicting values at a.rego:7, at a.rego:9"},
		{"not an object", `deny contains input.user if input.user == "end-user"`, `rego: a.rego:5: deny: want an object, have string`},
		{"unknown field", `deny contains object.union({"code": "x"}, {input.user: 1}) if input.user == "end-user"`, `rego: a.rego:5: deny: unknown field ***; want code, status, message, retry_after_s, priority`},
		{"type", `deny contains {"status": input.user} if input.user == "end-user"`, `rego: a.rego:5: deny: status: want an integer, have string`},
		{"pattern", `deny contains {"code": input.user} if input.user == "end-user"`, `rego: a.rego:5: deny: code: *** does not match ^[a-z0-9_]{1,64}$`},
		{"label type", `label contains {"n": input.request.messages} if input.user == "end-user"`, `rego: a.rego:5: label: ***: want a string, have number`},
		{"fraction", `modify contains {"path": "/max_tokens", "max": input.request.max_tokens / 3} if input.user == "end-user"`, `rego: a.rego:5: modify: max: want an integer from 1 to 9007199254740992, have ***`},
		{"chains", "route contains {\"chain\": [\"a\"]}\n\nroute contains {\"chain\": [\"b\"]} if input.request.stream", `rego: a.rego:7: route: chain contradicts that of a.rego:5; a priority in the METADATA of one would decide`},
		{"values", "modify contains {\"path\": \"/n\", \"value\": 1}\n\nmodify contains {\"path\": \"/n\", \"value\": 2} if input.request.stream", `rego: a.rego:7: modify: /n: value or removal contradicts that of a.rego:5; a priority in the METADATA of one would decide`},
		{"remove and set", "modify contains {\"path\": \"/n\", \"value\": 1}\n\nmodify contains {\"path\": \"/n\", \"op\": \"remove\"} if input.request.stream", `rego: a.rego:7: modify: /n: value or removal contradicts that of a.rego:5; a priority in the METADATA of one would decide`},
		{"remove and limit", "modify contains {\"path\": \"/n\", \"max\": 1}\n\nmodify contains {\"path\": \"/n\", \"op\": \"remove\"} if input.request.stream", `rego: a.rego:7: modify: /n: removal contradicts max of a.rego:5; a priority in the METADATA of one would decide`},
		{"headers", "header contains {\"name\": \"x-a\", \"value\": \"1\"}\n\nheader contains {\"name\": \"x-a\", \"value\": \"2\"} if input.request.stream", `rego: a.rego:7: header: x-a: value or removal contradicts that of a.rego:5; a priority in the METADATA of one would decide`},
		{"header removed", "header contains {\"name\": \"x-a\", \"value\": \"1\"}\n\nheader contains {\"name\": \"x-a\", \"op\": \"remove\"} if input.request.stream", `rego: a.rego:7: header: x-a: value or removal contradicts that of a.rego:5; a priority in the METADATA of one would decide`},
		{"unknown path", `modify contains {"path": concat("", ["/", input.request.op]), "op": "remove"} if input.user == "end-user"`, `rego: a.rego:5: modify: the field cannot be changed in this way`},
		{"labels", "label contains {\"a\": \"x\"}\n\nlabel contains {\"a\": \"y\"} if input.request.stream", `rego: a.rego:7: label: "a": value contradicts that of a.rego:5; a priority in the METADATA of one would decide`},
		{"denied as well", "deny contains {}\n\nlabel contains {\"a\": \"x\"}\n\nlabel contains {\"a\": \"y\"} if input.request.stream", `rego: a.rego:9: label: "a": value contradicts that of a.rego:7; a priority in the METADATA of one would decide`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := rules(t, Allow, c.rules).Decide(t.Context(), facts())
			if err == nil || err.Error() != c.want {
				t.Errorf("have %v\nwant %s", err, c.want)
			}
			if !reflect.DeepEqual(d, gateway.Decision{}) {
				t.Errorf("a decision with an error: %s", show(d))
			}
		})
	}
}

const endless = `deny contains {} if {
	input.user == "end-user"
	count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 5000); i * j == 7]) == 1000
}`

func TestDeadline(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := within(t, Allow, endless, 20*time.Millisecond)
	d, err := p.Decide(t.Context(), facts())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("have %s, %v", show(d), err)
	}
	if want := "rego: a.rego:5: no decision after 20ms: context deadline exceeded"; err != nil && err.Error() != want {
		t.Errorf("have %v\nwant %s", err, want)
	}
}

func TestContextEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := rules(t, Allow, endless)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if d, err := p.Decide(ctx, facts()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("have %s, %v", show(d), err)
	}
	if d, err := p.Decide(ctx, facts()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with an ended context: have %s, %v", show(d), err)
	}
}

func TestPanicInBuiltin(t *testing.T) {
	const name = "graph.reachable_paths"
	before := topdown.GetBuiltin(name)
	topdown.RegisterBuiltinFunc(name, func(topdown.BuiltinContext, []*ast.Term, func(*ast.Term) error) error { panic("boom") })
	defer topdown.RegisterBuiltinFunc(name, before)
	p := rules(t, Allow, "deny contains {} if {\n\tinput.user == \"end-user\"\n\tgraph.reachable_paths({}, {input.user}) == set()\n}")
	d, err := p.Decide(t.Context(), facts())
	if want := "rego: panic in evaluation: boom"; err == nil || err.Error() != want {
		t.Errorf("have %s, %v\nwant %s", show(d), err, want)
	}
}

// TestOldStays has a policy in use while new ones fail to load.
func TestOldStays(t *testing.T) {
	p := rules(t, Allow, `deny contains {"code": "old"}`)
	for _, name := range files(t, "testdata/load/*.txtar") {
		dir, _ := archive(t, name)
		if _, err := Load(t.Context(), optionsOf(t, dir)); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
	if d, err := p.Decide(t.Context(), facts()); err != nil || d.Deny == nil || d.Deny.Code != "old" {
		t.Errorf("have %s, %v", show(d), err)
	}
}

// TestManyAtOnce asks one policy from many goroutines, each with its own facts,
// and changes what it gets: nothing of it may be shared.
func TestManyAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := rules(t, Allow, `
deny contains {"message": input.user} if input.request.messages % 2 == 0

label contains {"user": input.user, "kind": "a"}

label contains {"kind": "a"}

route contains {"require": {"region": "eu"}, "chain": ["x", "y"]}

modify contains {"path": "/max_tokens", "max": 7}

modify contains {"path": "/stop", "value": ["s"]}

deny contains {"priority": -1} if regex.match(sprintf("^u%d$", [input.request.messages]), input.user)`)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for g := range 8 {
		wg.Go(func() {
			<-start
			for i := range 50 {
				f := facts()
				f.Messages, f.User = i, strings.Repeat("u", g+1)
				d, err := p.Decide(t.Context(), f)
				if err != nil {
					t.Error(err)
					return
				}
				if (d.Deny != nil) != (i%2 == 0) || d.Labels["user"] != f.User || *d.Modify[0].Max != 7 || d.Chain[0] != "x" || d.Require[0].Values[0] != "eu" || string(d.Modify[1].Value) != `["s"]` {
					t.Errorf("%d: %s", i, show(d))
				}
				d.Labels["user"], *d.Modify[0].Max, d.Chain[0], d.Require[0].Values[0], d.Modify[1].Value[1] = "", 0, "", "", '!'
			}
		})
	}
	close(start)
	wg.Wait()
}

func TestShippedPolicy(t *testing.T) {
	p, err := Load(t.Context(), Options{FS: os.DirFS("../../policies"), Default: Allow, Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Decide(t.Context(), facts())
	if err != nil {
		t.Fatal(err)
	}
	want := gateway.Decision{
		Require: []gateway.Condition{{Name: "residency", Values: []string{"eu"}}},
		Modify:  []gateway.Modification{{Path: "max_tokens", Max: ptr[int64](1024)}},
		Limits:  []gateway.Limit{{Per: "key", WindowS: 60, Requests: 60, Tokens: -1, CostNano: -1, Concurrent: -1, By: gateway.Says{Requests: "tier-requests"}}},
		Labels:  map[string]string{"cost_center": "search"},
		Rules:   []string{"cost-center", "residency-asked", "tier-max-tokens", "tier-requests"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("have %s\nwant %s", show(got), show(want))
	}
	if got, err := p.Decide(t.Context(), &gateway.Facts{Op: "models"}); err != nil || !reflect.DeepEqual(got, gateway.Decision{}) {
		t.Errorf("a request without facts: have %s, %v", show(got), err)
	}
}

// TestPriority: where there can be one only, the rule of the highest priority
// speaks, whatever the order of rules.
func TestPriority(t *testing.T) {
	at := func(priority, rule string) string {
		return "# METADATA\n# custom: {priority: " + priority + "}\n" + rule + "\n\n"
	}
	for _, tt := range []struct{ low, high, other, want string }{
		{`route contains {"chain": ["a"]}`, `route contains {"chain": ["b"]}`, `route contains {"chain": ["c"]}`, `{"chain":["b"]`},
		{`route contains {"pick": "cheapest"}`, `route contains {"pick": "fastest"}`, `route contains {"pick": "ordered"}`, `"pick":"fastest"`},
		{`route contains {"split": {"by": "user", "shares": {"a": 1}}}`, `route contains {"split": {"by": "user", "shares": {"b": 1}}}`, `route contains {"split": {"by": "key", "shares": {"b": 1}}}`, `"split":{"by":"user","shares":[{"target":"b","weight":1}]}`},
		{`modify contains {"path": "/seed", "value": 1}`, `modify contains {"path": "/seed", "value": 2}`, `modify contains {"path": "/seed", "value": 3}`, `"modify":[{"path":"seed","value":2}]`},
		{`modify contains {"path": "/seed", "max": 1}`, `modify contains {"path": "/seed", "op": "remove"}`, `modify contains {"path": "/seed", "max": 3}`, `"modify":[{"path":"seed","remove":true}]`},
		{`modify contains {"path": "/seed", "op": "remove"}`, `modify contains {"path": "/seed", "max": 5}`, `modify contains {"path": "/seed", "max": 3}`, `"modify":[{"path":"seed","max":3}]`},
		{`header contains {"name": "x-a", "value": "1"}`, `header contains {"name": "x-a", "value": "2"}`, `header contains {"name": "x-a", "op": "remove"}`, `"headers":[{"name":"x-a","value":"2"}]`},
		{`header contains {"name": "x-a", "value": "1"}`, `header contains {"name": "x-a", "op": "remove"}`, `header contains {"name": "x-a", "value": "2"}`, `"headers":[{"name":"x-a","remove":true}]`},
		{`label contains {"a": "low"}`, `label contains {"a": "high"}`, `label contains {"a": "other"}`, `"labels":{"a":"high"}`},
		{`deny contains {"code": "low", "status": 400}`, `deny contains {"code": "high", "status": 500}`, `deny contains {"code": "other", "status": 401}`, `"code":"high"`},
		{`deny contains {"code": "low"}`, `deny contains {"code": "high", "priority": 1000002}`, `deny contains {"code": "other", "priority": 5}`, `"code":"high"`},
		{`modify contains {"path": "/seed", "value": 1}`, `modify contains {"path": "/seed", "op": "remove"}`, `modify contains {"path": "/seed", "value": 3}`, `"modify":[{"path":"seed","remove":true}]`},
	} {
		low, high, other := at("1000000", tt.low), at("1000001", tt.high), at("1000000", tt.other)
		for _, text := range []string{low + high + other, high + low + other, other + low + high} {
			d, err := rules(t, Allow, text).Decide(t.Context(), facts())
			if got := strings.Join(strings.Fields(show(d)), ""); err != nil || !strings.Contains(got, tt.want) {
				t.Errorf("%s\n%s, %v", text, got, err)
			}
		}
	}
}
