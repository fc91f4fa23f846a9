package render_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/render"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func input(version string) render.Input {
	return render.Input{
		Version:    version,
		Address:    "127.0.0.1",
		Port:       8080,
		Admin:      "127.0.0.1:9901",
		ExtProc:    "unix:attache.sock",
		MaxRequest: 8 << 20,
		Backoff:    render.Backoff{Base: time.Millisecond, Max: 10 * time.Millisecond},
		StreamIdle: time.Minute, RequestTimeout: time.Minute,
		Clusters: []render.Cluster{{Name: "a", Host: "127.0.0.1", Port: 1}, {Name: "b", Host: "b.internal", Port: 2}},
	}
}

func writePEM(t *testing.T, certificate *x509.Certificate) string {
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOutputIsDeterministic(t *testing.T) {
	for _, version := range []string{render.Envoy140, render.Envoy139} {
		first, err := render.Envoy(input(version))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			again, err := render.Envoy(input(version))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, again) {
				t.Fatalf("%s: two renderings differ", version)
			}
		}
	}
}

func TestRefusedInput(t *testing.T) {
	for want, change := range map[string]func(*render.Input){
		`render: envoy version "1.38": want 1.40 or 1.39`: func(in *render.Input) { in.Version = "1.38" },
		`must be limited`:                              func(in *render.Input) { in.StreamIdle = 0 },
		`time to send it`:                              func(in *render.Input) { in.RequestTimeout = 0 },
		`time of streams must be limited`:              func(in *render.Input) { in.MaxRequest = 0 },
		`render: no clusters`:                          func(in *render.Input) { in.Clusters = nil },
		`render: cluster "a" twice`:                    func(in *render.Input) { in.Clusters[1].Name = "a" },
		`render: cluster "a.retry" twice`:              func(in *render.Input) { in.Clusters[1].Name = "a.retry" },
		`render: cluster "a": TLS without a CA bundle`: func(in *render.Input) { in.Clusters[0].TLS = true },
		`missing port in address`:                      func(in *render.Input) { in.ExtProc = "attache.sock" },
		`invalid syntax`:                               func(in *render.Input) { in.Admin = "127.0.0.1:http" },
		`PortValue`:                                    func(in *render.Input) { in.Port = 70000 },
		`BaseInterval`:                                 func(in *render.Input) { in.Backoff = render.Backoff{} },
	} {
		in := input(render.Envoy140)
		change(&in)
		if _, err := render.Envoy(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// A later attempt must not be able to reach a cluster that would repeat the request of the attempt before.
func TestLaterSlotsOnlyKnowRetryClusters(t *testing.T) {
	config, err := render.Envoy(input(render.Envoy139))
	if err != nil {
		t.Fatal(err)
	}
	// The route of uploads has the first slot as well, and no other.
	if n := bytes.Count(config, []byte("ClusterAction, cluster: a}")); n != 1+1 {
		t.Errorf("cluster a is in %d slots, want in the first of both routes", n)
	}
	if n := bytes.Count(config, []byte("ClusterAction, cluster: a.retry}")); n != render.MaxAttempts+1 {
		t.Errorf("cluster a.retry is in %d slots, want in all %d", n, render.MaxAttempts)
	}
}
