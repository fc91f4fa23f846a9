// Package openai is the dialect of OpenAI's Chat Completions and Embeddings,
// and of the many servers that are compatible with them.
//
// It knows the members, roles, parts, chunks and errors of that format, as
// OpenAI's API description states them, and where compatible servers depart
// from it. As the client's dialect it is strict; what a provider sends it takes
// as it comes. It does not know which provider departs in what: a target's
// llm.Rules say what a request needs, and responses are read so that all of
// them are understood.
//
// Reasoning has no place in the format. It travels as compatible servers and
// clients agree: as reasoning_content. The signatures of a provider that wants
// its reasoning back travel in thinking_blocks, beside it.
package openai

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

// WithClock returns the dialect with another clock. It dates the answers of
// providers that do not date them.
func (d *Dialect) WithClock(now func() time.Time) *Dialect { return &Dialect{now: now} }

// Name is the dialect's name in configuration and records.
func (d *Dialect) Name() string { return llm.OpenAI }

// The paths below a provider's base URL, which ends in /v1.
const (
	chatPath       = "/chat/completions"
	embeddingsPath = "/embeddings"
)

// members names the members that hold a canonical field, the newest name first.
var members = map[string][]string{
	"model":             {"model"},
	"stream":            {"stream"},
	"max_tokens":        {"max_completion_tokens", "max_tokens"},
	"n":                 {"n"},
	"stop":              {"stop"},
	"temperature":       {"temperature"},
	"top_p":             {"top_p"},
	"top_k":             {"top_k"}, // compatible servers
	"frequency_penalty": {"frequency_penalty"},
	"presence_penalty":  {"presence_penalty"},
	"seed":              {"seed"},
	"user":              {"safety_identifier", "user"},
	"service_tier":      {"service_tier"},
	"logprobs":          {"logprobs"},
	"top_logprobs":      {"top_logprobs"},
	"metadata":          {"metadata"},
	"verbosity":         {"verbosity"},

	"reasoning_effort":    {"reasoning_effort", "reasoning.effort"},
	"parallel_tool_calls": {"parallel_tool_calls"},
	"tool_choice":         {"tool_choice"},
}

// Member names the members of a request that hold a canonical field; the first
// is the one to add where none is there. It is nil if the dialect has none.
func (d *Dialect) Member(field string) []string { return members[field] }

// DecodeError reads the body of a response with an error status, in any of the
// forms that compatible servers use.
func (d *Dialect) DecodeError(status int, _ []llm.Header, body []byte) *llm.Error {
	return fault.Decode(status, body)
}

// EncodeError writes an error as the whole body of an answer.
func (d *Dialect) EncodeError(e *llm.Error) []byte { return fault.Append(nil, e) }

// newID makes an id for an answer whose provider gave it none.
func newID() string { return "chatcmpl-" + rand.Text() }
