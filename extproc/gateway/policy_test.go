package gateway

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A script is a policy that says what a test wants, and what it read.
type script struct {
	decide func(*Facts) (Decision, error)
	review func(*Facts) (Review, error)
	reads  []string
}

func (s script) Decide(_ context.Context, f *Facts) (Decision, error) {
	if s.decide == nil {
		return Decision{}, nil
	}
	return s.decide(f)
}
func (s script) Reads(fact string) bool                             { return slices.Contains(s.reads, fact) }
func (s script) Reviews() bool                                      { return s.review != nil }
func (s script) Review(_ context.Context, f *Facts) (Review, error) { return s.review(f) }
func (script) Revision() string                                     { return "r1" }

// A named guard counts how often it is asked.
type named struct {
	name  string
	calls *[]string
	check func(*Text) (Verdict, error)
}

func (g named) Name() string { return g.name }

func (g named) Check(_ context.Context, t *Text) (Verdict, error) {
	*g.calls = append(*g.calls, g.name+" "+t.Segments[0].Text)
	return g.check(t)
}

func says(v Verdict) func(*Text) (Verdict, error) {
	return func(*Text) (Verdict, error) { return v, nil }
}

// TestGuardsOfPolicy: guards that the policy reads look before it, those that it
// asks for after it, and each of them once unless the text changed.
func TestGuardsOfPolicy(t *testing.T) {
	redact := says(Verdict{Action: ActionRedact, Labels: []string{"card"}, Findings: []Finding{{Start: 0, End: 2, Label: "x"}}})
	block := says(Verdict{Action: ActionBlock})
	allow := says(Verdict{Action: ActionAllow})
	broken := func(*Text) (Verdict, error) { return Verdict{}, errors.New("trap") }
	deny := Decision{Deny: &Denial{Code: "mine", Status: 451}}
	const text = "my card is 4111"
	for _, tt := range []struct {
		name   string
		first  func(*Text) (Verdict, error) // of guard one, of two guards
		asked  bool                         // one has to be asked for
		reads  []string
		d      Decision
		sees   Action // what the policy sees of one
		calls  string
		answer string
	}{
		{"always", redact, false, nil, Decision{}, "", "one " + text + ",two [X] card is 4111", ""},
		{"not asked for", block, true, nil, Decision{}, "", "two " + text, ""},
		{"asked for", redact, true, nil, Decision{Guards: []string{"one"}}, "", "one " + text + ",two [X] card is 4111", ""},
		{"read, always", redact, false, []string{"guards.one"}, Decision{}, ActionRedact, "one " + text + ",two [X] card is 4111", ""},
		{"read, not asked for", block, true, []string{"guards.one"}, Decision{}, ActionBlock, "one " + text + ",two " + text, ""},
		{"read, asked for", block, true, []string{"guards.one"}, Decision{Guards: []string{"one"}}, ActionBlock, "one " + text, "403 guard_blocked"},
		{"denied before a block", block, false, []string{"guards.one"}, deny, ActionBlock, "one " + text, "451 mine"},
		{"both read, the text changes", redact, false, []string{"guards.one", "guards.two"}, Decision{}, ActionRedact, "one " + text + ",two " + text + ",two [X] card is 4111", ""},
		{"read and broken", broken, true, []string{"guards.one"}, Decision{}, "", "one " + text, "500 guard_error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls []string
			var seen Action
			h := newGateway(t, func(o *Options) {
				o.Guards = []InputGuard{{Guard: named{"one", &calls, tt.first}, Asked: tt.asked}, {Guard: named{"two", &calls, allow}}}
				o.Policy = script{reads: tt.reads, decide: func(f *Facts) (Decision, error) {
					seen = f.Guards["one"].Action
					return tt.d, nil
				}}
			})
			x, answer, _ := decide(t, h, chatPath, chat("a/m", ""))
			got := ""
			if answer != nil {
				got = itoa(answer.Status) + " " + x.record.Code
			}
			if got != tt.answer || seen != tt.sees || strings.Join(calls, ",") != tt.calls {
				t.Errorf("answer %q, the policy saw %q, calls %q", got, seen, calls)
			}
		})
	}
}

// TestHeadersOfPolicy: they are changed upstream and downstream, but never one
// that carries a key.
func TestHeadersOfPolicy(t *testing.T) {
	var changes []HeaderChange
	h := newGateway(t, func(o *Options) {
		o.Policy = script{decide: func(*Facts) (Decision, error) { return Decision{Headers: changes}, nil }}
	})
	changes = []HeaderChange{{Name: "x-team", Value: "red"}, {Name: "user-agent", Remove: true}, {Response: true, Name: "x-tier", Value: "gold"}, {Response: true, Name: "x-secret", Remove: true}}
	x, _, f := decide(t, h, chatPath, chat("a/m", ""))
	if value(f.First.Set, "x-team") != "red" || !slices.Contains(f.First.Remove, "user-agent") || value(f.First.Set, "x-tier") != "" {
		t.Errorf("upstream: set %v, remove %v", f.First.Set, f.First.Remove)
	}
	if _, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "application/json"}, {Name: "x-secret", Value: "1"}}, false); err != nil {
		t.Fatal(err)
	}
	out := x.Chunk([]byte(`{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`), true)
	if out.Head == nil || value(out.Head.Set, "x-tier") != "gold" || !slices.Contains(out.Head.Remove, "x-secret") || value(out.Head.Set, "x-team") != "" {
		t.Errorf("downstream: %+v", out.Head)
	}
	for name, want := range map[string]bool{
		"x-team": true, "openai-organization": true, "authorization": false, "x-api-key": false, "x-attache-request-id": false, "x-envoy-retry-on": false,
		":path": false, "host": false, "content-length": false, "Upper": false, "": false, "set-cookie": false, "anthropic-version": false, "x-amz-date": false,
	} {
		if HeaderChangeable(name) != want {
			t.Errorf("%q changeable: %v", name, !want)
		}
	}
	h.Current().credentials = append(h.Current().credentials, "x-own-key")
	changes = []HeaderChange{{Name: "x-own-key", Value: "stolen"}}
	if _, answer, _ := decide(t, h, chatPath, chat("a/m", "")); answer == nil || answer.Status != 500 {
		t.Errorf("a provider's credential was set: %+v", answer)
	}
}

// TestReview: the rules about the response see the record, and what they say is
// in it when it is handed out.
func TestReview(t *testing.T) {
	shared := map[string]string{"team": "red", "kind": "a"}
	for _, tt := range []struct {
		name   string
		review func(*Facts) (Review, error)
		want   func(*Record)
	}{
		{"labels", func(f *Facts) (Review, error) {
			return Review{Labels: map[string]string{"kind": f.Model + " " + itoa(f.Record.Status), "more": "1"}, Rules: []string{"r2"}}, nil
		}, func(r *Record) {
			r.Labels, r.Rules = map[string]string{"team": "red", "kind": "a/m 499", "more": "1"}, []string{"r1", "r2"}
		}},
		{"less is logged", func(*Facts) (Review, error) {
			return Review{Log: LogUse{Level: LogNone, Redact: []string{"/session", "/properties/email"}}}, nil
		}, func(r *Record) {
			r.Log, r.Session = LogUse{Level: LogNone, Redact: []string{"/user", "/session", "/properties/email"}}, ""
			r.Properties = map[string]string{"x": "1"}
		}},
		{"more is not", func(*Facts) (Review, error) { return Review{Log: LogUse{Level: LogFull}}, nil }, func(*Record) {}},
		{"broken", func(*Facts) (Review, error) { return Review{}, errors.New("rego: a.rego:5") }, func(r *Record) {
			r.Detail = "policy: after the response: rego: a.rego:5"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got Record
			h := newGateway(t, func(o *Options) {
				o.Sinks = []Sink{sinkFunc(func(r *Record) { got = *r })}
				o.Policy = script{review: tt.review, decide: func(*Facts) (Decision, error) {
					return Decision{Labels: shared, Rules: []string{"r1"}, Log: LogUse{Level: LogMeta, Redact: []string{"/user"}}}, nil
				}}
			})
			x, _, _ := decide(t, h, chatPath, chat("a/m", ""), "x-attache-user", "ann", "x-attache-session", "s", "x-attache-property-email", "a@b", "x-attache-property-x", "1")
			x.record.Status = 499
			x.Close(false)
			want := got
			want.Labels, want.Rules, want.Log, want.Detail = shared, []string{"r1"}, LogUse{Level: LogMeta, Redact: []string{"/user"}}, ""
			want.User, want.Session, want.Properties = "", "s", map[string]string{"email": "a@b", "x": "1"}
			tt.want(&want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("have %+v\nwant %+v", got, want)
			}
			if len(shared) != 2 || shared["kind"] != "a" {
				t.Errorf("the decision's own labels changed: %v", shared)
			}
		})
	}
}

// TestDenialWithoutMessage: the client reads something all the same.
func TestDenialWithoutMessage(t *testing.T) {
	h := newGateway(t, func(o *Options) {
		o.Policy = script{decide: func(*Facts) (Decision, error) { return Decision{Deny: &Denial{Code: "closed", Status: 403}}, nil }}
	})
	_, answer, _ := decide(t, h, chatPath, chat("a/m", ""))
	if answer == nil || !strings.Contains(string(answer.Body), noReason) {
		t.Errorf("%+v", answer)
	}
}

// TestFactsThatAreRead: what the policy does not read is not gathered, and no
// key or cookie is.
func TestFactsThatAreRead(t *testing.T) {
	for _, reads := range []string{"", "request.headers", "request.tokens", "request.tools", "candidates", "guards.pii"} {
		var got *Facts
		var calls []string
		h := newGateway(t, func(o *Options) {
			o.Policy = script{reads: []string{reads}, decide: func(f *Facts) (Decision, error) { got = f; return Decision{}, nil }}
			o.Guards = []InputGuard{{Guard: named{"pii", &calls, says(Verdict{Action: ActionAllow})}, Asked: true}}
		})
		decide(t, h, chatPath, chat("a/m", `,"temperature":0.7,"response_format":{"type":"json_object"},"tools":[{"type":"function","function":{"name":"mail"}}]`),
			"authorization", "Bearer k", "cookie", "c", "helicone-auth", "k", "x-auth-token", "k", "x-some-api-key", "k", "x-tenant", "t1", "x-tenant", "t2", "x-forwarded-for", "9.9.9.9, 192.0.2.7",
			"x-attache-user", "ann", "helicone-session-id", "s", "x-attache-property-mail", "ann@example.com")
		for fact, n := range map[string]int{
			"request.headers": len(got.Headers), "request.tokens": int(got.InputTokens), "request.tools": len(got.Tools),
			"candidates": len(got.Candidates), "guards.pii": len(got.Guards) + len(calls),
		} {
			if (n > 0) != (fact == reads) {
				t.Errorf("reads %q: there are %d of %s", reads, n, fact)
			}
		}
		for _, hd := range got.Headers {
			if hd.Name != "x-tenant" && hd.Name != "x-forwarded-for" && hd.Name != "content-type" {
				t.Errorf("the policy sees the header %s", hd.Name)
			}
			if hd.Name == "x-tenant" && hd.Value != "t1, t2" {
				t.Errorf("the policy sees %q of a header that is there twice", hd.Value)
			}
		}
		if got.Temperature != 700 || got.TopP != -1 || got.Format != "json_object" || got.Address != "192.0.2.7" {
			t.Errorf("facts %+v", got)
		}
	}
}

// TestTargetsBroughtIn: what rules say of candidates holds for those that a chain
// or a split brings in as well.
// What rules ask of guards and forbid the cache because of a target holds as well
// where a rule brought it in.
func TestGuardsOfTargetsBroughtIn(t *testing.T) {
	for _, tt := range []struct {
		onC  Decision
		want int
	}{
		{Decision{}, 0},
		{Decision{Guards: []string{"g"}}, 403},
	} {
		tt.onC.OutputGuards, tt.onC.Cache = []string{"out", "first"}, &CacheUse{Mode: CacheOff}
		h := newGateway(t, func(o *Options) {
			block := guardFunc(func(*Text) (Verdict, error) { return Verdict{Action: ActionBlock}, nil })
			o.Guards = []InputGuard{{Guard: block, Asked: true}}
			o.Policy = script{reads: []string{"candidates"}, decide: func(f *Facts) (Decision, error) {
				if f.Candidates[0].Provider == "c" {
					return tt.onC, nil
				}
				return Decision{Chain: []string{"c/x"}, OutputGuards: []string{"first"}}, nil
			}}
		})
		x, answer, _ := decide(t, h, chatPath, chat("a/m", ""))
		d := &x.decision
		if status := statusOf(answer); status != tt.want || !slices.Equal(d.OutputGuards, []string{"first", "out"}) || d.Cache == nil || d.Cache.Mode != CacheOff {
			t.Errorf("status %d, decision %+v", status, d)
		}
	}
}

func TestTargetsBroughtIn(t *testing.T) {
	has := func(f *Facts, provider string) bool {
		return slices.ContainsFunc(f.Candidates, func(c Candidate) bool { return c.Provider == provider })
	}
	split := Decision{Split: &Split{By: "request", Shares: []Share{{"c/x", 1}, {"a/m", 1}}}}
	for _, tt := range []struct {
		name  string
		first Decision
		onC   Decision // what rules say where c is a candidate
		reads string
		calls int
		want  string
	}{
		{"not read", Decision{Chain: []string{"c/x"}}, Decision{Deny: &Denial{Code: "dear", Status: 402}}, "", 1, "c"},
		{"nothing new", Decision{Chain: []string{"a/m"}}, Decision{}, "candidates", 1, "a"},
		{"chain, denied", Decision{Chain: []string{"c/x"}}, Decision{Deny: &Denial{Code: "dear", Status: 402}, Rules: []string{"price"}}, "candidates", 2, "402 dear price"},
		{"chain, excluded", Decision{Chain: []string{"c/x", "b/n"}}, Decision{Exclude: []Condition{{"provider", []string{"c"}}}}, "candidates", 2, "b"},
		{"chain, required", Decision{Chain: []string{"c/x", "b/n"}}, Decision{Require: []Condition{{"provider", []string{"b"}}}}, "candidates", 2, "b"},
		{"split, excluded", split, Decision{Exclude: []Condition{{"provider", []string{"c"}}}}, "candidates", 2, "a"},
		{"another chain is no matter", Decision{Chain: []string{"c/x"}}, Decision{Chain: []string{"b/n"}}, "candidates", 2, "c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			h := newGateway(t, func(o *Options) {
				o.Policy = script{reads: []string{tt.reads}, decide: func(f *Facts) (Decision, error) {
					if calls++; has(f, "c") {
						return tt.onC, nil
					}
					return tt.first, nil
				}}
			})
			x, answer, f := decide(t, h, chatPath, chat("a/m", ""))
			got := ""
			if answer != nil {
				got = strings.Join(append([]string{itoa(answer.Status), x.record.Code}, x.record.Rules...), " ")
			} else {
				got = strings.Join(f.Clusters, " ")
			}
			if got != tt.want || calls != tt.calls {
				t.Errorf("%s after %d calls", got, calls)
			}
		})
	}
}
