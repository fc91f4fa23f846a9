package inmem

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

type anyone struct{}

func (anyone) Authenticate(gateway.Secret, time.Time) (gateway.Caller, error) {
	return gateway.Caller{KeyID: "k", Team: "red", Org: "acme"}, nil
}

// newGateway returns a gateway of one provider.
func newGateway(t testing.TB, store *Limits, limits ...gateway.Limit) *gateway.Holder {
	t.Helper()
	price := func(string) (provider.Price, bool) { return provider.Price{Input: 1e6, Output: 1e6}, true }
	g, err := gateway.New(gateway.Options{
		Dialects:  []dialect.Dialect{openai.New()},
		Providers: []gateway.Provider{{Name: "p", Dialect: llm.OpenAI, Host: "h", Price: price}},
		Auth:      anyone{}, Policy: gateway.NoPolicy{}, Limits: store, Bounds: limits,
		MaxResponse: 1 << 20, Now: func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	return gateway.NewHolder(g)
}

const (
	question = `{"model":"p/m","max_tokens":%d%s,"messages":[{"role":"user","content":"hi"}]}`
	reply    = `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":7,"completion_tokens":20,"total_tokens":27}}`
	someText = `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" hello world"}}]}` + "\n\n"
)

func perHour(name, per string, tokens, concurrent int64) gateway.Limit {
	return gateway.Limit{Name: name, Per: per, WindowS: 3600, Requests: -1, Tokens: tokens, CostNano: -1, Concurrent: concurrent}
}

// Exchanges of all kinds run at once, until nothing is left. No account ever has
// more than its limit, but for the event in which each stream was ended, and in the
// end nothing is held.
func TestExchangesHammer(t *testing.T) {
	const limit, workers = 40_000, 8
	store := NewLimits(slog.New(slog.DiscardHandler))
	limits := []gateway.Limit{perHour("t", "team", limit, 6), perHour("o", "org", limit+500, -1), perHour("m", "model", limit, -1)}
	h := newGateway(t, store, limits...)
	var mu sync.Mutex
	answered, refused, cut := 0, 0, 0
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(w)))
			for range 150 {
				r, c := exchange(t, h, random)
				mu.Lock()
				answered++
				refused += r
				cut += c
				mu.Unlock()
			}
		})
	}
	done.Wait()
	for i := range limits {
		for name, left := range store.All(noon, gateway.Claim{Limit: &limits[i]}) {
			if left.Used.Concurrent != 0 || left.Used.Tokens > left.Max.Tokens+2*workers || left.Used.Tokens < limit/2 {
				t.Errorf("%s %s: %+v of %+v", limits[i].Per, name, left.Used, left.Max)
			}
		}
	}
	if refused == 0 || cut == 0 || refused == answered {
		t.Errorf("%d of %d were refused, %d ended early", refused, answered, cut)
	}
}

// exchange is one of some kind.
func exchange(t *testing.T, h *gateway.Holder, random *rand.Rand) (refused, cut int) {
	stream := random.IntN(2) == 0
	more := ""
	if stream {
		more = `,"stream":true`
	}
	x, _ := h.Open(&gateway.Head{Method: "POST", Path: "/v1/chat/completions"})
	gone := false
	defer func() { x.Close(gone) }()
	answer, _ := x.Decide(t.Context(), fmt.Appendf(nil, question, 2000, more))
	kind := random.IntN(4)
	switch {
	case answer != nil:
		return 1, 0
	case kind == 0:
		gone = true
		return 0, 0
	case kind == 1:
		x.LocalReply(1, 503, "overflow")
		return 0, 0
	}
	media := "application/json"
	if stream {
		media = "text/event-stream"
	}
	resp, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: media}}, false)
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	if !stream {
		x.Chunk([]byte(reply), true)
		return 0, 0
	}
	for range random.IntN(900) {
		if resp.Mode == gateway.ModeStream && x.Chunk([]byte(someText), false).End {
			return 0, 1
		}
	}
	gone = true
	return 0, 0
}

// BenchmarkExchange is a unary request without limits, and with those of four
// levels.
func BenchmarkExchange(b *testing.B) {
	four := []gateway.Limit{perHour("k", "key", 1<<50, 100), perHour("t", "team", 1<<50, -1), perHour("o", "org", 1<<50, -1), perHour("m", "model", 1<<50, -1)}
	for _, n := range []int{0, 1, 4} {
		b.Run(fmt.Sprint(n, "limits"), func(b *testing.B) {
			h := newGateway(b, NewLimits(slog.New(slog.DiscardHandler)), four[:n]...)
			body := fmt.Appendf(nil, question, 100, "")
			head := []llm.Header{{Name: "content-type", Value: "application/json"}}
			b.ReportAllocs()
			for b.Loop() {
				x, _ := h.Open(&gateway.Head{Method: "POST", Path: "/v1/chat/completions"})
				if a, _ := x.Decide(b.Context(), body); a != nil {
					b.Fatalf("%s", a.Body)
				}
				if _, err := x.Respond(1, 200, head, false); err != nil {
					b.Fatal(err)
				}
				x.Chunk([]byte(reply), true)
				x.Close(false)
			}
		})
	}
}

// BenchmarkChunk is an event of a stream that nobody limits, and of one that may
// have to be ended.
func BenchmarkChunk(b *testing.B) {
	for name, limits := range map[string][]gateway.Limit{"unlimited": nil, "limited": {perHour("k", "key", 1<<50, -1)}} {
		b.Run(name, func(b *testing.B) {
			h := newGateway(b, NewLimits(slog.New(slog.DiscardHandler)), limits...)
			x, _ := h.Open(&gateway.Head{Method: "POST", Path: "/v1/chat/completions"})
			defer x.Close(true)
			if a, _ := x.Decide(b.Context(), []byte(`{"model":"p/m","stream":true,"messages":[{"role":"user","content":"hi"}]}`)); a != nil {
				b.Fatalf("%s", a.Body)
			}
			if _, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "text/event-stream"}}, false); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				x.Chunk([]byte(someText), false)
			}
		})
	}
}
