package anthropic

import (
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

func (d *requestDecoder) tool(int) error {
	t, err := d.oneTool()
	d.req.Tools = append(d.req.Tools, t)
	return err
}

// oneTool reads a tool. One with a type other than custom is run or known by
// the provider; only its own dialect can express it.
func (d *requestDecoder) oneTool() (llm.Tool, error) {
	if d.Kind() != jsonx.Object {
		return llm.Tool{}, d.Want(jsonx.Object)
	}
	if tag := d.Tag("type"); tag != nil && string(tag) != "custom" {
		t := llm.Tool{Type: string(tag), Name: string(d.Tag("name"))}
		var err error
		t.Raw, err = d.Raw()
		return t, err
	}
	t := llm.Tool{}
	start := d.Offset()
	err := d.Object(func(name []byte) error { return d.toolMember(&t, string(name)) })
	if err != nil {
		return t, err
	}
	t.Raw = d.body[start:d.Offset()]
	if t.Name == "" {
		return t, d.Fail("must have a name")
	}
	return t, nil
}

func (d *requestDecoder) toolMember(t *llm.Tool, name string) (err error) {
	if name != "name" && d.Null() {
		return nil
	}
	switch name {
	case "name":
		t.Name, err = d.String()
	case "description":
		t.Description, err = d.String()
	case "input_schema":
		t.Schema, err = d.rawObject()
	case "strict":
		var strict bool
		strict, err = d.Bool()
		t.Strict = &strict
	case "cache_control":
		t.Cache, err = d.cache()
	case "type":
		_, err = d.String()
	default:
		err = d.extra()
	}
	return err
}

var toolModes = map[string]llm.ToolMode{
	"auto": llm.ToolAuto,
	"none": llm.ToolNone,
	"any":  llm.ToolRequired,
	"tool": llm.ToolNamed,
}

func (d *requestDecoder) toolChoice() error {
	c := &d.req.ToolChoice
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "type":
			return d.toolMode()
		case "name":
			c.Name, err = d.String()
		case "disable_parallel_tool_use":
			if !d.Null() {
				d.req.SerialTools, err = d.Bool()
			}
		default:
			err = d.extra()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case c.Mode == "":
		return d.Fail("must have a type")
	case c.Mode == llm.ToolNamed && c.Name == "":
		return d.Fail("must have a name")
	case c.Mode != llm.ToolNamed:
		c.Name = ""
	}
	return nil
}

func (d *requestDecoder) toolMode() error {
	at := d.Offset()
	s, err := d.String()
	if err != nil {
		return err
	}
	mode, ok := toolModes[s]
	if !ok {
		return &jsonx.Error{Path: d.Path(), Offset: at, Msg: "must be auto, any, tool or none"}
	}
	d.req.ToolChoice.Mode = mode
	return nil
}
