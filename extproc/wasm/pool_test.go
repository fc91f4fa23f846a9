package wasm

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"
)

func fake() *instance { return &instance{kill: func() {}} }

// TestPoolReplaces drops every instance it gets: the pool must neither dry up
// nor grow beyond its size.
func TestPoolReplaces(t *testing.T) {
	made := 1
	p := newPool(2, fake(), func(context.Context) (*instance, error) { made++; return fake(), nil })
	for range 10 {
		i, err := p.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.drop(i)
	}
	a, _ := p.get(t.Context())
	b, _ := p.get(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.get(ctx); err == nil || err.(*failure).reason != ReasonBusy {
		t.Errorf("third instance of two: %v", err)
	}
	p.put(a)
	p.put(b)
	p.close()
	if made > 12 {
		t.Errorf("%d instances made for 10 that were dropped and 2", made)
	}
}

// TestDropCloses checks that an instance that failed is closed at once, not only
// with the runtime.
func TestDropCloses(t *testing.T) {
	g := mustLoad(t, options(guest(allow, opUnreachable).bytes()))
	i := <-g.pool.idle
	g.pool.put(i)
	if _, err := g.Check(t.Context(), text("x")); reasonOf(err) != ReasonTrap {
		t.Fatal(err)
	}
	if !i.module.IsClosed() {
		t.Error("the instance is still open")
	}
}

// TestLateCancel ends the context of a check while the guest is in the host, on
// its way to a good verdict. The guest may win, but the instance was told to
// stop and must not serve again.
func TestLateCancel(t *testing.T) {
	m := guest(allow, i32Const(1), i32Const(0), i32Const(9), opCall, 0)
	o := options(with(module{imports: []function{{moduleAttache, "log", tLog, nil}}}, m).bytes())
	ctx, cancel := context.WithCancel(t.Context())
	var i *instance
	o.Logger = slog.New(handlerFunc(func() { cancel(); <-i.life.Done() }))
	g := mustLoad(t, o)
	i = <-g.pool.idle
	if _, alive, err := i.run(ctx, text("x")); alive {
		t.Errorf("instance goes back to the pool (error %v)", err)
	}
	g.pool.drop(i)
}

type handlerFunc func()

func (handlerFunc) Enabled(context.Context, slog.Level) bool    { return true }
func (f handlerFunc) Handle(context.Context, slog.Record) error { f(); return nil }
func (f handlerFunc) WithAttrs([]slog.Attr) slog.Handler        { return f }
func (f handlerFunc) WithGroup(string) slog.Handler             { return f }

// TestEarlyCancel checks that a check whose context has ended costs no instance.
func TestEarlyCancel(t *testing.T) {
	g := mustLoad(t, options(guest(allow).bytes()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Check(ctx, text("x")); reasonOf(err) != ReasonCanceled {
		t.Errorf("got %v", err)
	}
	i := <-g.pool.idle
	defer g.pool.put(i)
	if i.life.Err() != nil {
		t.Error("the instance was stopped")
	}
}

// TestPoolStartFails has a start that fails and later works again.
func TestPoolStartFails(t *testing.T) {
	broken := make(chan bool, 1)
	broken <- true
	p := newPool(1, fake(), func(context.Context) (*instance, error) {
		select {
		case <-broken:
			return nil, errors.New("no luck")
		default:
			return fake(), nil
		}
	})
	defer p.close()
	i, _ := p.get(t.Context())
	p.drop(i)
	for { // until the failed start has been noticed
		p.mu.Lock()
		failed := p.broken != nil
		p.mu.Unlock()
		if failed {
			break
		}
		runtime.Gosched()
	}
	i, err := p.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.put(i)
}

func TestPoolStartFailsAlways(t *testing.T) {
	p := newPool(1, fake(), func(context.Context) (*instance, error) { return nil, errors.New("no luck") })
	defer p.close()
	i, _ := p.get(t.Context())
	p.drop(i)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.get(ctx); err == nil || err.(*failure).reason != ReasonStart {
		t.Errorf("got %v, want reason %s", err, ReasonStart)
	}
}

// TestHammer mixes texts that pass, trap, loop and are given up by their caller,
// on more goroutines than instances. A good text must pass whatever the others
// do.
func TestHammer(t *testing.T) {
	m := guest(allow,
		firstByte, i32Const('t'), opI32Eq, opIf, blockVoid, opUnreachable, opEnd,
		firstByte, i32Const('l'), opI32Eq, opIf, blockVoid, loop, opEnd)
	o := options(m.bytes())
	o.PoolSize = 3
	g := mustLoad(t, o)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))

	check := func(n int) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		switch n % 5 {
		default:
			if _, err := g.Check(ctx, text("good")); err != nil {
				t.Errorf("good text: %v", err)
			}
		case 2:
			if _, err := g.Check(ctx, text("trap")); reasonOf(err) != ReasonTrap {
				t.Errorf("trap: %v", err)
			}
		case 3:
			ctx, cancel := context.WithTimeout(ctx, 3*time.Millisecond)
			defer cancel()
			if _, err := g.Check(ctx, text("loop")); reasonOf(err) != ReasonDeadline && reasonOf(err) != ReasonBusy {
				t.Errorf("loop: %v", err)
			}
		case 4:
			time.AfterFunc(time.Duration(n%7)*100*time.Microsecond, cancel)
			if _, err := g.Check(ctx, text("good")); err != nil && reasonOf(err) != ReasonCanceled {
				t.Errorf("canceled: %v", err)
			}
		}
	}
	var wg sync.WaitGroup
	release := make(chan struct{})
	for w := range 8 {
		wg.Go(func() {
			<-release
			for n := range 60 {
				check(n + w)
			}
		})
	}
	close(release)
	wg.Wait()
}

// TestCloseDrains closes a guard under checks: each either ends well or finds
// the guard closed, and none is cut off.
func TestCloseDrains(t *testing.T) {
	for range 10 {
		g, err := Load(t.Context(), options(guest(allow).bytes()))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if _, err := g.Check(t.Context(), text("x")); err != nil {
						if reasonOf(err) != ReasonClosed {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		if err := errors.Join(g.Close(t.Context()), g.Close(t.Context())); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

// TestCloseGivesUp closes a guard whose check outlasts the context of Close. The
// check must still end as it would, and free the guard.
func TestCloseGivesUp(t *testing.T) {
	g, err := Load(t.Context(), options(guest(allow, loop).bytes()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { _, err := g.Check(ctx, text("x")); result <- err }()
	for len(g.pool.idle) > 0 { // until the check has its instance
		runtime.Gosched()
	}
	over, stop := context.WithCancel(t.Context())
	stop()
	if err := g.Close(over); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	cancel()
	if err := <-result; reasonOf(err) != ReasonCanceled {
		t.Errorf("check: %v", err)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
