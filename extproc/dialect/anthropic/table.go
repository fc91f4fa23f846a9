package anthropic

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// crossings are the members of other dialects of which this one knows better
// than the common table.
var crossings = map[string]dialect.Crossings{
	llm.OpenAI: {
		"web_search_options":     {Refuse: true, Reason: "the Messages API searches by a tool of its own"},
		"prompt_cache_key":       {Reason: "the API caches by marks alone"},
		"prompt_cache_options":   {Reason: "the API caches by marks alone"},
		"prompt_cache_retention": {Reason: "the API caches by marks alone"},
	},
	llm.Responses: {
		"prompt_cache_key":       {Reason: "the API caches by marks alone"},
		"prompt_cache_options":   {Reason: "the API caches by marks alone"},
		"prompt_cache_retention": {Reason: "the API caches by marks alone"},
	},
}

// checkExtra refuses or warns of all that has no canonical field, and of the
// canonical fields that this format lacks.
func (e *requestEncoder) checkExtra() error {
	if err := e.CheckExtra(crossings, nil); err != nil {
		return err
	}
	r := e.Request
	if r.N > 1 {
		return llm.Unsupported(e.Name("n"), "the Messages API gives one answer to a request")
	}
	e.WarnLacking("frequency_penalty", "presence_penalty", "seed", "logprobs")
	return nil
}

// maxUser is the longest name of an end user that the API takes.
const maxUser = 256

// user is the caller's name for its end user. The API forbids what identifies a
// person.
func (e *requestEncoder) user() string {
	u := e.Request.User
	if strings.Contains(u, "@") || len(u) > maxUser {
		e.Warn("user", "left out: the API takes neither e-mail addresses nor long names")
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
	asked := e.Request.ServiceTier
	if asked == "" {
		return ""
	}
	tier, ok := tiers[asked]
	if !ok {
		e.Warn("service_tier", "left out: the API has no tier like it")
	}
	return tier
}
