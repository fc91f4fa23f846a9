// Package gatewaytest has the suites that every implementation of the gateway's
// contracts passes.
package gatewaytest

import (
	"context"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Limits checks a store of limits. open returns a new one in which nothing is
// used.
func Limits(t *testing.T, open func(testing.TB) gateway.Limits) {
	for name, test := range map[string]func(*desk){
		"all or none":         allOrNone,
		"room":                room,
		"measures":            measuresAreApart,
		"nothing wanted":      nothingWanted,
		"kinds":               kindsAreApart,
		"shared counts":       sharedCounts,
		"again":               again,
		"concurrent":          concurrent,
		"give back":           giveBack,
		"more than reserved":  moreThanReserved,
		"settled once":        settledOnce,
		"losers":              losers,
		"extend":              extend,
		"retry":               retry,
		"never":               never,
		"calendar":            calendar,
		"over midnight":       overMidnight,
		"late give back":      lateGiveBack,
		"any stretch of time": anyStretch,
		"nothing leaks":       nothingLeaks,
		"hammer":              hammer,
	} {
		t.Run(name, func(t *testing.T) { test(&desk{T: t, store: open(t), now: noon}) })
	}
}

// noon is when the tests begin: a Wednesday.
var noon = time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)

// A desk is where a test asks a store.
type desk struct {
	*testing.T
	store gateway.Limits
	now   time.Time
}

func (d *desk) wait(t time.Duration) { d.now = d.now.Add(t) }

// try reserves, and fails the test on an error.
func (d *desk) try(claims ...gateway.Claim) (gateway.Reservation, *gateway.Shortage) {
	d.Helper()
	r, short, err := d.store.Reserve(context.Background(), d.now, claims)
	if err != nil {
		d.Fatalf("reserve: %v", err)
	}
	if (r == nil) == (short == nil) {
		d.Fatalf("reserve: reservation %v and shortage %v", r, short)
	}
	return r, short
}

// must reserves what there is room for.
func (d *desk) must(claims ...gateway.Claim) gateway.Reservation {
	d.Helper()
	r, short := d.try(claims...)
	if short != nil {
		d.Fatalf("refused: %+v", *short)
	}
	return r
}

// refused reserves what there is no room for.
func (d *desk) refused(claims ...gateway.Claim) gateway.Shortage {
	d.Helper()
	_, short := d.try(claims...)
	if short == nil {
		d.Fatal("there was room")
	}
	return *short
}

// left is what the store says of a claim.
func (d *desk) left(c gateway.Claim) gateway.Left {
	d.Helper()
	var left [1]gateway.Left
	if err := d.store.Left(context.Background(), d.now, []gateway.Claim{c}, left[:]); err != nil {
		d.Fatalf("left: %v", err)
	}
	return left[0]
}

// used checks what counts for a claim's account.
func (d *desk) used(c gateway.Claim, want gateway.Amount) {
	d.Helper()
	if got := d.left(c).Used; got != want {
		d.Fatalf("used: %+v, want %+v", got, want)
	}
}

const all = ^gateway.ClaimSet(0)

// perMinute is a limit of one minute. -1: not limited.
func perMinute(requests, tokens, cost int64) *gateway.Limit {
	return &gateway.Limit{Per: "key", WindowS: 60, Requests: requests, Tokens: tokens, CostNano: cost, Concurrent: -1}
}

func claim(l *gateway.Limit, account string, requests, tokens, cost int64) gateway.Claim {
	return gateway.Claim{Limit: l, Account: account, Amount: gateway.Amount{Requests: requests, Tokens: tokens, CostNano: cost, Concurrent: 1}}
}

func tokens(n int64) gateway.Amount { return gateway.Amount{Tokens: n} }
