package gateway

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// targeted reports whether the limit's accounts are of targets, and not of who asks.
func (l *Limit) targeted() bool { return l.Per == "model" || l.Per == "provider" }

// same reports whether two limits compare with the same counts.
func (l *Limit) same(o *Limit) bool { return l.Kind() == o.Kind() }

// metered reports whether the limit is about what a response uses.
func (l *Limit) metered() bool { return l.Tokens >= 0 || l.CostNano >= 0 }

// limits are all that hold for the request: those of the configuration and the
// policy's.
func (x *Exchange) limits() []*Limit {
	if len(x.decision.Limits) == 0 {
		return x.gw.bounds
	}
	all := append(make([]*Limit, 0, len(x.gw.bounds)+len(x.decision.Limits)), x.gw.bounds...)
	for i := range x.decision.Limits {
		all = append(all, &x.decision.Limits[i])
	}
	return all
}

// account returns the account that a limit is about.
func (x *Exchange) account(l *Limit, t *target) string {
	switch l.Per {
	case "model":
		return AccountName(t.String())
	case "provider":
		return AccountName(t.Name)
	}
	return x.record.Account(l.Per)
}

// Account returns the account that a request belongs to, by the Per of a limit. Who
// has none shares one with all others that have none: to leave a name out evades
// nothing.
func (r *Record) Account(per string) string {
	name := ""
	switch per {
	case "key":
		name = r.Caller.KeyID
	case "team":
		name = r.Caller.Team
	case "org":
		name = r.Caller.Org
	case "user":
		name = cmp.Or(r.User, r.Caller.User)
	case "session":
		name = r.Session
	case "model":
		name = r.Target
	case "provider":
		name = r.Provider
	default:
		property, _ := strings.CutPrefix(per, "property.")
		name = r.Properties[property]
	}
	return AccountName(name)
}

// maxAccount bounds the name of an account, in bytes: clients choose some.
const maxAccount = 128

// AccountName is the name of the account that a user, a team or whatever else a
// limit is per has. A long one is shortened.
func AccountName(name string) string {
	if len(name) <= maxAccount {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return strings.ToValidUTF8(name[:maxAccount/2], "") + "~" + hex.EncodeToString(sum[:8])
}

// A use is what a request is expected to use at any of its targets, in tokens.
type use struct {
	input, output int64
	free          bool // it costs nothing
	exact         bool // the input is counted, as far as it can be
}

// maxAmount bounds a figure of one request, so that sums of them do not overflow.
const maxAmount = 1 << 50

// amount is what the use comes to where it may be any of the targets'.
func (u use) amount(targets []*target) Amount {
	a := Amount{Requests: 1, Concurrent: 1, Tokens: min(u.input+u.output, maxAmount)}
	for _, t := range targets {
		if t.priced && !u.free {
			cost := t.price.Cost(llm.Usage{Input: u.input, Output: u.output})
			a.CostNano = min(max(a.CostNano, cost), maxAmount)
		}
	}
	return a
}

// A booking is what an exchange has reserved.
type booking struct {
	Reservation
	claims  []Claim
	of      [][]*target // the targets that each claim is for; nil: all
	targets []*target
	use
	choices int64
	metered bool       // tokens or money are limited
	whole   bool       // all that the response can have is reserved
	dry     *refusedBy // of an extension; nil: there was room
}

// newBooking lists the claims of a request: each limit's on the account of who
// asks, or on those of the targets.
func (x *Exchange) newBooking(limits []*Limit, targets []*target, u use) *booking {
	b := &booking{targets: targets, use: u, claims: make([]Claim, 0, len(limits)), of: make([][]*target, 0, len(limits))}
	everywhere := u.amount(targets)
	for _, l := range limits {
		b.metered = b.metered || l.metered()
		if !l.targeted() {
			b.add(Claim{Limit: l, Account: x.account(l, nil), Zone: x.gw.zone, Amount: everywhere}, nil)
			continue
		}
		for i, t := range targets {
			account := x.account(l, t)
			if slices.ContainsFunc(targets[:i], func(o *target) bool { return x.account(l, o) == account }) {
				continue
			}
			theirs := targets
			if len(targets) > 1 {
				theirs = slices.DeleteFunc(slices.Clone(targets[i:]), func(o *target) bool { return x.account(l, o) != account })
			}
			b.add(Claim{Limit: l, Account: account, Zone: x.gw.zone, Amount: u.amount(theirs)}, theirs)
		}
	}
	return b
}

func (b *booking) add(c Claim, of []*target) {
	c.Again = slices.ContainsFunc(b.claims, func(o Claim) bool { return o.Limit.same(c.Limit) && o.Account == c.Account })
	b.claims = append(b.claims, c)
	b.of = append(b.of, of)
}

// isFor reports whether a claim is for a target of its own, among others.
func (b *booking) isFor(i int, t *target) bool { return slices.Contains(b.of[i], t) }

// giveBack ends the claims that are for other targets than one, nil for none. Those
// whose targets were tried have had their request.
func (b *booking) giveBack(now time.Time, to *target, tried []step) {
	var lost, asked ClaimSet
	for i, of := range b.of {
		switch {
		case of == nil || b.isFor(i, to):
		case slices.ContainsFunc(tried, func(s step) bool { return b.isFor(i, s.target) }):
			asked |= 1 << i
		default:
			lost |= 1 << i
		}
	}
	b.Settle(now, lost, Amount{})
	b.Settle(now, asked, Amount{Requests: 1})
}
