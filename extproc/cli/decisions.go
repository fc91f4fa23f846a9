package cli

import (
	"context"
	"log/slog"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/telemetry"
)

// A decisionLog is the log of decisions of a service, which outlives snapshots.
type decisionLog struct {
	*telemetry.Decisions // nil: none
	to                   telemetry.Options
}

// closeTime bounds how long the log of decisions may take to write what waits.
const closeTime = 5 * time.Second

func decisionOptions(c *config.Config, log *slog.Logger) telemetry.Options {
	d := c.Telemetry.Decisions
	return telemetry.Options{File: d.File, MaxSize: d.MaxSize, Keep: d.Keep, OTLP: d.OTLP, Logger: log}
}

// open starts the log, if the configuration wants one.
func (l *decisionLog) open(c *config.Config, log *slog.Logger) (err error) {
	l.to = decisionOptions(c, log)
	if c.Telemetry.Decisions.On() {
		l.Decisions, err = telemetry.Open(l.to)
	}
	return err
}

// sink returns where the decisions of a snapshot go, nil if nowhere. Where the log
// is written is settled at the start.
func (l *decisionLog) sink(c *config.Config, log *slog.Logger) gateway.DecisionSink {
	if l == nil {
		return nil
	}
	if decisionOptions(c, l.to.Logger) != l.to {
		log.Warn("the places of the log of decisions are another with the next start")
	}
	d := c.Telemetry.Decisions
	if l.Decisions == nil || !d.On() {
		return nil
	}
	return l.With(filterOf(&d))
}

// filterOf says what of decisions may be seen.
func filterOf(d *config.Decisions) telemetry.Filter {
	f := telemetry.Filter{Content: telemetry.ContentNone, Sample: d.Sample, Mask: d.Mask}
	if d.Content == config.ContentProjected {
		f.Content = telemetry.ContentProjected
	}
	return f
}

func (l *decisionLog) close(log *slog.Logger) {
	if l.Decisions == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		log.Error("the log of decisions could not be closed", "error", err)
	}
}
