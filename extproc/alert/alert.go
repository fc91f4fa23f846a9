// Package alert tells that an account has used a share of its budget: once for
// each share and window, in the log and by a webhook.
//
// It does not know what accounts use, nor whether a request may go on: whoever
// counts shows it the figures.
package alert

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A Budget is what to tell of one budget, and whom.
type Budget struct {
	Name    string
	Per     string
	Shares  []int64        // permille of the limit, the smallest first
	Webhook gateway.Secret // URL; empty: none
}

// A State is how much of a budget an account has used.
type State struct {
	Account string
	Limit   int64     // nano-dollars
	Used    int64     // nano-dollars
	Refused bool      // a request was refused since too little is left, which is as good as all
	Resets  time.Time // end of the window
}

// permille is how much is used. A budget of which too little is left is used up.
func (s *State) permille() int64 {
	switch {
	case s.Refused || s.Used >= s.Limit:
		return 1000
	case s.Used <= 0:
		return 0
	}
	return int64(float64(s.Used) / float64(s.Limit) * 1000)
}

// maxTold bounds the accounts of which it is remembered what was told.
const maxTold = 1 << 16

// Alerts remember what they have told. Close ends them. They are safe for
// concurrent use.
type Alerts struct {
	log   *slog.Logger
	posts poster
	count func(budget string, permille int64)
	lost  atomic.Int64

	mu   sync.Mutex
	told map[account]reached
}

type account struct{ budget, name string }

type reached struct {
	resets   time.Time
	limit    int64 // nano-dollars
	permille int64 // the largest share of it that was told
}

// of is what was told of what is now the budget. A larger one is not used up because
// a smaller one was.
func (r *reached) of(s *State) int64 {
	switch {
	case r.resets.Before(s.Resets):
		return 0
	case s.Limit > r.limit:
		return int64(float64(r.permille) * float64(r.limit) / float64(s.Limit))
	}
	return r.permille
}

// New starts what calls webhooks. count is called for each alert.
func New(log *slog.Logger, count func(budget string, permille int64)) *Alerts {
	a := &Alerts{log: log, count: count, told: map[account]reached{}}
	a.posts.start(log, &a.lost)
	return a
}

// Lost is the number of alerts that nobody was told, or not by the webhook.
func (a *Alerts) Lost() int64 { return a.lost.Load() }

// Close ends what calls webhooks, after a while for what waits.
func (a *Alerts) Close() { a.posts.stop() }

// Known notes what an account has used as told already, as after a restart.
func (a *Alerts) Known(b *Budget, s State, now time.Time) { a.cross(b, &s, now) }

// Saw tells what is new in what an account has used. It does not wait for
// anybody.
func (a *Alerts) Saw(b *Budget, s State, now time.Time) {
	for _, share := range a.cross(b, &s, now) {
		a.count(b.Name, share)
		e := event{
			Event: "budget_alert", Time: now.UTC(), Budget: b.Name, Per: b.Per, Account: s.Account,
			SharePermille: share, LimitNano: s.Limit, UsedNano: s.Used, Resets: s.Resets,
		}
		a.log.Warn("a budget is used", "budget", b.Name, b.Per, s.Account, "permille", share, "used_nano", s.Used, "limit_nano", s.Limit, "resets", s.Resets)
		if !b.Webhook.Empty() {
			a.posts.put(post{b.Webhook, e})
		}
	}
}

// cross returns the shares that are reached and were not before.
func (a *Alerts) cross(b *Budget, s *State, now time.Time) []int64 {
	used := s.permille()
	if len(b.Shares) == 0 || used < b.Shares[0] {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	at := account{b.Name, s.Account}
	last, known := a.told[at]
	before := last.of(s)
	switch {
	case s.Resets.Before(last.resets): // of a request that ended later than others of its window
	case used <= before, !known && !a.room(now):
	default:
		a.told[at] = reached{s.Resets, s.Limit, used}
		return slices.DeleteFunc(slices.Clone(b.Shares), func(share int64) bool { return share <= before || share > used })
	}
	return nil
}

// room makes room for an account by forgetting those whose window has ended.
func (a *Alerts) room(now time.Time) bool {
	if len(a.told) < maxTold {
		return true
	}
	for at, r := range a.told {
		if r.resets.Before(now) {
			delete(a.told, at)
		}
	}
	if len(a.told) < maxTold {
		return true
	}
	a.lost.Add(1)
	return false
}
