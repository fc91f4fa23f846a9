package main

import (
	"fmt"
	"strings"
	"testing"
)

// deadlines are short for the faults that they are there for, and long for the
// rest, since the second target has the same.
func deadlines(fault string) map[string]string {
	if strings.HasPrefix(fault, "stall") {
		return map[string]string{"X-Attache-Timeout": "1500ms", "X-Attache-First-Token": "1500ms"}
	}
	return map[string]string{"X-Attache-Timeout": "20s", "X-Attache-First-Token": "20s"}
}

// target names a model with a fault at one of the providers. The text has
// enough events for each fault that waits for the middle of a stream. Each trial
// has a model of its own, because the gateway avoids one that failed others.
func target(provider, model, fault string) string {
	if fault == "refuse" {
		return "dead-" + provider + "/" + model
	}
	return provider + "/" + model + "@events=20@gap=20ms@fault=" + fault
}

// TestFallback sends each fault first and a good target second. Whatever fails
// before the first content is hidden from the client.
func TestFallback(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			w := begin(t, version)
			trials := trialsOf(version, fallbacks, ",a2/good,o2/good")
			w.try(t, trials, w.checkFallback)
		})
	}
}

// TestNoFallback sends each fault as the only target. Whatever happens, the
// client gets an error that its SDK reads, or a connection that breaks, and the
// record says so.
func TestNoFallback(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			w := begin(t, version)
			w.try(t, trialsOf(version, failures, ""), w.checkFailure)
		})
	}
}

// A faultCase is a fault and what becomes of unary and streamed requests.
type faultCase struct{ fault, unary, stream string }

// A trial is one request with a fault.
type trial struct {
	ask
	name, fault, want string
	seen              bool // the gateway looks at the response on its way
}

// trialsOf has every fault for both clients, providers and forms of a response.
// The targets behind the first are the same for all.
func trialsOf(version string, cases []faultCase, others string) (trials []trial) {
	for _, c := range cases {
		for _, dialect := range []string{"openai", "anthropic"} {
			for _, provider := range []string{"o", "a"} {
				for _, stream := range []bool{false, true} {
					model := target(provider, fmt.Sprintf("m-%s-%t", dialect, stream), c.fault)
					q := ask{dialect: dialect, stream: stream, header: deadlines(c.fault), model: model + others}
					tr := trial{ask: q, fault: c.fault, want: c.unary, seen: seen(version, q, provider)}
					if stream {
						tr.want = c.stream
					}
					if tr.want == mangled {
						tr.want = tr.ending()
					}
					tr.name = fmt.Sprintf("%s/%s client, provider %s, stream %t", c.fault, dialect, provider, stream)
					trials = append(trials, tr)
				}
			}
		}
	}
	return trials
}

// try sends all requests and checks the answers.
func (w *world) try(t *testing.T, trials []trial, check func(*testing.T, trial, answer)) {
	asks := make([]ask, len(trials))
	for i, tr := range trials {
		asks[i] = tr.ask
	}
	for i, a := range w.doAll(t, asks) {
		t.Run(trials[i].name, func(t *testing.T) { check(t, trials[i], a) })
	}
}

const (
	second  = "second"  // a good answer by the second target
	raced   = "raced"   // the connection breaks when the client may or may not have the headers
	mangled = "mangled" // a response that the provider ends cleanly, with its content damaged
)

// seen reports whether the gateway looks at a response on its way: it passes on
// those of the client's own dialect whose usage Envoy can read, unless it has
// to take a chunk out of a stream that the client did not ask for.
func seen(version string, q ask, provider string) bool {
	own := strings.HasPrefix(q.dialect, provider)
	return !own || version == "1.39" || q.dialect == "openai" && q.stream
}

// ending is how a mangled response ends. What the gateway does not see ends as
// the provider ended it.
func (tr trial) ending() string {
	switch {
	case tr.stream && (tr.seen || tr.fault == "error-mid"):
		return "error event"
	case tr.seen:
		return "5"
	case !tr.stream:
		return "200 that is none"
	case tr.fault == "bad-json":
		return "spoilt"
	}
	return "clean cut"
}

var fallbacks = []faultCase{
	{"refuse", second, second},
	{"reset", second, second},
	{"reset-after-headers", second, second},
	{"stall-before-headers", second, second},
	{"stall-after-headers", second, second},
	{"401", second, second},
	{"403", second, second},
	{"408", second, second},
	{"429", second, second},
	{"500", second, second},
	{"502", second, second},
	{"503", second, second},
	{"504", second, second},
	{"529", second, second},
	{"error-first", second, second},
	{"html", second, second},
	{"error-mid", second, mangled},
	{"cut", second, "broken"},
	{"end-early", second, mangled},
	{"length-long", second, raced},
	{"length-short", second, mangled},
	{"bad-json", second, mangled},
	{"gzip", "good", "good"},
	{"400", "400", "400"},
	{"404", "404", "404"},
}

func (w *world) checkFallback(t *testing.T, tr trial, a answer) {
	got := tr.outcome(a)
	if tr.want == raced && broke(got) {
		return
	}
	provider, attempts := tr.model[:1], "1"
	if tr.want == second || tr.want == raced {
		provider, attempts, tr.want = "a2", "2", "good"
	}
	if !strings.HasPrefix(got, tr.want) {
		t.Fatalf("%s, want %s; %v\n%.1000s", got, tr.want, a.header, a.body)
	}
	if p, n := a.header.Get("X-Attache-Provider"), a.header.Get("X-Attache-Attempts"); p != provider || n != attempts {
		t.Errorf("attempt %s by %s, want %s by %s", n, p, attempts, provider)
	}
	first, _, _ := strings.Cut(tr.model, ",")
	if r := w.row(t, a); !strings.HasPrefix(r.attempts, `[{"Target":"`+first+`"`) || strings.Count(r.attempts, "Target") != int(attempts[0]-'0') {
		t.Errorf("the record has the attempts %s", r.attempts)
	}
}

// broke reports whether an outcome is that of a provider whose connection broke.
func broke(outcome string) bool { return outcome == "broken" || strings.HasPrefix(outcome, "50") }

var failures = []faultCase{
	{"refuse", "502", "502"},
	{"reset", "502", "502"},
	{"reset-after-headers", raced, "502"},
	{"stall-before-headers", "504", "504"},
	{"stall-after-headers", raced, "504"},
	{"400", "400", "400"},
	{"401", "502", "502"},
	{"403", "502", "502"},
	{"404", "404", "404"},
	{"408", "408", "408"},
	{"429", "429", "429"},
	{"500", "500", "500"},
	{"502", "502", "502"},
	{"503", "503", "503"},
	{"504", "504", "504"},
	{"529", "529", "529"},
	{"html", "502", "502"},
	{"error-first", mangled, "5"},
	{"error-mid", mangled, mangled},
	{"cut", raced, "broken"},
	{"end-early", mangled, mangled},
	{"length-long", raced, raced},
	{"length-short", mangled, mangled},
	{"bad-json", mangled, mangled},
	{"gzip", "good", "good"},
}

func (w *world) checkFailure(t *testing.T, tr trial, a answer) {
	got := tr.outcome(a)
	if tr.want == raced && broke(got) {
		tr.want = got
	}
	if !strings.HasPrefix(got, tr.want) {
		t.Fatalf("%s, want %s; %v\n%.1000s", got, tr.want, a.header, a.body)
	}
	if a.header.Get("X-Attache-Request-Id") == "" {
		if !broke(got) {
			t.Error("the answer names no exchange")
		}
		return // Envoy's own answer: the provider broke off while the headers were held
	}
	r := w.row(t, a)
	if r.status != a.status {
		t.Errorf("the record has the status %d, the client %d", r.status, a.status)
	}
	switch got {
	case "good":
		if r.truncated || r.counted || r.output != 20 || r.code != "" {
			t.Errorf("the record of a good answer is %+v", r)
		}
	case "error event":
		if r.code == "" && !r.truncated {
			t.Errorf("the record of a failed stream is %+v", r)
		}
	case "broken", "clean cut":
		// Where Envoy reads the usage, a stream that ends properly between two
		// events looks like one that is complete.
		if tr.stream && !r.truncated && (tr.seen || tr.fault != "end-early") {
			t.Errorf("the record of a stream that was cut is %+v", r)
		}
	}
	if a.status != 200 && r.code == "" {
		t.Errorf("the record of an error has no code: %+v", r)
	}
}
