package openai

import (
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Official SDKs ask for base64 and take what they get for it.
func TestPackedVectors(t *testing.T) {
	for _, c := range []struct{ format, vector, want string }{
		{`"base64"`, `[0.5, -1]`, `"AAAAPwAAgL8="`},
		{`"base64"`, `"AAAAPwAAgL8="`, `"AAAAPwAAgL8="`},
		{`"float"`, `[0.5, -1]`, `[0.5, -1]`},
	} {
		r, err := New().DecodeRequest(llm.OpEmbeddings, []byte(`{"model":"m","input":"a","encoding_format":`+c.format+`}`))
		if err != nil {
			t.Fatal(err)
		}
		out, err := New().NewEncoder(r).Encode(nil, []llm.Event{{Kind: llm.EventVector, Text: c.vector}, {Kind: llm.EventEnd}})
		want := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":` + c.want + `}],"model":"m","usage":{"prompt_tokens":0,"total_tokens":0}}`
		if err != nil || string(out) != want {
			t.Errorf("got %s, %v, want %s", out, err, want)
		}
	}
}

func TestEmbeddingsOfOthers(t *testing.T) {
	r := &llm.Request{Op: llm.OpEmbeddings, Dialect: llm.Gemini, Inputs: []llm.Part{{Text: "a"}, {Text: "b"}}, Dimensions: 3}
	w, err := New().EncodeRequest(r, dialect.Target{Model: "m"})
	if err != nil || w.Path+" "+string(w.Body) != `/embeddings {"model":"m","input":["a","b"],"dimensions":3}` {
		t.Errorf("got %+v, %v", w, err)
	}
}
