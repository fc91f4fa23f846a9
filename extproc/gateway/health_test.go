package gateway

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var testBreaker = Breaker{ErrorsPermille: 500, MinRequests: 10, Failures: 5, OpenFor: 5 * time.Second, MaxOpen: 30 * time.Second, HalfLife: 30 * time.Second}

// A script is what happens to one target, a letter for each: g and b are good and
// bad attempts, s one that begins well and breaks, w one after which the provider
// wants to be left alone for 8 s, p a probe that is good, q one that is bad;
// a digit is so many seconds that pass.
func play(t *testing.T, script string) (states string) {
	t.Helper()
	h, now, p := NewHealth(), start, place{"a", "m"}
	b := &testBreaker
	attempt := func(f func(v *vitals)) {
		v := h.begin(p, now, b)
		f(v)
		h.end(v)
	}
	ok := func(v *vitals) { h.succeeded(v, outcome{begun: now, now: now}, b) }
	broken := func(v *vitals) { h.failed(v, now, b, 0) }
	probe := func(f func(v *vitals)) {
		if !h.claim(p, now) || h.claim(p, now) {
			t.Fatalf("%s: want one probe at a time", script)
		}
		attempt(f)
		h.release(p)
	}
	for _, c := range script {
		switch c {
		case 'g':
			attempt(ok)
		case 'b':
			attempt(broken)
		case 's':
			attempt(func(v *vitals) { h.spoilt(v, now, b, h.succeeded(v, outcome{begun: now, now: now}, b)) })
		case 'w':
			attempt(func(v *vitals) { h.failed(v, now, b, 8*time.Second) })
		case 'p':
			probe(ok)
		case 'q':
			probe(broken)
		default:
			n, err := strconv.Atoi(string(c))
			if err != nil {
				t.Fatalf("%q is no event", c)
			}
			now = now.Add(time.Duration(n) * time.Second)
		}
		states += h.at(now, "m").state.String()[:1]
	}
	return states
}

func TestBreaker(t *testing.T) {
	for _, tt := range []struct{ name, script, states string }{
		{"well", "gggg", "cccc"},
		{"five failures in a row", "bbbbb", "cccco"},
		{"a success between", "bbbbgbbbb", "ccccccccc"},
		{"half of ten", "gbgbgbgbgb", "ccccccccco"},
		{"four of ten", "ggbgbgbggbgg", "cccccccccccc"},
		{"breaks in the middle count as much", "sssss", "cccco"},
		{"after its time it may be probed", "bbbbb41", "ccccooh"},
		{"a probe closes it", "bbbbb5pbbbb", "ccccohccccc"},
		{"each failed probe doubles the time", "bbbbb5q91q992", "ccccohoohoooh"},
		{"up to a limit", "bbbbb5q91q992q9993", "ccccohoohooohooooh"},
		{"failures while open change nothing", "bbbbb4b1", "ccccoooh"},
		{"left alone as asked", "w71", "ooh"},
		{"left alone as asked, again", "w4w44", "ooooh"},
		{"a success of an attempt that began later closes it", "wg", "oc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := play(t, tt.script); got != tt.states {
				t.Errorf("%s: %s, want %s", tt.script, got, tt.states)
			}
		})
	}
}

// at reads one target's figures.
func (h *Health) at(now time.Time, model string) reading {
	all := []standing{{target: &target{Provider: &Provider{Name: "a"}, model: model}}}
	h.read(now, &testBreaker, all)
	return all[0].reading
}

func TestFiguresFade(t *testing.T) {
	h, b, p := NewHealth(), &testBreaker, place{"a", "m"}
	good := func(from, to time.Time) {
		v := h.begin(p, from, b)
		h.succeeded(v, outcome{begun: from, now: to, timed: true}, b)
		h.end(v)
	}
	v := h.begin(p, start, b)
	if r := h.at(start, "m"); r.whole < 1e9 || milliseconds(r.whole) != 0 || r.inFlight != 1 {
		t.Errorf("while the first attempt runs: %+v, want a time that is not known and the worst", r)
	}
	h.failed(v, start, b, 0)
	h.end(v)
	good(start, start.Add(300*time.Millisecond))
	now := start.Add(30 * time.Second)
	good(now, now.Add(600*time.Millisecond))
	r := h.at(now.Add(600*time.Millisecond), "m")
	if r.whole < 495 || r.whole > 505 { // 600 counts for about twice as much as 300
		t.Errorf("latency %v, want about 500", r.whole)
	}
	if r.errors < 240 || r.errors > 260 { // of 0.5 + 0.5 + 1 attempts 0.5
		t.Errorf("errors %d permille, want about 250", r.errors)
	}
	if later := h.at(now.Add(time.Minute), "m"); later.whole != r.whole && later.whole < 490 {
		t.Errorf("a minute later it is %v: a mean stays for a while", later.whole)
	}
	if later := h.at(now.Add(10*time.Minute), "m"); later.whole > 1 || later.errors > 1 {
		t.Errorf("ten minutes later it is still %v ms, %d permille", later.whole, later.errors)
	}
	h.begin(p, now.Add(10*time.Minute), b)
	if later := h.at(now.Add(10*time.Minute), "m"); later.whole < 490 {
		t.Errorf("with an attempt under way it is %v: only one attempt shall try a target that was slow", later.whole)
	}
}

func TestHealthIsBounded(t *testing.T) {
	h, b, now := NewHealth(), &testBreaker, start
	busy := h.begin(place{"a", "busy"}, now, b)
	for i := range 3 * maxRemembered {
		h.end(h.begin(place{"a", strconv.Itoa(i)}, now, b))
	}
	if n := len(h.targets); n > maxRemembered {
		t.Errorf("%d targets are remembered", n)
	}
	now = now.Add(2 * forgetAfter)
	for i := range 2000 {
		h.end(h.begin(place{"b", strconv.Itoa(i % 10)}, now.Add(time.Duration(i)*time.Second), b))
		delete(h.targets, place{"b", strconv.Itoa((i + 5) % 10)})
	}
	if n := len(h.targets); n > 20 {
		t.Errorf("%d targets are remembered, of which 11 were asked for within the hour", n)
	}
	if h.targets[place{"a", "busy"}] != busy {
		t.Error("a target with an attempt under way was forgotten")
	}
}

// Many exchanges at once leave nothing under way and no probe claimed, and no
// two of them probe one target at a time.
func TestHealthHammered(t *testing.T) {
	h, b, now := NewHealth(), &testBreaker, start.Add(time.Hour)
	for i := range testBreaker.Failures {
		v := h.begin(place{"a", "m"}, start, b)
		h.failed(v, start.Add(time.Duration(i)), b, 0)
		h.end(v)
	}
	var probes, running atomic.Int64
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 500 {
				h.at(now, "m")
				v := h.begin(place{"a", strconv.Itoa(i % 7)}, now, b)
				if h.claim(place{"a", "m"}, now) {
					if running.Add(1) != 1 {
						t.Error("two probes at a time")
					}
					probes.Add(1)
					running.Add(-1)
					h.release(place{"a", "m"})
				}
				if (i+worker)%2 == 0 {
					h.failed(v, now, b, 0)
				} else {
					h.succeeded(v, outcome{begun: now, now: now, timed: true}, b)
				}
				h.end(v)
			}
		})
	}
	all.Wait()
	for p, v := range h.targets {
		if v.inFlight != 0 || v.probed {
			t.Errorf("%v: %d under way, probed %v", p, v.inFlight, v.probed)
		}
	}
	if probes.Load() == 0 {
		t.Error("nobody probed")
	}
}
