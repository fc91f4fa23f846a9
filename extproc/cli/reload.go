package cli

import (
	"bytes"
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/credential"
	"github.com/attache-gateway/attache/extproc/gateway"
)

// watch reads everything again when it changes or SIGHUP asks for it. What is
// broken changes nothing.
func (s *service) watch(ctx context.Context, p *Program, c *config.Config, file string) {
	ctx, s.watcher = context.WithCancel(ctx)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	s.run(func() {
		defer signal.Stop(hangup)
		for c := c; ctx.Err() == nil; {
			c = s.watchConfig(ctx, p, c, file, hangup)
		}
	})
}

// watchConfig reloads until a reload names other files or bundles, and returns the
// configuration that does.
func (s *service) watchConfig(ctx context.Context, p *Program, c *config.Config, file string, hangup chan os.Signal) *config.Config {
	ctx, cancel := context.WithCancel(ctx)
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // one is due already
		}
	}
	paths, bundles := watched(c, file), fetchedOf(&c.Policy)
	var watching sync.WaitGroup
	watching.Go(func() { config.Watch(ctx, paths, notify) })
	watching.Go(func() { s.poll(ctx, bundles, notify) })
	defer func() { cancel(); watching.Wait() }()
	for {
		select {
		case <-ctx.Done():
			return c
		case <-hangup:
		case <-changed:
		}
		next := s.reload(ctx, p, file)
		if next != nil && !(slices.Equal(watched(next, file), paths) && slices.EqualFunc(fetchedOf(&next.Policy), bundles, sameBundle)) {
			return next
		}
	}
}

func sameBundle(a, b *config.Bundle) bool { return *a == *b }

func watched(c *config.Config, file string) []string {
	paths := []string{file}
	if c.Auth.Has(config.AuthKeys) {
		paths = append(paths, c.Auth.File)
	}
	for _, i := range c.Auth.Issuers {
		if i.JWKSFile != "" {
			paths = append(paths, i.JWKSFile)
		}
	}
	paths = append(paths, c.Policy.Paths()...)
	paths = append(paths, c.Policy.Shadow.Paths()...)
	for _, g := range c.Guards {
		paths = append(paths, g.WASM)
	}
	for _, p := range c.Providers {
		for _, path := range [...]string{p.KeyFile, p.Credential.File} {
			if path != "" {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// reload returns the configuration that is in force now, nil if that is still
// the one before.
func (s *service) reload(ctx context.Context, p *Program, file string) *config.Config {
	s.changing.Lock()
	defer s.changing.Unlock()
	c, envoy, g, rules, err := s.rebuild(ctx, p, file)
	if err != nil {
		s.policies.failed(err)
		s.metrics.ConfigLoaded(err)
		s.log.Error("reload failed, the previous configuration stays in force", "error", err)
		return nil
	}
	s.holder.Swap(g)
	s.policies.put(rules)
	s.loaded(c, g, rules)
	s.adminToken.Store(&c.AdminToken)
	s.log.Info("reloaded", "policy", g.Revision())
	if !bytes.Equal(envoy, s.envoy) {
		s.log.Warn("Envoy needs the configuration that attache envoy prints now; until it has it, new providers cannot be reached")
	}
	return c
}

func (s *service) rebuild(ctx context.Context, p *Program, file string) (*config.Config, []byte, *gateway.Gateway, *ruleSet, error) {
	c, err := config.Load(file, p.Env)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	envoy, err := p.render(c)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	rules, err := s.policies.load(ctx, c, s.log)
	if err != nil {
		s.metrics.PolicyLoaded(err)
		return nil, nil, nil, nil, err
	}
	if err := s.counting.seed(ctx, boundsOf(c), time.Now(), rules.counting()...); err != nil {
		return nil, nil, nil, nil, err
	}
	creds := credential.NewSet(s.log)
	g, err := snapshot(ctx, c, s.log, creds, rules.Rules, s.lasting())
	if err == nil {
		begin(ctx, creds, s.issuers)
		s.creds.Store(creds)
	}
	return c, envoy, g, rules, err
}
