package llm

// A Kind says what an Event carries.
type Kind uint8

// The kinds of events. A response is EventStart, then content in the order in
// which the model wrote it, then EventUsage and EventFinish in either order,
// then EventEnd. A unary response is the same sequence as a streamed one, so
// that everything behind a decoder is written once.
//
// Text, reasoning and tool calls open a block by themselves; EventBlockEnd
// closes the one that is open, for formats that mark their ends, so that two
// texts in a row stay two.
const (
	EventStart     Kind = iota // ID, Model, Created; Usage as far as it is known by then
	EventText                  // Text
	EventReasoning             // Text
	EventSignature             // Text: of the reasoning before it, see dialect.Seal
	EventRedacted              // Text: reasoning that only its provider can read
	EventRefusal               // Text
	EventToolStart             // Tool, ID, Name
	EventToolArgs              // Tool, Text: a piece of the arguments' JSON text
	EventBlockEnd              // closes the open block
	EventUsage                 // Usage: all counts so far; replaces earlier reports
	EventFinish                // Reason, Stop; Text: the explanation of a refusal
	EventError                 // Err: the response ends here, broken
	EventPing                  // nothing happened, but the provider is there
	EventOther                 // content that has no canonical form; Text names its type, Raw is its JSON
	EventEnd                   // the provider says that it is done
	EventVector                // Text: one embedding's JSON; Choice is its index
	EventCitation              // Citation: a source of text that was said before
	EventLogprobs              // Logprobs: of the tokens of text that was said before
	EventMedia                 // Media: an image or a sound that the model made
)

// An Event is one step of a response.
type Event struct {
	Kind    Kind
	Choice  int    // which of several answers; 0 for most
	Tool    int    // ordinal of the tool call within its choice: 0, 1, 2 …
	Text    string // may end inside a surrogate pair, see jsonx
	ID      string // of the response, or of the tool call
	Name    string // of the tool
	Model   string
	Created int64 // Unix seconds; 0: unknown
	Reason  FinishReason
	Stop    string // the stop sequence that was met
	Usage   Usage
	Err     *Error

	Signature string // of a tool call: of the reasoning behind it, see dialect.Seal

	Citation *Citation
	Logprobs *Logprobs
	Media    *Media
	Raw      *Raw
}

// Raw is content as its provider wrote it: it can be written again in the same
// dialect only.
type Raw struct {
	Dialect string
	JSON    []byte
}

// A Citation names a source of a stretch of the answer.
type Citation struct {
	Start, End int // the stretch, in characters of all text of the choice; the end is not part of it
	URL        string
	Title      string
	Quote      string // what the source says
	FileID     string // of a source that is a file
	Document   int    // which of the documents, or of the search results, in the request it is, from 1; 0: none
	Unit       string // of From and To: char, page, block of a document, result for a search result's blocks; empty: not known
	From, To   int    // where in the document
}

// Logprobs are the probabilities of tokens in a row.
type Logprobs struct{ Tokens []Logprob }

// A Logprob is the probability of a token of the answer's text.
type Logprob struct {
	Token   string
	Logprob Number
	Bytes   []byte    // the token's, as a JSON list; nil: not given
	Top     []Logprob // the likeliest tokens at its place
}

// A FinishReason says why the model stopped.
type FinishReason string

// The finish reasons.
const (
	FinishStop          FinishReason = "stop"
	FinishStopSequence  FinishReason = "stop_sequence"
	FinishLength        FinishReason = "length"
	FinishContext       FinishReason = "context_window" // the model's context is full
	FinishToolCalls     FinishReason = "tool_calls"
	FinishContentFilter FinishReason = "content_filter"
	FinishRefusal       FinishReason = "refusal"
	FinishPause         FinishReason = "pause" // the model waits to be continued
)

// Content reports whether the event is something that a reader of the answer
// would see: it ends the wait for the first token.
func (k Kind) Content() bool {
	switch k {
	case EventText, EventReasoning, EventSignature, EventRedacted, EventRefusal,
		EventToolStart, EventToolArgs, EventOther, EventVector, EventMedia:
		return true
	}
	return false
}

// Usage counts tokens.
type Usage struct {
	Input          int64 // all input tokens, cached ones included
	CacheRead      int64 // of Input: read from the provider's cache
	CacheWrite     int64 // of Input: written to the provider's cache
	CacheWriteHour int64 // of CacheWrite: kept for an hour
	Output         int64 // all output tokens, reasoning included
	Reasoning      int64 // of Output
	AudioInput     int64 // of Input
	AudioOutput    int64 // of Output
}

// Total is the sum of input and output tokens.
func (u Usage) Total() int64 { return u.Input + u.Output }
