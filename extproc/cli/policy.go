package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/rego"
)

// A policyHistory is what of earlier policies outlives them.
type policyHistory struct {
	recent rego.Recent // inputs that new rules are tried on
	loaded bool        // some rules are in force
	stale  bool        // they are the last good ones, as those of the directory are broken
}

// load loads the rules of the configuration. With a history it keeps them as the
// last good ones, and where nothing is in force yet it falls back to these.
func (h *policyHistory) load(ctx context.Context, c *config.Config, log *slog.Logger) (gateway.Policy, error) {
	if c.Policy.Dir == "" {
		return gateway.NoPolicy{}, nil
	}
	o := rego.Options{
		FS: os.DirFS(c.Policy.Dir), Default: c.Policy.Default, Deadline: c.Policy.Deadline,
		Off: c.Policy.Off, Teams: c.Policy.Teams, Builtins: c.Policy.Builtins, Coverage: c.Policy.Coverage,
		Logger: log,
	}
	for _, g := range c.Guards {
		o.Guards = append(o.Guards, g.Name)
	}
	if h != nil {
		o.Recent, o.LastGood = &h.recent, c.Policy.LastGood
	}
	p, err := loadDir(ctx, c.Policy.Dir, o)
	if err != nil && h != nil && !h.loaded && o.LastGood != "" {
		p, err = h.fallBack(ctx, o, log, err)
	} else if err == nil && h != nil {
		h.stale = false
	}
	if err != nil {
		return nil, err
	}
	if h != nil {
		h.loaded = true
	}
	for _, w := range p.Warnings() {
		log.Warn("the policy is doubtful", "at", w)
	}
	return p, nil
}

func loadDir(ctx context.Context, dir string, o rego.Options) (*rego.Policy, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return rego.Load(ctx, o)
}

// fallBack loads the last good rules, since those of the directory are broken.
func (h *policyHistory) fallBack(ctx context.Context, o rego.Options, log *slog.Logger, cause error) (*rego.Policy, error) {
	p, err := rego.LoadLastGood(ctx, o)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cause
	}
	if err != nil {
		return nil, errors.Join(cause, err)
	}
	h.stale = true
	log.Error("the policy is refused, the last good one is in force", "error", cause, "policy", p.Revision())
	return p, nil
}
