package credential

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A signer makes the headers of one attempt.
type signer func(*gateway.Outgoing) ([]llm.Header, error)

// A grant is a credential for some time.
type grant struct {
	sign    signer
	expires time.Time // zero: nobody knows
}

const (
	fetchTime = 15 * time.Second // for one try to fetch
	margin    = 5 * time.Minute  // before the end, the next is fetched; earlier if it is short-lived
	inFlight  = 10 * time.Second // before the end, a credential is not valid any more: requests take time to arrive
	reread    = time.Minute      // between two looks at credentials without an end, which are in files
	firstWait = time.Second      // after the first failure; it doubles
	lastWait  = time.Minute
)

// A refresher is a credential that is kept fresh in the background.
type refresher struct {
	provider string
	headers  []string
	fetch    func(context.Context) (grant, error)
	now      func() time.Time
	log      *slog.Logger

	state  atomic.Pointer[state] // nil: nothing was tried yet
	failed atomic.Int64          // tries
	tried  chan struct{}         // closed after the first try
}

// A state is what came of the last try.
type state struct {
	grant *grant // the last one that there was; nil: none
	err   error  // of the last try
}

var _ gateway.Credential = (*refresher)(nil)

func (r *refresher) Names() []string { return r.headers }

var errNotYet = errors.New("credential: it is being fetched for the first time")

// Ready reports why there is no valid credential.
func (r *refresher) Ready() error {
	s := r.state.Load()
	switch {
	case s == nil:
		return errNotYet
	case s.grant != nil && s.grant.valid(r.now()):
		return nil
	case s.err != nil:
		return s.err
	}
	return errExpired
}

func (g *grant) valid(now time.Time) bool {
	return g.expires.IsZero() || now.Before(g.expires.Add(-inFlight))
}

var errExpired = errors.New("credential: it has expired")

// Headers signs with the last credential that there was.
func (r *refresher) Headers(o *gateway.Outgoing) ([]llm.Header, error) {
	if s := r.state.Load(); s != nil && s.grant != nil {
		return s.grant.sign(o)
	}
	return nil, r.Ready()
}

// run fetches again and again until ctx ends.
func (r *refresher) run(ctx context.Context) {
	backoff := firstWait
	wait := r.next(ctx, &backoff)
	close(r.tried)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		wait = r.next(ctx, &backoff)
	}
}

// next tries once, and returns how long to wait until the next time.
func (r *refresher) next(ctx context.Context, backoff *time.Duration) time.Duration {
	if g, ok := r.try(ctx); ok {
		*backoff = firstWait
		return g.renewal(r.now())
	}
	wait := *backoff/2 + rand.N(*backoff/2)
	*backoff = min(2**backoff, lastWait)
	return wait
}

// try fetches once, and keeps the credential from before if that fails.
func (r *refresher) try(ctx context.Context) (*grant, bool) {
	bounded, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	g, err := r.fetch(bounded)
	if err == nil && !g.valid(r.now()) {
		err = errExpired
	}
	before := r.state.Load()
	if before == nil {
		before = &state{}
	}
	if err != nil {
		err = plain(err)
		r.state.Store(&state{before.grant, err})
		if ctx.Err() == nil {
			r.failed.Add(1)
			r.log.Warn("no credential could be fetched", "provider", r.provider, "error", err)
		}
		return nil, false
	}
	r.state.Store(&state{&g, nil})
	if before.err != nil {
		r.log.Info("there is a credential again", "provider", r.provider)
	}
	return &g, true
}

// renewal is how long to wait before the next is fetched.
func (g *grant) renewal(now time.Time) time.Duration {
	if g.expires.IsZero() {
		return reread
	}
	left := g.expires.Sub(now)
	return left - min(margin, left/2)
}
