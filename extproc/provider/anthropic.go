package provider

import "github.com/attache-gateway/attache/extproc/llm"

var anthropicPresets = []Preset{{
	Kind:    "anthropic",
	Dialect: llm.Anthropic,
	URL:     "https://api.anthropic.com",
	Below:   "/v1",
	Auth:    Auth{Header: "x-api-key"},
	KeyVars: []string{"ANTHROPIC_API_KEY"},
	URLVar:  "ANTHROPIC_BASE_URL",
	Usage:   true,
	Models:  []string{"claude-*"},
	rules:   claude,
}}

// The limits of output tokens.
const k4, k8, k32, k64, k128 = 4096, 8192, 32_000, 64_000, 128_000

// The contexts.
const context200, contextLong = 200_000, 1_000_000

// Anthropic's models. Sources: the model catalogue of @ai-sdk/anthropic and
// Anthropic's notes on the versions, November 2026; the sizes are those of
// https://platform.claude.com/docs/en/about-claude/models/overview.
var (
	// What became of thinking with the versions: budgets only; budgets or
	// effort; effort only; not to be switched off; not with forced tools.
	budget = llm.Rules{Reasons: true, Context: context200, MaxOutput: k64, NativeSchema: true}
	newer  = llm.Rules{Reasons: true, Context: contextLong, MaxOutput: k128, NativeSchema: true, NoPrefill: true, Adaptive: true}
	either = with(newer, llm.Rules{Efforts: []string{"low", "medium", "high", "max"}}) // xhigh came later
	effort = with(newer, llm.Rules{NoSampling: true, NoBudget: true})
	always = with(effort, llm.Rules{NoThinkingOff: true})
	strict = with(always, llm.Rules{NoForcedTool: true})

	claude = []rule{
		{"claude-opus-5-5", strict},
		{"claude-sonnet-5-5", strict},
		{"claude-fable-5-[12]", strict},
		{"claude-fable-5", always},
		{"claude-opus-5", with(newer, llm.Rules{NoSampling: true})},
		{"claude-opus-4-[78]", effort},
		{"claude-opus-4-6", either},
		{"claude-sonnet-4-6", either},
		{"claude-opus-4-5", budget},
		{"claude-sonnet-4-5", budget},
		{"claude-haiku-4-5", budget},
		{"claude-opus-4-1", llm.Rules{Reasons: true, Context: context200, MaxOutput: k32, NativeSchema: true}},
		{"claude-opus-4", llm.Rules{Reasons: true, Context: context200, MaxOutput: k32}},
		{"claude-sonnet-4", llm.Rules{Reasons: true, Context: context200, MaxOutput: k64}},
		{"claude-3-7-*", llm.Rules{Reasons: true, Context: context200, MaxOutput: k64}},
		{"claude-3-5-*", llm.Rules{Context: context200, MaxOutput: k8}},
		{"claude-3*", llm.Rules{Context: context200, MaxOutput: k4}},
		{"claude-2*", llm.Rules{MaxOutput: k4}},
		{"claude-instant*", llm.Rules{MaxOutput: k4}},
		// Sonnet 5, Haiku 5.5 and whatever is newer than this table.
		{"*", effort},
	}
)
