package main

import (
	"bufio"
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/bench/mock"
)

const askUsage = `,"stream_options":{"include_usage":true}`

// TestUsageChunk: OpenAI's clients index choices[0] of every chunk, so that a
// usage chunk which they did not ask for breaks them.
func TestUsageChunk(t *testing.T) {
	cases := []struct {
		name, version, more string
		lines               []string
		want                bool
	}{
		{"hidden", "1.40", "", nil, false},
		{"hidden from 1.39", "1.39", "", nil, false},
		{"asked for", "1.40", askUsage, nil, true},
		{"asked for with 1.39", "1.39", askUsage, nil, true},
		{"let through", "1.40", "", []string{"usage_chunk: pass"}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := begin(t, c.version, c.lines...)
			a := w.do(t, ask{dialect: "openai", stream: true, model: "o/m@events=20", more: c.more})
			if got := strings.Contains(a.body, `"choices":[]`); got != c.want {
				t.Errorf("the usage chunk is there: %t\n%s", got, a.body)
			}
			if r := w.row(t, a); r.output != 20 || r.counted || r.truncated {
				t.Errorf("the record is %+v", r)
			}
		})
	}
}

// TestPassThrough: where nobody has to look at a response, Envoy tells the
// gateway of its beginning and its end, whatever is between them.
func TestPassThrough(t *testing.T) {
	w := begin(t, "1.40")
	for _, c := range []struct {
		name string
		ask
		want int64
	}{
		// Headers and body of the request, headers and trailers of the response.
		{"openai stream", ask{dialect: "openai", stream: true, model: "o/m@events=100", more: askUsage}, 4},
		{"anthropic stream", ask{dialect: "anthropic", stream: true, model: "a/m@events=100"}, 4},
		// Envoy has read the response when it tells of its headers.
		{"openai", ask{dialect: "openai", model: "o/m@events=100"}, 3},
		{"anthropic", ask{dialect: "anthropic", model: "a/m@events=100"}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.messages(t)
			a := w.do(t, c.ask)
			if got := c.outcome(a); got != "good" {
				t.Fatalf("%s: %s", got, a.body)
			}
			if r := w.row(t, a); r.output != 100 || r.counted {
				t.Errorf("the record is %+v", r)
			}
			if sent := w.messages(t) - before; sent != c.want {
				t.Errorf("Envoy sent %d messages to the gateway, want %d", sent, c.want)
			}
		})
	}
}

// messages is how many messages Envoy's filters have sent to the gateway.
func (w *world) messages(t *testing.T) (n int64) {
	stats, err := w.envoy.Stats(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range stats {
		if strings.HasSuffix(name, "ext_proc.stream_msgs_sent") {
			n += value
		}
	}
	return n
}

// TestHangUp: a client that goes away cancels the provider's work, and pays for
// what was done until then.
func TestHangUp(t *testing.T) {
	for _, c := range []struct {
		name, version string
		ask
		seen bool
	}{
		{"translated", "1.40", ask{dialect: "openai", model: "a/m@events=500@gap=10ms"}, true},
		{"observed", "1.40", ask{dialect: "openai", model: "o/m@events=500@gap=10ms"}, true},
		{"watched", "1.40", ask{dialect: "openai", model: "o/m@events=500@gap=10ms,a/m"}, true},
		{"passed on", "1.40", ask{dialect: "anthropic", model: "a/m@events=500@gap=10ms"}, false},
		{"observed with 1.39", "1.39", ask{dialect: "anthropic", model: "a/m@events=500@gap=10ms"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.ask.stream = true
			w := begin(t, c.version)
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			response, err := w.open(ctx, c.ask)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			lines := bufio.NewScanner(response.Body)
			for lines.Scan() && !strings.Contains(lines.Text(), "Hello") { // the first content
			}
			hangUp()
			await(t, w.providers[c.model[:1]], func(s mock.Stats) bool { return s.Cancelled == 1 && s.InFlight == 0 })
			r := w.row(t, answer{header: response.Header})
			if !r.truncated || !r.cancelled || r.status != 200 || r.input == 0 {
				t.Errorf("the record is %+v", r)
			}
			if c.seen && r.output == 0 {
				t.Errorf("the record has no output: %+v", r)
			}
			eventually(t, "an end of the gateway's goroutines", func() bool { return !strings.Contains(stacks(), "stream.(*Server).Process") })
		})
	}
}

// stacks are those of all goroutines.
func stacks() string {
	for buf := make([]byte, 1<<20); ; buf = make([]byte, 2*len(buf)) {
		if n := runtime.Stack(buf, true); n < len(buf) {
			return string(buf[:n])
		}
	}
}

// TestShapes sends what is unusual and yet good.
func TestShapes(t *testing.T) {
	w := begin(t, "1.40")
	for _, model := range []string{"m@events=20@gap=30ms", "m@bytes=9000000", "m@bytes=300000@events=1", "m@events=40@chunks=byte", "m@events=40@chunks=random:7"} {
		for _, q := range []ask{
			{dialect: "openai", model: "o/" + model}, {dialect: "openai", model: "a/" + model},
			{dialect: "anthropic", model: "o/" + model}, {dialect: "anthropic", model: "a/" + model},
			{dialect: "openai", model: "o/" + model + ",a/good"}, {dialect: "anthropic", model: "o/" + model + ",a/good"},
		} {
			for _, q.stream = range []bool{false, true} {
				t.Run(q.dialect+" to "+q.model, func(t *testing.T) {
					t.Parallel()
					a := w.do(t, q)
					if got := q.outcome(a); got != "good" || a.header.Get("X-Attache-Attempts") != "1" {
						t.Errorf("%s: %v %.300s", got, a.header, a.body)
					}
				})
			}
		}
	}
}
