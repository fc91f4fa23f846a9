package gateway

import (
	"context"
	"slices"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A stream reserves as it goes: extension tokens at a time, when less than ahead
// are left of what it has.
const (
	extension = 256
	ahead     = 64
)

// bounded reports whether what the response writes counts as it comes.
func (x *Exchange) bounded() bool {
	b := x.booked
	return b != nil && b.metered && !b.whole && x.record.Op == llm.OpChat && x.record.Stream
}

// keepTarget gives back what was reserved for other targets than that of attempt n,
// which answers. The caller holds the mutex.
func (x *Exchange) keepTarget(n int) {
	if b := x.booked; b != nil {
		t := x.plan.steps[n-1].target
		b.giveBack(x.gw.now(), t, x.plan.steps[:n])
		b.targets = []*target{t}
	}
}

// spent reports whether the response has had all that its limits allow. It counts
// only when there may be more text than tokens reserved: a token has a byte at
// least.
func (x *Exchange) spent() bool {
	m, b := &x.resp.meter, x.booked
	if !x.bounded() || x.resp.mode != ModeStream || m.ended || x.record.Finish != "" || m.counted+int64(len(m.text)) <= b.output {
		return false
	}
	m.count(x)
	if m.counted+ahead > b.output && b.dry == nil {
		x.extend()
	}
	return m.counted > b.output
}

// extend reserves more for a stream: some of it, if there is not that much. It
// ends when that is enough for what came, or b.dry says why there is no more.
func (x *Exchange) extend() {
	b, m := x.booked, &x.resp.meter
	wanted := func() int64 { return max(extension, m.counted+ahead-b.output) }
	for tokens := wanted(); ; {
		now := x.gw.now()
		short, err := b.extend(context.Background(), now, tokens)
		if err != nil {
			x.record.Detail = err.Error()
			b.dry = b.unsure()
			return
		}
		if short == nil {
			if m.counted <= b.output {
				return
			}
			tokens = wanted()
			continue
		}
		room := int64(0)
		switch short.Measure {
		case MeasureTokens:
			room = short.Left
		case MeasureCost:
			room = affordable(b.targets[0], short.Left)
		}
		if room <= 0 || room >= tokens {
			b.dry = x.refusedBy(b.claims, short)
			return
		}
		tokens = room
	}
}

// unsure stands for a shortage where the store fails: of the first limit that the
// response could go over.
func (b *booking) unsure() *refusedBy {
	l := b.claims[slices.IndexFunc(b.claims, func(c Claim) bool { return c.Limit.metered() })].Limit
	if l.Tokens < 0 {
		return &refusedBy{Limit: l, Shortage: Shortage{Measure: MeasureCost}}
	}
	return &refusedBy{Limit: l, Shortage: Shortage{Measure: MeasureTokens}}
}

// cut ends the response as if the model had written as much as it may. Envoy then
// ends the provider's.
func (x *Exchange) cut() Output {
	r := x.resp
	if r.guards != nil {
		if err := r.guards.flush(); err != nil {
			return x.broken(err)
		}
	}
	enc := r.enc
	if enc == nil {
		enc = r.twin
	}
	events := x.lastEvents()
	r.meter.take(x, events)
	out, err := enc.Encode(r.out, events)
	if err != nil {
		return x.broken(err)
	}
	r.out = out
	return x.release(true)
}

func (x *Exchange) lastEvents() []llm.Event {
	r, m := &x.record, &x.resp.meter
	r.Cut, r.Limit, r.Code, r.Counted = true, x.booked.dry.name(), x.booked.dry.code(), true
	u := r.Usage
	u.Output = max(u.Output, m.counted)
	if u.Input == 0 {
		u.Input = x.estimate()
	}
	return []llm.Event{{Kind: llm.EventUsage, Usage: u}, {Kind: llm.EventFinish, Reason: llm.FinishLength}, {Kind: llm.EventEnd}}
}

// unbook ends what was reserved, by what was used. It may be called again.
func (x *Exchange) unbook() {
	b, r := x.booked, &x.record
	if b == nil {
		return
	}
	x.booked = nil
	now := x.gw.now()
	if x.resp == nil {
		b.giveBack(now, nil, x.triedSteps())
	}
	used := Amount{Requests: 1, Tokens: clamp(r.Usage.Total()), CostNano: clamp(r.CostNano)}
	switch {
	case x.unreported():
		used = b.amount(b.targets)
	case x.resp == nil && r.Cancelled && x.try.n > 0: // it was sent, and nobody will say what it cost
		used = use{input: b.input, free: b.free}.amount([]*target{x.try.target})
	}
	b.Settle(now, ^ClaimSet(0), used)
	if b.metered && r.Op == llm.OpChat && x.try.vitals != nil && r.Finish != "" && !r.Cut {
		x.gw.health.learn(x.try.vitals, r.Usage.Output/b.choices)
	}
}

// triedSteps are the attempts that were made. The caller holds the mutex.
func (x *Exchange) triedSteps() []step {
	if x.plan == nil {
		return nil
	}
	return x.plan.steps[:min(x.try.n, len(x.plan.steps))]
}

// unreported reports whether a provider did something that nobody has seen, and did
// not say how much, as where a client hangs up on a stream that stays in Envoy: then
// it counts as what is reserved.
func (x *Exchange) unreported() bool {
	r := x.resp
	return r != nil && r.status == 0 && !r.reported && (r.mode == ModePass || x.record.Op == llm.OpForward)
}

func clamp(n int64) int64 { return min(max(n, 0), maxAmount) }
