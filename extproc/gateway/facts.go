package gateway

import (
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Caller is who a request comes from, by its key.
type Caller struct {
	KeyID  string // never the key itself; empty where no key is asked for
	Org    string
	Team   string
	User   string
	Roles  []string
	Labels map[string]string
	Models []string // patterns of the models that it may ask for; nil: all
}

// Facts are what a policy can know of a request. See policies/README.md for
// the form in which rules see them.
type Facts struct {
	Now     time.Time
	Op      llm.Op
	Dialect string
	Path    string

	Model       string // as the client asked for it
	Stream      bool
	MaxTokens   int64 // 0: not given
	InputTokens int64 // our own count
	Messages    int
	Images      int
	Audios      int
	Files       int
	Tools       []string // names, in order
	Bytes       int64    // size of the body

	Caller     Caller
	User       string // the end user that the client names
	Session    string
	Properties map[string]string

	Candidates []Candidate // in the order of the configuration
}

// A Candidate is a target that the request could go to.
type Candidate struct {
	Provider    string
	Model       string
	Tags        map[string]string
	Region      string // empty: not known
	InputPrice  int64  // nano-dollars per million tokens; -1: not known
	OutputPrice int64
	Context     int64 // tokens that fit in; 0: not known
	MaxOutput   int64 // tokens; 0: not known

	State          string // closed, open or half_open, as a circuit breaker is
	ErrorsPermille int64  // of the latest attempts; 0 as well where there are none
	LatencyMS      int64  // to the end of a response; 0: not known
	FirstTokenMS   int64  // to the first content of a stream; 0: not known
	InFlight       int64  // attempts that are running
	Weight         int64  // as configured
}

// A Decision is what a policy says about a request, folded to one answer.
type Decision struct {
	Deny *Denial // nil: allowed

	Require      []Condition // tags that every target must have
	Exclude      []Condition // tags that no target may have
	Chain        []string    // models or targets to use instead of what was asked
	TimeoutMS    int64       // 0: not said
	FirstTokenMS int64
	Prefer       []Preference // each By once
	Split        *Split       // nil: not said
	Pick         string       // ordered, weighted, cheapest, fastest or least_busy, before the model's own; empty: not said

	Modify []Modification
	Labels map[string]string // for the record

	Rules []string // the rules that took part, for the record
}

// A Denial is a refusal by a policy.
type Denial struct {
	Code        string
	Status      int
	Message     string
	RetryAfterS int64 // 0: not said
	Rule        string
}

// A Condition holds for a target whose tag is one of the values. The names
// provider, model and region stand for the target's own.
type Condition struct {
	Name   string
	Values []string
}

// A Preference orders targets without leaving any out.
type Preference struct {
	By     string // price, latency, first_token, load, errors, order, or a tag as residency=eu
	Weight int64  // of all rules together
}

// A Split divides requests among targets, the same one always for the same
// user, session, key or request.
type Split struct {
	By     string // user, session, key or request
	Shares []Share
}

// A Share is a target's part of the requests: its weight by the sum of all.
type Share struct {
	Target string
	Weight int64
}

// A Modification changes one field of the canonical request.
type Modification struct {
	Path   string // as max_tokens
	Max    *int64 // the most that is allowed; also the value where there is none
	Value  []byte // JSON
	Remove bool
}
