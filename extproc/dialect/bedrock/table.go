package bedrock

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A crossing says what becomes of a member of another format that this one has
// no counterpart for.
type crossing struct {
	refuse bool   // otherwise the client is warned
	reason string // why it was left out, or what to do instead
	idle   string // a value that asks for nothing, as JSON
}

// crossings are the members of other dialects that have no canonical field.
// What changes the meaning of an answer is refused; what tunes, labels or stores
// it is left out with a warning. Members that are not listed are left out with a
// warning too.
var crossings = map[string]crossing{
	// OpenAI's Chat Completions
	"audio":                  {refuse: true, reason: "the Converse API writes no sound"},
	"function_call":          {refuse: true, reason: "use tool_choice"},
	"functions":              {refuse: true, reason: "use tools"},
	"response_format":        {refuse: true, reason: "the Converse API knows text and JSON Schemas only"},
	"tool_choice":            {refuse: true, reason: "the Converse API knows auto, any and one tool"},
	"modalities":             {refuse: true, reason: "the Converse API writes text only", idle: `["text"]`},
	"web_search_options":     {refuse: true, reason: "the Converse API has no search"},
	"logit_bias":             {reason: "left out: the API has no such control", idle: `{}`},
	"logprobs":               {reason: "left out: the API reports no probabilities", idle: `false`},
	"top_logprobs":           {reason: "left out: the API reports no probabilities", idle: `0`},
	"metadata":               {reason: "left out: only the user's name is passed on", idle: `{}`},
	"prediction":             {reason: "left out: the API takes no predictions"},
	"prompt_cache_key":       {reason: "left out: the API caches by marks alone"},
	"prompt_cache_options":   {reason: "left out: the API caches by marks alone"},
	"prompt_cache_retention": {reason: "left out: the API caches by marks alone"},
	"safety_identifier":      {reason: "left out: user goes first"},
	"store":                  {reason: "left out: nothing is stored", idle: `false`},
	"verbosity":              {reason: "left out: the API has no such control", idle: `"medium"`},
	// OpenAI's Responses
	"background":           {refuse: true, reason: "answers are not made in the background", idle: `false`},
	"conversation":         {refuse: true, reason: "the provider keeps no conversations; send all of it as input"},
	"previous_response_id": {refuse: true, reason: "the provider keeps no responses; send the whole conversation as input"},
	"prompt":               {refuse: true, reason: "the provider keeps no prompts"},
	"text.format":          {refuse: true, reason: "the Converse API knows text and JSON Schemas only"},
	"tool_choice.tools[]":  {refuse: true, reason: "only functions can be chosen"},
	"truncation":           {reason: "left out: the API drops no input by itself", idle: `"disabled"`},
	// Anthropic's Messages
	"container":                      {refuse: true, reason: "the Converse API has no containers"},
	"inference_geo":                  {refuse: true, reason: "the region is that of the provider's address and the model's name"},
	"max_tokens":                     {refuse: true, reason: "the Converse API cannot warm a cache without an answer"},
	"mcp_servers":                    {refuse: true, reason: "the Converse API calls no MCP servers"},
	"thread":                         {refuse: true, reason: "the Converse API keeps no threads"},
	"cache_control":                  {reason: "left out: mark a block instead"},
	"fallbacks":                      {reason: "left out: the gateway's own fallbacks apply"},
	"messages[].content[].citations": {reason: "left out: the Converse API is not asked for citations", idle: `[]`},
	"thinking.type":                  {reason: "taken as adaptive: there is no counterpart"},
}

// ownBusiness begins the names of what the client's dialect does by itself,
// such as the usage chunk at the end of a stream.
const ownBusiness = "stream_options"

// checkExtra refuses or warns of all that has no canonical field, and of the
// canonical fields that this format lacks.
func (e *requestEncoder) checkExtra() error {
	r := e.req
	for _, m := range r.Extra {
		value := string(r.Body.Raw[m.Value.Start:m.Value.End])
		c, known := crossings[m.Name]
		switch {
		case value == "null", strings.HasPrefix(m.Name, ownBusiness), c.idle != "" && c.idle == value:
		case c.refuse:
			return llm.Unsupported(m.Name, "%s", c.reason)
		case known:
			e.warn(m.Name, c.reason)
		default:
			e.warn(m.Name, "left out: the Converse API does not know it")
		}
	}
	if r.N > 1 {
		return llm.Unsupported(e.clientName("n"), "the Converse API gives one answer to a request")
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"frequency_penalty", r.FrequencyPenalty.Value() != 0},
		{"presence_penalty", r.PresencePenalty.Value() != 0},
		{"seed", r.Seed != ""},
	} {
		if f.set {
			e.warn(f.name, "left out: the API has no such control")
		}
	}
	return nil
}

// clientNames are the names of fields in the client's dialect where they differ
// from those of Chat Completions, so that warnings name what the client wrote.
var clientNames = map[string]map[string]string{
	llm.Anthropic: {
		"stop": "stop_sequences", "response_format": "output_config.format", "reasoning_effort": "thinking",
		"user": "metadata.user_id", "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
	},
	llm.Responses: {"response_format": "text.format", "reasoning_effort": "reasoning.effort", "messages": "input"},
	llm.Gemini: {
		"messages": "contents", "tool_choice": "toolConfig", "response_format": "generationConfig.responseSchema",
		"reasoning_effort": "generationConfig.thinkingConfig", "n": "generationConfig.candidateCount",
		"stop": "generationConfig.stopSequences", "temperature": "generationConfig.temperature",
		"top_p": "generationConfig.topP", "top_k": "generationConfig.topK", "seed": "generationConfig.seed",
		"service_tier": "serviceTier",
	},
}

func (e *requestEncoder) clientName(field string) string {
	if name, ok := clientNames[e.req.Dialect][field]; ok {
		return name
	}
	if e.req.Dialect != llm.OpenAI {
		return strings.Replace(field, ".function.", ".", 1)
	}
	return field
}

// tiers maps the service tiers of all dialects to those of this API; empty is
// what it does without being asked.
var tiers = map[string]string{
	"auto": "", "default": "default", "standard": "default", "standard_only": "default",
	"flex": "flex", "priority": "priority",
}

// maxMetadata is the longest value of requestMetadata that the API takes.
const maxMetadata = 256

// plainMetadata reports whether a value of requestMetadata is of the characters
// that the API takes.
func plainMetadata(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return notInID(r) && !strings.ContainsRune(" @$#=/+,", r) }) < 0
}
