package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/cli"
)

// A decision is what a line of the log says, as far as the test looks at it.
type decision struct {
	ID      string `json:"decision_id"`
	Path    string
	Input   json.RawMessage
	Result  struct{ Allow bool }
	Rules   []struct{ ID, At string }
	Outcome struct {
		Status       int
		Code, Target string
	}
	Erased  []string
	Bundles struct{ Policy struct{ Revision string } }
}

// logged waits for the decision about an answer.
func (w *world) logged(t *testing.T, path string, a answer) (d decision) {
	t.Helper()
	return w.loggedFor(t, path, "attache/request", a.header.Get("X-Attache-Request-Id"))
}

// loggedFor waits for a decision of an entry point of the policy. An id of "" is any.
func (w *world) loggedFor(t *testing.T, path, entry, id string) (d decision) {
	t.Helper()
	eventually(t, "a decision of "+entry+" about "+id, func() bool {
		text, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		for line := range bytes.Lines(text) {
			if d = (decision{}); bytes.HasSuffix(line, []byte("\n")) && json.Unmarshal(line, &d) == nil && d.Path == entry && (d.ID == id || id == "") {
				return true
			}
		}
		return false
	})
	return d
}

// TestDecisionLog: what the policy decides about requests through Envoy is in the
// log, in the form that the configuration and the policy say, before and after a
// restart, and nobody can change it unseen.
func TestDecisionLog(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules.rego")
	write(t, rules, []byte(`package attache.request

deny contains {"code": "closed", "message": "closed"} if input.request.model == "a/closed"

label contains {"tenant": input.properties.tenant}

log contains {"redact": "/properties/email"} if input.properties.email
`))
	path := filepath.Join(t.TempDir(), "decisions.jsonl")
	w := begin(t, "1.40", "policy: {dir: "+filepath.Dir(rules)+", defaults: {off: [cost-center, residency, suspended]}}",
		"telemetry: {decisions: {file: "+path+", content: projected}}")
	send := func(model string) answer {
		return w.do(t, ask{dialect: "openai", model: model, more: `,"user":"end-user-7"`, header: map[string]string{
			"X-Attache-Property-Email": "ann@example.org", "X-Attache-Property-Tenant": "t1",
		}})
	}

	a := send("a/open")
	got := w.logged(t, path, a)
	if want := `{"properties":{"tenant":"t1"},"request":{"model":"a/open"}}`; string(got.Input) != want {
		t.Errorf("the input is %s, want %s", got.Input, want)
	}
	if !got.Result.Allow || got.Path != "attache/request" || got.Outcome.Status != 200 || got.Outcome.Target != "a/open" ||
		strings.Join(got.Erased, " ") != "/input/properties/email" || got.Bundles.Policy.Revision != a.header.Get("X-Attache-Policy") {
		t.Errorf("allowed: %+v", got)
	}

	got = w.logged(t, path, send("a/closed"))
	var at []string
	for _, r := range got.Rules {
		at = append(at, r.At)
	}
	if got.Result.Allow || got.Outcome.Status != 403 || got.Outcome.Code != "closed" || strings.Join(at, " ") != "rules.rego:3 rules.rego:5 rules.rego:7" {
		t.Errorf("denied: %+v", got)
	}

	w.stop()
	text, err := os.ReadFile(path)
	if err != nil || bytes.Contains(text, []byte("end-user-7")) || bytes.Contains(text, []byte("ann@")) {
		t.Errorf("the log has what no rule read, or what was redacted: %v\n%s", err, text)
	}
	w.serve(t)
	w.logged(t, path, send("a/again"))
	if text, err = os.ReadFile(w.file); err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("content: projected"), []byte("content: none, max_size: 2MiB"), 1)
	write(t, w.file, text)
	w.reload(t)
	eventually(t, "a reload", func() bool { return strings.Contains(w.log.String(), "msg=reloaded") })
	if got := w.logged(t, path, send("a/less")); got.Input != nil || strings.Join(got.Erased, " ") != "/input" {
		t.Errorf("without content: %+v", got)
	}
	if !strings.Contains(w.log.String(), "the log of decisions") {
		t.Error("nobody is told that max_size is as it was")
	}
	w.stop()

	verify := func() (int, string) {
		var out bytes.Buffer
		p := cli.Program{Stdout: &out, Stderr: &out, Env: environment}
		return p.Run([]string{"policy", "verify", path}), out.String()
	}
	if code, out := verify(); code != 0 || !strings.Contains(out, "is good: lines 1 to 4,") {
		t.Errorf("attache policy verify returned %d: %s", code, out)
	}
	if text, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	write(t, path, bytes.Replace(text, []byte(`"status":403`), []byte(`"status":200`), 1))
	if code, out := verify(); code != 1 || !strings.Contains(out, fmt.Sprintf("%s:2: this line was changed", path)) {
		t.Errorf("attache policy verify of a changed log returned %d: %s", code, out)
	}
}

// TestDecisionsOfOtherEntries: what rules say after the response, and calls of the
// admin API that they refuse, are in the log as well, in the same chain.
func TestDecisionsOfOtherEntries(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.rego"), []byte(`package attache.response

import rego.v2

# METADATA
# custom: {id: long}
label contains {"long": "yes"} if input.response.tokens.output > 0

label contains {"never": "no"} if input.response.status == 999
`))
	write(t, filepath.Join(dir, "b.rego"), []byte(`package attache.admin

import rego.v2

# METADATA
# custom: {id: read-only}
deny contains {"code": "read_only"} if input.admin.method != "GET"
`))
	path := filepath.Join(t.TempDir(), "decisions.jsonl")
	w := begin(t, "1.40", "policy: {dir: "+dir+"}", "telemetry: {decisions: {file: "+path+", content: projected}}")
	a := w.do(t, ask{dialect: "openai", model: "o/m"})
	got := w.loggedFor(t, path, "attache/response", a.header.Get("X-Attache-Request-Id"))
	if len(got.Rules) != 1 || got.Rules[0].ID != "long" || got.Rules[0].At != "a.rego:7" || !bytes.Contains(got.Input, []byte(`"response":{"status":200,"tokens":{"output":`)) || got.Outcome.Status != 200 {
		t.Errorf("after the response: %+v %s", got, got.Input)
	}
	if got := w.logged(t, path, a); got.Path != "attache/request" || !got.Result.Allow {
		t.Errorf("before it: %+v", got)
	}

	if status, _ := w.api(t, http.MethodGet, "/api/policy"); status != http.StatusOK {
		t.Errorf("GET /api/policy: %d", status)
	}
	if status, _ := w.api(t, http.MethodPost, "/api/policy/promote"); status != http.StatusForbidden {
		t.Errorf("POST /api/policy/promote: %d", status)
	}
	got = w.loggedFor(t, path, "attache/admin", "")
	if got.Result.Allow || got.Outcome.Status != 403 || got.Outcome.Code != "read_only" || len(got.Rules) != 1 || got.Rules[0].At != "b.rego:7" || string(got.Input) != `{"admin":{"method":"POST"},"caller":{"roles":{"admin":true}}}` {
		t.Errorf("a call of the admin API: %+v %s", got, got.Input)
	}
	w.stop()
	text, err := os.ReadFile(path)
	if err != nil || bytes.Count(text, []byte("\n")) != 3 {
		t.Errorf("%v, the log is\n%s", err, text)
	}
	var out bytes.Buffer
	p := cli.Program{Stdout: &out, Stderr: &out, Env: environment}
	if code := p.Run([]string{"policy", "verify", path}); code != 0 || !strings.Contains(out.String(), "is good: lines 1 to 3,") {
		t.Errorf("attache policy verify returned %d: %s", code, &out)
	}
}
