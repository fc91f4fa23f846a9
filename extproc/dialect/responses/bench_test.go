package responses

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
	var input []message
	for i := range 32 {
		text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 44)
		if i%2 == 1 {
			text = strings.Repeat("func main() {\n\tfmt.Println(\"hello\")\n}\n", 50)
		}
		input = append(input, message{[]string{"user", "assistant"}[i%2], text})
	}
	body, err := json.Marshal(map[string]any{"model": "gpt-6.1-sol", "input": input, "max_output_tokens": 500})
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
	r := decodeRequest(b, string(longChat(b)))
	r.Dialect = from
	b.SetBytes(int64(len(r.Body.Raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New().EncodeRequest(r, dialect.Target{Model: "m"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPatchRequest(b *testing.B) { benchmarkEncode(b, llm.Responses) }
func BenchmarkWriteRequest(b *testing.B) { benchmarkEncode(b, llm.OpenAI) }

// BenchmarkStreamEvent decodes and encodes one delta of 100 bytes.
func BenchmarkStreamEvent(b *testing.B) {
	text := strings.Repeat("ten bytes ", 10)
	event := fmt.Appendf(nil, "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"content_index\":0,\"delta\":%q,\"item_id\":\"msg_06c839edbdd88254016a3c11a93e1481908acf9bbba9834b75\",\"logprobs\":[],\"obfuscation\":\"6UfUlvnVAt5\",\"output_index\":0,\"sequence_number\":7}\n\n", text)
	d := New()
	dec := d.NewDecoder(llm.OpChat, "text/event-stream", 1<<20)
	enc := d.NewEncoder(&llm.Request{Op: llm.OpChat, Stream: true})
	var out []byte
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%100_000 == 0 { // an answer is bounded
			enc = d.NewEncoder(&llm.Request{Op: llm.OpChat, Stream: true})
		}
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
