package provider

import "github.com/attache-gateway/attache/extproc/llm"

// localPresets are programs that people run themselves. They serve what was
// loaded, so that the models have to be named.
var localPresets = []Preset{
	{
		Kind:    "ollama",
		Dialect: llm.OpenAI,
		Also:    chatAndResponses,
		URL:     "http://127.0.0.1:11434/v1",
		Hosts:   []string{"ollama.com"},
		Auth:    bearer,
		URLVar:  "OLLAMA_BASE_URL",
		Keyless: true,
		Usage:   true,
		// https://docs.ollama.com/api/openai-compatibility has the members that it
		// knows; it leaves the others out. Reasoning is in message.reasoning
		// (ollama-chat-*, gpt-oss:120b).
		rules: served(with(older, llm.Rules{ReasoningField: "reasoning"}), openModels...),
		name:  hostedName,
	},
	{
		Kind:    "vllm",
		Dialect: llm.OpenAI,
		Also:    chatAndResponses,
		URL:     "http://127.0.0.1:8000/v1",
		Auth:    bearer,
		KeyVars: []string{"VLLM_API_KEY"},
		URLVar:  "VLLM_BASE_URL",
		Keyless: true,
		Usage:   true,
		// https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html. It
		// takes members that it does not know, and both names of the limit.
		// Reasoning is in message.reasoning (vllm-crusoe-chat-1f4af369dd4e).
		rules: served(llm.Rules{SystemRole: "system", UserField: "user", ReasoningField: "reasoning"}, openModels...),
		name:  hostedName,
	},
}
