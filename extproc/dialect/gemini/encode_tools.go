package gemini

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxToolName is the longest name of a function that the API takes.
const maxToolName = 64

// tools writes the functions that the model may call, and how free it is to.
func (e *requestEncoder) tools() error {
	r := e.Request
	n := 0
	for _, t := range r.Tools {
		if r.ToolChoice.Allowed != nil && !slices.Contains(r.ToolChoice.Allowed, t.Name) {
			continue
		}
		if n == 0 {
			e.dst = append(e.dst, `,"tools":[{"functionDeclarations":[`...)
		}
		if err := e.tool(t); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return nil
	}
	e.dst = append(e.dst, "]}]"...)
	if r.SerialTools {
		e.Warn("parallel_tool_calls", "left out: the API has no such control")
	}
	return e.toolChoice()
}

func (e *requestEncoder) tool(t llm.Tool) error {
	if t.Type != "" {
		return e.RefuseTool(&t)
	}
	e.cache(t.Cache)
	e.separate()
	e.dst = jsonx.AppendString(append(e.dst, `{"name":`...), t.Name)
	if t.Description != "" {
		e.key("description")
		e.dst = jsonx.AppendString(e.dst, t.Description)
	}
	schema, err := parameters(t.Schema)
	if err != nil {
		return llm.Invalid(e.Place(t.Raw, "tools"), "the schema of the arguments must be a JSON Schema")
	}
	if schema != nil {
		e.value("parametersJsonSchema", string(schema))
	}
	if t.Strict != nil && *t.Strict {
		e.Warn("tools.strict", "left out: the API has no such control for one tool")
	}
	e.dst = append(e.dst, '}')
	return nil
}

// validName reports whether the API takes a function's name.
func validName(name string) bool {
	for i, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case i > 0 && ('0' <= c && c <= '9' || c == ':' || c == '.' || c == '-'):
		default:
			return false
		}
	}
	return name != "" && len(name) <= maxToolName
}

// parameters is the schema of a function's arguments, nil if it takes none: an
// object without properties is refused by some models.
func parameters(schema []byte) ([]byte, error) {
	in := jsonx.NewReader(schema)
	if len(schema) == 0 || in.Null() {
		return nil, nil
	}
	if in.Kind() != jsonx.Object {
		return nil, in.Want(jsonx.Object)
	}
	members, err := in.Members(func([]byte) error { _, err := in.Skip(); return err })
	if err != nil {
		return nil, err
	}
	body := llm.Body{Raw: schema, Members: members}
	if len(members) == 0 {
		return nil, nil
	}
	if body.Member("type") == nil {
		p := body.Patch()
		p.Set("type", []byte(`"object"`))
		schema = p.Bytes()
	}
	return withoutConst(schema)
}

func (e *requestEncoder) toolChoice() error {
	c := e.Request.ToolChoice
	if c.Mode == "" {
		return nil
	}
	mode := map[llm.ToolMode]string{llm.ToolAuto: "AUTO", llm.ToolNone: "NONE", llm.ToolRequired: "ANY", llm.ToolNamed: "ANY"}[c.Mode]
	if mode == "ANY" && e.rules.NoForcedTool {
		return llm.Unsupported("tool_choice", "the model %s cannot be made to call a tool", e.target.Model)
	}
	e.dst = append(e.dst, `,"toolConfig":{"functionCallingConfig":{`...)
	e.value("mode", `"`+mode+`"`)
	if c.Mode == llm.ToolNamed {
		e.key("allowedFunctionNames")
		e.dst = append(jsonx.AppendString(append(e.dst, '['), c.Name), ']')
	}
	e.dst = append(e.dst, "}}"...)
	return nil
}

// withoutConst rewrites the one keyword of JSON Schema that the API stumbles
// over, const, as an enumeration of one value. Names of properties are no
// keywords.
func withoutConst(schema []byte) ([]byte, error) {
	w := constWriter{Reader: jsonx.NewReader(schema)}
	if err := w.schema(); err != nil {
		return nil, err
	}
	return w.dst, w.End()
}

type constWriter struct {
	*jsonx.Reader
	dst []byte
}

// Keywords whose value is an object of named schemas, a list of schemas, or a
// schema. What others hold is data.
var (
	schemaMaps  = map[string]bool{"properties": true, "$defs": true, "definitions": true, "patternProperties": true}
	schemaLists = map[string]bool{"anyOf": true, "allOf": true, "oneOf": true, "prefixItems": true, "items": true}
	schemaOnes  = map[string]bool{"items": true, "additionalProperties": true, "not": true, "contains": true}
)

func (w *constWriter) schema() error {
	if w.Kind() != jsonx.Object {
		return w.copy()
	}
	fixed := false
	return w.object(func(name string) error {
		if name == "const" || name == "enum" {
			return w.values(name, &fixed)
		}
		w.name(name)
		kind := w.Kind()
		switch {
		case schemaMaps[name] && kind == jsonx.Object:
			return w.object(func(name string) error {
				w.name(name)
				return w.schema()
			})
		case schemaLists[name] && kind == jsonx.Array:
			return w.list()
		case schemaOnes[name]:
			return w.schema()
		}
		return w.copy()
	})
}

// values writes what a value may be, once.
func (w *constWriter) values(name string, written *bool) error {
	if *written {
		_, err := w.Skip()
		return err
	}
	*written = true
	w.name("enum")
	if name == "enum" {
		return w.copy()
	}
	w.dst = append(w.dst, '[')
	err := w.copy()
	w.dst = append(w.dst, ']')
	return err
}

func (w *constWriter) object(member func(name string) error) error {
	w.dst = append(w.dst, '{')
	err := w.Map(func(name []byte) error { return member(string(name)) })
	w.dst = append(w.dst, '}')
	return err
}

func (w *constWriter) name(name string) {
	if w.dst[len(w.dst)-1] != '{' {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(jsonx.AppendString(w.dst, name), ':')
}

func (w *constWriter) list() error {
	w.dst = append(w.dst, '[')
	err := w.Array(func(i int) error {
		w.dst = comma(w.dst, i)
		return w.schema()
	})
	w.dst = append(w.dst, ']')
	return err
}

func (w *constWriter) copy() error {
	raw, err := w.Raw()
	w.dst = append(w.dst, raw...)
	return err
}
