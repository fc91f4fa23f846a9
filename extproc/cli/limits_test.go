package cli

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/ledger"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/rego"
)

// limitedConfig has a budget and limits, and a ledger of its own.
func limitedConfig(t *testing.T, more string) *config.Config {
	t.Helper()
	text := `{providers: {p: {kind: openai, url: "http://127.0.0.1:1/v1"}}, auth: {mode: none}, timezone: Asia/Tokyo,
limits: [{name: rate, per: team, requests: 1000/min}, {name: plan, per: team, tokens: 10k/month}],
budgets: [{per: team, usd: 1/month, alert: [50%, 100%]}` + more + `]}`
	c, err := config.Parse(filepath.Join(t.TempDir(), "attache.yaml"), []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// told collects alerts.
type told []string

func (a *told) add(budget string, permille int64) { *a = append(*a, fmt.Sprint(budget, " ", permille)) }

func count(t *testing.T, c *config.Config, a *told) *counting {
	n := newCounting(slog.New(slog.DiscardHandler), c.Ledger.SQLite, a.add)
	t.Cleanup(n.alerts.Close)
	return n
}

func (n *counting) leftOf(t *testing.T, l *gateway.Limit, zone *time.Location, account string, now time.Time) gateway.Left {
	t.Helper()
	left := make([]gateway.Left, 1)
	if err := n.store.Left(t.Context(), now, []gateway.Claim{{Limit: l, Account: account, Zone: zone}}, left); err != nil {
		t.Fatal(err)
	}
	return left[0]
}

// inTokyo is the begin of a month there, which elsewhere is still the one before.
var inTokyo = time.Date(2026, 10, 31, 15, 0, 0, 0, time.UTC)

func spend(id string, at time.Time, team string, nano int64) *gateway.Record {
	return &gateway.Record{
		ID: id, Start: at, Caller: gateway.Caller{Team: team}, Target: "p/m", Provider: "p", Status: 200,
		Attempts: []gateway.Attempt{{Target: "p/m", Result: "200"}}, Usage: llm.Usage{Input: 100, Output: 20}, CostNano: nano,
	}
}

// TestSeed: what was used since the window began, in its zone, is used after a
// restart, and alerts about it are not given again.
func TestSeed(t *testing.T) {
	c := limitedConfig(t, "")
	l, err := ledger.Open(t.Context(), ledger.Options{Path: c.Ledger.SQLite})
	if err != nil {
		t.Fatal(err)
	}
	l.Record(spend("1", inTokyo.Add(-time.Nanosecond), "red", 1e9))
	l.Record(spend("2", inTokyo, "red", 6e8))
	l.Record(spend("3", inTokyo.Add(time.Hour), "blue", 3e8))
	l.Close()
	now := inTokyo.Add(2 * time.Hour)
	var alerts told
	n := count(t, c, &alerts)
	b := boundsOf(c)
	for range 2 { // as a reload does
		if err := n.seed(t.Context(), b, now); err != nil {
			t.Fatal(err)
		}
	}
	n.known(b, now)
	n.put(b, nil)
	for account, want := range map[string]gateway.Amount{
		"red":  {Requests: 1, Tokens: 120, CostNano: 6e8},
		"blue": {Requests: 1, Tokens: 120, CostNano: 3e8},
		"":     {},
	} {
		got := n.leftOf(t, &b.budgets[0], b.zone, account, now)
		if got.Used != want || got.Left.CostNano != 1e9-want.CostNano {
			t.Errorf("%q has used %+v, want %+v; left %+v", account, got.Used, want, got.Left)
		}
		if tokens := n.leftOf(t, &b.limits[1], b.zone, account, now); tokens.Left.Tokens != 10_000-want.Tokens {
			t.Errorf("%q has %d tokens left", account, tokens.Left.Tokens)
		}
		if minute := n.leftOf(t, &b.limits[0], b.zone, account, now); minute.Left.Requests != 1000 {
			t.Errorf("%q has %d requests left this minute", account, minute.Left.Requests)
		}
	}
	n.Record(spend("4", now, "red", 0))
	if len(alerts) > 0 {
		t.Errorf("told again: %q", alerts)
	}
	if left := n.leftOf(t, &b.budgets[0], b.zone, "red", inTokyo.AddDate(0, 1, 0)); left.Used.CostNano != 0 {
		t.Errorf("in the next month %d is used", left.Used.CostNano)
	}
}

// TestSeedNamed: a rule's limit with a name counts the requests for which its rules
// held, beside one without, which counts all.
func TestSeedNamed(t *testing.T) {
	c := limitedConfig(t, "")
	dir := fstest.MapFS{"a.rego": {Data: []byte(`package attache.request

# METADATA
# custom: {id: dear}
limit contains {"name": "dear", "per": "user", "requests": 9, "window": "month"} if input.user == "x"

# METADATA
# custom: {id: dearer}
limit contains {"name": "dear", "per": "user", "requests": 5, "window": "month"} if input.user == "y"

limit contains {"per": "user", "requests": 9, "window": "month"}
`)}}
	live, err := rego.Load(t.Context(), rego.Options{FS: dir, Default: rego.Allow, Deadline: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Options{Path: c.Ledger.SQLite})
	if err != nil {
		t.Fatal(err)
	}
	for i, rules := range [][]string{{"dear", "other"}, {"dearer"}, {"dear", "dearer"}, {"other"}, nil} {
		r := spend(fmt.Sprint(i), inTokyo, "red", 0)
		r.User, r.Rules = "ann", rules
		l.Record(r)
	}
	l.Close()
	n, now := count(t, c, new(told)), inTokyo.Add(time.Hour)
	b := boundsOf(c)
	if err := n.seed(t.Context(), b, now, live); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[gateway.Limit]int64{
		{Name: "dear", Own: true, Per: "user", Window: gateway.WindowMonth}:  3,
		{Name: "other", Own: true, Per: "user", Window: gateway.WindowMonth}: 0,
		{Per: "user", Window: gateway.WindowMonth}:                           5,
	} {
		if used := n.leftOf(t, &limit, b.zone, "ann", now).Used.Requests; used != want {
			t.Errorf("%+v: %d requests are used, want %d", limit.Kind(), used, want)
		}
	}
}

// TestSeedAgain: what was used while no limit of a kind was in force is used when
// there is one again, and the count of what is in force is not asked for anew.
func TestSeedAgain(t *testing.T) {
	c := limitedConfig(t, "")
	now := inTokyo.Add(time.Hour)
	n := count(t, c, new(told))
	b, none := boundsOf(c), &bounds{zone: c.Zone}
	for i, step := range []struct {
		of   *bounds
		want int64
	}{{b, 1e8}, {b, 1e8}, {none, 1e8}, {b, 4e8}} {
		l, err := ledger.Open(t.Context(), ledger.Options{Path: c.Ledger.SQLite})
		if err != nil {
			t.Fatal(err)
		}
		l.Record(spend(fmt.Sprint(i), inTokyo, "red", 1e8))
		l.Close()
		if err := n.seed(t.Context(), step.of, now); err != nil {
			t.Fatal(err)
		}
		n.put(step.of, nil)
		if used := n.leftOf(t, &b.budgets[0], b.zone, "red", now).Used.CostNano; used != step.want {
			t.Errorf("step %d: %d is used, want %d", i, used, step.want)
		}
	}
}

// TestAlertsOfRecords: whoever spends is told of, by what the store says.
func TestAlertsOfRecords(t *testing.T) {
	c := limitedConfig(t, `, {name: users, per: user, usd: 2/day, alert: [10%]}, {name: silent, per: key, usd: 1/day}, {per: model, usd: 1/day, alert: [100%]}`)
	var alerts told
	n := count(t, c, &alerts)
	b := boundsOf(c)
	n.put(b, nil)
	claims := []gateway.Claim{
		{Limit: &b.budgets[0], Account: "red", Zone: b.zone, Amount: gateway.Amount{CostNano: 7e8}},
		{Limit: &b.budgets[1], Account: "ann", Zone: b.zone, Amount: gateway.Amount{CostNano: 7e8}},
	}
	if r, short, err := n.store.Reserve(t.Context(), inTokyo, claims); r == nil || err != nil {
		t.Fatal(short, err)
	}
	r := spend("1", inTokyo, "red", 7e8)
	r.Caller.User, r.User = "owner", "ann"
	n.Record(r)
	n.Record(r)
	refused := spend("2", inTokyo, "blue", 0)
	refused.Limit, refused.Code = "team", llm.CodeQuota
	n.Record(refused)
	refused.Limit, refused.Target = "model", "" // of no model in particular
	n.Record(refused)
	refused.Limit, refused.Code = "team", llm.CodeRateLimited // by a limit of that name
	refused.Caller.Team = "green"
	n.Record(refused)
	if want := (told{"team 500", "users 100", "team 500", "team 1000"}); !reflect.DeepEqual(alerts, want) {
		t.Errorf("told %q, want %q", alerts, want)
	}
}

// TestShowLimits: GET /api/limits has the accounts with the least left, few of them.
func TestShowLimits(t *testing.T) {
	c := limitedConfig(t, "")
	n := count(t, c, new(told))
	b := boundsOf(c)
	n.put(b, nil)
	now := time.Now()
	for i, account := range []string{"red", "blue", "green"} {
		claim := gateway.Claim{Limit: &b.budgets[0], Account: account, Zone: b.zone, Amount: gateway.Amount{Requests: 1, Tokens: 50, CostNano: []int64{2e8, 9e8, 5e8}[i]}}
		if r, short, err := n.store.Reserve(t.Context(), now, []gateway.Claim{claim}); r == nil || err != nil {
			t.Fatal(short, err)
		}
	}
	s := &service{log: slog.New(slog.DiscardHandler), counting: n}
	get := func(query string) (int, string) {
		w := httptest.NewRecorder()
		s.api().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/limits"+query, nil))
		return w.Code, w.Body.String()
	}
	status, body := get("?top=2")
	var v struct {
		Timezone        string
		Limits, Budgets []limitView
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil || status != 200 || v.Timezone != "Asia/Tokyo" || len(v.Limits) != 2 || len(v.Budgets) != 1 {
		t.Fatalf("%d %s", status, body)
	}
	got := v.Budgets[0]
	if got.Accounts != 3 || len(got.MostUsed) != 2 || got.MostUsed[0].Account != "blue" || got.MostUsed[1].Account != "green" {
		t.Errorf("%s", body)
	}
	blue := got.MostUsed[0]
	if blue.LeftPermille != 100 || *blue.Used.CostNano != 9e8 || *blue.Left.CostNano != 1e8 || blue.Used.Tokens != nil || !blue.Resets.After(now) {
		t.Errorf("%+v", blue)
	}
	if tokens := v.Limits[1]; tokens.Window != "month" || *tokens.Max.Tokens != 10_000 || *tokens.MostUsed[0].Left.Tokens != 9950 {
		t.Errorf("%+v", tokens)
	}
	if _, body := get("?top=0"); json.Unmarshal([]byte(body), &v) != nil || v.Budgets[0].Accounts != 3 || len(v.Budgets[0].MostUsed) != 0 {
		t.Errorf("%s", body)
	}
	for _, query := range []string{"?top=x", "?top=-1", "?top=1001"} {
		if status, _ := get(query); status != 400 {
			t.Errorf("%s: %d", query, status)
		}
	}
	states := n.states(now)
	if len(states) != 3 || states[1].Name != "plan" || states[2].UsedNano != 16e8 || states[2].Accounts != 3 || states[2].Least != 100 || states[2].Low != 0 {
		t.Errorf("the metrics see %+v", states)
	}
}
