package gateway

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// A till is a store of limits that has one window without an end.
type till struct {
	mu    sync.Mutex
	used  map[string]Amount // by Per and account
	open  int               // claims that are not settled
	calls int
	fail  error
}

func newTill() *till { return &till{used: map[string]Amount{}} }

func (c *Claim) at() string {
	if c.Limit.Own {
		return c.Limit.Name + " " + c.Limit.Per + " " + c.Account
	}
	return c.Limit.Per + " " + c.Account
}

func (t *till) Left(_ context.Context, now time.Time, claims []Claim, left []Left) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	for i := range claims {
		l := Left{Max: claims[i].Limit.Max(), Used: t.used[claims[i].at()], Resets: now}
		for _, m := range measures {
			if *m.of(&l.Left) = -1; *m.of(&l.Max) >= 0 {
				*m.of(&l.Left) = max(*m.of(&l.Max)-*m.of(&l.Used), 0)
			}
		}
		left[i] = l
	}
	return t.fail
}

func (t *till) Reserve(_ context.Context, _ time.Time, claims []Claim) (Reservation, *Shortage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	if t.fail != nil {
		return nil, nil, t.fail
	}
	b := &bill{till: t, claims: claims, has: make([]Amount, len(claims))}
	for i := range claims {
		b.has[i] = claims[i].Amount
	}
	room, short := b.count(func(i int) Amount { return claims[i].Amount })
	if short != nil {
		return nil, short, nil
	}
	t.open += len(claims)
	b.room = room
	return b, nil, nil
}

// A bill is a till's reservation.
type bill struct {
	*till
	claims  []Claim
	has     []Amount
	settled ClaimSet
	room    Amount
}

func (a *Amount) add(o Amount, times int64) {
	for _, m := range measures {
		*m.of(a) += times * *m.of(&o)
	}
}

// count adds amounts, all or none, and returns what is left.
func (b *bill) count(amount func(int) Amount) (room Amount, short *Shortage) {
	room = Amount{-1, -1, -1, -1}
	next := map[string]Amount{}
	for i := range b.claims {
		c, want := &b.claims[i], amount(i)
		if b.settled.Has(i) {
			continue
		}
		used, ok := next[c.at()]
		if !ok {
			used = b.used[c.at()]
		}
		if !c.Again {
			used.add(want, 1)
		}
		next[c.at()] = used
		most := c.Limit.Max()
		for _, m := range measures {
			left := *m.of(&most) - *m.of(&used)
			if *m.of(&most) < 0 {
				continue
			}
			if left < 0 && *m.of(&want) > 0 {
				s := &Shortage{Claim: i, Measure: m.Measure, Left: max(left+*m.of(&want), 0)}
				if *m.of(&want) <= *m.of(&most) {
					s.Retry = 1500 * time.Millisecond
				}
				return room, s
			}
			if r := m.of(&room); *r < 0 || left < *r {
				*r = max(left, 0)
			}
		}
	}
	for at, a := range next {
		b.used[at] = a
	}
	return room, nil
}

func (b *bill) Room() Amount { return b.room }

func (b *bill) Extend(_ context.Context, _ time.Time, more Amount) (*Shortage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if b.fail != nil {
		return nil, b.fail
	}
	_, short := b.count(func(int) Amount { return more })
	if short == nil {
		for i := range b.has {
			b.has[i].add(more, 1)
		}
	}
	return short, nil
}

func (b *bill) Settle(_ time.Time, claims ClaimSet, used Amount) {
	b.mu.Lock()
	defer b.mu.Unlock()
	used.Concurrent = 0
	for i := range b.claims {
		c := &b.claims[i]
		if !claims.Has(i) || b.settled.Has(i) {
			continue
		}
		b.settled |= 1 << i
		b.open--
		if !c.Again {
			sum := b.used[c.at()]
			sum.add(b.has[i], -1)
			sum.add(used, 1)
			b.used[c.at()] = sum
		}
	}
}

// limit is a limit of one figure per key; the others are not limited.
func limit(change func(*Limit)) Limit {
	l := Limit{Name: "l", Per: "key", WindowS: 60, Requests: -1, Tokens: -1, CostNano: -1, Concurrent: -1}
	change(&l)
	return l
}

func tokensPer(per string, n int64) Limit {
	return limit(func(l *Limit) { l.Per, l.Tokens = per, n })
}

func TestPeriod(t *testing.T) {
	zone := func(name string) *time.Location {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Skip("this machine knows no time zones")
		}
		return z
	}
	berlin, santiago, cairo, havana := zone("Europe/Berlin"), zone("America/Santiago"), zone("Africa/Cairo"), zone("America/Havana")
	for _, c := range []struct {
		window, now  string
		zone         *time.Location
		since, until string
	}{
		{WindowDay, "2026-05-13T23:59:59Z", nil, "2026-05-13T00:00:00Z", "2026-05-14T00:00:00Z"},
		{WindowDay, "2026-05-13T22:00:00Z", berlin, "2026-05-13T22:00:00Z", "2026-05-14T22:00:00Z"},
		{WindowDay, "2026-03-29T10:00:00Z", berlin, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // of 23 hours
		{WindowWeek, "2026-05-17T23:00:00Z", nil, "2026-05-11T00:00:00Z", "2026-05-18T00:00:00Z"},   // a Sunday
		{WindowWeek, "2026-05-18T00:00:00Z", nil, "2026-05-18T00:00:00Z", "2026-05-25T00:00:00Z"},
		{WindowMonth, "2026-12-31T12:00:00Z", nil, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{WindowMonth, "2026-10-31T23:30:00Z", berlin, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"},
		{WindowDay, "2026-09-06T03:59:59Z", santiago, "2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z"}, // 1:00 comes after 23:59
		{WindowDay, "2026-09-06T04:00:00Z", santiago, "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"},
		{WindowDay, "2026-04-24T01:00:00Z", cairo, "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"},
		{WindowDay, "2026-11-01T04:30:00Z", havana, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"}, // 0:00 comes twice
		{WindowDay, "2026-11-01T05:30:00Z", havana, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		since, until := (&Limit{Window: c.window}).Period(now, c.zone)
		if s, u := since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339); s != c.since || u != c.until {
			t.Errorf("%s of %s: %s to %s, want %s to %s", c.window, c.now, s, u, c.since, c.until)
		}
	}
	if since, until := (&Limit{WindowS: 60}).Period(start, nil); !since.IsZero() || !until.IsZero() {
		t.Errorf("a sliding window has the period %v to %v", since, until)
	}
}

func TestPermille(t *testing.T) {
	const huge = 1<<63 - 1
	for _, c := range []struct {
		left Left
		want int64
	}{
		{Left{Max: Amount{-1, -1, -1, -1}, Left: Amount{-1, -1, -1, -1}}, 1000},
		{Left{Max: Amount{10, 1000, -1, -1}, Left: Amount{9, 333, -1, -1}}, 333},
		{Left{Max: Amount{0, -1, -1, -1}, Left: Amount{0, -1, -1, -1}}, 0},
		{Left{Max: Amount{-1, -1, huge, -1}, Left: Amount{-1, -1, huge / 2, -1}}, 499},
		{Left{Max: Amount{-1, -1, huge, -1}, Left: Amount{-1, -1, huge, -1}}, 1000},
	} {
		if got := c.left.Permille(); got < c.want || got > c.want+1 {
			t.Errorf("%+v: %d", c.left, got)
		}
	}
}

func TestAccountOfRecord(t *testing.T) {
	r := &Record{
		Caller: Caller{KeyID: "k", Team: "t", Org: "o", User: "owner"}, User: "end", Session: "s",
		Target: "p/m", Provider: "p", Properties: map[string]string{"tenant": "x"},
	}
	for per, want := range map[string]string{
		"key": "k", "team": "t", "org": "o", "user": "end", "session": "s", "model": "p/m", "provider": "p", "property.tenant": "x", "property.other": "",
	} {
		if got := r.Account(per); got != want {
			t.Errorf("per %s: %q, want %q", per, got, want)
		}
	}
	if got := (&Record{Caller: r.Caller}).Account("user"); got != "owner" {
		t.Errorf("without an end user: %q", got)
	}
}

// An explanation says what limits make of the request, and holds nothing.
func TestLimitsAreExplained(t *testing.T) {
	h, till := bounded(t, func(o *Options) { o.Explaining.All = true }, limit(func(l *Limit) { l.Per, l.Requests, l.Concurrent = "model", 1, 1 }))
	till.used["model a/m"] = Amount{Requests: 1}
	for _, c := range []struct{ model, want string }{
		{"a/m,c/m", `"left_out":[{"target":"a/m","why":"the limit l has no room"}]`},
		{"a/m", `"code":"rate_limited"`},
	} {
		x, answer, _ := decide(t, h, chatPath, chat(c.model, ""), ExplainHeader, ExplainOnly)
		x.Close(false)
		if answer == nil || answer.Status != 200 || !strings.Contains(string(answer.Body), c.want) || till.open != 0 || x.record.Limit != "" {
			t.Errorf("%s: %d claims are open, %s", c.model, till.open, answer.Body)
		}
	}
}
