package gemini

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

// crossings are the members of other dialects that have no canonical field, by
// path without indexes. What changes the meaning of an answer, or where it is
// made, is refused; what tunes, labels or stores it is left out with a warning.
// Members that are not listed are left out with a warning too.
var crossings = map[string]crossing{
	// Chat Completions and Responses
	"audio":                  {refuse: true, reason: "the gateway does not ask the Gemini API for sound"},
	"background":             {refuse: true, reason: "the Gemini API answers at once", idle: `false`},
	"conversation":           {refuse: true, reason: "the Gemini API keeps no conversations"},
	"function_call":          {refuse: true, reason: "use tool_choice"},
	"functions":              {refuse: true, reason: "use tools"},
	"modalities":             {refuse: true, reason: "the gateway asks the Gemini API for text only", idle: `["text"]`},
	"previous_response_id":   {refuse: true, reason: "the Gemini API keeps no answers"},
	"prompt":                 {refuse: true, reason: "the Gemini API keeps no prompts"},
	"response_format":        {refuse: true, reason: "the Gemini API knows text, JSON and JSON Schemas only"},
	"tool_choice":            {refuse: true, reason: "the Gemini API knows auto, none, any and a choice of functions"},
	"web_search_options":     {refuse: true, reason: "the Gemini API searches by a tool of its own"},
	"logit_bias":             {reason: "left out: the API has no such control", idle: `{}`},
	"logprobs":               {reason: "left out: probabilities are not translated", idle: `false`},
	"top_logprobs":           {reason: "left out: probabilities are not translated", idle: `0`},
	"metadata":               {reason: "left out: the API stores none", idle: `{}`},
	"moderation":             {reason: "left out: the API has its own"},
	"prediction":             {reason: "left out: the API takes no predictions"},
	"prompt_cache_key":       {reason: "left out: prompts are cached without keys"},
	"prompt_cache_options":   {reason: "left out: prompts are cached without options"},
	"prompt_cache_retention": {reason: "left out: prompts are cached without options"},
	"store":                  {reason: "left out: the API stores no answers", idle: `false`},
	"verbosity":              {reason: "left out: the API has no such control", idle: `"medium"`},

	// Anthropic Messages
	"container":          {refuse: true, reason: "the Gemini API has no containers"},
	"inference_geo":      {refuse: true, reason: "the Gemini API cannot say where a request is served"},
	"max_tokens":         {refuse: true, reason: "the Gemini API cannot warm a cache without an answer"},
	"mcp_servers":        {refuse: true, reason: "the Gemini API calls no MCP servers"},
	"thread":             {refuse: true, reason: "the Gemini API keeps no threads"},
	"cache_control":      {reason: "left out: prompts are cached without marks"},
	"compaction":         {reason: "left out: the API does not compact"},
	"context_management": {reason: "left out: the API does not edit its context"},
	"diagnostics":        {reason: "left out: the API has none"},
	"fallbacks":          {reason: "left out: the gateway's own fallbacks apply"},
	"speed":              {reason: "left out: the API has no speeds", idle: `"standard"`},
	"thinking.type":      {reason: "taken as adaptive: there is no counterpart"},
}

// ownBusiness reports whether the client's dialect does by itself what a member
// asks for: the usage chunk at the end of a stream, or vectors in base64.
func ownBusiness(member string) bool {
	return strings.HasPrefix(member, "stream_options") || member == "encoding_format"
}

// checkExtra refuses or warns of all that has no canonical field, and of the
// canonical fields that this format lacks.
func (e *requestEncoder) checkExtra() error {
	r := e.req
	for _, m := range r.Extra {
		value := string(r.Body.Raw[m.Value.Start:m.Value.End])
		c, known := crossings[m.Name]
		switch {
		case value == "null", ownBusiness(m.Name), c.idle != "" && c.idle == value:
		case c.refuse:
			return llm.Unsupported(m.Name, "%s", c.reason)
		case known:
			e.warn(m.Name, c.reason)
		default:
			e.warn(m.Name, "left out: the Gemini API does not know it")
		}
	}
	if r.User != "" {
		e.warn(e.clientName("user"), "left out: the API takes no name of an end user")
	}
	for _, m := range r.Messages {
		if m.Name != "" {
			e.warn("messages.name", "left out: the API knows no names of speakers")
		}
	}
	return nil
}

// clientNames are the names of canonical fields in the client's dialect, so
// that a refusal names what the client wrote.
var clientNames = map[string]map[string]string{
	llm.OpenAI: {"format": "response_format", "reasoning": "reasoning_effort"},
	llm.Anthropic: {"stop": "stop_sequences", "format": "output_config.format", "reasoning": "thinking",
		"user": "metadata.user_id"},
	llm.Responses: {"format": "text.format"},
}

func (e *requestEncoder) clientName(field string) string {
	if name, ok := clientNames[e.req.Dialect][field]; ok {
		return name
	}
	return field
}
