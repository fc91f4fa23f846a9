package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/ledger"
	"github.com/attache-gateway/attache/extproc/stream"
)

// serve runs the gateway until ctx ends.
func (p *Program) serve(ctx context.Context, args []string) error {
	f := p.flags("serve")
	file := f.String("c", "", "configuration `file`")
	if err := parse(f, args); err != nil {
		return err
	}
	if *file == "" {
		return fmt.Errorf("%w: -c is missing", errUsage)
	}
	c, err := config.Load(*file, p.Env)
	if err != nil {
		return err
	}
	s, err := p.start(ctx, c, *file)
	if err != nil {
		return err
	}
	defer s.stop()
	s.log.Info("the gateway is ready", "listen", c.Listen.String(), "admin", c.Admin)
	<-ctx.Done()
	return nil
}

// A service is a running gateway.
type service struct {
	log     *slog.Logger
	holder  *gateway.Holder
	ledger  *ledger.Ledger
	grpc    *grpc.Server
	admin   *http.Server
	reloads context.CancelFunc
	ended   []chan struct{} // one for each goroutine
	broken  atomic.Bool     // the last reload failed
	envoy   []byte          // the configuration that Envoy is supposed to run
}

// start runs the gateway of a configuration. With a file it is read again when
// it, the policy, a plugin or the keys change.
func (p *Program) start(ctx context.Context, c *config.Config, file string) (_ *service, err error) {
	s := &service{log: p.logger(c)}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.ledger, err = ledger.Open(ctx, ledger.Options{Path: c.Ledger.SQLite, Logger: s.log}); err != nil {
		return nil, err
	}
	g, err := snapshot(ctx, c, s.log, s.ledger, recordLog{s.log})
	if err != nil {
		return nil, err
	}
	s.holder = gateway.NewHolder(g)
	if s.envoy, err = p.render(c); err != nil {
		return nil, err
	}
	if err := s.listen(c); err != nil {
		return nil, err
	}
	if err := s.listenAdmin(c); err != nil {
		return nil, err
	}
	if file != "" {
		s.watch(ctx, p, c, file)
	}
	return s, nil
}

// listen serves ext_proc. A socket that a dead gateway left behind is removed,
// one that still answers is not.
func (s *service) listen(c *config.Config) error {
	if c.Listen.Network == "unix" {
		if err := clearSocket(c.Listen.Address); err != nil {
			return err
		}
	}
	l, err := net.Listen(c.Listen.Network, c.Listen.Address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.grpc = stream.Register(&stream.Server{Gateway: s.holder, Slots: c.Envoy.Version == config.V139})
	s.run(func() {
		if err := s.grpc.Serve(l); err != nil {
			s.log.Error("the ext_proc server ended", "error", err)
		}
	})
	return nil
}

func clearSocket(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return fmt.Errorf("listen: another gateway serves %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("listen: %w", err)
	}
	return nil
}

// listenAdmin serves health checks.
func (s *service) listenAdmin(c *config.Config) error {
	l, err := net.Listen("tcp", c.Admin)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "ready\npolicy %s\nlast reload %s\n", s.holder.Current().Revision(), s.reloadState())
	})
	s.admin = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
	s.run(func() {
		if err := s.admin.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the admin server ended", "error", err)
		}
	})
	return nil
}

func (s *service) reloadState() string {
	if s.broken.Load() {
		return "failed, the previous configuration is in force"
	}
	return "good"
}

// watch reads everything again when it changes or SIGHUP asks for it. What is
// broken changes nothing.
func (s *service) watch(ctx context.Context, p *Program, c *config.Config, file string) {
	ctx, s.reloads = context.WithCancel(ctx)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	changed := make(chan struct{}, 1)
	s.run(func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
			case <-changed:
			}
			s.reload(ctx, p, file)
		}
	})
	s.run(func() {
		config.Watch(ctx, watched(c, file), func() {
			select {
			case changed <- struct{}{}:
			default: // one is due already
			}
		})
	})
}

func watched(c *config.Config, file string) []string {
	paths := []string{file}
	if c.Auth.Mode == config.AuthKeys {
		paths = append(paths, c.Auth.File)
	}
	if c.Policy.Dir != "" {
		paths = append(paths, c.Policy.Dir)
	}
	for _, g := range c.Guards {
		paths = append(paths, g.WASM)
	}
	return paths
}

func (s *service) reload(ctx context.Context, p *Program, file string) {
	c, err := config.Load(file, p.Env)
	var g *gateway.Gateway
	var envoy []byte
	if err == nil {
		envoy, err = p.render(c)
	}
	if err == nil {
		g, err = snapshot(ctx, c, s.log, s.ledger, recordLog{s.log})
	}
	s.broken.Store(err != nil)
	if err != nil {
		s.log.Error("reload failed, the previous configuration stays in force", "error", err)
		return
	}
	s.holder.Swap(g)
	s.log.Info("reloaded", "policy", g.Revision())
	if !bytes.Equal(envoy, s.envoy) {
		s.log.Warn("Envoy needs the configuration that attache envoy prints now; until it has it, new providers cannot be reached")
	}
}

// run starts a goroutine that stop waits for.
func (s *service) run(fn func()) {
	ended := make(chan struct{})
	s.ended = append(s.ended, ended)
	go func() { defer close(ended); fn() }()
}

// drainTime bounds how long open exchanges may go on after a stop.
const drainTime = 10 * time.Second

// stop ends everything that was started: new exchanges first, then what they
// use, the ledger last.
func (s *service) stop() {
	if s.reloads != nil {
		s.reloads()
	}
	if s.grpc != nil {
		timer := time.AfterFunc(drainTime, s.grpc.Stop)
		s.grpc.GracefulStop()
		timer.Stop()
	}
	if s.admin != nil {
		s.admin.Close()
	}
	for _, ended := range s.ended {
		<-ended
	}
	if s.holder != nil {
		s.holder.Close()
	}
	if s.ledger != nil {
		if err := s.ledger.Close(); err != nil {
			s.log.Error("the ledger could not be closed", "error", err)
		}
	}
}

func (p *Program) logger(c *config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.Log.Level}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(p.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(p.Stderr, o))
}

// A recordLog writes a line for each exchange that went wrong inside or at a
// provider, and for the others when debugging.
type recordLog struct{ log *slog.Logger }

func (l recordLog) Record(r *gateway.Record) {
	level := slog.LevelDebug
	if r.Detail != "" || r.Status >= 500 {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, "exchange", "id", r.ID, "model", r.Model, "target", r.Target, "status", r.Status,
		"code", r.Code, "attempts", len(r.Attempts), "truncated", r.Truncated, "detail", r.Detail)
}
