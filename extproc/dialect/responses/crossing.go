package responses

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// api is what refusals and warnings call the receiver.
const api = "the Responses API"

// crossings are the members of other dialects of which this one knows better
// than the common table.
var crossings = map[string]dialect.Crossings{
	llm.OpenAI: {
		"metadata":               {As: "metadata"},
		"moderation":             {As: "moderation"},
		"prompt_cache_key":       {As: "prompt_cache_key"},
		"prompt_cache_options":   {As: "prompt_cache_options"},
		"prompt_cache_retention": {As: "prompt_cache_retention"},
		"verbosity":              {As: "text.verbosity"},
		"web_search_options":     {Refuse: true, Reason: "the Responses API searches by a tool of its own"},
	},
	llm.Anthropic: {
		"mcp_servers": {Refuse: true, Reason: "the Responses API names MCP servers in its tools"},
	},
}

const noMarks = "left out: prompts are cached without marks"

// checkExtra refuses, warns of or copies all that has no canonical field, and
// the canonical fields that this format lacks.
func (w *writer) checkExtra() error {
	err := w.CheckExtra(crossings, func(as string, value []byte) {
		if as == "text.verbosity" { // stands in a member that holds the format too
			w.verbosity = value
			return
		}
		w.key(as)
		w.dst = append(w.dst, value...)
	})
	switch r := w.Request; {
	case err != nil:
		return err
	case r.N > 1:
		return llm.Unsupported(w.Name("n"), "the Responses API gives one answer to a request")
	case len(r.Stop) > 0:
		return llm.Unsupported(w.Name("stop"), "the Responses API has no stop sequences")
	}
	w.WarnLacking("top_k", "seed", "frequency_penalty", "presence_penalty")
	return nil
}

// serviceTiers maps the tiers of all dialects to OpenAI's.
var serviceTiers = map[string]string{
	"auto": "auto", "default": "default", "flex": "flex", "priority": "priority",
	"standard_only": "default", // Anthropic
	"standard":      "default", // Gemini
}
