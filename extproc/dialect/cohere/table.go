package cohere

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// api is what refusals and warnings call the receiver.
const api = "Cohere's API"

// crossings are the members of other dialects of which this one knows better
// than the common table. What OpenAI's clients send beside their own API has
// its name here.
var crossings = map[string]dialect.Crossings{
	llm.OpenAI: {
		"citation_options": {As: "citation_options"},
		"documents":        {As: "documents"},
		"input_type":       {Own: true}, // see purpose
		"safety_mode":      {As: "safety_mode"},
		"truncate":         {As: "truncate"},
	},
	llm.Gemini: {
		"taskType": {Own: true}, // see purpose
	},
}

// checkExtra refuses, warns of or copies all that has no canonical field, and
// warns of the canonical fields that the API lacks.
func (e *encoder) checkExtra() error {
	r := e.Request
	err := e.CheckExtra(crossings, func(as string, value []byte) {
		e.documents = e.documents || as == "documents"
		e.key(as)
		e.dst = append(e.dst, value...)
	})
	if err != nil {
		return err
	}
	if r.N > 1 {
		return llm.Unsupported(e.Name("n"), "%s gives one answer", api)
	}
	for _, f := range [...]struct {
		lost  bool
		field string
		why   string
	}{
		{r.User != "", "user", "it takes no name of an end user"},
		{r.ServiceTier != "" && r.ServiceTier != "auto" && r.ServiceTier != "default", "service_tier", "it has no tiers"},
		{r.SerialTools, "parallel_tool_calls", "it cannot be kept from calling several tools at once"},
		{r.TopLogprobs > 0, "top_logprobs", "it gives the probabilities of the chosen tokens alone"},
	} {
		if f.lost {
			e.Warn(f.field, "left out: "+f.why)
		}
	}
	return nil
}

// limits are what the API takes of a number.
type limits struct{ low, high float64 }

// numbers are the fields that are numbers, with the member of the API. What is
// outside the limits becomes the next that is inside.
var numbers = []struct {
	field, member string
	value         func(*llm.Request) llm.Number
	limits
}{
	{"temperature", "temperature", func(r *llm.Request) llm.Number { return r.Temperature }, limits{0, 1}},
	{"top_p", "p", func(r *llm.Request) llm.Number { return r.TopP }, limits{0.01, 0.99}},
	{"top_k", "k", func(r *llm.Request) llm.Number { return r.TopK }, limits{0, 500}},
	{"seed", "seed", func(r *llm.Request) llm.Number { return r.Seed }, limits{0, 1 << 64}},
	{"frequency_penalty", "frequency_penalty", func(r *llm.Request) llm.Number { return r.FrequencyPenalty }, limits{0, 1}},
	{"presence_penalty", "presence_penalty", func(r *llm.Request) llm.Number { return r.PresencePenalty }, limits{0, 1}},
}

// purposes are the API's words for what embeddings are for, by those of Gemini.
var purposes = map[string]string{
	`"RETRIEVAL_QUERY"`:    `"search_query"`,
	`"RETRIEVAL_DOCUMENT"`: `"search_document"`,
	`"QUESTION_ANSWERING"`: `"search_query"`,
	`"CLASSIFICATION"`:     `"classification"`,
	`"CLUSTERING"`:         `"clustering"`,
}
