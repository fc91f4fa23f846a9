package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A PolicyUse is how the policy was asked.
type PolicyUse struct {
	Asked  bool          // there are rules, and they were asked
	Took   time.Duration // to decide
	Denied bool          // it said no; a policy that failed said nothing
	Fault  Fault         // why it failed; empty: it did not
	Rule   string        // that failed, see PolicyError
}

// A Fault is a way for a policy to fail.
type Fault string

// The faults.
const (
	FaultDeadline  Fault = "deadline"  // no decision in time
	FaultBuiltin   Fault = "builtin"   // a builtin function failed
	FaultConflict  Fault = "conflict"  // rules contradict each other
	FaultDecode    Fault = "decode"    // an effect that is malformed, or cannot be carried out
	FaultCancelled Fault = "cancelled" // the client has gone
	FaultOther     Fault = "other"
)

// A PolicyError says what is wrong with a policy that gave no decision. A Policy
// wraps its errors in one where it knows.
type PolicyError struct {
	Fault Fault
	Rule  string // file:line, with the rule's id in parentheses if it has one; empty: not known
	Err   error
}

func (e *PolicyError) Error() string { return e.Err.Error() }

func (e *PolicyError) Unwrap() error { return e.Err }

// failed notes that the policy gave no decision.
func (u *PolicyUse) failed(err error) {
	var e *PolicyError
	switch {
	case errors.As(err, &e):
		u.Fault, u.Rule = e.Fault, e.Rule
	case errors.Is(err, context.DeadlineExceeded):
		u.Fault = FaultDeadline
	case errors.Is(err, context.Canceled):
		u.Fault = FaultCancelled
	default:
		u.Fault = FaultOther
	}
}

// unfit answers where an effect of the policy cannot be carried out, which may be
// the client's fault.
func (x *Exchange) unfit(err error) *llm.Answer {
	var e *llm.Error
	if !errors.As(err, &e) {
		x.record.Policy.failed(err)
		x.record.Policy.Fault = FaultDecode
	}
	return x.fail(llm.CodePolicyError, err)
}

// astray is the error that a rule's chain or split cannot be followed. It tells no
// names: rules may have them from the request.
func astray(rule, format string, args ...any) error {
	err := fmt.Errorf("gateway: %s: route: %s", cmp.Or(rule, "policy"), fmt.Sprintf(format, args...))
	return &PolicyError{FaultDecode, rule, err}
}
