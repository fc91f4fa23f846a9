package gateway

import "sync/atomic"

// Candidates of a policy are tried beside the one in force: as a shadow, which
// decides nothing, or as a canary, which decides for a few.

// A Canary is a policy that decides for a share of the callers, always the same
// ones.
type Canary struct {
	Policy   Policy
	Permille int64  // of the callers
	By       string // what tells them apart: ByKey and the like
}

// What a canary goes by.
const (
	ByKey     = "key"
	ByUser    = "user" // that the client names, else the owner of the key or token
	BySession = "session"
	ByTeam    = "team"
)

// A Shadow learns of decisions, to compare them with those of another policy.
type Shadow interface {
	// Takes reports whether an exchange is one of those that are compared.
	Takes(id string) bool

	// Reads reports whether the other policy looks at a fact, as Policy.Reads.
	Reads(fact string) bool

	// Compare takes what the policy in force was asked and what it said. It must
	// not wait, and must not change the facts, which others read at the same time.
	Compare(id string, f *Facts, d *Decision, err error)
}

// Rules are what decides about requests.
type Rules struct {
	Policy Policy
	Canary *Canary // nil: none
	Shadow Shadow  // nil: none
}

// rules are the Rules in force. An exchange keeps those that it began with.
type rules struct{ atomic.Pointer[Rules] }

// Promote puts a policy in force, in place of the one that is and of its canary.
// The rest of the snapshot stays. Exchanges that have begun end with what they
// began with.
func (g *Gateway) Promote(p Policy) { g.rules.Store(&Rules{Policy: p}) }

// Shares are counted in thousandths.
const thousand = 1000

// Sampled reports whether a name is in a share, in thousandths. It says the same
// always and everywhere, and whatever is in a share is in every larger one.
func Sampled(name string, permille int64) bool {
	return mix(hash(name))%thousand < uint64(max(permille, 0))
}

// assign says which policy decides about an exchange and who looks on. What a
// canary decides is not compared: the candidate itself said it.
func (r *Rules) assign(x *Exchange) {
	x.policy, x.shadow = r.Policy, nil
	switch {
	case r.Canary != nil && r.Canary.takes(x):
		x.policy = r.Canary.Policy
	case r.Shadow != nil && r.Shadow.Takes(x.ID):
		x.shadow = r.Shadow
	}
}

// named takes a user that stands in the body, if no header names one. A canary may
// go by it.
func (x *Exchange) named(user string) {
	if x.record.User != "" || user == "" {
		return
	}
	x.record.User = clip(user)
	x.rules.assign(x)
	x.record.Revision = x.policy.Revision()
}

// takes reports whether the caller of an exchange is in the share. Who cannot be
// told apart is not.
func (c *Canary) takes(x *Exchange) bool {
	name := x.record.Account(c.By)
	return name != "" && Sampled(c.By+" "+name, c.Permille)
}

// reads reports whether anybody looks at a fact of this exchange.
func (x *Exchange) reads(fact string) bool {
	return x.policy.Reads(fact) || x.shadow != nil && x.shadow.Reads(fact)
}
