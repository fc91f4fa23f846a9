package rego

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func sight(t testing.TB, text string) Sight {
	t.Helper()
	s, err := ReadSight([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestReplay: what the rules saw of a request decides as the request did, with
// the same reasons, and more than they read changes nothing.
func TestReplay(t *testing.T) {
	p := rules(t, Allow, `deny contains {"code": "x"} if {
	input.caller.team == "search"
	input.properties.residency == "eu"
	some c in input.candidates
	c.input_price > 5000
	input.request.bytes > 5
}

label contains {"a": "b"} if input.request.bytes < 5`)
	want, err := p.Evaluate(t.Context(), facts())
	if err != nil {
		t.Fatal(err)
	}
	in := strings.Replace(string(want.Input), `"request":{`, `"user":"more","request":{"model":"more",`, 1)
	got, err := p.Replay(t.Context(), sight(t, in))
	if want.Key = nil; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("have %s\nwant %s, %v", show(got.Decision), show(want.Decision), err)
	}
	if got, err = p.Follow(t.Context(), sight(t, in)); err != nil || len(got.Near) != 1 || !reflect.DeepEqual(got.Decision, want.Decision) {
		t.Errorf("followed: %s, %v", show(got.Decision), err)
	}
}

// TestLacks: an input is fit for rules if it has all that they read.
func TestLacks(t *testing.T) {
	p := rules(t, Allow, `deny contains {} if {
	input.properties.tenant == "x"
	input.request.tokens.input > 5
	input.user == ""
}`)
	for _, tt := range []struct {
		input  string
		erased []string
		want   string
	}{
		{`{"properties":{},"request":{"tokens":{"input":3}},"user":""}`, nil, ""},
		{`{"properties":{},"request":{"tokens":{"input":3}},"user":""}`, []string{"session"}, ""},
		{`{"properties":{},"request":{"tokens":{"input":3}},"user":""}`, []string{"properties.tenant"}, "properties.tenant"},
		{`{"properties":{},"request":{"tokens":{"input":3}}}`, nil, "user"},
		{`{"properties":{},"request":{"tokens":{}},"user":""}`, nil, "request.tokens.input"},
		{`{"properties":{},"request":{"tokens":7},"user":""}`, nil, "request.tokens.input"},
		{`{"request":{"tokens":{"input":3}},"user":""}`, nil, "properties"},
		{`{}`, nil, "request.tokens.input"},
	} {
		if got := p.Lacks(sight(t, tt.input), tt.erased); got != tt.want {
			t.Errorf("%s lacks %q, want %q", tt.input, got, tt.want)
		}
	}
}

// TestComplete: what somebody writes is filled up with a request that has
// nothing, and has no fields that do not exist.
func TestComplete(t *testing.T) {
	p := rules(t, Allow, `deny contains {"code": "x"} if {
	input.request.images == 2
	input.request.temperature_milli == -1
	input.caller.team == ""
	not input.properties.tenant
	input.caller.claims.a.b == 1
}`)
	s, err := p.Complete(sight(t, `{"request":{"images":2},"caller":{"claims":{"a":{"b":1}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if lacks := p.Lacks(s, nil); lacks != "" {
		t.Errorf("lacks %s", lacks)
	}
	if v, err := p.Replay(t.Context(), s); err != nil || v.Decision.Deny == nil {
		t.Errorf("%s, %v", show(v.Decision), err)
	}
	for input, want := range map[string]string{
		`{"request":{"imges":1}}`:    "request.imges",
		`{"request":1}`:              "request",
		`{"requests":{}}`:            "requests",
		`{"response":{"status":1}}`:  "response",
		`{"request":{"tokens":"x"}}`: "request.tokens",
	} {
		if _, err := p.Complete(sight(t, input)); err == nil || !strings.HasSuffix(err.Error(), "no field "+want) {
			t.Errorf("%s: %v", input, err)
		}
	}
	for input, want := range map[string]string{
		`{"request":{"images":"2"}}`:             "request.images: want number, have string",
		`{"user":null}`:                          "user: want string, have null",
		`{"candidates":{}}`:                      "candidates: want array, have object",
		`{"caller":{"roles":["admin"]}}`:         "caller.roles: want object, have array",
		`{"caller":{"roles":{"admin":"yes"}}}`:   `caller.roles["admin"]: want boolean, have string`,
		`{"properties":{"a":"b","tier":1}}`:      `properties["tier"]: want string, have number`,
		`{"request":{"headers":{"x-a":["b"]}}}`:  `request.headers["x-a"]: want string, have array`,
		`{"guards":[]}`:                          "guards: want object, have array",
		`{"request":{"stream":0}}`:               "request.stream: want boolean, have number",
		`{"caller":{"claims":[]}}`:               "caller.claims: want object, have array",
		`{"caller":{"labels":{"tier":{"a":1}}}}`: `caller.labels["tier"]: want string, have object`,
	} {
		if _, err := p.Complete(sight(t, input)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", input, err)
		}
	}
	for _, input := range []string{"", "[]", "{", `{} {}`, "7"} {
		if _, err := ReadSight([]byte(input)); err == nil {
			t.Errorf("%q is an input", input)
		}
	}
}

// TestRules: slow rules are told from fast ones.
func TestRules(t *testing.T) {
	p := rules(t, Allow, `deny contains {} if input.user == "x"

deny contains {} if input.request.bytes > 5

deny contains {} if regex.match("a.*b", input.user)

deny contains {} if {
	input.user == "x"
	input.request.bytes * 1.5 > 7
}

label contains {"a": input.user}

deny contains {} if twice(input.request.bytes) > 7

twice(x) := x + x`)
	var at []string
	all := p.Rules()
	for _, r := range all {
		at = append(at, r.Place)
	}
	if want := []string{"a.rego:5", "a.rego:7", "a.rego:9", "a.rego:11", "a.rego:16", "a.rego:18"}; !reflect.DeepEqual(at, want) {
		t.Fatalf("at %v, want %v", at, want)
	}
	equal, number, pattern, fraction, label, function := all[0], all[1], all[2], all[3], all[4], all[5]
	if !equal.Index || number.Index || pattern.Index || !fraction.Index || label.Index {
		t.Errorf("indexed: %+v", all)
	}
	if !(equal.Cost < number.Cost && number.Cost < pattern.Cost && pattern.Cost < function.Cost && function.Cost < fraction.Cost && equal.Cost < label.Cost) {
		t.Errorf("costs: %+v", all)
	}
	if equal.Entry != "attache.request" || equal.Verb != "deny" || equal.ID != "a.rego:5" {
		t.Errorf("%+v", equal)
	}
}

// TestMeasure: every input is decided about, in the time that is given.
func TestMeasure(t *testing.T) {
	p := rules(t, Allow, `deny contains {} if input.request.bytes > 5`)
	inputs := p.MakeUp(&Options{})
	m, err := p.Measure(t.Context(), inputs, time.Nanosecond)
	if err != nil || m.Decisions < len(inputs) || m.Mean <= 0 || m.Median > m.P99 || m.P99 > m.Longest || m.Allocs <= 0 || m.Bytes <= m.Allocs {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := p.Measure(t.Context(), nil, time.Nanosecond); err == nil {
		t.Error("no inputs were measured")
	}
}

func TestFormat(t *testing.T) {
	const nice = "package a\n\nimport rego.v2\n\nx := 1 if input.a == 1\n"
	got, changed, err := Format("a.rego", []byte("package a\nimport rego.v2\nx := 1 if {input.a==1}"))
	if err != nil || !changed || !strings.HasPrefix(string(got), "package a\n\nimport rego.v2\n\nx := 1 if") {
		t.Errorf("%q, %v, %v", got, changed, err)
	}
	if _, changed, err := Format("a.rego", []byte(nice)); changed || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
	if _, _, err := Format("a.rego", []byte("package")); err == nil || !strings.Contains(err.Error(), "a.rego:1") {
		t.Errorf("%v", err)
	}
}

// FuzzSight: nothing that is read as an input breaks its evaluation.
func FuzzSight(f *testing.F) {
	for _, seed := range []string{`{}`, `{"request":{"images":2}}`, `{"request":7}`, `{"a":[1,{"b":null}]}`, `{"candidates":[{}]}`, `{"caller":{"claims":{"":1e999}}}`, `[`} {
		f.Add([]byte(seed))
	}
	p := rules(f, Allow, "deny contains {\"code\": \"x\"} if {\n\tsome c in input.candidates\n\tc.model == input.request.model\n\tinput.request.images > 1\n}")
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadSight(b)
		if err != nil {
			return
		}
		p.Lacks(s, nil)
		_, _ = p.Replay(t.Context(), s) // whatever it says
		if whole, err := p.Complete(s); err == nil && p.Lacks(whole, nil) != "" {
			t.Errorf("%s is not complete", b)
		}
	})
}
