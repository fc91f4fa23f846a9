package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/attache-gateway/attache/extproc/auth"
	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/credential"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/ledger"
	"github.com/attache-gateway/attache/extproc/shadow"
	"github.com/attache-gateway/attache/extproc/stream"
	"github.com/attache-gateway/attache/extproc/telemetry"
)

// serve runs the gateway until ctx ends.
func (p *Program) serve(ctx context.Context, args []string) error {
	f := p.flags("serve")
	file := f.String("c", "", "configuration `file`")
	if err := parse(f, args); err != nil {
		return err
	}
	c, err := p.load(*file)
	if err != nil {
		return err
	}
	s, err := p.start(ctx, c, *file)
	if err != nil {
		return err
	}
	defer s.stop()
	s.log.Info("the gateway is ready", "listen", c.Listen.String(), "admin", s.admin.Addr)
	<-ctx.Done()
	return nil
}

// A service is a running gateway.
type service struct {
	log        *slog.Logger
	holder     *gateway.Holder
	policies   policyHistory
	changing   sync.Mutex // what is in force
	health     *gateway.Health
	issuers    *auth.KeyServers
	counting   *counting
	answers    answerCache
	ledger     *ledger.Ledger
	decisions  decisionLog
	metrics    *telemetry.Metrics
	measured   bool                           // exchanges are counted for the metrics
	creds      atomic.Pointer[credential.Set] // of the snapshot in force
	stream     *stream.Server
	grpc       *grpc.Server
	admin      *http.Server
	adminToken atomic.Pointer[gateway.Secret]
	watcher    context.CancelFunc
	ended      []chan struct{} // one for each goroutine
	envoy      []byte          // the configuration that Envoy is supposed to run
}

// start runs the gateway of a configuration. With a file it is read again when
// it, the policy, a plugin or the keys change.
func (p *Program) start(ctx context.Context, c *config.Config, file string) (_ *service, err error) {
	s := &service{log: p.logger(c), health: gateway.NewHealth(), metrics: telemetry.NewMetrics(), measured: c.Telemetry.Prometheus}
	s.issuers = auth.NewKeyServers(s.log)
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.ledger, err = ledger.Open(ctx, ledger.Options{Path: c.Ledger.SQLite, Logger: s.log}); err != nil {
		return nil, err
	}
	s.counting = newCounting(s.log, c.Ledger.SQLite, s.metrics.BudgetAlert)
	if err = s.decisions.open(c, s.log); err != nil {
		return nil, err
	}
	s.policies.shadow = shadow.New(s.log)
	rules, err := s.policies.load(ctx, c, s.log)
	if err != nil {
		return nil, err
	}
	if err = s.counting.seed(ctx, boundsOf(c), time.Now(), rules.counting()...); err != nil {
		return nil, err
	}
	s.counting.known(boundsOf(c), time.Now())
	creds := credential.NewSet(s.log)
	g, err := snapshot(ctx, c, s.log, creds, rules.Rules, s.lasting())
	if err != nil {
		return nil, err
	}
	s.creds.Store(creds)
	s.policies.put(rules)
	s.holder = gateway.NewHolder(g)
	s.loaded(c, g, rules)
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
	begin(ctx, creds, s.issuers) // other providers are served meanwhile
	return s, nil
}

// lasting is what outlives the snapshots of this gateway.
func (s *service) lasting() lasting {
	return lasting{health: s.health, issuers: s.issuers, counting: s.counting, answers: &s.answers, decisions: &s.decisions, sinks: s.sinks()}
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
	s.stream = &stream.Server{Gateway: s.holder, Slots: c.Envoy.Version == config.V139}
	s.grpc = stream.Register(s.stream)
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

// run starts a goroutine that stop waits for.
func (s *service) run(fn func()) {
	ended := make(chan struct{})
	s.ended = append(s.ended, ended)
	go func() { defer close(ended); fn() }()
}

// drainTime bounds how long open exchanges may go on after a stop.
const drainTime = 10 * time.Second

// stop ends everything that was started: new exchanges first, then what they
// use, the logs and the ledger last.
func (s *service) stop() {
	if s.watcher != nil {
		s.watcher()
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
	if s.policies.shadow != nil {
		s.policies.shadow.Close()
	}
	if s.holder != nil {
		s.holder.Close()
	}
	s.decisions.close(s.log)
	if s.counting != nil {
		s.counting.alerts.Close()
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
// provider, and when debugging for the others, unless the policy says not to.
type recordLog struct{ log *slog.Logger }

func (l recordLog) Record(r *gateway.Record) {
	level := slog.LevelDebug
	if r.Detail != "" || r.Status >= 500 {
		level = slog.LevelWarn
	} else if r.Log.Level == gateway.LogNone {
		return
	}
	l.log.Log(context.Background(), level, "exchange", "id", r.ID, "model", r.Model, "target", r.Target, "status", r.Status,
		"code", r.Code, "attempts", len(r.Attempts), "truncated", r.Truncated, "detail", r.Detail)
}
