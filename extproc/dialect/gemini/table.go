package gemini

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// crossings are the members of other dialects of which this one knows better
// than the common table.
var crossings = map[string]dialect.Crossings{
	llm.OpenAI: {
		"audio":              {Refuse: true, Reason: "the gateway does not ask the Gemini API for sound"},
		"web_search_options": {Refuse: true, Reason: "the Gemini API searches by a tool of its own"},
	},
}

// checkExtra refuses or warns of all that has no canonical field, and of the
// canonical fields that this format lacks.
func (e *requestEncoder) checkExtra() error {
	if err := e.CheckExtra(crossings, nil); err != nil {
		return err
	}
	if e.Request.User != "" {
		e.Warn("user", "left out: the API takes no name of an end user")
	}
	for _, m := range e.Request.Messages {
		if m.Name != "" {
			e.Warn("messages.name", "left out: the API knows no names of speakers")
		}
	}
	return nil
}
