package gateway

import (
	"context"
	"time"
)

// Limits counts what accounts use and says when there is no more. It outlives the
// snapshots, many goroutines use it at once, and it bounds its own time.
//
// What is counted belongs to a Limit's Kind and to an account. The numbers of a
// Limit are only what the count is compared with, so that two of the same kind
// share their counts. A sliding window counts a use
// for the window's length at least and for a tenth longer at most. A calendar
// window counts it until the window ends.
type Limits interface {
	// Left fills in what is left for each claim, whose amount does not matter.
	// left is as long as claims. It counts nothing.
	Left(ctx context.Context, now time.Time, claims []Claim, left []Left) error

	// Reserve takes the amounts of all claims, or of none: then it says which
	// claim there is no room for. The reservation is nil then, and after an error.
	// There are at most MaxClaims claims, which the reservation keeps.
	Reserve(ctx context.Context, now time.Time, claims []Claim) (Reservation, *Shortage, error)
}

// A Reservation is what the claims of one request hold. One goroutine at a time
// uses it.
type Reservation interface {
	// Room is what was left beyond the reservation when it was made, of the claim
	// with the least; -1 where nothing is limited.
	Room() Amount

	// Extend takes more for all claims that are not settled, or for none.
	Extend(ctx context.Context, now time.Time, more Amount) (*Shortage, error)

	// Settle ends claims: what they have reserved beyond what was used is given
	// back, what was used beyond that is counted, whatever the limit. Concurrent
	// of used does not matter. Of claims that are settled it changes nothing. It
	// does not wait for a network.
	Settle(now time.Time, claims ClaimSet, used Amount)
}

// MaxClaims is the most claims that a request can have.
const MaxClaims = 64

// A ClaimSet is a set of a reservation's claims: bit i stands for claim i.
type ClaimSet uint64

// Has reports whether claim i is in the set.
func (s ClaimSet) Has(i int) bool { return s&(1<<i) != 0 }

// An Amount is what requests use. In limits, -1 means not limited.
type Amount struct {
	Requests   int64
	Tokens     int64
	CostNano   int64 // nano-dollars
	Concurrent int64 // requests that are not over
}

// A Claim is what a request wants of one account under one limit.
type Claim struct {
	Limit   *Limit // nobody changes it
	Account string // of the kind that the limit's Per names; empty: of all who have none
	Zone    *time.Location
	Amount  Amount
	Again   bool // an earlier claim counts the amount on the same account of the same kind: this one only compares
}

// Left is what is left of a limit for one account. -1 means not limited.
type Left struct {
	Max    Amount    // the limit
	Used   Amount    // and reserved; also of what is not limited
	Left   Amount    // not below 0
	Resets time.Time // when a calendar window starts anew, or a sliding one has nothing of what is used now
}

// Permille is the least part that is left of what is limited; 1000 where nothing is.
func (l *Left) Permille() int64 {
	least := int64(1000)
	for _, m := range measures {
		if most := *m.of(&l.Max); most >= 0 {
			least = min(least, permille(*m.of(&l.Left), most))
		}
	}
	return least
}

func permille(left, most int64) int64 {
	switch {
	case left <= 0:
		return 0
	case left >= most:
		return 1000
	case most > 1<<53: // so that nothing overflows
		return left / (most / 1000)
	}
	return left * 1000 / most
}

// A Shortage says what there is no room for.
type Shortage struct {
	Claim   int           // the first that does not fit
	Measure Measure       // of it
	Left    int64         // of the measure
	Retry   time.Duration // until there is room, if nobody else takes it; 0: not known, or never
}

// A Measure is one of the figures of an Amount.
type Measure string

// The measures.
const (
	MeasureRequests   Measure = "requests"
	MeasureTokens     Measure = "tokens"
	MeasureCost       Measure = "cost"
	MeasureConcurrent Measure = "concurrent"
)

var measures = [...]struct {
	Measure
	of func(*Amount) *int64
}{
	{MeasureRequests, func(a *Amount) *int64 { return &a.Requests }},
	{MeasureTokens, func(a *Amount) *int64 { return &a.Tokens }},
	{MeasureCost, func(a *Amount) *int64 { return &a.CostNano }},
	{MeasureConcurrent, func(a *Amount) *int64 { return &a.Concurrent }},
}

// The calendar windows.
const (
	WindowDay   = "day"
	WindowWeek  = "week" // begins on Monday
	WindowMonth = "month"
)

// A LimitKind is what counts are kept for: limits that differ in their numbers alone
// are of one.
type LimitKind struct {
	Name        string // of limits that have a count of their own
	Per, Window string
	WindowS     int64
}

// Kind is what is counted under the limit.
func (l *Limit) Kind() LimitKind {
	k := LimitKind{Per: l.Per, Window: l.Window, WindowS: l.WindowS}
	if l.Own {
		k.Name = l.Name
	}
	return k
}

// Max is the most that the limit allows; -1: not limited.
func (l *Limit) Max() Amount { return Amount{l.Requests, l.Tokens, l.CostNano, l.Concurrent} }

// Period returns the calendar window that a time is in. until is not part of it.
// A nil zone is UTC. Of a limit without a calendar window both are zero.
func (l *Limit) Period(now time.Time, zone *time.Location) (since, until time.Time) {
	if zone == nil {
		zone = time.UTC
	}
	now = now.In(zone)
	y, m, d := now.Date()
	days, months := 1, 0
	switch l.Window {
	case WindowDay:
	case WindowWeek:
		d -= (int(now.Weekday()) + 6) % 7
		days = 7
	case WindowMonth:
		d, days, months = 1, 0, 1
	default:
		return since, until
	}
	return begin(y, m, d, zone), begin(y, m+time.Month(months), d+days, zone)
}

// begin is when a day begins. Where clocks are put forward at midnight there is no
// 0:00, and time.Date may say 23:00 of the day before.
func begin(y int, m time.Month, d int, zone *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	if t.Hour() > 12 {
		_, t = t.ZoneBounds()
	}
	return t
}
