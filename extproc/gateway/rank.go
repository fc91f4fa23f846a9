package gateway

import (
	"math"
	"slices"
	"strings"
	"time"
)

// How the targets of a model are ordered.
const (
	PickOrdered   = "ordered"    // as in the configuration
	PickWeighted  = "weighted"   // by their weights
	PickCheapest  = "cheapest"   // by what the request costs there
	PickFastest   = "fastest"    // by the time to the first content, or to the whole of a response without a stream
	PickLeastBusy = "least_busy" // by the attempts that are under way
)

// A wish is what the order of a request's targets depends on, besides the
// targets.
type wish struct {
	pick   string // of all targets together; empty: of each model its own
	prefer []Preference
	split  *Split
	sticks sticks
	stream bool
	peek   bool  // nothing is sent
	input  int64 // tokens, as far as is known
	output int64
}

// sticks are what requests can stick to, as Record.Account has them. Where one is
// empty, nothing holds the request.
type sticks struct{ user, session, key string }

func (s *sticks) of(by string) string {
	switch by {
	case "user":
		return s.user
	case "session":
		return s.session
	case "key":
		return s.key
	}
	return ""
}

// A class goes before everything else.
type class uint8

const (
	usable   class = iota
	resting        // its breaker is open, or half open and somebody else probes it
	tooSmall       // its context is too small, as far as we can count
)

// A standing is a target with what decides about its place.
type standing struct {
	*target
	reading
	class  class
	share  float64 // of the policy's split; -1: not in it
	prefer int64   // score of the policy's preferences
	group  int     // of the targets that one name stands for; groups stay in order
	pick   float64 // score of the group's pick
}

// before reports whether a target goes before another that is configured after
// it. All keys are compared in turn.
func (a *standing) before(b *standing) bool {
	switch {
	case a.class != b.class:
		return a.class < b.class
	case a.share != b.share:
		return a.share > b.share
	case a.prefer != b.prefer:
		return a.prefer > b.prefer
	case a.group != b.group:
		return a.group < b.group
	}
	return a.pick > b.pick
}

// A ranking is the order of a request's targets.
type ranking struct {
	all   [maxTargets]standing // as they were found
	order [maxTargets]uint8
	n     int
}

func (r *ranking) at(i int) *standing { return &r.all[r.order[i]] }

// rank orders targets, best first. small are those whose context is too small.
func (g *Gateway) rank(r *ranking, w *wish, targets []*target, small []bool, now time.Time) {
	all := g.standings(r, targets, now)
	for i := range all {
		s := &all[i]
		switch {
		case small != nil && small[i]:
			s.class = tooSmall
		case s.state == open, s.state == halfOpen && s.claimed:
			s.class = resting
		}
		if i > 0 && w.pick == "" {
			s.group = all[i-1].group
			if s.set != all[i-1].set {
				s.group++
			}
		}
	}
	if w.split != nil {
		g.divide(w, all)
	}
	for _, p := range w.prefer {
		prefer(p, w, all)
	}
	var first uint32
	if (w.split != nil || len(w.prefer) > 0) && w.weighs(all) {
		first = leaders(all)
	}
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to].group == all[from].group {
			to++
		}
		g.pick(w, first, all[from:to])
		from = to
	}
	r.sort()
}

// standings begins a ranking with what is known of the targets.
func (g *Gateway) standings(r *ranking, targets []*target, now time.Time) []standing {
	r.n = len(targets)
	all := r.all[:r.n]
	for i, t := range targets {
		all[i] = standing{target: t, share: -1}
	}
	g.health.read(now, &g.breaker, all)
	return all
}

// sort is insertion sort: stable, and there are few.
func (r *ranking) sort() {
	for i := range r.n {
		j := i
		for ; j > 0 && r.all[i].before(r.at(j-1)); j-- {
			r.order[j] = r.order[j-1]
		}
		r.order[j] = uint8(i)
	}
}

// weighs reports whether some target is picked by weight.
func (w *wish) weighs(all []standing) bool {
	for i := range all {
		if w.pick == PickWeighted || w.pick == "" && all[i].target.pick == PickWeighted {
			return true
		}
	}
	return false
}

// leaders are the places, as bits, of those of which no other goes before them,
// as far as it is known without the picks.
func leaders(all []standing) (places uint32) {
	best := 0
	for i := range all {
		switch {
		case all[i].before(&all[best]):
			best, places = i, 1<<i
		case !all[best].before(&all[i]):
			places |= 1 << i
		}
	}
	return places
}

// pick scores the targets of one group.
func (g *Gateway) pick(w *wish, leaders uint32, all []standing) {
	how, stick := w.pick, ""
	if how == "" {
		how, stick = all[0].target.pick, w.sticks.of(all[0].sticky)
	}
	switch how {
	case PickWeighted:
		g.weigh(draw{set: all[0].set, stick: stick, peek: w.peek, leaders: leaders}, all)
	case PickCheapest:
		for i := range all {
			all[i].pick = -all[i].cost(w)
		}
	case PickFastest:
		for i := range all {
			all[i].pick = -all[i].time(w)
		}
	case PickLeastBusy:
		for i := range all {
			all[i].pick = -float64(all[i].inFlight)
		}
	}
}

// divide scores the targets of the policy's split, all of one share alike.
func (g *Gateway) divide(w *wish, all []standing) {
	var portions [maxTargets]portion
	shares := w.split.Shares[:min(len(w.split.Shares), maxTargets)]
	n := 0
	for i := range shares {
		if anyUsable(all, shares[i].Target) {
			portions[n] = portion{provider: shares[i].Target, weight: shares[i].Weight, of: i}
			n++
		}
	}
	g.shares.score(draw{stick: w.sticks.of(w.split.By), peek: w.peek}, portions[:n])
	for i := range all {
		all[i].share = w.split.score(all[i].target, portions[:n])
	}
}

// anyUsable reports whether one of the targets that a name stands for is usable.
func anyUsable(all []standing, name string) bool {
	for i := range all {
		if all[i].class == usable && all[i].is(name) {
			return true
		}
	}
	return false
}

// score returns the score of the share that a target is in; -1: it is in none.
func (s *Split) score(t *target, portions []portion) float64 {
	of := slices.IndexFunc(s.Shares, func(share Share) bool { return t.is(share.Target) })
	if of < 0 {
		return -1
	}
	for i := range portions {
		if portions[i].of == of {
			return portions[i].score
		}
	}
	return 0
}

// weigh scores the usable targets of a group by their weights.
func (g *Gateway) weigh(d draw, all []standing) {
	var portions [maxTargets]portion
	n := 0
	for i := range all {
		if s := &all[i]; s.class == usable {
			portions[n] = portion{provider: s.Name, model: s.model, weight: s.weight, of: i}
			n++
		}
	}
	g.shares.score(d, portions[:n])
	for _, p := range portions[:n] {
		all[p.of].pick = p.score
	}
}

// is reports whether a name stands for the target: provider/model, or the name
// under which it was found.
func (t *target) is(name string) bool {
	if t.set == name {
		return true
	}
	n := len(t.Name)
	return len(name) == n+1+len(t.model) && name[n] == '/' && name[:n] == t.Name && name[n+1:] == t.model
}

// cost is what the request costs at the target, in millionths of nano-dollars.
func (s *standing) cost(w *wish) float64 {
	if !s.priced {
		return math.Inf(1)
	}
	return float64(s.price.Input)*float64(w.input) + float64(s.price.Output)*float64(w.output)
}

// time is how long the client waits, in ms.
func (s *standing) time(w *wish) float64 {
	if w.stream {
		return s.first
	}
	return s.whole
}

// prefer adds a preference to the scores: its weight times 0 to 1000.
func prefer(p Preference, w *wish, all []standing) {
	if p.By == "order" {
		preferOrder(p, all)
		return
	}
	var figures [maxTargets]float64
	var worst float64
	for i := range all {
		x := all[i].measure(p.By, w)
		if math.IsNaN(x) {
			preferTag(p, all)
			return
		}
		if figures[i] = x; x > worst && !math.IsInf(x, 1) {
			worst = x
		}
	}
	for i := range all {
		all[i].prefer += p.Weight * below(figures[i], worst)
	}
}

// measure returns the figure that a preference is about, the less the better.
// What is not a figure is a tag: NaN.
func (s *standing) measure(by string, w *wish) float64 {
	switch by {
	case "price":
		return s.cost(w)
	case "latency":
		return s.whole
	case "first_token":
		return s.first
	case "load":
		return float64(s.inFlight)
	case "errors":
		return float64(s.errors)
	}
	return math.NaN()
}

// below is how far below the worst of all a figure is, in permille. One that is
// not known is as bad as the worst.
func below(x, worst float64) int64 {
	switch {
	case math.IsInf(x, 1):
		return 0
	case worst == 0:
		return 1000
	}
	return int64(1000 * (1 - x/worst))
}

func preferOrder(p Preference, all []standing) {
	last := int64(len(all) - 1)
	for i := range all {
		if last > 0 {
			all[i].prefer += p.Weight * (1000 * (last - int64(i)) / last)
		}
	}
}

func preferTag(p Preference, all []standing) {
	name, value, _ := strings.Cut(p.By, "=")
	condition := Condition{Name: name, Values: []string{value}}
	for i := range all {
		if all[i].has(condition) {
			all[i].prefer += 1000 * p.Weight
		}
	}
}
