package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// policyStatus is what the tests look at of GET /api/policy.
type policyStatus struct {
	Revision, State string
	FetchError      string `json:"fetch_error"`
	Load            struct {
		Error  string
		Failed int
	}
	Candidate *struct {
		Revision, Error string
	}
	Shadow *struct {
		Compared, Differ, Dropped int
		Kinds                     map[string]int
		Examples                  map[string][]struct {
			ID    string
			Input map[string]any
		}
	}
}

// policy asks the admin API.
func (w *world) policy(t *testing.T) (p policyStatus) {
	t.Helper()
	status, body := w.api(t, http.MethodGet, "/api/policy")
	if err := json.Unmarshal(body, &p); err != nil || status != http.StatusOK {
		t.Fatalf("%d %v: %s", status, err, body)
	}
	return p
}

// api calls the admin API.
func (w *world) api(t *testing.T, method, path string, header ...string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("%s %s: %s", method, path, kind)
	}
	return response.StatusCode, body
}

// traffic sends requests until it is stopped, and returns how many were sent. Each
// has to be answered well.
func (w *world) traffic(t *testing.T, q ask) (stop func() int) {
	done := make(chan struct{})
	var sending sync.WaitGroup
	sent := 0
	sending.Go(func() {
		for ; ; sent++ {
			select {
			case <-done:
				return
			default:
			}
			if got := q.outcome(w.do(t, q)); got != "good" {
				t.Errorf("request %d: %s", sent, got)
				return
			}
		}
	})
	return func() int { close(done); sending.Wait(); return sent }
}

// nextRules marks answers and refuses one model.
func nextRules(mark string) []byte {
	return []byte(`package attache.request

import rego.v2

header contains {"on": "response", "name": "x-rules", "value": "` + mark + `"}

log contains {"redact": "/properties/secret"}

deny contains {"code": "closed", "message": "closed"} if {
	input.request.model == "o/closed"
	input.properties.secret
	input.request.tokens.input > 0
}
`)
}

// TestShadowAndPromotion: a candidate is compared on real traffic, its differences
// are told apart, and one call puts it in force without an error for anybody.
func TestShadowAndPromotion(t *testing.T) {
	live, next := t.TempDir(), t.TempDir()
	write(t, filepath.Join(live, "a.rego"), marked("live")["a.rego"])
	write(t, filepath.Join(next, "a.rego"), nextRules("next"))
	log := "telemetry: {decisions: {file: " + filepath.Join(t.TempDir(), "decisions.jsonl") + ", content: projected, mask: [/input/request/model, /result/deny/message]}}"
	w := begin(t, "1.40", "policy: {dir: "+live+", deadline: 1s, shadow: {dir: "+next+"}}", log, "models:", "  smart: {targets: [o/m]}")
	smart := ask{dialect: "openai", model: "smart"}
	stop := w.traffic(t, smart)

	closed := ask{dialect: "openai", model: "o/closed", header: map[string]string{"X-Attache-Property-Secret": "canary-of-secret"}}
	if got := closed.outcome(w.do(t, closed)); got != "good" {
		t.Fatalf("the shadow decides: %s", got)
	}
	eventually(t, "both kinds of differences", func() bool {
		p := w.policy(t)
		return p.Shadow != nil && p.Shadow.Kinds["new_deny"] == 1 && p.Shadow.Kinds["header"] > 3 && p.Shadow.Compared > 4
	})
	w.awaitMetrics(t, map[string]string{`attache_policy_shadow_diff_total{effect="deny",sign="added"}`: "1"})
	_, body := w.api(t, http.MethodGet, "/api/policy")
	if strings.Contains(string(body), "canary-of-secret") {
		t.Errorf("what the candidate redacts is shown: %s", body)
	}
	p := w.policy(t)
	if e := p.Shadow.Examples["new_deny"]; len(e) != 1 || e[0].ID == "" || e[0].Input["request"] == nil {
		t.Errorf("the examples are %+v", e)
	}
	if !bytes.Contains(body, []byte(`"model": "***"`)) || !bytes.Contains(body, []byte(`"message": "***"`)) || bytes.Contains(body, []byte("o/closed")) {
		t.Errorf("what is masked in the log of decisions is shown: %s", body)
	}
	if p.State != "good" || p.Candidate.Revision == p.Revision || len(p.Shadow.Examples["header"]) != 5 {
		t.Errorf("the policy is %+v", p)
	}

	if status, body := w.api(t, http.MethodPost, "/api/policy/promote?revision=other"); status != http.StatusConflict {
		t.Errorf("another candidate is promoted: %d %s", status, body)
	}
	if status, body := w.api(t, http.MethodPost, "/api/policy/promote?revision="+p.Candidate.Revision); status != http.StatusOK {
		t.Fatalf("promote: %d %s", status, body)
	}
	rules := func() string { return w.do(t, smart).header.Get("X-Rules") }
	if got := rules(); got != "next" {
		t.Errorf("after the promotion the rules are %q", got)
	}
	if got := closed.outcome(w.do(t, closed)); got != "403 closed" {
		t.Errorf("the promoted rules say %s", got)
	}
	if !strings.Contains(w.log.String(), "the candidate of the policy was promoted") {
		t.Error("the promotion is not in the log")
	}
	if now := w.policy(t); now.State != "promoted" || now.Revision != p.Candidate.Revision || now.Shadow != nil {
		t.Errorf("the policy is %+v", now)
	}
	if status, body := w.api(t, http.MethodPost, "/api/policy/promote"); status != http.StatusConflict {
		t.Errorf("it can be promoted again: %d %s", status, body)
	}

	// A reload that changes no rules leaves the promotion, with another candidate
	// beside it; new rules of the configuration end it.
	write(t, filepath.Join(next, "a.rego"), nextRules("after next"))
	w.reload(t)
	eventually(t, "another candidate", func() bool { p := w.policy(t); return p.State == "promoted" && p.Shadow != nil })
	if got := rules(); got != "next" {
		t.Errorf("after a reload the rules are %q", got)
	}
	write(t, filepath.Join(next, "a.rego"), []byte("package attache.request\n\ndeny contains {"))
	w.reload(t)
	eventually(t, "a candidate that is refused", func() bool {
		p := w.policy(t)
		return p.Candidate.Revision == "" && strings.Contains(p.Candidate.Error, "a.rego:3") && p.Load.Failed > 0 && rules() == "next"
	})
	write(t, filepath.Join(live, "a.rego"), marked("mended")["a.rego"])
	w.reload(t)
	eventually(t, "the end of the promotion", func() bool { return w.policy(t).State == "good" && rules() == "mended" })
	if sent := stop(); sent < 20 {
		t.Errorf("%d requests were sent", sent)
	}
}

// TestCanaryOfPolicy: the candidate decides for a share of the users, always the
// same ones, and records name its revision.
func TestCanaryOfPolicy(t *testing.T) {
	live, next := t.TempDir(), t.TempDir()
	write(t, filepath.Join(live, "a.rego"), marked("live")["a.rego"])
	write(t, filepath.Join(next, "a.rego"), marked("next")["a.rego"])
	w := begin(t, "1.40", "policy: {dir: "+live+", deadline: 1s, shadow: {dir: "+next+"}, canary: {share: 25%, by: user}}")
	const users = 80
	asks := make([]ask, 2*users)
	for i := range asks {
		asks[i] = ask{dialect: "openai", model: "o/m", header: map[string]string{"X-Attache-User": fmt.Sprintf("user-%d", i%users)}}
	}
	p := w.policy(t)
	revisions := map[string]string{"live": p.Revision, "next": p.Candidate.Revision}
	answers := w.doAll(t, asks)
	chosen := 0
	for i, a := range answers {
		rules := a.header.Get("X-Rules")
		if asks[i].outcome(a) != "good" || a.header.Get("X-Attache-Policy") != revisions[rules] {
			t.Fatalf("%s by %q of revision %s", asks[i].outcome(a), rules, a.header.Get("X-Attache-Policy"))
		}
		if rules != answers[i%users].header.Get("X-Rules") {
			t.Errorf("user %d is decided in two ways", i%users)
		}
		if rules == "next" {
			chosen++
		}
	}
	if chosen < users/4 || chosen > users {
		t.Errorf("the candidate decides for %d of %d, want about a quarter", chosen, 2*users)
	}
}

// TestAdminAPI: who may call it.
func TestAdminAPI(t *testing.T) {
	w := begin(t, "1.40")
	for _, tt := range []struct {
		name, method, path string
		header             []string
		status             int
		code               string
	}{
		{"from this machine", "GET", "/api/policy", nil, 200, ""},
		{"by a name of this machine", "GET", "/api/policy", []string{"Host", "localhost:1"}, 200, ""},
		{"by another name", "GET", "/api/policy", []string{"Host", "evil.example.com"}, 403, "invalid_key"},
		{"by a page of another site", "POST", "/api/policy/promote", []string{"Sec-Fetch-Site", "cross-site"}, 403, "other_origin"},
		{"with a token that is none", "GET", "/api/policy", []string{"Authorization", "Bearer x"}, 401, "invalid_key"},
		{"no such path", "GET", "/api/nothing", nil, 404, "unknown_path"},
		{"another method", "POST", "/api/policy", nil, 405, "unknown_path"},
		{"nothing to promote", "POST", "/api/policy/promote", nil, 409, "no_candidate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := w.api(t, tt.method, tt.path, tt.header...)
			var e struct{ Error struct{ Code string } }
			if err := json.Unmarshal(body, &e); err != nil || status != tt.status || tt.code != "" && e.Error.Code != tt.code {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

// TestAdminToken: with a token nobody else is let in, unless the rules judge him.
func TestAdminToken(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.rego"), []byte("package attache.admin\n\nimport rego.v2\n\ndeny contains {\"code\": \"read_only\"} if input.admin.method != \"GET\"\n"))
	w := begin(t, "1.40", "admin_token: secret-token", "policy: {dir: "+dir+"}")
	for _, tt := range []struct {
		method, token string
		status        int
	}{
		{"GET", "", 401},
		{"GET", "Bearer secret-token", 200},
		{"GET", "Bearer secret-toke", 403}, // a key of the gateway, which has no role
		{"POST", "Bearer secret-token", 403},
	} {
		path := "/api/policy"
		if tt.method == "POST" {
			path += "/promote"
		}
		var header []string
		if tt.token != "" {
			header = []string{"Authorization", tt.token}
		}
		if status, body := w.api(t, tt.method, path, header...); status != tt.status {
			t.Errorf("%s with %q: %d %s", tt.method, tt.token, status, body)
		}
	}
}
