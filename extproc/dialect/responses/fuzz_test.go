package responses

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A request that is taken is JSON, goes out as it came in, and can be written
// from its canonical form or is refused.
func FuzzDecodeRequest(f *testing.F) {
	f.Add(sample(f, "full.json"))
	for _, s := range []string{
		`{"model":"m","input":"\ud83d","stream":true}`,
		`{"model":"m","input":[{"id":"msg_1"},{"type":"reasoning","summary":[],"encrypted_content":"attache:anthropic:x"},{"role":"user","content":[]}]}`,
		`{"model":"m","prompt":{"id":"p"},"input":null,"tools":[{"type":"web_search"}],"tool_choice":{"type":"x"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := New()
		r, err := d.DecodeRequest(llm.OpChat, body)
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Status != 400 {
				t.Fatalf("%v", err)
			}
			return
		}
		w, err := d.EncodeRequest(r, dialect.Target{Model: r.Model})
		if err != nil || !bytes.Equal(w.Body, body) && len(r.Edits) == 0 || !json.Valid(w.Body) {
			t.Fatalf("%v: wrote %s", err, w.Body)
		}
		if out := encode(t, r, []llm.Event{{Kind: llm.EventEnd}}); !r.Stream && !json.Valid(out) {
			t.Fatalf("answered %s", out)
		}
		r.Dialect = llm.OpenAI
		w, err = d.EncodeRequest(r, dialect.Target{Model: "m", Rules: llm.Rules{Reasons: true}})
		if err == nil && !json.Valid(w.Body) {
			t.Fatalf("wrote %s", w.Body)
		}
	})
}

// A response in pieces says what it says in one, its frames are its bytes, and
// what it says can be written.
func FuzzResponse(f *testing.F) {
	f.Add(sample(f, "answer.json"), false, uint8(9))
	f.Add(sample(f, "answer.sse"), true, uint8(50))
	f.Add([]byte(`{"error":{"code":429,"message":"x"}}`), false, uint8(1))
	f.Add([]byte("event: error\ndata: {\"type\":\"error\",\"message\":\"x\"}\r\n\r\n: x\n\ndata: "+hello), true, uint8(3))
	f.Add(dataOf(created, added, hello, done), true, uint8(5))
	f.Fuzz(func(t *testing.T, body []byte, stream bool, size uint8) {
		mediaType := "application/json"
		if stream {
			mediaType = "text/event-stream"
		}
		d := New().WithClock(clock)
		events, raw, err := decodeAll(d, mediaType, body, whole)
		if err == nil && !bytes.Equal(raw, body) {
			t.Fatalf("frames hold %q", raw)
		}
		again, raw, err2 := decodeAll(d, mediaType, body, func(int) int { return int(size) + 1 })
		if err2 == nil && !bytes.Equal(raw, body) || (err == nil) != (err2 == nil) || !reflect.DeepEqual(again, events) {
			t.Fatalf("cut: %v, %v:\n%v\n%v", err, err2, events, again)
		}
		if out := encode(t, &llm.Request{}, events); len(out) > 0 && !json.Valid(out) {
			t.Fatalf("wrote %s", out)
		}
		encode(t, &llm.Request{Stream: true}, events)
	})
}
