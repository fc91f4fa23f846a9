package wasm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// startDeadline bounds what a guest does before its first check.
const startDeadline = 5 * time.Second

// maxConfigError bounds the text of a guest that refuses its configuration.
const maxConfigError = 4 << 10

// A program is a compiled guest and what its instances have in common.
type program struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	config   []byte
	memory   int // limit in bytes
	logger   *slog.Logger
}

// An instance is a guest in its own memory. It serves one check at a time, and
// none after an error: its state is undefined then.
type instance struct {
	module api.Module
	alloc  api.Function
	check  api.Function
	memory int // limit in bytes
	log    *guestLog

	// life is the context of every call into the guest. It ends only to stop the
	// guest. The context of a check will not do: wazero watches a call's context
	// on another goroutine, which may still see it end after the call has
	// returned, and would then close a module that is in the pool.
	life context.Context
	kill context.CancelFunc

	stack  [2]uint64
	frame  frame
	reader verdictReader
}

// start makes an instance that is ready for checks.
func (p *program) start(ctx context.Context) (*instance, error) {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	i := &instance{log: &guestLog{logger: p.logger, lines: maxLogLines}, memory: p.memory}
	i.life, i.kill = context.WithCancel(context.WithValue(context.Background(), logKey{}, i.log))
	stop := context.AfterFunc(ctx, i.kill)
	err := i.open(p)
	if !stop() {
		err = fmt.Errorf("guest did not start in time: %w", ctx.Err())
	}
	if err != nil {
		i.close()
		return nil, err
	}
	return i, nil
}

func (i *instance) open(p *program) (err error) {
	i.module, err = p.runtime.InstantiateModule(i.life, p.compiled, wazero.NewModuleConfig().
		WithName("").WithStartFunctions(exportInit).WithStdout(i.log).WithStderr(i.log))
	if err != nil {
		return err
	}
	i.alloc = i.module.ExportedFunction(exportAlloc)
	i.check = i.module.ExportedFunction(exportCheck)
	if configure := i.module.ExportedFunction(exportConfigure); configure != nil {
		return i.configure(configure, p.config)
	}
	return nil
}

func (i *instance) configure(configure api.Function, config []byte) error {
	b, err := i.buffer(len(config))
	if err != nil {
		return err
	}
	copy(b, config)
	text, err := i.call(configure, len(config), maxConfigError)
	if err != nil {
		return fmt.Errorf("%s: %w", exportConfigure, err)
	}
	if len(text) > 0 {
		return fmt.Errorf("configuration refused: %q", text)
	}
	return nil
}

// run returns the guest's verdict on t. The instance may serve again only if
// alive is true.
func (i *instance) run(ctx context.Context, t *gateway.Text) (v gateway.Verdict, alive bool, err error) {
	i.log.lines = maxLogLines
	stop := context.AfterFunc(ctx, i.kill)
	v, err = i.verdict(ctx, t)
	return v, stop() && err == nil, err
}

func (i *instance) verdict(ctx context.Context, t *gateway.Text) (gateway.Verdict, error) {
	i.frame.set(t)
	size := i.frame.size()
	if size > i.memory {
		return gateway.Verdict{}, fail(ReasonMemory, "input of %d bytes; the memory limit is %d", size, i.memory)
	}
	b, err := i.buffer(size)
	if err != nil {
		return gateway.Verdict{}, sortFailure(ctx, exportAlloc, err)
	}
	i.frame.write(b)
	out, err := i.call(i.check, size, maxVerdict)
	if err != nil {
		return gateway.Verdict{}, sortFailure(ctx, exportCheck, err)
	}
	v, err := i.reader.read(out, t.Segments)
	if err != nil {
		return gateway.Verdict{}, fail(ReasonBadVerdict, "%w", err)
	}
	return v, nil
}

// errRange is a range that the guest named and that it must not.
var errRange = errors.New("range outside memory or too long")

// sortFailure turns an error of buffer or call into a failure.
func sortFailure(ctx context.Context, export string, err error) *failure {
	if errors.Is(err, errRange) {
		return fail(ReasonBadVerdict, "%s: %w", export, err)
	}
	return callFailure(ctx, export, err)
}

// buffer returns n bytes of the guest's memory for input. They are valid until
// the next call.
func (i *instance) buffer(n int) ([]byte, error) {
	i.stack[0] = uint64(n)
	if err := i.alloc.CallWithStack(i.life, i.stack[:]); err != nil {
		return nil, err
	}
	b, ok := i.module.Memory().Read(uint32(i.stack[0]), uint32(n))
	if !ok {
		return nil, errRange
	}
	return b, nil
}

// call calls f with the n bytes that are in the buffer and returns its result of
// at most limit bytes, valid until the next call.
func (i *instance) call(f api.Function, n, limit int) ([]byte, error) {
	i.stack[1] = uint64(n) // stack[0] still has the buffer's address
	if err := f.CallWithStack(i.life, i.stack[:]); err != nil {
		return nil, err
	}
	ptr, size := uint32(i.stack[0]>>32), uint32(i.stack[0])
	b, ok := i.module.Memory().Read(ptr, size)
	if !ok || int64(size) > int64(limit) {
		return nil, errRange
	}
	return b, nil
}

func (i *instance) close() {
	i.kill()
	if i.module != nil {
		_ = i.module.Close(context.Background()) // nothing of it is used again
	}
}
