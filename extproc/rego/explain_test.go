package rego

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Each kind of rule that does not hold has its first condition that is false,
// as it was written, and where.
func TestExplain(t *testing.T) {
	const text = `# METADATA
# custom: {id: images}
deny contains {"code": "no_images"} if input.request.images > 0

deny contains {"code": "nobody"} if {
	input.request.stream
	some c in input.candidates
	c.provider == "nobody"
	not local
}

local if input.request.images > 5

label contains {"a": input.properties.nope} if input.request.bytes > 10

deny contains {} if {
	total := input.request.bytes + 1
	total > 100000
}

deny contains {"code": "unary"} if not input.request.stream

deny contains {"code": "ours"} if every c in input.candidates {
	c.provider == "openai"
}

deny contains {"code": "other"} if input.request.op in {"embeddings", "models"}

label contains {"denials": "some"} if count(deny) > 5

label contains {"a": input.properties.nope}
`
	p := rules(t, Allow, text)
	got, err := p.Explain(t.Context(), facts())
	if err != nil {
		t.Fatal(err)
	}
	if want := []gateway.Effect{{Rule: "images", Place: "a.rego:7", Verb: "deny", Head: []byte(`{"code":"no_images"}`)}}; !reflect.DeepEqual(got.Rules, want) {
		t.Errorf("hold: %v, want %v", got.Rules, want)
	}
	var lines []string
	for _, n := range got.Near {
		if n.Rule != n.Place {
			t.Errorf("%+v: has no id", n)
		}
		line := fmt.Sprintf("%s %s %d: %s: %s", n.Place, n.Verb, n.Held, n.FalseAt, n.False)
		for _, path := range slices.Sorted(maps.Keys(n.Values)) {
			line += fmt.Sprintf(", %s is %s", path, n.Values[path])
		}
		lines = append(lines, line)
	}
	want := []string{
		`a.rego:9 deny 2: a.rego:12: c.provider == "nobody"`,
		`a.rego:18 label 1: a.rego:18: input.properties.nope`,
		`a.rego:20 deny 1: a.rego:22: total > 100000`,
		`a.rego:25 deny 0: a.rego:25: not input.request.stream, request.stream is true`,
		`a.rego:27 deny 0: a.rego:27: every c in input.candidates { c.provider == "openai" }`,
		`a.rego:31 deny 0: a.rego:31: input.request.op in {"embeddings", "models"}, request.op is "chat"`,
		`a.rego:33 label 0: a.rego:33: count(deny) > 5`,
		`a.rego:35 label 0: a.rego:35: input.properties.nope`,
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("have\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if in := string(got.Input); !strings.HasPrefix(in, `{"candidates":[`) || !strings.HasSuffix(in, `"properties":{"residency":"eu"},"request":{"bytes":5321,"images":1,"op":"chat","stream":true}}`) {
		t.Errorf("input: %s", in)
	}
}

// A condition that calls a helper has the condition in it that is false, as deep
// as they go.
func TestExplainHelpers(t *testing.T) {
	const text = `deny contains {"code": "heavy"} if {
	input.request.stream
	heavy
}

heavy if {
	input.request.bytes > 10
	input.request.images > 5
}

heavy if input.request.messages > 99

deny contains {"code": "again"} if heavy

deny contains {"code": "deep"} if outer(input.user)

outer(user) if {
	input.request.stream
	inner(user)
}

inner(user) if startswith(user, "x-")

label contains {"inner": "y"} if inner("x-y")

label contains {"size": size} if input.request.bytes > 5

size := "huge" if input.request.bytes > 1000000

deny contains {"code": "light"} if not bytes

bytes if input.request.bytes > 5

deny contains {"code": "member"} if "eu" in places

places contains c.region if {
	some c in input.candidates
	c.provider == "nobody"
}

deny contains {"code": "part"} if limits.large

limits[name] := 1 if {
	name := "large"
	input.request.images > 7
}
`
	p := rules(t, Allow, text)
	got, err := p.Explain(t.Context(), facts())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, n := range got.Near {
		line := fmt.Sprintf("%s: %s: %s", n.Place, n.FalseAt, n.False)
		for _, c := range n.Inside {
			line += fmt.Sprintf(" < %s: %s", c.FalseAt, c.False)
		}
		lines = append(lines, line)
	}
	want := []string{
		`a.rego:5: a.rego:7: heavy < a.rego:12: input.request.images > 5`,
		`a.rego:30: a.rego:30: size < a.rego:32: input.request.bytes > 1000000`,
		`a.rego:17: a.rego:17: heavy < a.rego:12: input.request.images > 5`,
		`a.rego:19: a.rego:19: outer(input.user) < a.rego:23: inner(user) < a.rego:26: startswith(user, "x-")`,
		`a.rego:34: a.rego:34: not bytes`,
		`a.rego:38: a.rego:38: "eu" in places`,
		`a.rego:45: a.rego:45: limits.large < a.rego:49: input.request.images > 7`,
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("have\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// Helpers are followed so far and no further.
func TestExplainDepth(t *testing.T) {
	text := "deny contains {} if h0\n\n"
	for i := range 2 * maxInside {
		text += fmt.Sprintf("h%d if h%d\n\n", i, i+1)
	}
	p := rules(t, Allow, text+fmt.Sprintf("h%d if input.request.images > 5\n", 2*maxInside))
	got, err := p.Explain(t.Context(), facts())
	if err != nil || len(got.Near) != 1 || len(got.Near[0].Inside) != maxInside {
		t.Errorf("%+v, %v", got.Near, err)
	}
}

// An explanation says whether the decision is one that is kept, and asking does
// not change that.
func TestExplainCached(t *testing.T) {
	p := rules(t, Allow, `deny contains {"code": "x"} if input.request.bytes > 5`)
	cached := func(want bool) {
		t.Helper()
		if got, err := p.Explain(t.Context(), facts()); err != nil || got.Cached != want {
			t.Errorf("cached: %v, want %v, %v", got.Cached, want, err)
		}
	}
	cached(false)
	cached(false)
	if _, err := p.Decide(t.Context(), facts()); err != nil {
		t.Fatal(err)
	}
	cached(true)
}

// Rules that fail have their reasons as far as they are known.
func TestExplainFailing(t *testing.T) {
	p := rules(t, Allow, "deny contains {} if {\n\tinput.user == \"end-user\"\n\tto_number(input.user) > 5\n}\n\nlabel contains {\"a\": \"b\"} if input.request.bytes < 0")
	got, err := p.Explain(t.Context(), facts())
	if err == nil || !strings.Contains(err.Error(), "a.rego:7") {
		t.Errorf("error %v", err)
	}
	if string(got.Input) != `{"request":{"bytes":5321},"user":"end-user"}` {
		t.Errorf("input %s", got.Input)
	}
}

// Of many rules the nearest are told, and how many more there are.
func TestExplainIsBounded(t *testing.T) {
	var text strings.Builder
	for i := range 3 * maxNear {
		fmt.Fprintf(&text, "deny contains {\"code\": \"c%d\"} if {\n\tinput.request.bytes > 5\n\tinput.caller.key == \"k%d\"\n\tinput.user == \"%s\"\n}\n", i, i+5, strings.Repeat("u", 500))
	}
	p := rules(t, Allow, text.String()+"label contains {\"near\": \"x\"} if {\n\tinput.request.bytes > 5\n\tinput.request.stream\n\tinput.request.images > 99\n}\n")
	got, err := p.Explain(t.Context(), facts())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Near) != maxNear || got.Others != 2*maxNear+1 || got.Near[0].Verb != "label" || got.Near[0].Held != 2 {
		t.Errorf("%d and %d more, the first %+v", len(got.Near), got.Others, got.Near[0])
	}
}

// A policy without rules about requests has nothing to explain.
func TestExplainNothing(t *testing.T) {
	p := (&Policy{closed: true})
	got, err := p.Explain(t.Context(), facts())
	if err != nil || len(got.Rules) != 0 || got.Near != nil || got.Input != nil {
		t.Errorf("%+v, %v", got, err)
	}
}
