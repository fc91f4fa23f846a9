package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	askTime   = 5 * time.Second // for one look at a server
	dialTime  = 3 * time.Second // of that
	minPause  = time.Minute     // between two looks, whatever the server says of its caches
	askAgain  = 10 * time.Second
	waitTime  = 2 * time.Second // that a request waits for keys
	firstWait = time.Second     // after the first failure; it doubles
	lastWait  = time.Minute
)

// A KeyServer has the JSON Web Key Set of an issuer. It is looked at again and
// again in the background. What it said last holds until it says something else,
// however long it does not answer.
//
// A token may be signed by a key that is newer than the latest look. The server is
// then asked out of turn, once in ten seconds: forged tokens must not be a way to
// make us ask.
type KeyServer struct {
	url    string
	every  time.Duration // between two looks, at most
	client *http.Client
	log    *slog.Logger

	set    atomic.Pointer[KeySet] // nil: none came yet
	failed atomic.Int64           // looks
	asked  chan struct{}          // wakes run
	tried  chan struct{}          // closed after the first look
	cancel context.CancelFunc
	ended  chan struct{} // closed when run has ended
	users  int           // of KeyServers

	mu      sync.Mutex
	due     chan struct{} // closed after the look that somebody waits for; nil: nobody does
	outside time.Time     // when the server was last asked out of turn

	// Of run alone.
	etag     string
	sum      [sha256.Size]byte // of the set
	failures int               // in a row
}

// current returns the keys that are in force, nil if none have come yet.
func (s *KeyServer) current() *KeySet { return s.set.Load() }

// newer asks for keys after those that a token was tried with, if the server may
// be asked now, and waits for them. It returns those that are in force then.
func (s *KeyServer) newer(than *KeySet) *KeySet {
	if set := s.current(); set != than {
		return set
	}
	if due := s.ask(time.Now()); due != nil {
		timer := time.NewTimer(waitTime)
		defer timer.Stop()
		select {
		case <-due:
		case <-timer.C:
		}
	}
	return s.current()
}

// ask has the server looked at soon. It returns what is closed after that, nil if
// it was asked lately.
func (s *KeyServer) ask(now time.Time) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.due != nil:
	case s.asked == nil, now.Sub(s.outside) < askAgain:
		return nil
	default:
		s.due, s.outside = make(chan struct{}), now
		s.asked <- struct{}{} // there is room for one, and run takes it before due is nil again
	}
	return s.due
}

// answered ends the wait of those who asked before a look began.
func (s *KeyServer) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due != nil {
		close(s.due)
		s.due = nil
	}
}

// run looks at the server until ctx ends.
func (s *KeyServer) run(ctx context.Context) {
	defer close(s.ended)
	defer s.answered()
	wait := s.look(ctx)
	close(s.tried)
	s.answered()
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			wait = s.look(ctx)
		case <-s.asked:
			wait = s.look(ctx)
			s.answered()
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// look asks the server once, and returns how long to wait until the next time.
func (s *KeyServer) look(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	fresh, err := s.fetch(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return 0
	}
	if err != nil {
		s.failed.Add(1)
		if s.failures++; s.failures == 1 {
			s.log.Warn("the keys of an issuer cannot be fetched", "server", s.name(), "kept", s.len(), "error", err)
		}
		wait := min(firstWait<<min(s.failures-1, 20), lastWait)
		return wait/2 + rand.N(wait/2)
	}
	if s.failures > 0 {
		s.log.Info("the keys of an issuer can be fetched again", "server", s.name())
	}
	s.failures = 0
	pause := max(min(fresh, s.every), minPause)
	return pause - rand.N(pause/10) // gateways that were started together part
}

// len is how many keys are in force.
func (s *KeyServer) len() int {
	if set := s.current(); set != nil {
		return set.Len()
	}
	return 0
}

// name is the server's URL without its query, which may be secret.
func (s *KeyServer) name() string {
	name, _, _ := strings.Cut(s.url, "?")
	return name
}

// fetch asks for the set and puts it in force. It returns how long it is fresh.
func (s *KeyServer) fetch(ctx context.Context) (time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return 0, errors.New("auth: the URL cannot be used")
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	if s.etag != "" {
		r.Header.Set("If-None-Match", s.etag)
	}
	response, err := s.client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("auth: %w", bare(err))
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && s.etag != "":
		return freshness(response.Header, s.every), nil
	case response.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("auth: the server says %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	}
	data, err := readBounded(response.Body)
	if err != nil {
		return 0, fmt.Errorf("auth: %w", bare(err))
	}
	if err := s.put(data); err != nil {
		return 0, err
	}
	s.etag = response.Header.Get("ETag")
	return freshness(response.Header, s.every), nil
}

// put takes the place of the set before, unless it is the same.
func (s *KeyServer) put(data []byte) error {
	sum := sha256.Sum256(data)
	if s.current() != nil && sum == s.sum {
		return nil
	}
	set, err := parseKeys(data)
	if err != nil {
		return fmt.Errorf("auth: what the server sent: %w", err)
	}
	s.sum = sum
	s.set.Store(set)
	return nil
}

// freshness is how long a response is fresh by its headers (RFC 9111, 4.2), or
// what it is otherwise.
func freshness(h http.Header, otherwise time.Duration) time.Duration {
	for directive := range strings.SplitSeq(strings.ToLower(h.Get("Cache-Control")), ",") {
		directive = strings.TrimSpace(directive)
		if directive == "no-cache" || directive == "no-store" {
			return 0
		}
		age, ok := strings.CutPrefix(directive, "max-age=")
		if seconds, err := strconv.ParseInt(age, 10, 32); ok && err == nil && seconds >= 0 {
			passed, _ := strconv.ParseInt(h.Get("Age"), 10, 32)
			return time.Duration(max(seconds-max(passed, 0), 0)) * time.Second
		}
	}
	return otherwise
}

// readBounded reads a key set.
func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxKeySet+1))
	if err == nil && len(data) > maxKeySet {
		err = fmt.Errorf("it has more than %d bytes", maxKeySet)
	}
	return data, err
}

// bare is an error of the HTTP client without the URL.
func bare(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// KeyServers are all that are looked at. They outlive snapshots of the
// configuration, so that a reload forgets no keys.
type KeyServers struct {
	log    *slog.Logger
	client *http.Client

	mu  sync.Mutex
	all map[place]*KeyServer
}

// A place is where keys are, and how often they are looked at.
type place struct {
	url   string
	every time.Duration
}

// NewKeyServers returns one without servers.
func NewKeyServers(log *slog.Logger) *KeyServers {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTime}).DialContext
	t.DisableKeepAlives = true // there are minutes between two looks
	return &KeyServers{log: log, all: map[place]*KeyServer{}, client: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Use returns the server at a URL. It is looked at until all who use it have called
// release, which waits for the end. A nil KeyServers looks at none.
func (all *KeyServers) Use(url string, every time.Duration) (_ *KeyServer, release func()) {
	if all == nil {
		return &KeyServer{url: url}, func() {}
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	at := place{url, every}
	s := all.all[at]
	if s == nil {
		s = &KeyServer{
			url: url, every: every, client: all.client, log: all.log,
			asked: make(chan struct{}, 1), tried: make(chan struct{}), ended: make(chan struct{}), due: make(chan struct{}),
		}
		for other, known := range all.all {
			if set := known.current(); other.url == url && set != nil { // it differs in how often it is looked at
				s.set.Store(set)
			}
		}
		var ctx context.Context
		ctx, s.cancel = context.WithCancel(context.Background())
		go s.run(ctx)
		all.all[at] = s
	}
	s.users++
	return s, sync.OnceFunc(func() { all.release(at) })
}

func (all *KeyServers) release(at place) {
	all.mu.Lock()
	s := all.all[at]
	s.users--
	last := s.users == 0
	if last {
		delete(all.all, at)
	}
	all.mu.Unlock()
	if last {
		s.cancel()
		<-s.ended
	}
}

// A ServerState is how one of them does.
type ServerState struct {
	URL    string // without its query
	Keys   int    // in force
	Failed int64  // looks
}

// States are those of all servers, each URL once.
func (all *KeyServers) States() []ServerState {
	all.mu.Lock()
	defer all.mu.Unlock()
	sum := map[string]ServerState{}
	for _, s := range all.all {
		v := sum[s.name()]
		sum[s.name()] = ServerState{s.name(), v.Keys + s.len(), v.Failed + s.failed.Load()}
	}
	return slices.SortedFunc(maps.Values(sum), func(a, b ServerState) int { return strings.Compare(a.URL, b.URL) })
}

// Await returns when each server was asked once, or when ctx ends.
func (all *KeyServers) Await(ctx context.Context) {
	all.mu.Lock()
	var tried []chan struct{}
	for _, s := range all.all {
		tried = append(tried, s.tried)
	}
	all.mu.Unlock()
	for _, c := range tried {
		select {
		case <-c:
		case <-ctx.Done():
			return
		}
	}
}
