package gateway

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func portions(weights ...int64) []portion {
	all := make([]portion, len(weights))
	for i, w := range weights {
		all[i] = portion{provider: "p" + strconv.Itoa(i), model: "m", weight: w}
	}
	return all
}

// first returns who gets the next request.
func (s *shareout) first(stick string, all []portion) int {
	s.score(draw{set: "set", stick: stick}, all)
	best := 0
	for i := range all {
		if all[i].score > all[best].score {
			best = i
		}
	}
	return best
}

// Of 10,000 requests each target gets its percentage to the request, and of any
// few in a row nearly so.
func TestPercentagesAreExact(t *testing.T) {
	const calls = 10_000
	for _, weights := range [][]int64{{100}, {50, 50}, {90, 10}, {1, 99}, {70, 20, 10}, {33, 33, 34}, {5, 0, 95}, {1, 2, 3, 4}, {6250, 1250, 2500}, {999, 1}, {25, 25, 25, 25}, {1, 1, 1, 1, 1, 5}} {
		var sum int64
		for _, w := range weights {
			sum += w
		}
		s, got := newShareout(), make([]int64, len(weights))
		for n := int64(1); n <= calls; n++ {
			got[s.first("", portions(weights...))]++
			for i, w := range weights {
				if off := math.Abs(float64(got[i]) - float64(n*w)/float64(sum)); off > 2 {
					t.Fatalf("%v: %d of the first %d requests went to target %d", weights, got[i], n, i)
				}
			}
		}
		for i, w := range weights {
			if got[i]*sum != w*calls {
				t.Errorf("%v: target %d got %d of %d", weights, i, got[i], calls)
			}
		}
	}
}

// Weights that do not divide the number of requests are off by a request at
// most for every unit of discrepancy.
func TestOddWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		weights := make([]int64, 1+r.IntN(8))
		var sum int64
		for i := range weights {
			weights[i] = int64(1 + r.IntN(1_000_000))
			sum += weights[i]
		}
		s, got := newShareout(), make([]int64, len(weights))
		for range 10_000 {
			got[s.first("", portions(weights...))]++
		}
		for i, w := range weights {
			if want := 10_000 * float64(w) / float64(sum); math.Abs(float64(got[i])-want) > 10 {
				t.Errorf("%v: target %d got %d, want %.1f", weights, i, got[i], want)
			}
		}
	}
}

// The same name always goes to the same target, and when weights change, only
// those move that have to.
func TestSticky(t *testing.T) {
	const users = 20_000
	count := func(weights ...int64) (at []int, got []int) {
		got = make([]int, len(weights))
		for u := range users {
			i := newShareout().first("user "+strconv.Itoa(u), portions(weights...))
			at, got[i] = append(at, i), got[i]+1
		}
		return at, got
	}
	before, got := count(70, 20, 10)
	again, _ := count(70, 20, 10)
	for u := range before {
		if before[u] != again[u] {
			t.Fatalf("user %d goes to %d, then to %d", u, before[u], again[u])
		}
	}
	for i, want := range []float64{0.7, 0.2, 0.1} {
		if part := float64(got[i]) / users; math.Abs(part-want) > 0.01 {
			t.Errorf("target %d has %.3f of the users, want %.1f", i, part, want)
		}
	}
	// From 70:20:10 to 70:20:30, a sixth of all users has to move, all to the third.
	after, _ := count(70, 20, 30)
	moved := 0
	for u := range before {
		if before[u] != after[u] {
			moved++
			if after[u] != 2 {
				t.Fatalf("user %d moved from %d to %d", u, before[u], after[u])
			}
		}
	}
	if part := float64(moved) / users; math.Abs(part-(0.25-0.1)) > 0.01 {
		t.Errorf("%.3f of the users moved, want 0.15", part)
	}
	// Without the first target, only its users move.
	after, _ = count(0, 20, 10)
	for u := range before {
		if before[u] != 0 && before[u] != after[u] {
			t.Fatalf("user %d moved from %d to %d, which are both there", u, before[u], after[u])
		}
	}
}

// The hash is part of what users rely on: they must not all move with a release.
func TestHashStays(t *testing.T) {
	got := ""
	for u := range 24 {
		got += strconv.Itoa(newShareout().first("user "+strconv.Itoa(u), portions(1, 1, 1)))
	}
	if want := "011121100101212222000222"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Of weights with a common divisor, fewer requests are exact already; and sets do
// not take each other's turns.
func TestFewRequestsAreExact(t *testing.T) {
	s, got := newShareout(), map[string]int{}
	for range 4 {
		for _, set := range []string{"a", "b"} {
			all := portions(75, 25)
			s.score(draw{set: set}, all)
			if math.IsInf(all[0].score, 1) {
				got[set]++
			}
		}
	}
	if got["a"] != 3 || got["b"] != 3 {
		t.Errorf("of 4 requests each %v went to the first target, want 3", got)
	}
}

// Who takes over from the first is the heaviest, and of equal weights not always
// the same.
func TestWhoTakesOver(t *testing.T) {
	s, second := newShareout(), map[int]int{}
	for range 40 {
		all := portions(1, 1, 1, 1)
		first := s.first("", all)
		all[first].score = -1
		best := 0
		for i := range all {
			if all[i].score > all[best].score {
				best = i
			}
		}
		second[best]++
	}
	if len(second) != 4 || second[0] != 10 {
		t.Errorf("the second targets are %v, want 10 of each", second)
	}
	all := portions(1, 0, 3, 5)
	if s.first("", all) != 0 || all[3].score <= all[2].score || all[2].score <= all[1].score {
		t.Errorf("%+v, want the others by weight", all)
	}
}

func TestTurnsAreBounded(t *testing.T) {
	s := newShareout()
	for i := range 5 * maxTurns {
		s.first("", portions(1, int64(i)))
	}
	if len(s.next) > maxTurns {
		t.Errorf("%d sets are remembered", len(s.next))
	}
}
