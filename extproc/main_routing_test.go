package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// asked sends a request and returns the provider that answered and the number
// of attempts.
func (w *world) asked(t *testing.T, q ask) string {
	t.Helper()
	q.dialect = "openai"
	a := w.do(t, q)
	if got := q.outcome(a); got != "good" {
		t.Fatalf("%s: %s %.300q", q.model, got, a.body)
	}
	return a.header.Get("X-Attache-Provider") + " " + a.header.Get("X-Attache-Attempts")
}

// A provider that fails is avoided after three failures in a row and comes back
// by a probe, whatever the failure is: one that Envoy sees alone, one that the
// gateway finds in the response, one without any response.
func TestFailingProviderIsAvoided(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			w := begin(t, version, "health: {failures: 3, open_for: 700ms, half_life: 1h}")
			for _, fault := range []string{"503", "401", "reset", "html", "error-first", "stall-before-headers"} {
				for _, stream := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s %t", fault, stream), func(t *testing.T) {
						t.Parallel()
						// The mock counts the faults of each model of its own.
						q := ask{stream: stream, model: fmt.Sprintf("o/%s-%t@fault=%s,a2/good", fault, stream, fault),
							header: map[string]string{"X-Attache-Timeout": "400ms", "X-Attache-First-Token": "400ms"}}
						for i := range 3 {
							if got := w.asked(t, q); got != "a2 2" {
								t.Fatalf("request %d: %s, want the second target", i+1, got)
							}
						}
						if got := w.asked(t, q); got != "a2 1" {
							t.Fatalf("after three failures: %s, want the second target at once", got)
						}
						probed := func() bool { return w.asked(t, q) == "a2 2" }
						eventually(t, "a probe", probed)
						if got := w.asked(t, q); got != "a2 1" {
							t.Errorf("after a probe that failed: %s, want the second target at once", got)
						}
					})
				}
			}
			t.Run("nobody listens", func(t *testing.T) {
				q := ask{model: "dead-o/m,a2/good"}
				for range 3 {
					if got := w.asked(t, q); got != "a2 2" {
						t.Fatalf("%s, want the second target", got)
					}
				}
				if got := w.asked(t, q); got != "a2 1" {
					t.Errorf("after three failures: %s, want the second target at once", got)
				}
			})
		})
	}
}

// A provider that says for how long it wants no requests gets none, also where
// Envoy went on to the next one by itself; then it is back.
func TestProviderIsLeftAloneAsItAsks(t *testing.T) {
	w := begin(t, "1.40", "health: {failures: 100}")
	q := ask{model: "o/limited@fault=429@times=1@retry-after=2,a2/good"}
	began := time.Now()
	if got := w.asked(t, q); got != "a2 2" {
		t.Fatalf("%s, want the second target", got)
	}
	for {
		got, now := w.asked(t, q), time.Since(began)
		if got == "o 1" {
			if now < 2*time.Second {
				t.Errorf("it was asked again after %s", now)
			}
			return
		}
		if got != "a2 1" || now > deadline {
			t.Fatalf("%s after %s", got, now)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// The pick of a model, seen from outside.
func TestPicks(t *testing.T) {
	w := begin(t, "1.40", `health: {failures: 100}
models:
  fast: {targets: [o/slow@delay=300ms, o2/quick], pick: fastest}
  idle: {targets: [o/busy@delay=3s, o2/idle], pick: least_busy}
  shared: {targets: [{target: o/m, weight: 3}, a/m, {target: o2/m, weight: 0}], pick: weighted}
  sticky: {targets: [o/m, o2/m], pick: weighted, sticky: user}`)
	t.Run("fastest", func(t *testing.T) {
		for i, want := range []string{"o 1", "o2 1", "o2 1", "o2 1"} {
			if got := w.asked(t, ask{model: "fast"}); got != want {
				t.Errorf("request %d: %s, want %s", i+1, got, want)
			}
		}
	})
	t.Run("fastest stream", func(t *testing.T) {
		for i, want := range []string{"o 1", "o2 1", "o2 1"} {
			if got := w.asked(t, ask{model: "fast", stream: true}); got != want {
				t.Errorf("request %d: %s, want %s", i+1, got, want)
			}
		}
	})
	t.Run("least busy", func(t *testing.T) {
		answers := make(chan answer)
		go func() { answers <- w.do(t, ask{dialect: "openai", model: "idle"}) }()
		eventually(t, "a busy target", func() bool { return w.providers["o"].Stats().InFlight > 0 })
		for range 3 {
			if got := w.asked(t, ask{model: "idle"}); got != "o2 1" {
				t.Errorf("while one is busy: %s", got)
			}
		}
		if a := <-answers; a.header.Get("X-Attache-Provider") != "o" {
			t.Errorf("the first request: %v", a)
		}
	})
	t.Run("weighted", func(t *testing.T) {
		got := map[string]int{}
		for range 20 {
			got[w.asked(t, ask{model: "shared"})]++
		}
		if got["o 1"] != 15 || got["a 1"] != 5 {
			t.Errorf("%v, want 15 to 5", got)
		}
	})
	t.Run("sticky", func(t *testing.T) {
		seen := map[string]bool{}
		for u := range 10 {
			q := ask{model: "sticky", header: map[string]string{"X-Attache-User": strings.Repeat("u", u+1)}}
			first := w.asked(t, q)
			seen[first] = true
			for range 2 {
				if got := w.asked(t, q); got != first {
					t.Errorf("user %d: %s, then %s", u, first, got)
				}
			}
		}
		if len(seen) != 2 {
			t.Errorf("all users go to %v", seen)
		}
	})
}
