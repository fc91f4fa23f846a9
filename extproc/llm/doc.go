// Package llm is the gateway's vocabulary: a request, the events of a
// response, usage, errors and answers, free of any provider's wire format.
//
// It knows what the formats have in common and keeps the rest as the client
// wrote it. It does not know JSON schemas of providers (package dialect), who
// sells which model (package provider) or what is allowed (package gateway).
// It imports only the standard library.
package llm

// An Op is what a client asks for.
type Op string

// The operations of the front door.
const (
	OpChat        Op = "chat"         // a conversation, answered by a model
	OpEmbeddings  Op = "embeddings"   // vectors for texts
	OpModels      Op = "models"       // the list of models; answered by the gateway
	OpCountTokens Op = "count_tokens" // the size of a request in tokens
	OpForward     Op = "forward"      // any other path of an API, passed on unread
)

// Names of the wire formats, as they stand in configuration and records.
const (
	OpenAI    = "openai"
	Responses = "responses"
	Anthropic = "anthropic"
	Gemini    = "gemini"
	Bedrock   = "bedrock"
	Cohere    = "cohere" // of providers alone
)

// A Header is one HTTP header field. Names are lower case.
type Header struct{ Name, Value string }

// An Answer is a complete HTTP answer made by the gateway itself: a refusal, a
// list of models, a cache hit.
type Answer struct {
	Status int
	Type   string // media type of Body
	Header []Header
	Body   []byte
}
