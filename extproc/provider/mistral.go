package provider

import "github.com/attache-gateway/attache/extproc/llm"

var mistralPresets = []Preset{{
	Kind:    "mistral",
	Dialect: llm.OpenAI,
	URL:     "https://api.mistral.ai/v1",
	Auth:    bearer,
	KeyVars: []string{"MISTRAL_API_KEY"},
	Usage:   true, // in the chunk with the finish reason, without being asked: mistral-chat-093fea34b4bc
	Models: []string{"mistral-*", "ministral-*", "magistral-*", "codestral-*", "devstral-*", "pixtral-*", "voxtral-*",
		"open-mistral-*", "open-mixtral-*", "labs-*"},
	rules: served(mistral,
		rule{"magistral-*", llm.Rules{Reasons: true, Efforts: mistralEfforts}},
		rule{"mistral-small", llm.Rules{Reasons: true, Efforts: mistralEfforts}}, // mistral-chat-9e361b4134e2
		rule{"mistral-medium", llm.Rules{Reasons: true, Efforts: mistralEfforts}}),
}}

// mistralEfforts are those of ReasoningEffort in Mistral's API description.
var mistralEfforts = []string{"none", "minimal", "low", "medium", "high", "xhigh"}

// mistral is what the server departs in. Its API description
// (https://docs.mistral.ai/api, ChatCompletionRequest) has additionalProperties
// false at every level, and the server answers 422 to what it does not list. Its
// ids of tool calls are nine letters and digits, and it takes no others ("Tool
// call id was … but must be a-z, A-Z, 0-9, with a length of 9"; all those
// recorded are: mistral-chat-35eb319be7fd). tool_choice may be any or required
// there. service_tier has
// other values than OpenAI's and is left out. Documents are links or data URLs (mistral-chat-7cab8802c05f), sound is base64
// text. Content may be a list with the reasoning in it, in answers and in
// requests (mistral-chat-9e361b4134e2).
var mistral = llm.Rules{
	MaxTokensField:  "max_tokens",
	SeedField:       "random_seed",
	DimensionsField: "output_dimension",
	SystemRole:      "system",
	NoUsageOption:   true,
	ShortCallIDs:    true,
	PlainMedia:      true,
	ThinkingParts:   true,
	ReasoningField:  "reasoning_content",
	ToolAny:         true,
	MaxTemperature:  1.5,
	Members: []string{
		"model", "messages", "temperature", "top_p", "max_tokens", "stream", "stop", "random_seed", "metadata",
		"response_format", "tools", "tool_choice", "presence_penalty", "frequency_penalty", "n", "prediction",
		"parallel_tool_calls", "reasoning_effort", "prompt_mode", "guardrails", "prompt_cache_key", "safe_prompt",
		"messages[].role", "messages[].content", "messages[].tool_calls", "messages[].prefix", "messages[].tool_call_id",
		"messages[].content[].type", "messages[].content[].text", "messages[].content[].image_url", "messages[].content[].document_url",
		"messages[].content[].document_name", "messages[].content[].file_id", "messages[].content[].input_audio",
		"messages[].content[].thinking", "messages[].content[].signature", "messages[].content[].closed", "messages[].content[].reference_ids",
		"messages[].tool_calls[].id", "messages[].tool_calls[].type", "messages[].tool_calls[].function", "messages[].tool_calls[].index",
		// Of a request for embeddings.
		"input", "output_dimension", "output_dtype", "encoding_format",
	},
}
