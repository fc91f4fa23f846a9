package gatewaytest

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A stay is what a request took at a time, and has not given back.
type stay struct {
	at     time.Time
	tokens int64
}

// A request is one that is under way, with what it took when.
type request struct {
	gateway.Reservation
	took []stay
}

// anyStretch does things in any order. In no stretch of time as long as the window
// was more used than the limit allows: of what is reserved that is so whatever
// comes of it, as long as nobody uses more than he reserved.
func anyStretch(d *desk) {
	const limit, window = 1000, 60 * time.Second
	random := rand.New(rand.NewPCG(1, 2))
	l := perMinute(-1, limit, -1)
	var open []*request
	var past []stay
	admitted := 0
	for range 20_000 {
		d.wait(time.Duration(random.Int64N(int64(time.Second))))
		switch i := random.IntN(4); {
		case i == 0 || len(open) == 0:
			n := 1 + random.Int64N(300)
			if r, _ := d.try(claim(l, "k", 1, n, 0)); r != nil {
				open = append(open, &request{r, []stay{{d.now, n}}})
				admitted++
			}
		case i == 1:
			r, n := open[random.IntN(len(open))], 1+random.Int64N(100)
			if short, _ := r.Extend(context.Background(), d.now, tokens(n)); short == nil {
				r.took = append(r.took, stay{d.now, n})
			}
		default:
			k := random.IntN(len(open))
			r := open[k]
			open[k] = open[len(open)-1]
			open = open[:len(open)-1]
			past = append(past, r.settle(d.now, random)...)
		}
		if sum := sumSince(d.now.Add(-window), past, open); sum > limit {
			d.Fatalf("%d tokens were used in %v", sum, window)
		}
		past = recent(past, d.now.Add(-window))
	}
	if admitted < 1000 {
		d.Errorf("only %d requests were admitted", admitted)
	}
}

// settle ends a request that used a part of what it took, the first part of it.
func (r *request) settle(now time.Time, random *rand.Rand) (used []stay) {
	var total int64
	for _, s := range r.took {
		total += s.tokens
	}
	n := random.Int64N(total + 1)
	r.Settle(now, all, gateway.Amount{Requests: 1, Tokens: n})
	for _, s := range r.took {
		part := min(n, s.tokens)
		n -= part
		used = append(used, stay{s.at, part})
	}
	return used
}

func sumSince(since time.Time, past []stay, open []*request) (sum int64) {
	add := func(all []stay) {
		for _, s := range all {
			if s.at.After(since) {
				sum += s.tokens
			}
		}
	}
	add(past)
	for _, r := range open {
		add(r.took)
	}
	return sum
}

func recent(past []stay, since time.Time) (kept []stay) {
	for _, s := range past {
		if s.at.After(since) {
			kept = append(kept, s)
		}
	}
	return kept
}

// nothingLeaks ends requests in every way and looks at what is still held.
func nothingLeaks(d *desk) {
	random := rand.New(rand.NewPCG(3, 4))
	limits := []*gateway.Limit{perMinute(-1, 500, -1), {Per: "team", Window: gateway.WindowMonth, Requests: -1, Tokens: 900, CostNano: 900, Concurrent: 3}}
	for range 5000 {
		d.wait(time.Duration(random.Int64N(int64(10 * time.Second))))
		n := random.Int64N(400)
		r, _ := d.try(claim(limits[0], "k", 1, n, n), claim(limits[1], "t", 1, n, n))
		if r == nil {
			continue
		}
		for range random.IntN(3) {
			d.wait(time.Duration(random.Int64N(int64(20 * time.Second))))
			_, _ = r.Extend(context.Background(), d.now, gateway.Amount{Tokens: 50, CostNano: 50})
		}
		r.Settle(d.now, gateway.ClaimSet(random.IntN(4)), gateway.Amount{})
		r.Settle(d.now, all, gateway.Amount{})
		if used := d.left(claim(limits[1], "t", 0, 0, 0)).Used; used.Concurrent != 0 || used.Requests != 0 {
			d.Fatalf("held by nobody: %+v", used)
		}
	}
	d.wait(40 * 24 * time.Hour)
	d.used(claim(limits[0], "k", 0, 0, 0), gateway.Amount{})
	d.used(claim(limits[1], "t", 0, 0, 0), gateway.Amount{})
}

// hammer has many goroutines take of the same accounts, in orders that would lock
// each other out. At no time is more held than allowed, and nothing in the end.
func hammer(d *desk) {
	const workers, rounds, limit = 8, 400, 1000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(workers/2, 1)))
	var limits [3]*gateway.Limit
	for i, per := range []string{"key", "team", "org"} {
		limits[i] = &gateway.Limit{Per: per, WindowS: 3600, Requests: -1, Tokens: limit, CostNano: -1, Concurrent: -1}
	}
	var held, admitted atomic.Int64
	begin := make(chan struct{})
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			random := rand.New(rand.NewPCG(5, uint64(w)))
			<-begin
			for range rounds {
				claims := []gateway.Claim{claim(limits[w%3], "a", 1, 100, 0), claim(limits[(w+1)%3], "a", 1, 100, 0), claim(limits[(w+2)%3], "a", 1, 100, 0)}
				r, _, err := d.store.Reserve(context.Background(), d.now, claims)
				if err != nil {
					d.Errorf("reserve: %v", err)
				}
				if r == nil {
					continue
				}
				admitted.Add(1)
				mine := int64(100)
				if n := held.Add(100); n > limit {
					d.Errorf("%d are held", n)
				}
				if random.IntN(2) == 0 {
					runtime.Gosched()
				}
				if short, _ := r.Extend(context.Background(), d.now, tokens(10)); short == nil {
					mine += 10
					if n := held.Add(10); n > limit {
						d.Errorf("%d are held", n)
					}
				}
				held.Add(-mine)
				r.Settle(d.now, all, gateway.Amount{})
			}
		})
	}
	close(begin)
	done.Wait()
	for _, l := range limits {
		d.used(claim(l, "a", 0, 0, 0), gateway.Amount{})
	}
	if admitted.Load() == 0 {
		d.Error("nobody was admitted")
	}
}
