package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
)

// up runs the gateway and an Envoy for it until ctx ends. Without a file it
// configures itself from the environment.
func (p *Program) up(ctx context.Context, args []string) error {
	f := p.flags("up")
	file := f.String("c", "", "configuration `file`; without one, providers are those whose keys are in the environment")
	if err := parse(f, args); err != nil {
		return err
	}
	c, err := p.upConfig(*file)
	if err != nil {
		return err
	}
	binary, err := p.findEnvoy()
	if err != nil {
		return err
	}
	s, err := p.start(ctx, c, *file)
	if err != nil {
		return err
	}
	defer s.stop()
	return p.runEnvoy(ctx, binary, c, s.envoy)
}

func (p *Program) upConfig(file string) (*config.Config, error) {
	if file != "" {
		return config.Load(file, p.Env)
	}
	c, found, err := config.FromEnvironment(p.Env)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(p.Stdout, "no configuration file, so from the environment: %s; no keys are asked for, and only this machine can call\n", strings.Join(found, ", "))
	return c, nil
}

// findEnvoy looks where the user says, then in the path.
func (p *Program) findEnvoy() (string, error) {
	if path, ok := p.Env("ENVOY"); ok && path != "" {
		return path, nil
	}
	path, err := exec.LookPath("envoy")
	if err != nil {
		return "", errors.New("there is no envoy in the path; name one in the environment variable ENVOY")
	}
	return path, nil
}

// stopTime bounds how long Envoy may take to end.
const stopTime = 10 * time.Second

// runEnvoy runs Envoy until ctx ends or Envoy does, which is an error.
func (p *Program) runEnvoy(ctx context.Context, binary string, c *config.Config, text []byte) error {
	dir := filepath.Dir(c.Ledger.SQLite)
	path := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("envoy: %w", err)
	}
	log := filepath.Join(dir, "envoy.log")
	cmd := exec.CommandContext(ctx, binary, "-c", path, "--use-dynamic-base-id", "--log-path", log)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("envoy: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := p.awaitEnvoy(ctx, c, ended); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w; see %s", err, log)
	}
	if err := <-ended; ctx.Err() == nil {
		return fmt.Errorf("envoy ended: %w; see %s", err, log)
	}
	return nil
}

// awaitEnvoy says where to send requests as soon as Envoy takes them.
func (p *Program) awaitEnvoy(ctx context.Context, c *config.Config, ended chan error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ready(ctx, c.Envoy.Admin) {
		select {
		case err := <-ended:
			ended <- err
			return errors.New("envoy ended before it was ready")
		case <-ctx.Done():
			return errors.New("envoy did not get ready")
		case <-tick.C:
		}
	}
	fmt.Fprintf(p.Stdout, "ready: http://%s:%d\n", c.Envoy.Address, c.Envoy.Port)
	return nil
}

func ready(ctx context.Context, admin string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/ready", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10))
	return err == nil && resp.StatusCode == http.StatusOK
}
