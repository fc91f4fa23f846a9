package envoytest_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/envoytest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// teapot answers every request itself, with 418.
const teapot = `
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: tea
          route_config:
            virtual_hosts: [{name: v, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 418}}]}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`

func TestEnvoyServesAndCounts(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			e := envoytest.Start(t, []byte(teapot), envoytest.Options{Version: version})
			if status := get(t, e.URL); status != http.StatusTeapot {
				t.Fatalf("status %d, want 418", status)
			}
			stats, err := e.Stats(t.Context(), "http.tea.downstream_rq_4xx")
			if err != nil {
				t.Fatal(err)
			}
			if len(stats) != 1 || stats["http.tea.downstream_rq_4xx"] != 1 {
				t.Errorf("stats %v, want the one request", stats)
			}
			if process, err := os.FindProcess(e.PID()); err != nil || process.Pid == os.Getpid() {
				t.Errorf("PID %d is not Envoy's", e.PID())
			}
			e.Close()
			if _, err := http.Get(e.URL); err == nil {
				t.Error("Envoy answers after Close")
			}
		})
	}
}

func get(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func TestBadConfigurationIsReported(t *testing.T) {
	envoytest.Need(t, "1.40")
	bad := strings.Replace(teapot, "stat_prefix", "start_prefix", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := envoytest.New(ctx, []byte(bad), envoytest.Options{Version: "1.40"}); err == nil || !strings.Contains(err.Error(), "start_prefix") {
		t.Errorf("New: error %v, want Envoy's words about start_prefix", err)
	}
	if err := envoytest.Validate(ctx, "1.40", []byte(bad)); err == nil || !strings.Contains(err.Error(), "start_prefix") {
		t.Errorf("Validate: error %v, want Envoy's words about start_prefix", err)
	}
	if err := envoytest.Validate(ctx, "1.40", []byte(teapot)); err != nil {
		t.Errorf("Validate: %v, want no objection", err)
	}
}

func TestStartHonoursTheDeadline(t *testing.T) {
	envoytest.Need(t, "1.40")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e, err := envoytest.New(ctx, []byte(teapot), envoytest.Options{Version: "1.40"}); err == nil {
		e.Close()
		t.Error("New succeeded with a context that had ended")
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	for _, release := range []string{"1.40.9", "1.40.10", "1.39.3"} {
		dir := filepath.Join(root, ".cache", "envoy-"+release)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "envoy"), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	t.Setenv("ATTACHE_ENVOY_140", "")
	if path, err := envoytest.Find("1.40"); err != nil || !strings.HasSuffix(path, "envoy-1.40.10/envoy") {
		t.Errorf("found %s, %v, want the newest patch release", path, err)
	}
	if _, err := envoytest.Find("1.38"); err == nil || !strings.Contains(err.Error(), "make envoy") {
		t.Errorf("error %v, want how to install it", err)
	}
	t.Setenv("ATTACHE_ENVOY_140", "/opt/envoy")
	if path, err := envoytest.Find("1.40"); err != nil || path != "/opt/envoy" {
		t.Errorf("found %s, %v, want what the environment says", path, err)
	}
}
