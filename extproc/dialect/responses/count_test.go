package responses

import (
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestCount(t *testing.T) {
	body := `{"model":"a","previous_response_id":"resp_1"}`
	r, err := New().DecodeRequest(llm.OpCountTokens, []byte(body))
	if err != nil || r.Op != llm.OpCountTokens {
		t.Fatalf("got %+v, %v", r, err)
	}
	w, err := New().EncodeRequest(r, dialect.Target{Model: "b"})
	if err != nil || w.Path != "/responses/input_tokens" || string(w.Body) != `{"model":"b","previous_response_id":"resp_1"}` {
		t.Errorf("got %+v, %v", w, err)
	}
	if _, err := New().NewEncoder(r).Encode(nil, []llm.Event{{Kind: llm.EventEnd}}); err == nil {
		t.Error("what the provider keeps was counted")
	}
	frames, err := New().NewDecoder(llm.OpCountTokens, "application/json", 100).Decode([]byte(`{"object":"response.input_tokens","input_tokens":12}`), true)
	if err != nil || len(frames) != 1 || frames[0].Events[0].Usage.Input != 12 || frames[0].Events[1].Kind != llm.EventEnd {
		t.Fatalf("got %+v, %v", frames, err)
	}
	plain, err := New().DecodeRequest(llm.OpCountTokens, []byte(`{"model":"a","input":"hi"}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := New().NewEncoder(plain).Encode(nil, frames[0].Events)
	if err != nil || string(got) != `{"object":"response.input_tokens","input_tokens":12}` {
		t.Errorf("got %s, %v", got, err)
	}
	for _, body := range []string{``, `{}`, `{"input_tokens":"x"}`, `{"input_tokens":-1}`, `<html>`} {
		if frames, err := New().NewDecoder(llm.OpCountTokens, "application/json", 100).Decode([]byte(body), true); err == nil {
			t.Errorf("%s: got %+v", body, frames)
		}
	}
}
