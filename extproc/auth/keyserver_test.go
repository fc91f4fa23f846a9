package auth

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An origin is a server whose next answers a test decides.
type origin struct {
	mu     sync.Mutex
	body   []byte
	header http.Header
	status int
	err    error
	hold   time.Duration // before it answers
	asked  int
	known  []string // If-None-Match of each
}

func (o *origin) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	o.asked++
	o.known = append(o.known, r.Header.Get("If-None-Match"))
	hold, err := o.hold, o.err
	answer := &http.Response{StatusCode: o.status, Status: http.StatusText(o.status), Header: o.header, Body: io.NopCloser(strings.NewReader(string(o.body)))}
	o.mu.Unlock()
	if answer.Header == nil {
		answer.Header = http.Header{}
	}
	select {
	case <-time.After(hold):
		return answer, err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func (o *origin) set(change func(*origin)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

// serversAt are KeyServers that reach nothing but the origin.
func serversAt(o *origin, log io.Writer) *KeyServers {
	all := NewKeyServers(slog.New(slog.NewTextHandler(log, nil)))
	all.client.Transport = o
	return all
}

const jwksURL = "https://login.example.com/keys?tenant=t"

// The server is looked at in the background, as often as it says, within bounds.
func TestKeysAreLookedAtAgain(t *testing.T) {
	for _, c := range []struct {
		control, age string
		want         time.Duration
	}{
		{"", "", time.Hour},
		{"public, max-age=600", "", 10 * time.Minute},
		{"max-age=600", "300", 5 * time.Minute},
		{"max-age=600", "-1", 10 * time.Minute},
		{"max-age=1", "", time.Minute},
		{"no-store", "", time.Minute},
		{"No-Cache", "", time.Minute},
		{"max-age=99999999999", "", time.Hour},
		{"max-age=86400", "", time.Hour},
		{"max-age=x", "", time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &origin{body: set(signers()["EdDSA"]), status: 200, header: http.Header{"Cache-Control": {c.control}, "Age": {c.age}, "Etag": {`"1"`}}}
			s, release := serversAt(o, io.Discard).Use(jwksURL, time.Hour)
			defer release()
			synctest.Wait()
			first := s.current()
			if first == nil {
				t.Fatal("no keys")
			}
			o.set(func(o *origin) { o.status, o.body = 304, nil })
			time.Sleep(c.want * 9 / 10)
			synctest.Wait()
			if n := o.count(); n != 1 {
				t.Errorf("%s: %d looks before their time", c.control, n)
			}
			time.Sleep(c.want / 10)
			synctest.Wait()
			if n := o.count(); n != 2 || o.known[1] != `"1"` || s.current() != first {
				t.Errorf("%s: %d looks, which knew %q", c.control, n, o.known)
			}
		})
	}
}

// What the server said last holds while it is away, and it is asked less and less.
func TestLastKeysStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		o := &origin{body: set(signers()["EdDSA"]), status: 200}
		servers := serversAt(o, &log)
		s, release := servers.Use(jwksURL, time.Minute)
		synctest.Wait()
		first := s.current()
		for name, fault := range map[string]func(*origin){
			"down":       func(o *origin) { o.err = errors.New("connection refused") },
			"500":        func(o *origin) { o.err, o.status = nil, 500 },
			"a redirect": func(o *origin) { o.status, o.header = 302, http.Header{"Location": {"http://evil.example"}} },
			"a page":     func(o *origin) { o.status, o.body = 200, []byte("<html>") },
			"no keys":    func(o *origin) { o.body = []byte(`{"keys":[]}`) },
			"no end":     func(o *origin) { o.body = []byte(strings.Repeat(" ", maxKeySet+1)) },
			"slow":       func(o *origin) { o.hold = time.Hour },
		} {
			o.set(fault)
			before := s.failed.Load()
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if s.current() != first || s.failed.Load() == before {
				t.Errorf("%s: other keys, or no failure", name)
			}
			o.set(func(o *origin) { o.err, o.status, o.hold, o.body = nil, 200, 0, set(signers()["EdDSA"]) })
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if s.current() != first {
				t.Errorf("%s: the same set is another", name)
			}
		}
		o.set(func(o *origin) { o.body = set(signers()["ES256"]) })
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.current() == first {
			t.Error("another set is the same")
		}
		release()
		if strings.Contains(log.String(), "tenant") || strings.Count(log.String(), "can be fetched again") != 7 {
			t.Error(log.String())
		}
	})
}

// Tokens of an unknown key have the server asked once in ten seconds, and wait for
// it as long as they may.
func TestUnknownKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{body: set(signers()["EdDSA"]), status: 200, hold: time.Second}
		s, release := serversAt(o, io.Discard).Use(jwksURL, time.Hour)
		defer release()
		if got := s.newer(nil); got == nil {
			t.Fatal("the first keys were not waited for")
		}
		first := s.current()
		o.set(func(o *origin) { o.body = set(signers()["ES256"]) })
		begun := time.Now()
		var asking sync.WaitGroup
		for range 50 {
			asking.Go(func() {
				if s.newer(first) == first {
					t.Error("no newer keys")
				}
			})
		}
		asking.Wait()
		if took := time.Since(begun); o.count() != 2 || took != time.Second {
			t.Errorf("%d looks, %s", o.count(), took)
		}
		if second := s.current(); s.newer(second) != second || o.count() != 2 || s.newer(first) != second {
			t.Error("it was asked again at once")
		}
		time.Sleep(askAgain)
		o.set(func(o *origin) { o.hold = time.Minute })
		begun = time.Now()
		s.newer(s.current())
		if took := time.Since(begun); took != waitTime {
			t.Errorf("waited %s", took)
		}
	})
}

// All who use a server share it, and it ends with the last of them. Who waits for
// it then waits no longer.
func TestServersAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{body: set(signers()["EdDSA"]), status: 200}
		all := serversAt(o, io.Discard)
		a, releaseA := all.Use(jwksURL, time.Hour)
		b, releaseB := all.Use(jwksURL, time.Hour)
		c, releaseC := all.Use(jwksURL+"2", time.Hour)
		all.Await(t.Context())
		if a != b || a == c || o.count() != 2 {
			t.Errorf("%d looks", o.count())
		}
		if got := all.States(); len(got) != 1 || got[0] != (ServerState{"https://login.example.com/keys", 2, 0}) {
			t.Errorf("states %+v", got)
		}
		releaseA()
		releaseA()
		if d, release := all.Use(jwksURL, time.Hour); d != a || d.current() == nil {
			t.Error("a reload forgets the keys")
		} else {
			release()
		}
		o.set(func(o *origin) { o.hold = time.Hour })
		if e, release := all.Use(jwksURL, time.Minute); e == a || e.current() == nil {
			t.Error("a reload that has the server looked at more often forgets the keys")
		} else {
			release()
		}
		releaseB()
		before := c.current()
		go func() { time.Sleep(time.Second); releaseC() }()
		begun := time.Now()
		if c.newer(before) != before || time.Since(begun) != time.Second {
			t.Errorf("waited %s", time.Since(begun))
		}
		if len(all.all) != 0 {
			t.Error("servers are left")
		}
	})
}

// Await ends with its context, and a server that nobody looks at has no keys.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := serversAt(&origin{hold: time.Hour}, io.Discard)
		_, release := all.Use(jwksURL, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		all.Await(ctx)
		release()
		var none *KeyServers
		s, release := none.Use(jwksURL, time.Hour)
		release()
		if s.current() != nil || s.newer(nil) != nil {
			t.Error("keys from nowhere")
		}
	})
}

// Over a real connection: nothing is left of it, and redirects are not followed.
func TestRealServer(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set(signers()["ES512"])) })
	mux.Handle("/moved", http.RedirectHandler("/keys", http.StatusFound))
	server := httptest.NewServer(mux)
	defer server.Close()
	all := NewKeyServers(slog.New(slog.DiscardHandler))
	for path, want := range map[string]bool{"/keys": true, "/moved": false, "/none": false} {
		s, release := all.Use(server.URL+path, time.Hour)
		all.Await(t.Context())
		if (s.current() != nil) != want {
			t.Errorf("%s: %v", path, s.current())
		}
		release()
	}
}
