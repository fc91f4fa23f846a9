package config

import (
	"bytes"
	"encoding/json"
	"math"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds how deep a guard's configuration can be nested.
const maxDepth = 32

// json reads any mapping as a JSON object, in the order of the file.
func (r *reader) json(to *json.RawMessage) field {
	return func(v value) {
		if !r.is(v, yaml.MappingNode) {
			return
		}
		var out bytes.Buffer
		r.appendJSON(&out, v, 0)
		*to = out.Bytes()
	}
}

func (r *reader) appendJSON(out *bytes.Buffer, v value, depth int) {
	switch {
	case depth == maxDepth:
		r.problem(v.path, "is nested too deep")
	case v.node.Kind == yaml.MappingNode:
		first := true
		out.WriteByte('{')
		r.each(v, func(name string, v value) {
			separate(out, &first)
			writeJSON(out, name)
			out.WriteByte(':')
			r.appendJSON(out, v, depth+1)
		})
		out.WriteByte('}')
	case v.node.Kind == yaml.SequenceNode:
		first := true
		out.WriteByte('[')
		r.list(func(v value) {
			separate(out, &first)
			r.appendJSON(out, v, depth+1)
		})(v)
		out.WriteByte(']')
	default:
		writeJSON(out, r.scalar(v))
	}
}

func separate(out *bytes.Buffer, first *bool) {
	if !*first {
		out.WriteByte(',')
	}
	*first = false
}

// writeJSON writes a string, number, bool or nil, which cannot fail.
func writeJSON(out *bytes.Buffer, x any) {
	b, _ := json.Marshal(x)
	out.Write(b)
}

// scalar returns what a value without quotes means in YAML.
func (r *reader) scalar(v value) any {
	switch v.node.ShortTag() {
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		var x any
		err := v.node.Decode(&x)
		if f, ok := x.(float64); err != nil || ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
			r.problem(v.path, "is a number that JSON does not have")
			return nil
		}
		return x
	}
	s, _ := r.text(v)
	return s
}
