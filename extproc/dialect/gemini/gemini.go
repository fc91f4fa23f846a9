// Package gemini reads and writes the Gemini API of Google: generateContent,
// streamGenerateContent, countTokens and the two calls for embeddings, for
// clients that speak it and for providers that do.
//
// It knows the contents, parts, schemas, responses and errors of version
// v1beta, as Google's protocol buffers and recorded traffic show them, in both
// spellings of their JSON form (systemInstruction and system_instruction). The
// model and the form of a stream are in the path, which package gateway reads.
// Which model thinks by levels and which by budgets is in llm.Rules. Cached
// contents, files, live sessions and interactions are not translated.
//
// A provider's signatures of its reasoning stand on the parts that follow from
// it. Here they are base64; another provider's travel as base64 of its sealed
// form, see dialect.Seal.
package gemini

import (
	"net/url"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Dialect is the Gemini API.
type Dialect struct{}

var _ dialect.Dialect = (*Dialect)(nil)

// New returns the dialect.
func New() *Dialect { return &Dialect{} }

// Name is llm.Gemini.
func (*Dialect) Name() string { return llm.Gemini }

// members are where bodies hold the canonical fields.
var members = map[string]string{
	"service_tier":      "serviceTier",
	"max_tokens":        "generationConfig.maxOutputTokens",
	"temperature":       "generationConfig.temperature",
	"top_p":             "generationConfig.topP",
	"top_k":             "generationConfig.topK",
	"seed":              "generationConfig.seed",
	"frequency_penalty": "generationConfig.frequencyPenalty",
	"presence_penalty":  "generationConfig.presencePenalty",
	"n":                 "generationConfig.candidateCount",
	"stop":              "generationConfig.stopSequences",
	"logprobs":          "generationConfig.responseLogprobs",
	"top_logprobs":      "generationConfig.logprobs",
	"reasoning_effort":  "generationConfig.thinkingConfig.thinkingLevel",
	"metadata":          "labels",
	"tool_choice":       "toolConfig.functionCallingConfig",
}

// Member names the members of a request that hold a canonical field, in all
// spellings. Not all models know levels of thinking, so none is added.
func (*Dialect) Member(field string) []string {
	name, ok := members[field]
	if !ok {
		return nil
	}
	names := []string{""}
	for i, part := range strings.Split(name, ".") {
		var longer []string
		for _, before := range names {
			for _, one := range slices.Compact([]string{part, snake(part)}) {
				if i > 0 {
					one = before + "." + one
				}
				longer = append(longer, one)
			}
		}
		names = longer
	}
	if field == "reasoning_effort" {
		names = append([]string{""}, names...)
	}
	return names
}

// pathOf is the path of a call below a provider's base URL. A stream is always
// asked for as server-sent events.
func pathOf(model, method string) string {
	if method == "streamGenerateContent" {
		method += "?alt=sse"
	}
	return "/v1beta/models/" + url.PathEscape(model) + ":" + method
}

// resource is a model's name as it stands in bodies.
func resource(model string) string { return "models/" + model }

// reasonOf maps the finish reasons to the vocabulary. All others mean an end
// like any other.
var reasonOf = map[string]llm.FinishReason{
	"STOP":                     llm.FinishStop,
	"MAX_TOKENS":               llm.FinishLength,
	"CONTINUATION":             llm.FinishLength,
	"SAFETY":                   llm.FinishContentFilter,
	"RECITATION":               llm.FinishContentFilter,
	"LANGUAGE":                 llm.FinishContentFilter,
	"BLOCKLIST":                llm.FinishContentFilter,
	"PROHIBITED_CONTENT":       llm.FinishContentFilter,
	"SPII":                     llm.FinishContentFilter,
	"MODEL_ARMOR":              llm.FinishContentFilter,
	"IMAGE_SAFETY":             llm.FinishContentFilter,
	"IMAGE_PROHIBITED_CONTENT": llm.FinishContentFilter,
	"IMAGE_RECITATION":         llm.FinishContentFilter,
}

// numberedReasons are the reasons that some answers give as the number of the
// enumeration's value.
var numberedReasons = []string{"", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST",
	"PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "LANGUAGE", "IMAGE_SAFETY"}

// malformed are the ends of an answer in which the model wrote something that
// cannot be read.
var malformed = map[string]bool{"MALFORMED_FUNCTION_CALL": true, "MALFORMED_RESPONSE": true}

// finishReason is the API's word for a reason.
func finishReason(r llm.FinishReason) string {
	switch r {
	case llm.FinishLength, llm.FinishContext:
		return "MAX_TOKENS"
	case llm.FinishContentFilter, llm.FinishRefusal:
		return "SAFETY"
	}
	return "STOP"
}
