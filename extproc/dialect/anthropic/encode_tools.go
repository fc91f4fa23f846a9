package anthropic

import (
	"errors"
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// emptySchema stands for arguments that the client has not described.
const emptySchema = `{"type":"object","properties":{}}`

// maxToolName is the longest name that the API takes.
const maxToolName = 128

// tools writes the tools and the choice among them.
func (e *requestEncoder) tools() error {
	r := e.Request
	n := 0
	for _, t := range r.Tools {
		if r.ToolChoice.Allowed != nil && !slices.Contains(r.ToolChoice.Allowed, t.Name) {
			continue
		}
		if n == 0 {
			e.dst = append(e.dst, `,"tools":[`...)
		}
		e.dst = comma(e.dst, n)
		if err := e.tool(t); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return nil
	}
	e.dst = append(e.dst, ']')
	return e.toolChoice()
}

func (e *requestEncoder) tool(t llm.Tool) error {
	if t.Type != "" {
		return e.RefuseTool(&t)
	}
	e.dst = append(e.dst, `{"name":`...)
	e.dst = jsonx.AppendString(e.dst, t.Name)
	if t.Description != "" {
		e.dst = append(e.dst, `,"description":`...)
		e.dst = jsonx.AppendString(e.dst, t.Description)
	}
	schema, err := inputSchema(t.Schema)
	if err != nil {
		return llm.Invalid(e.Place(t.Raw, "tools"), "%s", err)
	}
	e.dst = append(append(e.dst, `,"input_schema":`...), schema...)
	if t.Strict != nil && *t.Strict {
		if e.rules.NativeSchema {
			e.dst = append(e.dst, `,"strict":true`...)
		} else {
			e.Warn("tools.strict", "left out: the model does not know it")
		}
	}
	e.dst = append(appendCache(e.dst, e.marks.Next(t.Cache)), '}')
	return nil
}

// inputSchema makes a schema one of an object, as the API demands.
func inputSchema(schema []byte) ([]byte, error) {
	if isNull(schema) {
		return []byte(emptySchema), nil
	}
	rd := jsonx.NewReader(schema)
	members, err := rd.Members(func([]byte) error { _, err := rd.Skip(); return err })
	if err != nil {
		return nil, errors.New("must be a JSON Schema")
	}
	body := llm.Body{Raw: schema, Members: members}
	switch kind := body.Member("type"); {
	case len(members) == 0:
		return []byte(emptySchema), nil
	case isNull(kind):
		p := body.Patch()
		p.Set("type", []byte(`"object"`))
		return dialect.OneLine(p.Bytes()), nil
	case string(kind) != `"object"`:
		return nil, errors.New("must have the type object")
	}
	return dialect.OneLine(schema), nil
}

func (e *requestEncoder) toolChoice() error {
	c := e.Request.ToolChoice
	if c.Mode == "" && !e.Request.SerialTools {
		return nil
	}
	mode := "auto"
	switch c.Mode {
	case llm.ToolNone:
		e.dst = append(e.dst, `,"tool_choice":{"type":"none"}`...)
		return nil
	case llm.ToolRequired:
		mode = "any"
	case llm.ToolNamed:
		mode = "tool"
	}
	if mode != "auto" && e.rules.NoForcedTool {
		return llm.Unsupported("tool_choice", "the model %s cannot be made to call a tool", e.target.Model)
	}
	e.dst = append(append(append(e.dst, `,"tool_choice":{"type":"`...), mode...), '"')
	if mode == "tool" {
		e.dst = append(e.dst, `,"name":`...)
		e.dst = jsonx.AppendString(e.dst, c.Name)
	}
	if e.Request.SerialTools {
		e.dst = append(e.dst, `,"disable_parallel_tool_use":true`...)
	}
	e.dst = append(e.dst, '}')
	return nil
}
