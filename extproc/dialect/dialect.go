// Package dialect says what every wire format of an LLM API must do: read and
// write requests, read and write responses, streamed or not, and errors.
//
// It does not know any format; each has a folder of its own. It does not know
// providers, prices or policies, and nothing of HTTP but paths and media types.
package dialect

import "github.com/attache-gateway/attache/extproc/llm"

// A Dialect is one wire format, in both directions. It holds no state.
type Dialect interface {
	ProviderSide

	// DecodeRequest reads a client's request. It refuses what the format does
	// not allow with an *llm.Error that names the member. Members that it does
	// not know are kept in Request.Extra.
	DecodeRequest(op llm.Op, body []byte) (*llm.Request, error)

	// NewEncoder writes the response to r in the form that r asks for.
	NewEncoder(r *llm.Request) Encoder

	// Member names the members of a request that hold a canonical field, as
	// max_tokens or metadata.user_id; include[x] is the string x in a list. The
	// first is the one to add where none is there, unless it is empty.
	Member(field string) []string
}

// A ProviderSide is what is spoken with providers: of some formats that is all
// there is.
type ProviderSide interface {
	// Name is the dialect's name in configuration and records.
	Name() string

	// EncodeRequest writes the request for a target. What the dialect cannot
	// express is an *llm.Error or a warning, never lost. A request of the same
	// dialect is patched, not written anew.
	EncodeRequest(r *llm.Request, t Target) (*Wire, error)

	// NewDecoder reads one response. The media type decides between stream and
	// unary, not what was asked for.
	NewDecoder(op llm.Op, mediaType string, limit int) Decoder

	// DecodeError reads a response with an error status: its headers, for
	// formats that name the error there, and its body. A body that it does not
	// know gives an error with a general message.
	DecodeError(status int, head []llm.Header, body []byte) *llm.Error

	// EncodeError writes an error as the whole body of an answer.
	EncodeError(e *llm.Error) []byte
}

// A Target is what a dialect must know of the receiver of a request.
type Target struct {
	Model    string // as the provider names it
	AskUsage bool   // ask for usage in the stream, although the client did not
	Rules    llm.Rules
}

// A Wire is a request as one target wants it, but for credentials and host.
type Wire struct {
	Path     string // below the provider's base URL, as /chat/completions
	Header   []llm.Header
	Body     []byte
	Warnings []string // fields that were left out, each with its reason
}

// A Frame is one unit of a response as it came over the wire (an SSE event, a
// whole unary body) with the events that it says. The raw bytes of all frames,
// joined, are the response.
type Frame struct {
	Raw    []byte
	Events []llm.Event
}

// A Decoder reads one response, cut anywhere into chunks.
type Decoder interface {
	// Decode takes the next chunk and returns the frames that it completed.
	// They are valid until the next call. eos marks the last chunk; what is
	// left then is returned as a frame. A body that is not of the dialect is
	// an *llm.Error with status 502.
	Decode(chunk []byte, eos bool) ([]Frame, error)
}

// An Encoder writes one response.
type Encoder interface {
	// Encode appends the client's form of the events to dst. A unary response
	// is written when the events hold EventEnd or EventError.
	Encode(dst []byte, events []llm.Event) ([]byte, error)

	// MediaType is the content-type of what is written.
	MediaType() string
}
