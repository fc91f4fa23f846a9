package openai

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

func (in *reading) tool(int) error {
	kind := string(in.Tag("type"))
	if kind != "" && kind != "function" {
		raw, err := in.Raw()
		in.req.Tools = append(in.req.Tools, llm.Tool{Type: kind, Raw: raw})
		return err
	}
	if in.Kind() != jsonx.Object {
		return in.Want(jsonx.Object)
	}
	var t llm.Tool
	start := in.Offset()
	err := in.Object(func(name []byte) (err error) {
		switch string(name) {
		case "type":
			_, err = in.Skip()
		case "function":
			err = in.Object(func(name []byte) error { return dialect.ReadFunction(in.Reader, &t, name, in.unknown) })
		case "cache_control":
			t.Cache, err = in.cache()
		default:
			err = in.unknown()
		}
		return err
	})
	if err == nil && t.Name == "" {
		return in.missing("function.name")
	}
	t.Raw = in.since(start)
	in.req.Tools = append(in.req.Tools, t)
	return err
}

// toolModes are the choices that are a word; Mistral says any for required.
var toolModes = map[string]llm.ToolMode{
	"auto": llm.ToolAuto, "none": llm.ToolNone, "required": llm.ToolRequired, "any": llm.ToolRequired,
}

func (in *reading) toolChoice() error {
	c := &in.req.ToolChoice
	if in.Kind() == jsonx.String {
		return in.toolMode(&c.Mode)
	}
	switch kind := in.Tag("type"); string(kind) {
	case "function":
		c.Mode = llm.ToolNamed
		err := in.Object(func(name []byte) error { return in.namedTool(&c.Name, name) })
		if err == nil && c.Name == "" {
			return in.missing("function.name")
		}
		return err
	case "allowed_tools":
		return in.Object(func(name []byte) error {
			if string(name) != "allowed_tools" {
				_, err := in.Skip()
				return err
			}
			return in.Object(in.allowedTools)
		})
	}
	if in.Kind() != jsonx.Object {
		return in.Want(jsonx.String)
	}
	return in.unknown()
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

// namedTool reads a member of {"type":"function","function":{"name":…}}.
func (in *reading) namedTool(tool *string, name []byte) error {
	if string(name) != "function" {
		_, err := in.Skip()
		return err
	}
	return in.Object(func(name []byte) (err error) {
		if string(name) == "name" {
			*tool, err = in.String()
			return err
		}
		return in.unknown()
	})
}

func (in *reading) allowedTools(name []byte) error {
	c := &in.req.ToolChoice
	switch string(name) {
	case "mode":
		return in.toolMode(&c.Mode)
	case "tools":
		c.Allowed = []string{}
		return in.Array(func(int) error {
			var tool string
			err := in.Object(func(name []byte) error { return in.namedTool(&tool, name) })
			if err == nil && tool == "" {
				return in.missing("function.name")
			}
			c.Allowed = append(c.Allowed, tool)
			return err
		})
	}
	return in.unknown()
}

func (in *reading) format() error {
	kind := string(in.Tag("type"))
	f := &llm.Format{Kind: llm.FormatKind(kind)}
	switch f.Kind {
	case llm.FormatText, llm.FormatJSON, llm.FormatSchema:
	default:
		if in.Kind() != jsonx.Object {
			return in.Want(jsonx.Object)
		}
		return in.unknown() // such as a grammar
	}
	in.req.Format = f
	err := in.Object(func(name []byte) (err error) {
		switch string(name) {
		case "type":
			_, err = in.Skip()
		case "json_schema":
			err = in.Object(func(name []byte) error { return dialect.ReadFormat(in.Reader, f, name, in.unknown) })
		default:
			err = in.unknown()
		}
		return err
	})
	if err == nil && f.Kind == llm.FormatSchema && f.Schema == nil {
		return in.missing("json_schema.schema")
	}
	return err
}
