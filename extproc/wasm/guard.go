// Package wasm runs guards that are WebAssembly modules of the ABI
// attache.guard.v1, which wasm-plugins/ABI.md describes.
//
// Load compiles a module that is pinned by its SHA-256 and checks that it is a
// guest of the ABI. Check copies the text of a request or response into an instance,
// calls it, and reads its verdict strictly. Instances are pooled; one that trapped,
// ran too long or returned nonsense is thrown away and replaced.
//
// What holds: an endless loop ends at the deadline, memory and tables have
// limits, a guest reaches no file, network, environment or real clock, and a
// verdict counts in full or not at all. Tables get a maximum as the module is
// loaded, since many compilers give them none.
//
// What does not hold yet: recursion is not interrupted. A guest that calls
// itself for ever without a loop stops the whole process, because compiled code
// is checked at the back edges of loops and not at calls. Nor is state isolated
// between checks: an instance may remember text of an earlier request. So
// modules must come from authors who are trusted. Guarding loops also makes
// guests several times slower.
//
// The package does not know which part of a stream is shown when, or what a verdict
// leads to.
package wasm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Defaults of Options.
const (
	DefaultDeadline = 50 * time.Millisecond
	DefaultMemory   = 32 << 20
)

const pageSize = 64 << 10

// Options say which module a guard runs, and within what limits.
type Options struct {
	Name   string // of the guard
	Path   string // of the module; or Module
	Module []byte
	SHA256 string // of the module, in hexadecimal; required
	Config []byte // JSON for the guest; empty: {}

	Deadline time.Duration // of a check, waiting for an instance included; 0: DefaultDeadline
	Memory   int           // limit for one instance in bytes, in steps of 64 KiB; 0: DefaultMemory
	PoolSize int           // most instances; 0: twice GOMAXPROCS
	CacheDir string        // for compiled code, which is as powerful as the program itself; empty: no cache
	Logger   *slog.Logger  // nil: slog.Default
}

// A Guard runs one module. It implements gateway.Guard.
type Guard struct {
	name     string
	deadline time.Duration
	manifest manifest
	program  *program
	pool     *pool
	cache    wazero.CompilationCache // nil: none

	mu     sync.Mutex
	users  int // checks that run, and 1 until Close
	closed bool
	freed  chan struct{}
}

var _ gateway.Guard = (*Guard)(nil)

// Load returns a guard whose module has been checked, compiled and configured.
// Compiling takes up to half a second for each MB and does not end with ctx.
func Load(ctx context.Context, o Options) (*Guard, error) {
	g, err := load(ctx, &o)
	if err != nil {
		return nil, fmt.Errorf("wasm: plugin %s: %w", o.Name, err)
	}
	return g, nil
}

func load(ctx context.Context, o *Options) (*Guard, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	module, err := readModule(o)
	if err != nil {
		return nil, err
	}
	g := &Guard{name: o.Name, deadline: o.Deadline, users: 1, freed: make(chan struct{})}
	if g.cache, err = openCache(o.CacheDir); err != nil {
		return nil, err
	}
	g.program = &program{config: o.Config, memory: o.Memory, logger: o.Logger.With("guard", o.Name)}
	first, err := g.prepare(ctx, module)
	if err != nil {
		return nil, errors.Join(err, g.release(ctx))
	}
	g.pool = newPool(o.PoolSize, first, g.program.start)
	return g, nil
}

// complete fills in the defaults.
func (o *Options) complete() error {
	if o.Deadline == 0 {
		o.Deadline = DefaultDeadline
	}
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.PoolSize == 0 {
		o.PoolSize = 2 * runtime.GOMAXPROCS(0)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if len(o.Config) == 0 {
		o.Config = []byte("{}")
	}
	switch {
	case o.Deadline < 0 || o.PoolSize < 0:
		return errors.New("deadline and pool size must not be negative")
	case o.Memory < pageSize || o.Memory > 4<<30:
		return errors.New("memory limit must be from 64 KiB to 4 GiB")
	case (o.Path == "") == (len(o.Module) == 0):
		return errors.New("either a path or a module must be given")
	case !json.Valid(o.Config):
		return errors.New("configuration is not JSON")
	}
	return nil
}

// openCache opens a cache that nobody else can write to: what is in it runs as
// part of this process.
func openCache(dir string) (wazero.CompilationCache, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("cache %s has mode %#o; it must be 0700", dir, mode)
	}
	return wazero.NewCompilationCacheWithDir(dir)
}

// prepare compiles the module and starts the first instance.
func (g *Guard) prepare(ctx context.Context, module []byte) (*instance, error) {
	p := g.program
	if err := g.newRuntime(ctx); err != nil {
		return nil, err
	}
	if err := addHost(ctx, p.runtime); err != nil {
		return nil, err
	}
	var err error
	if p.compiled, err = p.runtime.CompileModule(ctx, module); err != nil {
		return nil, err
	}
	if err := checkABI(p.compiled); err != nil {
		return nil, err
	}
	if p.compiled.ExportedFunctions()[exportConfigure] == nil && string(p.config) != "{}" {
		return nil, fmt.Errorf("has a configuration, but no export %s", exportConfigure)
	}
	first, err := p.start(ctx)
	if err != nil {
		return nil, err
	}
	if g.manifest, err = first.manifest(ctx); err != nil {
		first.close()
		return nil, err
	}
	return first, nil
}

// newRuntime makes the plugin's own runtime: limits belong to a runtime, not to
// a module. The interpreter is no substitute, since it is 40 times slower.
func (g *Guard) newRuntime(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil { // wazero panics where it has no compiler
			err = fmt.Errorf("no compiler for this platform: %v", r)
		}
	}()
	config := wazero.NewRuntimeConfigCompiler().
		WithCloseOnContextDone(true).
		WithMemoryLimitPages(uint32(g.program.memory / pageSize))
	if g.cache != nil {
		config = config.WithCompilationCache(g.cache)
	}
	g.program.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	return nil
}

// Name implements gateway.Guard.
func (g *Guard) Name() string { return g.name }

// Check implements gateway.Guard. Its errors are of type *Error.
func (g *Guard) Check(ctx context.Context, t *gateway.Text) (gateway.Verdict, error) {
	if !g.enter() {
		return gateway.Verdict{}, g.wrap(fail(ReasonClosed, "guard is closed"))
	}
	defer g.leave()
	ctx, cancel := context.WithTimeout(ctx, g.deadline)
	defer cancel()
	i, err := g.pool.get(ctx)
	if err != nil {
		return gateway.Verdict{}, g.wrap(err)
	}
	v, alive, err := i.run(ctx, t)
	if alive {
		g.pool.put(i)
	} else {
		g.pool.drop(i)
	}
	if err != nil {
		return gateway.Verdict{}, g.wrap(err)
	}
	return v, nil
}

func (g *Guard) wrap(err error) error {
	f := err.(*failure)
	return &Error{Plugin: g.name, Reason: f.reason, Err: f.err}
}

func (g *Guard) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.users++
	return true
}

// leave frees the guard when its last user goes.
func (g *Guard) leave() {
	g.mu.Lock()
	g.users--
	last := g.users == 0
	g.mu.Unlock()
	if last {
		g.pool.close()
		_ = g.release(context.Background()) // closes memory only
		close(g.freed)
	}
}

// Close refuses new checks, waits for those that run, at most until ctx ends,
// and frees all that the guard holds. If ctx ends first the last check frees it.
func (g *Guard) Close(ctx context.Context) error {
	g.mu.Lock()
	first := !g.closed
	g.closed = true
	g.mu.Unlock()
	if first {
		g.leave()
	}
	select {
	case <-g.freed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wasm: plugin %s: close: %w", g.name, ctx.Err())
	}
}

// release closes the runtime with all its instances, and the cache.
func (g *Guard) release(ctx context.Context) error {
	var errs []error
	if g.program.runtime != nil {
		errs = append(errs, g.program.runtime.Close(ctx))
	}
	if g.cache != nil {
		errs = append(errs, g.cache.Close(ctx))
	}
	return errors.Join(errs...)
}
