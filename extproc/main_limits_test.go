package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/attache-gateway/attache/bench/mock"
)

// A call is a request in any client's dialect.
type call struct{ path, body string }

// calls are the same question in the dialects of all clients.
func calls(model string) map[string]call {
	return map[string]call{
		"openai":    {"/v1/chat/completions", `{"model":"` + model + `","messages":[{"role":"user","content":"hi"}]}`},
		"responses": {"/v1/responses", `{"model":"` + model + `","input":"hi"}`},
		"anthropic": {"/v1/messages", `{"model":"` + model + `","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`},
		"gemini":    {"/v1beta/models/" + model + ":generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
		"bedrock":   {"/model/" + model + "/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`},
	}
}

// start sends a call and returns when the headers are there.
func (w *world) start(ctx context.Context, c call, headers ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+c.path, strings.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return client.Do(r)
}

// send sends a call and reads the whole answer.
func (w *world) send(t *testing.T, c call, headers ...string) answer {
	t.Helper()
	response, err := w.start(t.Context(), c, headers...)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body), err}
}

func endless(model string) call {
	return call{"/v1/chat/completions", `{"model":"` + model + `","stream":true,"messages":[{"role":"user","content":"hi"}]}`}
}

// TestRequestLimit: what is over the limit is refused before anybody is asked, in the
// client's own format, and says when to come again.
func TestRequestLimit(t *testing.T) {
	w := begin(t, "1.40", "models:", "  smart: {targets: [o/m]}", "limits:", "  - {name: l, per: user, requests: 2/min, concurrent: 5}")
	says := map[string]string{
		"openai":    `"code":"rate_limited"`,
		"responses": `"code":"rate_limited"`,
		"anthropic": `"type":"rate_limit_error"`,
		"gemini":    `"status":"RESOURCE_EXHAUSTED"`,
		"bedrock":   `the limit l is reached`,
	}
	for dialect, c := range calls("smart") {
		before := w.providers["o"].Stats().Requests
		for range 2 {
			if a := w.send(t, c, "x-attache-user", dialect); a.status != 200 {
				t.Fatalf("%s: %d %s", dialect, a.status, a.body)
			}
		}
		a := w.send(t, c, "x-attache-user", dialect)
		seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
		if a.status != 429 || !strings.Contains(a.body, says[dialect]) || !strings.Contains(a.body, "2 requests per user a minute") || err != nil || seconds < 1 || seconds > 67 {
			t.Errorf("%s: %d, retry after %q: %s", dialect, a.status, a.header.Get("Retry-After"), a.body)
		}
		if r := w.row(t, a); r.code != "rate_limited" || r.target != "" || r.attempts != "" {
			t.Errorf("%s: the record is %+v", dialect, r)
		}
		if n := w.providers["o"].Stats().Requests - before; n != 2 {
			t.Errorf("%s: the provider was asked %d times", dialect, n)
		}
	}
}

// TestTokenLimit: what was used counts, as the provider says, and not what was
// reserved. A response that could outgrow what is left is asked to be shorter.
func TestTokenLimit(t *testing.T) {
	w := begin(t, "1.40", "limits:", "  - {per: user, tokens: 600/min}")
	c := calls("o/m@events=300")["openai"]
	if a := w.send(t, c); a.status != 200 || !strings.Contains(a.header.Get("X-Attache-Warnings"), "max_tokens: lowered to") {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	log := w.providers["o"].Log()
	if body := string(log[len(log)-1].Body); !strings.Contains(body, `"max_tokens":593`) {
		t.Errorf("the provider got %s", body)
	}
	if a := w.send(t, c); a.status != 200 { // about 290 are left
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.send(t, c); a.status != 429 || !strings.Contains(a.body, "600 tokens per user a minute") || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := w.send(t, c, "x-attache-user", "somebody else"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// priced starts a mock provider whose models cost 10 dollars per million tokens, and
// returns its line of the configuration, which goes before all others.
func (w *world) priced(t *testing.T, models ...string) (*mock.Server, string) {
	t.Helper()
	s, err := mock.Start(mock.Options{Name: "p", Dialect: mock.OpenAI, Log: 64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	line := fmt.Sprintf("  p: {kind: openai, url: \"%s/v1\", key: k, prices: {", s.URL())
	for _, m := range models {
		line += fmt.Sprintf("%q: {input: 10, output: 10}, ", m)
	}
	return s, strings.TrimSuffix(line, ", ") + "}}"
}

// TestBudgetStopsStream: a stream ends where the money does, in its client's format
// as if the model had written enough, and the provider is told to stop.
func TestBudgetStopsStream(t *testing.T) {
	const model = "m@events=100000@gap=1ms"
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			provider, line := (&world{}).priced(t, model)
			w := begin(t, version, line, "budgets:", "  - {name: b, per: team, usd: 0.02/month}") // 2000 tokens
			a := w.send(t, endless("p/"+model))
			if a.status != 200 || !strings.Contains(a.body, `"finish_reason":"length"`) || !strings.HasSuffix(a.body, "data: [DONE]\n\n") {
				t.Fatalf("%d: it ends with %q", a.status, a.body[max(0, len(a.body)-400):])
			}
			await(t, provider, func(s mock.Stats) bool { return s.Cancelled == 1 && s.InFlight == 0 })
			r := w.row(t, a)
			if total := r.input + r.output; total < 1900 || total > 2010 || r.code != "insufficient_quota" || r.truncated || r.cancelled || !r.counted {
				t.Errorf("the record is %+v", r)
			}
			a = w.send(t, endless("p/"+model))
			if a.status != 429 || !strings.Contains(a.body, `"code":"insufficient_quota"`) || !strings.Contains(a.body, "the budget b is spent; it starts anew at ") || a.header.Get("X-Should-Retry") != "false" {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
		})
	}
}

// TestBudgetNeedsPrices: nothing of unknown price is bought.
func TestBudgetNeedsPrices(t *testing.T) {
	w := begin(t, "1.40", "budgets:", "  - {per: team, usd: 1/day}")
	a := w.send(t, calls("o/m")["openai"])
	if a.status != 503 || !strings.Contains(a.body, "the price of o/m is not known") || !strings.Contains(a.body, "providers.o.prices") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestConcurrent: requests that are under way count until they end, however they do.
func TestConcurrent(t *testing.T) {
	w := begin(t, "1.40", "limits:", "  - {per: team, concurrent: 2}")
	slow := endless("o/m@events=10000@gap=20ms")
	var hangUp [2]context.CancelFunc
	for i := range hangUp {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		response, err := w.start(ctx, slow)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if line, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil {
			t.Fatalf("%q, %v", line, err)
		}
		hangUp[i] = cancel
	}
	fast := calls("o/m")["openai"]
	if a := w.send(t, fast); a.status != 429 || a.header.Get("Retry-After") != "1" || !strings.Contains(a.body, "2 requests at a time per team") {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	hangUp[0]()
	eventually(t, "room for a request", func() bool { return w.send(t, fast).status == 200 })
}

// TestTargetLimit: a target without room is left out of the chain, and one that is
// asked in vain has had its request.
func TestTargetLimit(t *testing.T) {
	w := begin(t, "1.40", "models:", "  smart: {targets: [o/m, a/m]}", "limits:", "  - {name: l, per: model, requests: 1/min}")
	c := calls("smart")["openai"]
	for i, want := range []string{"o/m", "a/m", ""} {
		a := w.send(t, c)
		if r := w.row(t, a); r.target != want || (a.status == 429) != (want == "") {
			t.Errorf("request %d: %d from %q: %s", i, a.status, r.target, a.body)
		}
		if i == 1 && !strings.Contains(a.header.Get("X-Attache-Warnings"), "target o/m left out: the limit l has no room") {
			t.Errorf("warnings %q", a.header.Get("X-Attache-Warnings"))
		}
	}
	a := w.send(t, calls("o2/m@fault=500,a2/m")["openai"])
	if r := w.row(t, a); r.target != "a2/m" {
		t.Fatalf("the record is %+v", r)
	}
	if a := w.send(t, calls("o2/m@fault=500")["openai"]); a.status != 429 {
		t.Errorf("a target that failed was not asked: %d", a.status)
	}
}

// TestRuleLimit: a rule's limit refuses the third request, counts on over a reload,
// and may give another number to others.
func TestRuleLimit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "limits.rego"), []byte(`package attache.request

limit contains {"per": "user", "requests": 2, "window_s": 60} if input.user != "gold"

limit contains {"per": "user", "requests": 4, "window_s": 60} if input.user == "gold"
`))
	w := begin(t, "1.40", "policy: {dir: "+dir+"}")
	c := calls("o/m")["openai"]
	allowed := func(user string, times int) {
		t.Helper()
		for range times {
			if a := w.send(t, c, "x-attache-user", user); a.status != 200 {
				t.Fatalf("%s: %d %s", user, a.status, a.body)
			}
		}
	}
	refused := func(user, says string) {
		t.Helper()
		a := w.send(t, c, "x-attache-user", user)
		if a.status != 429 || !strings.Contains(a.body, "the policy's limit of "+says+" is reached") || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", user, a.status, a.body)
		}
	}
	allowed("ann", 2)
	refused("ann", "2 requests per user a minute")
	allowed("gold", 3)
	before := strings.Count(w.log.String(), "reloaded")
	w.reload(t)
	eventually(t, "a reload", func() bool { return strings.Count(w.log.String(), "reloaded") > before })
	refused("ann", "2 requests per user a minute")
	allowed("gold", 1)
	refused("gold", "4 requests per user a minute")
}

// TestNamedRuleLimit: a rule's limit with a name is for one user and model, and counts
// their requests alone, also after a restart. The other model goes on.
func TestNamedRuleLimit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "limits.rego"), []byte(`package attache.request

# METADATA
# custom: {id: dear}
limit contains {"name": "dear-model", "per": "user", "requests": 2, "window": "month"} if {
	input.user == "ann"
	input.request.model == "o/dear"
}

# METADATA
# custom: {id: everything}
limit contains {"per": "user", "requests": 100, "window": "month"}
`))
	w := begin(t, "1.40", "policy: {dir: "+dir+"}")
	allowed := func(user, model string) {
		t.Helper()
		if a := w.send(t, calls(model)["openai"], "x-attache-user", user); a.status != 200 {
			t.Fatalf("%s, %s: %d %s", user, model, a.status, a.body)
		}
	}
	refused := func(user, model string) {
		t.Helper()
		a := w.send(t, calls(model)["openai"], "x-attache-user", user)
		if a.status != 429 || !strings.Contains(a.body, "the policy's limit dear-model is reached: 2 requests per user a month") {
			t.Errorf("%s, %s: %d %s", user, model, a.status, a.body)
		}
		w.row(t, a)
		w.rowWhere(t, "limited_by", "dear-model")
	}
	for range 3 {
		allowed("ann", "o/m")
		allowed("bob", "o/dear")
	}
	allowed("ann", "o/dear")
	allowed("ann", "o/dear")
	refused("ann", "o/dear")
	allowed("ann", "o/m")
	w.stop()
	w.serve(t)
	eventually(t, "an answer after the restart", func() bool { return w.send(t, calls("o/m")["openai"], "x-attache-user", "eve").status == 200 })
	refused("ann", "o/dear")
	allowed("ann", "o/m")
	allowed("bob", "o/dear")
}

// TestLimitsUnderLoad: of many requests at once as many pass as the limit says, and
// streams that share a budget together spend no more than it has.
func TestLimitsUnderLoad(t *testing.T) {
	const model = "m@events=2000"
	_, line := (&world{}).priced(t, model)
	w := begin(t, "1.40", line, "limits:", "  - {per: user, requests: 40/min}", "budgets:", "  - {per: org, usd: 0.05/day, unpriced: allow}") // 5000 tokens
	asks := make([]ask, 100)
	for i := range asks {
		asks[i] = ask{dialect: "openai", model: "o/m", header: map[string]string{"x-attache-user": "many"}}
	}
	good := 0
	for i, a := range w.doAll(t, asks) {
		switch got := asks[i].outcome(a); got {
		case "good":
			good++
		case "429 rate_limited":
		default:
			t.Fatalf("%s: %s", got, a.body)
		}
	}
	if good != 40 {
		t.Errorf("%d requests passed, want 40", good)
	}
	var answers [12]answer
	var sending sync.WaitGroup
	for i := range answers {
		sending.Go(func() { answers[i] = w.send(t, endless("p/"+model)) })
	}
	sending.Wait()
	total, cut := 0, 0
	for _, a := range answers {
		r := w.row(t, a)
		if total += r.input + r.output; r.status == 200 && r.code == "insufficient_quota" {
			cut++
		}
	}
	if total < 4000 || total > 5000+len(answers) || cut == 0 {
		t.Errorf("%d tokens were used, %d streams ended", total, cut)
	}
}
