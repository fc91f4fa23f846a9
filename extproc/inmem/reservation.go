package inmem

import (
	"context"
	"slices"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A reservation is what the claims of one request hold.
type reservation struct {
	claims []gateway.Claim
	holds  []hold
	locked []*account // each once, in the order of their ids
	room   gateway.Amount

	firstHolds  [usualClaims]hold
	firstLocked [usualClaims]*account
}

// usualClaims is how many claims need no memory beside the reservation's own.
const usualClaims = 6

// Reserve is described at gateway.Limits.
func (l *Limits) Reserve(_ context.Context, now time.Time, claims []gateway.Claim) (gateway.Reservation, *gateway.Shortage, error) {
	r := &reservation{claims: claims}
	r.holds, r.locked = r.firstHolds[:0], r.firstLocked[:0]
	for i := range claims {
		t, a, err := l.acquire(now, &claims[i])
		if err != nil {
			r.release()
			return nil, nil, err
		}
		r.holds = append(r.holds, hold{table: t, account: a})
	}
	r.lock()
	defer r.unlock()
	if short := r.take(now, func(c *gateway.Claim) gateway.Amount { return c.Amount }); short != nil {
		r.release()
		return nil, short, nil
	}
	r.room = gateway.Amount{Requests: -1, Tokens: -1, CostNano: -1, Concurrent: -1}
	for i := range r.holds {
		most, used := claims[i].Limit.Max(), r.holds[i].used()
		least(&r.room.Requests, most.Requests, used.Requests)
		least(&r.room.Tokens, most.Tokens, used.Tokens)
		least(&r.room.CostNano, most.CostNano, used.CostNano)
		least(&r.room.Concurrent, most.Concurrent, used.Concurrent)
	}
	return r, nil, nil
}

func least(to *int64, most, used int64) {
	if left := rest(most, used); left >= 0 && (*to < 0 || left < *to) {
		*to = left
	}
}

// Room is described at gateway.Reservation.
func (r *reservation) Room() gateway.Amount { return r.room }

// Extend is described at gateway.Reservation.
func (r *reservation) Extend(_ context.Context, now time.Time, more gateway.Amount) (*gateway.Shortage, error) {
	r.lock()
	defer r.unlock()
	return r.take(now, func(*gateway.Claim) gateway.Amount { return more }), nil
}

// take takes amounts for all claims that are not settled, or for none. The caller
// holds the accounts' mutexes.
func (r *reservation) take(now time.Time, amount func(*gateway.Claim) gateway.Amount) *gateway.Shortage {
	for i := range r.holds {
		h, c := &r.holds[i], &r.claims[i]
		if h.account == nil {
			continue
		}
		p := h.table.position(now, c)
		h.at = h.advance(p)
		want := amount(c)
		if !c.Again {
			h.add(h.at, want)
		}
		if short := h.short(now, p, c.Limit, want); short != nil {
			short.Claim = i
			r.undo(i, amount)
			return short
		}
	}
	for i := range r.holds {
		if h, c := &r.holds[i], &r.claims[i]; h.account != nil && !c.Again {
			h.note(amount(c))
		}
	}
	return nil
}

// undo takes back what was counted for the claims up to one.
func (r *reservation) undo(last int, amount func(*gateway.Claim) gateway.Amount) {
	for i := range last + 1 {
		if h, c := &r.holds[i], &r.claims[i]; h.account != nil && !c.Again {
			h.takeBack(h.at, amount(c))
		}
	}
}

// Settle is described at gateway.Reservation.
func (r *reservation) Settle(now time.Time, claims gateway.ClaimSet, used gateway.Amount) {
	for i := range r.holds {
		h, c := &r.holds[i], &r.claims[i]
		if h.account == nil || !claims.Has(i) {
			continue
		}
		if !c.Again {
			h.settle(now, c, used)
		}
		h.account.release()
		h.account = nil
	}
}

// release ends the use of accounts that hold nothing for the request.
func (r *reservation) release() {
	for i := range r.holds {
		r.holds[i].account.release()
	}
}

// lock locks the accounts of the claims that are not settled, each once.
func (r *reservation) lock() {
	r.locked = r.locked[:0]
	for i := range r.holds {
		if a := r.holds[i].account; a != nil {
			r.locked = insert(r.locked, a)
		}
	}
	for _, a := range r.locked {
		a.mu.Lock()
	}
}

// insert puts an account into its place, unless it is there.
func insert(sorted []*account, a *account) []*account {
	at := len(sorted)
	for at > 0 && sorted[at-1].id > a.id {
		at--
	}
	if at > 0 && sorted[at-1] == a {
		return sorted
	}
	return slices.Insert(sorted, at, a)
}

func (r *reservation) unlock() {
	for _, a := range r.locked {
		a.mu.Unlock()
	}
}

// A hold is what one claim has reserved. A long stream reserves in more slots than
// two; of those before the latest two nothing is given back, as it is used.
type hold struct {
	table    *table
	*account // nil: settled

	at           int64 // the slot of a taking that is under way
	older, newer piece
	gone         slot
}

// A piece is what is reserved in one slot.
type piece struct {
	number int64
	slot
}

// note remembers what was counted in the slot h.at.
func (h *hold) note(a gateway.Amount) {
	if h.newer.number != h.at {
		h.gone.add(h.older.slot, 1)
		h.older, h.newer = h.newer, piece{number: h.at}
	}
	h.newer.add(slot{a.Requests, a.Tokens, a.CostNano}, 1)
}

// short says what of an amount that is counted already there was no room for.
func (h *hold) short(now time.Time, p position, limit *gateway.Limit, want gateway.Amount) *gateway.Shortage {
	most, used := limit.Max(), h.used()
	switch {
	case exceeds(most.Requests, used.Requests, want.Requests):
		return &gateway.Shortage{
			Measure: gateway.MeasureRequests, Left: rest(most.Requests, used.Requests-want.Requests),
			Retry: h.wait(now, p, want.Requests, most.Requests, func(s *slot) int64 { return s.Requests }),
		}
	case exceeds(most.Tokens, used.Tokens, want.Tokens):
		return &gateway.Shortage{
			Measure: gateway.MeasureTokens, Left: rest(most.Tokens, used.Tokens-want.Tokens),
			Retry: h.wait(now, p, want.Tokens, most.Tokens, func(s *slot) int64 { return s.Tokens }),
		}
	case exceeds(most.CostNano, used.CostNano, want.CostNano):
		return &gateway.Shortage{
			Measure: gateway.MeasureCost, Left: rest(most.CostNano, used.CostNano-want.CostNano),
			Retry: h.wait(now, p, want.CostNano, most.CostNano, func(s *slot) int64 { return s.CostNano }),
		}
	case exceeds(most.Concurrent, used.Concurrent, want.Concurrent):
		return &gateway.Shortage{Measure: gateway.MeasureConcurrent, Left: rest(most.Concurrent, used.Concurrent-want.Concurrent)}
	}
	return nil
}

// exceeds reports whether a limit is broken by somebody who wants something.
func exceeds(most, used, want int64) bool { return most >= 0 && want > 0 && used > most }

// settle replaces what is reserved by what was used.
func (h *hold) settle(now time.Time, c *gateway.Claim, used gateway.Amount) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.advance(h.table.position(now, c))
	more := slot{used.Requests, used.Tokens, used.CostNano}
	more.add(h.gone, -1)
	more.add(h.older.slot, -1)
	more.add(h.newer.slot, -1)
	h.add(n, gateway.Amount{
		Requests: max(more.Requests, 0), Tokens: max(more.Tokens, 0), CostNano: max(more.CostNano, 0),
		Concurrent: -c.Amount.Concurrent,
	})
	h.giveBack(h.older, h.giveBack(h.newer, slot{max(-more.Requests, 0), max(-more.Tokens, 0), max(-more.CostNano, 0)}))
}

// giveBack takes what was not used out of a slot, and returns what of it is not of
// that slot.
func (h *hold) giveBack(p piece, unused slot) slot {
	back := slot{min(unused.Requests, p.Requests), min(unused.Tokens, p.Tokens), min(unused.CostNano, p.CostNano)}
	h.takeBack(p.number, gateway.Amount{Requests: back.Requests, Tokens: back.Tokens, CostNano: back.CostNano})
	unused.add(back, -1)
	return unused
}
