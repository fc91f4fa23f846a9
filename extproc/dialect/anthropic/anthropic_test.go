package anthropic

import (
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

func decodeRequest(t *testing.T, body string) *llm.Request {
	t.Helper()
	r, err := New().DecodeRequest(llm.OpChat, []byte(body))
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return r
}

// A body of the same dialect changes in its model only.
func TestPatchModel(t *testing.T) {
	const body = `{"max_tokens": 5, "model" : "a" , "messages":[{"role":"user","content":"x"}], "new":{"b": 1.0} }`
	w, err := New().EncodeRequest(decodeRequest(t, body), dialect.Target{Model: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(body, `"a"`, `"b"`, 1); string(w.Body) != want {
		t.Errorf("got %s", w.Body)
	}
}
