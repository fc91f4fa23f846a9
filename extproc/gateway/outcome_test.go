package gateway

import (
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A bench runs exchanges on a clock of its own.
type testbench struct {
	*Holder
	now time.Time
	t   testing.TB
}

func newTestbench(t testing.TB, change func(*Options)) *testbench {
	b := &testbench{now: start, t: t}
	b.Holder = newGateway(t, func(o *Options) {
		o.Now = func() time.Time { return b.now }
		o.Breaker = testBreaker
		if change != nil {
			change(o)
		}
	})
	return b
}

// target reads what is known of a provider's model.
func (b *testbench) target(provider, model string) reading {
	all := []standing{{target: &target{Provider: &Provider{Name: provider}, model: model}}}
	g := b.Current()
	g.health.read(b.now, &g.breaker, all)
	return all[0].reading
}

// ask begins an exchange, which the test must close.
func (b *testbench) ask(model, more string) (*Exchange, *Forward) {
	b.t.Helper()
	x, answer, f := decide(b.t, b.Holder, chatPath, chat(model, more))
	if answer != nil {
		b.t.Fatalf("answered %d %s", answer.Status, answer.Body)
	}
	return x, f
}

var (
	jsonHead   = []llm.Header{{Name: "content-type", Value: "application/json"}}
	streamHead = []llm.Header{{Name: "content-type", Value: "text/event-stream"}}
	whole      = []byte(`{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ho"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`)
)

// What becomes of a single attempt counts for its target.
func TestOutcomes(t *testing.T) {
	type counts struct{ attempts, errors float64 }
	good, bad, nothing := counts{1, 0}, counts{1, 1}, counts{}
	respond := func(status int, head []llm.Header, body ...string) func(*testing.T, *Exchange) {
		return func(t *testing.T, x *Exchange) {
			r, err := x.Respond(1, status, head, false)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range body {
				if r.Mode != ModePass {
					x.Chunk([]byte(p), i == len(body)-1)
				}
			}
		}
	}
	local := func(status int, details string) func(*testing.T, *Exchange) {
		return func(_ *testing.T, x *Exchange) { x.LocalReply(1, status, details) }
	}
	for _, tt := range []struct {
		name   string
		stream bool
		happen func(*testing.T, *Exchange)
		want   counts
	}{
		{"a response", false, respond(200, jsonHead, string(whole)), good},
		{"a stream", true, respond(200, streamHead, openaiStream), good},
		{"a stream that is cut", true, respond(200, streamHead, openaiStream[:300]), bad},
		{"a stream with an error in it", true, respond(200, streamHead, openaiStream[:300]+"\n\ndata: {\"error\":{\"message\":\"x\",\"type\":\"server_error\"}}\n\n"), bad},
		{"a page of a proxy", false, respond(200, []llm.Header{{Name: "content-type", Value: "text/html"}}, "<html>"), bad},
		{"a body that is none", false, respond(200, jsonHead, `{"choices":`), bad},
		{"its server fails", false, respond(500, jsonHead, `{}`), bad},
		{"too many requests", false, respond(429, jsonHead, `{}`), bad},
		{"overloaded", false, respond(529, jsonHead, `{}`), bad},
		{"timed out there", false, respond(408, jsonHead, `{}`), bad},
		{"our key is refused", false, respond(401, jsonHead, `{}`), bad},
		{"the request is wrong", false, respond(400, jsonHead, `{}`), nothing},
		{"no such model", false, respond(404, jsonHead, `{}`), nothing},
		{"connection refused", false, local(503, "upstream_reset_before_response_started{connection_failure}"), bad},
		{"no answer in time", false, local(504, "upstream_per_try_timeout"), bad},
		{"Envoy's own limit", false, local(503, "upstream_reset_before_response_started{overflow}"), nothing},
		{"the client hung up", false, func(*testing.T, *Exchange) {}, nothing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTestbench(t, nil)
			more := ""
			if tt.stream {
				more = `,"stream":true`
			}
			x, _ := b.ask("a/m", more)
			if n := b.target("a", "m").inFlight; n != 1 {
				t.Errorf("%d attempts are under way, want 1", n)
			}
			tt.happen(t, x)
			x.Close(false)
			v := b.Current().health.targets[place{"a", "m"}]
			if got := (counts{v.attempts, v.errors}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if v.inFlight != 0 {
				t.Errorf("%d attempts are still under way", v.inFlight)
			}
		})
	}
}

// In a chain every attempt counts, also those of which only Envoy knew.
func TestOutcomesOfAChain(t *testing.T) {
	b := newTestbench(t, nil)
	x, f := b.ask("a/m,b/n,c/o,a/p,b/q", `,"stream":true`)
	attempt := func(n int) *Watch {
		_, w, err := x.Attempt(n, f.Clusters[n-1])
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	b.now = b.now.Add(time.Second)
	first := attempt(1)
	b.now = b.now.Add(time.Second)
	attempt(3).Head(503, jsonHead) // the second found nobody
	fourth := attempt(4)
	first.Head(500, jsonHead) // comes too late to be news
	fourth.Head(200, streamHead)
	b.now = b.now.Add(100 * time.Millisecond)
	fourth.Chunk([]byte(openaiStream), false)
	if n := b.target("a", "p").inFlight; n != 1 {
		t.Errorf("%d attempts at the winner are under way", n)
	}
	if _, err := x.Respond(4, 200, streamHead, false); err != nil {
		t.Fatal(err)
	}
	x.Chunk([]byte(openaiStream), true)
	x.Close(false)
	for _, tt := range []struct {
		p                place
		attempts, errors float64
	}{{place{"a", "m"}, 1, 1}, {place{"b", "n"}, 1, 1}, {place{"c", "o"}, 1, 1}, {place{"a", "p"}, 1, 0}} {
		v := b.Current().health.targets[tt.p]
		if v == nil || v.attempts != tt.attempts || v.errors != tt.errors || v.inFlight != 0 {
			t.Errorf("%v: %+v, want %v attempts, %v errors", tt.p, v, tt.attempts, tt.errors)
		}
	}
	if r := b.target("a", "p"); milliseconds(r.first) != 100 || r.whole != 0 {
		t.Errorf("the winner's first content came after %v ms, want 100", r.first)
	}
	if v := b.Current().health.targets[place{"b", "q"}]; v != nil {
		t.Errorf("a target that was not tried: %+v", v)
	}
}

// A target that fails is avoided, is probed by one request at a time when its
// time has come, and comes back.
func TestAvoidedAndBack(t *testing.T) {
	b := newTestbench(t, nil)
	fail := func(x *Exchange, f *Forward) {
		for n := range f.Clusters {
			_, w, err := x.Attempt(n+1, f.Clusters[n])
			if err != nil {
				t.Fatal(err)
			}
			if f.Clusters[n] == "a.retry" {
				w.Head(503, jsonHead)
				continue
			}
			w.Head(200, jsonHead)
			w.Chunk([]byte(`{"id":"m","type":"message","role":"assistant","model":"n","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`), true)
			break
		}
		x.Close(false)
	}
	for i := range 5 {
		x, f := b.ask("a/m,b/n", "")
		if f.Clusters[0] != "a.retry" {
			t.Fatalf("after %d failures it is avoided already", i)
		}
		fail(x, f)
	}
	x, f := b.ask("a/m,b/n", "")
	if f.Clusters[0] != "b.retry" || len(f.Clusters) != 2 {
		t.Fatalf("after 5 failures the order is %v, want the other first", f.Clusters)
	}
	x.Close(false)
	b.now = b.now.Add(testBreaker.OpenFor)
	probe, f := b.ask("a/m,b/n", "")
	if f.Clusters[0] != "a.retry" {
		t.Fatalf("when its time has come the order is %v", f.Clusters)
	}
	other, g := b.ask("a/m,b/n", "")
	if g.Clusters[0] != "b.retry" {
		t.Fatalf("while one probes, another one gets %v", g.Clusters)
	}
	other.Close(false)
	probe.Close(true) // the client hung up: nobody knows
	probe, f = b.ask("a/m,b/n", "")
	if f.Clusters[0] != "a.retry" {
		t.Fatalf("after a probe without a result the order is %v", f.Clusters)
	}
	_, w, err := probe.Attempt(1, "a.retry")
	if err != nil {
		t.Fatal(err)
	}
	w.Head(200, jsonHead)
	w.Chunk(whole, true)
	again, f := b.ask("a/m,b/n", "")
	if f.Clusters[0] != "a.retry" || b.target("a", "m").state != closed {
		t.Errorf("after a good probe the order is %v", f.Clusters)
	}
	again.Close(false)
	probe.Close(false)
}

// A provider that says when to come again is left alone until then.
func TestLeftAloneAsAsked(t *testing.T) {
	for _, tt := range []struct {
		status int
		header llm.Header
		until  time.Duration
	}{
		{429, llm.Header{Name: "retry-after", Value: "7"}, 7 * time.Second},
		{503, llm.Header{Name: "retry-after-ms", Value: "1500"}, 1500 * time.Millisecond},
		{429, llm.Header{Name: "retry-after", Value: start.Add(9 * time.Second).Format("Mon, 02 Jan 2006 15:04:05 GMT")}, 9 * time.Second},
		{429, llm.Header{Name: "retry-after", Value: "86400"}, testBreaker.MaxOpen},
		{429, llm.Header{Name: "retry-after", Value: "-3"}, 0},
		{429, llm.Header{Name: "retry-after", Value: "soon"}, 0},
		{400, llm.Header{Name: "retry-after", Value: "7"}, 0},
	} {
		b := newTestbench(t, nil)
		x, _ := b.ask("a/m", "")
		if _, err := x.Respond(1, tt.status, append(jsonHead[:1:1], tt.header), false); err != nil {
			t.Fatal(err)
		}
		x.Close(false)
		if got := b.target("a", "m").state == open; got != (tt.until > 0) {
			t.Errorf("%d %v: open %v", tt.status, tt.header, got)
			continue
		}
		if b.now = b.now.Add(tt.until - 1); tt.until > 0 && b.target("a", "m").state != open {
			t.Errorf("%d %v: it is not open long enough", tt.status, tt.header)
		}
		if b.now = b.now.Add(1); b.target("a", "m").state == open {
			t.Errorf("%d %v: it is open for too long", tt.status, tt.header)
		}
	}
}

// What is known of targets outlives a snapshot.
func TestHealthOutlivesSnapshots(t *testing.T) {
	h := NewHealth()
	b := newTestbench(t, func(o *Options) { o.Health = h })
	x, _ := b.ask("a/m", "")
	x.LocalReply(1, 503, "upstream_reset_before_response_started")
	x.Close(false)
	b = newTestbench(t, func(o *Options) { o.Health = h })
	if r := b.target("a", "m"); r.errors == 0 {
		t.Errorf("a new snapshot knows nothing: %+v", r)
	}
}

// TestTimeouts: a target that never begins is as slow as the time that it was
// given, at least; one that fails at once says nothing about time.
func TestTimeouts(t *testing.T) {
	for _, tt := range []struct {
		more         string
		took         time.Duration
		first, whole float64 // ms
	}{
		{`,"stream":true`, 2 * time.Second, 2000, 0},
		{`,"stream":true`, 1990 * time.Millisecond, 2000, 0}, // Envoy's clock began earlier
		{`,"stream":true`, 3 * time.Second, 3000, 0},
		{`,"stream":true`, 5 * time.Millisecond, 0, 0},
		{``, 5 * time.Second, 0, 5000},
		{``, time.Second, 0, 0},
	} {
		b := newTestbench(t, nil)
		x, f := b.ask("smart", tt.more)
		for n := range 2 {
			if _, _, err := x.Attempt(n+1, f.Clusters[n]); err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				b.now = b.now.Add(tt.took)
			}
		}
		x.Close(true)
		if r := b.target("a", "gpt-4o"); r.first != tt.first || r.whole != tt.whole {
			t.Errorf("%s after %v: first %v, whole %v", tt.more, tt.took, r.first, r.whole)
		}
	}
}
