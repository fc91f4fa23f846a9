package anthropic

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A request that is taken is JSON, knows where its texts are, goes out as it
// came in, and can be written from its canonical form or is refused.
func FuzzDecodeRequest(f *testing.F) {
	f.Add(sample(f, "full.json"))
	f.Add([]byte(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\ud83d"}]}`))
	f.Add([]byte(`{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"r","signature":"` + unsigned + `"}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := New().DecodeRequest(llm.OpChat, body)
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Status != 400 {
				t.Fatalf("got %v", err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("took what is not JSON")
		}
		w, err := New().EncodeRequest(r, dialect.Target{Model: r.Model})
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(w.Body) {
			t.Fatalf("wrote %s", w.Body)
		}
		r.Dialect = llm.OpenAI
		w, err = New().EncodeRequest(r, dialect.Target{Model: "m", Rules: budgetModel})
		if err == nil && !json.Valid(w.Body) {
			t.Fatalf("wrote %s", w.Body)
		}
	})
}

// A response in two pieces says what it says in one, and its frames are its
// bytes.
func FuzzDecodeResponse(f *testing.F) {
	f.Add(true, sample(f, "answer.sse"), 100)
	f.Add(false, sample(f, "answer.json"), 100)
	f.Add(true, []byte("data: {\"type\":\"error\",\"error\":{}}\r\rdata: {}"), 3)
	f.Fuzz(func(t *testing.T, stream bool, body []byte, at int) {
		mediaType := jsonType
		if stream {
			mediaType = sseType
		}
		at = min(max(at, 0), len(body))
		whole, err1 := decodeAll(t, llm.OpChat, mediaType, [][]byte{body})
		parts, err2 := decodeAll(t, llm.OpChat, mediaType, [][]byte{body[:at], body[at:]})
		if (err1 == nil) != (err2 == nil) {
			t.Fatalf("whole: %v, in two: %v", err1, err2)
		}
		if err1 != nil {
			var e *llm.Error
			if !errors.As(err1, &e) || e.Status != 502 {
				t.Fatalf("got %v", err1)
			}
			return
		}
		if !reflect.DeepEqual(whole, parts) {
			t.Fatalf("whole: %v\nin two: %v", whole, parts)
		}
		for _, form := range []bool{true, false} {
			out := encode(t, &llm.Request{Op: llm.OpChat, Stream: form}, whole, 0)
			if form && bytes.Contains(out, []byte("message_stop")) {
				strictStream(t, out)
			}
			if !form && len(out) > 0 && !json.Valid(out) {
				t.Fatalf("wrote %s", out)
			}
		}
		New().DecodeError(500, nil, body)
	})
}
