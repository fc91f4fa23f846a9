package anthropic

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

// crossings are the members of OpenAI's Chat Completions and Responses that have
// no canonical field. What changes the meaning of an answer is refused; what
// tunes, labels or stores it is left out with a warning. Members that are not
// listed are left out with a warning too.
var crossings = map[string]crossing{
	"audio":                  {refuse: true, reason: "the Messages API writes no sound"},
	"function_call":          {refuse: true, reason: "use tool_choice"},
	"functions":              {refuse: true, reason: "use tools"},
	"response_format":        {refuse: true, reason: "the Messages API knows text and JSON Schemas only"},
	"tool_choice":            {refuse: true, reason: "the Messages API knows auto, none, any and one tool"},
	"modalities":             {refuse: true, reason: "the Messages API writes text only", idle: `["text"]`},
	"web_search_options":     {refuse: true, reason: "the Messages API searches by a tool of its own"},
	"background":             {refuse: true, reason: "answers are not made in the background", idle: `false`},
	"conversation":           {refuse: true, reason: "the provider keeps no conversations; send all of it as input"},
	"previous_response_id":   {refuse: true, reason: "the provider keeps no responses; send the whole conversation as input"},
	"prompt":                 {refuse: true, reason: "the provider keeps no prompts"},
	"text.format":            {refuse: true, reason: "the Messages API knows text and JSON Schemas only"},
	"tool_choice.tools[]":    {refuse: true, reason: "only functions can be chosen"},
	"include":                {reason: "left out: the API has no such additions"},
	"max_tool_calls":         {reason: "left out: it limits tools that the provider runs itself"},
	"text.verbosity":         {reason: "left out: the API has no such control", idle: `"medium"`},
	"truncation":             {reason: "left out: the API drops no input by itself", idle: `"disabled"`},
	"logit_bias":             {reason: "left out: the API has no such control", idle: `{}`},
	"logprobs":               {reason: "left out: the API reports no probabilities", idle: `false`},
	"top_logprobs":           {reason: "left out: the API reports no probabilities", idle: `0`},
	"metadata":               {reason: "left out: the API stores none", idle: `{}`},
	"moderation":             {reason: "left out: the API has no moderation in a message"},
	"prediction":             {reason: "left out: the API takes no predictions"},
	"prompt_cache_key":       {reason: "left out: the API caches by marks alone"},
	"prompt_cache_options":   {reason: "left out: the API caches by marks alone"},
	"prompt_cache_retention": {reason: "left out: the API caches by marks alone"},
	"safety_identifier":      {reason: "left out: user goes first"},
	"store":                  {reason: "left out: nothing is stored", idle: `false`},
	"verbosity":              {reason: "left out: the API has no such control", idle: `"medium"`},

	// Gemini
	"cachedContent":                       {refuse: true, reason: "the content is kept by Google"},
	"generationConfig.responseMimeType":   {refuse: true, reason: "only text and JSON are translated"},
	"generationConfig.responseModalities": {refuse: true, reason: "the Messages API writes text only"},
}

// ownBusiness begins the names of what the client's dialect does by itself,
// such as the usage chunk at the end of a stream.
const ownBusiness = "stream_options"

// clientName is what a client of the Responses API calls a member of Chat
// Completions.
func (e *requestEncoder) clientName(field string) string {
	if e.req.Dialect != llm.Responses {
		return field
	}
	switch {
	case field == "reasoning_effort":
		return "reasoning.effort"
	case field == "response_format":
		return "text.format"
	case strings.HasPrefix(field, "messages"):
		return "input"
	}
	return strings.Replace(field, ".function.", ".", 1)
}

// checkExtra refuses or warns of all that has no canonical field, and of the
// canonical fields that this format lacks.
func (e *requestEncoder) checkExtra() error {
	r := e.req
	for _, m := range r.Extra {
		value := r.Body.Raw[m.Value.Start:m.Value.End]
		c, known := crossings[m.Name]
		switch {
		case isNull(value), strings.HasPrefix(m.Name, ownBusiness), c.idle != "" && c.idle == string(value):
		case c.refuse:
			return llm.Unsupported(m.Name, "%s", c.reason)
		case known:
			e.warn(m.Name, c.reason)
		default:
			e.warn(m.Name, "left out: the Messages API does not know it")
		}
	}
	if r.N > 1 {
		return llm.Unsupported("n", "the Messages API gives one answer to a request")
	}
	for _, f := range []struct {
		name string
		n    llm.Number
	}{
		{"frequency_penalty", r.FrequencyPenalty},
		{"presence_penalty", r.PresencePenalty},
		{"seed", r.Seed},
	} {
		if f.n != "" && (f.name == "seed" || f.n.Value() != 0) {
			e.warn(f.name, "left out: the API has no such control")
		}
	}
	return nil
}

// maxUser is the longest name of an end user that the API takes.
const maxUser = 256

// user is the caller's name for its end user. The API forbids what identifies a
// person.
func (e *requestEncoder) user() string {
	u := e.req.User
	if strings.Contains(u, "@") || len(u) > maxUser {
		e.warn("user", "left out: the API takes neither e-mail addresses nor long names")
		return ""
	}
	return u
}

// tiers maps OpenAI's service tiers to those of this API.
var tiers = map[string]string{
	"auto":     "auto",
	"priority": "auto",
	"default":  "standard_only",
	"flex":     "standard_only",
}

func (e *requestEncoder) serviceTier() string {
	asked := e.req.ServiceTier
	if asked == "" {
		return ""
	}
	tier, ok := tiers[asked]
	if !ok {
		e.warn("service_tier", "left out: the API has no tier like it")
	}
	return tier
}
