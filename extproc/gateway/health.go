package gateway

import (
	"math"
	"sync"
	"time"
)

// A Health remembers how attempts at targets went. It is one for all snapshots:
// a target does not get well by a new configuration. Many goroutines use it at
// once.
//
// Its figures fade: each attempt counts half as much after a Breaker's HalfLife.
type Health struct {
	mu      sync.Mutex
	targets map[place]*vitals
}

// NewHealth returns a Health that knows nothing.
func NewHealth() *Health { return &Health{targets: map[place]*vitals{}} }

// A place is the name of a target.
type place struct{ provider, model string }

func (t *target) place() place { return place{t.Name, t.model} }

// The memory is bounded, as clients can name models that do not exist: when a
// target is new, a few others are looked at, and those that nobody asked for in
// a long time are forgotten.
const (
	maxRemembered = 4096
	forgetAfter   = time.Hour
	forgetTries   = 8
)

// vitals are what is known of one target. Sums and counts fade together, so
// that means stay.
type vitals struct {
	seen     time.Time // when the figures were brought up to date
	attempts float64
	errors   float64
	whole    mean // to the headers of unary responses, in ms
	first    mean // to the first content of streams, in ms
	inFlight int64
	probed   bool     // a request has claimed the probe
	lengths  *lengths // of the output of responses; nil: not known
	circuit
}

// A mean of figures that fade.
type mean struct{ sum, count float64 }

// faint is the count below which a mean fades as well. A target that was slow
// or broken is so no more for lack of news, and gets another try.
const faint = 1.0 / 16

func (m mean) faded(by float64) float64 { return m.sum * by / max(m.count*by, faint) }

// figure is the mean for somebody who has to choose. With an attempt under way,
// news is coming: it does not fade meanwhile, and what is not known is as bad as
// can be, so that one attempt at a time finds out. 0: not known.
func (m mean) figure(by float64, inFlight int64) float64 {
	switch {
	case inFlight == 0:
		return m.faded(by)
	case m.count > 0:
		return m.sum / m.count
	}
	return math.Inf(1)
}

func (m *mean) add(x float64) { m.sum += x; m.count++ }

func (m *mean) fade(by float64) { m.sum *= by; m.count *= by }

// fading is the part of a figure that is left after a time.
func (b *Breaker) fading(age time.Duration) float64 {
	if age <= 0 {
		return 1
	}
	x := float64(age) / float64(b.HalfLife)
	if x > 1000 {
		return 0
	}
	whole := math.Floor(x)
	return halvings(x-whole) * math.Float64frombits((1023-uint64(whole))<<52)
}

// halvings is 2 to the power of -x for x from 0 to 1, by Taylor's series, 0.1 %
// off at most. math.Exp2 would be the greater part of a ranking.
func halvings(x float64) float64 {
	const l = math.Ln2
	return 1 - x*(l-x*(l*l/2-x*(l*l*l/6-x*(l*l*l*l/24))))
}

func (v *vitals) update(now time.Time, b *Breaker) {
	by := b.fading(now.Sub(v.seen))
	v.attempts *= by
	v.errors *= by
	v.whole.fade(by)
	v.first.fade(by)
	v.seen = now
}

// A reading is what is known of a target at one time.
type reading struct {
	state    state
	claimed  bool    // half open, and somebody probes it already
	errors   int64   // permille of the attempts of late
	whole    float64 // ms to the headers of a unary response; 0: not known; +Inf: the first is under way
	first    float64 // ms to the first content of a stream, likewise
	inFlight int64
}

// read fills in what is known of targets.
func (h *Health) read(now time.Time, b *Breaker, all []standing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range all {
		if v := h.targets[all[i].place()]; v != nil {
			all[i].reading = v.read(now, b)
		}
	}
}

func (v *vitals) read(now time.Time, b *Breaker) reading {
	by := b.fading(now.Sub(v.seen))
	return reading{
		state:    v.state(now),
		claimed:  v.probed,
		errors:   int64(mean{v.errors * 1000, v.attempts}.faded(by)),
		whole:    v.whole.figure(by, v.inFlight),
		first:    v.first.figure(by, v.inFlight),
		inFlight: v.inFlight,
	}
}

// milliseconds is a reading's figure for policies and people; 0: not known.
func milliseconds(x float64) int64 {
	if math.IsInf(x, 1) {
		return 0
	}
	return int64(math.Ceil(x))
}

// begin notes that an attempt starts. end is due.
func (h *Health) begin(p place, now time.Time, b *Breaker) *vitals {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.known(p, now)
	v.update(now, b)
	v.inFlight++
	return v
}

// known returns a target's vitals, new ones if need be. The caller holds the mutex.
func (h *Health) known(p place, now time.Time) *vitals {
	v := h.targets[p]
	if v == nil {
		h.forget(now)
		v = &vitals{seen: now}
		h.targets[p] = v
	}
	return v
}

// forget makes room. A map is walked from a random place on, so that in time
// every target has its turn.
func (h *Health) forget(now time.Time) {
	tries := 0
	var oldest place
	var seen time.Time
	for p, v := range h.targets {
		if tries++; tries > forgetTries && len(h.targets) < maxRemembered {
			return
		}
		if v.inFlight > 0 || v.probed {
			continue
		}
		if now.Sub(v.seen) > forgetAfter {
			delete(h.targets, p)
		} else if seen.IsZero() || v.seen.Before(seen) {
			oldest, seen = p, v.seen
		}
		if tries >= forgetTries && !seen.IsZero() {
			break
		}
	}
	if len(h.targets) >= maxRemembered {
		delete(h.targets, oldest)
	}
}

// end notes that an attempt is over, its response included.
func (h *Health) end(v *vitals) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v.inFlight--
}

// An outcome is a good response to an attempt, as far as it has come.
type outcome struct {
	begun, now time.Time
	stream     bool
	timed      bool // says something about the time that others will take
}

// succeeded notes an outcome. It returns how many attempts in a row had failed
// before.
func (h *Health) succeeded(v *vitals, o outcome, b *Breaker) (row int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v.update(o.now, b)
	v.attempts++
	v.time(o)
	row, v.row = v.row, 0
	if v.succeed(o.begun) {
		v.attempts, v.errors = 0, 0
	}
	return row
}

func (v *vitals) time(o outcome) {
	ms := float64(o.now.Sub(o.begun)) / float64(time.Millisecond)
	switch {
	case !o.timed:
	case o.stream:
		v.first.add(ms)
	default:
		v.whole.add(ms)
	}
}

// late notes that an attempt was given up, o.now being when its deadline was. The
// response would have taken longer: a target that never answers is not known to
// be a fast one.
func (h *Health) late(v *vitals, o outcome, b *Breaker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v.update(o.now, b)
	v.time(o)
}

// failed notes an attempt that failed. The provider may have said how long it
// wants to be left alone; 0: it has not.
func (h *Health) failed(v *vitals, now time.Time, b *Breaker, alone time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v.update(now, b)
	v.attempts++
	v.errors++
	v.row++
	v.fail(now, b, alone, mean{v.errors * 1000, v.attempts})
}

// spoilt notes that a response which had begun well broke. row is what succeeded
// returned.
func (h *Health) spoilt(v *vitals, now time.Time, b *Breaker, row int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v.update(now, b)
	v.errors = min(v.errors+1, max(v.attempts, 1))
	v.row = max(v.row, row) + 1
	v.fail(now, b, 0, mean{v.errors * 1000, v.attempts})
}

// claim makes the caller the one who probes a target that is half open. It
// reports false if somebody else does, or nobody needs to. release is due.
func (h *Health) claim(p place, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.targets[p]
	if v == nil || v.probed || v.state(now) != halfOpen {
		return false
	}
	v.probed = true
	return true
}

// release ends a claim, whatever came of it.
func (h *Health) release(p place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v := h.targets[p]; v != nil {
		v.probed = false
	}
}
