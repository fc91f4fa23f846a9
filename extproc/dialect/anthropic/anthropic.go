// Package anthropic reads and writes the Messages API of Anthropic, for clients
// that speak it and for providers that do, with the counting of tokens.
//
// It knows the blocks, the stream events and the errors of API version
// 2023-06-01 as the published API description and recorded traffic show them.
// It does not know which model allows what; llm.Rules says that. Its batches,
// files and models are not translated.
package anthropic

import (
	"bytes"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Paths below a provider's base URL.
const (
	messagesPath = "/v1/messages"
	countPath    = "/v1/messages/count_tokens"
)

const (
	versionHeader = "anthropic-version"
	betaHeader    = "anthropic-beta"
	version       = "2023-06-01"
)

// unsigned stands where a client of this dialect expects the signature of
// reasoning that came from a provider which signs nothing: SDKs demand the
// field and send it back. It is taken out of requests again, for Anthropic
// refuses signatures that are not its own.
const unsigned = "YXR0YWNoZTp1bnNpZ25lZA==" // base64 of "attache:unsigned"

// Dialect is the Messages API.
type Dialect struct{}

var _ dialect.Dialect = (*Dialect)(nil)

// New returns the dialect.
func New() *Dialect { return &Dialect{} }

// Name is llm.Anthropic.
func (*Dialect) Name() string { return llm.Anthropic }

// members maps the canonical names of scalar fields to members of a body.
var members = map[string]string{
	"model":        "model",
	"stream":       "stream",
	"max_tokens":   "max_tokens",
	"temperature":  "temperature",
	"top_p":        "top_p",
	"top_k":        "top_k",
	"stop":         "stop_sequences",
	"service_tier": "service_tier",
	"user":         "metadata.user_id",
	"metadata":     "metadata",

	"reasoning_effort":    "output_config.effort",
	"parallel_tool_calls": "tool_choice.disable_parallel_tool_use", // the other way round
	"tool_choice":         "tool_choice",
}

// Member names the member of a body that holds a canonical field: none if the
// dialect has no such member.
func (*Dialect) Member(field string) []string {
	if name, ok := members[field]; ok {
		return []string{name}
	}
	return nil
}

// Finish reasons and what they are called on the wire.
var (
	reasonOf = map[string]llm.FinishReason{
		"end_turn":                      llm.FinishStop,
		"stop_sequence":                 llm.FinishStopSequence,
		"max_tokens":                    llm.FinishLength,
		"tool_use":                      llm.FinishToolCalls,
		"pause_turn":                    llm.FinishPause,
		"refusal":                       llm.FinishRefusal,
		"model_context_window_exceeded": llm.FinishContext,
	}
	stopReasonOf = map[llm.FinishReason]string{
		llm.FinishStop:          "end_turn",
		llm.FinishStopSequence:  "stop_sequence",
		llm.FinishLength:        "max_tokens",
		llm.FinishToolCalls:     "tool_use",
		llm.FinishPause:         "pause_turn",
		llm.FinishRefusal:       "refusal",
		llm.FinishContentFilter: "refusal",
		llm.FinishContext:       "model_context_window_exceeded",
	}
)

// isNull reports whether a raw value is null or nothing.
func isNull(value []byte) bool {
	return len(value) == 0 || bytes.Equal(value, []byte("null"))
}

// blank reports whether the API would call a text empty.
func blank(text string) bool { return strings.TrimSpace(text) == "" }
