package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRefusals: what Envoy and the gateway answer themselves is in the client's
// format.
func TestRefusals(t *testing.T) {
	w := begin(t, "1.40")
	large := `,"user":"` + strings.Repeat("x", 5<<20) + `"`
	for _, c := range []struct {
		name string
		ask
		want string
	}{
		{"too large", ask{dialect: "openai", model: "o/m", more: large}, "413 request_too_large"},
		{"too large", ask{dialect: "anthropic", model: "a/m", more: large}, "413 request_too_large"},
		{"no such model", ask{dialect: "openai", model: "nobody/m"}, "404 model_not_found"},
		{"no such model", ask{dialect: "anthropic", model: "nobody/m"}, "404 not_found_error"},
		{"no JSON", ask{dialect: "openai", model: "o/m", more: ","}, "400 invalid_json"},
		{"no JSON", ask{dialect: "anthropic", model: "a/m", more: ","}, "400 invalid_request_error"},
	} {
		t.Run(c.name+" "+c.dialect, func(t *testing.T) {
			a := w.do(t, c.ask)
			if got := c.outcome(a); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if r := w.row(t, a); r.status != a.status || r.code == "" {
				t.Errorf("the record is %+v", r)
			}
		})
	}
	t.Run("no such path", func(t *testing.T) {
		for path, want := range map[string]int{"/v1/nothing": 404, "/": 404, "/v1/chat/completions": 405} {
			response, err := client.Get(w.url + path)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if code, ok := (ask{dialect: "openai"}).readError(string(body)); response.StatusCode != want || code != "unknown_path" || !ok {
				t.Errorf("%s: %d %s", path, response.StatusCode, body)
			}
		}
	})
	t.Run("no gateway", func(t *testing.T) {
		w.stop()
		for _, q := range []ask{{dialect: "openai", model: "o/m"}, {dialect: "anthropic", model: "a/m"}} {
			if got := q.outcome(w.do(t, q)); !strings.HasPrefix(got, "503 ") {
				t.Errorf("%s: %s", q.dialect, got)
			}
		}
	})
}

// denial is a policy that refuses one model.
func denial(model string) []byte {
	return []byte(`package attache.request

deny contains {"code": "closed", "message": "closed"} if input.request.model == "` + model + `"
`)
}

// TestReload: a new configuration or policy holds for what comes after it, and a
// broken one for nothing.
func TestReload(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules.rego")
	write(t, rules, denial("nothing"))
	w := begin(t, "1.40", "policy: {dir: "+filepath.Dir(rules)+"}", "models:", "  smart: {targets: [o/m]}")
	good, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	smart := ask{dialect: "openai", model: "smart"}
	outcome := func() string {
		a := w.do(t, smart)
		return smart.outcome(a) + " " + a.header.Get("X-Attache-Provider")
	}
	if got := outcome(); got != "good o" {
		t.Fatalf("before the reload: %s", got)
	}
	response, err := w.open(t.Context(), ask{dialect: "openai", model: "o/m@events=150@gap=20ms", stream: true})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()

	write(t, w.file, bytes.Replace(good, []byte("[o/m]"), []byte("[a/m]"), 1))
	w.reload(t)
	eventually(t, "another target of smart", func() bool { return outcome() == "good a" })

	write(t, w.file, []byte("providers: {o: 1}"))
	w.reload(t)
	eventually(t, "a failed reload", func() bool { return strings.Contains(w.ready(t), "last reload failed") })
	if got := outcome(); got != "good a" {
		t.Errorf("after a broken configuration: %s", got)
	}

	write(t, w.file, good)
	write(t, rules, denial("smart"))
	w.reload(t)
	eventually(t, "a refusal by the policy", func() bool { return outcome() == "403 closed " })
	if got := w.ready(t); !strings.Contains(got, "last reload good") {
		t.Errorf("the gateway says %s", got)
	}

	rest, err := io.ReadAll(response.Body)
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("the stream that was open: %v, %d bytes", err, len(rest))
	}
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// reload asks for what the gateway would do by itself in a second or two.
func (w *world) reload(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// ready is what the gateway says of itself.
func (w *world) ready(t *testing.T) string {
	t.Helper()
	response, err := http.Get("http://" + w.admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
