package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A frank policy says why.
type frank struct {
	script
	reasons Reasons
	err     error
}

func (p frank) Explain(context.Context, *Facts) (Reasons, error) { return p.reasons, p.err }

// franks is a gateway whose policy says d, for r, and which everybody may ask.
func franks(t *testing.T, d Decision, r Reasons, err error) *Holder {
	return newGateway(t, func(o *Options) {
		o.Policy = frank{script{decide: func(*Facts) (Decision, error) { return d, err }}, r, err}
		o.Explaining.All = true
	})
}

var because = Reasons{
	Cached: true,
	Rules:  []Effect{{Rule: "eu", Place: "a.rego:5", Verb: "route", Head: json.RawMessage(`{"prefer":"region=eu"}`)}},
	Near:   []Near{{Rule: "b", Place: "a.rego:9", Verb: "deny", Held: 1, Cause: Cause{False: "x > 5", FalseAt: "a.rego:10"}}},
	Others: 3,
	Input:  json.RawMessage("{\"user\":\"Jürgen \x7f😀\"}"),
}

func explanationIn(t *testing.T, text string) (e Explanation) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return e
}

// TestExplain: an explanation has the reasons of the policy, the order of the
// targets and those that are left out.
func TestExplain(t *testing.T) {
	d := Decision{Pick: PickCheapest, Prefer: []Preference{{"region=eu", 2}}, Exclude: []Condition{{"model", []string{"gpt-3", "gpt-4"}}}, Rules: []string{"eu"}}
	h := franks(t, d, because, nil)
	x, answer, f := decide(t, h, chatPath, chat("smart,a/gpt-4", ""), ExplainHeader, "1")
	if answer != nil || f == nil {
		t.Fatalf("answered %s", answer.Body)
	}
	text := value(x.ownHeaders(), ExplainHeader)
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("not fit for a header: %s", text)
	}
	e := explanationIn(t, text)
	if !reflect.DeepEqual(e.Decision, d) || e.Request != x.ID || e.Policy != "r1" || e.Code != "" || e.Error != "" || e.Cut != nil {
		t.Errorf("explained: %s", text)
	}
	if in := map[string]string{}; json.Unmarshal(e.Input, &in) != nil || in["user"] != "Jürgen \x7f😀" {
		t.Errorf("input: %s", e.Input)
	}
	if e.Input = because.Input; !reflect.DeepEqual(e.Reasons, because) {
		t.Errorf("reasons: %+v", e.Reasons)
	}
	if r := e.Targets; len(r) != 2 || r[0].Target != "b/claude" || r[0].Prefer != 2000 || r[1].Target != "a/gpt-4o" || r[1].Prefer != 0 || r[1].Pick >= 0 || r[0].State != "closed" {
		t.Errorf("targets: %+v", r)
	}
	if want := []LeftOut{{"a/gpt-4", "the policy excludes model gpt-3 or gpt-4"}}; !reflect.DeepEqual(e.LeftOut, want) {
		t.Errorf("left out: %+v, want %+v", e.LeftOut, want)
	}
}

// TestExplainOnly: the explanation is all of the answer, also of what is
// refused, and nothing goes upstream.
func TestExplainOnly(t *testing.T) {
	broken := errors.New("a.rego:5: conflict")
	for _, tt := range []struct {
		name  string
		d     Decision
		err   error
		model string
		code  string // in the explanation
		want  string // in the answer
		tells int    // targets
	}{
		{"allowed", Decision{}, nil, "smart", "", `"rules":[{"rule":"eu"`, 2},
		{"denied", Decision{Deny: &Denial{Code: "closed", Status: 451}}, nil, "smart", "closed", `"deny":{"code":"closed","status":451}`, 0},
		{"no target left", Decision{Require: []Condition{{"region", []string{"mars"}}}}, nil, "smart", llm.CodeNoTarget, `{"target":"b/claude","why":"the policy requires region mars"}`, 0},
		{"failed", Decision{}, broken, "smart", llm.CodePolicyError, `"error":"a.rego:5: conflict"`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, answer, f := decide(t, franks(t, tt.d, because, tt.err), chatPath, chat(tt.model, ""), ExplainHeader, "only")
			if f != nil || answer == nil || answer.Status != 200 || answer.Type != "application/json" {
				t.Fatalf("%+v, forwarded %v", answer, f)
			}
			e := explanationIn(t, string(answer.Body))
			if e.Code != tt.code || !strings.Contains(string(answer.Body), tt.want) || len(e.Targets) != tt.tells {
				t.Errorf("have %s", answer.Body)
			}
			if value(answer.Header, ExplainHeader) != "" {
				t.Error("it is said twice")
			}
			x.Close(false)
			if x.record.Status != 200 || x.record.Code != "" || x.record.Target != "" {
				t.Errorf("record %+v", x.record)
			}
		})
	}
	// What ends before the policy is the error that it is.
	if _, answer, _ := decide(t, franks(t, Decision{}, because, nil), chatPath, chat("nobody/has", ""), ExplainHeader, "only"); answer == nil || answer.Status != 404 {
		t.Errorf("%+v", answer)
	}
}

// TestExplainRefused: a refusal carries its explanation as well.
func TestExplainRefused(t *testing.T) {
	_, answer, _ := decide(t, franks(t, Decision{Deny: &Denial{Code: "closed", Status: 451}}, because, nil), chatPath, chat("smart", ""), ExplainHeader, "1")
	if e := explanationIn(t, value(answer.Header, ExplainHeader)); answer.Status != 451 || e.Code != "closed" || e.Decision.Deny == nil {
		t.Errorf("%d %+v", answer.Status, e)
	}
}

// TestMayAskWhy: nobody may who is not named, and nobody is told who did not
// ask.
func TestMayAskWhy(t *testing.T) {
	for _, tt := range []struct {
		name   string
		who    Explaining
		asks   string
		caller Caller
		status int // 0: none
	}{
		{"nobody by default", Explaining{}, "1", Caller{KeyID: "k1", Roles: []string{"admin"}}, 403},
		{"no key", Explaining{Roles: []string{"admin"}, Keys: []string{"k1"}}, "only", Caller{}, 403},
		{"an empty key is none", Explaining{Keys: []string{""}}, "1", Caller{}, 403},
		{"role", Explaining{Roles: []string{"dev", "admin"}}, "1", Caller{Roles: []string{"x", "admin"}}, 0},
		{"another role", Explaining{Roles: []string{"admin"}}, "1", Caller{Roles: []string{"x"}}, 403},
		{"key", Explaining{Keys: []string{"k1"}}, "1", Caller{KeyID: "k1"}, 0},
		{"all", Explaining{All: true}, "1", Caller{}, 0},
		{"not asked", Explaining{All: true}, "", Caller{}, -1},
		{"another word", Explaining{All: true}, "true", Caller{}, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newGateway(t, func(o *Options) {
				o.Explaining = tt.who
				o.Auth = keyFunc(func(Secret) (Caller, error) { return tt.caller, nil })
			})
			var headers []string
			if tt.asks != "" {
				headers = []string{ExplainHeader, tt.asks}
			}
			x, answer, _ := decide(t, h, chatPath, chat("smart", ""), headers...)
			status := 0
			if answer != nil {
				status = answer.Status
			}
			if status != max(tt.status, 0) || (value(x.ownHeaders(), ExplainHeader) != "") != (tt.status == 0) {
				t.Errorf("status %d, headers %v", status, x.ownHeaders())
			}
		})
	}
}

// TestExplanationIsBounded: what is too long for a header is cut where it is
// missed the least, and says so; what is left is JSON.
func TestExplanationIsBounded(t *testing.T) {
	e := Explanation{Reasons: because, Decision: Decision{Deny: &Denial{Code: "c", Status: 403}}}
	for i := range 100 {
		e.Near = append(e.Near, Near{Rule: fmt.Sprint("n", i), Cause: Cause{False: strings.Repeat("ü", 50)}})
		e.Rules = append(e.Rules, because.Rules[0])
		e.LeftOut = append(e.LeftOut, LeftOut{Target: "a/m", Why: "x"})
	}
	near := len(e.Near)
	for _, tt := range []struct {
		limit int
		cut   []string
	}{
		{1 << 20, nil},
		{30_000, []string{"near"}},
		{8 << 10, []string{"near", "input", "rules"}},
		{300, []string{"near", "input", "rules", "left_out"}},
	} {
		text := e.header(tt.limit)
		got := explanationIn(t, text)
		if len(text) > tt.limit || !slices.Equal(got.Cut, tt.cut) || got.Decision.Deny == nil {
			t.Errorf("%d: %d bytes, cut %v, want %v", tt.limit, len(text), got.Cut, tt.cut)
		}
	}
	if text := e.header(20); text != `{"cut":["all"]}` {
		t.Errorf("have %s", text)
	}
	if len(e.Near) != near || e.Near[near-1].Rule != "n99" {
		t.Error("the explanation itself was changed")
	}
}

// TestLeftOutForMedia: a target that cannot take the request is told.
func TestLeftOutForMedia(t *testing.T) {
	h := newGateway(t, func(o *Options) {
		o.Explaining.All = true
		o.Providers[0].Rules = func(string) llm.Rules { return llm.Rules{NoImages: true} }
	})
	body := `{"model":"smart","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}`
	_, answer, _ := decide(t, h, chatPath, body, ExplainHeader, "only")
	e := explanationIn(t, string(answer.Body))
	if want := []LeftOut{{"a/gpt-4o", "it takes no images"}}; !reflect.DeepEqual(e.LeftOut, want) || len(e.Targets) != 1 {
		t.Errorf("%s", answer.Body)
	}
}

// TestNotAsked: a request that does not ask allocates nothing for it.
func TestNotAsked(t *testing.T) {
	h := franks(t, Decision{}, because, nil)
	x, _, _ := decide(t, h, chatPath, chat("smart", ""), "user-agent", "x", "accept", "y")
	if n := testing.AllocsPerRun(100, func() {
		if x.askedWhy() != nil {
			t.Error("refused")
		}
		x.reason(t.Context(), nil)
		x.why.leave(nil, "")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
