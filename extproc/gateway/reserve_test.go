package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// bounded returns a gateway with limits and the till that keeps them.
func bounded(t testing.TB, change func(*Options), limits ...Limit) (*Holder, *till) {
	till := newTill()
	return newGateway(t, func(o *Options) {
		o.Limits, o.Bounds = till, limits
		if change != nil {
			change(o)
		}
	}), till
}

// held is what counts of an account.
func (t *till) held(at string) Amount {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.used[at]
}

const inputOfChat = 12 // our count of chat's message

func TestReserve(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits []Limit
		body   string
		want   Amount
	}{
		{"a model that is not known", []Limit{tokensPer("key", 1e6)}, chat("a/m", ""), Amount{1, inputOfChat + unknownLength, inputOfChat + 2*unknownLength, 1}},
		{"max_tokens", []Limit{tokensPer("key", 1e6)}, chat("a/m", `,"max_tokens":100`), Amount{1, inputOfChat + 100, inputOfChat + 200, 1}},
		{"choices", []Limit{tokensPer("key", 1e6)}, chat("a/m", `,"max_tokens":100,"n":3`), Amount{1, inputOfChat + 300, inputOfChat + 600, 1}},
		{"requests alone", []Limit{limit(func(l *Limit) { l.Requests = 5 })}, chat("a/m", `,"max_tokens":100`), Amount{1, 0, 0, 1}},
		{"little is left", []Limit{tokensPer("key", inputOfChat+300)}, chat("a/m", ""), Amount{1, inputOfChat + 300, inputOfChat + 600, 1}},
		{"little money is left", []Limit{limit(func(l *Limit) { l.CostNano = inputOfChat + 600 })}, chat("a/m", ""), Amount{1, inputOfChat + 300, inputOfChat + 600, 1}},
		{"huge", []Limit{tokensPer("key", 1<<60)}, chat("a/m", `,"max_tokens":9223372036854775807,"n":9223372036854775807`), Amount{1, 0, 0, 1}},
	} {
		h, till := bounded(t, nil, tt.limits...)
		x, answer, _ := decide(t, h, chatPath, tt.body)
		if tt.name == "huge" {
			x.Close(false)
			if got := till.held("key k"); till.open != 0 || got.Tokens < 0 {
				t.Errorf("%s: %+v", tt.name, got)
			}
			continue
		}
		if answer != nil {
			t.Errorf("%s: answered %s", tt.name, answer.Body)
			continue
		}
		if got := till.held("key k"); got != tt.want {
			t.Errorf("%s: reserved %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestLimitRefuses(t *testing.T) {
	none := func(change func(*Limit)) Limit { return limit(change) }
	for _, tt := range []struct {
		limit Limit
		want  string // status, code, headers
		says  string
	}{
		{none(func(l *Limit) { l.Requests = 0 }), "429 rate_limited", "the limit l is reached: 0 requests per key a minute; this request alone needs more"},
		{none(func(l *Limit) { l.Tokens = 300 }), "429 rate_limited retry-after 2", "the limit l is reached: 300 tokens per key a minute"},
		{none(func(l *Limit) { l.Concurrent = 1 }), "429 rate_limited retry-after 1", "the limit l is reached: 1 request at a time per key"},
		{none(func(l *Limit) { l.CostNano = 600 }), "429 insufficient_quota x-should-retry false", "the budget l is spent"},
		{none(func(l *Limit) { l.CostNano, l.WindowS, l.Window = 600, 0, WindowMonth }), "429 insufficient_quota x-should-retry false", "the budget l is spent; it starts anew at 2026-02-01T00:00:00Z"},
		{none(func(l *Limit) { l.Tokens, l.WindowS, l.Window = 300, 0, WindowDay }), "429 insufficient_quota x-should-retry false", "the limit l is reached: 300 tokens per key a day; it starts anew at 2026-01-03T00:00:00Z"},
	} {
		h, till := bounded(t, nil, tt.limit)
		first, _, _ := decide(t, h, chatPath, chat("a/m", ""))
		x, answer, _ := decide(t, h, chatPath, chat("a/m", ""))
		if answer == nil {
			t.Errorf("%+v: not refused", tt.limit)
			continue
		}
		got := itoa(answer.Status) + " " + x.record.Code
		for _, name := range []string{"retry-after", "x-should-retry"} {
			if v := value(answer.Header, name); v != "" {
				got += " " + name + " " + v
			}
		}
		if got != tt.want || !strings.Contains(string(answer.Body), `"`+tt.says+`"`) || x.record.Limit != "l" {
			t.Errorf("%+v: %s by %q: %s", tt.limit, got, x.record.Limit, answer.Body)
		}
		x.Close(false)
		first.Close(false)
		if till.open != 0 {
			t.Errorf("%+v: %d claims are open", tt.limit, till.open)
		}
	}
}

func TestLimitsBreak(t *testing.T) {
	h, till := bounded(t, nil, tokensPer("key", 100))
	till.fail = errors.New("no route to the store")
	x, answer, _ := decide(t, h, chatPath, chat("a/m", ""))
	if answer == nil || answer.Status != 500 || strings.Contains(string(answer.Body), "route") || !strings.Contains(x.record.Detail, "no route") {
		t.Errorf("answer %+v, detail %q", answer, x.record.Detail)
	}
	h = newGateway(t, func(o *Options) {
		o.Policy = policyFunc(func(*Facts) (Decision, error) { return Decision{Limits: []Limit{tokensPer("key", 9)}}, nil })
	})
	if _, answer, _ := decide(t, h, chatPath, chat("a/m", "")); answer == nil || answer.Status != 500 {
		t.Errorf("a limit that nobody keeps: %+v", answer)
	}
	if _, err := New(Options{Bounds: []Limit{tokensPer("key", 9)}}); err == nil {
		t.Error("a gateway without a store has limits")
	}
}

func TestAccounts(t *testing.T) {
	caller := Caller{KeyID: "k1", Team: "red", Org: "acme", User: "ann"}
	h, till := bounded(t, func(o *Options) { o.Auth = keyFunc(func(Secret) (Caller, error) { return caller, nil }) },
		tokensPer("key", 1e6), tokensPer("team", 1e6), tokensPer("org", 1e6), tokensPer("user", 1e6), tokensPer("session", 1e6),
		tokensPer("property.tenant", 1e6), tokensPer("model", 1e6), tokensPer("provider", 1e6))
	ask := func(headers ...string) {
		x, answer, _ := decide(t, h, chatPath, chat("a/m", ""), headers...)
		if answer != nil {
			t.Fatalf("answered %s", answer.Body)
		}
		x.Close(false)
	}
	ask()
	ask("x-attache-user", "bob", "x-attache-session", "s", "x-attache-property-tenant", "t")
	ask("x-attache-user", strings.Repeat("x", 500))
	long := ""
	for at := range till.used {
		if strings.HasPrefix(at, "user xxx") {
			long = at
		}
	}
	if len(long) > 100 {
		t.Errorf("a long name is kept: %q", long)
	}
	delete(till.used, long)
	for _, at := range []string{
		"key k1", "team red", "org acme", "user ann", "user bob", "session ", "session s", "property.tenant ", "property.tenant t", "model a/m", "provider a",
	} {
		if _, ok := till.used[at]; !ok {
			t.Errorf("nothing is counted for %q", at)
		}
		delete(till.used, at)
	}
	if len(till.used) > 0 {
		t.Errorf("counted as well: %v", till.used)
	}
}

// Rules' limits hold besides those of the configuration. Where both are for the same
// account a use counts once.
func TestLimitsOfThePolicy(t *testing.T) {
	ruled := Limit{Per: "key", WindowS: 60, Requests: 2, Tokens: -1, CostNano: -1, Concurrent: -1, By: Says{Requests: "two", Tokens: "none"}}
	h, till := bounded(t, func(o *Options) {
		o.Policy = policyFunc(func(*Facts) (Decision, error) { return Decision{Limits: []Limit{ruled}}, nil })
	}, limit(func(l *Limit) { l.Requests = 100 }))
	for i := range 3 {
		x, answer, _ := decide(t, h, chatPath, chat("a/m", ""))
		x.Close(false)
		if refused := answer != nil; refused != (i == 2) {
			t.Fatalf("request %d: %+v", i, answer)
		}
		if answer != nil && (x.record.Limit != "rule:two" || !strings.Contains(string(answer.Body), "the policy's limit of 2 requests per key a minute is reached")) {
			t.Errorf("by %q: %s", x.record.Limit, answer.Body)
		}
	}
	if got := till.held("key k"); got.Requests != 2 {
		t.Errorf("counted %+v", got)
	}
}

// A limit with a name counts the requests that it holds for, and no others. Who is
// refused reads the name.
func TestLimitsWithNames(t *testing.T) {
	named := Limit{Name: "dear", Own: true, Per: "key", WindowS: 60, Requests: 1, Tokens: -1, CostNano: -1, Concurrent: -1, By: Says{Requests: "r"}}
	h, till := bounded(t, func(o *Options) {
		o.Policy = policyFunc(func(f *Facts) (d Decision, err error) {
			if f.Model == "c/m" {
				d.Limits = []Limit{named}
			}
			return d, nil
		})
	}, limit(func(l *Limit) { l.Requests = 100 }))
	for i, c := range []struct {
		model   string
		refused bool
	}{{"a/m", false}, {"c/m", false}, {"c/m", true}, {"a/m", false}} {
		x, answer, _ := decide(t, h, chatPath, chat(c.model, ""))
		x.Close(false)
		if refused := answer != nil; refused != c.refused {
			t.Fatalf("request %d: %+v", i, answer)
		}
		if answer != nil && (x.record.Limit != "dear" || !strings.Contains(string(answer.Body), "the policy's limit dear is reached: 1 request per key a minute")) {
			t.Errorf("by %q: %s", x.record.Limit, answer.Body)
		}
	}
	if everyone, some := till.held("key k"), till.held("dear key k"); everyone.Requests != 3 || some.Requests != 1 {
		t.Errorf("counted %+v, by name %+v", everyone, some)
	}
}

// Limits that hold for the targets which a rule brings in count, and the record has
// their rules: the count is made of records after a restart.
func TestLimitsBroughtIn(t *testing.T) {
	everywhere := limit(func(l *Limit) { l.Requests, l.By = 5, Says{Requests: "all"} })
	dear := limit(func(l *Limit) {
		l.Name, l.Own, l.Requests, l.By = "dear", true, 5, Says{Requests: "dear-c", Tokens: "dear-d"}
	})
	h, till := bounded(t, func(o *Options) {
		o.Policy = script{reads: []string{"candidates"}, decide: func(f *Facts) (Decision, error) {
			if slices.ContainsFunc(f.Candidates, func(c Candidate) bool { return c.Provider == "c" }) {
				return Decision{Limits: []Limit{everywhere, dear}, Rules: []string{"all", "dear-c", "dear-d", "label"}}, nil
			}
			return Decision{Chain: []string{"c/m"}, Limits: []Limit{everywhere}, Rules: []string{"all", "chain"}}, nil
		}}
	})
	x, answer, _ := decide(t, h, chatPath, chat("a/m", ""))
	x.Close(false)
	if want := []string{"all", "chain", "dear-c", "dear-d"}; answer != nil || !slices.Equal(x.record.Rules, want) {
		t.Errorf("the rules %q, %+v, want %q", x.record.Rules, answer, want)
	}
	if got := till.held("dear key k"); got.Requests != 1 {
		t.Errorf("counted %+v", got)
	}
}

// What a refusal says of a limit, and of which rule the record is.
func TestLimitsInWords(t *testing.T) {
	rule := Limit{Per: "user", WindowS: 300, Requests: 20, Tokens: 1, CostNano: 1_500_000_000, Concurrent: 1, By: Says{"r", "t", "c", "n"}}
	of := func(change func(*Limit)) *Limit { l := rule; change(&l); return &l }
	for _, c := range []struct {
		limit        *Limit
		measure      Measure
		says, record string
	}{
		{&rule, MeasureRequests, "the policy's limit of 20 requests per user in 300 seconds is reached; this request alone needs more", "rule:r"},
		{&rule, MeasureTokens, "the policy's limit of 1 token per user in 300 seconds is reached; this request alone needs more", "rule:t"},
		{&rule, MeasureCost, "the policy's limit of 1.5 dollars per user in 300 seconds is reached; this request alone needs more", "rule:c"},
		{&rule, MeasureConcurrent, "the policy's limit of 1 request at a time per user is reached", "rule:n"},
		{of(func(l *Limit) { l.Name, l.Own = "x", true }), MeasureConcurrent, "the policy's limit x is reached: 1 request at a time per user", "x"},
		{of(func(l *Limit) { l.Name, l.Own = "x", true }), MeasureCost, "the policy's limit x is spent; this request alone needs more", "x"},
		{of(func(l *Limit) { l.Name = "x" }), MeasureCost, "the budget x is spent; this request alone needs more", "x"},
		{of(func(l *Limit) { l.Name, l.CostNano = "x", -1 }), MeasureTokens, "the limit x is reached: 1 token per user in 300 seconds; this request alone needs more", "x"},
	} {
		by := refusedBy{Limit: c.limit, Shortage: Shortage{Measure: c.measure}}
		if says, record := by.message(), by.name(); says != c.says || record != c.record {
			t.Errorf("have %q by %q\nwant %q by %q", says, record, c.says, c.record)
		}
	}
}

// Every target of the chain is claimed for; those that have no room are left out.
func TestLimitsOfTargets(t *testing.T) {
	perModel := limit(func(l *Limit) { l.Per, l.Requests = "model", 1 })
	perProvider := limit(func(l *Limit) { l.Name, l.Per, l.Requests = "p", "provider", 3 })
	h, till := bounded(t, nil, perModel, perProvider)
	for i, want := range []string{"a.retry c.retry", "429", "c", "429"} {
		model := "a/m,c/m"
		if i == 2 {
			model = "a/m,c/o"
		}
		x, answer, f := decide(t, h, chatPath, chat(model, ""))
		got := ""
		if answer != nil {
			got = itoa(answer.Status)
		} else {
			got = strings.Join(f.Clusters, " ")
		}
		if got != want {
			t.Fatalf("request %d: %s, want %s", i, got, want)
		}
		if i == 2 && !strings.Contains(strings.Join(x.record.Warnings, ";"), "target a/m left out: the limit l has no room") {
			t.Errorf("warnings %q", x.record.Warnings)
		}
		if i == 0 { // the first target answers
			if _, _, err := x.Attempt(1, "a.retry"); err != nil {
				t.Fatal(err)
			}
			if _, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "application/json"}}, false); err != nil {
				t.Fatal(err)
			}
			if got := till.held("model c/m"); got != (Amount{}) {
				t.Errorf("held for a target that was not asked: %+v", got)
			}
			x.Close(false)
			till.used["model c/m"] = Amount{Requests: 1}
		}
	}
	if a, c := till.held("provider a"), till.held("provider c"); a.Requests != 1 || c.Requests != 1 {
		t.Errorf("provider a: %+v, provider c: %+v", a, c)
	}
}

// A target that was asked in vain has had its request.
func TestFallbackCounts(t *testing.T) {
	h, till := bounded(t, nil, limit(func(l *Limit) { l.Per, l.Requests, l.Concurrent = "model", 10, 10 }))
	x, _, f := decide(t, h, chatPath, chat("a/m,c/m,c/n", ""))
	for i := range 2 {
		if _, _, err := x.Attempt(i+1, f.Clusters[i]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := x.Respond(2, 200, []llm.Header{{Name: "content-type", Value: "application/json"}}, false); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]Amount{"model a/m": {Requests: 1}, "model c/m": {Requests: 1, Concurrent: 1}, "model c/n": {}} {
		if got := till.held(at); got != want {
			t.Errorf("%s: %+v, want %+v", at, got, want)
		}
	}
	x.Close(false)
	if got := till.held("model c/m"); got.Requests != 1 || got.Concurrent != 0 || till.open != 0 {
		t.Errorf("after the end: %+v, %d open", got, till.open)
	}
}

// Where money is limited, a target without a price is used only if that is said.
func TestUnpriced(t *testing.T) {
	budget := limit(func(l *Limit) { l.Name, l.CostNano = "team", 1e9 })
	for _, tt := range []struct {
		model string
		allow bool
		want  string
	}{
		{"a/m,b/n", false, "a"},
		{"b/n", false, "503 the price of b/n is not known, and the budget team needs one: the gateway's configuration can give it under providers.b.prices"},
		{"b/n", true, "b"},
	} {
		budget.Unpriced = tt.allow
		h, _ := bounded(t, nil, budget)
		_, answer, f := decide(t, h, chatPath, chat(tt.model, ""))
		got := ""
		if answer != nil {
			got = itoa(answer.Status) + " " + string(answer.Body)
		} else {
			got = strings.Join(f.Clusters, " ")
		}
		if answer != nil && strings.Contains(got, tt.want[4:]) {
			got = tt.want
		}
		if got != tt.want {
			t.Errorf("%s, allowed %v: %s", tt.model, tt.allow, got)
		}
	}
}

// A unary response gets no more tokens than there are, unless that is more than it
// can have.
func TestOutputIsBounded(t *testing.T) {
	for _, tt := range []struct {
		more string
		left int64
		want string
		hold int64
	}{
		{"", 5000, `"max_completion_tokens":4096`, unknownLength},
		{"", 1000, `"max_completion_tokens":1000`, 1000},
		{"", 1e6, "", unknownLength},
		{`,"max_tokens":3000`, 2000, `"max_tokens":2000`, unknownLength},
		{`,"max_tokens":3000`, 4000, `"max_tokens":3000`, unknownLength},
		{`,"max_tokens":3000`, 40_000, `"max_tokens":3000`, 3000}, // little of what is left: all is reserved
		{`,"max_tokens":10`, 100, `"max_tokens":10`, 10},
		{`,"n":1500`, 1000, `"max_completion_tokens":1`, 1000},
		{`,"stream":true,"max_tokens":3000`, 2000, `"max_tokens":3000`, unknownLength}, // can be stopped
	} {
		h, till := bounded(t, nil, tokensPer("key", inputOfChat+tt.left))
		x, answer, f := decide(t, h, chatPath, chat("a/m", tt.more))
		if answer != nil {
			t.Errorf("%s with %d left: answered %s", tt.more, tt.left, answer.Body)
			continue
		}
		body := string(f.First.Body)
		if tt.want == "" && strings.Contains(body, "max_") || !strings.Contains(body, tt.want) {
			t.Errorf("%s with %d left: %s", tt.more, tt.left, body)
		}
		if got := till.held("key k").Tokens - inputOfChat; got != tt.hold {
			t.Errorf("%s with %d left: %d are reserved, want %d", tt.more, tt.left, got, tt.hold)
		}
		lowered := strings.Contains(strings.Join(x.record.Warnings, ";"), "max_tokens: lowered to")
		if lowered != (tt.left <= 5000 && tt.want != `"max_tokens":3000` && tt.left > 100) {
			t.Errorf("%s with %d left: warnings %q", tt.more, tt.left, x.record.Warnings)
		}
	}
}

// Nobody makes room by asking for less than nothing.
func TestNegativeOutput(t *testing.T) {
	h, till := bounded(t, nil, tokensPer("key", 100))
	till.used["key k"] = Amount{Tokens: 100}
	for path, body := range map[string]string{
		"/v1/completions": `{"model":"a/m","prompt":"hi","max_tokens":-1000}`,
		chatPath:          chat("a/m", `,"max_tokens":-1000`),
		"/v1/messages":    `{"model":"a/m","max_tokens":-1000,"messages":[{"role":"user","content":"hi"}]}`,
	} {
		x, answer, _ := decide(t, h, path, body)
		if got := till.held("key k").Tokens; answer == nil || got != 100 {
			t.Errorf("%s: answered %+v with %d tokens held", path, answer, got)
		}
		x.Close(false)
	}
}

// A long request is not counted, unless that matters.
func TestLongInput(t *testing.T) {
	dense := strings.Repeat(" international", 1200) + strings.Repeat(" a", 30<<10) // more than a token for four bytes
	body := strings.Replace(chat("a/m", `,"max_tokens":10`), "my card is 4111", dense, 1)
	exact := int64(0)
	for _, tt := range []struct{ left, want int64 }{{10e6, 0}, {500_000, 1}, {20_000, 429}} {
		h, till := bounded(t, nil, tokensPer("key", tt.left))
		x, answer, _ := decide(t, h, chatPath, body)
		got := till.held("key k").Tokens - 10
		switch {
		case answer != nil && int64(answer.Status) != tt.want, answer == nil && tt.want == 429:
			t.Errorf("%d left: %+v", tt.left, answer)
		case tt.want == 1:
			if exact = x.req.InputEstimate; got != exact {
				t.Errorf("%d left: %d tokens are reserved, the input has %d", tt.left, got, exact)
			}
		case tt.want == 0 && x.req.InputEstimate != 0:
			t.Errorf("%d left: all %d tokens were counted", tt.left, x.req.InputEstimate)
		}
		x.Close(false)
		if till.open != 0 {
			t.Errorf("%d left: %d claims are open", tt.left, till.open)
		}
	}
}

// A picture has many bytes and few tokens.
func TestPicturesFit(t *testing.T) {
	body := `{"model":"a/m","max_tokens":10,"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
		strings.Repeat("AAAA", 50<<10) + `"}}]}]}`
	h, _ := bounded(t, nil, tokensPer("key", 1000))
	if _, answer, _ := decide(t, h, chatPath, body); answer != nil {
		t.Errorf("%s", answer.Body)
	}
}

// No request gets less output than it has for thinking.
func TestThinkingFits(t *testing.T) {
	body := `{"model":"a/m","max_tokens":8000,"thinking":{"type":"enabled","budget_tokens":4000},"messages":[{"role":"user","content":"hi"}]}`
	for left, want := range map[int64]int{5000: 0, 3000: 429} {
		h, _ := bounded(t, nil, tokensPer("key", left))
		x, answer, _ := decide(t, h, "/v1/messages", body)
		if want == 0 && (answer != nil || !strings.Contains(strings.Join(x.record.Warnings, ";"), "max_tokens: lowered to 49")) || want != 0 && (answer == nil || answer.Status != want) {
			t.Errorf("%d left: %+v, warnings %q", left, answer, x.record.Warnings)
		}
	}
}

// What a model's responses were long before is what is expected of the next.
func TestLengthsAreLearnt(t *testing.T) {
	h, till := bounded(t, nil, tokensPer("key", 1e9))
	for range fewLengths {
		x, _, _ := decide(t, h, chatPath, chat("a/m", ""))
		if _, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "application/json"}}, false); err != nil {
			t.Fatal(err)
		}
		x.Chunk([]byte(`{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],`+
			`"usage":{"prompt_tokens":3,"completion_tokens":50,"total_tokens":53}}`), true)
		x.Close(false)
	}
	before := till.held("key k").Tokens
	if before != fewLengths*53 {
		t.Errorf("%d tokens were booked", before)
	}
	decide(t, h, chatPath, chat("a/m", ""))
	if got := till.held("key k").Tokens - before - inputOfChat; got < 50 || got > 63 {
		t.Errorf("%d tokens are expected", got)
	}
}

func TestLimitFacts(t *testing.T) {
	var seen *Facts
	h, till := bounded(t, func(o *Options) {
		o.Policy = policyFunc(func(f *Facts) (Decision, error) { seen = f; return Decision{}, nil })
	}, limit(func(l *Limit) { l.Requests = 10 }),
		limit(func(l *Limit) { l.Name, l.Per, l.CostNano = "b", "team", 1000 }),
		limit(func(l *Limit) { l.Name, l.Per, l.Requests = "m", "model", 4 }))
	till.used["key k"], till.used["team red"], till.used["model c/m"] = Amount{Requests: 3}, Amount{CostNano: 250}, Amount{Requests: 3}
	decide(t, h, chatPath, chat("a/m,c/m", ""))
	if l := seen.Limits["l"]; len(seen.Limits) != 1 || l.Left.Requests != 7 || l.Left.Tokens != -1 || l.Max.Requests != 10 {
		t.Errorf("limits %+v", seen.Limits)
	}
	if b := seen.Budgets["b"]; len(seen.Budgets) != 1 || b.Left.CostNano != 750 || b.Used.CostNano != 250 {
		t.Errorf("budgets %+v", seen.Budgets)
	}
	if a, c := seen.Candidates[0].LeftPermille, seen.Candidates[1].LeftPermille; a != 1000 || c != 250 {
		t.Errorf("candidates: %d and %d", a, c)
	}
	till.fail = errors.New("gone")
	if _, answer, _ := decide(t, h, chatPath, chat("a/m", "")); answer == nil || answer.Status != 500 {
		t.Errorf("the policy was asked without facts: %+v", answer)
	}
}

// Without limits nobody asks the store.
func TestNoLimits(t *testing.T) {
	h, till := bounded(t, nil)
	x, _, _ := decide(t, h, chatPath, chat("a/m", ""))
	x.Close(false)
	if till.calls != 0 {
		t.Errorf("the store was asked %d times", till.calls)
	}
}

func TestMaxClaims(t *testing.T) {
	var limits []Limit
	for i := range MaxClaims / 2 {
		limits = append(limits, limit(func(l *Limit) { l.Name, l.Per, l.Requests, l.WindowS = fmt.Sprint(i), "model", 1e6, int64(i+1) }))
	}
	h, _ := bounded(t, nil, limits...)
	x, answer, f := decide(t, h, chatPath, chat("a/m,a/n,a/o", ""))
	if answer != nil || len(f.Clusters) != 2 || !strings.Contains(strings.Join(x.record.Warnings, ";"), "target a/o left out: more limits") {
		t.Errorf("%+v, %+v, %q", answer, f, x.record.Warnings)
	}
	h, _ = bounded(t, nil, append(limits, limits...)[:MaxClaims]...)
	if _, answer, _ := decide(t, h, chatPath, chat("a/m", "")); answer != nil {
		t.Errorf("%s", answer.Body)
	}
}
