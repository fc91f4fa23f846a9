package wasm

import (
	"context"
	"sync"
)

// A pool keeps the instances of one guest. It makes one when a check finds none
// idle, up to its size, and another for each that is dropped.
type pool struct {
	start func(context.Context) (*instance, error)
	idle  chan *instance
	grow  chan struct{} // one entry for each instance that is to be made
	stop  context.CancelFunc
	done  chan struct{}

	mu     sync.Mutex
	live   int   // instances, and those to be made
	broken error // of the last start
}

// newPool returns a pool whose first instance is first. Close ends it.
func newPool(size int, first *instance, start func(context.Context) (*instance, error)) *pool {
	ctx, stop := context.WithCancel(context.Background())
	p := &pool{
		start: start,
		idle:  make(chan *instance, size),
		grow:  make(chan struct{}, size),
		stop:  stop,
		done:  make(chan struct{}),
		live:  1,
	}
	p.idle <- first
	go p.run(ctx)
	return p
}

// run makes instances, one at a time and not on the goroutine of a check, whose
// deadline may be shorter than a start.
func (p *pool) run(ctx context.Context) {
	defer close(p.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.grow:
		}
		i, err := p.start(ctx)
		p.mu.Lock()
		if p.broken = err; err != nil {
			p.live--
		}
		p.mu.Unlock()
		if err == nil {
			p.idle <- i
		}
	}
}

// get returns an idle instance, and waits for one until ctx ends.
func (p *pool) get(ctx context.Context) (*instance, error) {
	if ctx.Err() != nil { // do not spend an instance on a call that cannot end well
		return nil, fail(ended(ctx), "before the call: %w", ctx.Err())
	}
	select {
	case i := <-p.idle:
		return i, nil
	default:
	}
	p.more()
	select {
	case i := <-p.idle:
		return i, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch reason := ended(ctx); {
	case reason == ReasonCanceled:
		return nil, fail(reason, "waiting for an instance: %w", ctx.Err())
	case p.broken != nil:
		return nil, fail(ReasonStart, "%w", p.broken)
	}
	return nil, fail(ReasonBusy, "none of %d instances was free in time", cap(p.idle))
}

// more asks for an instance if there may be one more.
func (p *pool) more() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live < cap(p.idle) {
		p.live++
		p.grow <- struct{}{}
	}
}

func (p *pool) put(i *instance) { p.idle <- i }

// drop closes an instance and asks for one in its place.
func (p *pool) drop(i *instance) {
	i.close()
	p.grow <- struct{}{}
}

// close closes all instances. None may be in use.
func (p *pool) close() {
	p.stop()
	<-p.done
	for {
		select {
		case i := <-p.idle:
			i.close()
		default:
			return
		}
	}
}
