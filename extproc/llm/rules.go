package llm

// Rules are what a model or its server departs in from its dialect's document,
// and how large its context is. The zero value departs in nothing.
type Rules struct {
	Context   int64 // tokens of input and output together; 0: not known
	MaxOutput int64 // tokens; 0: not known. Used where the dialect demands a limit and the client gave none

	// What models depart in.
	Reasons       bool     // a reasoning model
	Adaptive      bool     // knows adaptive thinking and effort levels
	Efforts       []string // the levels of effort that it knows, lowest first; nil: all
	MaxBudget     int64    // tokens; the highest thinking budget; 0: none is known
	NoBudget      bool     // refuses thinking budgets
	NoThinkingOff bool     // refuses to switch thinking off
	NoSampling    bool     // refuses temperature, top_p, top_k
	NoForcedTool  bool     // refuses tool_choice any and named
	NoPrefill     bool     // refuses an assistant's message at the end
	NativeSchema  bool     // knows structured output
	SchemaOrTools bool     // gemini: refuses structured output together with tools
	SignedCalls   bool     // gemini: refuses earlier tool calls without a signature
	NoPenalties   bool     // gemini: refuses frequency and presence penalties
	CacheMarks    bool     // openai, responses: takes prompt_cache_breakpoint
	NoChat        bool     // openai: is in the Responses API alone
	NoChatTools   bool     // openai: refuses functions while it reasons, but in the Responses API
	NoImages      bool     // reads none
	NoAudio       bool     // hears none
	NoFiles       bool     // reads none
	MaxMedia      int64    // bytes of one image, sound or file inside a request; 0: not known

	// What servers of the openai dialect depart in.
	MaxTokensField   string   // the member for the output limit, if not max_completion_tokens
	SeedField        string   // the member for the seed, if not seed
	UserField        string   // the member for the user's id, if not safety_identifier
	DimensionsField  string   // the member for the size of embeddings, if not dimensions
	ReasoningField   string   // the member that takes an assistant's earlier reasoning, as reasoning_content; empty: none
	SystemRole       string   // "developer" or "system"; empty: system
	Members          []string // the only members that it takes, as messages[].content; nil: any
	Refused          []string // members that it refuses, as logprobs or messages[].name
	MaxTemperature   float64  // 0: as in the document
	MaxStop          int64    // stop sequences; 0: as in the document
	ShortCallIDs     bool     // ids of tool calls are nine letters and digits
	ThinkingParts    bool     // takes an assistant's earlier reasoning as parts of type thinking
	PlainMedia       bool     // takes sound as base64 text alone, and a document as document_url
	ToolAny          bool     // knows tool_choice any
	OneAnswer        bool     // refuses n above 1
	NoSchema         bool     // refuses structured output by a schema
	NoUsageOption    bool     // refuses stream_options
	ReasoningDetails bool     // takes its reasoning_details back, as OpenRouter does
	ExtraContent     bool     // takes the signatures in tool calls' extra_content back, as Google's servers do
}
