package bedrock

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/llm"
)

// longChat is a conversation of about 64 KiB with tools.
func longChat() []byte {
	var b bytes.Buffer
	b.WriteString(`{"system":[{"text":"Be brief."}],"messages":[`)
	para := strings.Repeat(`The quick brown fox \"jumps\" over the lazy dog.\n`, 10)
	for i := 0; b.Len() < 64<<10; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"role":"user","content":[{"text":"%s"}]},{"role":"assistant","content":[{"text":"%s"},{"toolUse":{"toolUseId":"t%d","name":"f","input":{"path":"a/b/c","n":%d}}}]},`, para, para, i, i)
		fmt.Fprintf(&b, `{"role":"user","content":[{"toolResult":{"toolUseId":"t%d","content":[{"text":"%s"}]}}]}`, i, para)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func BenchmarkRequest(b *testing.B) {
	body := longChat()
	r, err := New().DecodeRequest(llm.OpChat, body)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := New().DecodeRequest(llm.OpChat, body); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, from := range []string{llm.Bedrock, llm.OpenAI} {
		b.Run("encode from "+from, func(b *testing.B) {
			r.Dialect = from
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := New().EncodeRequest(r, dialect.Target{Model: "other"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEvent is one text delta of 100 bytes: read from a provider, and
// written for a client.
func BenchmarkEvent(b *testing.B) {
	text := strings.Repeat("0123456789", 10)
	message := event(nil, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"`+text+`"},"p":"abcdefghijkl"}`)
	b.Run("decode", func(b *testing.B) {
		d := New().NewDecoder(llm.OpChat, eventstream.MediaType, 1<<20)
		b.ReportAllocs()
		for b.Loop() {
			if frames, err := d.Decode(message, false); err != nil || len(frames) != 1 {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		e := New().NewEncoder(&llm.Request{Op: llm.OpChat, Stream: true})
		events := []llm.Event{{Kind: llm.EventText, Text: text}}
		var dst []byte
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if dst, err = e.Encode(dst[:0], events); err != nil {
				b.Fatal(err)
			}
		}
	})
}
