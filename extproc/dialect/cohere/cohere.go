// Package cohere writes requests to and reads responses of Cohere's own API,
// version 2: chat, unary and streamed, and embed. It is for providers alone; no
// client of the gateway speaks it.
//
// It knows messages, tools, citations, stream events and errors as Cohere's
// published API description and recorded traffic show them. It does not know
// which model thinks or calls tools; llm.Rules says that. Rerank and classify
// are not translated. OpenAI's dialect serves Cohere's compatibility API.
//
// The API counts tokens twice: those that the model has read and written, and
// those on the bill, which are fewer. The first are the usage.
package cohere

import (
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/fault"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Dialect is the API.
type Dialect struct{}

var _ dialect.ProviderSide = (*Dialect)(nil)

// New returns the dialect.
func New() *Dialect { return &Dialect{} }

// Name is llm.Cohere.
func (*Dialect) Name() string { return llm.Cohere }

// Paths below a provider's base URL, which is the host alone.
const (
	chatPath  = "/v2/chat"
	embedPath = "/v2/embed"
)

// reasonOf maps the finish reasons to the vocabulary. Those that are errors are
// not among them.
var reasonOf = map[string]llm.FinishReason{
	"COMPLETE":      llm.FinishStop,
	"STOP_SEQUENCE": llm.FinishStopSequence,
	"MAX_TOKENS":    llm.FinishLength,
	"TOOL_CALL":     llm.FinishToolCalls,
}

// failures are the finish reasons that are errors: their statuses.
var failures = map[string]int{"ERROR": 502, "TIMEOUT": 504}

// Codes of errors that other formats name as well.
const (
	codeContext = "context_length_exceeded"
	codeFilter  = "content_filter"
)

// DecodeError reads the body of a response with an error status. Two statuses
// are Cohere's own: 498 is text that it refuses to read or write, and 499 a
// request that was given up.
func (*Dialect) DecodeError(status int, _ []llm.Header, body []byte) *llm.Error {
	e := fault.Decode(status, body)
	switch {
	case status == 498:
		e.Status, e.Code = 400, codeFilter
	case status == 499:
		e.Status, e.Code = 502, llm.CodeUpstreamError
	case strings.HasPrefix(e.Message, "too many tokens"):
		e.Code = codeContext
	}
	return e
}

// EncodeError writes an error as the whole body of an answer. Its code stands
// beside the members of the API, so that it is not lost where the body is read
// again.
func (*Dialect) EncodeError(e *llm.Error) []byte {
	dst := jsonx.AppendString([]byte(`{"message":`), e.Message)
	return append(jsonx.AppendString(append(dst, `,"code":`...), e.Code), '}')
}

// documentID is how the API names the documents of a request that have no names:
// doc:0 and so on.
const documentID = "doc:"

// documentOf is the number of a document by its id, from 1; 0: it is none.
func documentOf(id string) int {
	text, ok := strings.CutPrefix(id, documentID)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return n + 1
}
