package openai

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// api is what refusals and warnings call the receiver.
const api = "Chat Completions"

// crossings are the members of other dialects of which this one knows better
// than the common table.
var crossings = map[string]dialect.Crossings{
	llm.Responses: {
		"metadata":             {As: "metadata"},
		"moderation":           {As: "moderation"},
		"prompt_cache_key":     {As: "prompt_cache_key"},
		"prompt_cache_options": {As: "prompt_cache_options"},
		"text.verbosity":       {As: "verbosity"},
	},
}

// checkExtra refuses, warns of or copies all that has no canonical field.
func (w *writer) checkExtra() error {
	return w.CheckExtra(crossings, func(as string, value []byte) {
		w.key(as)
		w.dst = append(w.dst, value...)
	})
}

// serviceTiers maps the tiers of all dialects to OpenAI's.
var serviceTiers = map[string]string{
	"auto": "auto", "default": "default", "flex": "flex", "priority": "priority",
	"standard_only": "default", // Anthropic
	"standard":      "default", // Gemini
}
