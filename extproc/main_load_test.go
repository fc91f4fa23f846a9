package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/attache-gateway/attache/bench/load"
	"github.com/attache-gateway/attache/bench/mock"
)

// openStreams is how many streams are open at once.
const openStreams = 2000

// TestManyStreams holds streams open all at once and prints what each costs the
// gateway, which runs as a process of its own for that.
func TestManyStreams(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("thousands of connections, which the race detector makes too slow; make test runs this without it")
	}
	allowFiles(t, 4*openStreams+1000)
	w := beginIdle(t, "1.40", deadline)
	w.stop()
	for _, c := range []struct{ name, provider, body string }{
		{"passed on", "o", ask{model: "o/m@events=12@gap=1s", stream: true, more: askUsage}.body()},
		{"translated", "a", ask{model: "a/m@events=12@gap=1s", stream: true}.body()},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.hold(t, c.provider, c.body, w.serveProcess(t))
		})
	}
}

func (w *world) hold(t *testing.T, provider, body string, pid int) {
	if got := (ask{dialect: "openai"}).outcome(w.do(t, ask{dialect: "openai", model: provider + "/m"})); got != "good" {
		t.Fatal(got) // Envoy needs a moment to find a new gateway
	}
	idle := memory(t, pid)
	done := make(chan load.Result, 1)
	go func() {
		r, err := load.Run(context.WithoutCancel(t.Context()), load.Spec{
			URL: w.url + paths["openai"], Body: []byte(body), Want: "[DONE]",
			Connections: openStreams, Requests: openStreams, Ramp: 4 * time.Second, Timeout: 2 * deadline,
		})
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	await(t, w.providers[provider], func(s mock.Stats) bool { return s.InFlight == openStreams })
	held := memory(t, pid)
	r := <-done
	if r.Errors > 0 || r.Requests != openStreams {
		t.Errorf("%d streams are good, %d are not: %s", r.Requests, r.Errors, r.FirstError)
	}
	t.Logf("%d streams: %d KiB idle, %d KiB held, %.1f KiB for each stream", openStreams, idle>>10, held>>10, float64(held-idle)/openStreams/1024)
}

// allowFiles raises the limit of open files, for Envoy as well.
func allowFiles(t *testing.T, n uint64) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max < n {
		t.Skipf("%d open files are needed, %d are allowed", n, limit.Max)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
}

// serveProcess runs attache serve as a process, from the path where TestMain puts
// it, and returns its id.
func (w *world) serveProcess(t *testing.T) int {
	w.log = &logbook{}
	cmd := exec.Command("attache", "serve", "-c", w.file)
	cmd.Stderr = w.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("attache serve: %v\n%s", err, w.log)
		}
	})
	w.awaitReady(t)
	return cmd.Process.Pid
}

// memory is the resident set of a process in bytes.
func memory(t *testing.T, pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("this system does not tell: ", err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	line, err := bufio.NewReader(bytes.NewReader(rest)).ReadString('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(line), " kB"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
