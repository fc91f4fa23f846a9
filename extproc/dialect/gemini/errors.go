package gemini

import (
	"strconv"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Codes of errors that other formats name as well.
const (
	codeContext    = "context_length_exceeded"
	codeOverloaded = "overloaded"
)

// statuses are the API's words for statuses of HTTP, and the stable codes, as
// google.rpc.Code has them. Of two words for a status the first is written.
var statuses = []struct {
	http   int
	status string
	code   string
}{
	{400, "INVALID_ARGUMENT", llm.CodeInvalidRequest},
	{400, "FAILED_PRECONDITION", llm.CodeInvalidRequest},
	{400, "OUT_OF_RANGE", llm.CodeInvalidRequest},
	{401, "UNAUTHENTICATED", llm.CodeUpstreamError},
	{403, "PERMISSION_DENIED", llm.CodeUpstreamError},
	{404, "NOT_FOUND", llm.CodeModelNotFound},
	{409, "ABORTED", llm.CodeInvalidRequest},
	{409, "ALREADY_EXISTS", llm.CodeInvalidRequest},
	{413, "INVALID_ARGUMENT", llm.CodeTooLarge},
	{429, "RESOURCE_EXHAUSTED", llm.CodeRateLimited},
	{499, "CANCELLED", llm.CodeUpstreamError},
	{500, "INTERNAL", llm.CodeUpstreamError},
	{500, "UNKNOWN", llm.CodeUpstreamError},
	{500, "DATA_LOSS", llm.CodeUpstreamError},
	{501, "UNIMPLEMENTED", llm.CodeUpstreamError},
	{503, "UNAVAILABLE", codeOverloaded},
	{504, "DEADLINE_EXCEEDED", llm.CodeUpstreamTimeout},
}

// DecodeError reads the body of a response with an error status.
func (*Dialect) DecodeError(status int, _ []llm.Header, body []byte) *llm.Error {
	var f fault
	in := jsonx.NewReader(body)
	read := func() error {
		return in.Object(func(name []byte) error {
			if string(name) == "error" {
				return f.read(in)
			}
			_, err := in.Skip()
			return err
		})
	}
	var err error
	if in.Kind() == jsonx.Array { // as a stream without alt=sse has it
		err = in.Array(func(int) error { return read() })
	} else {
		err = read()
	}
	if err != nil {
		f = fault{}
	}
	return f.error(status)
}

// A fault is what the API says about an error.
type fault struct {
	code                    int64
	status, message, reason string
	retry                   time.Duration
}

func (f *fault) read(in *jsonx.Reader) error {
	if in.Kind() != jsonx.Object {
		_, err := in.Skip()
		return err
	}
	return in.Object(func(name []byte) error {
		switch string(name) {
		case "code":
			return natural(in, &f.code)
		case "message":
			return str(in, &f.message)
		case "status":
			return str(in, &f.status)
		case "details":
			if in.Kind() == jsonx.Array {
				return in.Array(func(int) error { return f.detail(in) })
			}
		}
		_, err := in.Skip()
		return err
	})
}

// detail reads an ErrorInfo or RetryInfo (google/rpc/error_details.proto).
func (f *fault) detail(in *jsonx.Reader) error {
	if in.Kind() != jsonx.Object {
		_, err := in.Skip()
		return err
	}
	return in.Object(func(name []byte) error {
		switch string(name) {
		case "reason":
			return str(in, &f.reason)
		case "retryDelay":
			var delay string
			err := str(in, &delay)
			if d, bad := time.ParseDuration(delay); bad == nil && d > 0 {
				f.retry = d
			}
			return err
		}
		_, err := in.Skip()
		return err
	})
}

// maxMessage bounds a provider's message, in bytes.
const maxMessage = 4 << 10

// error is the fault in the vocabulary. A status of zero means the one that the
// fault itself names.
func (f *fault) error(status int) *llm.Error {
	if strings.HasPrefix(f.reason, "API_KEY_") { // status 400, as if the client had sent it
		return &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider refused the gateway's credential"}
	}
	known := statuses[0]
	for _, s := range statuses {
		if status == 0 && s.status == f.status {
			status = s.http
		}
	}
	if status == 0 && f.code >= 400 && f.code < 600 {
		status = int(f.code)
	}
	if status == 0 {
		status = 500
	}
	if status >= 500 {
		known.code = llm.CodeUpstreamError
	}
	for _, s := range statuses {
		if s.http == status {
			known = s
			break
		}
	}
	e := &llm.Error{Status: status, Code: known.code, Message: f.message, Type: f.status, RetryAfter: f.retry}
	if e.Message == "" {
		e.Message = "the provider answered with status " + strconv.Itoa(status)
	}
	if len(e.Message) > maxMessage {
		e.Message = strings.ToValidUTF8(e.Message[:maxMessage], "")
	}
	if strings.Contains(e.Message, "exceeds the maximum number of tokens") {
		e.Code = codeContext
	}
	return e
}

// EncodeError writes an error as the body of an answer.
func (*Dialect) EncodeError(e *llm.Error) []byte { return appendError(nil, e) }

// appendError writes the error, the gateway's stable code as the reason in an
// ErrorInfo, and how long to wait as a RetryInfo, where SDKs look for it.
func appendError(dst []byte, e *llm.Error) []byte {
	message := e.Message
	if e.Param != "" {
		message = e.Param + ": " + message
	}
	dst = append(dst, `{"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(e.Status), 10)
	dst = jsonx.AppendString(append(dst, `,"message":`...), message)
	dst = jsonx.AppendString(append(dst, `,"status":`...), statusOf(e))
	dst = append(dst, `,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":`...)
	dst = jsonx.AppendString(dst, strings.ToUpper(e.Code))
	dst = append(dst, `,"domain":"attache"}`...)
	if e.RetryAfter > 0 {
		dst = append(dst, `,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"`...)
		dst = strconv.AppendFloat(dst, e.RetryAfter.Seconds(), 'f', -1, 64)
		dst = append(dst, `s"}`...)
	}
	return append(dst, "]}}"...)
}

// statusOf is the API's word for an error: the provider's own if it was one of
// this API.
func statusOf(e *llm.Error) string {
	word := ""
	for _, s := range statuses {
		if s.status == e.Type {
			return e.Type
		}
		if word == "" && s.http == e.Status {
			word = s.status
		}
	}
	switch {
	case word != "":
		return word
	case e.Status == 408:
		return "DEADLINE_EXCEEDED"
	case e.Status == 529:
		return "UNAVAILABLE"
	case e.Status >= 500:
		return "INTERNAL"
	}
	return "INVALID_ARGUMENT"
}
