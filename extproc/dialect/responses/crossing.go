package responses

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A crossing says what becomes of a member of another format that has no
// canonical field.
type crossing struct {
	as     string // the member here that means the same and takes the same values
	refuse bool   // otherwise the client is warned
	reason string // why it was left out, or what to do instead
	idle   string // a value that asks for nothing, as JSON
}

// crossings are the members of other dialects, by path without indexes. What
// changes the meaning of an answer, or where it is made, is refused; what tunes
// or labels it is left out with a warning. Members that are not listed are left
// out with a warning too.
var crossings = map[string]map[string]crossing{
	llm.OpenAI: {
		"audio":                              {refuse: true, reason: "the Responses API writes no sound"},
		"function_call":                      {refuse: true, reason: "use tool_choice"},
		"functions":                          {refuse: true, reason: "use tools"},
		"modalities":                         {refuse: true, reason: "the Responses API writes text only", idle: `["text"]`},
		"response_format":                    {refuse: true, reason: "the Responses API knows text, JSON objects and JSON Schemas only"},
		"tool_choice":                        {refuse: true, reason: "only functions can be chosen"},
		"web_search_options":                 {refuse: true, reason: "the Responses API searches by a tool of its own"},
		"logit_bias":                         {reason: "left out: the Responses API has no such control", idle: `{}`},
		"logprobs":                           {reason: "left out: probabilities are not translated", idle: `false`},
		"top_logprobs":                       {reason: "left out: probabilities are not translated", idle: `0`},
		"prediction":                         {reason: "left out: the Responses API takes no predictions"},
		"store":                              {reason: "left out: nothing is stored", idle: `false`},
		"metadata":                           {as: "metadata"},
		"moderation":                         {as: "moderation"},
		"prompt_cache_key":                   {as: "prompt_cache_key"},
		"prompt_cache_options":               {as: "prompt_cache_options"},
		"prompt_cache_retention":             {as: "prompt_cache_retention"},
		"stream_options.include_obfuscation": {reason: "left out: the answer is not obfuscated", idle: `false`},
	},
	llm.Anthropic: {
		"container":                      {refuse: true, reason: "the Responses API has no containers here"},
		"inference_geo":                  {refuse: true, reason: "the Responses API cannot say where a request is served"},
		"max_tokens":                     {refuse: true, reason: "the Responses API cannot warm a cache without an answer"},
		"mcp_servers":                    {refuse: true, reason: "the Responses API names MCP servers in its tools"},
		"thread":                         {refuse: true, reason: "threads are not translated"},
		"fallbacks":                      {reason: "left out: the gateway's own fallbacks apply"},
		"compaction":                     {reason: "left out: compaction is not translated"},
		"context_management":             {reason: "left out: edits of the context are not translated"},
		"diagnostics":                    {reason: "left out: the Responses API has none"},
		"metadata":                       {reason: "left out: only a user's id has a counterpart", idle: `{}`},
		"speed":                          {reason: "left out: the Responses API has no speeds", idle: `"standard"`},
		"cache_control":                  {reason: noMarks},
		"messages[].content[].citations": {reason: "left out: the Responses API takes no citations", idle: `[]`},
		"thinking.type":                  {reason: "taken as adaptive: there is no counterpart"},
	},
}

const noMarks = "left out: prompts are cached without marks"

// clientNames are the names of canonical fields in the client's dialect, where
// they differ, so that a refusal names what the client wrote.
var clientNames = map[string]map[string]string{
	llm.OpenAI:    {"max_tokens": "max_completion_tokens", "reasoning": "reasoning_effort"},
	llm.Anthropic: {"stop": "stop_sequences", "reasoning": "thinking", "user": "metadata.user_id"},
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
		value := w.req.Body.Raw[m.Value.Start:m.Value.End]
		c, known := crossings[w.req.Dialect][everyIndex(m.Name)]
		switch {
		case string(value) == "null", c.idle != "" && c.idle == string(value):
		case c.as != "":
			w.key(c.as)
			w.dst = append(w.dst, value...)
		case c.refuse:
			return llm.Unsupported(m.Name, "%s", c.reason)
		case known:
			w.warn(m.Name, c.reason)
		case w.req.Dialect == llm.OpenAI && m.Name == "verbosity":
			w.verbosity = value
		default:
			w.warn(m.Name, "left out: the Responses API does not know it")
		}
	}
	return w.checkFields()
}

// checkFields does the same for the canonical fields that this format lacks.
func (w *writer) checkFields() error {
	r := w.req
	switch {
	case r.N > 1:
		return llm.Unsupported("n", "the Responses API gives one answer to a request")
	case len(r.Stop) > 0:
		return llm.Unsupported(w.clientName("stop"), "the Responses API has no stop sequences")
	}
	for _, f := range []struct {
		name string
		n    llm.Number
	}{
		{"top_k", r.TopK}, {"seed", r.Seed}, {"frequency_penalty", r.FrequencyPenalty}, {"presence_penalty", r.PresencePenalty},
	} {
		if n, err := strconv.ParseFloat(string(f.n), 64); f.n != "" && (err != nil || n != 0 || f.name == "seed") {
			w.warn(f.name, "left out: the Responses API has no such control")
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

// everyIndex makes messages[] of messages[3].
func everyIndex(path string) string {
	out, inside := make([]byte, 0, len(path)), false
	for i := range len(path) {
		c := path[i]
		if inside = c != ']' && (inside || c == '['); !inside || c == '[' {
			out = append(out, c)
		}
	}
	return string(out)
}
