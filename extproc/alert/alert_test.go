package alert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attache-gateway/attache/extproc/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	november = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	december = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	january  = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

// a counter counts alerts, as "budget permille".
type counter struct {
	mu   sync.Mutex
	seen []string
}

func (c *counter) add(budget string, permille int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, fmt.Sprint(budget, " ", permille))
}

func (c *counter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.seen
	c.seen = nil
	return all
}

func TestEachShareOnce(t *testing.T) {
	var told counter
	a := New(slog.New(slog.DiscardHandler), told.add)
	defer a.Close()
	b := &Budget{Name: "team", Per: "team", Shares: []int64{500, 800, 1000}}
	for _, c := range []struct {
		account string
		used    int64
		refused bool
		resets  time.Time
		want    []string
	}{
		{"red", 499, false, december, nil},
		{"red", 500, false, december, []string{"team 500"}},
		{"red", 501, false, december, nil},
		{"red", 300, false, december, nil}, // given back
		{"red", 799, false, december, nil},
		{"blue", 900, false, december, []string{"team 500", "team 800"}},
		{"blue", 900, true, december, []string{"team 1000"}},
		{"blue", 1000, false, december, nil},
		{"", 2000, false, december, []string{"team 500", "team 800", "team 1000"}},
		{"red", 10, false, january, nil},
		{"red", 500, false, january, []string{"team 500"}},
		{"red", 900, false, december, nil}, // of a request that took long to end
		{"red", 501, false, january, nil},
	} {
		a.Saw(b, State{Account: c.account, Limit: 1000, Used: c.used, Refused: c.refused, Resets: c.resets}, november)
		if got := told.take(); !slices.Equal(got, c.want) {
			t.Errorf("%q used %d until %s: told %q, want %q", c.account, c.used, c.resets.Format(time.DateOnly), got, c.want)
		}
	}
	a.Known(b, State{Account: "green", Limit: 1000, Used: 850, Resets: december}, november)
	a.Saw(b, State{Account: "green", Limit: 1000, Used: 1000, Resets: december}, november)
	if got := told.take(); !slices.Equal(got, []string{"team 1000"}) {
		t.Errorf("after a restart: told %q", got)
	}
}

// A share of a larger budget is another share; one of a smaller one is told at once
// if it is reached by that.
func TestAnotherLimit(t *testing.T) {
	var told counter
	a := New(slog.New(slog.DiscardHandler), told.add)
	defer a.Close()
	b := &Budget{Name: "b", Per: "team", Shares: []int64{500, 1000}}
	for _, c := range []struct {
		limit, used int64
		want        []string
	}{
		{100, 100, []string{"b 500", "b 1000"}},
		{1000, 101, nil},
		{1000, 499, nil},
		{1000, 500, []string{"b 500"}},
		{1000, 600, nil},
		{600, 600, []string{"b 1000"}},
		{500, 600, nil},
	} {
		a.Saw(b, State{Account: "red", Limit: c.limit, Used: c.used, Resets: december}, november)
		if got := told.take(); !slices.Equal(got, c.want) {
			t.Errorf("%d of %d: told %q, want %q", c.used, c.limit, got, c.want)
		}
	}
}

// Many at once tell each share once.
func TestManyAtOnce(t *testing.T) {
	var told counter
	a := New(slog.New(slog.DiscardHandler), told.add)
	defer a.Close()
	b := &Budget{Name: "b", Per: "key", Shares: []int64{100, 500, 1000}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for used := range int64(1200) {
				a.Saw(b, State{Account: "k", Limit: 1000, Used: used, Resets: december}, november)
			}
		})
	}
	all.Wait()
	if got := told.take(); len(got) != 3 {
		t.Errorf("told %q", got)
	}
}

// What is remembered is bounded; the ends of windows make room.
func TestRoom(t *testing.T) {
	var told counter
	a := New(slog.New(slog.DiscardHandler), told.add)
	defer a.Close()
	b := &Budget{Name: "b", Per: "key", Shares: []int64{500}}
	saw := func(i int, resets, now time.Time) {
		a.Saw(b, State{Account: fmt.Sprint(i), Limit: 2, Used: 1, Resets: resets}, now)
	}
	for i := range maxTold + 3 {
		saw(i, december, november)
	}
	if n := len(told.take()); n != maxTold || a.Lost() != 3 || len(a.told) != maxTold {
		t.Errorf("told %d, lost %d, remembered %d", n, a.Lost(), len(a.told))
	}
	saw(maxTold, january, december.Add(time.Hour))
	if n := len(told.take()); n != 1 || len(a.told) != 1 {
		t.Errorf("in the next window: told %d, remembered %d", n, len(a.told))
	}
}

// A hook is a server that fails a few times before it takes what it is sent.
type hook struct {
	*httptest.Server
	got chan []byte
}

func newHook(t *testing.T, failures int) *hook {
	h := &hook{got: make(chan []byte, 1000)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.RawQuery != "token=hidden" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s %s, %s", r.Method, r.URL, r.Header)
		}
		if failures > 0 {
			failures--
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		h.got <- body
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) secret() gateway.Secret { return gateway.NewSecret(h.URL + "/hook?token=hidden") }

func TestWebhook(t *testing.T) {
	h := newHook(t, 1)
	var told counter
	a := New(slog.New(slog.DiscardHandler), told.add)
	b := &Budget{Name: "team", Per: "team", Shares: []int64{800}, Webhook: h.secret()}
	a.Saw(b, State{Account: "red", Limit: 1000, Used: 850, Resets: december}, november)
	a.Close()
	var got map[string]any
	if err := json.Unmarshal(<-h.got, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"event": "budget_alert", "time": "2026-11-30T12:00:00Z", "budget": "team", "per": "team", "account": "red",
		"share_permille": 800.0, "limit_nano": 1000.0, "used_nano": 850.0, "resets": "2026-12-01T00:00:00Z",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || a.Lost() != 0 {
		t.Errorf("got %v, lost %d\nwant %v", got, a.Lost(), want)
	}
}

// A webhook that does not answer holds nobody up; what waits too long is lost and
// counted, and the log does not say where it should have gone.
func TestDeadWebhook(t *testing.T) {
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	var text bytes.Buffer
	var told counter
	a := New(slog.New(slog.NewTextHandler(&text, nil)), told.add)
	b := &Budget{Name: "b", Per: "key", Shares: []int64{500}, Webhook: gateway.NewSecret(s.URL + "/hidden")}
	for i := range maxWaiting + 10 {
		a.Saw(b, State{Account: fmt.Sprint(i), Limit: 2, Used: 1, Resets: december}, november)
	}
	if lost := a.Lost(); lost < 9 || len(told.take()) != maxWaiting+10 {
		t.Errorf("lost %d", lost)
	}
	a.posts.cancel() // as the end of its time does
	close(stop)
	s.Close()
	a.Close()
	a.Close()
	if a.Lost() < maxWaiting+9 {
		t.Errorf("lost %d of %d", a.Lost(), maxWaiting+10)
	}
	if strings.Contains(text.String(), "hidden") {
		t.Errorf("the log names the URL: %.300s", text.String())
	}
}
