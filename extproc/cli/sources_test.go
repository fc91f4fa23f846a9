package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
)

// TestPollingEnds: a gateway that polls for its policy and its candidate, which
// the server holds, ends with nothing left behind.
func TestPollingEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	bundle := packed(t, "a.rego", "package attache.request\n\nlabel contains {\"a\": \"b\"}\n")
	held := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.openpolicyagent.bundles")
		if r.Header.Get("If-None-Match") != "" {
			held <- struct{}{}
			<-r.Context().Done()
			return
		}
		w.Header().Set("ETag", `"1"`)
		w.Write(bundle)
	}))
	defer server.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	dir := t.TempDir()
	file := filepath.Join(dir, "attache.yaml")
	text := fmt.Sprintf(`listen: unix:a.sock
admin: 127.0.0.1:0
auth: {mode: none}
ledger: {sqlite: ledger.db}
providers: {o: {kind: openai, url: "http://127.0.0.1:1/v1"}}
policy:
  bundle: {url: "%s/live", poll: 1s, long_poll: 5m}
  shadow: {bundle: {url: "%s/next", poll: 1s, long_poll: 5m}}
`, server.URL, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	log := &safeBuffer{}
	p := Program{Stdout: io.Discard, Stderr: log, Env: func(string) (string, bool) { return "", false }, Context: ctx}
	var running sync.WaitGroup
	running.Go(func() {
		if code := p.Run([]string{"serve", "-c", file}); code != exitGood {
			t.Errorf("serve returned %d: %s", code, log.String())
		}
	})
	for range 2 {
		select {
		case <-held:
		case <-time.After(20 * time.Second):
			t.Errorf("no look was held after 20 s: %s", log.String())
		}
	}
	cancel()
	running.Wait()
}

// A safeBuffer is written to by many.
type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func packed(t *testing.T, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDownloads: what is not there yet is waited for by one alone, and what no
// configuration names any more is forgotten.
func TestDownloads(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	defer away.Close()
	var d downloads
	b := &config.Bundle{URL: away.URL, Token: gateway.NewSecret("t")}
	if _, err := d.get(t.Context(), b); err == nil || !strings.Contains(err.Error(), "404") || d.trouble(b) == "" {
		t.Errorf("%v, trouble %q", err, d.trouble(b))
	}
	one, err := d.of(b)
	if err != nil {
		t.Fatal(err)
	}
	one.polling.Lock()
	if _, err := d.get(t.Context(), b); err == nil || !strings.Contains(err.Error(), "has not come yet") {
		t.Errorf("while it is polled for: %v", err)
	}
	for _, tt := range []struct {
		archive []byte
		err     error
		news    bool
	}{{nil, io.EOF, false}, {[]byte("one"), nil, true}, {nil, nil, false}, {nil, io.EOF, true}, {nil, io.EOF, false}, {nil, nil, true}} {
		if got := one.put(tt.archive, tt.err); got != tt.news {
			t.Errorf("%q, %v: news %v", tt.archive, tt.err, got)
		}
	}
	if got, err := d.get(t.Context(), b); string(got) != "one" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if d.keep([]*config.Bundle{b}); len(d.all) != 1 {
		t.Error("a bundle of the configuration is forgotten")
	}
	if d.keep(nil); len(d.all) != 0 {
		t.Error("a bundle that no configuration names is kept")
	}
}
