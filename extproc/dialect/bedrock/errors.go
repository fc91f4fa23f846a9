package bedrock

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/exception"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// DecodeError reads a response with an error status.
func (*Dialect) DecodeError(status int, head []llm.Header, body []byte) *llm.Error {
	return exception.Decode(status, head, body)
}

// EncodeError writes an error as the body of an answer. The exception's name is
// in the body, where the protocol (restJson1) allows it as well as in a header.
func (*Dialect) EncodeError(e *llm.Error) []byte {
	dst := append(jsonx.AppendString([]byte(`{"__type":`), exception.Name(e)), ',')
	return append(exception.Append(dst, e), '}')
}

// notOurs is the error for a response that is not of this dialect.
func notOurs() *llm.Error { return dialect.NotValid(llm.Bedrock) }
