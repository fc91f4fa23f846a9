package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// leastOutput is the output below which a request is refused instead of getting
// less, in tokens.
const leastOutput = 256

// reserve takes what the request is expected to use from all accounts that limits
// hold for. It returns the targets that have room, or the refusal.
func (x *Exchange) reserve(ctx context.Context, r *llm.Request, targets []*target) ([]*target, *llm.Answer) {
	limits := x.limits()
	if len(limits) == 0 {
		return targets, nil
	}
	if x.gw.limits == nil {
		return nil, x.unfit(errors.New("gateway: the policy has limits, and there is nothing that keeps them"))
	}
	targets, refusal := x.priced(r, limits, targets[:min(len(targets), maxAttempts)])
	if refusal != nil {
		return nil, refusal
	}
	d := demand{x: x, limits: limits, req: r, use: x.expected(r, limits, targets)}
	b, short, err := d.book(ctx, targets)
	switch {
	case err != nil:
		return nil, x.fail(llm.CodeInternal, err)
	case short != nil:
		return nil, x.limited(short)
	}
	b.choices = choices(r)
	x.booked = b
	return b.targets, nil
}

// priced leaves out targets whose price is not known, where money is limited.
func (x *Exchange) priced(r *llm.Request, limits []*Limit, targets []*target) ([]*target, *llm.Answer) {
	i := slices.IndexFunc(limits, func(l *Limit) bool { return l.CostNano >= 0 && !l.Unpriced })
	if i < 0 || r.Op == llm.OpCountTokens || !slices.ContainsFunc(targets, func(t *target) bool { return !t.priced }) {
		return targets, nil
	}
	var kept []*target
	for _, t := range targets {
		if t.priced {
			kept = append(kept, t)
		} else {
			x.leaveOut(t, "its price is not known, and "+limits[i].title()+" needs one")
		}
	}
	if len(kept) > 0 {
		return kept, nil
	}
	x.record.Detail = fmt.Sprintf("%s needs a price, and there is none of %v", limits[i].title(), targets)
	return nil, x.refuse(&llm.Error{Status: 503, Code: llm.CodeNoTarget, Message: fmt.Sprintf(
		"the price of %s is not known, and %s needs one: the gateway's configuration can give it under providers.%s.prices", targets[0], limits[i].title(), targets[0].Name)})
}

// expected is what the request is expected to use.
func (x *Exchange) expected(r *llm.Request, limits []*Limit, targets []*target) use {
	if r.Op == llm.OpCountTokens {
		return use{free: true, exact: true}
	}
	if !slices.ContainsFunc(limits, (*Limit).metered) {
		return use{exact: true}
	}
	u := use{input: int64(len(r.Body.Raw)) / bytesPerToken}
	if r.Op == llm.OpForward { // there is nothing to count
		u.exact = true
	} else if len(r.Body.Raw) <= shortInput || r.InputEstimate > 0 {
		u.input, u.exact = x.input(r), true
	}
	switch r.Op {
	case llm.OpForward:
		u.output = r.MaxTokens
	case llm.OpChat:
		u.output = min(max(x.gw.health.expect(targets), thinking(r)), maxAmount/choices(r)) * choices(r)
		if most := longest(r, targets); most >= 0 {
			u.output = min(u.output, most)
		}
	}
	u.output = min(u.output, maxAmount)
	return u
}

// shortInput is the size up to which the input is counted whatever is left, in bytes.
const shortInput = 4 << 10

func choices(r *llm.Request) int64 { return min(max(r.N, 1), 1<<20) }

// thinking is the least output that a request which says how much of it is for
// thinking can be asked for: providers refuse less.
func thinking(r *llm.Request) int64 {
	if r.Reasoning == nil || r.Reasoning.Budget <= 0 {
		return 0
	}
	return min(r.Reasoning.Budget, maxAmount) + 1
}

// longest is the longest output that any of the targets can give, in tokens; -1:
// not known.
func longest(r *llm.Request, targets []*target) (most int64) {
	if r.Op != llm.OpChat && r.Op != llm.OpForward {
		return 0
	}
	for _, t := range targets {
		n := r.MaxTokens
		if t.rules.MaxOutput > 0 && (n == 0 || n > t.rules.MaxOutput) {
			n = t.rules.MaxOutput
		}
		if n == 0 {
			return -1
		}
		most = max(most, min(n, maxAmount/choices(r)))
	}
	return most * choices(r)
}

// A demand is what a request wants reserved.
type demand struct {
	x      *Exchange
	limits []*Limit
	req    *llm.Request
	use
}

// A refusedBy is the limit that there is no room under.
type refusedBy struct {
	*Limit
	Shortage
	resets time.Time // of a calendar window
}

// refusedBy says what a shortage is of.
func (x *Exchange) refusedBy(claims []Claim, s *Shortage) *refusedBy {
	c := &claims[s.Claim]
	by := &refusedBy{Limit: c.Limit, Shortage: *s}
	_, by.resets = c.Limit.Period(x.gw.now(), c.Zone)
	return by
}

// book reserves. Targets whose own accounts have no room are left out as long as
// there are others, and then the request gets less output than is expected.
func (d *demand) book(ctx context.Context, targets []*target) (*booking, *refusedBy, error) {
	for {
		b := d.x.newBooking(d.limits, targets, d.use)
		if len(b.claims) > MaxClaims {
			if len(targets) == 1 {
				return nil, nil, fmt.Errorf("gateway: more than %d limits hold for one request", MaxClaims)
			}
			last := len(targets) - 1
			d.x.leaveOut(targets[last], "more limits hold for the chain than can be counted for one request")
			targets = targets[:last]
			continue
		}
		res, short, err := d.x.gw.limits.Reserve(ctx, d.x.gw.now(), b.claims)
		if err != nil {
			return nil, nil, fmt.Errorf("gateway: limits: %w", err)
		}
		b.Reservation = res
		if d.needsCount(b, short) {
			if short == nil {
				b.Settle(d.x.gw.now(), ^ClaimSet(0), Amount{})
			}
			d.input, d.exact = d.x.input(d.req), true
			continue
		}
		if short == nil {
			return b, nil, nil
		}
		by := d.x.refusedBy(b.claims, short)
		if rest := without(targets, b.of[short.Claim]); b.of[short.Claim] != nil && len(rest) > 0 {
			for _, t := range b.of[short.Claim] {
				d.x.leaveOut(t, by.title()+" has no room")
			}
			targets = rest
			continue
		}
		if !d.less(short, targets) {
			return nil, by, nil
		}
	}
}

// needsCount reports whether the size of the input does not tell enough: there is
// no room, or not much more than it may need. A token has a byte at least.
func (d *demand) needsCount(b *booking, short *Shortage) bool {
	switch {
	case d.exact:
		return false
	case short != nil:
		return short.Measure == MeasureTokens || short.Measure == MeasureCost
	}
	return int64(len(d.req.Body.Raw)) > b.roomFor()/10
}

func without(targets, some []*target) (rest []*target) {
	for _, t := range targets {
		if !slices.Contains(some, t) {
			rest = append(rest, t)
		}
	}
	return rest
}

// less asks for no more output than there is room for, if that is of use.
func (d *demand) less(short *Shortage, targets []*target) bool {
	room := d.output
	switch short.Measure {
	case MeasureTokens:
		room = short.Left - d.input
	case MeasureCost:
		for _, t := range targets {
			room = min(room, affordable(t, short.Left-t.price.Cost(llm.Usage{Input: d.input})))
		}
	}
	least := int64(leastOutput)
	if most := longest(d.req, targets); most >= 0 {
		least = min(least, most)
	}
	least = max(least, thinking(d.req))
	room = max(room, least) // of less the store can say when there is room
	if room >= d.output {
		return false
	}
	d.output = room
	return true
}

// affordable is how many tokens of output an amount of money pays for.
func affordable(t *target, nano int64) int64 {
	switch {
	case nano <= 0:
		return 0
	case !t.priced || t.price.Output <= 0:
		return maxAmount
	case nano > maxAmount:
		nano = maxAmount
	}
	whole, part := nano/t.price.Output, nano%t.price.Output
	if whole > maxAmount/million {
		return maxAmount
	}
	return whole*million + int64(float64(part)/float64(t.price.Output)*million)
}

// million is the tokens that a price is for.
const million = 1_000_000

// unknownMost is the longest output of a model whose longest is not known, and
// everyMost one that all models can be asked for, in tokens.
const (
	unknownMost = 16_384
	everyMost   = 4096
)

// boundOutput does what the response needs so that it stays within the limits: all
// that it can have is reserved where that is little of what is left. Otherwise a
// stream is looked at, and a unary response, which nobody can stop, gets no more
// tokens than there are. It comes after the cache: to that, a request is the same
// whatever is left.
func (x *Exchange) boundOutput(ctx context.Context, r *llm.Request) error {
	b := x.booked
	if b == nil || !b.metered {
		return nil
	}
	most := longest(r, b.targets)
	room := b.output + b.roomFor()
	switch {
	case most >= 0 && most <= b.output:
		b.whole = true
	case most >= 0 && most <= room/10:
		short, err := b.extend(ctx, x.gw.now(), most-b.output)
		if err != nil {
			return err
		}
		b.whole = short == nil
	}
	if b.whole || r.Stream || r.Op != llm.OpChat {
		return nil
	}
	if most < 0 {
		most = unknownMost * choices(r)
		if room < most {
			room = min(room, everyMost*choices(r))
		}
	}
	if room < most {
		most := max(room/choices(r), 1)
		x.warn("max_tokens: lowered to " + strconv.FormatInt(most, 10) + ", which is what the limits leave")
		return apply([]Modification{{Path: "max_tokens", Max: &most}}, r, x.wire)
	}
	return nil
}

// roomFor is how much more output there is room for, in tokens.
func (b *booking) roomFor() int64 {
	room, left := int64(maxAmount), b.Room()
	if left.Tokens >= 0 {
		room = min(room, left.Tokens)
	}
	if left.CostNano >= 0 {
		for _, t := range b.targets {
			room = min(room, affordable(t, left.CostNano))
		}
	}
	return room
}

// extend reserves more tokens of output.
func (b *booking) extend(ctx context.Context, now time.Time, tokens int64) (*Shortage, error) {
	more := use{output: tokens, free: b.free}.amount(b.targets)
	more.Requests, more.Concurrent = 0, 0
	short, err := b.Extend(ctx, now, more)
	if err != nil {
		return nil, fmt.Errorf("gateway: limits: %w", err)
	}
	if short == nil {
		b.output += tokens
	}
	return short, nil
}
