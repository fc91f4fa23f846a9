package wasm

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// Limits of what a guest may log in one call.
const (
	maxLogLines = 16
	maxLogLine  = 4 << 10 // bytes
)

// addHost gives the guests of r their imports.
func addHost(ctx context.Context, r wazero.Runtime) error {
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		return err
	}
	for module, function := range map[string]struct {
		name string
		call api.GoModuleFunc
	}{
		moduleAttache: {"log", hostLog},
		moduleEnv:     {"abort", hostAbort},
	} {
		sig := imports[module][function.name]
		_, err := r.NewHostModuleBuilder(module).NewFunctionBuilder().
			WithGoModuleFunction(function.call, sig.params, sig.results).
			Export(function.name).Instantiate(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

// levels are those of attache.log.
var levels = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// hostLog is attache.log(level, ptr, len). Its panic ends the guest's call with
// an error, as a trap does.
func hostLog(ctx context.Context, m api.Module, stack []uint64) {
	level, ptr, n := uint32(stack[0]), uint32(stack[1]), uint32(stack[2])
	b, ok := m.Memory().Read(ptr, n)
	if !ok || int(level) >= len(levels) {
		panic(errors.New("attache.log: text outside memory or unknown level"))
	}
	logOf(ctx).write(levels[level], b)
}

// hostAbort is env.abort(message, file, line, column) of AssemblyScript.
func hostAbort(context.Context, api.Module, []uint64) { panic(errors.New("env.abort")) }

// A guestLog is the log of one instance. What the guest writes to standard
// output and error goes there as well, for debugging.
type guestLog struct {
	logger *slog.Logger
	lines  int // left in this call
}

type logKey struct{}

func logOf(ctx context.Context) *guestLog { return ctx.Value(logKey{}).(*guestLog) }

func (l *guestLog) write(level slog.Level, b []byte) {
	if l.lines == 0 {
		return
	}
	l.lines--
	if len(b) > maxLogLine {
		b = b[:maxLogLine]
	}
	l.logger.Log(context.Background(), level, strings.ToValidUTF8(string(b), "\uFFFD"))
}

// Write implements io.Writer.
func (l *guestLog) Write(b []byte) (int, error) {
	l.write(slog.LevelDebug, b)
	return len(b), nil
}
