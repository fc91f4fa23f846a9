package gemini

import (
	"fmt"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// longChat is a conversation of about 200 kB.
func longChat() []byte {
	var b strings.Builder
	b.WriteString(`{"contents":[`)
	paragraph := strings.Repeat("The quick brown fox jumps over the lazy dog. Füchse auch. ", 17)
	for i := range 200 {
		role := [...]string{"user", "model"}[i%2]
		fmt.Fprintf(&b, `{"role":%q,"parts":[{"text":%q}]},`, role, paragraph)
	}
	b.WriteString(`{"parts":[{"text":"?"}]}],"generationConfig":{"maxOutputTokens":100}}`)
	return []byte(b.String())
}

func BenchmarkDecodeRequest(b *testing.B) {
	body := longChat()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New().DecodeRequest(llm.OpChat, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeRequest(b *testing.B) {
	body := longChat()
	for _, d := range []string{llm.Gemini, "another"} {
		b.Run("from "+d, func(b *testing.B) {
			r := decodeChat(b, string(body))
			r.Dialect = d
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := New().EncodeRequest(r, dialect.Target{Model: "m"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One event of a stream with a text of 100 bytes.
func BenchmarkStreamEvent(b *testing.B) {
	chunk := []byte(`data: {"candidates": [{"content": {"parts": [{"text": "` + strings.Repeat("a", 100) + `"}],"role": "model"},"index": 0}],` +
		`"usageMetadata": {"promptTokenCount": 10,"candidatesTokenCount": 20,"totalTokenCount": 30},"modelVersion": "gemini-2.5-flash","responseId": "x"}` + "\r\n\r\n")
	d := New().NewDecoder(llm.OpChat, sseType, 1<<20)
	enc := New().NewEncoder(&llm.Request{Op: llm.OpChat, Stream: true})
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		frames, err := d.Decode(chunk, false)
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
