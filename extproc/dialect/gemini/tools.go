package gemini

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// tool reads one element of tools: functions of the client, or a tool that
// Google runs, which only its own dialect can express.
func (d *requestDecoder) tool(int) error {
	return d.object(func(name string) error {
		if d.Null() {
			return nil
		}
		if name == "functionDeclarations" {
			return d.list(d.function)
		}
		raw, err := d.Raw()
		d.req.Tools = append(d.req.Tools, llm.Tool{Type: name, Raw: raw})
		return err
	})
}

func (d *requestDecoder) function(int) error {
	if d.Kind() != jsonx.Object {
		return d.Want(jsonx.Object)
	}
	var t llm.Tool
	start := d.Offset()
	err := d.object(func(name string) (err error) {
		if d.Null() {
			return nil
		}
		switch name {
		case "name":
			t.Name, err = d.String()
		case "description":
			t.Description, err = d.String()
		case "parameters":
			t.Schema, err = d.schema()
		case "parametersJsonSchema":
			t.Schema, err = d.rawObject()
		default:
			err = d.extra()
		}
		return err
	})
	if err == nil && t.Name == "" {
		return d.Fail("must have a name")
	}
	t.Raw = d.body[start:d.Offset()]
	d.req.Tools = append(d.req.Tools, t)
	return err
}

func (d *requestDecoder) toolConfig(name string) error {
	if name != "functionCallingConfig" {
		return d.extra()
	}
	if d.Null() {
		return nil
	}
	c := &d.req.ToolChoice
	err := d.object(func(name string) error {
		switch {
		case d.Null():
			return nil
		case name == "mode":
			return d.toolMode()
		case name == "allowedFunctionNames":
			return d.Array(func(int) error {
				tool, err := d.String()
				c.Allowed = append(c.Allowed, tool)
				return err
			})
		}
		return d.extra()
	})
	if c.Mode == llm.ToolRequired && len(c.Allowed) == 1 {
		c.Mode, c.Name, c.Allowed = llm.ToolNamed, c.Allowed[0], nil
	}
	return err
}

// toolModes are the modes of calling. VALIDATED is automatic, with arguments
// that are sure to be of the schema.
var toolModes = map[string]llm.ToolMode{
	"AUTO": llm.ToolAuto, "ANY": llm.ToolRequired, "NONE": llm.ToolNone, "VALIDATED": llm.ToolAuto, "MODE_UNSPECIFIED": "",
}

func (d *requestDecoder) toolMode() error {
	d.Kind() // skips white space
	at := llm.Span{Start: d.Offset()}
	word, err := d.String()
	if err != nil {
		return err
	}
	word = strings.ToUpper(word)
	mode, ok := toolModes[word]
	if !ok {
		return llm.Invalid(d.Path(), "must be AUTO, ANY, NONE or VALIDATED")
	}
	if at.End = d.Offset(); word == "VALIDATED" {
		d.note(d.shape(), at)
	}
	d.req.ToolChoice.Mode = mode
	return nil
}
