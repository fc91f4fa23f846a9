package bedrock

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// crossings are the members of other dialects of which this one knows better
// than the common table.
var crossings = map[string]dialect.Crossings{
	llm.OpenAI: {
		"metadata":           {Reason: "only the user's name is passed on", Idle: `{}`},
		"web_search_options": {Refuse: true, Reason: "the Converse API has no search"},
	},
	llm.Anthropic: {
		"cache_control": {Reason: "mark a block instead"},
		"inference_geo": {Refuse: true, Reason: "the region is that of the provider's address and the model's name"},
	},
}

// checkExtra refuses or warns of all that has no canonical field, and of the
// canonical fields that this format lacks.
func (e *requestEncoder) checkExtra() error {
	if err := e.CheckExtra(crossings, nil); err != nil {
		return err
	}
	if e.Request.N > 1 {
		return llm.Unsupported(e.Name("n"), "the Converse API gives one answer to a request")
	}
	e.WarnLacking("frequency_penalty", "presence_penalty", "seed", "logprobs")
	return nil
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
