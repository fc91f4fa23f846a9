// Package inmem keeps what exchanges share on one node: what accounts have used of
// their limits and budgets, and responses that may be given again. It knows nothing
// of who the accounts belong to or of where limits come from, and forgets everything
// with the process.
package inmem

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Limits is a gateway.Limits in memory. Its size is bounded: accounts that have
// used nothing of late are forgotten, and where there are too many of one kind,
// new ones share one account.
type Limits struct {
	mu    sync.RWMutex
	kinds map[gateway.LimitKind]*table

	most    int // accounts of a kind
	ids     atomic.Uint64
	crowded atomic.Int64
	log     *slog.Logger
}

// Bounds of the memory. An account takes about half a kilobyte.
const (
	maxAccounts = 1 << 17 // of a kind
	maxKinds    = 256     // rules can make up windows and names
)

// NewLimits returns a store in which nothing is used.
func NewLimits(log *slog.Logger) *Limits {
	return &Limits{kinds: map[gateway.LimitKind]*table{}, most: maxAccounts, log: log}
}

// acquire returns a claim's account, with its table. release is due. As long as
// nobody has released it, the table stays.
func (l *Limits) acquire(now time.Time, c *gateway.Claim) (*table, *account, error) {
	k := c.Limit.Kind()
	for {
		if t, a := l.known(k, now, c.Account); t != nil {
			return t, a, nil
		}
		if err := l.add(k, now); err != nil {
			return nil, nil, err
		}
	}
}

func (l *Limits) known(k gateway.LimitKind, now time.Time, account string) (*table, *account) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	t := l.kinds[k]
	if t == nil {
		return nil, nil
	}
	return t, t.acquire(now, account)
}

// add makes a table for a kind. Where there are too many, those in which nothing is
// used are forgotten.
func (l *Limits) add(k gateway.LimitKind, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kinds) >= maxKinds {
		maps.DeleteFunc(l.kinds, func(_ gateway.LimitKind, t *table) bool { return t.idle(now) })
	}
	if len(l.kinds) >= maxKinds {
		return fmt.Errorf("inmem: limits have more than %d different windows and names", maxKinds)
	}
	if l.kinds[k] == nil {
		l.kinds[k] = newTable(k, l)
	}
	return nil
}

// table returns the accounts of a limit's kind, which may be none, to look at.
func (l *Limits) table(limit *gateway.Limit) *table {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if t := l.kinds[limit.Kind()]; t != nil {
		return t
	}
	return newTable(limit.Kind(), l)
}

// Crowded counts how often an account was shared because there were too many.
func (l *Limits) Crowded() int64 { return l.crowded.Load() }

// Left is described at gateway.Limits.
func (l *Limits) Left(_ context.Context, now time.Time, claims []gateway.Claim, left []gateway.Left) error {
	for i := range claims {
		c := &claims[i]
		t := l.table(c.Limit)
		p := t.position(now, c)
		a := t.find(c.Account)
		if a == nil {
			a = t.fresh() // not kept
		}
		left[i] = a.left(now, c.Limit, p)
	}
	return nil
}

// Seed notes what an account has used before the store knew of it: Amount of the
// claim. Where it knows of as much already it changes nothing.
func (l *Limits) Seed(now time.Time, c gateway.Claim) error {
	t, a, err := l.acquire(now, &c)
	if err != nil {
		return err
	}
	defer a.release()
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.advance(t.position(now, &c))
	a.add(n, gateway.Amount{
		Requests: max(c.Amount.Requests-a.sum.Requests, 0),
		Tokens:   max(c.Amount.Tokens-a.sum.Tokens, 0),
		CostNano: max(c.Amount.CostNano-a.sum.CostNano, 0),
	})
	return nil
}

// All returns the accounts that are known of a claim's kind, with what is left of
// its limit for each, in no order.
func (l *Limits) All(now time.Time, c gateway.Claim) iter.Seq2[string, gateway.Left] {
	return func(yield func(string, gateway.Left) bool) {
		t := l.table(c.Limit)
		p := t.position(now, &c)
		for i := range t.shards {
			for name, a := range t.shards[i].all() {
				if !yield(name, a.left(now, c.Limit, p)) {
					return
				}
			}
		}
	}
}

var _ gateway.Limits = (*Limits)(nil)
