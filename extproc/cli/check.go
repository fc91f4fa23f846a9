package cli

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"github.com/attache-gateway/attache/extproc/credential"
)

// check builds all that serve would run, without listening anywhere.
func (p *Program) check(ctx context.Context, args []string) error {
	f := p.flags("check")
	file := f.String("c", "", "configuration `file`")
	if err := parse(f, args); err != nil {
		return err
	}
	c, err := p.load(*file)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(p.Stderr, nil))
	rules, err := (*policyHistory)(nil).load(ctx, c, log)
	if err != nil {
		return err
	}
	g, err := snapshot(ctx, c, log, credential.NewSet(log), rules.Rules, lasting{})
	if err != nil {
		return err
	}
	defer g.Close()
	if _, err := p.render(c); err != nil {
		return err
	}
	if err := p.look(ctx, c); err != nil {
		return err
	}
	if err := p.lookAtIssuers(&c.Auth); err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "%s is good: %d providers, %d models, %d guards, policy %s\n",
		*file, len(c.Providers), len(c.Models), len(c.Guards), cmp.Or(g.Revision(), "none"))
	printLimits(p.Stdout, c)
	for _, warning := range unpriced(c) {
		log.Warn(warning)
	}
	return nil
}
