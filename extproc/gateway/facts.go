package gateway

import (
	"encoding/json"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Caller is who a request comes from, by its key or token.
type Caller struct {
	KeyID  string // never the key itself; of a token its issuer and a claim; empty where none is asked for
	Org    string
	Team   string
	User   string
	Roles  []string
	Claims map[string]any // of a token, as JSON; numbers are json.Number
	Labels map[string]string
	Models []string // patterns of the models that it may ask for; nil: all
}

// Facts are what a policy can know. See policies/README.md for the form in
// which rules see them. What the policy does not read need not be there.
type Facts struct {
	Now     time.Time // in the zone that rules see it in
	Op      llm.Op
	Dialect string
	Method  string // of HTTP
	Path    string // with the version, unescaped, without a slash at its end

	Model       string // as the client asked for it
	Stream      bool
	MaxTokens   int64 // 0: not given
	InputTokens int64 // our own count
	Messages    int
	Images      int
	Audios      int
	Files       int
	Tools       []string // names, or the types of those that providers run
	Format      string   // of the answer: text, json_object, json_schema
	Temperature int64    // thousandths; -1: not given
	TopP        int64    // thousandths; -1: not given
	Bytes       int64    // size of the body
	Headers     []llm.Header

	Caller     Caller
	Address    string // of the client, as Envoy sees it
	User       string // the end user that the client names
	Session    string
	Properties map[string]string

	Candidates []Candidate        // in the order of the configuration
	Guards     map[string]Verdict // of the guards that ran before the policy
	Limits     map[string]Left    // of the configuration, by name, for the request's accounts; none per model or provider
	Budgets    map[string]Left    // those of money

	Record *Record            // of a request that has ended, else nil
	Output map[string]Verdict // of the guards that looked at its response
	Admin  *AdminCall         // nil: none
}

// An AdminCall is a request to the admin API.
type AdminCall struct{ Method, Path string }

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
	LeftPermille   int64  // the least of all limits of its model and provider; 1000 where there are none
}

// A Decision is what a policy says about a request, folded to one answer. It
// may be handed out again for a request of the same kind: nobody changes it.
// Its JSON is what the log of decisions and the commands show.
type Decision struct {
	Deny *Denial `json:"deny,omitempty"` // nil: allowed

	Require      []Condition  `json:"require,omitempty"`    // tags that every target must have
	Exclude      []Condition  `json:"exclude,omitempty"`    // tags that no target may have
	Chain        []string     `json:"chain,omitempty"`      // models or targets to use instead of what was asked
	TimeoutMS    int64        `json:"timeout_ms,omitempty"` // 0: not said
	FirstTokenMS int64        `json:"first_token_ms,omitempty"`
	Prefer       []Preference `json:"prefer,omitempty"` // each By once
	Split        *Split       `json:"split,omitempty"`  // nil: not said
	Pick         string       `json:"pick,omitempty"`   // ordered, weighted, cheapest, fastest or least_busy, before the model's own; empty: not said

	Modify       []Modification    `json:"modify,omitempty"`
	Headers      []HeaderChange    `json:"headers,omitempty"`
	Guards       []string          `json:"guards,omitempty"`        // to run besides those that always run
	OutputGuards []string          `json:"output_guards,omitempty"` // the same for the response
	Limits       []Limit           `json:"limits,omitempty"`        // those of the policy, besides the configuration's
	Cache        *CacheUse         `json:"cache,omitempty"`         // nil: as configured
	Log          LogUse            `json:"log,omitzero"`            // for the record
	Labels       map[string]string `json:"labels,omitempty"`        // for the record

	Rules  []string `json:"rules,omitempty"` // the rules that took part, for the record
	Speaks Speaks   `json:"-"`
}

// Speaks are the rules by which a decision has what only one rule can say, as in
// PolicyError.
type Speaks struct{ Chain, Split string }

// A Review is what a policy says about a request that has ended.
type Review struct {
	Cache  *CacheUse // nil: as the decision said
	Log    LogUse
	Labels map[string]string
	Rules  []string
}

// A Denial is a refusal by a policy.
type Denial struct {
	Code        string `json:"code"`
	Status      int    `json:"status"`
	Message     string `json:"message,omitempty"`
	RetryAfterS int64  `json:"retry_after_s,omitempty"` // 0: not said
	Rule        string `json:"rule,omitempty"`
}

// A Condition holds for a target whose tag is one of the values. The names
// provider, model, region and target, which is provider/model, stand for the
// target's own.
type Condition struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// A Preference orders targets without leaving any out.
type Preference struct {
	By     string `json:"by"`     // price, latency, first_token, load, errors, order, or a tag as residency=eu
	Weight int64  `json:"weight"` // of all rules together
}

// A Split divides requests among targets, the same one always for the same
// user, session, key or request.
type Split struct {
	By     string  `json:"by"` // user, session, key or request
	Shares []Share `json:"shares"`
}

// A Share is a target's part of the requests: its weight by the sum of all.
type Share struct {
	Target string `json:"target"`
	Weight int64  `json:"weight"`
}

// A Modification changes one field of the canonical request.
type Modification struct {
	Path   string          `json:"path"`            // as max_tokens
	Max    *int64          `json:"max,omitempty"`   // the most that is allowed; also the value where there is none
	Value  json.RawMessage `json:"value,omitempty"` // JSON
	Remove bool            `json:"remove,omitempty"`
}

// A HeaderChange sets or removes a header of the request upstream or of the
// response to the client.
type HeaderChange struct {
	Response bool   `json:"response,omitempty"`
	Name     string `json:"name"` // lower case
	Value    string `json:"value,omitempty"`
	Remove   bool   `json:"remove,omitempty"`
}

// A Limit bounds what all requests of one key, team or whatever else Per names
// use together.
type Limit struct {
	Name       string `json:"name,omitempty"`     // in the configuration or the policy; empty: a rule gives none
	Per        string `json:"per"`                // key, team, org, user, model, provider, session, or a property as property.tenant
	Window     string `json:"window,omitempty"`   // day, week or month, by the calendar; empty: WindowS, sliding
	WindowS    int64  `json:"window_s,omitempty"` // seconds that Requests, Tokens and Cost are for
	Requests   int64  `json:"requests"`           // -1: not limited
	Tokens     int64  `json:"tokens"`             // -1: not limited
	CostNano   int64  `json:"cost_nano"`          // nano-dollars; -1: not limited
	Concurrent int64  `json:"concurrent"`         // requests at once; -1: not limited
	Unpriced   bool   `json:"-"`                  // targets whose price is not known may be used, and cost nothing
	Own        bool   `json:"-"`                  // it has a count of its own, by its name, of the requests that it holds for
	By         Says   `json:"-"`                  // of the policy's
}

// Says are the ids of the rules that a limit's figures are of.
type Says struct{ Requests, Tokens, CostNano, Concurrent string }

// A CacheUse says how a response may come from the cache and go into it.
type CacheUse struct {
	Mode  string `json:"mode,omitempty"`  // off, exact or semantic; empty: as configured
	TTLS  int64  `json:"ttl_s,omitempty"` // seconds; 0: as configured
	Scope string `json:"scope,omitempty"` // who shares an entry: key, user, team or org; empty: as configured
}

// The levels of logging, from the least to the most.
const (
	LogNone = "none" // no line of its own, no event unless denied; the ledger has its row
	LogMeta = "meta" // without content
	LogFull = "full"
)

// A LogUse says what is logged of a request.
type LogUse struct {
	Level  string   `json:"level,omitempty"`  // empty: as configured
	Redact []string `json:"redact,omitempty"` // pointers into the policy's input, as /properties/email
}
