package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/wasm"
)

// freeTime bounds how long the guards of an old snapshot may take to end.
const freeTime = 10 * time.Second

// guards are the plugins of a snapshot.
type guards struct {
	input  []gateway.InputGuard
	output []gateway.OutputGuard
	loaded []*wasm.Guard
	log    *slog.Logger
}

func loadGuards(ctx context.Context, c *config.Config, log *slog.Logger) (*guards, error) {
	gs := &guards{log: log}
	for i := range c.Guards {
		if err := gs.load(ctx, &c.Guards[i]); err != nil {
			gs.free()
			return nil, err
		}
	}
	return gs, nil
}

func (gs *guards) load(ctx context.Context, c *config.Guard) error {
	g, err := wasm.Load(ctx, wasm.Options{
		Name: c.Name, Path: c.WASM, SHA256: c.SHA256, Config: c.Config,
		Deadline: c.Deadline, Memory: int(c.Memory), Logger: gs.log,
	})
	if err != nil {
		return err
	}
	gs.loaded = append(gs.loaded, g)
	if err := suits(g, c); err != nil {
		return fmt.Errorf("guard %s: %w", c.Name, err)
	}
	open, asked := c.OnError == config.Allow, c.Run == config.Asked
	if c.Input {
		gs.input = append(gs.input, gateway.InputGuard{Guard: g, AllowOnError: open, Asked: asked})
	}
	if c.Output {
		gs.output = append(gs.output, gateway.OutputGuard{
			Guard: g, AllowOnError: open, Asked: asked, Full: c.Stream == config.Full, Hold: cmp.Or(c.Hold, g.MaxMatch()),
		})
	}
	return nil
}

// A plugin is what suits needs of one.
type plugin interface {
	MaxMatch() int
	Takes(gateway.Phase) bool
}

// suits holds what a plugin says of itself against what it is to do.
func suits(g plugin, c *config.Guard) error {
	window := c.Output && c.Stream == config.Window
	switch {
	case c.Input && !g.Takes(gateway.PhaseRequest):
		return errors.New("the plugin does not look at requests: on must be [output]")
	case c.Output && !g.Takes(gateway.PhaseResponse):
		return errors.New("the plugin does not look at responses: on must be [input]")
	case window && !g.Takes(gateway.PhaseStream):
		return errors.New("the plugin does not look at streams that go on: say stream: full")
	case window && c.Hold == 0 && g.MaxMatch() > config.MaxHold:
		return fmt.Errorf("the plugin looks for up to %d bytes in a row, and no more than %d can be held back: say stream: full, or a hold", g.MaxMatch(), config.MaxHold)
	}
	return nil
}

// free waits for the guards to end.
func (gs *guards) free() {
	ctx, cancel := context.WithTimeout(context.Background(), freeTime)
	defer cancel()
	for _, g := range gs.loaded {
		if err := g.Close(ctx); err != nil {
			gs.log.Warn("a guard did not end", "guard", g.Name(), "error", err)
		}
	}
}
