package openai

import (
	"github.com/attache-gateway/attache/extproc/llm"
)

// A crossing says what becomes of a member of another format that this one has
// no counterpart for.
type crossing struct {
	as     string // the member here that means the same and takes the same values
	refuse bool   // otherwise the client is warned
	reason string // why it was left out, or what to do instead
	idle   string // a value that asks for nothing, as JSON
}

// crossings are the members of other dialects that have no canonical field, by
// path without indexes. What changes the meaning of an answer, or where it is
// made, is refused; what tunes or labels it is left out with a warning. Members
// that are not listed are left out with a warning too.
var crossings = map[string]crossing{
	// OpenAI Responses
	"background":           {refuse: true, reason: "answers are not made in the background", idle: `false`},
	"conversation":         {refuse: true, reason: "the provider keeps no conversations; send all of it as input"},
	"previous_response_id": {refuse: true, reason: "the provider keeps no responses; send the whole conversation as input"},
	"prompt":               {refuse: true, reason: "the provider keeps no prompts"},
	"text.format":          {refuse: true, reason: "only text, JSON objects and JSON Schemas are translated"},
	"tool_choice":          {refuse: true, reason: "only functions can be chosen"},
	"tool_choice.tools[]":  {refuse: true, reason: "only functions can be chosen"},
	"include":              {reason: "left out: Chat Completions has no such additions"},
	"max_tool_calls":       {reason: "left out: it limits tools that the provider runs itself"},
	"store":                {reason: "left out: nothing is stored", idle: `false`},
	"top_logprobs":         {reason: "left out: probabilities are not translated", idle: `0`},
	"moderation":           {as: "moderation"},
	"prompt_cache_key":     {as: "prompt_cache_key"},
	"prompt_cache_options": {as: "prompt_cache_options"},
	"text.verbosity":       {as: "verbosity"},
	"truncation":           {reason: "left out: Chat Completions drops no input by itself", idle: `"disabled"`},

	"stream_options.include_obfuscation": {reason: "left out: the answer is not obfuscated", idle: `false`},

	// Anthropic Messages
	"container":                      {refuse: true, reason: "Chat Completions has no containers"},
	"fallbacks":                      {reason: "left out: the gateway's own fallbacks apply"},
	"inference_geo":                  {refuse: true, reason: "Chat Completions cannot say where a request is served"},
	"max_tokens":                     {refuse: true, reason: "Chat Completions cannot warm a cache without an answer"},
	"mcp_servers":                    {refuse: true, reason: "Chat Completions calls no MCP servers"},
	"thread":                         {refuse: true, reason: "Chat Completions keeps no threads"},
	"cache_control":                  {reason: "left out: prompts are cached without marks"},
	"compaction":                     {reason: "left out: Chat Completions does not compact"},
	"context_management":             {reason: "left out: Chat Completions does not edit its context"},
	"diagnostics":                    {reason: "left out: Chat Completions has none"},
	"metadata":                       {reason: "left out: only a user's id has a counterpart", idle: `{}`},
	"speed":                          {reason: "left out: Chat Completions has no speeds", idle: `"standard"`},
	"messages[].content[].citations": {reason: "left out: Chat Completions takes no citations", idle: `[]`},
	"thinking.type":                  {reason: "taken as adaptive: there is no counterpart"},

	// Gemini
	"cachedContent":                       {refuse: true, reason: "the content is kept by Google"},
	"content":                             {refuse: true, reason: "only texts are embedded"},
	"requests[].content":                  {refuse: true, reason: "only texts are embedded"},
	"generationConfig.responseMimeType":   {refuse: true, reason: "only text and JSON are translated"},
	"generationConfig.responseModalities": {refuse: true, reason: "only text is translated"},
	"generationConfig.responseLogprobs":   {reason: "left out: probabilities are not translated", idle: `false`},
	"labels":                              {reason: "left out: they have no counterpart", idle: `{}`},
	"safetySettings":                      {reason: "left out: the provider has its own", idle: `[]`},
	"taskType":                            {reason: "left out: there is no counterpart"},
	"tools[].functionDeclarations[].parameters.propertyOrdering": {reason: "left out: properties have no order"},
	"toolConfig.functionCallingConfig.mode":                      {reason: "taken as AUTO"},
}

// clientNames are the names of canonical fields in the client's dialect, where
// they differ, so that a refusal names what the client wrote.
var clientNames = map[string]map[string]string{
	llm.Anthropic: {"stop": "stop_sequences", "format": "output_config.format", "reasoning": "thinking", "user": "metadata.user_id"},
	llm.Gemini: {"stop": "generationConfig.stopSequences", "format": "generationConfig.responseJsonSchema", "reasoning": "generationConfig.thinkingConfig",
		"top_k": "generationConfig.topK", "temperature": "generationConfig.temperature", "top_p": "generationConfig.topP",
		"frequency_penalty": "generationConfig.frequencyPenalty", "presence_penalty": "generationConfig.presencePenalty",
		"messages.thinking": "contents", "messages.redacted_thinking": "contents"},
	llm.Responses: {"format": "text.format", "reasoning": "reasoning.effort", "user": "safety_identifier",
		"cache_control": "prompt_cache_breakpoint", "messages.thinking": "input", "messages.redacted_thinking": "input"},
}

func (w *writer) clientName(field string) string {
	if name, ok := clientNames[w.req.Dialect][field]; ok {
		return name
	}
	return field
}

// checkExtra refuses, warns of or copies all that has no canonical field.
func (w *writer) checkExtra() error {
	for _, m := range w.req.Extra {
		value := string(w.req.Body.Raw[m.Value.Start:m.Value.End])
		c, known := crossings[everyIndex(m.Name)]
		switch {
		case value == "null", c.idle != "" && c.idle == value:
		case c.as != "":
			w.key(c.as)
			w.dst = append(w.dst, value...)
		case c.refuse:
			return llm.Unsupported(m.Name, "%s", c.reason)
		case known:
			w.warn(m.Name, c.reason)
		default:
			w.warn(m.Name, "left out: Chat Completions does not know it")
		}
	}
	return nil
}

// serviceTiers maps the tiers of all dialects to OpenAI's.
var serviceTiers = map[string]string{
	"auto": "auto", "default": "default", "flex": "flex", "priority": "priority",
	"standard_only": "default", // Anthropic
	"standard":      "default", // Gemini
}
