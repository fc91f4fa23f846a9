package gemini

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/llm"
)

// levelOf maps levels of effort to those of the API, and budgetOf to tokens for
// models that know budgets only.
var (
	levelOf = map[string]string{
		"minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high",
	}
	budgetOf = map[string]int64{
		"minimal": 512, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 32768,
	}
)

// leastBudget is the smallest budget of the models whose thinking cannot be
// switched off.
const leastBudget = 128

// thinking says how the model shall think, by its rules: newer models are told
// a level, older ones a budget.
func (e *requestEncoder) thinking() {
	r := e.Request.Reasoning
	if r == nil {
		return
	}
	const field = "reasoning_effort"
	off := r.Mode == "disabled" || r.Effort == "none"
	switch {
	case !off && r.Mode == "" && r.Effort == "" && r.Budget == 0:
		return
	case !e.rules.Reasons && !e.rules.Adaptive:
		if !off {
			e.Warn(field, "left out: the model does not think")
		}
		return
	case off && (e.rules.NoThinkingOff || e.rules.Adaptive):
		e.Warn(field, "the model's thinking cannot be switched off; it was told to think little")
	}
	e.key("thinkingConfig")
	e.dst = append(e.dst, '{')
	if e.rules.Adaptive && (r.Budget == 0 || e.rules.NoBudget) {
		e.level(r, off)
	} else {
		e.budget(r, off)
	}
	if !off && r.Display != "omitted" {
		e.value("includeThoughts", "true")
	}
	e.dst = append(e.dst, '}')
}

// level writes a level where one was asked for; the model finds its own
// otherwise.
func (e *requestEncoder) level(r *llm.Reasoning, off bool) {
	level := levelOf[r.Effort]
	switch {
	case off:
		level = "minimal"
	case r.Effort == "xhigh" || r.Effort == "max":
		e.Warn("reasoning_effort", "became high, the highest level of the API")
	case level == "" && r.Budget > 0:
		level = "high"
		for _, l := range [...]string{"medium", "low"} {
			if r.Budget <= budgetOf[l] {
				level = l
			}
		}
		e.Warn("reasoning_effort", "the budget became the level "+level)
	}
	if level == "minimal" && e.rules.NoThinkingOff {
		level = "low"
	}
	if level != "" {
		e.value("thinkingLevel", `"`+level+`"`)
	}
}

// budget writes a budget that leaves a quarter of the output to the answer.
func (e *requestEncoder) budget(r *llm.Reasoning, off bool) {
	n := r.Budget
	switch {
	case off && e.rules.NoThinkingOff:
		n = leastBudget
	case off:
		n = 0
	case n == 0 && budgetOf[r.Effort] > 0:
		n = budgetOf[r.Effort]
	case n == 0:
		n = dynamic
	}
	if e.rules.MaxBudget > 0 {
		n = min(n, e.rules.MaxBudget)
	}
	if e.Request.MaxTokens > 0 && n >= e.Request.MaxTokens {
		n = e.Request.MaxTokens * 3 / 4
	}
	e.value("thinkingBudget", strconv.FormatInt(n, 10))
}
