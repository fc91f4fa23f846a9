package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A hook is the other end of a webhook.
type hook struct {
	*httptest.Server
	mu  sync.Mutex
	got []string // "budget account share"
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e struct {
			Budget, Account string
			SharePermille   int64 `json:"share_permille"`
			LimitNano       int64 `json:"limit_nano"`
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil || e.LimitNano == 0 {
			t.Errorf("the webhook got %+v, %v", e, err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, fmt.Sprint(e.Budget, " ", e.Account, " ", e.SharePermille))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) told() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

// adminText is what the gateway's own address answers.
func (w *world) adminText(t *testing.T, path string) string {
	t.Helper()
	response, err := http.Get("http://" + w.admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%s: %d, %v, %s", path, response.StatusCode, err, text)
	}
	return string(text)
}

const (
	ann = "X-Attache-User"
	// long answers with as many tokens as it has events, and without an end it is
	// stopped.
	long = "m@text=and@events=1650"
)

// TestBudgetOverRestart: what is spent stays spent, over reloads and restarts, by the
// configuration's budget and by a rule's limit; who is told of it is told once.
func TestBudgetOverRestart(t *testing.T) {
	h := newHook(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.rego"), []byte(`package attache.request

limit contains {"per": "session", "cost_nano": 17000000, "window": "month"} if input.session == "trial"
`))
	_, line := (&world{}).priced(t, long, "small")
	w := begin(t, "1.40", line, "policy: {dir: "+dir+"}", "timezone: Pacific/Auckland",
		"budgets:", "  - {name: b, per: user, usd: 0.02/month, alert: [50%, 100%], webhook: "+h.URL+"}")
	spend := func(user, session string) answer {
		return w.send(t, endless("p/"+long), ann, user, "X-Attache-Session", session)
	}
	if a := spend("ann", ""); a.status != 200 || w.row(t, a).output != 1650 {
		t.Fatalf("%d %.300s", a.status, a.body)
	}
	if a := spend("ann", ""); a.status != 200 || !strings.Contains(a.body, `"finish_reason":"length"`) || w.row(t, a).code != "insufficient_quota" {
		t.Fatalf("%d %.300s", a.status, a.body)
	}
	if a := spend("cid", "trial"); a.status != 200 || w.row(t, a).output != 1650 {
		t.Fatalf("%d %.300s", a.status, a.body)
	}
	check := func(when string) {
		t.Helper()
		if a := w.send(t, calls("p/small")["openai"], ann, "ann"); a.status != 429 || !strings.Contains(a.body, "the budget b is spent") {
			t.Errorf("%s: the one who has spent it: %d %s", when, a.status, a.body)
		}
		if a := w.send(t, calls("p/small")["openai"], ann, "dan", "X-Attache-Session", "trial"); a.status != 429 || !strings.Contains(a.body, "the policy's limit of 0.017 dollars per session a month is reached") {
			t.Errorf("%s: a session that has spent its own: %d %s", when, a.status, a.body)
		}
		if a := w.send(t, calls("p/small")["openai"], ann, "bob"); a.status != 200 {
			t.Errorf("%s: another: %d %s", when, a.status, a.body)
		}
	}
	check("at once")

	text, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, w.file, append(text, "\nlimits: [{per: key, requests: 1000/min}]\n"...))
	eventually(t, "a reload", func() bool { return strings.Contains(w.adminText(t, "/api/limits"), `"window_s": 60`) })
	check("after a reload")

	w.stop()
	if got, want := h.told(), []string{"b ann 500", "b ann 1000", "b cid 500"}; !slices.Equal(got, want) {
		t.Errorf("the webhook was told %q, want %q", got, want)
	}
	w.serve(t)
	eventually(t, "an answer after the restart", func() bool { return w.send(t, calls("p/small")["openai"], ann, "eve").status == 200 })
	check("after a restart")

	var v struct {
		Timezone string
		Budgets  []struct {
			MostUsed []struct {
				Account      string
				LeftPermille int64 `json:"left_permille"`
			} `json:"most_used"`
		}
	}
	if err := json.Unmarshal([]byte(w.adminText(t, "/api/limits?top=2")), &v); err != nil || v.Timezone != "Pacific/Auckland" || len(v.Budgets) != 1 {
		t.Fatalf("%+v, %v", v, err)
	}
	if most := v.Budgets[0].MostUsed; len(most) != 2 || most[0].Account != "ann" || most[0].LeftPermille != 0 || most[1].Account != "cid" || most[1].LeftPermille/10 != 17 {
		t.Errorf("the API says %+v", most)
	}
	metrics := w.adminText(t, "/metrics")
	for _, line := range []string{`attache_limit_accounts{kind="budget",left="none",name="b"} 1`, `attache_limit_least_left_permille{kind="budget",name="b"} 0`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("there is no %s", line)
		}
	}
	if strings.Contains(metrics, "attache_budget_alerts_total{") {
		t.Error("it is told again after a restart")
	}
}

// TestRulesSeeBudgets: a rule takes the cheap model when the money runs low, another
// one refuses when it is gone, and a third leaves out a provider that has little
// left.
func TestRulesSeeBudgets(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.rego"), []byte(`package attache.request

import rego.v2

route contains {"chain": ["cheap"]} if {
	input.request.model == "smart"
	input.budgets.team.left_permille < 200
}

deny contains {"code": "no_money", "status": 402} if input.budgets.team.state == "exhausted"

route contains {"exclude": {"target": [sprintf("%s/%s", [c.provider, c.model]) | some c in input.candidates; c.left_permille < 500]}} if {
	input.request.model == "either"
	some c in input.candidates
	c.left_permille < 500
}

label contains {"left": sprintf("%d", [input.limits.rate.requests_left])} if input.session == "count"
`))
	_, line := (&world{}).priced(t, long, "small", "other")
	w := begin(t, "1.40", line, "policy: {dir: "+dir+"}",
		"models:", `  smart: {targets: ["p/`+long+`"]}`, "  cheap: {targets: [p/small]}", `  either: {targets: [p/other, p/small]}`,
		"budgets:", "  - {per: team, usd: 0.02/month}",
		"limits:", "  - {name: rate, per: session, requests: 10/h}", "  - {per: model, requests: 4/h}")
	ask := func(model string, more ...string) (answer, row) {
		t.Helper()
		a := w.send(t, endless(model), more...)
		return a, w.row(t, a)
	}
	for i, want := range []string{"p/other", "p/other", "p/other", "p/small"} { // of the first, less than half is left then
		a, r := ask("either", "X-Attache-Session", "count")
		if a.status != 200 || r.target != want {
			t.Errorf("request %d of two models: %d %+v, want %s", i, a.status, r, want)
		}
		var labels string
		if err := w.ledger.QueryRow("SELECT labels FROM exchanges WHERE id = ?", a.header.Get("X-Attache-Request-Id")).Scan(&labels); err != nil || labels != fmt.Sprintf(`{"left":"%d"}`, 10-i) {
			t.Errorf("request %d: labels %s, %v", i, labels, err)
		}
	}
	if a, r := ask("smart"); a.status != 200 || r.target != "p/"+long || r.output != 1650 {
		t.Fatalf("%d %+v", a.status, r)
	}
	if a, r := ask("smart"); a.status != 200 || r.target != "p/small" {
		t.Errorf("when it runs low: %d %+v", a.status, r)
	}
	if a, r := ask("p/" + long); a.status != 200 || r.code != "insufficient_quota" {
		t.Errorf("who insists: %d %+v", a.status, r)
	}
	if a, _ := ask("smart"); a.status != 402 || !strings.Contains(a.body, "no_money") {
		t.Errorf("when it is gone: %d %s", a.status, a.body)
	}
}
