package mock

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"
)

func embed(t *testing.T, url, body string) (vectors [][]float32, tokens int) {
	t.Helper()
	var list struct {
		Data []struct {
			Index     int
			Embedding json.RawMessage
		}
		Usage struct {
			Tokens int `json:"prompt_tokens"`
		}
	}
	if err := json.Unmarshal([]byte(read(t, url+"/v1/embeddings", body)), &list); err != nil {
		t.Fatal(err)
	}
	for i, d := range list.Data {
		var v []float32
		var text string
		if json.Unmarshal(d.Embedding, &text) == nil {
			raw, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			v = make([]float32, len(raw)/4)
			for j := range v {
				v[j] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*j:]))
			}
		} else if err := json.Unmarshal(d.Embedding, &v); err != nil {
			t.Fatal(err)
		}
		if d.Index != i {
			t.Errorf("index %d at %d", d.Index, i)
		}
		vectors = append(vectors, v)
	}
	return vectors, list.Usage.Tokens
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestEmbeddings(t *testing.T) {
	s := start(t, Options{})
	for _, tc := range []struct {
		input         string
		vectors, used int
	}{
		{`"one two"`, 1, 2},
		{`["one two","three"]`, 2, 3},
		{`[1,2,3]`, 1, 3},
		{`[[1,2],[3]]`, 2, 3},
		{`""`, 1, 0},
	} {
		floats, got := embed(t, s.URL(), `{"model":"e","dimensions":16,"input":`+tc.input+`}`)
		if len(floats) != tc.vectors || got != tc.used {
			t.Errorf("%s: %d vectors, %d tokens", tc.input, len(floats), got)
		}
		coded, _ := embed(t, s.URL(), `{"model":"e","dimensions":16,"encoding_format":"base64","input":`+tc.input+`}`)
		for i, v := range floats {
			if len(v) != 16 || math.Abs(dot(v, v)-1) > 1e-5 || math.Abs(dot(v, coded[i])-1) > 1e-5 {
				t.Errorf("%s: vectors %v and %v", tc.input, v, coded[i])
			}
		}
	}
}

func TestEmbeddingsOfLikeTextsAreNear(t *testing.T) {
	s := start(t, Options{})
	v, _ := embed(t, s.URL(), `{"model":"e","input":["what is the capital of France","tell me what is the capital of France","bake bread slowly"]}`)
	if near, far := dot(v[0], v[1]), dot(v[0], v[2]); near < 0.8 || far > 0.3 {
		t.Errorf("near %.2f, far %.2f", near, far)
	}
}

func TestEmbeddingsRefuseBadInput(t *testing.T) {
	s := start(t, Options{})
	for _, body := range []string{`{"model":"e"}`, `{"model":"e","input":{"a":1}}`, `{"model":"e","input":"a","dimensions":-1}`, `{"model":"e","input":"a","dimensions":99999}`} {
		if resp := post(t, s.URL()+"/v1/embeddings", body); resp.StatusCode != 400 {
			t.Errorf("%s: status %d", body, resp.StatusCode)
		}
	}
}
