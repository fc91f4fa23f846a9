package llm

import (
	"fmt"
	"time"
)

// An Error is a failure that a client may see, in the vocabulary of the front
// door. Each dialect writes it in its own format.
type Error struct {
	Status  int    // HTTP status
	Code    string // stable, one of the codes below or a provider's own
	Message string // never holds prompts, keys or stack traces
	Param   string // the field at fault, as messages[0].content
	Type    string // a provider's own type, kept for its own dialect

	RetryAfter time.Duration // how long to wait before another try; 0: not said
}

// The codes of the gateway's own errors.
const (
	CodeInvalidJSON     = "invalid_json"
	CodeInvalidRequest  = "invalid_request"
	CodeUnsupported     = "unsupported_feature"
	CodeMissingKey      = "missing_key"
	CodeInvalidKey      = "invalid_key"
	CodeExpiredKey      = "expired_key"
	CodePolicyDenied    = "policy_denied"
	CodeGuardBlocked    = "guard_blocked"
	CodeModelNotFound   = "model_not_found"
	CodeUnknownPath     = "unknown_path"
	CodeTooLarge        = "request_too_large"
	CodeContextLength   = "context_length_exceeded"
	CodeRateLimited     = "rate_limited"
	CodeQuota           = "insufficient_quota"
	CodePolicyError     = "policy_error"
	CodeGuardError      = "guard_error"
	CodeInternal        = "internal"
	CodeUpstreamError   = "upstream_error"
	CodeNoTarget        = "no_target"
	CodeUpstreamTimeout = "upstream_timeout"
)

func (e *Error) Error() string {
	if e.Param != "" {
		return fmt.Sprintf("%s: %s: %s", e.Code, e.Param, e.Message)
	}
	return e.Code + ": " + e.Message
}

// Invalid is a request that says something its dialect does not allow.
func Invalid(param, format string, args ...any) *Error {
	return &Error{Status: 400, Code: CodeInvalidRequest, Param: param, Message: fmt.Sprintf(format, args...)}
}

// Unsupported is a request for something that the target cannot express.
func Unsupported(param, format string, args ...any) *Error {
	return &Error{Status: 400, Code: CodeUnsupported, Param: param, Message: fmt.Sprintf(format, args...)}
}
