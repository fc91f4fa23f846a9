package anthropic

import (
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Codes of errors that other formats name as well.
const (
	codeContext    = "context_length_exceeded"
	codeOverloaded = "overloaded"
)

// tooLong is in the message of this API when a prompt does not fit; agents look
// for it to shorten their history.
const tooLong = "prompt is too long"

// errorTypes are the API's types of errors: their status and stable code.
var errorTypes = map[string]struct {
	status int
	code   string
}{
	"invalid_request_error": {400, llm.CodeInvalidRequest},
	"authentication_error":  {401, llm.CodeUpstreamError},
	"billing_error":         {402, llm.CodeUpstreamError},
	"permission_error":      {403, llm.CodeUpstreamError},
	"not_found_error":       {404, llm.CodeModelNotFound},
	"conflict_error":        {409, llm.CodeInvalidRequest},
	"request_too_large":     {413, llm.CodeTooLarge},
	"rate_limit_error":      {429, llm.CodeRateLimited},
	"api_error":             {500, llm.CodeUpstreamError},
	"timeout_error":         {504, llm.CodeUpstreamTimeout},
	"overloaded_error":      {529, codeOverloaded},
}

// errorType is the type for a status.
func errorType(status int) string {
	switch status {
	case 401:
		return "authentication_error"
	case 402:
		return "billing_error"
	case 403:
		return "permission_error"
	case 404:
		return "not_found_error"
	case 408, 504:
		return "timeout_error"
	case 409:
		return "conflict_error"
	case 413:
		return "request_too_large"
	case 429:
		return "rate_limit_error"
	case 503, 529:
		return "overloaded_error"
	}
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}

// DecodeError reads the body of a response with an error status.
func (*Dialect) DecodeError(status int, _ []llm.Header, body []byte) *llm.Error {
	typ, message := errorBody(body)
	if message == "" {
		message = "the provider answered with status " + strconv.Itoa(status)
	}
	if typ == "" {
		typ = errorType(status)
	}
	return newError(status, typ, message)
}

// maxMessage bounds a provider's message.
const maxMessage = 4 << 10

// newError is an error of this API; a status of zero means the usual one of its
// type.
func newError(status int, typ, message string) *llm.Error {
	known, ok := errorTypes[typ]
	if !ok {
		known = errorTypes["api_error"]
	}
	if status == 0 {
		status = known.status
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	e := &llm.Error{Status: status, Code: known.code, Message: message, Type: typ}
	if strings.Contains(message, tooLong) {
		e.Code = codeContext
	}
	return e
}

// errorBody reads {"error":{"type","message"}}, as far as a body is one.
func errorBody(body []byte) (typ, message string) {
	rd := jsonx.NewReader(body)
	err := rd.Object(func(name []byte) error {
		if string(name) != "error" || rd.Kind() != jsonx.Object {
			_, err := rd.Skip()
			return err
		}
		var err error
		typ, message, err = errorObject(rd)
		return err
	})
	if err != nil {
		return "", ""
	}
	return typ, message
}

func errorObject(rd *jsonx.Reader) (typ, message string, err error) {
	err = rd.Object(func(name []byte) (err error) {
		switch {
		case rd.Kind() != jsonx.String:
			_, err = rd.Skip()
		case string(name) == "type":
			typ, err = rd.String()
		case string(name) == "message":
			message, err = rd.String()
		default:
			_, err = rd.Skip()
		}
		return err
	})
	return typ, message, err
}

// EncodeError writes an error as the body of an answer.
func (*Dialect) EncodeError(e *llm.Error) []byte { return appendError(nil, e) }

// appendError writes the error with the gateway's stable code, which the
// official SDKs ignore.
func appendError(dst []byte, e *llm.Error) []byte {
	typ := e.Type
	if errorTypes[typ].status != e.Status { // of another format, or said by a proxy
		typ = errorType(e.Status)
	}
	message := e.Message
	if e.Code == codeContext && !strings.Contains(message, tooLong) {
		message = tooLong + ": " + message
	}
	if e.Param != "" {
		message = e.Param + ": " + message
	}
	dst = append(dst, `{"type":"error","error":{"type":`...)
	dst = jsonx.AppendString(dst, typ)
	dst = append(dst, `,"message":`...)
	dst = jsonx.AppendString(dst, message)
	dst = append(dst, `,"code":`...)
	dst = jsonx.AppendString(dst, e.Code)
	return append(dst, `},"request_id":null}`...)
}
