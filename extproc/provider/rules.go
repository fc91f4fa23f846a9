package provider

import (
	"path"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A rule says what the models with names of a pattern, without a date, depart
// in. Of a list the first that fits holds.
type rule struct {
	pattern string // as in path.Match, but "*" fits names with slashes too
	rules   llm.Rules
}

// RulesFor returns what a model departs in from its dialect's document, at the
// server with the given base URL. A model that nothing is known of departs in
// nothing but what its server does. For a dialect that the kind is not known to
// have, the rules are those of its first.
func RulesFor(kind, dialect, baseURL, model string) llm.Rules {
	if kind == "openai" && !Own(kind, baseURL) {
		return compatible(model)
	}
	var found *Preset
	for i := range presets {
		p := &presets[i]
		if p.Kind == kind && (found == nil || p.Dialect == dialect || slices.Contains(p.Also, dialect)) {
			found = p
		}
	}
	if found == nil {
		return llm.Rules{}
	}
	if found.name != nil {
		model = found.name(model)
	}
	return find(found.rules, model)
}

func find(list []rule, model string) llm.Rules {
	model = undated(model)
	for _, r := range list {
		if ok, _ := path.Match(r.pattern, model); ok || r.pattern == "*" {
			return r.rules
		}
	}
	return llm.Rules{}
}

// served are the rules for models at a server that departs in something itself,
// and last the one for all other models.
func served(server llm.Rules, models ...rule) []rule {
	var list []rule
	for _, m := range models {
		list = append(list, rule{m.pattern, with(server, m.rules)})
	}
	return append(list, rule{"*", server})
}

// compatible returns the rules for a server that speaks OpenAI's dialect and
// that nothing else is known of. Most know it as it was before reasoning
// models. Some only pass requests on to OpenAI; a reasoning model's name, with
// or without a vendor before it, says so.
func compatible(model string) llm.Rules {
	if r := find(openAI, afterSlash(model)); r.Reasons {
		return r
	}
	r := older
	r.ExtraContent = strings.Contains(model, "gemini")
	return r
}

// older is what servers depart in that know the dialect as it was before
// reasoning models.
var older = llm.Rules{MaxTokensField: "max_tokens", SystemRole: "system", UserField: "user"}

// afterSlash is a model's name without its vendor's.
func afterSlash(model string) string { return model[strings.LastIndexByte(model, '/')+1:] }

// with returns a with what b says, where it says something.
func with(a, b llm.Rules) llm.Rules {
	for _, f := range ruleFields {
		f.copy(&a, &b)
	}
	return a
}

// undated returns a model's name without the date or the "latest" at its end,
// which say nothing about its rules and, for most, its price.
func undated(model string) string {
	for _, suffix := range [...]string{"-latest", "-0", "-dddddddd", "@dddddddd", "-dddd-dd-dd"} {
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
