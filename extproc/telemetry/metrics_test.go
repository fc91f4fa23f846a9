package telemetry

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// answered is a request that went to a second target.
func answered() *gateway.Record {
	return &gateway.Record{
		Duration: 2 * time.Second, FirstToken: 400 * time.Millisecond,
		Op: llm.OpChat, Dialect: llm.OpenAI, Model: "smart", Stream: true,
		Target: "openai/gpt-4o", Provider: "openai", Status: 200,
		Attempts: []gateway.Attempt{{Target: "dead/llama", Result: "failed"}, {Target: "openai/gpt-4o", Result: "200"}},
		Usage:    llm.Usage{Input: 100, CacheRead: 60, CacheWrite: 10, Output: 50, Reasoning: 20}, CostNano: 12345,
		Policy:   gateway.PolicyUse{Asked: true, Took: 20 * time.Microsecond},
		Verdicts: map[string]gateway.Action{"pii": gateway.ActionRedact},
	}
}

// cut is a request whose rules took too long.
func cut() *gateway.Record {
	return &gateway.Record{
		Op: llm.OpChat, Dialect: llm.OpenAI, Status: 500, Code: llm.CodePolicyError,
		Policy: gateway.PolicyUse{Asked: true, Took: 50 * time.Millisecond, Fault: gateway.FaultDeadline, Rule: "a.rego:7"},
	}
}

// state has everything that there can be.
func state() State {
	return State{
		Revision: "r1", Cache: Cache{On: true, Hits: 8, Misses: 2}, Answers: &Answers{5, 4096, 1}, Streams: 3,
		Shadow: &Shadow{Candidate: "r2", Compared: 9, Dropped: 1, Differences: []Difference{{"deny", "added", 4}}},
		Targets: []gateway.TargetState{
			{Provider: "openai", Model: "gpt-4o", State: "half_open", InFlight: 2},
			{Provider: "openai", Model: "x", State: "open", InFlight: 1}, {Provider: "openai", Model: "y", State: "closed", InFlight: 1},
		},
		Credentials: []Credential{{Provider: "vertex", Ready: true, Expires: begun, Failed: 5}, {Provider: "azure"}},
		KeyServers:  []KeyServer{{URL: "https://login.example.com/keys", Keys: 2, Failed: 9}},
		Limits:      []LimitState{{Kind: "limit", Name: "key", Accounts: 1, Least: 250}, {Kind: "budget", Name: "team", Accounts: 7, Low: 3, Spent: 1, UsedNano: 5000}},
		RecordsLost: 6, DecisionsLost: 7, DecisionsUnsent: 8, Crowded: 11, AlertsLost: 12,
	}
}

// counting are metrics with something of everything.
func counting() *Metrics {
	m := NewMetrics()
	m.Configured([]string{"openai/gpt-4o"})
	m.BudgetAlert("team", 800)
	m.BudgetAlert("team", 800)
	m.Watch(state)
	m.Record(answered())
	m.Record(cut())
	m.Record(&gateway.Record{Op: llm.OpChat, Dialect: llm.Anthropic, Status: 403, Code: "closed", Policy: gateway.PolicyUse{Asked: true, Denied: true}})
	m.Record(&gateway.Record{Op: llm.OpChat, Dialect: llm.OpenAI, Status: 200, Cache: gateway.CacheHit, SavedNano: 70})
	m.Record(&gateway.Record{Op: llm.OpChat, Dialect: llm.OpenAI, Status: 429, Code: llm.CodeRateLimited, Limit: "plan"})
	m.Record(&gateway.Record{Op: llm.OpChat, Dialect: llm.OpenAI, Status: 200, Code: llm.CodeQuota, Limit: "team", Cut: true})
	m.Record(&gateway.Record{Dialect: llm.OpenAI, Status: 401, Code: llm.CodeInvalidKey})
	m.Record(&gateway.Record{Op: llm.OpForward, Dialect: llm.OpenAI, Provider: "openai", Target: "openai/text\xff", Unpriced: true, Usage: llm.Usage{Input: -3, Output: 1, Reasoning: 4}})
	m.PolicyLoaded(nil)
	m.PolicyLoaded(errors.New("x"))
	m.ConfigLoaded(errors.New("x"))
	m.ConfigLoaded(nil)
	m.PolicyMissed("status")
	return m
}

// scrape returns the samples by their names with labels.
func scrape(t testing.TB, m *Metrics) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	samples := map[string]string{}
	for line := range strings.Lines(w.Body.String()) {
		if i := strings.LastIndexByte(line, ' '); line[0] != '#' {
			samples[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return samples
}

func TestMetrics(t *testing.T) {
	got := scrape(t, counting())
	for sample, want := range map[string]string{
		`attache_requests_total{code="",dialect="openai",op="chat",status="200"}`:          "2",
		`attache_requests_total{code="closed",dialect="anthropic",op="chat",status="403"}`: "1",
		`attache_requests_total{code="",dialect="openai",op="forward",status="none"}`:      "1",
		`attache_request_seconds_sum{op="chat",provider="openai"}`:                         "2",
		`attache_request_seconds_count{op="chat",provider="none"}`:                         "5",
		`attache_first_token_seconds_bucket{model="gpt-4o",provider="openai",le="0.3"}`:    "0",
		`attache_first_token_seconds_bucket{model="gpt-4o",provider="openai",le="0.5"}`:    "1",
		`attache_limited_total{limit="plan",result="refused"}`:                             "1",
		`attache_limited_total{limit="team",result="cut"}`:                                 "1",
		`attache_cache_total{result="hit"}`:                                                "1",
		`attache_cache_saved_nano_dollars_total`:                                           "70",
		`attache_cache_entries`:                                                            "5",
		`attache_cache_bytes`:                                                              "4096",
		`attache_cache_evicted_total`:                                                      "1",
		`attache_attempts_total{provider="dead",result="failed"}`:                          "1",
		`attache_attempts_total{provider="openai",result="200"}`:                           "1",
		`attache_tokens_total{kind="input",model="gpt-4o",provider="openai"}`:              "30",
		`attache_tokens_total{kind="cache_read",model="gpt-4o",provider="openai"}`:         "60",
		`attache_tokens_total{kind="cache_write",model="gpt-4o",provider="openai"}`:        "10",
		`attache_tokens_total{kind="output",model="gpt-4o",provider="openai"}`:             "30",
		`attache_tokens_total{kind="reasoning",model="gpt-4o",provider="openai"}`:          "20",
		`attache_tokens_total{kind="input",model="other",provider="openai"}`:               "0",
		`attache_tokens_total{kind="reasoning",model="other",provider="openai"}`:           "4",
		`attache_cost_nano_dollars_total{model="gpt-4o",provider="openai"}`:                "12345",
		`attache_unpriced_requests_total{model="other",provider="openai"}`:                 "1",
		`attache_guard_verdicts_total{action="redact",guard="pii"}`:                        "1",
		`attache_policy_decisions_total{code="",result="allow"}`:                           "1",
		`attache_policy_decisions_total{code="closed",result="deny"}`:                      "1",
		`attache_policy_decisions_total{code="policy_error",result="error"}`:               "1",
		`attache_policy_decision_seconds_count`:                                            "3",
		`attache_policy_decision_seconds_bucket{le="2.5e-05"}`:                             "2",
		`attache_policy_errors_total{kind="deadline",rule="a.rego:7"}`:                     "1",
		`attache_policy_loads_total{result="good"}`:                                        "1",
		`attache_policy_loads_total{result="failed"}`:                                      "1",
		`attache_policy_load_failed`:                                                       "1",
		`attache_config_load_failed`:                                                       "0",
		`attache_policy_fetch_errors_total{kind="status"}`:                                 "1",
		`attache_policy_info{revision="r1"}`:                                               "1",
		`attache_policy_cache_on`:                                                          "1",
		`attache_policy_cache_hits_total`:                                                  "8",
		`attache_policy_shadow_diff_total{effect="deny",sign="added"}`:                     "4",
		`attache_streams_open`:                                                             "3",
		`attache_target_state{model="gpt-4o",provider="openai"}`:                           "1",
		`attache_target_state{model="other",provider="openai"}`:                            "2",
		`attache_target_in_flight{model="other",provider="openai"}`:                        "2",
		`attache_credential_ready{provider="azure"}`:                                       "0",
		`attache_issuer_keys{server="https://login.example.com/keys"}`:                     "2",
		`attache_issuer_key_errors_total{server="https://login.example.com/keys"}`:         "9",
		`attache_credential_errors_total{provider="vertex"}`:                               "5",
		`attache_credential_expires_timestamp_seconds{provider="vertex"}`:                  "1.7952678e+09",
		`attache_limit_accounts{kind="budget",left="low",name="team"}`:                     "2",
		`attache_limit_accounts{kind="budget",left="none",name="team"}`:                    "1",
		`attache_limit_accounts{kind="budget",left="much",name="team"}`:                    "4",
		`attache_limit_least_left_permille{kind="limit",name="key"}`:                       "250",
		`attache_budget_used_nano_dollars{name="team"}`:                                    "5000",
		`attache_limit_crowded_total`:                                                      "11",
		`attache_budget_alerts_total{budget="team",share_permille="800"}`:                  "2",
		`attache_budget_alerts_lost_total`:                                                 "12",
		`attache_ledger_lost_total`:                                                        "6",
		`attache_decision_log_lost_total{to="collector"}`:                                  "8",
	} {
		if got[sample] != want {
			t.Errorf("%s is %q, want %s", sample, got[sample], want)
		}
	}
	if at, err := strconv.ParseFloat(got["attache_config_last_load_timestamp_seconds"], 64); err != nil || at < 1e9 {
		t.Errorf("the last load was at %v, %v", at, err)
	}
	if _, ok := got["go_goroutines"]; !ok {
		t.Error("the runtime's metrics are missing")
	}
}

// gather returns the gateway's own metrics by name.
func gather(t testing.TB, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]*dto.MetricFamily{}
	for _, f := range all {
		if strings.HasPrefix(f.GetName(), "attache_") {
			own[f.GetName()] = f
		}
	}
	return own
}

// table lists the metrics, in the order of names.
func table(t *testing.T, m *Metrics) string {
	t.Helper()
	all, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| Name | Type | Labels | What it says |\n|---|---|---|---|\n")
	for _, f := range all {
		if !strings.HasPrefix(f.GetName(), "attache_") {
			continue
		}
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp())
	}
	return b.String()
}

// TestMetricsTable: README lists all metrics, with their labels.
func TestMetricsTable(t *testing.T) {
	const file, from, to = "README.md", "<!-- metrics -->\n", "<!-- end of metrics -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), from)
	have, after, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	m := counting()
	want := table(t, m)
	for _, d := range descriptions {
		if name := strings.Split(d.String(), `"`)[1]; gather(t, m)[name] == nil {
			t.Errorf("%s is described and never there", name)
		}
	}
	if *update {
		write(t, file, []byte(before+from+want+to+after))
		return
	}
	if have != want {
		t.Errorf("%s lists\n%s\nwant (see -update)\n%s", file, have, want)
	}
}

// TestBounded: whatever clients and providers make up, the number of series is
// bounded, nothing is lost, and what is configured keeps its name.
func TestBounded(t *testing.T) {
	m := NewMetrics()
	m.Configured([]string{"p/mine"})
	const n = 20000
	r := rand.New(rand.NewPCG(1, 1))
	word := func() string { return strconv.FormatUint(r.Uint64(), 36) }
	var states []gateway.TargetState
	for i := range n {
		name := word()
		m.Record(&gateway.Record{
			Op: llm.OpChat, Dialect: llm.OpenAI, Model: name, Provider: "p", Target: "p/" + name, User: name, Session: name,
			Status: int(r.Int32N(1000)), Code: word(), CostNano: int64(i % 2), Usage: llm.Usage{Input: 1}, FirstToken: 1,
			Attempts: []gateway.Attempt{{Target: "p/" + name, Result: word()}},
			Verdicts: map[string]gateway.Action{word(): gateway.ActionAllow},
			Policy:   gateway.PolicyUse{Asked: true, Denied: true, Fault: gateway.FaultOther, Rule: word()},
		})
		states = append(states, gateway.TargetState{Provider: "p", Model: name})
	}
	m.Record(&gateway.Record{Provider: "p", Target: "p/mine", Usage: llm.Usage{Input: 5}})
	m.Watch(func() State { return State{Targets: states} })
	most := map[string]int{
		"attache_requests_total": maxRequests + 2, "attache_request_seconds": maxSeconds, "attache_attempts_total": maxAttempts + 1,
		"attache_tokens_total": len(kinds) * maxTargets, "attache_cost_nano_dollars_total": maxTargets, "attache_guard_verdicts_total": maxVerdicts + 1,
		"attache_policy_decisions_total": maxDecisions + 1, "attache_policy_errors_total": maxFaults + 1, "attache_target_state": maxTargets,
	}
	for name, f := range gather(t, m) {
		if limit := max(most[name], maxTargets); len(f.Metric) > limit {
			t.Errorf("%s has %d series, more than %d", name, len(f.Metric), limit)
		}
	}
	var sum float64
	for _, s := range gather(t, m)["attache_requests_total"].Metric {
		sum += s.Counter.GetValue()
	}
	if sum != n+1 {
		t.Errorf("%v requests are counted of %d", sum, n+1)
	}
	got := scrape(t, m)
	if got[`attache_tokens_total{kind="input",model="mine",provider="p"}`] != "5" {
		t.Error("a configured model has lost its name")
	}
	if other := got[`attache_tokens_total{kind="input",model="other",provider="p"}`]; other != strconv.Itoa(n-maxTargets/2) {
		t.Errorf("%s tokens of other models", other)
	}
	for sample := range got {
		if strings.Contains(sample, states[n-1].Model) {
			t.Errorf("a client's own word is in %s", sample)
		}
	}
}

// Many count and read at once, and none is lost.
func TestMetricsHammered(t *testing.T) {
	m := NewMetrics()
	m.Watch(state)
	var all sync.WaitGroup
	const workers, each = 8, 300
	for w := range workers {
		all.Go(func() {
			for i := range each {
				r := answered()
				r.Code = strconv.Itoa(i)
				m.Record(r)
				if i%50 == 0 {
					scrape(t, m)
					m.Configured([]string{"openai/" + strconv.Itoa(w)})
				}
			}
		})
	}
	all.Wait()
	if got := scrape(t, m)[`attache_tokens_total{kind="input",model="gpt-4o",provider="openai"}`]; got != strconv.Itoa(workers*each*30) {
		t.Errorf("%s tokens are counted", got)
	}
}

// Counting what was counted before takes no memory.
func TestRecordAllocates(t *testing.T) {
	m, r := counting(), answered()
	if n := testing.AllocsPerRun(100, func() { m.Record(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	m, r := counting(), answered()
	b.ReportAllocs()
	for b.Loop() {
		m.Record(r)
	}
}

func BenchmarkRecordOther(b *testing.B) {
	m, r := counting(), answered()
	r.Target, r.CostNano = "openai/whatever", 0
	b.ReportAllocs()
	for b.Loop() {
		m.Record(r)
	}
}
