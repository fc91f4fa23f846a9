package dialect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// BenchmarkRequest translates a chat of 64 KB between each pair.
func BenchmarkRequest(b *testing.B) {
	r := &llm.Request{Op: llm.OpChat, Dialect: "canonical", Body: llm.Body{Raw: []byte("{}")}, MaxTokens: 100}
	text := strings.Repeat("A sentence of a long conversation, with a few words in it. ", 17)
	for i := range 64 {
		role := []llm.Role{llm.RoleUser, llm.RoleAssistant}[i%2]
		r.Messages = append(r.Messages, llm.Message{Role: role, Parts: []llm.Part{{Text: text}}})
	}
	r.Messages = r.Messages[:63]
	for _, from := range dialects {
		w, err := from.EncodeRequest(r, dialect.Target{Model: "anthropic.m"})
		if err != nil {
			b.Fatal(err)
		}
		for _, to := range dialects {
			b.Run(from.Name()+"-"+to.Name(), func(b *testing.B) {
				b.SetBytes(int64(len(w.Body)))
				b.ReportAllocs()
				for b.Loop() {
					q, err := from.DecodeRequest(llm.OpChat, w.Body)
					if err == nil {
						_, err = to.EncodeRequest(q, dialect.Target{Model: "anthropic.n"})
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkStream translates a stream of 1000 pieces of 100 bytes between each
// pair, in chunks of one event.
func BenchmarkStream(b *testing.B) {
	const pieces = 1000
	events := []llm.Event{{Kind: llm.EventStart, ID: "id1", Model: "m", Created: 1}}
	for i := range pieces {
		events = append(events, llm.Event{Kind: llm.EventText, Text: fmt.Sprintf("%04d%s", i, strings.Repeat(" word word, word", 7)[:96])})
	}
	events = append(events, llm.Event{Kind: llm.EventUsage, Usage: llm.Usage{Input: 1, Output: 2}},
		llm.Event{Kind: llm.EventFinish, Reason: llm.FinishStop}, llm.Event{Kind: llm.EventEnd})
	for _, from := range dialects {
		r := &llm.Request{Op: llm.OpChat, Dialect: from.Name(), Model: "m", Stream: true, StreamUsage: true}
		enc := from.NewEncoder(r)
		var chunks [][]byte
		for i := range events {
			chunk, err := enc.Encode(nil, events[i:i+1])
			if err != nil {
				b.Fatal(err)
			}
			chunks = append(chunks, chunk)
		}
		for _, to := range dialects {
			b.Run(from.Name()+"-"+to.Name(), func(b *testing.B) {
				b.ReportAllocs()
				var out []byte
				for b.Loop() {
					dec, enc := from.NewDecoder(llm.OpChat, from.NewEncoder(r).MediaType(), 1<<20), to.NewEncoder(r)
					for i, chunk := range chunks {
						frames, err := dec.Decode(chunk, i == len(chunks)-1)
						if err != nil {
							b.Fatal(err)
						}
						out = out[:0]
						for _, f := range frames {
							if out, err = enc.Encode(out, f.Events); err != nil {
								b.Fatal(err)
							}
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pieces, "ns/event")
			})
		}
	}
}
