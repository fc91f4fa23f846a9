// Package bedrock reads and writes the Converse API of Amazon Bedrock, unary
// and streamed, for clients that speak it and for providers that do.
//
// It knows the requests, blocks, stream events and exceptions of the service's
// published model (bedrock-runtime, 2023-09-30) and of recorded traffic, and
// what the families of models behind it want beside it. The framing of streams
// is package eventstream's. It knows nothing of signatures of requests, and the
// Invoke API, in which every model speaks its own format, is not translated.
package bedrock

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/amazon"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Dialect is the Converse API.
type Dialect struct{}

var _ dialect.Dialect = (*Dialect)(nil)

// New returns the dialect.
func New() *Dialect { return &Dialect{} }

// Name is llm.Bedrock.
func (*Dialect) Name() string { return llm.Bedrock }

// inference is the member that holds what others have at the top level.
const inference = "inferenceConfig"

// members are where bodies hold the canonical fields. What goes to the model as
// it is depends on the model: an empty first name says that none is added.
var members = map[string][]string{
	"max_tokens":       {inference + ".maxTokens"},
	"temperature":      {inference + ".temperature"},
	"top_p":            {inference + ".topP"},
	"stop":             {inference + ".stopSequences"},
	"user":             {"requestMetadata.user"},
	"metadata":         {"requestMetadata"},
	"tool_choice":      {"toolConfig.toolChoice"},
	"top_k":            {"", "additionalModelRequestFields.top_k", "additionalModelRequestFields.inferenceConfig.topK"},
	"reasoning_effort": {"", "additionalModelRequestFields.output_config.effort", "additionalModelRequestFields.reasoning_effort"},
}

// Member names the members of a request that hold a canonical field. The model
// and the form of the answer are in the path.
func (*Dialect) Member(field string) []string { return members[field] }

// path is where a model is called.
func path(model string, stream bool) string {
	p := amazon.ModelPath(model) + "/converse"
	if stream {
		p += "-stream"
	}
	return p
}

// A family is whose a model is, as far as that makes a difference.
type family uint8

const (
	otherFamily family = iota
	claudeFamily
	novaFamily
	mistralFamily
	gptFamily
)

// familyOf tells the family by the model's name, which may have a region before
// it or be an ARN. That of a profile with a name of its own is not known.
func familyOf(model string) family {
	switch {
	case strings.Contains(model, "anthropic."), strings.Contains(model, "claude"):
		return claudeFamily
	case strings.Contains(model, "amazon.nova"):
		return novaFamily
	case strings.Contains(model, "mistral."):
		return mistralFamily
	case strings.Contains(model, "openai."):
		return gptFamily
	}
	return otherFamily
}

// Finish reasons and what they are called on the wire. Reasons that are errors
// are not among them.
var (
	reasonOf = map[string]llm.FinishReason{
		"end_turn":                      llm.FinishStop,
		"stop_sequence":                 llm.FinishStopSequence,
		"max_tokens":                    llm.FinishLength,
		"tool_use":                      llm.FinishToolCalls,
		"content_filtered":              llm.FinishContentFilter,
		"guardrail_intervened":          llm.FinishContentFilter,
		"model_context_window_exceeded": llm.FinishContext,
	}
	stopReasonOf = map[llm.FinishReason]string{
		llm.FinishStop:          "end_turn",
		llm.FinishStopSequence:  "stop_sequence",
		llm.FinishLength:        "max_tokens",
		llm.FinishToolCalls:     "tool_use",
		llm.FinishContentFilter: "content_filtered",
		llm.FinishRefusal:       "content_filtered",
		llm.FinishContext:       "model_context_window_exceeded",
		llm.FinishPause:         "end_turn",
	}
)

// blank reports whether the API would call a text empty.
func blank(text string) bool { return strings.TrimSpace(text) == "" }
