package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/sys"
)

// A Reason says in one word why a check has no verdict. It is fit for a metric
// label: the set is closed.
type Reason string

// The reasons.
const (
	ReasonDeadline   Reason = "deadline"    // the guest ran too long
	ReasonCanceled   Reason = "canceled"    // the caller gave up
	ReasonBusy       Reason = "busy"        // no instance became free in time
	ReasonStart      Reason = "start"       // no instance could be made
	ReasonTrap       Reason = "trap"        // unreachable, out of bounds, stack exhausted
	ReasonExit       Reason = "exit"        // the guest called proc_exit
	ReasonMemory     Reason = "memory"      // the text does not fit the guest's memory
	ReasonBadVerdict Reason = "bad_verdict" // a result that the ABI does not allow
	ReasonClosed     Reason = "closed"      // the guard was closed
)

// An Error is a check that came to no verdict.
type Error struct {
	Plugin string
	Reason Reason
	Err    error // never holds the checked text
}

// Error leaves out wazero's stack trace, which Err still has.
func (e *Error) Error() string {
	text, _, _ := strings.Cut(e.Err.Error(), "\n")
	return fmt.Sprintf("wasm: plugin %s: %s: %s", e.Plugin, e.Reason, text)
}

func (e *Error) Unwrap() error { return e.Err }

// failure is an error with its reason, before the plugin's name is known.
type failure struct {
	reason Reason
	err    error
}

func (f *failure) Error() string { return f.err.Error() }

func fail(reason Reason, format string, args ...any) *failure {
	return &failure{reason, fmt.Errorf(format, args...)}
}

// ended says how a context ended.
func ended(ctx context.Context) Reason {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ReasonDeadline
	}
	return ReasonCanceled
}

// callFailure sorts an error of wazero. An instance that is killed when ctx
// ends reports an exit, as does a guest that calls proc_exit.
func callFailure(ctx context.Context, export string, err error) *failure {
	if exit := (*sys.ExitError)(nil); !errors.As(err, &exit) {
		return fail(ReasonTrap, "%s: %w", export, err)
	} else if ctx.Err() == nil {
		return fail(ReasonExit, "%s: exit code %d", export, exit.ExitCode())
	}
	return fail(ended(ctx), "%s: %w", export, ctx.Err())
}
