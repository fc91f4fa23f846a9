package provider

import "slices"

// Known returns names of models that a kind's own server has, the latest first,
// for lists that people choose from. There are others: those of dates, those
// that are about to end and those that came since. Where the names depend on
// the region or are the customer's there are none.
func Known(kind string) []string { return slices.Clone(known[kind]) }

// Sources: for OpenAI and Anthropic the constants of openai-go v3.95.0 and
// anthropic-sdk-go v1.84.0 (November 2026), without dates and what is
// deprecated; for the others, models that have answered in recordings.
var known = map[string][]string{
	"openai": {"gpt-6-astra", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-sol", "gpt-6-luna",
		"gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", "gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano",
		"gpt-5.2", "gpt-5.1", "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano",
		"gpt-4o", "gpt-4o-mini", "o3", "o4-mini", "text-embedding-3-large", "text-embedding-3-small"},
	"anthropic": {"claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-1", "claude-opus-5", "claude-sonnet-5",
		"claude-fable-5", "claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-4-5", "claude-haiku-4-5"},
	"gemini": {"gemini-3.5-flash", "gemini-3.1-pro-preview", "gemini-3.1-flash-lite", "gemini-3-flash-preview",
		"gemini-2.5-pro", "gemini-2.5-flash", "gemini-flash-latest", "gemini-embedding-2"},
	"vertex": {"gemini-3.1-pro-preview", "gemini-3-flash-preview", "gemini-2.5-pro", "gemini-2.5-flash"},
	"mistral": {"mistral-large-latest", "mistral-medium-latest", "mistral-small-latest",
		"magistral-medium-latest", "magistral-small-latest", "mistral-embed"},
	"cohere":   {"command-a-plus-05-2026", "command-a-reasoning-08-2025", "command-a-03-2025", "command-r7b-12-2024", "embed-v4.0"},
	"deepseek": {"deepseek-v4-flash"},
	"xai":      {"grok-4.3", "grok-4-fast", "grok-code-fast-1"},
	"zai":      {"glm-4.7", "glm-4.7-flash"},
	// Sonar has two names, one for each API.
	"perplexity": {"perplexity/sonar", "sonar", "sonar-reasoning-pro"},
}
