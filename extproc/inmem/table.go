package inmem

import (
	"hash/maphash"
	"maps"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// slotsOf is how many parts a sliding window has.
const slotsOf = 10

// A table has the accounts of one kind.
type table struct {
	gateway.LimitKind
	owner  *Limits
	width  int64 // of a slot of a sliding window, in ns; 0: it has none
	period atomic.Pointer[period]
	crowd  *account // that those share for whom there is no room
	warned atomic.Bool
	shards [16]shard
}

// A period is the calendar window of late.
type period struct {
	since, until time.Time
	zone         *time.Location
}

// A shard is a part of the accounts.
type shard struct {
	mu       sync.Mutex
	accounts map[string]*account
}

var seed = maphash.MakeSeed()

func newTable(k gateway.LimitKind, owner *Limits) *table {
	t := &table{LimitKind: k, owner: owner}
	if k.Window == "" && k.WindowS > 0 {
		most := int64(math.MaxInt64 / time.Second / 2) // of which nobody sees the end
		t.width = min(k.WindowS, most) * int64(time.Second) / slotsOf
	}
	t.crowd = t.fresh()
	for i := range t.shards {
		t.shards[i].accounts = map[string]*account{}
	}
	return t
}

// fresh returns an account that has used nothing. The slots of a sliding window
// are one more than its parts, since the one that is under way is not whole.
func (t *table) fresh() *account {
	a := &account{id: t.owner.ids.Add(1)}
	switch {
	case t.Window != "":
		a.slots = make([]slot, 1)
	case t.width > 0:
		a.slots = make([]slot, slotsOf+1)
	}
	return a
}

// A position is where in an account's window a time is.
type position struct {
	slot  int64 // its number, which grows with time
	width int64 // of slots, in ns; 0: there is one until the end
	until time.Time
}

// position finds out where in the window a time is.
func (t *table) position(now time.Time, c *gateway.Claim) position {
	switch {
	case t.width > 0:
		return position{slot: now.UnixNano() / t.width, width: t.width}
	case t.Window == "":
		return position{}
	}
	p := t.period.Load()
	if p == nil || p.zone != c.Zone || now.Before(p.since) || !now.Before(p.until) {
		p = &period{zone: c.Zone}
		p.since, p.until = c.Limit.Period(now, c.Zone)
		t.period.Store(p)
	}
	return position{slot: p.since.Unix(), until: p.until}
}

func (t *table) shard(account string) *shard {
	return &t.shards[maphash.String(seed, account)%uint64(len(t.shards))]
}

// find returns an account, nil if it is not known.
func (t *table) find(name string) *account {
	s := t.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts[name]
}

// acquire returns an account, a new one if need be. release is due.
func (t *table) acquire(now time.Time, name string) *account {
	s := t.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[name]
	if a == nil && s.room(t, now) {
		a = t.fresh()
		s.accounts[strings.Clone(name)] = a
	}
	if a == nil {
		a = t.crowd
		t.owner.crowded.Add(1)
		if t.warned.CompareAndSwap(false, true) {
			t.owner.log.Warn("more accounts use a limit than are kept; new ones share one", "limit", t.Name, "per", t.Per, "window", t.Window, "window_s", t.WindowS)
		}
	}
	a.users.Add(1)
	return a
}

// forgetTries is how many accounts are looked at when one is new.
const forgetTries = 8

// room reports whether there is room for one more account. It forgets a few that
// have used nothing of late: a map is walked from a random place on, so that in
// time each has its turn.
func (s *shard) room(t *table, now time.Time) bool {
	tries := 0
	for name, a := range s.accounts {
		if tries++; tries > forgetTries {
			break
		}
		if a.users.Load() == 0 && a.idle(t, now) {
			delete(s.accounts, name)
		}
	}
	return len(s.accounts) < t.owner.most/len(t.shards)
}

// idle reports whether nobody has used anything of late.
func (t *table) idle(now time.Time) bool {
	idle := func(a *account) bool { return a.users.Load() == 0 && a.idle(t, now) }
	if !idle(t.crowd) {
		return false
	}
	for i := range t.shards {
		if !t.shards[i].each(idle) {
			return false
		}
	}
	return true
}

// each reports whether something is so for all accounts.
func (s *shard) each(is func(*account) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if !is(a) {
			return false
		}
	}
	return true
}

// all returns a copy, so that nobody waits for who reads it.
func (s *shard) all() map[string]*account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.accounts)
}
