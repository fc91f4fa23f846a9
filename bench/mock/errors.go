package mock

import (
	"fmt"
	"net/http"
)

// errorReply is an error status with the dialect's body.
func errorReply(d Dialect, status int, message string) reply {
	body := openAIError
	if d == Anthropic {
		body = anthropicError
	}
	r := unary(typeJSON, body(status, message))
	r.status = status
	return r
}

// failure is what the dialect sends when it fails after its 200: an event, or
// the body.
func failure(d Dialect, stream bool) []byte {
	event, body := "", openAIError(http.StatusInternalServerError, "The server had an error while processing your request.")
	if d == Anthropic {
		event, body = "event: error\n", anthropicError(529, "Overloaded")
	}
	if !stream {
		return body
	}
	return fmt.Appendf(nil, "%sdata: %s\n\n", event, body)
}

func unknownPath(d Dialect, r *http.Request) reply {
	return errorReply(d, http.StatusNotFound, fmt.Sprintf("unknown path %s %s", r.Method, r.URL.Path))
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
