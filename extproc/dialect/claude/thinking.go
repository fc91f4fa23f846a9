// Package claude knows what Anthropic's models want of a request, whoever
// serves them: how they are told to think, and which sampling they take.
//
// It does not know wire formats, nor which model departs in what; llm.Rules
// says that.
package claude

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Thinking is what a request will say of it.
type Thinking struct {
	On      bool
	Mode    string // as the member thinking.type; empty: say nothing
	Budget  int64  // tokens; 0: say nothing
	Effort  string // empty: say nothing
	Display string
	Limit   int64 // of output tokens, which a budget may raise
}

// DefaultMaxTokens is the limit of output tokens that every model allows.
const DefaultMaxTokens = 4096

// A Warn records a field that was left out or changed, and why.
type Warn func(field, reason string)

// The API's smallest budget, and budgets for the levels of effort where a model
// knows no levels.
const minBudget = 1024

var budgetOf = map[string]int64{
	"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 32768,
}

// PlanThinking says how the model shall think, by its rules. Adaptive models are
// told the effort, older ones a budget below the limit of the output. lost says
// that the conversation ends with results of tools whose calls came without the
// thinking before them: the models want it back, and clients of other formats
// have lost it.
func PlanThinking(req *llm.Request, rules llm.Rules, limit int64, lost bool, warn Warn) Thinking {
	plan := Thinking{Limit: limit}
	r := req.Reasoning
	if r == nil {
		return plan
	}
	off := r.Mode == "disabled" || r.Effort == "none"
	switch {
	case off && !rules.Reasons && !rules.Adaptive:
		return plan
	case off && rules.NoThinkingOff:
		warn("reasoning_effort", "the model's thinking cannot be switched off; it was told to think little")
		plan.Effort = "low"
		return plan
	case off:
		plan.Mode = "disabled"
		return plan
	case r.Mode == "" && r.Effort == "" && r.Budget == 0:
		return plan
	case !rules.Reasons && !rules.Adaptive:
		warn("reasoning_effort", "left out: the model does not think")
		return plan
	}
	plan.Display = r.Display
	if rules.Adaptive && (r.Budget == 0 || rules.NoBudget) {
		level := effortOf(r)
		plan.On, plan.Mode, plan.Effort = true, "adaptive", rules.Nearest(level)
		if plan.Effort != level {
			warn("reasoning_effort", "became "+plan.Effort+": the model does not know "+level)
		}
	} else {
		plan.planBudget(req, rules, lost, warn)
	}
	return plan
}

// effortOf is the level for an adaptive model.
func effortOf(r *llm.Reasoning) string {
	switch {
	case r.Effort == "minimal":
		return "low"
	case r.Effort != "" || r.Budget == 0:
		return r.Effort
	case r.Budget <= budgetOf["low"]:
		return "low"
	case r.Budget <= budgetOf["medium"]:
		return "medium"
	}
	return "high"
}

func (t *Thinking) planBudget(req *llm.Request, rules llm.Rules, lost bool, warn Warn) {
	r := req.Reasoning
	budget := r.Budget
	if budget == 0 {
		budget = budgetOf[r.Effort]
	}
	if budget == 0 {
		budget = budgetOf["medium"]
	}
	mode := req.ToolChoice.Mode
	switch {
	case mode == llm.ToolRequired || mode == llm.ToolNamed:
		warn("reasoning_effort", "left out: the model does not think when it must call a tool")
		return
	case lost:
		warn("reasoning_effort", "left out: the tool calls in the last turn have lost their thinking")
		return
	}
	if req.MaxTokens == 0 && rules.MaxOutput == 0 {
		t.Limit = max(t.Limit, budget+DefaultMaxTokens)
	}
	if budget >= t.Limit {
		budget = t.Limit * 3 / 4
	}
	if budget < minBudget {
		warn("reasoning_effort", "left out: the limit of output tokens leaves no room to think")
		return
	}
	t.On, t.Mode, t.Budget = true, "enabled", budget
}

// AppendMode appends the value of the member thinking, which Mode must be set for.
func (t *Thinking) AppendMode(dst []byte) []byte {
	dst = append(append(append(dst, `{"type":"`...), t.Mode...), '"')
	if t.Budget > 0 {
		dst = strconv.AppendInt(append(dst, `,"budget_tokens":`...), t.Budget, 10)
	}
	if t.Display != "" {
		dst = append(dst, `,"display":`...)
		dst = jsonx.AppendString(dst, t.Display)
	}
	return append(dst, '}')
}
