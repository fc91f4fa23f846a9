package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// startTime bounds how long a server may take to listen.
const startTime = 20 * time.Second

// A process is a server that runs until close.
type process struct {
	cmd    *exec.Cmd
	output *bytes.Buffer // complete when the process has ended
	ended  chan struct{}
}

// serve starts a server on one processor and returns when it takes connections
// on its Unix socket.
func serve(ctx context.Context, socket, binary string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(binary, args...), output: &bytes.Buffer{}, ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended is in the output
	}()
	if err := p.await(ctx, socket); err != nil {
		p.close()
		return nil, fmt.Errorf("%s: %w\n%s", binary, err, p.output)
	}
	return p, nil
}

func (p *process) await(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		if conn, err := net.Dial("unix", socket); err == nil {
			return conn.Close()
		}
		select {
		case <-poll.C:
		case <-p.ended:
			return errors.New("ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("does not listen: %w", ctx.Err())
		}
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// close kills the process: nothing that it holds is wanted any more.
func (p *process) close() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.ended
}
