// Package envoy_test holds the reference configurations in this folder against the renderer and against Envoy itself.
package envoy_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/envoytest"
	"github.com/attache-gateway/attache/extproc/render"
)

var update = flag.Bool("update", false, "write the reference configurations")

// reference is a gateway with two providers on the internet and one on the same machine. The CA bundle's path is that of
// Debian and Alpine.
func reference(version string) render.Input {
	return render.Input{
		Version:    version,
		Address:    "127.0.0.1",
		Port:       8080,
		Admin:      "127.0.0.1:9901",
		ExtProc:    "unix:run/attache.sock",
		MaxRequest: 50 << 20,
		CABundle:   "/etc/ssl/certs/ca-certificates.crt",
		Backoff:    render.Backoff{Base: 25 * time.Millisecond, Max: 250 * time.Millisecond},
		StreamIdle: 5 * time.Minute, RequestTimeout: 30 * time.Minute,
		Clusters: []render.Cluster{
			{Name: "openai", Host: "api.openai.com", Port: 443, TLS: true, Usage: true},
			{Name: "anthropic", Host: "api.anthropic.com", Port: 443, TLS: true, Usage: true},
			{Name: "local", Host: "127.0.0.1", Port: 11434, Usage: true},
		},
	}
}

var files = map[string]string{"envoy-1.40.yaml": render.Envoy140, "envoy-1.39.yaml": render.Envoy139}

func TestReferenceIsWhatTheRendererWrites(t *testing.T) {
	for file, version := range files {
		got, err := render.Envoy(reference(version))
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the renderer writes: run make golden and look at the difference", file)
		}
	}
}

func TestEnvoyLoadsTheReference(t *testing.T) {
	for file, version := range files {
		t.Run(version, func(t *testing.T) {
			envoytest.Need(t, version)
			config, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(reference(version).CABundle); err != nil {
				t.Skip(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := envoytest.Validate(ctx, version, config); err != nil {
				t.Error(err)
			}
		})
	}
}
