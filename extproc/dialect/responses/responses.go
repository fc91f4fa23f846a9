// Package responses is the dialect of OpenAI's Responses API, POST /responses.
//
// It knows the items, parts, stream events and states of that format, as
// OpenAI's API description and recorded traffic of several providers show them.
// As the client's dialect it is strict; what a provider sends it takes as it
// comes. It keeps no state: what refers to an earlier response, such as
// previous_response_id, goes to providers that speak the dialect themselves and
// is refused for others. Conversations, files and background responses of the
// API are not translated.
//
// Reasoning that a provider wants back travels in encrypted_content, that of
// other dialects' providers under a seal (dialect.Seal), so that each of them
// gets its own again and none gets another's.
package responses

import (
	"crypto/rand"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/fault"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Dialect is the format in both directions.
type Dialect struct{ now func() time.Time }

var _ dialect.Dialect = (*Dialect)(nil)

// New returns the dialect.
func New() *Dialect { return &Dialect{now: time.Now} }

// WithClock returns the dialect with another clock, which dates answers.
func (d *Dialect) WithClock(now func() time.Time) *Dialect { return &Dialect{now: now} }

// Name is the dialect's name in configuration and records.
func (d *Dialect) Name() string { return llm.Responses }

// responsesPath is below a provider's base URL, which ends in /v1.
const responsesPath = "/responses"

// members names the members of a request that hold a canonical field.
var members = map[string][]string{
	"model":        {"model"},
	"stream":       {"stream"},
	"max_tokens":   {"max_output_tokens"},
	"temperature":  {"temperature"},
	"top_p":        {"top_p"},
	"user":         {"safety_identifier", "user"},
	"service_tier": {"service_tier"},
	"logprobs":     {"include[message.output_text.logprobs]"},
	"top_logprobs": {"top_logprobs"},
	"metadata":     {"metadata"},
	"verbosity":    {"text.verbosity"},

	"reasoning_effort":    {"reasoning.effort"},
	"parallel_tool_calls": {"parallel_tool_calls"},
	"tool_choice":         {"tool_choice"},
}

// Member names the members of a request that hold a canonical field; the first
// is the one to add where none is there. There are none for what the format
// does not have.
func (d *Dialect) Member(field string) []string { return members[field] }

// DecodeError reads the body of a response with an error status.
func (d *Dialect) DecodeError(status int, _ []llm.Header, body []byte) *llm.Error {
	return fault.Decode(status, body)
}

// EncodeError writes an error as the whole body of an answer.
func (d *Dialect) EncodeError(e *llm.Error) []byte { return fault.Append(nil, e) }

// newID makes the part of ids that tells one answer from another.
func newID() string { return rand.Text() }
