package provider

import "github.com/attache-gateway/attache/extproc/llm"

var coherePresets = []Preset{
	{
		Kind:    "cohere",
		Dialect: llm.Cohere,
		URL:     "https://api.cohere.com",
		Hosts:   []string{"api.cohere.ai"},
		Below:   "/v2",
		Auth:    bearer,
		KeyVars: []string{"CO_API_KEY", "COHERE_API_KEY"},
		URLVar:  "CO_API_URL",
		Models:  cohereModels,
		rules:   cohere,
	},
	// The compatibility API: https://docs.cohere.com/docs/compatibility-api
	{
		Kind:    "cohere",
		Dialect: llm.OpenAI,
		URL:     "https://api.cohere.ai/compatibility/v1",
		Auth:    bearer,
		Models:  cohereModels,
		rules:   served(older, cohere...),
	},
}

var cohereModels = []string{"command-*", "c4ai-*", "embed-*", "rerank-*"}

// Cohere's models. Source: https://docs.cohere.com/docs/models
var cohere = []rule{
	{"command-a-reasoning-*", llm.Rules{Reasons: true, Context: 256_000, MaxOutput: 32_000}}, // cohere-chat-v2-*, with thinking
	{"command-a-vision-*", llm.Rules{Context: 128_000, MaxOutput: 8_000}},
	{"command-a-03-2025", llm.Rules{Context: 256_000, MaxOutput: 8_000}},
	{"command-r*", llm.Rules{Context: 128_000, MaxOutput: 4_000}},
	{"*", llm.Rules{}},
}
