package credential

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A Set is the credentials of one snapshot that have to be fetched. Each is
// kept fresh by a goroutine of its own, from Start to Close.
type Set struct {
	log    *slog.Logger
	client *http.Client
	now    func() time.Time
	all    []*refresher
	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// NewSet returns a Set without credentials. Failures to fetch one are logged.
func NewSet(log *slog.Logger) *Set {
	ctx, cancel := context.WithCancel(context.Background())
	return &Set{log: log, client: newClient(), now: time.Now, ctx: ctx, cancel: cancel}
}

// dialTime bounds how long it takes to reach a server.
const dialTime = 5 * time.Second

// newClient returns a client that leaves no connections behind: there are hours
// between two calls.
func newClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTime}).DialContext
	t.DisableKeepAlives = true
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// A Source is a place where credentials come from: AWS, Google or Entra.
type Source interface {
	// names are the headers that the credential is made of.
	names() []string
	// fetch gets a credential, in the time that ctx leaves.
	fetch(ctx context.Context, client *http.Client) (grant, error)
	// Look says what there is to fetch a credential with, without a call to
	// anybody. An error means that there cannot be one.
	Look(ctx context.Context) (string, error)
}

// Add returns the credential of a provider that comes from a source. It must be
// called before Start.
func (s *Set) Add(provider string, from Source) gateway.Credential {
	r := &refresher{
		provider: provider, headers: from.names(), now: s.now, log: s.log, tried: make(chan struct{}),
		fetch: func(ctx context.Context) (grant, error) { return from.fetch(ctx, s.client) },
	}
	s.all = append(s.all, r)
	return r
}

// Start begins to fetch.
func (s *Set) Start() {
	for _, r := range s.all {
		s.ended.Go(func() { r.run(s.ctx) })
	}
}

// Await returns when each credential was asked for once, or when ctx ends.
func (s *Set) Await(ctx context.Context) {
	for _, r := range s.all {
		select {
		case <-r.tried:
		case <-ctx.Done():
			return
		}
	}
}

// A State is how one credential of a Set does.
type State struct {
	Provider string
	Ready    bool
	Expires  time.Time // zero: there is none, or it is not known
	Failed   int64     // tries to fetch it
}

// States are those of all credentials.
func (s *Set) States() []State {
	all := make([]State, len(s.all))
	for i, r := range s.all {
		all[i] = State{Provider: r.provider, Ready: r.Ready() == nil, Failed: r.failed.Load()}
		if now := r.state.Load(); now != nil && now.grant != nil {
			all[i].Expires = now.grant.expires
		}
	}
	return all
}

// closeTime bounds how long Close waits for calls that do not heed their
// context. They end by themselves, as the metadata server's client does.
const closeTime = 3 * time.Second

// Close ends the goroutines.
func (s *Set) Close() {
	s.cancel()
	ended := make(chan struct{})
	go func() { s.ended.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(closeTime):
	}
}
