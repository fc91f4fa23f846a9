package bedrock

import (
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// toolConfig reads a member of toolConfig.
func (d *requestDecoder) toolConfig(name []byte) error {
	switch {
	case d.Null():
		return nil
	case string(name) == "tools":
		return d.Array(func(int) error { return d.tool() })
	case string(name) == "toolChoice":
		return d.Object(d.toolChoice)
	}
	return d.extra()
}

// tool reads a tool, or the mark that those before it are to be cached. A tool
// that the provider runs is known to its own dialect only.
func (d *requestDecoder) tool() error {
	d.Kind() // skips white space
	start := d.Offset()
	var t llm.Tool
	isTool := true
	err := d.Object(func(name []byte) (err error) {
		switch {
		case d.Null():
		case string(name) == "toolSpec":
			err = d.Object(func(name []byte) error { return d.toolSpec(&t, string(name)) })
		case string(name) == "cachePoint":
			isTool = false
			var c *llm.Cache
			c, err = d.cache()
			if n := len(d.req.Tools); n > 0 {
				d.req.Tools[n-1].Cache = c
			}
		default:
			t.Type, t.Name = string(name), string(d.Tag("name"))
			_, err = d.Skip()
		}
		return err
	})
	if err != nil || !isTool {
		return err
	}
	t.Raw = d.body[start:d.Offset()]
	if t.Type == "" && (t.Name == "" || t.Schema == nil) {
		return d.Fail("must have a toolSpec with a name and an inputSchema")
	}
	d.req.Tools = append(d.req.Tools, t)
	return nil
}

func (d *requestDecoder) toolSpec(t *llm.Tool, name string) (err error) {
	if d.Null() {
		return nil
	}
	switch name {
	case "name":
		t.Name, err = d.String()
	case "description":
		t.Description, err = d.String()
	case "strict":
		var strict bool
		strict, err = d.Bool()
		t.Strict = &strict
	case "inputSchema":
		err = d.Object(func(name []byte) (err error) {
			if string(name) != "json" {
				return d.extra()
			}
			if d.Kind() != jsonx.Object {
				return d.Want(jsonx.Object)
			}
			t.Schema, err = d.Raw()
			return err
		})
	default:
		err = d.extra()
	}
	return err
}

// toolChoice reads the one member that a choice has.
func (d *requestDecoder) toolChoice(name []byte) (err error) {
	c := &d.req.ToolChoice
	switch string(name) {
	case "auto":
		c.Mode = llm.ToolAuto
		_, err = d.Skip()
	case "any":
		c.Mode = llm.ToolRequired
		_, err = d.Skip()
	case "tool":
		c.Mode = llm.ToolNamed
		err = d.Object(func(name []byte) (err error) {
			if string(name) != "name" {
				return d.extra()
			}
			c.Name, err = d.String()
			return err
		})
		if err == nil && c.Name == "" {
			err = d.Fail("must have a name")
		}
	default:
		err = d.extra()
	}
	return err
}
