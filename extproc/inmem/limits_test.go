package inmem

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/gateway/gatewaytest"
)

func TestLimits(t *testing.T) {
	gatewaytest.Limits(t, func(testing.TB) gateway.Limits { return NewLimits(slog.New(slog.DiscardHandler)) })
}

var noon = time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)

func perMinute(requests int64) *gateway.Limit {
	return &gateway.Limit{Per: "user", WindowS: 60, Requests: requests, Tokens: -1, CostNano: -1, Concurrent: -1}
}

func one(l *gateway.Limit, account string) []gateway.Claim {
	return []gateway.Claim{{Limit: l, Account: account, Amount: gateway.Amount{Requests: 1, Concurrent: 1}}}
}

func reserve(t testing.TB, l *Limits, now time.Time, claims []gateway.Claim) gateway.Reservation {
	t.Helper()
	r, _, err := l.Reserve(context.Background(), now, claims)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Accounts that clients make up fill the memory up to its bound, and share one
// account then. Those who were there keep theirs, and those who use nothing any more
// make room.
func TestAccountsAreBounded(t *testing.T) {
	var log bytes.Buffer
	l := NewLimits(slog.New(slog.NewTextHandler(&log, nil)))
	l.most = 160
	limit := perMinute(2)
	if reserve(t, l, noon, one(limit, "first")) == nil {
		t.Fatal("refused")
	}
	refused := 0
	for i := range 1000 {
		if reserve(t, l, noon, one(limit, fmt.Sprint("u", i))) == nil {
			refused++
		}
	}
	table := l.table(limit)
	if n := accounts(table); n > 160 || n < 100 {
		t.Errorf("%d accounts are kept", n)
	}
	if refused < 800 || l.Crowded() < 800 {
		t.Errorf("%d were refused, %d shared an account", refused, l.Crowded())
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings: %s", n, log.String())
	}
	if reserve(t, l, noon, one(limit, "first")) == nil {
		t.Error("the first account is crowded out")
	}
}

func TestIdleAccountsAreForgotten(t *testing.T) {
	l := NewLimits(slog.New(slog.DiscardHandler))
	l.most = 1600
	limit, now := perMinute(2), noon
	open := reserve(t, l, now, one(limit, "open"))
	for i := range 100_000 {
		now = now.Add(time.Second)
		reserve(t, l, now, one(limit, fmt.Sprint("u", i))).Settle(now, 1, gateway.Amount{Requests: 1})
	}
	if l.Crowded() > 0 {
		t.Errorf("%d had to share an account", l.Crowded())
	}
	table := l.table(limit)
	if table.find("open") == nil {
		t.Error("an account in use was forgotten")
	}
	open.Settle(now, 1, gateway.Amount{})
}

func accounts(t *table) (n int) {
	for i := range t.shards {
		n += len(t.shards[i].accounts)
	}
	return n
}

// Rules can make up windows. Those in which nothing is used any more make room for
// others.
func TestKindsAreBounded(t *testing.T) {
	l := NewLimits(slog.New(slog.DiscardHandler))
	windows := func(from int) (failed int) {
		for i := range maxKinds {
			limit := perMinute(1)
			limit.WindowS = int64(from + i)
			r, _, err := l.Reserve(context.Background(), noon.Add(time.Duration(from)*time.Hour), one(limit, "k"))
			if err != nil {
				failed++
				continue
			}
			r.Settle(noon, 1, gateway.Amount{Requests: 1})
		}
		return failed
	}
	held := reserve(t, l, noon, one(perMinute(9), "k"))
	if failed := windows(100); failed != 1 {
		t.Errorf("%d of %d windows found no room", failed, maxKinds)
	}
	if failed := windows(1000); failed != 1 { // the first has used something, for ever
		t.Errorf("%d of %d other windows found no room", failed, maxKinds)
	}
	held.Settle(noon, 1, gateway.Amount{})
	if failed := windows(2000); failed != 0 {
		t.Errorf("%d of %d windows found no room in the end", failed, maxKinds)
	}
}

func TestSeed(t *testing.T) {
	l := NewLimits(slog.New(slog.DiscardHandler))
	limit := &gateway.Limit{Per: "team", Window: gateway.WindowMonth, Requests: -1, Tokens: -1, CostNano: 100, Concurrent: -1}
	claim := gateway.Claim{Limit: limit, Account: "red", Amount: gateway.Amount{Requests: 3, CostNano: 60}}
	for range 2 { // the second time it is known
		if err := l.Seed(noon, claim); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]gateway.Left{}
	for name, left := range l.All(noon, claim) {
		got[name] = left
	}
	if len(got) != 1 || got["red"].Used != (gateway.Amount{Requests: 3, CostNano: 60}) || got["red"].Left.CostNano != 40 {
		t.Errorf("accounts %+v", got)
	}
	claim.Amount.CostNano = 41
	if reserve(t, l, noon, []gateway.Claim{claim}) != nil {
		t.Error("more was reserved than is left")
	}
}

// BenchmarkReserve is a request under limits of four levels.
func BenchmarkReserve(b *testing.B) {
	l := NewLimits(slog.New(slog.DiscardHandler))
	var claims []gateway.Claim
	for _, per := range []string{"key", "team", "org", "model"} {
		claims = append(claims, gateway.Claim{
			Limit:   &gateway.Limit{Per: per, WindowS: 60, Requests: 1 << 40, Tokens: 1 << 50, CostNano: 1 << 60, Concurrent: 100},
			Account: per, Amount: gateway.Amount{Requests: 1, Tokens: 1500, CostNano: 3_000_000, Concurrent: 1},
		})
	}
	now := noon
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		r, short, err := l.Reserve(context.Background(), now, claims)
		if short != nil || err != nil {
			b.Fatal(short, err)
		}
		r.Settle(now, 15, gateway.Amount{Requests: 1, Tokens: 700, CostNano: 1_000_000})
	}
}
