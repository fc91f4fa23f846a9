package dialect

import (
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// ReadFunction reads a member of a function that the model may call, as both of
// OpenAI's formats have it; other reads the members that neither knows.
func ReadFunction(in *jsonx.Reader, t *llm.Tool, name []byte, other func() error) (err error) {
	if in.Null() {
		return nil
	}
	switch string(name) {
	case "name":
		t.Name, err = in.String()
	case "description":
		t.Description, err = in.String()
	case "parameters":
		t.Schema, err = readObject(in)
	case "strict":
		t.Strict, err = readFlag(in)
	default:
		err = other()
	}
	return err
}

// ReadFormat reads a member of a JSON Schema for the answer, as both of OpenAI's
// formats have it; other reads the members that neither knows.
func ReadFormat(in *jsonx.Reader, f *llm.Format, name []byte, other func() error) (err error) {
	if in.Null() {
		return nil
	}
	switch string(name) {
	case "name":
		f.Name, err = in.String()
	case "description":
		f.Description, err = in.String()
	case "schema":
		f.Schema, err = readObject(in)
	case "strict":
		f.Strict, err = readFlag(in)
	default:
		err = other()
	}
	return err
}

// readObject reads an object as it is.
func readObject(in *jsonx.Reader) ([]byte, error) {
	if in.Kind() != jsonx.Object {
		return nil, in.Want(jsonx.Object)
	}
	return in.Raw()
}

func readFlag(in *jsonx.Reader) (*bool, error) {
	is, err := in.Bool()
	return &is, err
}
