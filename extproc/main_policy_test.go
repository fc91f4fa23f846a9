package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// An upload is a new content of the policy's directory.
type upload struct {
	dir  string // a link
	next int
}

// put swaps the link, as Kubernetes does when a ConfigMap changes.
func (u *upload) put(t *testing.T, files map[string][]byte) {
	t.Helper()
	u.next++
	fresh := u.dir + strconv.Itoa(u.next)
	for name, data := range files {
		path := filepath.Join(fresh, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, data)
	}
	if err := os.Symlink(filepath.Base(fresh), u.dir+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(u.dir+".new", u.dir); err != nil {
		t.Fatal(err)
	}
}

func marked(with string) map[string][]byte {
	return map[string][]byte{"a.rego": []byte("package attache.request\n\nheader contains {\"on\": \"response\", \"name\": \"x-rules\", \"value\": \"" + with + "\"}\n")}
}

// TestBrokenUploads: while one broken policy after another is uploaded, requests
// are served by the good one, and each upload is refused for its own reason.
func TestBrokenUploads(t *testing.T) {
	u := &upload{dir: filepath.Join(t.TempDir(), "policies")}
	u.put(t, marked("first"))
	w := begin(t, "1.40", "policy: {dir: "+u.dir+", deadline: 1s}", "models:", "  smart: {targets: [o/m]}")

	smart := ask{dialect: "openai", model: "smart"}
	stop := make(chan struct{})
	var traffic sync.WaitGroup
	sent := 0
	traffic.Go(func() {
		for ; ; sent++ {
			select {
			case <-stop:
				return
			default:
			}
			if a := w.do(t, smart); smart.outcome(a) != "good" || a.header.Get("X-Rules") != "first" {
				t.Errorf("while a broken policy was uploaded: %s, rules %q", smart.outcome(a), a.header.Get("X-Rules"))
				return
			}
		}
	})

	uploads := map[string]bool{}
	refused := func(name string, files map[string][]byte, want string) {
		t.Helper()
		uploads[name] = true
		before := len(w.log.String())
		u.put(t, files)
		w.reload(t)
		quoted := strconv.Quote(want)
		eventually(t, "a refusal of "+name, func() bool {
			log := w.log.String()[before:]
			i := strings.Index(log, "reload failed")
			if i < 0 {
				return false
			}
			if !strings.Contains(log[i:], quoted[1:len(quoted)-1]) {
				t.Fatalf("%s: want %s in\n%s", name, want, log[i:])
			}
			return true
		})
	}
	cases, err := filepath.Glob("rego/testdata/load/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range cases {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if files, want := refusedCase(t, file); files != nil {
			refused(name, files, want)
		}
	}
	refused("oversized", map[string][]byte{"a.rego": make([]byte, 33<<20)}, "more than 33554432 bytes of rules and data")
	close(stop)
	traffic.Wait()
	if len(uploads) < 25 || sent < len(uploads) {
		t.Errorf("%d uploads, %d requests", len(uploads), sent)
	}
	for _, kind := range []string{ // signatures and roots are of bundles: TestRegistry
		"syntax", "types", "misspelt", "unknown-input", "conflict", "contradiction", "recursion", "failing-test", "builtins", "oversized", "slow",
	} {
		if !uploads[kind] {
			t.Errorf("nobody uploaded %s", kind)
		}
	}

	u.put(t, marked("second")) // nobody asks for a reload
	eventually(t, "the new rules", func() bool { return w.do(t, smart).header.Get("X-Rules") == "second" })
}

// refusedCase reads a case of refused rules, with the first line of the error. There
// are no files if the configuration is a part of the case, which is another here.
func refusedCase(t *testing.T, file string) (files map[string][]byte, want string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, f := range archive.Files {
		switch f.Name {
		case "want":
			want, _, _ = strings.Cut(string(f.Data), "\n")
		case "options":
			return nil, ""
		default:
			files[f.Name] = f.Data
		}
	}
	return files, want
}

// TestSlowRule: a rule that takes for ever is cut off, refuses the request, and
// is named in the log and in the metrics.
func TestSlowRule(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.rego"), []byte(`package attache.request

import rego.v2

# METADATA
# custom: {id: for-ever}
deny contains {} if {
	input.user == "victim"
	count([1 | some i in numbers.range(1, 9000); some j in numbers.range(1, 9000); i * j == 7]) == 1000
}
`))
	w := begin(t, "1.40", "policy: {dir: "+dir+", deadline: 20ms}", "models:", "  smart: {targets: [o/m]}")
	slow := ask{dialect: "openai", model: "smart", header: map[string]string{"X-Attache-User": "victim"}}
	if got := slow.outcome(w.do(t, slow)); got != "500 policy_error" {
		t.Errorf("a rule that takes for ever: %s", got)
	}
	eventually(t, "the rule's name in the log", func() bool {
		return bytes.Contains([]byte(w.log.String()), []byte("a.rego:7 (for-ever)"))
	})
	w.awaitMetrics(t, map[string]string{`attache_policy_errors_total{kind="deadline",rule="a.rego:7 (for-ever)"}`: "1"})
	if got := (ask{dialect: "openai", model: "smart"}); got.outcome(w.do(t, got)) != "good" {
		t.Error("others are held up as well")
	}
}

// TestModelsByPolicy: the list of models that Envoy's clients get has those that
// the policy lets them use.
func TestModelsByPolicy(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.rego"), []byte(`package attache.request

import rego.v2

route contains {"exclude": {"provider": "a"}} if input.properties.plan == "free"

deny contains {"code": "no_pair"} if {
	input.properties.plan == "free"
	some c in input.candidates
	c.provider == "o2"
}
`))
	w := begin(t, "1.40", "policy: {dir: "+dir+"}", "models:", "  smart: {targets: [a/m]}", "  both: {targets: [a/m, o/m]}", "  pair: {targets: [o/m, o2/bare-1]}")
	for plan, want := range map[string]string{"free": "both", "paid": "smart both pair"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Attache-Property-Plan", plan)
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Data []struct{ ID string } }
		err = json.NewDecoder(response.Body).Decode(&list)
		response.Body.Close()
		var names []string
		for _, m := range list.Data {
			names = append(names, m.ID)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s: %d %v, %s, want %s", plan, response.StatusCode, err, got, want)
		}
	}
}

// TestLastGood: a gateway that starts with broken rules uses the last good ones.
func TestLastGood(t *testing.T) {
	u := &upload{dir: filepath.Join(t.TempDir(), "policies")}
	u.put(t, marked("good"))
	w := begin(t, "1.40", "policy: {dir: "+u.dir+"}", "models:", "  smart: {targets: [o/m]}")
	w.stop()
	u.put(t, map[string][]byte{"a.rego": []byte("package attache.request\n\ndeny contains {")})
	w.serve(t)
	smart := ask{dialect: "openai", model: "smart"}
	eventually(t, "an answer by the last good rules", func() bool { return w.do(t, smart).header.Get("X-Rules") == "good" })
	if got := w.ready(t); !strings.Contains(got, "last reload failed") || !strings.Contains(w.log.String(), "the last good one is in force") {
		t.Errorf("the gateway says %s", got)
	}
}
