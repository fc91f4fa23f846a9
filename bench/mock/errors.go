package mock

import (
	"fmt"
	"net/http"
)

// errorReply is an error status with the dialect's body. It tells after how
// many seconds to retry, if that is not 0, where the dialect says it.
func errorReply(d Dialect, status int, message string, after int) reply {
	var r reply
	switch d {
	case Anthropic:
		r = unary(typeJSON, anthropicError(status, message))
	case Gemini:
		r, after = unary(typeJSON, geminiError(status, message, after)), 0
	case Bedrock:
		r = unary(typeJSON, bedrockError(message))
		r.errorType = bedrockErrorType(status)
	default:
		r = unary(typeJSON, openAIError(status, message))
	}
	r.status, r.retryAfter = status, after
	return r
}

// failure is what the dialect sends when it fails after its 200: an event, the
// n-th from 0, or the body.
func failure(d Dialect, stream bool, n int) []byte {
	const message = "The server had an error while processing your request."
	frame, body := "data: %s\n\n", openAIError(http.StatusInternalServerError, message)
	switch d {
	case Responses:
		if stream { // an event has its error not in a member
			frame, body = "event: error\ndata: %s\n\n", fmt.Appendf(nil, `{"type":"error","code":"server_error","message":%s,"param":null,"sequence_number":%d}`, quote(message), n)
		}
	case Anthropic:
		frame, body = "event: error\ndata: %s\n\n", anthropicError(529, "Overloaded")
	case Gemini:
		frame, body = "data: %s\r\n\r\n", geminiError(http.StatusInternalServerError, message, 0)
	case Bedrock:
		body = bedrockError(message)
		if stream {
			return []byte(eventFrame("exception", "internalServerException", string(body)))
		}
	}
	if !stream {
		return body
	}
	return fmt.Appendf(nil, frame, body)
}

func unknownPath(d Dialect, r *http.Request) reply {
	return errorReply(d, http.StatusNotFound, fmt.Sprintf("unknown path %s %s", r.Method, r.URL.Path), 0)
}

func openAIError(status int, message string) []byte {
	kind, code := "invalid_request_error", "null"
	switch {
	case status == http.StatusUnauthorized:
		code = `"invalid_api_key"`
	case status == http.StatusNotFound:
		code = `"model_not_found"`
	case status == http.StatusTooManyRequests:
		kind, code = "requests", `"rate_limit_exceeded"`
	case status >= 500:
		kind = "server_error"
	}
	return fmt.Appendf(nil, `{"error":{"message":%s,"type":"%s","param":null,"code":%s}}`, quote(message), kind, code)
}

// anthropicErrors are the types of errors by status; the rest are api_error.
var anthropicErrors = map[int]string{
	400: "invalid_request_error",
	401: "authentication_error",
	402: "billing_error",
	403: "permission_error",
	404: "not_found_error",
	409: "conflict_error",
	413: "request_too_large",
	429: "rate_limit_error",
	504: "timeout_error",
	529: "overloaded_error",
}

func anthropicError(status int, message string) []byte {
	kind, ok := anthropicErrors[status]
	if !ok {
		kind = "api_error"
	}
	return fmt.Appendf(nil, `{"type":"error","error":{"type":"%s","message":%s},"request_id":"req_mock"}`, kind, quote(message))
}

// geminiErrors are Google's names of statuses.
var geminiErrors = map[int]string{
	400: "INVALID_ARGUMENT",
	401: "UNAUTHENTICATED",
	403: "PERMISSION_DENIED",
	404: "NOT_FOUND",
	409: "ABORTED",
	429: "RESOURCE_EXHAUSTED",
	500: "INTERNAL",
	503: "UNAVAILABLE",
	504: "DEADLINE_EXCEEDED",
}

func geminiError(status int, message string, after int) []byte {
	name, ok := geminiErrors[status]
	if !ok {
		name = "UNKNOWN"
	}
	details := ""
	if after > 0 {
		details = fmt.Sprintf(`,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"%ds"}]`, after)
	}
	return fmt.Appendf(nil, `{"error":{"code":%d,"message":%s,"status":"%s"%s}}`, status, quote(message), name, details)
}

// bedrockErrors are the exceptions of the Bedrock runtime by status.
var bedrockErrors = map[int]string{
	400: "ValidationException",
	403: "AccessDeniedException",
	404: "ResourceNotFoundException",
	408: "ModelTimeoutException",
	424: "ModelErrorException",
	429: "ThrottlingException",
	503: "ServiceUnavailableException",
}

func bedrockErrorType(status int) string {
	if name, ok := bedrockErrors[status]; ok {
		return name
	}
	return "InternalServerException"
}

func bedrockError(message string) []byte { return fmt.Appendf(nil, `{"message":%s}`, quote(message)) }
