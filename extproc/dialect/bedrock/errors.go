package bedrock

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// codeContext is the code of a request that is longer than the model's context.
const codeContext = "context_length_exceeded"

// tooLong is in the message of this API when a prompt does not fit; agents look
// for it to shorten their history. Claude has its own words for it.
const (
	tooLong       = "Input is too long for requested model"
	claudeTooLong = "prompt is too long"
)

// An exception is what the name of one means. The service's own status is the
// same but for errors of a model, which are no fault of the client, and for
// quotas, which are no fault in the request.
type exception struct {
	status int
	code   string
}

// exceptions are those of the published model and of the service's front end.
var exceptions = map[string]exception{
	"ValidationException":           {400, llm.CodeInvalidRequest},
	"ConflictException":             {409, llm.CodeInvalidRequest},
	"AccessDeniedException":         {403, llm.CodeUpstreamError},
	"UnrecognizedClientException":   {403, llm.CodeUpstreamError},
	"ExpiredTokenException":         {403, llm.CodeUpstreamError},
	"ResourceNotFoundException":     {404, llm.CodeModelNotFound},
	"ThrottlingException":           {429, llm.CodeRateLimited},
	"ModelNotReadyException":        {429, llm.CodeRateLimited},
	"ServiceQuotaExceededException": {429, llm.CodeQuota},
	"InternalServerException":       {500, llm.CodeUpstreamError},
	"ModelErrorException":           {502, llm.CodeUpstreamError},
	"ModelStreamErrorException":     {502, llm.CodeUpstreamError},
	"ServiceUnavailableException":   {503, llm.CodeUpstreamError},
	"ModelTimeoutException":         {504, llm.CodeUpstreamTimeout},
}

// exceptionOf is the exception for a status that stands alone.
func exceptionOf(status int) string {
	switch status {
	case 401, 403:
		return "AccessDeniedException"
	case 404:
		return "ResourceNotFoundException"
	case 408, 504:
		return "ModelTimeoutException"
	case 409:
		return "ConflictException"
	case 424:
		return "ModelErrorException"
	case 429:
		return "ThrottlingException"
	case 503, 529:
		return "ServiceUnavailableException"
	}
	if status >= 500 {
		return "InternalServerException"
	}
	return "ValidationException"
}

// typeHeader names the exception, often with an address behind it, as in
// ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/.
const typeHeader = "x-amzn-errortype"

// DecodeError reads a response with an error status. The exception is known by
// its name, in a header as a rule, or else by the status.
func (*Dialect) DecodeError(status int, head []llm.Header, body []byte) *llm.Error {
	name, message := errorBody(body)
	for _, h := range head {
		if h.Name == typeHeader {
			name, _, _ = strings.Cut(h.Value, ":")
			name = name[strings.LastIndexByte(name, '#')+1:]
		}
	}
	if message == "" {
		message = "the provider answered with status " + strconv.Itoa(status)
	}
	if exceptions[name].status != 0 {
		return newError(name, message)
	}
	e := newError(exceptionOf(status), message)
	if status != 408 && status != 424 { // those of a model, which are no fault of the client
		e.Status = status
	}
	return e
}

// maxMessage bounds a provider's message.
const maxMessage = 4 << 10

// newError is an exception of this API.
func newError(name, message string) *llm.Error {
	known, ok := exceptions[name]
	if !ok {
		known = exceptions["InternalServerException"]
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	e := &llm.Error{Status: known.status, Code: known.code, Message: message, Type: name}
	if strings.Contains(message, tooLong) || strings.Contains(message, claudeTooLong) {
		e.Code = codeContext
	}
	return e
}

// errorBody reads what a body says of an error: its message and, where a proxy
// has put it there, the exception's name.
func errorBody(body []byte) (name, message string) {
	in := jsonx.NewReader(body)
	err := in.Object(func(member []byte) (err error) {
		switch {
		case in.Kind() != jsonx.String:
			_, err = in.Skip()
		case string(member) == "message", string(member) == "Message":
			message, err = in.String()
		case string(member) == "__type":
			name, err = in.String()
			name = name[strings.LastIndexByte(name, '#')+1:]
		default:
			_, err = in.Skip()
		}
		return err
	})
	if err != nil {
		return "", ""
	}
	return name, message
}

// EncodeError writes an error as the body of an answer. The exception's name is
// in the body, where the protocol (restJson1) allows it as well as in a header.
func (*Dialect) EncodeError(e *llm.Error) []byte {
	dst := append(jsonx.AppendString([]byte(`{"__type":`), exceptionFor(e)), ',')
	return append(appendReason(dst, e), '}')
}

// exceptionFor is the name of an error: a provider's own if it speaks this
// dialect.
func exceptionFor(e *llm.Error) string {
	switch {
	case exceptions[e.Type].status == e.Status:
		return e.Type
	case e.Code == llm.CodeQuota:
		return "ServiceQuotaExceededException"
	}
	return exceptionOf(e.Status)
}

// appendReason appends the members that say what is wrong, with the gateway's
// stable code, which the official SDKs ignore.
func appendReason(dst []byte, e *llm.Error) []byte {
	message := e.Message
	if e.Code == codeContext && !strings.Contains(message, tooLong) && !strings.Contains(message, claudeTooLong) {
		message = tooLong + ": " + message
	}
	if e.Param != "" {
		message = e.Param + ": " + message
	}
	dst = jsonx.AppendString(append(dst, `"message":`...), message)
	return jsonx.AppendString(append(dst, `,"reason":`...), e.Code)
}

// notOurs is the error for a response that is not of this dialect.
func notOurs() *llm.Error { return dialect.NotValid(llm.Bedrock) }
