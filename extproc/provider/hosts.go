package provider

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// hostPresets serve models of many vendors, in OpenAI's dialect.
var hostPresets = []Preset{
	{
		Kind:    "groq",
		Dialect: llm.OpenAI,
		Also:    chatAndResponses,
		URL:     "https://api.groq.com/openai/v1",
		Auth:    bearer,
		KeyVars: []string{"GROQ_API_KEY"},
		// A stream tells its usage in x_groq as well, and reasoning is in
		// delta.reasoning (groq-chat-0bb7dc5a4609).
		Usage: true,
		// https://console.groq.com/docs/openai, "Currently Unsupported OpenAI
		// Features": each is answered with 400.
		rules: served(llm.Rules{SystemRole: "system", UserField: "user", ReasoningField: "reasoning", OneAnswer: true,
			Refused: []string{"logprobs", "logit_bias", "top_logprobs", "messages[].name"}}, openModels...),
		name:  hostedName,
		lacks: map[string]string{"embeddings": "it serves none"},
	},
	{
		Kind:    "together",
		Dialect: llm.OpenAI,
		URL:     "https://api.together.xyz/v1",
		Hosts:   []string{"api.together.ai"},
		Auth:    bearer,
		KeyVars: []string{"TOGETHER_API_KEY"},
		Usage:   true,
		rules:   served(older, openModels...), // finish_reason may be eos: together-chat-13d0208db9da
		name:    hostedName,
	},
	{
		Kind:    "openrouter",
		Dialect: llm.OpenAI,
		Also:    chatAndResponses,
		URL:     "https://openrouter.ai/api/v1",
		Auth:    bearer,
		KeyVars: []string{"OPENROUTER_API_KEY"},
		Usage:   true, // in the chunk with the finish reason: openrouter-chat-004f653027d6
		Models: []string{"ai21/*", "amazon/*", "anthropic/*", "cohere/*", "deepseek/*", "google/*", "meta-llama/*", "microsoft/*",
			"minimax/*", "mistralai/*", "moonshotai/*", "nvidia/*", "openai/*", "openrouter/*", "perplexity/*", "qwen/*", "x-ai/*", "z-ai/*"},
		// It takes both names of the limit, the role developer
		// (openrouter-chat-041932e7454f) and OpenAI's efforts for all models; what a
		// model does not take it leaves out: https://openrouter.ai/docs/api-reference/parameters.
		// Comments keep the connection open, and codes of errors are numbers
		// (openrouter-chat-8a0d2c90a9db).
		rules: served(llm.Rules{Reasons: true, UserField: "user", ReasoningField: "reasoning", ReasoningDetails: true}),
	},
	{
		Kind:    "fireworks",
		Dialect: llm.OpenAI,
		Also:    chatAndResponses,
		URL:     "https://api.fireworks.ai/inference/v1",
		Auth:    bearer,
		KeyVars: []string{"FIREWORKS_API_KEY"},
		Models:  []string{"accounts/fireworks/models/*", "accounts/fireworks/routers/*"},
		// https://docs.fireworks.ai/tools-sdks/openai-compatibility
		rules: served(with(older, llm.Rules{ReasoningField: "reasoning_content"}), openModels...),
		name:  hostedName,
	},
	{
		Kind:    "cerebras",
		Dialect: llm.OpenAI,
		URL:     "https://api.cerebras.ai/v1",
		Auth:    bearer,
		KeyVars: []string{"CEREBRAS_API_KEY"},
		Usage:   true,
		// https://inference-docs.cerebras.ai/resources/openai: these are answered
		// with 400, and the role developer is not known. Reasoning is in
		// message.reasoning (cerebras-chat-0146a8e861c6).
		rules: served(llm.Rules{SystemRole: "system", UserField: "user",
			Refused: []string{"frequency_penalty", "logit_bias", "presence_penalty", "parallel_tool_calls", "service_tier"}}, openModels...),
		name:  hostedName,
		lacks: map[string]string{"embeddings": "it serves none"},
	},
	{
		Kind:    "huggingface",
		Dialect: llm.OpenAI,
		Also:    chatAndResponses,
		URL:     "https://router.huggingface.co/v1",
		Auth:    bearer,
		KeyVars: []string{"HF_TOKEN"},
		Usage:   true,
		rules:   served(older, openModels...), // it passes on to who serves the model; deltas may repeat the role
		name:    hostedName,
		lacks:   map[string]string{"embeddings": "not below this URL"},
	},
	{
		Kind:    "snowflake",
		Dialect: llm.OpenAI,
		Hosts:   []string{"*.snowflakecomputing.com"},
		Auth:    bearer,
		KeyVars: []string{"SNOWFLAKE_PAT"},
		URLVar:  "SNOWFLAKE_CORTEX_URL",
		Needs:   []string{"url"},
		Usage:   true,
		// An account has a host of its own, and the path is /api/v2/cortex/v1:
		// https://docs.snowflake.com/user-guide/snowflake-cortex/open_ai_sdk. Finish
		// reasons may be empty, and objects that are not there are filled with
		// zeroes (snowflake-chat-143a73c60f11); reasoning is in reasoning_details.
		rules: served(llm.Rules{SystemRole: "system", UserField: "user"},
			rule{"claude-*", llm.Rules{Reasons: true}},
			rule{"openai-gpt-5*", reasoning}),
	},
}

// openModels are models with open weights, wherever they are served. Sources:
// the cards of the models.
var openModels = []rule{
	{"gpt-oss*", llm.Rules{Reasons: true, Context: 131_072, Efforts: effortsO}}, // groq-chat-*: openai/gpt-oss-120b
	{"deepseek-r1*", llm.Rules{Reasons: true}},
	{"kimi-k2-instruct-0905", llm.Rules{Context: 262_144}},
	{"llama-3.[123]-*", llm.Rules{Context: 131_072}},
}

// hostedName is a model's name without its vendor's, in lower case, and without
// the name of who serves it, which Hugging Face has after a colon.
func hostedName(model string) string {
	name, _, _ := strings.Cut(strings.ToLower(afterSlash(model)), ":")
	return name
}
