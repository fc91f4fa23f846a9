package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/attache-gateway/attache/bench/mock"
	"github.com/attache-gateway/attache/extproc/auth"
	"github.com/attache-gateway/attache/extproc/envoytest"
)

// The official Python SDKs call either provider, knowing nothing of the gateway
// but its address and a key.
func TestSDKs(t *testing.T) {
	python := pythonWithSDKs(t)
	d := openDoor(t)
	scripts, err := filepath.Glob("testdata/sdk/*_*.py")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for name, p := range map[string]*mock.Server{"openai": d.openai, "anthropic": d.anthropic} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, script := range scripts { // one by one: they read in p's log what they made it get
				t.Run(strings.TrimSuffix(filepath.Base(script), ".py"), func(t *testing.T) {
					runScript(t, python, script,
						"ATTACHE_URL="+d.url, "ATTACHE_KEY="+d.key, "ATTACHE_REVOKED="+d.revoked, "ATTACHE_EXPIRED="+d.expired,
						"PROVIDER="+name, "PROVIDER_URL="+p.URL())
				})
			}
		})
	}
}

// runScript runs one script with nothing else in its environment, since both
// SDKs read settings there.
func runScript(t *testing.T, python, script string, env ...string) {
	cmd := exec.CommandContext(t.Context(), python, "-W", "error::UserWarning", "-W", "error::DeprecationWarning", "-B", script)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("ok ")) {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("\n%s", out)
	}
}

// pythonWithSDKs returns the interpreter that make sdk installs.
func pythonWithSDKs(t *testing.T) string {
	python, err := filepath.Abs("../.cache/sdk/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); errors.Is(err, os.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("the SDKs are not installed: run make sdk")
	} else if err != nil {
		t.Fatalf("the SDKs are not installed: run make sdk (%v)", err)
	}
	return python
}

// A door is a gateway that asks for keys, its Envoy and a provider of each
// dialect. Two more providers are there for what is to fail first.
type door struct {
	url                   string
	key, revoked, expired string
	openai, anthropic     *mock.Server
}

const doorConfig = `
listen: unix:run/attache.sock
admin: %s
envoy: {port: %s, admin: "%s", version: "1.40", max_request: 1MiB}
providers:
  openai: {kind: openai, key: sk-of-openai, url: %s/v1, models: [gpt-4o]}
  anthropic: {kind: anthropic, key: sk-of-anthropic, url: %s, models: [claude-sonnet-4-5]}
  spare-openai: {kind: openai, key: sk-of-spare, url: %s/v1}
  spare-anthropic: {kind: anthropic, key: sk-of-spare, url: %s}
models:
  smart: {targets: [openai/gpt-4o, anthropic/claude-sonnet-4-5]}
auth: {mode: keys, file: keys.json}
ledger: {sqlite: run/ledger.db}
log: {level: debug}
`

func openDoor(t *testing.T) *door {
	envoytest.Need(t, "1.40")
	envoy, err := envoytest.Find("1.40")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{openai: provider(t, mock.OpenAI), anthropic: provider(t, mock.Anthropic)}
	dir := t.TempDir()
	config := filepath.Join(dir, "attache.yaml")
	text := fmt.Sprintf(doorConfig, freeAddress(t), port(freeAddress(t)), freeAddress(t),
		d.openai.URL(), d.anthropic.URL(), provider(t, mock.OpenAI).URL(), provider(t, mock.Anthropic).URL())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(dir, "keys.json")
	d.key, _ = addKey(t, keys, time.Time{})
	d.expired, _ = addKey(t, keys, time.Now().Add(-time.Hour))
	var id string
	d.revoked, id = addKey(t, keys, time.Time{})
	if err := auth.Revoke(keys, id, time.Now()); err != nil {
		t.Fatal(err)
	}
	d.url = up(t, config, envoy, prompt, d.key, d.revoked, d.expired, "sk-of-openai", "sk-of-anthropic")
	return d
}

// provider starts a mock of one dialect with the recordings of testdata.
func provider(t *testing.T, dialect mock.Dialect) *mock.Server {
	recordings := map[string]*mock.Recording{}
	files, err := filepath.Glob("testdata/sdk/replies/" + string(dialect) + "-*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		r, err := mock.LoadRecording(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(file), ".json"), string(dialect)+"-")
		recordings[name] = r
	}
	s, err := mock.Start(mock.Options{Name: string(dialect), Dialect: dialect, Recordings: recordings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// addKey adds a key that was made two hours ago, and returns it and its ID.
func addKey(t *testing.T, file string, expires time.Time) (text, id string) {
	t.Helper()
	secret, key, err := auth.New(auth.Key{Name: "test", Expires: expires}, time.Now().Add(-2*time.Hour), rand.Reader)
	if err == nil {
		err = auth.Add(file, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal(), key.ID
}

// up runs the gateway with Envoy and returns where to send requests. Its log
// must not hold the secrets.
func up(t *testing.T, config, envoy string, secrets ...string) (url string) {
	var log bytes.Buffer
	cmd := exec.Command("attache", "up", "-c", config) // TestMain puts it in the path
	cmd.Env = append(os.Environ(), "ENVOY="+envoy)
	cmd.Dir = filepath.Dir(config)
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("attache up: %v\n%s", err, &log)
		}
		for _, secret := range secrets {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log holds %s", secret)
			}
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "ready: "); ok {
			return url
		}
	}
	t.Fatalf("the gateway did not get ready\n%s", &log)
	return ""
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
