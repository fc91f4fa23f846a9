package llm

// A Request is one client call in canonical form. A field that the client left
// out has its zero value.
type Request struct {
	Op      Op
	Dialect string // wire format of Body
	Body    Body   // what the client sent
	Header  []Header
	// Header holds the client's headers that belong to its dialect, such as
	// anthropic-beta. It never holds credentials.

	Model       string
	Stream      bool
	StreamUsage bool // the client asked for usage in the stream
	Array       bool // the stream shall be one JSON array, as Gemini has it without alt=sse

	System   []Part // instructions before the first turn
	Messages []Message

	Tools       []Tool
	ToolChoice  ToolChoice
	SerialTools bool // at most one tool call in an answer

	MaxTokens        int64 // limit of output tokens; 0: not given
	N                int64 // number of choices; 0: not given
	Temperature      Number
	TopP             Number
	TopK             Number
	FrequencyPenalty Number
	PresencePenalty  Number
	Seed             Number
	Stop             []string
	Format           *Format
	Reasoning        *Reasoning
	User             string // the caller's own name for its end user
	ServiceTier      string
	Logprobs         bool  // the client wants the probabilities of the answer's tokens
	TopLogprobs      int64 // and of so many others at each place

	Inputs     []Part // texts to embed; empty if they were sent as tokens
	Dimensions int64  // of each embedding; 0: not given
	Packed     bool   // embeddings shall be strings, as OpenAI's base64

	// Extra names the members of Body that have no canonical field. They
	// survive when the target speaks the client's dialect and are refused or
	// warned about when it does not.
	Extra []Member

	InputEstimate int64 // input tokens by our own count; 0: not counted

	// Changes to the client's body that hold for every target: a guard's
	// redactions and a policy's modifications.
	Edits []Edit
	Sets  []Set
}

// A Set gives a member of the body a new value; nil removes it.
type Set struct {
	Name  string
	Value []byte
}

// Patch begins the changes for one target with those that hold for all.
func (r *Request) Patch() *Patch {
	p := r.Body.Patch(r.Edits...)
	for _, s := range r.Sets {
		if s.Value == nil {
			p.Remove(s.Name)
		} else {
			p.Set(s.Name, s.Value)
		}
	}
	return p
}

// A Number is a JSON number as the client wrote it; empty: not given.
type Number string

// A Role says who speaks.
type Role string

// The roles. Results of tools are parts of a user's message.
const (
	RoleSystem    Role = "system"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
)

// A Message is one turn.
type Message struct {
	Role  Role
	Name  string
	Parts []Part
}

// A PartKind says what a Part holds.
type PartKind uint8

// The kinds of parts.
const (
	PartText       PartKind = iota // Text
	PartImage                      // Media
	PartAudio                      // Media
	PartFile                       // Media
	PartToolCall                   // ID, Name, Text: the arguments, as JSON text
	PartToolResult                 // ID, Parts, IsError
	PartReasoning                  // Text, Signature
	PartRedacted                   // Signature: reasoning that only its provider can read
	PartRefusal                    // Text
	PartOther                      // Raw: a kind that has no canonical form
)

// A Part is one piece of a message.
type Part struct {
	Kind      PartKind
	Text      string
	At        Span   // the JSON value of Text in Body.Raw; empty if it has none
	ID        string // of the tool call
	Name      string // of the tool
	Signature string // by which the provider recognises its own reasoning; see dialect.Seal
	IsError   bool   // of a tool result
	Media     Media
	Parts     []Part // content of a tool result
	Cache     *Cache // the provider shall cache up to and with this part
	Type      string // the dialect's name of a PartOther
	Raw       []byte // the part as the client sent it, where it is an object
}

// Media is an image, a sound or a document: bytes, a link, or a provider's id.
type Media struct {
	Type   string // media type, as image/png; empty for most links
	Data   string // base64
	URL    string
	FileID string
	Name   string // file name or title
	Detail string // low, high, auto
}

// A Cache mark asks a provider to keep a prompt's beginning.
type Cache struct{ TTL string } // "", "5m", "1h"

// A Tool is a function that the model may call.
type Tool struct {
	Name        string
	Description string
	Schema      []byte // JSON Schema of the arguments; nil: not given
	Strict      *bool
	Cache       *Cache
	Type        string // the dialect's name of a tool that is no function; Raw is all there is
	Raw         []byte
}

// A ToolMode says how free the model is to call tools.
type ToolMode string

// The tool modes; the empty one means that the client did not choose.
const (
	ToolAuto     ToolMode = "auto"
	ToolNone     ToolMode = "none"
	ToolRequired ToolMode = "required"
	ToolNamed    ToolMode = "named"
)

// A ToolChoice is the client's choice of tools.
type ToolChoice struct {
	Mode    ToolMode
	Name    string   // for ToolNamed
	Allowed []string // only these, if not nil
}

// A Format is the shape that the client wants for the answer's text.
type Format struct {
	Kind        FormatKind
	Name        string
	Description string
	Schema      []byte
	Strict      *bool
}

// A FormatKind is the kind of structured output.
type FormatKind string

// The kinds of structured output.
const (
	FormatText   FormatKind = "text"
	FormatJSON   FormatKind = "json_object"
	FormatSchema FormatKind = "json_schema"
)

// Reasoning says how much the model shall think.
type Reasoning struct {
	Mode    string // "", "enabled", "disabled", "adaptive"
	Effort  string // "", "none", "minimal", "low", "medium", "high", "xhigh", "max"
	Budget  int64  // tokens; 0: not given
	Display string // what the client wants to see of it
}
