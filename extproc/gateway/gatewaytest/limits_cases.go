package gatewaytest

import (
	"context"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

func allOrNone(d *desk) {
	wide, tight := perMinute(10, -1, -1), perMinute(1, -1, -1)
	tight.Per = "team"
	d.must(claim(wide, "k", 1, 0, 0), claim(tight, "t", 1, 0, 0))
	short := d.refused(claim(wide, "k", 1, 0, 0), claim(tight, "t", 1, 0, 0))
	if short.Claim != 1 || short.Measure != gateway.MeasureRequests || short.Left != 0 {
		d.Errorf("shortage %+v", short)
	}
	d.used(claim(wide, "k", 0, 0, 0), gateway.Amount{Requests: 1, Concurrent: 1})
}

func room(d *desk) {
	l := perMinute(10, 1000, -1)
	wider := perMinute(-1, 5000, -1)
	wider.Per = "team"
	r := d.must(claim(l, "k", 1, 300, 5), claim(wider, "t", 1, 300, 5))
	if got, want := r.Room(), (gateway.Amount{Requests: 9, Tokens: 700, CostNano: -1, Concurrent: -1}); got != want {
		d.Errorf("room %+v, want %+v", got, want)
	}
	left := d.left(claim(l, "k", 0, 0, 0))
	want := gateway.Left{
		Max:    gateway.Amount{Requests: 10, Tokens: 1000, CostNano: -1, Concurrent: -1},
		Used:   gateway.Amount{Requests: 1, Tokens: 300, CostNano: 5, Concurrent: 1},
		Left:   gateway.Amount{Requests: 9, Tokens: 700, CostNano: -1, Concurrent: -1},
		Resets: left.Resets,
	}
	if left != want || left.Permille() != 700 {
		d.Errorf("left %+v, %d permille; want %+v", left, left.Permille(), want)
	}
	if wait := left.Resets.Sub(d.now); wait < time.Minute || wait > 67*time.Second {
		d.Errorf("resets in %v", wait)
	}
	other := d.left(claim(l, "other", 0, 0, 0))
	if other.Used != (gateway.Amount{}) || other.Left != want.Max || other.Resets.After(d.now) {
		d.Errorf("left of another account: %+v", other)
	}
}

func measuresAreApart(d *desk) {
	for _, c := range []struct {
		limit gateway.Limit
		want  gateway.Measure
	}{
		{gateway.Limit{Requests: 0, Tokens: -1, CostNano: -1, Concurrent: -1}, gateway.MeasureRequests},
		{gateway.Limit{Requests: -1, Tokens: 9, CostNano: -1, Concurrent: -1}, gateway.MeasureTokens},
		{gateway.Limit{Requests: -1, Tokens: -1, CostNano: 99, Concurrent: -1}, gateway.MeasureCost},
		{gateway.Limit{Requests: -1, Tokens: -1, CostNano: -1, Concurrent: 0}, gateway.MeasureConcurrent},
	} {
		c.limit.Per, c.limit.WindowS = "key", 60
		if short := d.refused(claim(&c.limit, "k", 1, 10, 100)); short.Measure != c.want {
			d.Errorf("%s is short, want %s", short.Measure, c.want)
		}
	}
}

// Who wants nothing of a measure is not refused, even where too much is used.
func nothingWanted(d *desk) {
	l := perMinute(-1, 10, -1)
	d.must(claim(l, "k", 1, 0, 0)).Settle(d.now, all, gateway.Amount{Requests: 1, Tokens: 50})
	d.must(claim(l, "k", 1, 0, 0))
	d.refused(claim(l, "k", 1, 1, 0))
}

func kindsAreApart(d *desk) {
	l := perMinute(1, -1, -1)
	d.must(claim(l, "k", 1, 0, 0))
	for _, change := range []func(*gateway.Limit){
		func(l *gateway.Limit) { l.Per = "team" },
		func(l *gateway.Limit) { l.WindowS = 61 },
		func(l *gateway.Limit) { l.WindowS, l.Window = 0, gateway.WindowDay },
		func(l *gateway.Limit) { l.Name, l.Own = "a", true },
		func(l *gateway.Limit) { l.Name, l.Own = "b", true },
	} {
		other := *l
		change(&other)
		d.must(claim(&other, "k", 1, 0, 0))
	}
	d.must(claim(l, "k2", 1, 0, 0))
	d.must(claim(l, "", 1, 0, 0))
	d.refused(claim(l, "", 1, 0, 0))
}

// Limits of one kind are numbers that the same count is compared with, whatever they
// are called, unless they have a count of their own.
func sharedCounts(d *desk) {
	d.must(claim(perMinute(10, -1, -1), "k", 3, 0, 0))
	d.refused(claim(perMinute(3, -1, -1), "k", 1, 0, 0))
	d.must(claim(perMinute(4, -1, -1), "k", 1, 0, 0))
	named := perMinute(5, -1, -1)
	named.Name = "n"
	d.must(claim(named, "k", 1, 0, 0))
	d.refused(claim(named, "k", 1, 0, 0))
	named.Own = true
	d.must(claim(named, "k", 5, 0, 0))
	d.refused(claim(named, "k", 1, 0, 0))
}

func again(d *desk) {
	l, tight := perMinute(10, -1, -1), perMinute(2, -1, -1)
	pair := func() []gateway.Claim {
		second := claim(tight, "k", 1, 0, 0)
		second.Again = true
		return []gateway.Claim{claim(l, "k", 1, 0, 0), second}
	}
	r := d.must(pair()...)
	d.must(pair()...)
	if short := d.refused(pair()...); short.Claim != 1 {
		d.Errorf("shortage %+v", short)
	}
	d.used(claim(l, "k", 0, 0, 0), gateway.Amount{Requests: 2, Concurrent: 2})
	r.Settle(d.now, all, gateway.Amount{})
	d.used(claim(l, "k", 0, 0, 0), gateway.Amount{Requests: 1, Concurrent: 1})
}

func concurrent(d *desk) {
	l := &gateway.Limit{Per: "key", Requests: -1, Tokens: -1, CostNano: -1, Concurrent: 2}
	first := d.must(claim(l, "k", 1, 5, 5))
	d.must(claim(l, "k", 1, 5, 5))
	d.wait(48 * time.Hour) // however long they take
	if short := d.refused(claim(l, "k", 1, 5, 5)); short.Measure != gateway.MeasureConcurrent {
		d.Errorf("shortage %+v", short)
	}
	first.Settle(d.now, all, gateway.Amount{Requests: 1, Concurrent: 1})
	d.must(claim(l, "k", 1, 5, 5))
}

func giveBack(d *desk) {
	l := perMinute(-1, 100, 100)
	r := d.must(claim(l, "k", 1, 90, 90))
	d.refused(claim(l, "k", 1, 20, 20))
	r.Settle(d.now, all, gateway.Amount{Requests: 1, Tokens: 30, CostNano: 10})
	d.used(claim(l, "k", 0, 0, 0), gateway.Amount{Requests: 1, Tokens: 30, CostNano: 10})
}

func moreThanReserved(d *desk) {
	l := perMinute(-1, 100, -1)
	d.must(claim(l, "k", 1, 90, 0)).Settle(d.now, all, gateway.Amount{Requests: 1, Tokens: 150})
	d.used(claim(l, "k", 0, 0, 0), gateway.Amount{Requests: 1, Tokens: 150})
	if left := d.left(claim(l, "k", 0, 0, 0)); left.Left.Tokens != 0 || left.Permille() != 0 {
		d.Errorf("left %+v", left)
	}
}

func settledOnce(d *desk) {
	l := perMinute(-1, 100, -1)
	r := d.must(claim(l, "k", 1, 90, 0))
	for _, used := range []int64{30, 10, 80} {
		r.Settle(d.now, all, gateway.Amount{Requests: 1, Tokens: used})
	}
	if short, err := r.Extend(context.Background(), d.now, tokens(50)); short != nil || err != nil {
		d.Errorf("extended what is settled: %v, %v", short, err)
	}
	d.used(claim(l, "k", 0, 0, 0), gateway.Amount{Requests: 1, Tokens: 30})
}

// The claims of targets that were not used end before the others.
func losers(d *desk) {
	l := perMinute(-1, 100, -1)
	l.Per = "model"
	r := d.must(claim(l, "winner", 1, 60, 0), claim(l, "loser", 1, 60, 0))
	r.Settle(d.now, 1<<1, gateway.Amount{})
	d.used(claim(l, "loser", 0, 0, 0), gateway.Amount{})
	d.must(claim(l, "loser", 1, 100, 0))
	if short, _ := r.Extend(context.Background(), d.now, tokens(40)); short != nil {
		d.Errorf("a loser's account stops the winner: %+v", *short)
	}
	r.Settle(d.now, all, gateway.Amount{Requests: 1, Tokens: 70})
	d.used(claim(l, "winner", 0, 0, 0), gateway.Amount{Requests: 1, Tokens: 70})
	d.used(claim(l, "loser", 0, 0, 0), gateway.Amount{Requests: 1, Tokens: 100, Concurrent: 1})
}

func extend(d *desk) {
	l, tight := perMinute(-1, 100, -1), perMinute(-1, 80, -1)
	tight.Per = "team"
	r := d.must(claim(l, "k", 1, 50, 0), claim(tight, "t", 1, 50, 0))
	if short, err := r.Extend(context.Background(), d.now, tokens(20)); short != nil || err != nil {
		d.Fatalf("extend: %v, %v", short, err)
	}
	d.wait(30 * time.Second)
	short, err := r.Extend(context.Background(), d.now, tokens(20))
	if err != nil || short == nil || short.Claim != 1 || short.Measure != gateway.MeasureTokens || short.Left != 10 {
		d.Fatalf("extend: %+v, %v", short, err)
	}
	d.used(claim(l, "k", 0, 0, 0), gateway.Amount{Requests: 1, Tokens: 70, Concurrent: 1})
	r.Settle(d.now, all, gateway.Amount{Requests: 1, Tokens: 55})
	d.used(claim(l, "k", 0, 0, 0), gateway.Amount{Requests: 1, Tokens: 55})
	d.used(claim(tight, "t", 0, 0, 0), gateway.Amount{Requests: 1, Tokens: 55})
}

// There is room when the store says so, and not much earlier.
func retry(d *desk) {
	l := perMinute(-1, 100, -1)
	for range 4 {
		d.must(claim(l, "k", 1, 25, 0))
		d.wait(7 * time.Second)
	}
	for _, want := range []int64{20, 60, 100} {
		short := d.refused(claim(l, "k", 1, want, 0))
		if short.Retry <= 0 || short.Retry > 67*time.Second {
			d.Fatalf("%d tokens: retry in %v", want, short.Retry)
		}
		at := *d
		at.wait(short.Retry - time.Second)
		at.refused(claim(l, "k", 1, want, 0))
		at.wait(time.Second)
		at.must(claim(l, "k", 1, want, 0)).Settle(at.now, all, gateway.Amount{})
		d.now = at.now
		if r := at.left(claim(l, "k", 0, 0, 0)).Left.Tokens; r > 0 {
			d.must(claim(l, "k", 1, r, 0))
		}
	}
}

// What is more than the limit never fits.
func never(d *desk) {
	if short := d.refused(claim(perMinute(-1, 100, -1), "k", 1, 101, 0)); short.Retry != 0 || short.Left != 100 {
		d.Errorf("shortage %+v", short)
	}
}

func calendar(d *desk) {
	berlin := time.FixedZone("", 2*3600)
	for window, days := range map[string]float64{gateway.WindowDay: 0.5, gateway.WindowWeek: 4.5, gateway.WindowMonth: 18.5} {
		for _, zone := range []*time.Location{nil, berlin} {
			l := &gateway.Limit{Per: "key", Window: window, Requests: 2, Tokens: -1, CostNano: -1, Concurrent: -1}
			at := *d
			c := claim(l, window+zone.String(), 1, 0, 0)
			c.Zone = zone
			at.must(c)
			at.wait(time.Hour)
			at.must(c)
			short := at.refused(c)
			until := time.Duration(days * 24 * float64(time.Hour))
			if zone != nil {
				until -= 2 * time.Hour
			}
			if resets := at.left(c).Resets; !resets.Equal(noon.Add(until)) || short.Retry != until-time.Hour {
				d.Errorf("%s in %v resets at %v, retry in %v", window, zone, resets, short.Retry)
			}
			at.wait(short.Retry - 1)
			at.refused(c)
			at.wait(1)
			at.must(c)
		}
	}
}

// What was reserved before a window began is not of that window, what a stream
// needs in it is.
func overMidnight(d *desk) {
	l := &gateway.Limit{Per: "key", Window: gateway.WindowDay, Requests: -1, Tokens: 100, CostNano: -1, Concurrent: -1}
	r := d.must(claim(l, "k", 1, 90, 0))
	d.wait(13 * time.Hour)
	d.used(claim(l, "k", 0, 0, 0), gateway.Amount{Concurrent: 1})
	if short, _ := r.Extend(context.Background(), d.now, tokens(60)); short != nil {
		d.Fatalf("refused: %+v", *short)
	}
	if short, _ := r.Extend(context.Background(), d.now, tokens(60)); short == nil {
		d.Fatal("there was room")
	}
	r.Settle(d.now, all, gateway.Amount{Requests: 1, Tokens: 130})
	d.used(claim(l, "k", 0, 0, 0), gateway.Amount{Tokens: 40})
}

// What is given back when its part of the window has gone makes no room.
func lateGiveBack(d *desk) {
	l := perMinute(-1, 100, -1)
	r := d.must(claim(l, "k", 1, 90, 0))
	d.wait(70 * time.Second)
	d.must(claim(l, "k", 1, 80, 0))
	r.Settle(d.now, all, gateway.Amount{Requests: 1, Tokens: 10})
	d.used(claim(l, "k", 0, 0, 0), gateway.Amount{Requests: 1, Tokens: 80, Concurrent: 1})
}
