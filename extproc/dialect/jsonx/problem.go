package jsonx

import (
	"errors"
	"fmt"

	"github.com/attache-gateway/attache/extproc/llm"
)

// Problem turns the error of reading a client's body into the answer that the
// client gets: invalid_json for what is not JSON, invalid_request for a value
// of the wrong type. An *llm.Error passes as it is.
func Problem(err error) *llm.Error {
	var known *llm.Error
	if errors.As(err, &known) {
		return known
	}
	var bad *Error
	if !errors.As(err, &bad) {
		return &llm.Error{Status: 400, Code: llm.CodeInvalidRequest, Message: err.Error()}
	}
	if !bad.Syntax {
		return llm.Invalid(bad.Path, "%s", bad.Msg)
	}
	return &llm.Error{
		Status:  400,
		Code:    llm.CodeInvalidJSON,
		Param:   bad.Path,
		Message: fmt.Sprintf("the body is not valid JSON: %s at byte %d", bad.Msg, bad.Offset),
	}
}
