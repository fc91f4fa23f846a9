package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

// Func types let a test say what a part of the gateway does.
type (
	policyFunc func(*Facts) (Decision, error)
	guardFunc  func(*Text) (Verdict, error)
	keyFunc    func(Secret) (Caller, error)
	sinkFunc   func(*Record)
)

func (f policyFunc) Decide(_ context.Context, facts *Facts) (Decision, error) { return f(facts) }
func (policyFunc) Reads(string) bool                                          { return true }
func (policyFunc) Reviews() bool                                              { return false }
func (policyFunc) Review(context.Context, *Facts) (Review, error)             { return Review{}, nil }
func (policyFunc) Revision() string                                           { return "r1" }
func (guardFunc) Name() string                                                { return "g" }
func (f guardFunc) Check(_ context.Context, t *Text) (Verdict, error)         { return f(t) }
func (f keyFunc) Authenticate(k Secret, _ time.Time) (Caller, error)          { return f(k) }
func (f sinkFunc) Record(r *Record)                                           { f(r) }

func everybody(Secret) (Caller, error) { return Caller{KeyID: "k", Team: "red"}, nil }

// start is when everything happens in tests.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newGateway(t testing.TB, change func(*Options)) *Holder {
	t.Helper()
	price := func(string) (provider.Price, bool) {
		return provider.Price{Input: 1_000_000, CacheRead: 100_000, CacheWrite: 1_000_000, CacheWriteHour: 1_000_000, Output: 2_000_000}, true
	}
	o := Options{
		Dialects: []dialect.Dialect{openai.New(), anthropic.New()},
		Providers: []Provider{
			{Name: "a", Dialect: llm.OpenAI, Host: "a", BasePath: "/v1", Models: []string{"gpt-*", "both"}, Tags: map[string]string{"region": "us"}, Price: price},
			{Name: "b", Dialect: llm.Anthropic, Host: "b", Models: []string{"claude-*", "both"}, Tags: map[string]string{"region": "eu"}},
			{Name: "c", Dialect: llm.OpenAI, Host: "c", BasePath: "/api", Tags: map[string]string{"region": "eu"}},
		},
		Models: []Model{
			{Name: "smart", Targets: []string{"a/gpt-4o", "b/claude"}, Settings: Settings{Timeout: 5 * time.Second, FirstToken: 2 * time.Second, Retries: 1}},
			{Name: "cheap", Targets: []string{"c/org/llama"}},
		},
		Defaults: Settings{Timeout: time.Minute},
		Auth:     keyFunc(everybody), Policy: NoPolicy{},
		MaxResponse: 1 << 20, Now: func() time.Time { return start },
	}
	if change != nil {
		change(&o)
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return NewHolder(g)
}

// decide opens an exchange for a body and decides it.
func decide(t testing.TB, h *Holder, path, body string, headers ...string) (*Exchange, *llm.Answer, *Forward) {
	t.Helper()
	head := &Head{Method: "POST", Path: path}
	for i := 0; i < len(headers); i += 2 {
		head.Headers = append(head.Headers, llm.Header{Name: headers[i], Value: headers[i+1]})
	}
	x, answer := h.Open(head)
	if answer != nil {
		return x, answer, nil
	}
	answer, f := x.Decide(t.Context(), []byte(body))
	return x, answer, f
}

const chatPath = "/v1/chat/completions"

func chat(model, more string) string {
	return `{"model":"` + model + `"` + more + `,"messages":[{"role":"user","content":"my card is 4111"}]}`
}

// Names that clients make up do not fill the memory, and a name that is asked for
// again has the same targets.
func TestFoundNamesAreBounded(t *testing.T) {
	g := newGateway(t, nil).Current()
	for i := range 3 * maxFound {
		g.find(fmt.Sprintf("a/m%d", i))
		g.find(fmt.Sprintf("nobody/m%d", i))
	}
	if n := len(g.found.byName); n > maxFound {
		t.Errorf("%d names are kept", n)
	}
	first, _ := g.find("both")
	again, _ := g.find("both")
	if len(first) != 2 || first[0] != again[0] || first[1] != again[1] {
		t.Errorf("found %v, then %v", first, again)
	}
}

// manyNames stand for two targets each.
func manyNames(n int) string { return strings.TrimSuffix(strings.Repeat("both,", n), ",") }

func TestResolve(t *testing.T) {
	g := newGateway(t, nil).Current()
	for model, want := range map[string]string{
		"smart":                       "a/gpt-4o b/claude",
		"a/gpt-4o":                    "a/gpt-4o",
		"gpt-4o/a":                    "a/gpt-4o",
		"c/org/llama-3":               "c/org/llama-3",
		"org/llama-3/c":               "c/org/llama-3",
		"gpt-4o":                      "a/gpt-4o",
		"both":                        "a/both b/both",
		"gpt-4o/a, claude-1/b,smart":  "a/gpt-4o b/claude-1 a/gpt-4o b/claude",
		"unknown":                     "model_not_found",
		"unknown/x":                   "model_not_found",
		"a/":                          "model_not_found",
		"gpt-4o,":                     "model_not_found",
		manyNames(9):                  "invalid_request",
		"":                            "model_not_found",
		strings.Repeat("x", 10_000):   "invalid_request",
		"smart,unknown":               "model_not_found",
		"claude-sonnet/b,gpt-4o-mini": "b/claude-sonnet a/gpt-4o-mini",
	} {
		targets, _, err := g.resolve(model)
		var names []string
		for _, tg := range targets {
			names = append(names, tg.String())
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Code
			if len(err.Message) > 300 {
				t.Errorf("%.20s: the error repeats a long name", model)
			}
		}
		if got != want {
			t.Errorf("%.40q: got %s, want %s", model, got, want)
		}
	}
}

func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		name, path, body string
		headers          []string
		clusters         string
		perTry           time.Duration
		first            bool
	}{
		{"one target", chatPath, chat("a/m", ""), nil, "a", time.Minute, true},
		{"chain", chatPath, chat("a/m,b/n", ""), nil, "a.retry b.retry", time.Minute, false},
		{"retries, unary", chatPath, chat("smart", ""), nil, "a.retry a.retry b.retry b.retry", 5 * time.Second, false},
		{"first token, stream", chatPath, chat("smart", `,"stream":true`), nil, "a.retry a.retry b.retry b.retry", 2 * time.Second, false},
		{"asked deadline", chatPath, chat("a/m", ""), []string{"x-attache-timeout", "1500"}, "a", 1500 * time.Millisecond, true},
		{"asked first token", chatPath, chat("a/m", `,"stream":true`), []string{"x-attache-first-token", "700ms"}, "a.retry", 700 * time.Millisecond, false},
		{"first token of a unary answer", chatPath, chat("a/m", ``), []string{"x-attache-first-token", "700ms"}, "a", time.Minute, true},
		{"without v1", "/chat/completions?x=1", chat("a/m", ""), nil, "a", time.Minute, true},
	} {
		_, answer, f := decide(t, newGateway(t, nil), tt.path, tt.body, tt.headers...)
		if answer != nil {
			t.Errorf("%s: answered %d %s", tt.name, answer.Status, answer.Body)
			continue
		}
		if got := strings.Join(f.Clusters, " "); got != tt.clusters || f.PerTry != tt.perTry || (f.First != nil) != tt.first {
			t.Errorf("%s: got %s, %s, first %v", tt.name, got, f.PerTry, f.First != nil)
		}
	}
}

func TestPolicyDecides(t *testing.T) {
	max := int64(50)
	for _, tt := range []struct {
		name string
		d    Decision
		err  error
		body string
		want string // clusters, or status and code
	}{
		{"allow", Decision{}, nil, chat("a/m", ""), "a"},
		{"deny", Decision{Deny: &Denial{Code: "no_gpu", Status: 402, Message: "no"}}, nil, chat("a/m", ""), "402 no_gpu"},
		{"broken", Decision{}, errors.New("eval: secret 4111"), chat("a/m", ""), "500 policy_error"},
		{"require", Decision{Require: []Condition{{"region", []string{"eu"}}}}, nil, chat("a/m,b/n,c/o", ""), "b.retry c.retry"},
		{"exclude", Decision{Exclude: []Condition{{"provider", []string{"x", "b"}}}}, nil, chat("a/m,b/n,c/o", ""), "a.retry c.retry"},
		{"exclude a target", Decision{Exclude: []Condition{{"target", []string{"a/m", "b"}}}}, nil, chat("a/m,b/n,a/o", ""), "b.retry a.retry"},
		{"require a target", Decision{Require: []Condition{{"target", []string{"a/m", "b"}}}}, nil, chat("a/m,b/n,a/o", ""), "a"},
		{"nothing left", Decision{Require: []Condition{{"region", []string{"mars"}}}}, nil, chat("a/m", ""), "503 no_target"},
		{"chain", Decision{Chain: []string{"c/x", "smart"}}, nil, chat("a/m", ""), "c.retry a.retry b.retry"},
		{"bad chain", Decision{Chain: []string{"nobody/x/y"}}, nil, chat("a/m", ""), "500 policy_error"},
		{"unknown field", Decision{Modify: []Modification{{Path: "messages", Remove: true}}}, nil, chat("a/m", ""), "500 policy_error"},
		{"bad value", Decision{Modify: []Modification{{Path: "max_tokens", Value: []byte(`"x"`)}}}, nil, chat("a/m", ""), "500 policy_error"},
		{"limit of text", Decision{Modify: []Modification{{Path: "user", Max: &max}}}, nil, chat("a/m", ""), "500 policy_error"},
	} {
		h := newGateway(t, func(o *Options) {
			o.Policy = policyFunc(func(f *Facts) (Decision, error) { return tt.d, tt.err })
		})
		x, answer, f := decide(t, h, chatPath, tt.body)
		got := ""
		if answer != nil {
			got = strings.TrimSpace(strings.Join([]string{itoa(answer.Status), x.record.Code}, " "))
			if strings.Contains(string(answer.Body), "4111") {
				t.Errorf("%s: the answer says too much: %s", tt.name, answer.Body)
			}
		} else {
			got = strings.Join(f.Clusters, " ")
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func itoa(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

// What the policy changes arrives at the provider, in the client's bytes where
// the dialect is the same and in the other format where it is not.
func TestModifyReachesTheProvider(t *testing.T) {
	max := int64(50)
	for _, tt := range []struct{ model, more, want string }{
		{"a/m", `,"max_tokens":100,"temperature":0.5`, `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"my card is 4111"}]}`},
		{"a/m", `,"max_tokens":20`, `{"model":"m","max_tokens":20,"messages":[{"role":"user","content":"my card is 4111"}]}`},
		{"a/m", ``, `{"model":"m","messages":[{"role":"user","content":"my card is 4111"}],"max_completion_tokens":50}`},
		{"b/m", `,"max_tokens":100,"temperature":0.5`, `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":[{"type":"text","text":"my card is 4111"}]}]}`},
	} {
		h := newGateway(t, func(o *Options) {
			o.Policy = policyFunc(func(*Facts) (Decision, error) {
				return Decision{Modify: []Modification{{Path: "max_tokens", Max: &max}, {Path: "temperature", Remove: true}}}, nil
			})
		})
		_, answer, f := decide(t, h, chatPath, chat(tt.model, tt.more))
		if answer != nil {
			t.Errorf("%s%s: answered %s", tt.model, tt.more, answer.Body)
			continue
		}
		if got := string(f.First.Body); !sameJSON(t, got, tt.want) {
			t.Errorf("%s%s: got %s, want %s", tt.model, tt.more, got, tt.want)
		}
	}
}

func TestGuards(t *testing.T) {
	at := strings.Index("my card is 4111", "4111")
	redact := Verdict{Action: ActionRedact, Findings: []Finding{{Segment: 0, Start: at, End: at + 4, Label: "card"}}}
	for _, tt := range []struct {
		name  string
		v     Verdict
		err   error
		allow bool
		want  string // text that the provider gets, or status and code
	}{
		{"allow", Verdict{Action: ActionAllow}, nil, false, "my card is 4111"},
		{"redact", redact, nil, false, "my card is [CARD]"},
		{"replace", Verdict{Action: ActionRedact, Findings: []Finding{{Start: 0, End: 2, Replacement: "\"a\\"}}}, nil, false, "\"a\\ card is 4111"},
		{"block", Verdict{Action: ActionBlock, Code: "pii", Message: "no cards"}, nil, false, "403 guard_blocked"},
		{"broken", Verdict{}, errors.New("trap"), false, "500 guard_error"},
		{"broken, open", Verdict{}, errors.New("trap"), true, "my card is 4111"},
		{"out of range", Verdict{Action: ActionRedact, Findings: []Finding{{Segment: 0, Start: 5, End: 99}}}, nil, false, "500 guard_error"},
		{"partly out of range, open", Verdict{Action: ActionRedact, Findings: []Finding{redact.Findings[0], {Segment: 7, Start: 0, End: 1}}}, nil, true, "my card is 4111"},
		{"no such segment", Verdict{Action: ActionRedact, Findings: []Finding{{Segment: 7, Start: 0, End: 1}}}, nil, false, "500 guard_error"},
	} {
		for _, model := range []string{"a/m", "b/m"} {
			h := newGateway(t, func(o *Options) {
				o.Guards = []InputGuard{{Guard: guardFunc(func(*Text) (Verdict, error) { return tt.v, tt.err }), AllowOnError: tt.allow}}
			})
			x, answer, f := decide(t, h, chatPath, chat(model, `,"max_tokens":5`))
			got := ""
			if answer != nil {
				got = itoa(answer.Status) + " " + x.record.Code
			} else {
				got = firstText(t, f.First.Body)
			}
			if got != tt.want {
				t.Errorf("%s to %s: got %s, want %s", tt.name, model, got, tt.want)
			}
		}
	}
}

// Texts to embed are seen as well, and what cannot be seen does not pass.
func TestGuardsReadEmbeddings(t *testing.T) {
	h := newGateway(t, func(o *Options) {
		o.Guards = []InputGuard{{Guard: guardFunc(func(text *Text) (Verdict, error) {
			return Verdict{Action: ActionRedact, Findings: []Finding{{Segment: 1, Start: 0, End: 4, Label: "card"}}}, nil
		})}}
	})
	_, answer, f := decide(t, h, "/v1/embeddings", `{"model":"a/e","input":["x","4111 2"]}`)
	if answer != nil || string(f.First.Body) != `{"model":"e","input":["x","[CARD] 2"]}` {
		t.Errorf("got %+v, %+v", answer, f)
	}
	if _, answer, _ := decide(t, h, "/v1/embeddings", `{"model":"a/e","input":[[1,2]]}`); answer == nil || answer.Status != 400 {
		t.Errorf("tokens passed a guard that cannot read them: %+v", answer)
	}
}

func TestKeyMayUse(t *testing.T) {
	h := newGateway(t, func(o *Options) {
		o.Auth = keyFunc(func(Secret) (Caller, error) { return Caller{Models: []string{"smart", "gpt-4o-*"}}, nil })
	})
	for model, want := range map[string]bool{"smart": true, "a/gpt-4o-mini": true, "gpt-4o-mini/a": true, "a/gpt-4": false, "a/gpt-4o-mini,b/claude": false} {
		_, answer, _ := decide(t, h, chatPath, chat(model, ""))
		if (answer == nil) != want {
			t.Errorf("%s: allowed %v, want %v", model, answer == nil, want)
		}
	}
}

func TestSnapshotIsFreedAfterItsLastExchange(t *testing.T) {
	freed := 0
	h := newGateway(t, func(o *Options) { o.Free = func() { freed++ } })
	x, _ := h.Open(&Head{Method: "POST", Path: chatPath})
	next := newGateway(t, nil).Current()
	h.Swap(next)
	if freed != 0 {
		t.Fatal("freed while an exchange uses it")
	}
	x.Close(false)
	if freed != 1 {
		t.Fatalf("freed %d times", freed)
	}
}

// Exchanges begin while snapshots come and go: each is freed once, after its
// last exchange, and no exchange begins on one that is gone.
func TestHolderHammer(t *testing.T) {
	var mu sync.Mutex
	freed := map[*Gateway]int{}
	build := func() *Gateway {
		var g *Gateway
		g = newGateway(t, func(o *Options) {
			o.Free = func() { mu.Lock(); freed[g]++; mu.Unlock() }
		}).Current()
		return g
	}
	h := NewHolder(build())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 300 {
				x, _ := h.Open(&Head{Method: "POST", Path: chatPath})
				mu.Lock()
				if freed[x.gw] != 0 {
					t.Error("an exchange began on a snapshot that is gone")
				}
				mu.Unlock()
				x.Close(false)
			}
		})
	}
	for range 50 {
		h.Swap(build())
	}
	wg.Wait()
	h.Close()
	if len(freed) != 51 {
		t.Errorf("%d snapshots freed, want 51", len(freed))
	}
	for _, n := range freed {
		if n != 1 {
			t.Errorf("a snapshot was freed %d times", n)
		}
	}
}

// What a client is not told of why it may not come in is in the record.
func TestRefusedCallers(t *testing.T) {
	refused := &llm.Error{Status: 401, Code: llm.CodeInvalidKey, Message: "no"}
	for _, tt := range []struct {
		err          error
		status       int
		code, detail string
	}{
		{refused, 401, llm.CodeInvalidKey, ""},
		{fmt.Errorf("auth: the audience: %w", refused), 401, llm.CodeInvalidKey, "auth: the audience: invalid_key: no"},
		{errors.New("auth: broken"), 500, llm.CodeInternal, "auth: broken"},
	} {
		var r Record
		h := newGateway(t, func(o *Options) {
			o.Auth = keyFunc(func(Secret) (Caller, error) { return Caller{}, tt.err })
			o.Sinks = []Sink{sinkFunc(func(x *Record) { r = *x })}
		})
		x, a := h.Open(&Head{Method: "POST", Path: "/v1/chat/completions"})
		x.Close(false)
		if a == nil || a.Status != tt.status || r.Code != tt.code || r.Detail != tt.detail {
			t.Errorf("%v: %+v, the record has %q %q", tt.err, a, r.Code, r.Detail)
		}
		if a != nil && strings.Contains(string(a.Body), "auth:") {
			t.Errorf("the client reads %s", a.Body)
		}
	}
}
