package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// longChat is a request of about 64 KB, half of it with escapes.
func longChat(tb testing.TB) []byte {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	var messages []message
	for i := range 32 {
		text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 44)
		if i%2 == 1 {
			text = strings.Repeat("func main() {\n\tfmt.Println(\"hello\")\n}\n", 50)
		}
		messages = append(messages, message{[]string{"user", "assistant"}[i%2], text})
	}
	body, err := json.Marshal(map[string]any{"model": "gpt-6.1-sol", "messages": messages, "max_completion_tokens": 500})
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func BenchmarkDecodeRequest(b *testing.B) {
	body := longChat(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New().DecodeRequest(llm.OpChat, body); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkEncode(b *testing.B, from string) {
	r, err := New().DecodeRequest(llm.OpChat, longChat(b))
	if err != nil {
		b.Fatal(err)
	}
	r.Dialect = from
	b.SetBytes(int64(len(r.Body.Raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New().EncodeRequest(r, dialect.Target{Model: "m", AskUsage: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPatchRequest(b *testing.B) { benchmarkEncode(b, llm.OpenAI) }
func BenchmarkWriteRequest(b *testing.B) { benchmarkEncode(b, llm.Anthropic) }

// BenchmarkStreamEvent decodes and encodes one delta of 100 bytes.
func BenchmarkStreamEvent(b *testing.B) {
	text := strings.Repeat("ten bytes ", 10)
	event := []byte(fmt.Sprintf("data: {\"id\":\"chatcmpl-CYPS1lijGoK8gd9lYzY3r9Sx50nbt\",\"object\":\"chat.completion.chunk\",\"created\":1762317021,\"model\":\"gpt-5-nano-2025-08-07\",\"service_tier\":\"default\",\"system_fingerprint\":null,\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n", text))
	d := New()
	dec := d.NewDecoder(llm.OpChat, "text/event-stream", 1<<20)
	enc := d.NewEncoder(&llm.Request{Op: llm.OpChat, Stream: true})
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		frames, err := dec.Decode(event, false)
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
	if !bytes.Contains(out, []byte(text)) {
		b.Fatalf("wrote %s", out)
	}
}
