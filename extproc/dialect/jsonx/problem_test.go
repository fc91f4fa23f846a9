package jsonx

import (
	"errors"
	"fmt"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestProblem(t *testing.T) {
	wrongKind := func(in string) error {
		return NewReader([]byte(in)).Object(func([]byte) error { return NewReader(nil).Want(Object) })
	}
	for _, tt := range []struct {
		name string
		err  error
		want llm.Error
	}{
		{"syntax", NewReader([]byte(`{"a":1,"a":2}`)).skipErr(),
			llm.Error{Status: 400, Code: "invalid_json", Param: "a", Message: "the body is not valid JSON: duplicate member at byte 7"}},
		{"kind", fmt.Errorf("openai: %w", wrongKind(`[]`)),
			llm.Error{Status: 400, Code: "invalid_request", Message: "must be an object, not an array"}},
		{"known", fmt.Errorf("openai: %w", llm.Unsupported("n", "one answer only")),
			llm.Error{Status: 400, Code: "unsupported_feature", Param: "n", Message: "one answer only"}},
		{"other", errors.New("something else"),
			llm.Error{Status: 400, Code: "invalid_request", Message: "something else"}},
	} {
		if got := Problem(tt.err); *got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, *got, tt.want)
		}
	}
}

func (r *Reader) skipErr() error {
	_, err := r.Skip()
	return err
}
