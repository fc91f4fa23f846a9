package policies_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// needOPA returns OPA's own program, of the version that go.mod has. Without it
// the test is left out, but in CI make has installed it.
func needOPA(t *testing.T) string {
	t.Helper()
	module, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`open-policy-agent/opa (v\S+)`).FindSubmatch(module)
	if version == nil {
		t.Fatal("go.mod does not have OPA")
	}
	path, err := filepath.Abs("../.cache/opa-" + string(version[1]) + "/opa")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v; make opa installs it", err)
		}
		t.Skipf("%v; make opa installs it", err)
	}
	return path
}

var opaPassed = regexp.MustCompile(`(?m)^PASS: (\d+)/(\d+)$`)

// TestOPA: OPA's own program takes all that is published here, by the published
// capabilities and schema: the shipped rules with the example, and each policy of
// the cookbook beside the library, as each is a policy of its own.
func TestOPA(t *testing.T) {
	opa := needOPA(t)
	run := func(t *testing.T, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		c := exec.CommandContext(t.Context(), opa, args...)
		c.Stdout, c.Stderr = &out, &out
		if err := c.Run(); err != nil {
			t.Fatalf("opa %s: %v\n%s", strings.Join(args, " "), err, &out)
		}
		return out.String()
	}
	accepted := func(t *testing.T, schema string, files ...string) {
		t.Helper()
		const capabilities = "schema/capabilities.json"
		run(t, append([]string{"check", "--strict", "--capabilities", capabilities, "--schema", schema}, files...)...)
		out := run(t, append([]string{"test", "--capabilities", capabilities, "attache.config:data/config.json"}, files...)...)
		if n := opaPassed.FindStringSubmatch(out); n == nil || n[1] != n[2] || n[1] == "0" {
			t.Errorf("opa test %v: %s", files, out)
		}
	}
	run(t, "fmt", "--list", "--fail", ".")
	accepted(t, "schema/input.json", "attache", "request.rego", "request_test.rego")
	for name, files := range cookbook(t) {
		t.Run(name, func(t *testing.T) {
			schema := "schema/input.json"
			if !strings.Contains(string(files[name+".rego"].Data), "\npackage attache.response\n") {
				schema = "schema/request.json"
			}
			used := []string{"attache/lib", "cookbook/" + name + ".rego", "cookbook/" + name + "_test.rego"}
			if table := dataOf(name); files[table] != nil {
				used = append(used, "attache.config:cookbook/"+table)
			}
			accepted(t, schema, used...)
		})
	}

	// A check that cannot fail is none.
	dir := t.TempDir()
	for file, text := range map[string]string{
		"path.rego":    "package attache.request\n\ndeny contains {} if input.request.modle == \"x\"\n",
		"builtin.rego": "package attache.request\n\ndeny contains {} if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}).status_code == 200\n",
	} {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), opa, "check", "--strict", "--capabilities", "schema/capabilities.json", "--schema", "schema/request.json", path).CombinedOutput()
		if err == nil || !strings.Contains(string(out), file+":3") {
			t.Errorf("opa check of %s: %v, %s", file, err, out)
		}
	}
}
