// Package exception reads and writes errors as Amazon Bedrock does: exceptions,
// which have a name.
//
// It knows the names, what they mean and where they stand, in headers, bodies
// and messages of streams. It knows no other part of Bedrock's APIs.
package exception

import (
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
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

// A meaning is what the name of an exception means. The service's own status is the
// same but for errors of a model, which are no fault of the client, and for
// quotas, which are no fault in the request.
type meaning struct {
	status int
	code   string
}

// known are the exceptions of the published model and of the service's front end.
var known = map[string]meaning{
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

// nameOf is the exception for a status that stands alone.
func nameOf(status int) string {
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

// noCount is in the message about a model that CountTokens does not know, which
// comes as a ValidationException. Source: maximhq/bifrost#2169.
const noCount = "doesn't support counting tokens"

// Decode reads a response with an error status. The exception is known by
// its name, in a header as a rule, or else by the status.
func Decode(status int, head []llm.Header, body []byte) *llm.Error {
	name, message := Body(body)
	for _, h := range head {
		if h.Name == typeHeader {
			name, _, _ = strings.Cut(h.Value, ":")
			name = name[strings.LastIndexByte(name, '#')+1:]
		}
	}
	switch {
	case message == "":
		message = "the provider answered with status " + strconv.Itoa(status)
	case strings.Contains(message, noCount):
		return &llm.Error{Status: 501, Code: llm.CodeUnsupported, Message: message, Type: name}
	}
	if known[name].status != 0 {
		return New(name, message)
	}
	e := New(nameOf(status), message)
	if status != 408 && status != 424 { // those of a model, which are no fault of the client
		e.Status = status
	}
	return e
}

// maxMessage bounds a provider's message.
const maxMessage = 4 << 10

// New is an exception of a name, with the status that it should have had. A name
// that is not known is that of an internal error.
func New(name, message string) *llm.Error {
	m, ok := known[name]
	if !ok {
		m = known["InternalServerException"]
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	e := &llm.Error{Status: m.status, Code: m.code, Message: message, Type: name}
	if strings.Contains(message, tooLong) || strings.Contains(message, claudeTooLong) {
		e.Code = codeContext
	}
	return e
}

// Body reads what a body says of an error: its message and, where a proxy
// has put it there, the exception's name.
func Body(body []byte) (name, message string) {
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

// Of reads a message of a stream that is an exception or, as the transport's own
// errors are, has headers alone. It is nil for all others.
func Of(m *eventstream.Message) *llm.Error {
	name, message := "", ""
	switch string(m.Text(":message-type")) {
	case "exception":
		name = capital(m.Text(":exception-type"))
		_, message = Body(m.Payload)
	case "error":
		name, message = capital(m.Text(":error-code")), string(m.Text(":error-message"))
	default:
		return nil
	}
	if message == "" {
		message = "the provider ended the answer with an error"
	}
	return New(name, message)
}

// capital is the name of an exception, which streams write with a small first
// letter.
func capital(member []byte) string {
	if len(member) == 0 {
		return ""
	}
	return strings.ToUpper(string(member[:1])) + string(member[1:])
}

// Name is the name of an error: a provider's own if it is Amazon's.
func Name(e *llm.Error) string {
	switch {
	case known[e.Type].status == e.Status:
		return e.Type
	case e.Code == llm.CodeQuota:
		return "ServiceQuotaExceededException"
	}
	return nameOf(e.Status)
}

// Append appends the members of an object that say what is wrong, with the
// gateway's stable code, which the official SDKs ignore.
func Append(dst []byte, e *llm.Error) []byte {
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
