package dialect

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
)

// ArgumentsObject turns the arguments of a tool call, which are text in some
// formats, into the object that others want. No arguments are an empty object. What is no
// object goes under the name "arguments", for a model's broken call must not
// make every later request fail.
func ArgumentsObject(args string) (input []byte, ok bool) {
	if strings.TrimSpace(args) == "" {
		return []byte("{}"), true
	}
	rd := jsonx.NewReader([]byte(args))
	if rd.Kind() == jsonx.Object {
		if raw, err := rd.Raw(); err == nil && rd.End() == nil {
			return OneLine(raw), true
		}
	}
	return append(jsonx.AppendString([]byte(`{"arguments":`), args), '}'), false
}

// OneLine takes line ends out of JSON, which has them between values only.
// Other white space stays: the text of arguments is what caches compare.
func OneLine(raw []byte) []byte {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
