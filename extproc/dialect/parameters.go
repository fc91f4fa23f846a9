package dialect

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// AppendParameters appends the JSON Schema of a tool's arguments, of which
// OpenAI's formats demand that it says that they are an object.
func AppendParameters(dst, schema []byte) []byte {
	in := jsonx.NewReader(schema)
	members, _ := in.Members(func([]byte) error { _, err := in.Skip(); return err }) // none if there is no schema
	typed := slices.ContainsFunc(members, func(m llm.Member) bool { return m.Name == "type" })
	switch {
	case len(members) == 0:
		return append(dst, `{"type":"object","properties":{}}`...)
	case typed:
		return append(dst, schema...)
	}
	dst = append(dst, `{"type":"object",`...)
	return append(dst, schema[members[0].At.Start:]...)
}
