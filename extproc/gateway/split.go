package gateway

import (
	"hash/maphash"
	"math"
	"sync"
)

// A shareout divides requests among targets by weight.
//
// With something to stick to, that is rendezvous hashing: each target has a
// score that depends on itself, its weight and what the request sticks to, and
// the highest one gets the request. When weights change, or targets come and go,
// only the requests move that have to. (Thaler and Ravishankar 1998; weights as
// in Schindelhauer and Schomaker 2005.)
//
// Without, requests are dealt out in turn: of as many requests in a row as the
// weights add up to, each target gets exactly its weight.
type shareout struct {
	seed maphash.Seed
	mu   sync.Mutex
	next map[uint64]uint64 // by targets, weights and leaders: requests so far
}

func newShareout() *shareout {
	return &shareout{seed: maphash.MakeSeed(), next: map[uint64]uint64{}}
}

// A portion is what a target has of the requests.
type portion struct {
	provider, model string
	weight          int64   // at most maxWeight; 0: it takes only what others have failed to answer
	score           float64 // the higher the better; never below 0
	of              int     // whose it is
}

// maxWeight keeps sums of weights small.
const maxWeight = 1 << 24

// A draw is what a shareout needs to know of a request.
type draw struct {
	set   string // the name of the targets among which it is dealt out
	stick string // what it sticks to; empty: nothing
	peek  bool   // it is not sent, so it takes nobody's turn

	// Those who go before the others whoever is first here. Requests that differ in
	// this are dealt out apart: one that goes elsewhere takes nobody's turn either.
	leaders uint32
}

// score fills in the scores of the portions of a request.
func (s *shareout) score(d draw, all []portion) {
	if len(all) == 0 {
		return
	}
	for i := range all {
		all[i].weight = min(all[i].weight, maxWeight)
	}
	if d.stick != "" {
		rendezvous(hash(d.stick), all)
		return
	}
	first := deal(s.turn(&d, all), all)
	n := len(all)
	for i := range all { // if the first fails: by weight, and of equal weights in a circle
		all[i].score = float64(all[i].weight) + 1/float64(2+(i-first+n)%n)
	}
	if first >= 0 {
		all[first].score = math.Inf(1)
	}
}

// rendezvous scores by hashes that are the same on all machines and for ever.
func rendezvous(key uint64, all []portion) {
	for i := range all {
		p := &all[i]
		h := mix(mix(mix(key)^hash(p.provider)) ^ hash(p.model))
		u := (float64(h>>11) + 0.5) / (1 << 53) // evenly within 0 and 1
		p.score = float64(p.weight) / -math.Log(u)
	}
}

// hash is FNV-1a.
func hash(s string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return h
}

// mix is the finalizer of SplitMix64, because the bits of FNV are not good enough
// to be compared. (Steele, Lea, Flood 2014.)
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// maxTurns bounds the sets of targets and weights that are told apart.
const maxTurns = 1024

// turn counts the requests for a set of targets and weights, from 0 on.
func (s *shareout) turn(d *draw, all []portion) uint64 {
	set := mix(maphash.String(s.seed, d.set) ^ uint64(d.leaders))
	for i := range all {
		p := &all[i]
		set = mix(set ^ maphash.String(s.seed, p.provider))
		set = mix(set ^ maphash.String(s.seed, p.model))
		set = mix(set ^ uint64(p.weight))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.next[set]
	if d.peek {
		return n
	}
	if !ok && len(s.next) >= maxTurns {
		clear(s.next)
	}
	s.next[set] = n + 1
	return n
}

// deal returns whose turn it is; -1: nobody has a weight. Turns go through the
// sum of the weights in steps of about the golden ratio, which spreads them well,
// and come to each place once because step and sum have no common divisor.
func deal(turn uint64, all []portion) int {
	var sum, unit uint64
	for i := range all {
		sum += uint64(all[i].weight)
		unit = gcd(unit, uint64(all[i].weight))
	}
	if sum == 0 {
		return -1
	}
	sum /= unit
	step := max(uint64(float64(sum)/math.Phi), 1)
	for gcd(step, sum) != 1 {
		step++
	}
	at := int64(turn % sum * step % sum * unit)
	i := 0
	for at >= all[i].weight {
		at -= all[i].weight
		i++
	}
	return i
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
