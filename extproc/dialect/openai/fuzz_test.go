package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

func FuzzDecodeRequest(f *testing.F) {
	f.Add(full(f))
	for _, s := range []string{
		`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":null}`,
		`{"model":"m","messages":[{"role":"developer","content":[]}],"max_completion_tokens":3}`,
		`{"model":"m","messages":[{"role":"tool","tool_call_id":"","content":""}],"x":{"a":[1,{"b":null}]}}`,
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
		blocks, calls := signed(r)
		if err != nil || !bytes.Equal(w.Body, body) && !blocks && !calls || !json.Valid(w.Body) {
			t.Fatalf("not the same bytes: %v", err)
		}
		r.Dialect = "another"
		for _, target := range []dialect.Target{{Model: "m"}, {Model: "m", Rules: llm.Rules{Reasons: true, ReasoningField: "reasoning_content"}}} {
			w, err := d.EncodeRequest(r, target)
			if err == nil && !json.Valid(w.Body) {
				t.Fatalf("wrote %s", w.Body)
			}
		}
	})
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"id":"c","choices":[{"message":{"content":"a","tool_calls":[{"function":{"name":"f","arguments":{}}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`), false, uint8(9))
	f.Add([]byte(`{"error":{"code":429,"message":"x"}}`), false, uint8(1))
	f.Add([]byte("data: "+chunk(`{"content":"a"}`)+"\n\n: x\r\n\r\ndata: "+chunk(`{"tool_calls":[{"index":1,"id":"a","function":{"name":"f","arguments":"{"}}]}`)+"\n\ndata: [DONE]\n\n"), true, uint8(5))
	f.Add([]byte("event: error\ndata: {\"error\":\"x\"}\n\n"), true, uint8(3))
	f.Fuzz(func(t *testing.T, body []byte, stream bool, size uint8) {
		mediaType := "application/json"
		if stream {
			mediaType = "text/event-stream"
		}
		d := New().WithClock(clock)
		events, raw, err := decodeAll(d, llm.OpChat, mediaType, body, whole)
		if err == nil && !bytes.Equal(raw, body) {
			t.Fatalf("frames hold %q", raw)
		}
		again, raw, err2 := decodeAll(d, llm.OpChat, mediaType, body, func(int) int { return int(size) + 1 })
		if err2 == nil && !bytes.Equal(raw, body) || (err == nil) != (err2 == nil) || !reflect.DeepEqual(again, events) {
			t.Fatalf("cut: %v, %v:\n%v\n%v", err, err2, events, again)
		}
		out := encode(t, d, &llm.Request{Op: llm.OpChat}, events)
		if len(out) > 0 && !json.Valid(out) {
			t.Fatalf("wrote %s", out)
		}
	})
}

func FuzzDecodeError(f *testing.F) {
	f.Add([]byte(`[{"error":{"code":400,"message":"x","status":"Y"}}]`))
	f.Add([]byte(`{"detail":[{"msg":"x"}],"code":"c","error":"e"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := New().DecodeError(500, nil, body)
		if e.Status != 500 || e.Message == "" || !json.Valid(New().EncodeError(e)) {
			t.Fatalf("got %+v", e)
		}
	})
}
