package inmem

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// An account is what one account has used in its window.
type account struct {
	id    uint64       // the order in which several are locked
	users atomic.Int32 // who must not lose it; grows under the shard's mutex alone

	mu    sync.Mutex
	until time.Time // of a calendar window
	last  int64     // number of the latest slot
	slots []slot    // slot n is at n modulo their count
	sum   slot      // of all
	open  int64     // requests that are not over
}

// A slot is what was used in one part of a window.
type slot struct{ Requests, Tokens, CostNano int64 }

func (a *account) release() { a.users.Add(-1) }

// advance moves the window on to a time and returns the slot that it is in. A
// time that is over, as of who waited for the mutex, counts as the latest. The
// caller holds the mutex.
func (a *account) advance(p position) int64 {
	n := int64(len(a.slots))
	if p.slot <= a.last || n == 0 {
		return a.last
	}
	for i := range min(p.slot-a.last, n) {
		old := &a.slots[(p.slot-i)%n]
		a.sum.add(*old, -1)
		*old = slot{}
	}
	a.last, a.until = p.slot, p.until
	return a.last
}

// add counts an amount in a slot that is in the window. The caller holds the
// mutex.
func (a *account) add(n int64, amount gateway.Amount) {
	a.open += amount.Concurrent
	if len(a.slots) == 0 {
		return
	}
	used := slot{amount.Requests, amount.Tokens, amount.CostNano}
	a.slots[n%int64(len(a.slots))].add(used, 1)
	a.sum.add(used, 1)
}

// takeBack undoes add. What was counted in a slot that has left the window is gone
// already. The caller holds the mutex.
func (a *account) takeBack(n int64, amount gateway.Amount) {
	if n <= a.last-int64(len(a.slots)) {
		amount = gateway.Amount{Concurrent: amount.Concurrent}
		n = a.last
	}
	a.add(n, gateway.Amount{Requests: -amount.Requests, Tokens: -amount.Tokens, CostNano: -amount.CostNano, Concurrent: -amount.Concurrent})
}

func (s *slot) add(o slot, times int64) {
	s.Requests += times * o.Requests
	s.Tokens += times * o.Tokens
	s.CostNano += times * o.CostNano
}

// used is what counts at the moment. The caller holds the mutex.
func (a *account) used() gateway.Amount {
	return gateway.Amount{Requests: a.sum.Requests, Tokens: a.sum.Tokens, CostNano: a.sum.CostNano, Concurrent: a.open}
}

// idle reports whether nothing is used.
func (a *account) idle(t *table, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.open > 0:
		return false
	case a.sum == (slot{}):
		return true
	case t.width > 0:
		return now.UnixNano()/t.width-a.last >= int64(len(a.slots))
	}
	return !now.Before(a.until)
}

// left is what is left of a limit.
func (a *account) left(now time.Time, limit *gateway.Limit, p position) gateway.Left {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(p)
	l := gateway.Left{Max: limit.Max(), Used: a.used()}
	l.Left = gateway.Amount{
		Requests:   rest(l.Max.Requests, l.Used.Requests),
		Tokens:     rest(l.Max.Tokens, l.Used.Tokens),
		CostNano:   rest(l.Max.CostNano, l.Used.CostNano),
		Concurrent: rest(l.Max.Concurrent, l.Used.Concurrent),
	}
	l.Resets = now
	if p.width == 0 {
		l.Resets = p.until
	} else if n := a.latest(); n > 0 {
		l.Resets = p.leaves(n)
	}
	return l
}

func rest(most, used int64) int64 {
	if most < 0 {
		return -1
	}
	return max(most-used, 0)
}

// latest returns the number of the latest slot in which something is used, 0 if
// there is none. The caller holds the mutex.
func (a *account) latest() int64 {
	n := int64(len(a.slots))
	for i := a.last; i > a.last-n && i > 0; i-- {
		if a.slots[i%n] != (slot{}) {
			return i
		}
	}
	return 0
}

// leaves returns when a slot leaves the sliding window.
func (p *position) leaves(n int64) time.Time { return time.Unix(0, (n+slotsOf+1)*p.width) }

// wait returns how long it is until an amount of one measure, which is counted
// already, fits under a limit, if nobody takes the room; 0: never. The caller holds
// the mutex.
func (a *account) wait(now time.Time, p position, amount, most int64, of func(*slot) int64) time.Duration {
	if amount > most {
		return 0
	}
	if p.width == 0 {
		return max(p.until.Sub(now), 0)
	}
	n := int64(len(a.slots))
	over := of(&a.sum) - most
	for i := a.last - n + 1; i <= a.last; i++ {
		if i < 0 {
			continue
		}
		if over -= of(&a.slots[i%n]); over <= 0 {
			return max(p.leaves(i).Sub(now), 0)
		}
	}
	return 0
}
