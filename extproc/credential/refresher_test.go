package credential

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/attache-gateway/attache/extproc/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tokens is a source whose next answers a test decides.
type tokens struct {
	life time.Duration // of each token; 0: without an end
	hang bool

	mu    sync.Mutex
	err   error
	calls int
}

// fails sets what the next tries come to.
func (s *tokens) fails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// count returns how many tries there were.
func (s *tokens) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (*tokens) names() []string                      { return []string{bearer} }
func (*tokens) Look(context.Context) (string, error) { return "found", nil }

func (s *tokens) fetch(ctx context.Context) (grant, error) {
	if s.hang {
		<-ctx.Done()
		return grant{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	g := grant{sign: bearerOf("t" + strconv.Itoa(s.calls))}
	if s.life != 0 {
		g.expires = time.Now().Add(s.life)
	}
	return g, s.err
}

// started returns a running refresher, which the bubble's end stops.
func started(t *testing.T, s *tokens) (*refresher, *logbook) {
	log := &logbook{}
	r := &refresher{provider: "p", headers: s.names(), fetch: s.fetch, now: time.Now,
		log: slog.New(slog.NewTextHandler(log, nil)), tried: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go r.run(ctx)
	return r, log
}

// A logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func token(r *refresher) string {
	hs, err := r.Headers(&gateway.Outgoing{})
	if err != nil {
		return err.Error()
	}
	return hs[0].Name + " " + hs[0].Value
}

// A token is replaced before it ends, and no request is ever without one.
func TestTokensAreReplacedInTime(t *testing.T) {
	for _, tt := range []struct {
		life, first time.Duration // of a token, and until it is replaced
	}{
		{time.Hour, 55 * time.Minute},
		{6 * time.Minute, 3 * time.Minute},
		{20 * time.Second, 10 * time.Second},
		{0, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &tokens{life: tt.life}
			r, _ := started(t, s)
			synctest.Wait()
			if r.Ready() != nil || token(r) != "authorization Bearer t1" {
				t.Errorf("%s: %v, %s", tt.life, r.Ready(), token(r))
			}
			time.Sleep(tt.first - time.Second)
			synctest.Wait()
			if s.count() != 1 {
				t.Errorf("%s: %d calls, it was replaced too early", tt.life, s.count())
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if s.count() != 2 || token(r) != "authorization Bearer t2" {
				t.Errorf("%s: %d calls, %s", tt.life, s.count(), token(r))
			}
			for range 100 {
				time.Sleep(tt.first / 3)
				synctest.Wait()
				if err := r.Ready(); err != nil {
					t.Fatalf("%s: a time without a token: %v", tt.life, err)
				}
			}
		})
	}
}

func TestFailureAndRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokens{life: time.Hour, err: errors.New("sts: down\nwith details")}
		r, log := started(t, s)
		synctest.Wait()
		if err := r.Ready(); err == nil || err.Error() != "credential: sts: down" {
			t.Errorf("%v", err)
		}
		if got := token(r); !strings.Contains(got, "down") {
			t.Errorf("a token out of nowhere: %s", got)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if s.count() < 10 || s.count() > 40 {
			t.Errorf("%d tries in ten minutes", s.count())
		}
		s.fails(nil)
		time.Sleep(lastWait)
		synctest.Wait()
		if err := r.Ready(); err != nil {
			t.Errorf("no recovery: %v", err)
		}
		if n := strings.Count(log.String(), "again"); n != 1 {
			t.Errorf("recovery is logged %d times:\n%s", n, log)
		}

		s.fails(errors.New("down again")) // a token that is valid is used to its end
		time.Sleep(time.Hour - 2*time.Minute)
		synctest.Wait()
		if err := r.Ready(); err != nil {
			t.Errorf("a valid token was dropped: %v", err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "down again") {
			t.Errorf("%v", err)
		}
		if got := token(r); !strings.HasPrefix(got, "authorization Bearer ") {
			t.Errorf("an attempt that was planned fails: %s", got)
		}
	})
}

func TestWhatHasExpiredIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokens{life: -time.Second}
		r, _ := started(t, s)
		time.Sleep(time.Minute)
		synctest.Wait()
		if !errors.Is(r.Ready(), r.state.Load().err) || r.Ready() == nil || s.count() > 10 {
			t.Errorf("%v, %d calls", r.Ready(), s.count())
		}
	})
}

// A server that does not answer holds nobody up.
func TestHangingSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokens{hang: true}
		r, _ := started(t, s)
		synctest.Wait()
		if err := r.Ready(); !errors.Is(err, errNotYet) {
			t.Errorf("%v", err)
		}
		select {
		case <-r.tried:
			t.Error("tried, although nothing came back")
		default:
		}
		time.Sleep(fetchTime)
		synctest.Wait()
		<-r.tried
		if err := r.Ready(); err == nil || errors.Is(err, errNotYet) {
			t.Errorf("%v", err)
		}
	})
}

// goleakNone fails the test if it leaves goroutines behind.
func goleakNone(t *testing.T) {
	t.Helper()
	if err := goleak.Find(); err != nil {
		t.Error(err)
	}
}

// TestStates: a Set says how each of its credentials does.
func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, from := NewSet(slog.New(slog.DiscardHandler)), &tokens{life: time.Hour}
		s.all = []*refresher{{provider: "p", now: time.Now, log: s.log, tried: make(chan struct{}), fetch: from.fetch}}
		if got, want := s.States(), []State{{Provider: "p"}}; !slices.Equal(got, want) {
			t.Errorf("before the start: %+v", got)
		}
		begun := time.Now()
		s.Start()
		s.Await(t.Context())
		first := State{"p", true, begun.Add(time.Hour), 0}
		if got := s.States()[0]; got != first {
			t.Errorf("got %+v, want %+v", got, first)
		}
		from.fails(errors.New("x"))
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := s.States()[0]; got.Ready || got.Failed < 2 || got.Expires != first.Expires {
			t.Errorf("after an hour without a new one: %+v", got)
		}
		s.Close()
	})
}
