package anthropic

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// thinking is what a request will say of it.
type thinking struct {
	on      bool
	mode    string // "": say nothing
	budget  int64
	effort  string
	display string
	limit   int64 // max_tokens
}

// The API's smallest budget, and budgets for the levels of effort where a model
// knows no levels.
const minBudget = 1024

var budgetOf = map[string]int64{
	"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 32768,
}

// planThinking says how the model shall think, by its rules. Adaptive models
// are told the effort, older ones a budget below the limit of the output.
func (e *requestEncoder) planThinking(limit int64, turns []turn) thinking {
	plan := thinking{limit: limit}
	r := e.req.Reasoning
	if r == nil {
		return plan
	}
	off := r.Mode == "disabled" || r.Effort == "none"
	switch {
	case off && !e.rules.Reasons && !e.rules.Adaptive:
		return plan
	case off && e.rules.NoThinkingOff:
		e.warn("reasoning_effort", "the model's thinking cannot be switched off; it was told to think little")
		plan.effort = "low"
		return plan
	case off:
		plan.mode = "disabled"
		return plan
	case r.Mode == "" && r.Effort == "" && r.Budget == 0:
		return plan
	case !e.rules.Reasons && !e.rules.Adaptive:
		e.warn("reasoning_effort", "left out: the model does not think")
		return plan
	}
	plan.display = r.Display
	if e.rules.Adaptive && (r.Budget == 0 || e.rules.NoBudget) {
		plan.on, plan.mode, plan.effort = true, "adaptive", effortOf(r)
	} else {
		e.planBudget(&plan, turns)
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

func (e *requestEncoder) planBudget(plan *thinking, turns []turn) {
	r := e.req.Reasoning
	budget := r.Budget
	if budget == 0 {
		budget = budgetOf[r.Effort]
	}
	if budget == 0 {
		budget = budgetOf["medium"]
	}
	mode := e.req.ToolChoice.Mode
	switch {
	case mode == llm.ToolRequired || mode == llm.ToolNamed:
		e.warn("reasoning_effort", "left out: the model does not think when it must call a tool")
		return
	case unthoughtCall(turns):
		e.warn("reasoning_effort", "left out: the tool calls in the last turn have lost their thinking")
		return
	}
	if e.req.MaxTokens == 0 && e.rules.MaxOutput == 0 {
		plan.limit = max(plan.limit, budget+defaultMaxTokens)
	}
	if budget >= plan.limit {
		budget = plan.limit * 3 / 4
	}
	if budget < minBudget {
		e.warn("reasoning_effort", "left out: the limit of output tokens leaves no room to think")
		return
	}
	plan.on, plan.mode, plan.budget = true, "enabled", budget
}

// unthoughtCall reports whether the conversation ends with results of tools
// whose calls come without the thinking before them: the API wants it back,
// and clients of other formats have lost it.
func unthoughtCall(turns []turn) bool {
	n := len(turns)
	if n < 2 || turns[n-1].role != llm.RoleUser || turns[n-2].role != llm.RoleAssistant {
		return false
	}
	if results := turns[n-1].parts; len(results) == 0 || results[0].Kind != llm.PartToolResult {
		return false
	}
	for _, p := range turns[n-2].parts {
		switch p.Kind {
		case llm.PartReasoning, llm.PartRedacted:
			return false
		case llm.PartToolCall:
			return true
		}
	}
	return false
}

// output writes thinking and output_config.
func (e *requestEncoder) output() error {
	t := e.thinks
	if t.mode != "" {
		e.dst = append(e.dst, `,"thinking":{"type":"`...)
		e.dst = append(append(e.dst, t.mode...), '"')
		if t.budget > 0 {
			e.dst = strconv.AppendInt(append(e.dst, `,"budget_tokens":`...), t.budget, 10)
		}
		if t.display != "" {
			e.dst = append(e.dst, `,"display":`...)
			e.dst = jsonx.AppendString(e.dst, t.display)
		}
		e.dst = append(e.dst, '}')
	}
	schema, err := e.formatSchema()
	if err != nil || schema == nil && t.effort == "" {
		return err
	}
	e.dst = append(e.dst, `,"output_config":{`...)
	if t.effort != "" {
		e.dst = append(e.dst, `"effort":`...)
		e.dst = jsonx.AppendString(e.dst, t.effort)
	}
	if schema != nil {
		if t.effort != "" {
			e.dst = append(e.dst, ',')
		}
		e.dst = append(e.dst, `"format":{"type":"json_schema","schema":`...)
		e.dst = append(append(e.dst, schema...), '}')
	}
	e.dst = append(e.dst, '}')
	return nil
}

// formatSchema returns the schema of the answer that was asked for, nil if none
// was.
func (e *requestEncoder) formatSchema() ([]byte, error) {
	f := e.req.Format
	if f == nil || f.Kind != llm.FormatSchema {
		return nil, nil
	}
	if !e.rules.NativeSchema {
		return nil, llm.Unsupported("response_format", "the model %s has no structured output; use a tool with this schema instead", e.target.Model)
	}
	if f.Schema == nil {
		return []byte(emptySchema), nil
	}
	return e.outputSchema(f.Schema)
}
