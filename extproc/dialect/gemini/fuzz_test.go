package gemini

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A request that is read goes out as it came, or is written anew as JSON.
func FuzzRequest(f *testing.F) {
	f.Add(sample(f, "full.json"))
	f.Add([]byte(`{"contents":[{"role":"model","parts":[{"function_call":{"name":"f"}}]},{"parts":{"functionResponse":{"name":"f","response":{"a":"$ref"}}}}]}`))
	f.Add([]byte(`{"contents":{"parts":[{"thought":true,"thoughtSignature":"YXR0YWNoZTpoaWRkZW46eA=="},{}]},"generation_config":{"response_schema":{"type":6,"nullable":true}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := New().DecodeRequest(llm.OpChat, body)
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Status != 400 {
				t.Fatalf("%v", err)
			}
			return
		}
		w, err := New().EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil || !json.Valid(w.Body) || r.Body.Member("model") == nil && !bytes.Equal(w.Body, body) {
			t.Fatalf("not the same bytes: %v", err)
		}
		r.Dialect = "another"
		for _, rules := range []llm.Rules{{}, levels, budgets} {
			w, err := New().EncodeRequest(r, dialect.Target{Model: "m", Rules: rules})
			if err != nil {
				continue
			}
			if _, err := New().DecodeRequest(llm.OpChat, w.Body); err != nil {
				t.Fatalf("wrote %s: %v", w.Body, err)
			}
		}
	})
}

// A response is read the same however it is cut, and what is written of it is
// read again.
func FuzzResponse(f *testing.F) {
	f.Add(sample(f, "answer.json"), false, uint8(9))
	f.Add(sample(f, "answer.sse"), true, uint8(7))
	f.Add([]byte(`[{"promptFeedback":{"blockReason":"X"}},{"error":{"code":400}}]`), false, uint8(1))
	f.Add([]byte("data: {\"candidates\":[{\"index\":3,\"finishReason\":1}]}\r\n\r\ndata: {\"err"), true, uint8(3))
	f.Fuzz(func(t *testing.T, body []byte, stream bool, size uint8) {
		mediaType := "application/json"
		if stream {
			mediaType = sseType
		}
		raw, events, err := decode(llm.OpChat, mediaType, body, nil)
		if err == nil && !bytes.Equal(raw, body) {
			t.Fatalf("frames hold %q", raw)
		}
		rng := rand.New(rand.NewPCG(1, uint64(size)))
		_, again, err2 := decode(llm.OpChat, mediaType, cut(body, rng, int(size)+1)...)
		if (err == nil) != (err2 == nil) || err == nil && !reflect.DeepEqual(events, again) {
			t.Fatalf("cut otherwise it is read otherwise: %v, %v\n%+v\n%+v", err, err2, events, again)
		}
		if err != nil || len(events) == 0 || events[len(events)-1].Kind != llm.EventEnd {
			return
		}
		for _, r := range []*llm.Request{{Op: llm.OpChat}, {Op: llm.OpChat, Stream: true}, {Op: llm.OpChat, Stream: true, Array: true}} {
			out := encode(t, r, events, 3)
			if _, got, err := decode(llm.OpChat, New().NewEncoder(r).MediaType(), []byte(out), nil); err != nil || len(got) == 0 || got[len(got)-1].Kind != llm.EventEnd {
				t.Fatalf("wrote %s: %v", out, err)
			}
		}
	})
}

func FuzzError(f *testing.F) {
	f.Add(429, []byte(`{"error":{"code":429,"details":[{"retryDelay":"1s"}]}}`))
	f.Add(400, []byte(`[{"error":{}}]`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := New().DecodeError(status, nil, body)
		if e.Message == "" || !json.Valid(New().EncodeError(e)) {
			t.Fatalf("got %+v", e)
		}
	})
}
