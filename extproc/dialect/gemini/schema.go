package gemini

import (
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// schema reads a schema in the API's own form, a subset of OpenAPI's, and
// returns it as JSON Schema: types in lower case, null as one of them, and
// limits as numbers.
func (d *requestDecoder) schema() ([]byte, error) {
	if d.Kind() != jsonx.Object {
		return nil, d.Want(jsonx.Object)
	}
	w := schemaReader{d: d}
	err := w.schema()
	return w.dst, err
}

type schemaReader struct {
	d   *requestDecoder
	dst []byte
}

func (w *schemaReader) schema() error {
	d := w.d
	if d.Kind() != jsonx.Object {
		return w.copy()
	}
	var kind string
	nullable := false
	w.dst = append(w.dst, '{')
	n := 0
	err := d.object(func(name string) (err error) {
		switch name {
		case "type":
			kind, err = w.kind()
			return err
		case "nullable":
			nullable, err = d.Bool()
			return err
		case "propertyOrdering", "example":
			return d.extra()
		}
		w.name(name, n)
		n++
		switch name {
		case "properties":
			return w.named()
		case "anyOf":
			return w.list()
		case "items":
			return w.schema()
		case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
			return w.limit()
		}
		return w.copy()
	})
	if kind != "" && kind != "type_unspecified" {
		w.name("type", n)
		if nullable {
			w.dst = append(jsonx.AppendString(append(w.dst, '['), kind), `,"null"]`...)
		} else {
			w.dst = jsonx.AppendString(w.dst, kind)
		}
	}
	w.dst = append(w.dst, '}')
	return err
}

// kinds are the types by the numbers that they have in the enumeration.
var kinds = []string{"", "string", "number", "integer", "boolean", "array", "object", "null"}

// kind reads a type, by its name or its number.
func (w *schemaReader) kind() (string, error) {
	if w.d.Kind() != jsonx.Number {
		name, err := w.d.String()
		return strings.ToLower(name), err
	}
	n, err := w.d.Int()
	if err == nil && (n < 0 || n >= int64(len(kinds))) {
		err = llm.Invalid(w.d.Path(), "is no type")
	}
	if err != nil {
		return "", err
	}
	return kinds[n], nil
}

// limit reads a number that protocol buffers write as a string.
func (w *schemaReader) limit() error {
	if w.d.Kind() != jsonx.String {
		return w.copy()
	}
	s, err := w.d.String()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return w.d.Fail("must be a whole number")
	}
	w.dst = strconv.AppendUint(w.dst, n, 10)
	return nil
}

func (w *schemaReader) name(name string, n int) {
	w.dst = append(jsonx.AppendString(comma(w.dst, n), name), ':')
}

func (w *schemaReader) named() error {
	if w.d.Kind() != jsonx.Object {
		return w.d.Want(jsonx.Object)
	}
	w.dst = append(w.dst, '{')
	n := 0
	err := w.d.Map(func(name []byte) error {
		w.name(string(name), n)
		n++
		return w.schema()
	})
	w.dst = append(w.dst, '}')
	return err
}

func (w *schemaReader) list() error {
	w.dst = append(w.dst, '[')
	err := w.d.Array(func(i int) error {
		w.dst = comma(w.dst, i)
		return w.schema()
	})
	w.dst = append(w.dst, ']')
	return err
}

func (w *schemaReader) copy() error {
	raw, err := w.d.Raw()
	w.dst = append(w.dst, raw...)
	return err
}

// comma appends a comma unless the element is the first of its list.
func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}
