package provider

import (
	"path"

	"github.com/attache-gateway/attache/extproc/llm"
)

// An Override is what a user says of models, in place of what is known here.
type Override struct {
	Model string    // pattern of the provider's names, as in path.Match; * alone fits all
	Given []string  // names of the fields that are said, as RuleFields has them
	Rules llm.Rules // where they are
}

// Apply changes the rules of a model that the override is for.
func (o Override) Apply(r *llm.Rules, model string) {
	if ok, err := path.Match(o.Model, model); (!ok || err != nil) && o.Model != "*" {
		return
	}
	for _, f := range ruleFields {
		for _, name := range o.Given {
			if f.name == name {
				f.set(r, &o.Rules)
			}
		}
	}
}

// RuleFields returns the names of all rules that a user can override, in the
// order of llm.Rules.
func RuleFields() []string {
	var names []string
	for _, f := range ruleFields {
		names = append(names, f.name)
	}
	return names
}

// RuleField returns a pointer to the rule of a name: *int64, *bool, *string,
// *float64 or *[]string. It is nil if there is no such rule.
func RuleField(r *llm.Rules, name string) any {
	for _, f := range ruleFields {
		if f.name == name {
			return f.at(r)
		}
	}
	return nil
}

// A ruleField is one member of llm.Rules.
type ruleField struct {
	name string
	at   func(*llm.Rules) any
	set  func(to, from *llm.Rules)
	copy func(to, from *llm.Rules) // sets it if from says something
}

func scalar[T comparable](name string, at func(*llm.Rules) *T) ruleField {
	set := func(to, from *llm.Rules) { *at(to) = *at(from) }
	return ruleField{name, func(r *llm.Rules) any { return at(r) }, set, func(to, from *llm.Rules) {
		if *at(from) != *new(T) {
			set(to, from)
		}
	}}
}

func list(name string, at func(*llm.Rules) *[]string) ruleField {
	set := func(to, from *llm.Rules) { *at(to) = *at(from) }
	return ruleField{name, func(r *llm.Rules) any { return at(r) }, set, func(to, from *llm.Rules) {
		if *at(from) != nil {
			set(to, from)
		}
	}}
}

var ruleFields = []ruleField{
	scalar("context", func(r *llm.Rules) *int64 { return &r.Context }),
	scalar("max_output", func(r *llm.Rules) *int64 { return &r.MaxOutput }),

	scalar("reasons", func(r *llm.Rules) *bool { return &r.Reasons }),
	scalar("adaptive", func(r *llm.Rules) *bool { return &r.Adaptive }),
	list("efforts", func(r *llm.Rules) *[]string { return &r.Efforts }),
	scalar("max_budget", func(r *llm.Rules) *int64 { return &r.MaxBudget }),
	scalar("no_budget", func(r *llm.Rules) *bool { return &r.NoBudget }),
	scalar("no_thinking_off", func(r *llm.Rules) *bool { return &r.NoThinkingOff }),
	scalar("no_sampling", func(r *llm.Rules) *bool { return &r.NoSampling }),
	scalar("no_forced_tool", func(r *llm.Rules) *bool { return &r.NoForcedTool }),
	scalar("no_prefill", func(r *llm.Rules) *bool { return &r.NoPrefill }),
	scalar("native_schema", func(r *llm.Rules) *bool { return &r.NativeSchema }),
	scalar("schema_or_tools", func(r *llm.Rules) *bool { return &r.SchemaOrTools }),
	scalar("signed_calls", func(r *llm.Rules) *bool { return &r.SignedCalls }),
	scalar("no_penalties", func(r *llm.Rules) *bool { return &r.NoPenalties }),
	scalar("cache_marks", func(r *llm.Rules) *bool { return &r.CacheMarks }),
	scalar("no_chat", func(r *llm.Rules) *bool { return &r.NoChat }),
	scalar("no_chat_tools", func(r *llm.Rules) *bool { return &r.NoChatTools }),
	scalar("no_images", func(r *llm.Rules) *bool { return &r.NoImages }),
	scalar("no_audio", func(r *llm.Rules) *bool { return &r.NoAudio }),
	scalar("no_files", func(r *llm.Rules) *bool { return &r.NoFiles }),
	scalar("max_media", func(r *llm.Rules) *int64 { return &r.MaxMedia }),

	scalar("max_tokens_field", func(r *llm.Rules) *string { return &r.MaxTokensField }),
	scalar("seed_field", func(r *llm.Rules) *string { return &r.SeedField }),
	scalar("user_field", func(r *llm.Rules) *string { return &r.UserField }),
	scalar("dimensions_field", func(r *llm.Rules) *string { return &r.DimensionsField }),
	scalar("reasoning_field", func(r *llm.Rules) *string { return &r.ReasoningField }),
	scalar("system_role", func(r *llm.Rules) *string { return &r.SystemRole }),
	list("members", func(r *llm.Rules) *[]string { return &r.Members }),
	list("refused", func(r *llm.Rules) *[]string { return &r.Refused }),
	scalar("max_temperature", func(r *llm.Rules) *float64 { return &r.MaxTemperature }),
	scalar("max_stop", func(r *llm.Rules) *int64 { return &r.MaxStop }),
	scalar("short_call_ids", func(r *llm.Rules) *bool { return &r.ShortCallIDs }),
	scalar("thinking_parts", func(r *llm.Rules) *bool { return &r.ThinkingParts }),
	scalar("plain_media", func(r *llm.Rules) *bool { return &r.PlainMedia }),
	scalar("tool_any", func(r *llm.Rules) *bool { return &r.ToolAny }),
	scalar("one_answer", func(r *llm.Rules) *bool { return &r.OneAnswer }),
	scalar("no_schema", func(r *llm.Rules) *bool { return &r.NoSchema }),
	scalar("no_usage_option", func(r *llm.Rules) *bool { return &r.NoUsageOption }),
	scalar("reasoning_details", func(r *llm.Rules) *bool { return &r.ReasoningDetails }),
	scalar("extra_content", func(r *llm.Rules) *bool { return &r.ExtraContent }),
}
