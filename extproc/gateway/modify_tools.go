package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// toolChoice is which tools the model may or must call: auto, none, required, or
// the name of one in an object.
var toolChoice = field{
	set:   setToolChoice,
	clear: func(r *llm.Request) { r.ToolChoice = llm.ToolChoice{} },
	fits:  func(r *llm.Request) bool { return len(r.Tools) > 0 },
	bytes: chooseTool,
}

var errNoTool = errors.New(`want auto, none, required, or {"name": …}`)

func setToolChoice(r *llm.Request, v *jsonx.Reader) (err error) {
	r.ToolChoice = llm.ToolChoice{}
	if v.Kind() != jsonx.Object {
		word, err := oneOf(v, string(llm.ToolAuto), string(llm.ToolNone), string(llm.ToolRequired))
		r.ToolChoice.Mode = llm.ToolMode(word)
		return err
	}
	err = v.Object(func(name []byte) (err error) {
		if string(name) != "name" {
			return errNoTool
		}
		r.ToolChoice.Name, err = v.String()
		return err
	})
	if err == nil && r.ToolChoice.Name == "" {
		err = errNoTool
	}
	r.ToolChoice.Mode = llm.ToolNamed
	return err
}

// chooseTool writes the choice in the client's bytes.
func chooseTool(c *change) {
	r := c.req
	if r.Dialect == llm.Bedrock && r.ToolChoice.Mode == llm.ToolNone && !callsTools(r) { // it has no word for none
		setMember(r, "toolConfig", nil)
		return
	}
	wire := change{&Modification{Path: c.Path, Value: choiceOf(r)}, r, c.names}
	wire.bytes(true)
}

// callsTools reports whether a conversation holds calls. Bedrock demands that their
// tools are described.
func callsTools(r *llm.Request) bool {
	return slices.ContainsFunc(r.Messages, func(m llm.Message) bool {
		return slices.ContainsFunc(m.Parts, func(p llm.Part) bool { return p.Kind == llm.PartToolCall })
	})
}

// toolChoices are how the formats call the modes. Bedrock has objects for them.
var toolChoices = map[string]map[llm.ToolMode]string{
	llm.OpenAI:    {llm.ToolAuto: `"auto"`, llm.ToolNone: `"none"`, llm.ToolRequired: `"required"`, llm.ToolNamed: `{"type":"function","function":{"name":%s}}`},
	llm.Responses: {llm.ToolAuto: `"auto"`, llm.ToolNone: `"none"`, llm.ToolRequired: `"required"`, llm.ToolNamed: `{"type":"function","name":%s}`},
	llm.Gemini:    {llm.ToolAuto: `{"mode":"AUTO"}`, llm.ToolNone: `{"mode":"NONE"}`, llm.ToolRequired: `{"mode":"ANY"}`, llm.ToolNamed: `{"mode":"ANY","allowedFunctionNames":[%s]}`},
	llm.Bedrock:   {llm.ToolAuto: `{"auto":{}}`, llm.ToolRequired: `{"any":{}}`, llm.ToolNamed: `{"tool":{"name":%s}}`},
	llm.Anthropic: {llm.ToolAuto: `{"type":"auto"}`, llm.ToolNone: `{"type":"none"}`, llm.ToolRequired: `{"type":"any"}`, llm.ToolNamed: `{"type":"tool","name":%s}`},
}

// choiceOf is the choice of a request in the client's format, nil if that has none.
func choiceOf(r *llm.Request) []byte {
	text, ok := toolChoices[r.Dialect][r.ToolChoice.Mode]
	if !ok {
		return nil
	}
	value := []byte(text)
	if r.ToolChoice.Mode == llm.ToolNamed {
		value = fmt.Appendf(nil, text, jsonx.AppendString(nil, r.ToolChoice.Name))
	}
	if r.Dialect == llm.Anthropic && r.SerialTools && r.ToolChoice.Mode != llm.ToolNone {
		value = objectOf(value).with("disable_parallel_tool_use", []byte("true"))
	}
	return value
}

// parallelTools changes whether the model may call several tools at once, which
// the Messages API has in the choice of a tool, and the other way round.
func parallelTools(c *change) {
	r := c.req
	serial := strconv.AppendBool(nil, r.SerialTools)
	switch {
	case r.Dialect != llm.Anthropic:
		setMember(r, "parallel_tool_calls", c.Value)
	case memberAt(r, "tool_choice") != nil:
		setMember(r, "tool_choice.disable_parallel_tool_use", serial)
	case r.SerialTools:
		setMember(r, "tool_choice", []byte(`{"type":"auto","disable_parallel_tool_use":true}`))
	}
}
