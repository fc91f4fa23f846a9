package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// bundleOf packs files as opa build does.
func bundleOf(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A bundleServer serves a bundle with its ETag.
type bundleServer struct {
	mu       sync.Mutex
	bundle   []byte // nil: it is broken
	unneeded int    // looks that were answered with 304
}

func (s *bundleServer) put(bundle []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bundle = bundle
}

func (s *bundleServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(s.bundle))
	switch {
	case s.bundle == nil:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.Header.Get("If-None-Match") == etag:
		s.unneeded++
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", etag)
		w.Write(s.bundle)
	}
}

// TestBundleServer: bundles are fetched and put in force while requests are
// served; one that is bad and a server that is away change nothing; a gateway
// that starts without the server uses the last good rules until it is back.
func TestBundleServer(t *testing.T) {
	s := &bundleServer{bundle: bundleOf(t, marked("one"))}
	server := httptest.NewServer(s)
	defer server.Close()
	w := begin(t, "1.40", "policy: {bundle: {url: \""+server.URL+"/b.tar.gz?key=canary\", poll: 1s}, deadline: 1s}", "models:", "  smart: {targets: [o/m]}")
	smart := ask{dialect: "openai", model: "smart"}
	rules := func() string { return w.do(t, smart).header.Get("X-Rules") }
	if got := rules(); got != "one" {
		t.Fatalf("at the start the rules are %q", got)
	}
	stop := w.traffic(t, smart)
	const since = "attache_policy_since_timestamp_seconds"
	first := w.metrics(t)[since]
	s.put(bundleOf(t, marked("two")))
	eventually(t, "the second bundle", func() bool { return rules() == "two" })
	eventually(t, "the time of the second bundle", func() bool { return w.metrics(t)[since] != first })
	second, reloads := w.metrics(t)[since], strings.Count(w.log.String(), "msg=reloaded")
	w.reload(t)
	eventually(t, "a reload of the same rules", func() bool { return strings.Count(w.log.String(), "msg=reloaded") > reloads })
	if got := w.metrics(t)[since]; got != second {
		t.Errorf("the second bundle is in force since %s, it was since %s", got, second)
	}

	s.put(bundleOf(t, map[string][]byte{"bad.rego": []byte("package attache.request\n\ndeny contains {")}))
	eventually(t, "a refusal with file and line", func() bool {
		return strings.Contains(w.policy(t).Load.Error, "bad.rego:3") && strings.Contains(w.ready(t), "last reload failed")
	})
	if p := w.policy(t); p.Load.Failed == 0 || rules() != "two" {
		t.Errorf("after a bad bundle: %+v", p)
	}
	s.put(nil)
	eventually(t, "a server that is away", func() bool { return strings.Contains(w.policy(t).FetchError, "503") })
	if n := w.metrics(t)[`attache_policy_fetch_errors_total{kind="status"}`]; n == "" || n == "0" {
		t.Errorf("%q failed looks are counted", n)
	}
	s.put(bundleOf(t, marked("three")))
	eventually(t, "the third bundle", func() bool { return rules() == "three" && w.policy(t).FetchError == "" })
	if sent := stop(); sent < 20 {
		t.Errorf("%d requests were sent", sent)
	}
	eventually(t, "a look that finds nothing new", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.unneeded > 0 })
	_, shown := w.api(t, http.MethodGet, "/api/policy")
	if strings.Contains(string(shown), "canary") || strings.Contains(w.log.String(), "canary") {
		t.Error("the query of the URL is shown")
	}

	w.stop()
	s.put(nil)
	w.serve(t)
	eventually(t, "an answer by the last good rules", func() bool { return rules() == "three" })
	if p := w.policy(t); p.State != "last_good" || !strings.Contains(w.log.String(), "the last good one is in force") {
		t.Errorf("the policy is %+v", p)
	}
	w.awaitMetrics(t, map[string]string{"attache_policy_load_failed": "1"})
	s.put(bundleOf(t, marked("four")))
	eventually(t, "the fourth bundle", func() bool { return rules() == "four" && w.policy(t).State == "good" })
	w.awaitMetrics(t, map[string]string{"attache_policy_load_failed": "0"})
}

// TestBundleFiles: bundles that are files are read again when they change, also
// through a link; one without the signature that is asked for is refused.
func TestBundleFiles(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "current")
	swap := func(name string, files map[string][]byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(path, "rules.tar.gz"), bundleOf(t, files))
		if err := os.Symlink(name, link+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".new", link); err != nil {
			t.Fatal(err)
		}
	}
	swap("1", marked("one"))
	w := begin(t, "1.40", "policy: {bundle: {file: "+link+"}, deadline: 1s}", "models:", "  smart: {targets: [o/m]}")
	rules := func() string { return w.do(t, ask{dialect: "openai", model: "smart"}).header.Get("X-Rules") }
	if got := rules(); got != "one" {
		t.Fatalf("at the start the rules are %q", got)
	}
	swap("2", marked("two"))
	eventually(t, "the other directory", func() bool { return rules() == "two" })

	text, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, w.file, bytes.Replace(text, []byte("{file: "+link), []byte("{key_id: main, key: shared, algorithm: HS256, file: "+link), 1))
	w.reload(t)
	eventually(t, "a refusal of what is not signed", func() bool { return strings.Contains(w.policy(t).Load.Error, "rules.tar.gz: it is not signed") })
	if got := rules(); got != "two" {
		t.Errorf("the rules are %q", got)
	}

	s := &bundleServer{bundle: bundleOf(t, marked("three"))}
	server := httptest.NewServer(s)
	defer server.Close()
	write(t, w.file, bytes.Replace(text, []byte("{file: "+link), []byte("{poll: 1s, url: \""+server.URL+"/b\""), 1))
	w.reload(t)
	eventually(t, "the bundle of a server", func() bool { return rules() == "three" })
	s.put(bundleOf(t, marked("four")))
	eventually(t, "a newer bundle of the server", func() bool { return rules() == "four" })
}
