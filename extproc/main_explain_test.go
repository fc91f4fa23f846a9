package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// TestExplanations: an explanation that is as long as it may be passes Envoy in
// the headers of answers of every kind, whose bodies stay what they are, and
// asking for nothing else calls no provider.
func TestExplanations(t *testing.T) {
	var rules strings.Builder
	rules.WriteString("package attache.request\n\nimport rego.v2\n\ndeny contains {\"code\": \"closed\"} if input.properties.closed\n")
	for i := range 100 {
		fmt.Fprintf(&rules, "\ndeny contains {\"code\": \"c%d\"} if input.user == \"%s%d\"\n", i, strings.Repeat("ü", 80), i)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.rego"), []byte(rules.String()))
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w := begin(t, version, "policy: {dir: "+dir+", deadline: 1s, explain: all}", "models:", "  smart: {targets: [o/m, a/m]}")
			why := map[string]string{gateway.ExplainHeader: "1"}
			for _, q := range []ask{
				{dialect: "openai", model: "o/m", header: why},
				{dialect: "openai", model: "o/m", stream: true, header: why},
				{dialect: "openai", model: "smart", stream: true, header: why},
				{dialect: "anthropic", model: "o/m", header: why},
				{dialect: "anthropic", model: "o/m", stream: true, header: why},
			} {
				a := w.do(t, q)
				if got := q.outcome(a); got != "good" {
					t.Errorf("%+v: %s", q, got)
				}
				explained(t, a.header.Get(gateway.ExplainHeader), "")
			}
			a := w.do(t, ask{dialect: "openai", model: "smart", header: map[string]string{gateway.ExplainHeader: "1", "x-attache-property-closed": "1"}})
			if a.status != 403 {
				t.Errorf("denied with %d", a.status)
			}
			explained(t, a.header.Get(gateway.ExplainHeader), "closed")

			called := w.providers["o"].Stats()
			a = w.do(t, ask{dialect: "openai", model: "smart", header: map[string]string{gateway.ExplainHeader: "only"}})
			var e gateway.Explanation
			if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.status != 200 || len(e.Near) == 0 || e.Cut != nil || len(e.Targets) != 2 {
				t.Errorf("%d %v: %s", a.status, err, a.body)
			}
			if now := w.providers["o"].Stats(); now != called {
				t.Errorf("the provider was called: %+v, %+v", called, now)
			}
			if a := w.do(t, ask{dialect: "openai", model: "smart"}); a.header.Get(gateway.ExplainHeader) != "" {
				t.Error("nobody asked")
			}
		})
	}
}

// TestPublishedExplanation: what policies/README.md shows is what the command
// prints, for the case that its script has.
func TestPublishedExplanation(t *testing.T) {
	script, err := txtar.ParseFile("testdata/script/policy.txtar")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../policies/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range script.Files {
		if f.Name != "explain.txt" {
			continue
		}
		_, printed, _ := strings.Cut(string(f.Data), "\n") // behind the revision
		if len(printed) < 100 || !strings.Contains(string(readme), printed+"```\n") {
			t.Errorf("policies/README.md does not have\n%s", printed)
		}
		return
	}
	t.Error("the script has no explain.txt")
}

// explained checks an explanation that is too long to be whole.
func explained(t *testing.T, text, code string) {
	t.Helper()
	var e gateway.Explanation
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Errorf("%v: %s", err, text)
	}
	if len(text) > 8<<10 || len(text) < 4<<10 || len(e.Cut) == 0 || e.Cut[0] != "near" || e.Code != code || e.Others == 0 || len(e.Policy) != 12 {
		t.Errorf("%d bytes, %+v", len(text), e)
	}
}
