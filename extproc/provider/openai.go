package provider

import "github.com/attache-gateway/attache/extproc/llm"

var openAIPresets = []Preset{
	{
		Kind:    "openai",
		Dialect: llm.OpenAI,
		Also:    chatAndResponses,
		Full:    true,
		URL:     "https://api.openai.com/v1",
		Auth:    bearer,
		KeyVars: []string{"OPENAI_API_KEY"},
		URLVar:  "OPENAI_BASE_URL",
		Usage:   true,
		Models: []string{"gpt-*", "chatgpt-*", "codex-*", "o[1-9]*", "ft:*",
			"text-embedding-*", "omni-moderation-*", "dall-e-*", "sora-*", "tts-*", "whisper-*"},
		rules: openAI,
	},
	// Azure serves deployments, whose names are the customer's; where they are
	// OpenAI's, OpenAI's rules hold. The resource's name is in the URL. The first
	// chunk of a stream may have no choices, but prompt_filter_results
	// (azure-chat-05ed16190bce), and a 401 has the code "401" (azure-chat-c68b233d4b23).
	azureOpenAI,
	// Claude in Microsoft Foundry: the same resource, below /anthropic.
	azureClaude,
}

var (
	azureOpenAI = Preset{
		Kind:    "azure",
		Dialect: llm.OpenAI,
		Also:    chatAndResponses,
		Full:    true, // of the v1 API
		Hosting: llm.HostAzure,
		Hosts:   []string{"*.openai.azure.com", "*.cognitiveservices.azure.com", "*.services.ai.azure.com", "*.openai.azure.us", "*.openai.azure.cn"},
		Below:   "/openai",
		Auth:    Auth{Header: "api-key"},
		KeyVars: []string{"AZURE_OPENAI_API_KEY"},
		URLVar:  "AZURE_OPENAI_ENDPOINT",
		Needs:   []string{"url"},
		Usage:   true,
		rules:   openAI,
	}
	azureClaude = Preset{
		Kind:    "azure",
		Dialect: llm.Anthropic,
		Hosts:   azureOpenAI.Hosts,
		Below:   "/v1",
		Auth:    Auth{Header: "x-api-key"},
		Needs:   []string{"url"},
		Usage:   true,
		Models:  []string{"claude-*"},
		rules:   claude,
	}
)

// OpenAI's models. Sources: the model catalogue of @ai-sdk/openai, November
// 2026, and https://developers.openai.com/api/docs/models. What is told to
// reason refuses max_tokens, sampling parameters and the role system.
var (
	reasoning = llm.Rules{Reasons: true, SystemRole: "developer"}

	// Sampling parameters are taken by none of these at their default effort.
	noSampling = llm.Rules{Reasons: true, SystemRole: "developer", NoSampling: true}

	// The levels of effort that came with the versions.
	effortsO    = []string{"low", "medium", "high"}
	efforts50   = []string{"minimal", "low", "medium", "high"}
	efforts51   = []string{"none", "low", "medium", "high"}
	efforts52   = []string{"none", "low", "medium", "high", "xhigh"}
	efforts56   = []string{"none", "low", "medium", "high", "xhigh", "max"}
	efforts6    = []string{"low", "medium", "high", "xhigh", "max"}
	size400     = llm.Rules{Context: 400_000, MaxOutput: 128_000}
	sizeLong    = llm.Rules{Context: 1_050_000, MaxOutput: 128_000}
	size200     = llm.Rules{Context: 200_000, MaxOutput: 100_000}
	sizeChat    = llm.Rules{Context: 128_000, MaxOutput: 16_384}
	sizeMillion = llm.Rules{Context: 1_047_576, MaxOutput: 32_768}

	// In openai-go v3.95.0 these are models for the Responses API and not for chats.
	noChat = llm.Rules{NoChat: true}

	gpt50 = with(with(noSampling, size400), llm.Rules{Efforts: efforts50})
	gpt51 = with(with(reasoning, size400), llm.Rules{Efforts: efforts51}) // their default effort is none
	gpt54 = with(with(reasoning, sizeLong), llm.Rules{Efforts: efforts52})
	gpt56 = with(with(reasoning, sizeLong), llm.Rules{Efforts: efforts56, CacheMarks: true})
	o     = with(with(noSampling, size200), llm.Rules{Efforts: effortsO})

	openAI = []rule{
		{"gpt-[5-9]*-chat*", sizeChat},
		{"gpt-5-codex", with(gpt50, noChat)},
		{"gpt-5-pro", with(gpt50, noChat)},
		{"gpt-5.1-codex-max", with(gpt51, noChat)},
		{"gpt-5.5-pro", with(gpt54, noChat)},
		{"gpt-5.6-cyber", with(gpt56, noChat)},
		{"o[13]-pro", with(o, noChat)},
		{"o[34]*-deep-research", with(o, noChat)},
		{"computer-use-preview", noChat},
		{"gpt-5.1*", gpt51},
		{"gpt-5.[23]*", with(with(reasoning, size400), llm.Rules{Efforts: efforts52})},
		{"gpt-5.4-*", with(reasoning, llm.Rules{Efforts: efforts52})},
		{"gpt-5.[45]*", gpt54},
		{"gpt-5.6*", with(gpt56, llm.Rules{NoChatTools: true})}, // functionToolsWithReasoning in @ai-sdk/openai's catalogue
		{"gpt-5.[7-9]*", gpt56},
		{"gpt-5*", gpt50},
		{"gpt-6-luna", with(noSampling, llm.Rules{Efforts: efforts56, CacheMarks: true})},
		{"gpt-6-sol", with(noSampling, llm.Rules{Efforts: efforts56, CacheMarks: true})},
		{"gpt-6.1-terra", with(noSampling, llm.Rules{Efforts: efforts56, CacheMarks: true})},
		{"gpt-[6-9]*", with(noSampling, llm.Rules{Efforts: efforts6, CacheMarks: true})},
		{"o1-mini*", llm.Rules{Reasons: true, NoSampling: true, SystemRole: "developer", Context: 128_000, MaxOutput: 65_536}},
		{"o[1-9]*", o},
		{"gpt-4o*-search-preview", with(sizeChat, llm.Rules{NoSampling: true})},
		{"gpt-4o-*audio*", sizeChat},
		{"gpt-4o-*realtime*", llm.Rules{}},
		{"gpt-4o-*tts*", llm.Rules{}},
		{"gpt-4o-*transcribe*", llm.Rules{}},
		{"gpt-4o*", sizeChat},
		{"gpt-4.1*", sizeMillion},
		{"gpt-4-turbo*", llm.Rules{Context: 128_000, MaxOutput: 4096}},
		{"gpt-4", llm.Rules{Context: 8192, MaxOutput: 8192}},
		{"gpt-3.5-turbo", llm.Rules{Context: 16_385, MaxOutput: 4096}},
		{"text-embedding-*", llm.Rules{Context: 8192}},
	}
)
