package responses

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// tool reads a tool. What is no function is run or known by the provider; only
// its own dialect can express it.
func (in *reading) tool(int) error {
	if in.Kind() != jsonx.Object {
		return in.Want(jsonx.Object)
	}
	kind, start := string(in.Tag("type")), in.place()
	if kind != "function" {
		if kind == "" {
			return in.missing("type")
		}
		t := llm.Tool{Type: kind, Name: string(in.Tag("name"))}
		var err error
		t.Raw, err = in.Raw()
		in.req.Tools = append(in.req.Tools, t)
		return err
	}
	var t llm.Tool
	err := in.Object(func(name []byte) error { return in.toolMember(&t, name) })
	if err == nil && t.Name == "" {
		err = in.missing("name")
	}
	t.Raw = in.since(start)
	in.req.Tools = append(in.req.Tools, t)
	return err
}

func (in *reading) toolMember(t *llm.Tool, name []byte) error {
	if string(name) == "type" {
		_, err := in.Skip()
		return err
	}
	return dialect.ReadFunction(in.Reader, t, name, in.unknown)
}

var toolModes = map[string]llm.ToolMode{
	"auto": llm.ToolAuto, "none": llm.ToolNone, "required": llm.ToolRequired,
}

func (in *reading) toolChoice() error {
	c := &in.req.ToolChoice
	if in.Kind() == jsonx.String {
		return in.toolMode(&c.Mode)
	}
	switch string(in.Tag("type")) {
	case "function":
		c.Mode = llm.ToolNamed
		return in.namedTool(&c.Name)
	case "allowed_tools":
		return in.Object(in.allowedTools)
	}
	if in.Kind() != jsonx.Object {
		return in.Want(jsonx.String)
	}
	return in.unknown() // a tool that is no function
}

func (in *reading) toolMode(m *llm.ToolMode) error {
	word, err := in.StringBytes()
	if err != nil {
		return err
	}
	mode, ok := toolModes[string(word)]
	if !ok {
		return llm.Invalid(in.Path(), "must be one of none, auto, required, or an object")
	}
	*m = mode
	return nil
}

// namedTool reads {"type":"function","name":…}.
func (in *reading) namedTool(tool *string) error {
	err := in.Object(func(name []byte) (err error) {
		switch string(name) {
		case "name":
			*tool, err = in.String()
		case "type":
			_, err = in.Skip()
		default:
			err = in.unknown()
		}
		return err
	})
	if err == nil && *tool == "" {
		err = in.missing("name")
	}
	return err
}

func (in *reading) allowedTools(name []byte) (err error) {
	c := &in.req.ToolChoice
	switch string(name) {
	case "type":
		_, err = in.Skip()
	case "mode":
		err = in.toolMode(&c.Mode)
	case "tools":
		c.Allowed = []string{}
		err = in.Array(func(int) error {
			if kind := in.Tag("type"); kind != nil && string(kind) != "function" {
				return in.unknown()
			}
			var tool string
			err := in.namedTool(&tool)
			c.Allowed = append(c.Allowed, tool)
			return err
		})
	default:
		err = in.unknown()
	}
	return err
}

func (in *reading) textOption(name []byte) error {
	if in.Null() {
		return nil
	}
	if string(name) != "format" {
		return in.unknown()
	}
	kind := llm.FormatKind(in.Tag("type"))
	switch kind {
	case llm.FormatText, llm.FormatJSON, llm.FormatSchema:
	default:
		if in.Kind() != jsonx.Object {
			return in.Want(jsonx.Object)
		}
		return in.unknown() // such as a grammar
	}
	f := &llm.Format{Kind: kind}
	in.req.Format = f
	err := in.Object(func(name []byte) error { return in.formatMember(f, name) })
	if err == nil && kind == llm.FormatSchema && f.Schema == nil {
		err = in.missing("schema")
	}
	return err
}

func (in *reading) formatMember(f *llm.Format, name []byte) error {
	if string(name) == "type" {
		_, err := in.Skip()
		return err
	}
	return dialect.ReadFormat(in.Reader, f, name, in.unknown)
}

func (in *reading) reasoningOption(name []byte) (err error) {
	if in.Null() {
		return nil
	}
	r := in.req.Reasoning
	switch string(name) {
	case "effort":
		r.Effort, err = in.String()
	case "summary", "generate_summary": // how detailed has no counterpart
		r.Display = "summarized"
		_, err = in.String()
	default:
		err = in.unknown()
	}
	return err
}
