package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPolicyUse: the record says how the policy was asked, and why it failed.
func TestPolicyUse(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    Decision
		err  error
		want PolicyUse
	}{
		{"allowed", Decision{}, nil, PolicyUse{}},
		{"denied", Decision{Deny: &Denial{Code: "mine", Status: 451}}, nil, PolicyUse{Denied: true}},
		{"a rule is named", Decision{}, fmt.Errorf("x: %w", &PolicyError{FaultConflict, "a.rego:3", errors.New("y")}), PolicyUse{Fault: FaultConflict, Rule: "a.rego:3"}},
		{"too slow", Decision{}, fmt.Errorf("x: %w", context.DeadlineExceeded), PolicyUse{Fault: FaultDeadline}},
		{"the client has gone", Decision{}, fmt.Errorf("x: %w", context.Canceled), PolicyUse{Fault: FaultCancelled}},
		{"anything else", Decision{}, errors.New("x"), PolicyUse{Fault: FaultOther}},
		{"a chain of nothing", Decision{Chain: []string{"a/m", "nobody"}, Speaks: Speaks{Chain: "a.rego:3 (c)", Split: "a.rego:9"}}, nil, PolicyUse{Fault: FaultDecode, Rule: "a.rego:3 (c)"}},
		{"a split of nothing", Decision{Split: &Split{Shares: []Share{{"nobody", 1}}}, Speaks: Speaks{Chain: "a.rego:3 (c)", Split: "a.rego:9"}}, nil, PolicyUse{Fault: FaultDecode, Rule: "a.rego:9"}},
		{"a provider's header", Decision{Headers: []HeaderChange{{Name: "x-api-key", Value: "x"}}}, nil, PolicyUse{Fault: FaultDecode}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got PolicyUse
			now := start
			h := newGateway(t, func(o *Options) {
				o.Now = func() time.Time { return now }
				o.Policy = policyFunc(func(*Facts) (Decision, error) { now = now.Add(time.Millisecond); return tt.d, tt.err })
				o.Sinks = []Sink{sinkFunc(func(r *Record) { got = r.Policy })}
			})
			x, _, _ := decide(t, h, chatPath, chat("smart", ""))
			x.Close(false)
			tt.want.Asked, tt.want.Took = true, time.Millisecond
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}

	var got PolicyUse
	h := newGateway(t, func(o *Options) {
		o.Policy = script{review: func(*Facts) (Review, error) { return Review{}, context.DeadlineExceeded }}
		o.Sinks = []Sink{sinkFunc(func(r *Record) { got = r.Policy })}
	})
	x, _, _ := decide(t, h, chatPath, chat("smart", ""))
	x.Close(false)
	if got.Fault != FaultDeadline || got.Denied {
		t.Errorf("rules after the response: %+v", got)
	}
	without := newGateway(t, func(o *Options) { o.Sinks = []Sink{sinkFunc(func(r *Record) { got = r.Policy })} })
	x, _, _ = decide(t, without, chatPath, chat("smart", ""))
	if x.Close(false); got != (PolicyUse{}) {
		t.Errorf("no policy: %+v", got)
	}
	got.Asked = true
	x, _, _ = decide(t, h, chatPath, chat("nobody", ""))
	if x.Close(false); got != (PolicyUse{}) {
		t.Errorf("not asked: %+v", got)
	}
}

// TestDetailOfRoutes: operators learn which rule names no target, and what left
// which target out, but no words that may be of the request.
func TestDetailOfRoutes(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    Decision
		want string
	}{
		{"a chain", Decision{Chain: []string{"a/m", "nobody"}, Speaks: Speaks{Chain: "a.rego:3 (c)"}}, "gateway: a.rego:3 (c): route: chain: name 2 stands for no target"},
		{"a split", Decision{Split: &Split{Shares: []Share{{"nobody", 1}}}, Speaks: Speaks{Split: "a.rego:9"}}, "gateway: a.rego:9: route: split: name 1 of shares stands for no target"},
		{"a long chain", Decision{Chain: slices.Repeat([]string{"smart"}, 20), Speaks: Speaks{Chain: "a.rego:3"}}, "gateway: a.rego:3: route: chain: more than 32 targets"},
		{"required", Decision{Require: []Condition{{"region", []string{"nobody"}}}}, "target a/gpt-4o left out: the policy requires another region than us; target b/claude left out: the policy requires another region than eu"},
		{"required of nobody", Decision{Require: []Condition{{"zone", []string{"nobody"}}}}, "target a/gpt-4o left out: the policy requires zone; target b/claude left out: the policy requires zone"},
		{"excluded", Decision{Require: []Condition{{"provider", []string{"a"}}}, Exclude: []Condition{{"target", []string{"nobody", "a/gpt-4o"}}}}, "target a/gpt-4o left out: the policy excludes target a/gpt-4o; target b/claude left out: the policy requires another provider than b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got Record
			h := newGateway(t, func(o *Options) {
				o.Policy = policyFunc(func(*Facts) (Decision, error) { return tt.d, nil })
				o.Sinks = []Sink{sinkFunc(func(r *Record) { got = *r })}
			})
			x, answer, _ := decide(t, h, chatPath, chat("smart", ""))
			x.Close(false)
			if got.Detail != tt.want {
				t.Errorf("detail %q\nwant   %q", got.Detail, tt.want)
			}
			if answer == nil || strings.Contains(string(answer.Body)+got.Detail, "nobody") {
				t.Errorf("answer %+v", answer)
			}
		})
	}
}

func TestStates(t *testing.T) {
	h, b := NewHealth(), &testBreaker
	h.begin(place{"b", "m"}, start, b)
	v := h.begin(place{"a", "m/n"}, start, b)
	for range testBreaker.Failures {
		h.failed(v, start, b, 0)
	}
	h.end(v)
	want := []TargetState{{"a", "m/n", "open", 0}, {"b", "m", "closed", 1}}
	if got := h.States(start); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := h.States(start.Add(time.Minute)); got[0].State != "half_open" {
		t.Errorf("later: %+v", got)
	}
}

func TestConfigured(t *testing.T) {
	h := newGateway(t, func(o *Options) { o.Providers[0].Models = []string{"gpt-*", "exact"} })
	if got, want := h.Current().Configured(), []string{"a/exact", "a/gpt-4o", "b/both", "b/claude", "c/org/llama"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
