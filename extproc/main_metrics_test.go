package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// metrics reads GET /metrics, by name with labels.
func (w *world) metrics(t testing.TB) map[string]string {
	t.Helper()
	response, err := client.Get("http://" + w.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET /metrics: %d, %v", response.StatusCode, err)
	}
	samples := map[string]string{}
	for line := range strings.Lines(string(body)) {
		if i := strings.LastIndexByte(line, ' '); line[0] != '#' {
			samples[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return samples
}

// awaitMetrics waits until metrics have values: an exchange is counted after its
// client has its answer.
func (w *world) awaitMetrics(t testing.TB, want map[string]string) {
	t.Helper()
	for name, value := range want {
		eventually(t, name+" "+value, func() bool { return w.metrics(t)[name] == value })
	}
}

// TestMetrics: what happens at the gateway is to be seen in its metrics: a
// fallback, a denial, a rule that is too slow and a broken upload.
func TestMetrics(t *testing.T) {
	u := &upload{dir: filepath.Join(t.TempDir(), "policies")}
	u.put(t, map[string][]byte{"a.rego": []byte(`package attache.request

import rego.v2

deny contains {"code": "closed", "message": "not now"} if input.user == "denied"

deny contains {} if {
	input.user == "victim"
	count([1 | some i in numbers.range(1, 9000); some j in numbers.range(1, 9000); i * j == 7]) == 1000
}
`)})
	w := begin(t, "1.40", "policy: {dir: "+u.dir+", deadline: 20ms}", "models:", "  smart: {targets: [o/m]}", "  pair: {targets: [dead-o/m, a/m]}")
	for _, c := range []struct{ model, user, want string }{
		{"smart", "", "good"}, {"pair", "", "good"}, {"smart", "denied", "403 closed"}, {"smart", "victim", "500 policy_error"}, {"o/made-up", "", "good"},
	} {
		q := ask{dialect: "openai", model: c.model, header: map[string]string{"X-Attache-User": c.user}}
		if got := q.outcome(w.do(t, q)); got != c.want {
			t.Errorf("%s for %s: %s, want %s", c.model, c.user, got, c.want)
		}
	}
	w.awaitMetrics(t, map[string]string{
		`attache_requests_total{code="",dialect="openai",op="chat",status="200"}`:             "3",
		`attache_requests_total{code="closed",dialect="openai",op="chat",status="403"}`:       "1",
		`attache_requests_total{code="policy_error",dialect="openai",op="chat",status="500"}`: "1",
		`attache_attempts_total{provider="dead-o",result="failed"}`:                           "1",
		`attache_attempts_total{provider="a",result="200"}`:                                   "1",
		`attache_policy_decisions_total{code="",result="allow"}`:                              "3",
		`attache_policy_decisions_total{code="closed",result="deny"}`:                         "1",
		`attache_policy_decisions_total{code="policy_error",result="error"}`:                  "1",
		`attache_policy_errors_total{kind="deadline",rule="a.rego:7"}`:                        "1",
		`attache_policy_loads_total{result="good"}`:                                           "1",
		`attache_policy_load_failed`:                                                          "0",
		`attache_target_state{model="m",provider="o"}`:                                        "0",
		`attache_streams_open`:      "0",
		`attache_ledger_lost_total`: "0",
	})
	got := w.metrics(t)
	if got[`attache_tokens_total{kind="input",model="m",provider="o"}`] == "" || got[`attache_tokens_total{kind="output",model="other",provider="o"}`] == "" {
		t.Error("tokens are not counted by model")
	}
	revision := ""
	for name := range got {
		if strings.Contains(name, "made-up") || strings.Contains(name, "victim") {
			t.Errorf("a client's own word is in %s", name)
		}
		if strings.HasPrefix(name, "attache_policy_info{") {
			revision = name
		}
	}

	u.put(t, map[string][]byte{"a.rego": []byte("package attache.request\n\ndeny contains {")})
	w.awaitMetrics(t, map[string]string{
		`attache_policy_loads_total{result="failed"}`: "1", `attache_policy_load_failed`: "1",
		`attache_config_load_failed`: "1", revision: "1",
	})
	u.put(t, marked("good"))
	w.awaitMetrics(t, map[string]string{`attache_policy_loads_total{result="good"}`: "2", `attache_policy_load_failed`: "0", `attache_config_load_failed`: "0"})
	if w.metrics(t)[revision] != "" {
		t.Error("the revision before is still shown")
	}
}

// TestNoMetrics: without them nobody is served any.
func TestNoMetrics(t *testing.T) {
	w := begin(t, "1.40", "telemetry: {prometheus: false}")
	response, err := client.Get("http://" + w.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", response.StatusCode)
	}
}
