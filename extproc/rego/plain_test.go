package rego

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/rego"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// mixed has constant heads and others, two rules with one head, rules that
// refer to verbs, and two files.
var mixed = fstest.MapFS{
	"a.rego": {Data: []byte(`package attache.request

import rego.v2

deny contains {"code": "large"} if input.request.bytes > 5000

deny contains {"code": "large"} if input.request.messages > 50

deny contains {"code": "odd", "message": input.caller.team} if input.request.messages % 2 == 1

label contains {"team": input.caller.team} if count(deny) == 0

label contains {"refused": "yes"} if some d in deny

modify contains {"path": "/max_tokens", "max": input.request.tokens.input} if input.request.tokens.input > 0

route contains {"exclude": {"provider": c.provider}} if {
	some c in input.candidates
	not c.tags.region
}
`)},
	"b.rego": {Data: []byte(`package attache.request

import rego.v2

route contains head if {
	input.request.stream
	head := {"timeout_ms": 100 + input.request.images}
}

route contains {"require": {"region": region}} if region := input.properties.residency

deny contains {"code": "team"} if input.caller.team in {"red", "blue"}
`)},
}

func randomFacts(r *rand.Rand) *gateway.Facts {
	f := facts()
	f.Bytes, f.Messages, f.InputTokens, f.Images = r.Int64N(8000), r.IntN(80), r.Int64N(3)*700, r.IntN(4)
	f.Stream = r.IntN(2) == 0
	f.Caller.Team = []string{"", "red", "blue", "search"}[r.IntN(4)]
	if r.IntN(2) == 0 {
		f.Properties = nil
	}
	f.Candidates = f.Candidates[:r.IntN(3)]
	return f
}

// TestLikePlainSets compares with what OPA says of the sets as they were
// written: the merged set must hold the same, no more and no less.
func TestLikePlainSets(t *testing.T) {
	p, err := Load(t.Context(), Options{FS: mixed, Default: Allow, Deadline: time.Minute, Off: defaults})
	if err != nil {
		t.Fatal(err)
	}
	options := []func(*opa.Rego){opa.Query(`{verb: set | some verb in ["deny", "route", "modify", "label"]; set := data.attache.request[verb]}`)}
	for name, f := range mixed {
		options = append(options, opa.Module(name, string(f.Data)))
	}
	plain, err := opa.New(options...).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	heads := constantHeads(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		f := randomFacts(r)
		in := whole(onRequest, f)
		rs, err := plain.Eval(t.Context(), opa.EvalParsedInput(in), opa.EvalGenerateJSON(term))
		if err != nil {
			t.Fatal(err)
		}
		want := rs[0].Expressions[0].Value.(*ast.Term).Value.(ast.Object)
		effects, err := p.request.evaluate(t.Context(), in, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.byVerb(t, effects, in, heads); got.Compare(want) != 0 {
			t.Fatalf("input %v\nhave %v\nwant %v", in, got, want)
		}
	}
}

// byVerb undoes the merge: the heads of each verb. Those of constant rules are
// taken from the source.
func (p *Policy) byVerb(t *testing.T, effects ast.Set, in ast.Value, constant map[string]*ast.Term) ast.Object {
	sets := map[string]ast.Set{"deny": ast.NewSet(), "route": ast.NewSet(), "modify": ast.NewSet(), "label": ast.NewSet()}
	effects.Foreach(func(e *ast.Term) {
		r, values, err := p.request.effect(nil, e, in)
		if err != nil {
			t.Fatal(err)
		}
		head := constant[r.place]
		if len(values) > 0 {
			head = ast.NewTerm(r.said(values))
		}
		sets[r.verb.name].Add(head)
	})
	o := ast.NewObject()
	for verb, set := range sets {
		o.Insert(ast.StringTerm(verb), ast.NewTerm(set))
	}
	return o
}

func constantHeads(t *testing.T) map[string]*ast.Term {
	heads := map[string]*ast.Term{}
	for name, f := range mixed {
		m, err := ast.ParseModule(name, string(f.Data))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range m.Rules {
			heads[fmt.Sprintf("%s:%d", name, r.Location.Row)] = r.Head.Key
		}
	}
	return heads
}

// TestOrder folds random effects in random orders: the decision must be the
// same, and so must be the fact that there is none.
func TestOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	random := func() effect {
		switch r.IntN(5) {
		case 0:
			return permission{}
		case 1:
			return &denial{gateway.Denial{Code: pick("a", "b"), Status: 400 + r.IntN(3), Message: pick("", "m")}, r.Int64N(2), true}
		case 2:
			e := &routing{timeout: r.Int64N(3), firstToken: r.Int64N(3)}
			e.require = []gateway.Condition{{Name: pick("r", "s"), Values: []string{pick("1", "2")}}}
			e.exclude = []gateway.Condition{{Name: pick("p", "q"), Values: []string{pick("1", "2")}}}
			if r.IntN(4) == 0 {
				e.chain = []string{pick("x", "x", "x", "y")}
			}
			return e
		case 3:
			c := &change{path: pick("n", "m", "k")}
			switch r.IntN(6) {
			case 0:
				c.remove = true
			case 1:
				c.value = []byte(pick("5", "5", `"t"`))
			default:
				c.max = ptr(r.Int64N(9) + 1)
			}
			return c
		}
		return labels{{pick("a", "b", "c"), pick("1", "1", "1", "2")}}
	}
	decided, refused := 0, 0
	for range 2000 {
		effects := make([]effect, 1+r.IntN(6))
		rules := make([]rule, len(effects))
		for i := range effects {
			effects[i], rules[i] = random(), rule{id: pick("r1", "r2", "r3"), verb: verbs["deny"]}
		}
		fold := func() (gateway.Decision, bool) {
			var f fold
			for _, i := range r.Perm(len(effects)) {
				f.add(&rules[i], effects[i])
			}
			d, err := f.decision(false)
			return d, err == nil
		}
		first, ok := fold()
		if ok {
			decided++
		} else {
			refused++
		}
		for range 5 {
			if again, ok2 := fold(); ok != ok2 || !reflect.DeepEqual(first, again) {
				t.Fatalf("one order %v %s\nanother %v %s", ok, show(first), ok2, show(again))
			}
		}
	}
	if decided < 200 || refused < 50 {
		t.Errorf("%d decided, %d refused: the effects are not random enough", decided, refused)
	}
}
