package gateway

import (
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Record is all that is kept of one exchange. It holds no prompts and no
// keys.
type Record struct {
	ID         string
	Start      time.Time
	Duration   time.Duration
	FirstToken time.Duration // from Start; 0: none came, or nobody looked

	Caller     Caller
	User       string
	Session    string
	Properties map[string]string

	Op      llm.Op
	Dialect string
	Path    string
	Model   string // as asked for
	Stream  bool

	Target   string // provider/model that answered; empty: the gateway did
	Provider string
	Attempts []Attempt

	Status    int    // as the client saw it; 0: it got none, or one of Envoy's
	Code      string // of the error; empty: none
	Detail    string // what went wrong inside, for operators
	Finish    llm.FinishReason
	Truncated bool // the response ended before the provider said so
	Cancelled bool // the connection of the client or, in the middle of a response, of the provider broke

	Usage    llm.Usage
	Counted  bool  // Usage is our own count, the provider gave none
	CostNano int64 // nano-dollars
	Unpriced bool  // no price is known for the target, or no usage of what was passed on

	Limit string // that refused the request or cut the response: its name, or rule: and the id of a rule; empty: none did
	Cut   bool   // a limit ended the response

	Cache     string // CacheHit and the like; empty: there is none, or it was not come to
	SavedNano int64  // of a hit: nano-dollars that the answer cost when it was made

	Revision string // of the policy
	Policy   PolicyUse
	Rules    []string
	Labels   map[string]string
	Log      LogUse
	Verdicts map[string]Action // by guard
	Warnings []string
}

// An Attempt is one try of one target.
type Attempt struct {
	Target string // provider/model
	Result string // won, or why it failed as far as is known
}
