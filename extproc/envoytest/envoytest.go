// Package envoytest starts a real Envoy for tests and benchmarks and looks at it through its admin page.
//
// It does not know what the configuration says. Configurations ask for port 0, for the listener and for the admin page:
// the kernel's choice is read back, so that parallel tests never fight for a port.
package envoytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options says which Envoy and how much of the machine it gets.
type Options struct {
	Version     string // "1.40" or "1.39"
	Concurrency int    // worker threads; 0 means 1
}

// Envoy is a running Envoy process.
type Envoy struct {
	URL string // of the first listener, http://127.0.0.1:PORT

	admin  string // URL of the admin page
	cmd    *exec.Cmd
	dir    string
	log    *tail
	exited chan struct{} // closed when the process has ended
}

// New starts Envoy with config, YAML or JSON, and returns once it is live. It fails when ctx ends before that, or with
// Envoy's own words when Envoy refuses the configuration. The caller calls Close.
func New(ctx context.Context, config []byte, o Options) (*Envoy, error) {
	e, err := launch(config, o)
	if err != nil {
		return nil, fmt.Errorf("envoytest: %w", err)
	}
	if err := e.await(ctx); err != nil {
		e.Close()
		return nil, fmt.Errorf("envoytest: %w\n%s", err, e.Log())
	}
	return e, nil
}

func launch(config []byte, o Options) (*Envoy, error) {
	binary, err := Find(o.Version)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "envoy")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	e := &Envoy{dir: dir, log: &tail{}, exited: make(chan struct{})}
	e.cmd = exec.Command(binary, "--config-path", file, "--admin-address-path", e.adminFile(),
		"--disable-hot-restart", "--concurrency", strconv.Itoa(max(1, o.Concurrency)),
		"--log-level", "warning", "--component-log-level", "misc:error") // misc warns of every alpha extension, each time
	e.cmd.Stdout, e.cmd.Stderr = e.log, e.log
	if err := e.start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return e, nil
}

// start runs the process on a thread of its own, which lasts as long as the process: see dieWithParent.
func (e *Envoy) start() error {
	e.cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(e.exited)
		err := e.cmd.Start()
		started <- err
		if err == nil {
			_ = e.cmd.Wait() // how it ended is in the log
		}
	}()
	return <-started
}

func (e *Envoy) adminFile() string { return filepath.Join(e.dir, "admin") }

// await polls the admin page until Envoy says that it is live.
func (e *Envoy) await(ctx context.Context) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		if live, err := e.live(ctx); live || err != nil {
			return err
		}
		select {
		case <-poll.C:
		case <-e.exited:
			return errors.New("envoy ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("envoy is not live: %w", ctx.Err())
		}
	}
}

// live looks once. Until Envoy has written where its admin page is, and while that does not answer, it is not live.
func (e *Envoy) live(ctx context.Context) (bool, error) {
	address, err := os.ReadFile(e.adminFile())
	if err != nil || len(address) == 0 {
		return false, nil
	}
	e.admin = "http://" + string(address)
	state, err := e.get(ctx, "/ready")
	if err != nil || !bytes.HasPrefix(state, []byte("LIVE")) {
		return false, nil
	}
	return true, e.readListener(ctx)
}

func (e *Envoy) readListener(ctx context.Context) error {
	body, err := e.get(ctx, "/listeners?format=json")
	if err != nil {
		return err
	}
	var page struct {
		Listeners []struct {
			Local struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return fmt.Errorf("admin /listeners: %w", err)
	}
	if len(page.Listeners) == 0 {
		return errors.New("the configuration has no listener")
	}
	at := page.Listeners[0].Local.Socket
	e.URL = fmt.Sprintf("http://%s:%d", at.Address, at.Port)
	return nil
}

// get reads one admin page.
func (e *Envoy) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.admin+path, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true // no idle connection outlives the look
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(io.LimitReader(response.Body, 16<<20))
}

// Stats returns the counters and gauges whose names start with prefix.
func (e *Envoy) Stats(ctx context.Context, prefix string) (map[string]int64, error) {
	body, err := e.get(ctx, "/stats")
	if err != nil {
		return nil, fmt.Errorf("envoytest: stats: %w", err)
	}
	stats := map[string]int64{}
	for line := range strings.Lines(string(body)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		value, err := strconv.ParseInt(text, 10, 64)
		if err == nil && strings.HasPrefix(name, prefix) { // histograms and texts are no integers
			stats[name] = value
		}
	}
	return stats, nil
}

// PID is the process id, to measure Envoy's CPU time by.
func (e *Envoy) PID() int { return e.cmd.Process.Pid }

// Log is the end of what Envoy has printed.
func (e *Envoy) Log() string { return e.log.String() }

// Close kills Envoy, waits for it and removes its files. Calling it again does nothing.
func (e *Envoy) Close() {
	_ = e.cmd.Process.Kill() // it may have ended already
	<-e.exited
	os.RemoveAll(e.dir)
}

// tail keeps the last part of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailLength = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailLength; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
