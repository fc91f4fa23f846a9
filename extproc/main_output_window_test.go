package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	prices "github.com/attache-gateway/attache/extproc/provider"
	"github.com/attache-gateway/attache/extproc/wasm"
)

// loadPII loads the shipped plugin, which redacts.
func loadPII(t testing.TB) *wasm.Guard {
	t.Helper()
	const path = "../wasm-plugins/pii/pii.wasm"
	digest, err := os.ReadFile(path + ".sha256")
	if err != nil {
		t.Fatal(err)
	}
	g, err := wasm.Load(t.Context(), wasm.Options{Name: "pii", Path: path, SHA256: strings.Fields(string(digest))[0], Deadline: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close(context.Background()) })
	return g
}

type anybody struct{}

func (anybody) Authenticate(gateway.Secret, time.Time) (gateway.Caller, error) {
	return gateway.Caller{}, nil
}

// guardedGateway has one provider and the guards, and nothing else.
func guardedGateway(t testing.TB, guards ...gateway.OutputGuard) *gateway.Holder {
	t.Helper()
	g, err := gateway.New(gateway.Options{
		Dialects: []dialect.Dialect{openai.New()},
		Providers: []gateway.Provider{{Name: "o", Dialect: llm.OpenAI, Host: "h", BasePath: "/v1",
			Price: func(string) (prices.Price, bool) { return prices.Price{}, false }}},
		Defaults: gateway.Settings{Timeout: time.Minute}, Auth: anybody{}, Policy: gateway.NoPolicy{},
		OutputGuards: guards, MaxResponse: 1 << 20, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return gateway.NewHolder(g)
}

// passThrough sends a response that came in chunks past the guards.
func passThrough(t testing.TB, h *gateway.Holder, stream bool, chunks [][]byte) string {
	t.Helper()
	x, answer := h.Open(&gateway.Head{Method: "POST", Path: "/v1/chat/completions"})
	if answer == nil {
		answer, _ = x.Decide(t.Context(), fmt.Appendf(nil, `{"model":"o/m","stream":%t,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`, stream))
	}
	if answer != nil {
		t.Fatalf("answered %s", answer.Body)
	}
	defer x.Close(false)
	media := "application/json"
	if stream {
		media = "text/event-stream"
	}
	if _, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: media}}, false); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, chunk := range chunks {
		out.Write(x.Chunk(chunk, i == len(chunks)-1).Body)
	}
	return out.String()
}

// spoken is a text as a provider says it, in events of a few bytes.
func spoken(r *rand.Rand, text string) [][]byte {
	enc := openai.New().NewEncoder(&llm.Request{Op: llm.OpChat, Model: "m", Stream: true, StreamUsage: true})
	var chunks [][]byte
	say := func(events ...llm.Event) {
		chunk, err := enc.Encode(nil, events)
		if err != nil {
			panic(err)
		}
		chunks = append(chunks, chunk)
	}
	say(llm.Event{Kind: llm.EventStart, ID: "1", Model: "m", Created: 1})
	for len(text) > 0 {
		n := min(1+r.IntN(8), len(text))
		say(llm.Event{Kind: llm.EventText, Text: text[:n]})
		text = text[n:]
	}
	say(llm.Event{Kind: llm.EventUsage, Usage: llm.Usage{Input: 1, Output: 2}}, llm.Event{Kind: llm.EventFinish, Reason: llm.FinishStop}, llm.Event{Kind: llm.EventEnd})
	return chunks
}

// heardText is the text of a stream.
func heardText(t testing.TB, body string) string {
	t.Helper()
	frames, err := openai.New().NewDecoder(llm.OpChat, "text/event-stream", 1<<20).Decode([]byte(body), true)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	var b strings.Builder
	for _, f := range frames {
		for _, e := range f.Events {
			if e.Kind == llm.EventText {
				b.WriteString(e.Text)
			}
		}
	}
	return b.String()
}

var proseWords = strings.Fields("the quarterly report shows revenue growth across all regions while customer retention improved please summarize this document for leadership and highlight risks that could affect delivery timelines in the next fiscal year")

func prose(r *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(proseWords[r.IntN(len(proseWords))] + " ")
	}
	return b.String()
}

// TestNoLeaks: of 300 streams of 4 KB in pieces of 1 to 8 bytes, with an address and
// a card's number in each, none shows them, and each is the redaction of the whole.
func TestNoLeaks(t *testing.T) {
	const mail, card = "jane.doe@example.com", "4111 1111 1111 1111"
	h := guardedGateway(t, gateway.OutputGuard{Guard: loadPII(t)})
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 300 {
		a, b, c := prose(r, 900+r.IntN(400)), prose(r, 300+r.IntN(900)), prose(r, 900)
		got := heardText(t, passThrough(t, h, true, spoken(r, a+mail+" "+b+card+" "+c)))
		if want := a + "[PII.EMAIL] " + b + "[PII.CARD] " + c; got != want {
			t.Fatalf("stream %d is %q", i, got)
		}
	}
}

// BenchmarkOutputGuard is a stream of 4 KB in 900 events through an exchange that
// looks at it anyway, that a guard sees through a window, that it sees whole.
func BenchmarkOutputGuard(b *testing.B) {
	pii := loadPII(b)
	for _, bb := range []struct {
		name   string
		guards []gateway.OutputGuard
	}{
		{"none", nil},
		{"window", []gateway.OutputGuard{{Guard: pii}}},
		{"full", []gateway.OutputGuard{{Guard: pii, Full: true}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			h := guardedGateway(b, bb.guards...)
			r := rand.New(rand.NewPCG(1, 1))
			chunks := spoken(r, prose(r, 4000))
			b.ReportAllocs()
			for b.Loop() {
				passThrough(b, h, true, chunks)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(chunks)), "ns/event")
		})
	}
}
