package provider

import (
	"path"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A rule says what the models with names of a pattern, without a date, depart
// in. Of a list the first that fits holds.
type rule struct {
	pattern string // as in path.Match
	rules   llm.Rules
}

// RulesFor returns what a model departs in from its dialect's document, at the
// server with the given base URL. A model that nothing is known of departs in
// nothing.
func RulesFor(kind, baseURL, model string) llm.Rules {
	switch {
	case kind == "anthropic":
		return find(claude, model)
	case kind == "bedrock":
		return bedrock(model)
	case kind == "gemini":
		return find(gemini, model)
	case kind == "openai" && Own(kind, baseURL):
		return find(openAI, model)
	case kind == "openai":
		return compatible(model)
	}
	return llm.Rules{}
}

// compatible returns the rules for a server that speaks OpenAI's dialect. Most
// know it as it was before reasoning models. Some only pass requests on to
// OpenAI; a reasoning model's name, with or without a vendor before it, says so.
func compatible(model string) llm.Rules {
	if r := find(openAI, model[strings.LastIndexByte(model, '/')+1:]); r.Reasons {
		return r
	}
	return llm.Rules{MaxTokensField: "max_tokens", SystemRole: "system", ExtraContent: strings.Contains(model, "gemini")}
}

func find(list []rule, model string) llm.Rules {
	model = undated(model)
	for _, r := range list {
		if ok, _ := path.Match(r.pattern, model); ok {
			return r.rules
		}
	}
	return llm.Rules{}
}

// OpenAI's models. Source: the model catalogue of @ai-sdk/openai, November 2026.
var (
	reasoning = llm.Rules{Reasons: true, SystemRole: "developer"}

	// Sampling parameters are taken by none of these at their default effort.
	noSampling = llm.Rules{Reasons: true, SystemRole: "developer", NoSampling: true}

	openAI = []rule{
		{"gpt-[5-9]*-chat*", llm.Rules{}},
		{"gpt-5.[1-9]*", reasoning}, // their default effort is none
		{"gpt-[5-9]*", noSampling},
		{"o[1-9]*", noSampling},
		{"gpt-4o*-search-preview", llm.Rules{NoSampling: true}},
	}
)

// The limits of output tokens.
const k4, k8, k32, k64, k128 = 4096, 8192, 32_000, 64_000, 128_000

// Anthropic's models. Source: the model catalogue of @ai-sdk/anthropic and
// Anthropic's notes on the versions, November 2026.
var (
	// What became of thinking with the versions: budgets only; budgets or
	// effort; effort only; not to be switched off; not with forced tools.
	budget = llm.Rules{Reasons: true, MaxOutput: k64, NativeSchema: true}
	either = llm.Rules{Reasons: true, MaxOutput: k128, NativeSchema: true, NoPrefill: true, Adaptive: true}
	effort = with(either, llm.Rules{NoSampling: true, NoBudget: true})
	always = with(effort, llm.Rules{NoThinkingOff: true})
	strict = with(always, llm.Rules{NoForcedTool: true})

	claude = []rule{
		{"claude-opus-5-5", strict},
		{"claude-sonnet-5-5", strict},
		{"claude-fable-5-[12]", strict},
		{"claude-fable-5", always},
		{"claude-opus-5", with(either, llm.Rules{NoSampling: true})},
		{"claude-opus-4-[78]", effort},
		{"claude-opus-4-6", either},
		{"claude-sonnet-4-6", either},
		{"claude-opus-4-5", budget},
		{"claude-sonnet-4-5", budget},
		{"claude-haiku-4-5", budget},
		{"claude-opus-4-1", llm.Rules{Reasons: true, MaxOutput: k32, NativeSchema: true}},
		{"claude-opus-4", llm.Rules{Reasons: true, MaxOutput: k32}},
		{"claude-sonnet-4", llm.Rules{Reasons: true, MaxOutput: k64}},
		{"claude-3-7-*", llm.Rules{Reasons: true, MaxOutput: k64}},
		{"claude-3-5-*", llm.Rules{MaxOutput: k8}},
		{"claude-[23]*", llm.Rules{MaxOutput: k4}},
		{"claude-instant*", llm.Rules{MaxOutput: k4}},
		// Sonnet 5, Haiku 5.5 and whatever is newer than this table.
		{"*", effort},
	}
)

// Google's models. Sources: Google's pages on thinking and on thought signatures,
// and the model catalogue of @ai-sdk/google, November 2026.
var (
	// Up to 2.0 they do not think; 2.5 is told a budget, and what is newer a
	// level. Penalties are for Vertex alone there.
	unthinking = llm.Rules{NativeSchema: true, SchemaOrTools: true}
	budgeted   = llm.Rules{Reasons: true, NativeSchema: true, SchemaOrTools: true, NoPenalties: true, MaxBudget: 24_576}
	leveled    = llm.Rules{Reasons: true, NativeSchema: true, Adaptive: true, NoBudget: true, SignedCalls: true}

	gemini = []rule{
		{"*embedding*", llm.Rules{}},
		{"gemini-2.5-*-image*", llm.Rules{}},
		{"gemini-2.5-*-tts*", llm.Rules{}},
		{"gemini-2.5-pro*", llm.Rules{Reasons: true, NativeSchema: true, SchemaOrTools: true, NoPenalties: true,
			MaxBudget: 32_768, NoThinkingOff: true}},
		{"gemini-2.5-*", budgeted},
		{"gemini-[12].*", unthinking},
		{"gemini-pro*", with(leveled, llm.Rules{NoThinkingOff: true})},
		{"gemini-[3-9]*-pro*", with(leveled, llm.Rules{NoThinkingOff: true})},
		// Flash of 3 and later, and whatever is newer than this table.
		{"*", leveled},
	}
)

// with returns a with the departures of b added.
func with(a, b llm.Rules) llm.Rules {
	a.NoSampling = a.NoSampling || b.NoSampling
	a.NoBudget = a.NoBudget || b.NoBudget
	a.NoThinkingOff = a.NoThinkingOff || b.NoThinkingOff
	a.NoForcedTool = a.NoForcedTool || b.NoForcedTool
	return a
}

// undated returns a model's name without the date or the "latest" at its end,
// which say nothing about its rules and, for most, its price.
func undated(model string) string {
	for _, suffix := range [...]string{"-latest", "-0", "-dddddddd", "-dddd-dd-dd"} {
		if n := len(model) - len(suffix); n > 0 && fits(model[n:], suffix) {
			return model[:n]
		}
	}
	return model
}

// fits reports whether s, as long as the form, is of it. A d stands for a digit.
func fits(s, form string) bool {
	for i := range len(form) {
		if form[i] == 'd' && (s[i] < '0' || s[i] > '9') || form[i] != 'd' && s[i] != form[i] {
			return false
		}
	}
	return true
}
