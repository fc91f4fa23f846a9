package provider

import "github.com/attache-gateway/attache/extproc/llm"

// vendorPresets are vendors of their own models whose APIs are compatible with
// OpenAI's.
var vendorPresets = []Preset{
	{
		Kind:    "deepseek",
		Dialect: llm.OpenAI,
		Also:    chatAndResponses, // deepseek-responses-*: below the same URL
		URL:     "https://api.deepseek.com",
		Auth:    bearer,
		KeyVars: []string{"DEEPSEEK_API_KEY"},
		Usage:   true, // in the chunk with the finish reason: deepseek-chat-2ae5bc76b8f6
		Models:  []string{"deepseek-*"},
		rules: served(deepSeek,
			// https://api-docs.deepseek.com/quick_start/pricing has the sizes, and who
			// sees; the context is the one in deepseek-chat-aa36ee99a186.
			rule{"deepseek-v4-pro", llm.Rules{Reasons: true, Context: 1_048_565, MaxOutput: 384_000, NoImages: true}},
			rule{"deepseek-*flash*", llm.Rules{Reasons: true, Context: 1_048_565, MaxOutput: 384_000}},
			rule{"deepseek-reasoner", llm.Rules{Reasons: true}}),
		lacks: map[string]string{"embeddings": "it sells none"},
	},
	{
		Kind:    "xai",
		Dialect: llm.OpenAI,
		Also:    chatAndResponses,
		URL:     "https://api.x.ai/v1",
		Hosts:   []string{"*.api.x.ai"},
		Auth:    bearer,
		KeyVars: []string{"XAI_API_KEY"},
		// completion_tokens are without reasoning_tokens (xai-chat-0a330d1a9538 and
		// all others), so Envoy would count too few.
		Models: []string{"grok-*"},
		rules: served(llm.Rules{SystemRole: "system", UserField: "user", ReasoningField: "reasoning_content"},
			// Which models take an effort, and which, is what their entries at
			// /v1/models say, read on 2026-10-01: docs.rs/crate/mindfork, xai_tests.rs.
			rule{"grok-3-mini*", llm.Rules{Reasons: true, Efforts: []string{"low", "high"}}},
			rule{"grok-4.3", llm.Rules{Reasons: true, Context: 1_000_000, Efforts: []string{"none", "low", "medium", "high", "xhigh"}}},
			rule{"grok-4.[5-9]*", llm.Rules{Reasons: true, Context: 500_000, Efforts: []string{"low", "medium", "high", "xhigh"}, NoThinkingOff: true}},
			rule{"grok-code-fast-1", llm.Rules{Context: 256_000, Refused: []string{"reasoning_effort"}}},
			rule{"grok-build-*", llm.Rules{Context: 256_000, Refused: []string{"reasoning_effort"}}},
			rule{"grok-4*", llm.Rules{Refused: []string{"reasoning_effort"}}}),
		lacks: map[string]string{"embeddings": "it sells none"},
	},
	// Sonar's Chat Completions ended on 2026-09-27 ("Sonar is now the Agent API"):
	// https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar/overview
	{
		Kind:    "perplexity",
		Dialect: llm.Responses,
		URL:     "https://api.perplexity.ai/v1",
		Auth:    bearer,
		KeyVars: []string{"PERPLEXITY_API_KEY", "PPLX_API_KEY"},
		Models:  []string{"perplexity/*"},
		rules:   served(llm.Rules{SystemRole: "system"}),
	},
	// What still speaks Sonar's format: lines end in CRLF, there is no [DONE], and
	// every chunk has the usage so far (perplexity-chat-0663be35d64f). Error codes
	// are numbers (perplexity-chat-68a27abc51cb).
	{
		Kind:    "perplexity",
		Dialect: llm.OpenAI,
		URL:     "https://api.perplexity.ai",
		Auth:    bearer,
		Usage:   true,
		Models:  []string{"sonar", "sonar-*"},
		rules: served(with(older, llm.Rules{NoUsageOption: true, OneAnswer: true}),
			rule{"sonar-reasoning*", llm.Rules{Reasons: true, Efforts: effortsO}}, // perplexity-chat-19db132e69b8
			rule{"sonar-deep-research", llm.Rules{Reasons: true, Efforts: effortsO}}),
		lacks: map[string]string{"tools": "Sonar calls none", "embeddings": "Perplexity has an API of its own for them"},
	},
	{
		Kind:    "moonshot",
		Dialect: llm.OpenAI,
		URL:     "https://api.moonshot.ai/v1",
		Hosts:   []string{"api.moonshot.cn"},
		Auth:    bearer,
		KeyVars: []string{"MOONSHOT_API_KEY"},
		// Usage is in the chunk with the finish reason (moonshot-chat-ae0b3ae58d58),
		// and what was cached stands in usage.cached_tokens (moonshot-chat-bcb009630b0f),
		// where Envoy does not look.
		Models: []string{"kimi-*", "moonshot-*"},
		// Temperatures are from 0 to 1: https://platform.moonshot.cn/docs/guide/migrating-from-openai-to-kimi.
		// Kimi refuses all but its own ("invalid temperature: only 1 is allowed for
		// this model"), wants its reasoning back with tool calls, and K3 knows three
		// efforts: https://platform.kimi.ai/docs/api/models-overview
		rules: served(llm.Rules{SystemRole: "system", ReasoningField: "reasoning_content", MaxTemperature: 1},
			rule{"kimi-k3*", llm.Rules{Reasons: true, NoSampling: true, NoThinkingOff: true, Context: 1_048_576, Efforts: []string{"low", "high", "max"}}},
			rule{"kimi-*", llm.Rules{NoSampling: true, Context: 262_144}},
			rule{"moonshot-v1-8k*", llm.Rules{MaxTokensField: "max_tokens", Context: 8192}},
			rule{"moonshot-v1-32k*", llm.Rules{MaxTokensField: "max_tokens", Context: 32_768}},
			rule{"moonshot-v1-128k*", llm.Rules{MaxTokensField: "max_tokens", Context: 131_072}},
			rule{"moonshot-*", llm.Rules{MaxTokensField: "max_tokens"}}),
		lacks: map[string]string{"embeddings": "it sells none"},
	},
	{
		Kind:    "zai",
		Dialect: llm.OpenAI,
		URL:     "https://api.z.ai/api/paas/v4",
		Hosts:   []string{"open.bigmodel.cn"},
		Auth:    bearer,
		KeyVars: []string{"ZAI_API_KEY"},
		Usage:   true, // in the chunk with the finish reason: zai-chat-155baee1f7bc
		Models:  []string{"glm-*"},
		// https://docs.z.ai/api-reference/llm/chat-completion: max_tokens, user_id, the
		// temperature from 0 to 1, one stop word, and no schemas. A tool that is
		// named is taken all the same (zai-chat-263771afe3e5), and reasoning
		// comes and goes as reasoning_content.
		rules: served(with(older, llm.Rules{ReasoningField: "reasoning_content", UserField: "user_id", MaxTemperature: 1, MaxStop: 1, NoSchema: true}),
			rule{"glm-4.[5-9]*", llm.Rules{Reasons: true}},
			rule{"glm-[5-9]*", llm.Rules{Reasons: true}}),
		lacks: map[string]string{"embeddings": "not below this URL"},
	},
}

// deepSeek is what the server departs in: https://api-docs.deepseek.com/api/create-chat-completion.
// Reasoning that belongs to a tool call has to come back (deepseek-chat-2ae5bc76b8f6),
// and response_format is text or json_object.
var deepSeek = llm.Rules{MaxTokensField: "max_tokens", SystemRole: "system", UserField: "user", ReasoningField: "reasoning_content", NoSchema: true}
