// Package fault reads and writes errors as OpenAI's APIs do, and reads what the
// many servers that are compatible with them make of it.
//
// It knows the forms of an error object and the statuses that its words stand
// for. It does not know where in a response or a stream an error can be.
package fault

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxMessage bounds what of a provider's message is passed on, in bytes.
const maxMessage = 4096

// codeContext is the code of a request that is longer than the model's context.
const codeContext = "context_length_exceeded"

// Append appends an error as a whole body: {"error":{…}}.
func Append(dst []byte, e *llm.Error) []byte {
	code := e.Code
	if strings.HasPrefix(e.Message, "prompt is too long") {
		code = codeContext // as Anthropic says it
	}
	dst = append(dst, `{"error":{"message":`...)
	dst = jsonx.AppendString(dst, e.Message)
	dst = append(dst, `,"type":`...)
	dst = jsonx.AppendString(dst, errorType(e, code))
	dst = append(dst, `,"param":`...)
	dst = jsonx.AppendOrNull(dst, e.Param)
	dst = append(dst, `,"code":`...)
	return append(jsonx.AppendOrNull(dst, code), "}}"...)
}

// ownTypes are the types that OpenAI itself uses. Another dialect's stay out.
var ownTypes = map[string]bool{
	"invalid_request_error": true, "authentication_error": true, "permission_error": true,
	"rate_limit_error": true, "requests": true, "tokens": true, "insufficient_quota": true, "server_error": true,
}

func errorType(e *llm.Error, code string) string {
	switch {
	case ownTypes[e.Type]:
		return e.Type
	case code == llm.CodeQuota:
		return llm.CodeQuota
	case e.Status == 401:
		return "authentication_error"
	case e.Status == 403:
		return "permission_error"
	case e.Status == 429:
		return "rate_limit_error"
	case e.Status >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}

// Decode reads the body of a response with an error status. A status of 0 is
// one that only the body knows.
func Decode(status int, body []byte) *llm.Error {
	var f Fault
	in := jsonx.NewReader(body)
	if err := f.read(in); err != nil {
		f = Fault{}
	}
	return f.Error(status)
}

// A Fault collects what a provider says about an error.
type Fault struct {
	Found bool // there was a member error, or what stands for it

	message, kind, param, code string
	status                     int64
}

// read reads a body: an object, or Google's list of one.
func (f *Fault) read(in *jsonx.Reader) error {
	if in.Kind() == jsonx.Array {
		return in.Array(func(int) error { return f.read(in) })
	}
	return in.Object(func(name []byte) error { return f.Member(in, name) })
}

// Member reads a member of the outer object. Some servers have no inner one.
func (f *Fault) Member(in *jsonx.Reader, name []byte) error {
	switch string(name) {
	case "error":
		switch in.Kind() {
		case jsonx.Object, jsonx.Array:
			f.Found = true
		case jsonx.String:
			err := f.text(in, &f.message)
			f.Found = f.message != ""
			return err
		}
		return f.value(in)
	case "detail", "errors":
		return f.value(in)
	}
	return f.Field(in, name)
}

// value reads an error that is a string, an object, or a list of them.
func (f *Fault) value(in *jsonx.Reader) error {
	switch in.Kind() {
	case jsonx.String:
		return f.text(in, &f.message)
	case jsonx.Object:
		return in.Object(func(name []byte) error { return f.Field(in, name) })
	case jsonx.Array:
		return in.Array(func(int) error { return f.value(in) })
	}
	_, err := in.Skip()
	return err
}

// Field reads a member of the error itself.
func (f *Fault) Field(in *jsonx.Reader, name []byte) error {
	switch string(name) {
	case "message", "msg", "Message":
		return f.text(in, &f.message)
	case "type":
		return f.text(in, &f.kind)
	case "param":
		return f.text(in, &f.param)
	case "code":
		if in.Kind() == jsonx.Number {
			return f.number(in)
		}
		return f.text(in, &f.code)
	case "status_code", "status":
		return f.number(in)
	}
	_, err := in.Skip()
	return err
}

// text keeps the first string that is not empty.
func (f *Fault) text(in *jsonx.Reader, to *string) error {
	if in.Kind() != jsonx.String {
		_, err := in.Skip()
		return err
	}
	s, err := in.String()
	if *to == "" {
		*to = s
	}
	return err
}

func (f *Fault) number(in *jsonx.Reader) error {
	if in.Kind() != jsonx.Number {
		_, err := in.Skip()
		return err
	}
	n, err := in.Float()
	if 400 <= n && n <= 599 {
		f.status = int64(n)
	}
	return err
}

// Error is the canonical form. A status of 0 is one that only the body knows.
func (f *Fault) Error(status int) *llm.Error {
	e := &llm.Error{Status: status, Code: f.code, Message: shorten(f.message), Param: f.param, Type: f.kind}
	if e.Status == 0 {
		e.Status = f.guessStatus()
	}
	if n := len(e.Code); n > 0 && '0' <= e.Code[0] && e.Code[0] <= '9' {
		e.Code = "" // Azure and OpenRouter repeat the status
	}
	if e.Code == "" {
		e.Code = codeOf(e.Status)
	}
	switch {
	case e.Message != "":
	case status == 0:
		e.Message = "the provider ended the answer with an error"
	default:
		e.Message = fmt.Sprintf("the provider answered with status %d", e.Status)
	}
	if e.Status < 500 && tooLong(e.Message) {
		e.Code = codeContext
	}
	return e
}

// tooLong recognises providers that say only in words that the context is full.
func tooLong(message string) bool {
	return strings.Contains(message, "maximum context length") ||
		strings.Contains(message, "total length of all messages is too long")
}

// faultStatus maps the types and codes of errors inside a stream, which come
// without an HTTP status of their own.
var faultStatus = map[string]int{
	"invalid_request_error": 400, "authentication_error": 401, "invalid_api_key": 401,
	"permission_error": 403, "not_found_error": 404, "model_not_found": 404,
	"rate_limit_error": 429, "rate_limit_exceeded": 429, "insufficient_quota": 429, "tokens": 429, "requests": 429,
	"overloaded_error": 529, "overloaded": 529,
	"service_unavailable": 503, "server_error": 500, "internal_server_error": 500, "api_error": 500,
	"timeout": 504, "timeout_error": 504,
}

func (f *Fault) guessStatus() int {
	if f.status != 0 {
		return int(f.status)
	}
	if s := faultStatus[f.code]; s != 0 {
		return s
	}
	if s := faultStatus[f.kind]; s != 0 {
		return s
	}
	return 500
}

func codeOf(status int) string {
	switch {
	case status == 429:
		return llm.CodeRateLimited
	case status == 413:
		return llm.CodeTooLarge
	case status == 504:
		return llm.CodeUpstreamTimeout
	case 400 <= status && status < 500:
		return llm.CodeInvalidRequest
	}
	return llm.CodeUpstreamError
}

func shorten(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	n := maxMessage
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
