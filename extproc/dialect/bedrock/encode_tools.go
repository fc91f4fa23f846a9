package bedrock

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxToolName is the longest name that the API takes.
const maxToolName = 64

// A toolPlan is what a request will say of tools.
type toolPlan struct {
	tools     []llm.Tool
	forbidden bool // they are there only because the conversation has used them
}

// planTools says which tools are sent. The API demands them for a conversation
// that holds calls, although none shall be made, and those that the client does
// not describe any more too.
func (e *requestEncoder) planTools(turns []turn) toolPlan {
	r := e.Request
	var plan toolPlan
	for _, t := range r.Tools {
		if r.ToolChoice.Allowed == nil || slices.Contains(r.ToolChoice.Allowed, t.Name) {
			plan.tools = append(plan.tools, t)
		}
	}
	used := usedTools(turns)
	switch {
	case len(used) == 0 && r.ToolChoice.Mode == llm.ToolNone:
		plan.tools = nil
	case len(used) == 0:
	case len(plan.tools) == 0:
		for _, name := range used {
			plan.tools = append(plan.tools, llm.Tool{Name: name})
		}
		plan.forbidden = true
	default:
		plan.forbidden = r.ToolChoice.Mode == llm.ToolNone
	}
	return plan
}

// usedTools returns the names of the tools that a conversation has called.
func usedTools(turns []turn) (names []string) {
	for _, t := range turns {
		for _, p := range t.parts {
			if p.Kind == llm.PartToolCall && !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// toolConfig writes the tools and the choice among them.
func (e *requestEncoder) toolConfig(plan toolPlan) error {
	if len(plan.tools) == 0 {
		return nil
	}
	e.dst = append(comma(e.dst, len(e.dst)-1), `"toolConfig":{"tools":[`...)
	for i, t := range plan.tools {
		e.dst = comma(e.dst, i)
		if err := e.tool(t); err != nil {
			return err
		}
		e.mark(t.Cache)
	}
	e.dst = append(e.dst, ']')
	if !plan.forbidden {
		if err := e.toolChoice(); err != nil {
			return err
		}
	}
	e.dst = append(e.dst, '}')
	return nil
}

func (e *requestEncoder) tool(t llm.Tool) error {
	if t.Type != "" {
		return e.RefuseTool(&t)
	}
	e.dst = jsonx.AppendString(append(e.dst, `{"toolSpec":{"name":`...), t.Name)
	if t.Description != "" {
		e.dst = jsonx.AppendString(append(e.dst, `,"description":`...), t.Description)
	}
	e.dst = dialect.AppendParameters(append(e.dst, `,"inputSchema":{"json":`...), t.Schema)
	e.dst = append(e.dst, '}')
	if t.Strict != nil && *t.Strict {
		if e.family == claudeFamily && !e.target.Rules.NativeSchema {
			e.Warn("tools.strict", "left out: the model does not know it")
		} else {
			e.dst = append(e.dst, `,"strict":true`...)
		}
	}
	e.dst = append(e.dst, "}}"...)
	return nil
}

// toolChoice writes the choice. That calls come one at a time can be said to
// Claude only, in its own words.
func (e *requestEncoder) toolChoice() error {
	c := e.Request.ToolChoice
	forced := c.Mode == llm.ToolRequired || c.Mode == llm.ToolNamed
	if forced && e.target.Rules.NoForcedTool {
		return llm.Unsupported(e.Name("tool_choice"), "the model %s cannot be made to call a tool", e.target.Model)
	}
	if e.Request.SerialTools && e.family == claudeFamily {
		e.add("tool_choice")
		e.more = append(e.more, `{"type":`...)
		switch c.Mode {
		case llm.ToolRequired:
			e.more = append(e.more, `"any"`...)
		case llm.ToolNamed:
			e.more = jsonx.AppendString(append(e.more, `"tool","name":`...), c.Name)
		default:
			e.more = append(e.more, `"auto"`...)
		}
		e.more = append(e.more, `,"disable_parallel_tool_use":true}`...)
		return nil
	}
	if e.Request.SerialTools {
		e.Warn("parallel_tool_calls", "left out: the model has no such control that is known")
	}
	switch c.Mode {
	case llm.ToolAuto:
		e.dst = append(e.dst, `,"toolChoice":{"auto":{}}`...)
	case llm.ToolRequired:
		e.dst = append(e.dst, `,"toolChoice":{"any":{}}`...)
	case llm.ToolNamed:
		e.dst = jsonx.AppendString(append(e.dst, `,"toolChoice":{"tool":{"name":`...), c.Name)
		e.dst = append(e.dst, "}}"...)
	}
	return nil
}
