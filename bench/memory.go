package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/attache-gateway/attache/bench/load"
	"github.com/attache-gateway/attache/bench/mock"
)

// A memory is what a server's process holds in RAM, in bytes.
type memory struct {
	Server    string `json:"server"`
	Idle      int64  `json:"idle_bytes"`
	PerStream int64  `json:"per_stream_bytes"` // for one more open stream
	Envoy     int64  `json:"envoy_idle_bytes"`
	EnvoyEach int64  `json:"envoy_per_stream_bytes"`
}

const (
	// openStreams is how many streams are open when their memory is measured.
	openStreams = 400
	// settleTime is for the way of response headers from the provider to the
	// client.
	settleTime = 300 * time.Millisecond
)

// memory looks at servers that have just started. Each variant's streams are
// those of the first one of its server.
func (b *bench) memory(ctx context.Context) (all []memory, err error) {
	fmt.Fprintln(b.progress, "memory")
	seen := map[*server]bool{}
	for i := range b.variants {
		v := &b.variants[i]
		if seen[v.server] {
			continue
		}
		seen[v.server] = true
		m := memory{Server: v.server.name}
		if m.Envoy, m.Idle, err = v.resident(); err != nil {
			return nil, err
		}
		envoy, server, err := b.opened(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("%s with open streams: %w", m.Server, err)
		}
		m.PerStream, m.EnvoyEach = (server-m.Idle)/openStreams, (envoy-m.Envoy)/openStreams
		all = append(all, m)
	}
	return all, nil
}

// opened is the memory while streams are open that have begun and send nothing.
func (b *bench) opened(ctx context.Context, v *variant) (envoy, server int64, err error) {
	s := scenario{connections: openStreams, size: small, stream: true, behaviour: "@events=1@gap=1h"}
	l := s.spec(v, 0)
	l.Requests, l.Ramp, l.Timeout = openStreams, time.Second, time.Hour
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := b.inFlight(ctx, 0); err != nil {
		return 0, 0, err
	}
	ran := make(chan error, 1)
	go func() {
		_, err := load.Run(ctx, l)
		ran <- err
	}()
	if err = b.inFlight(ctx, openStreams); err == nil {
		time.Sleep(settleTime)
		envoy, server, err = v.resident()
	}
	cancel()
	if ended := <-ran; !errors.Is(ended, context.Canceled) && err == nil {
		err = fmt.Errorf("the streams ended: %w", ended)
	}
	return envoy, server, err
}

// inFlight waits until the provider has n requests.
func (b *bench) inFlight(ctx context.Context, n int) error {
	return b.provider.Wait(ctx, func(s mock.Stats) bool { return s.InFlight == n })
}

// resident is the memory of both processes.
func (s *server) resident() (envoy, server int64, err error) {
	if envoy, err = resident(s.envoy.PID()); err != nil || s.proc == nil {
		return envoy, 0, err
	}
	server, err = resident(s.proc.pid())
	return envoy, server, err
}

// resident is the memory of a process that is in RAM, in bytes: field 2 of
// /proc/PID/statm (proc(5)).
func resident(pid int) (int64, error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm of %d has %d fields", pid, len(fields))
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}
