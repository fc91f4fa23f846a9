// Package telemetry tells the world outside what the gateway did: what its policy
// decided, and figures for Prometheus ([Metrics], listed in README.md).
//
// The log of decisions has one event for each decision, with the fields of OPA's
// decision logs, in a file and at an OTLP collector. [Open] starts it;
// [Decisions.With] makes the sink that a gateway hands its decisions to. Events
// are made, chained and written off the path of requests. If that does not keep
// up, events are lost, counted and reported; no request waits.
//
// Each line of the file holds the hash of the line before, so that [Verify] finds
// lines that were changed, taken out, put in or put elsewhere. It cannot find that
// the newest lines were cut off, or that all of it was written anew: for that,
// compare the last hash with one that was kept elsewhere, as at the collector.
//
// [Read] reads events back. The package does not know the rules, what they see of
// a request (gateway.Witness does), nor what is done with an event.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Options say where decisions are logged: to a file, a collector or both.
type Options struct {
	File    string       // empty: none
	MaxSize int64        // bytes of one file; it is put aside before it has more. 0: no limit
	Keep    int          // files that were put aside and are kept, as File.1 for the newest
	OTLP    string       // URL of a collector, without /v1/logs; empty: none
	Logger  *slog.Logger // nil: slog.Default
}

// The numbers of the log.
const (
	queueSize  = 8192                   // decisions that may wait
	queueBytes = 32 << 20               // about what they may hold
	batchSize  = 512                    // events that are written at once
	batchBytes = 1 << 20                // of their lines, about
	batchTime  = 200 * time.Millisecond // longest wait before a batch is written
	retryTime  = time.Second            // between two tries to write one
)

// Decisions is the log of decisions. It outlives configurations: only what a
// sink of it keeps of a decision is a snapshot's own.
type Decisions struct {
	log    *slog.Logger
	file   *file // nil: none
	otlp   *exporter
	put    func(bodies [][]byte) ([][]byte, error) // chains and stores; returns the lines
	host   string
	weight atomic.Int64 // bytes that wait
	lost   atomic.Int64

	mu      sync.RWMutex // held to send, so that Close can close the queue
	closed  bool
	queue   chan job
	closing chan struct{}
	ended   chan struct{}
}

// A job is a decision that is to be logged.
type job struct {
	*gateway.Decided
	*sink
	weight int64
}

// Open opens the file, or makes it, and starts the writer, which Close ends. A
// file that is there goes on where it ended. It is an error if that is not a log
// of decisions, or if another process writes it.
func Open(o Options) (*Decisions, error) {
	d, err := open(o)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	go d.write()
	return d, nil
}

func open(o Options) (*Decisions, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	d := &Decisions{
		log: o.Logger, host: hostname(),
		queue: make(chan job, queueSize), closing: make(chan struct{}), ended: make(chan struct{}),
	}
	chain := newChain()
	d.put = func(bodies [][]byte) (lines [][]byte, err error) {
		chain, lines = chain.seal(bodies, false)
		return lines, nil
	}
	if o.File != "" {
		var err error
		if d.file, err = openFile(o.File, o.MaxSize, o.Keep, o.Logger); err != nil {
			return nil, err
		}
		d.put = d.file.append
	}
	if o.OTLP != "" {
		d.otlp = newExporter(o.OTLP, o.Logger)
	}
	return d, nil
}

// add takes a decision to be logged soon, unless too many wait already.
func (d *Decisions) add(j job) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if !d.closed && d.weight.Add(j.weight) <= queueBytes {
		select {
		case d.queue <- j:
			return
		default:
		}
	}
	if !d.closed {
		d.weight.Add(-j.weight)
	}
	lose(d.log, &d.lost, 1, "the log of decisions does not keep up, events are lost", nil)
}

// lose counts lost events and says so at the 1st, 2nd, 4th, 8th …
func lose(log *slog.Logger, lost *atomic.Int64, n int64, what string, err error) {
	if n == 0 {
		return
	}
	now := lost.Add(n)
	if before := now - n; before == 0 || highest(before) != highest(now) {
		log.Error(what, "lost", now, "error", err)
	}
}

// highest is the number of the highest bit.
func highest(n int64) (bits int) {
	for ; n > 0; n >>= 1 {
		bits++
	}
	return bits
}

// Lost is the number of events that were not written to the file, and of those
// that did not reach the collector.
func (d *Decisions) Lost() (file, collector int64) {
	if d.otlp != nil {
		collector = d.otlp.lost.Load()
	}
	return d.lost.Load(), collector
}

// Close writes what waits and closes the file. When ctx ends it gives up what is
// left, and returns an error that says how much that was.
func (d *Decisions) Close(ctx context.Context) error {
	d.mu.Lock()
	already := d.closed
	d.closed = true
	if !already {
		close(d.queue)
		close(d.closing)
	}
	d.mu.Unlock()
	select {
	case <-d.ended:
	case <-ctx.Done():
		return fmt.Errorf("telemetry: %d decisions are not written: %w", len(d.queue), ctx.Err())
	}
	if already {
		return nil
	}
	var errs []error
	if d.otlp != nil {
		errs = append(errs, d.otlp.close(ctx))
	}
	if d.file != nil {
		errs = append(errs, d.file.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	return nil
}

// write takes decisions from the queue until it is closed.
func (d *Decisions) write() {
	defer close(d.ended)
	var batch batch
	for j := range d.queue {
		batch.reset()
		d.collect(&batch, j)
		d.store(&batch)
	}
}

// A batch is events that are written at once.
type batch struct {
	events []*Event
	bodies [][]byte
	size   int
}

func (b *batch) reset() {
	clear(b.events)
	clear(b.bodies)
	b.events, b.bodies, b.size = b.events[:0], b.bodies[:0], 0
}

// collect makes events of what arrives until the batch is full or its first
// event has waited long enough.
func (d *Decisions) collect(b *batch, j job) {
	due := time.NewTimer(batchTime)
	defer due.Stop()
	for {
		e, body := j.event(j.Decided, d.host)
		d.weight.Add(-j.weight)
		b.events, b.bodies, b.size = append(b.events, e), append(b.bodies, body), b.size+len(body)
		if len(b.events) == batchSize || b.size >= batchBytes {
			return
		}
		var ok bool
		select {
		case j, ok = <-d.queue:
			if !ok {
				return
			}
		case <-due.C:
			return
		}
	}
}

// store tries until the batch is written, or the log is closed.
func (d *Decisions) store(b *batch) {
	for try := 1; ; try++ {
		lines, err := d.put(b.bodies)
		if err == nil {
			if d.otlp != nil {
				d.otlp.add(b.events, lines)
			}
			return
		}
		if try&(try-1) == 0 {
			d.log.Error("decisions could not be written yet", "events", len(b.bodies), "error", err)
		}
		select {
		case <-time.After(retryTime):
		case <-d.closing:
			lose(d.log, &d.lost, int64(len(b.bodies)), "decisions could not be written and are lost", err)
			return
		}
	}
}
