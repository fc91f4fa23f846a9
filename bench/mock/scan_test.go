package mock

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	for _, tc := range []struct {
		body string
		want facts
	}{
		{`{}`, facts{}},
		{`[]`, facts{}},
		{``, facts{}},
		{` { "model" : "a\"\u00e9" , "stream" : true } `, facts{model: `a"é`, stream: true}},
		{`{"stream":false,"stream_options":{"include_usage":true},"model":"m"}`, facts{model: "m", usage: true}},
		{`{"metadata":{"model":"no","x":["}","]",{"y":"\\"}]},"model":"m"}`, facts{model: "m"}},
		{`{"temperature":1e-3,"model":"m"}`, facts{model: "m"}},
		{`{"thinking":{"type":"disabled"},"max_tokens":1}`, facts{maxTokens: true}},
		{`{"messages":[{"role":"assistant","content":"use tool"}],"tools":[]}`, facts{messages: true, input: tokens(43)}},
		{`{"model":"m`, facts{}},
		{`{"model":"m"`, facts{model: "m"}},
	} {
		if got := scan([]byte(tc.body)); got != tc.want {
			t.Errorf("scan(%s) = %+v, want %+v", tc.body, got, tc.want)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, tc := range requests {
		f.Add([]byte(tc.body))
	}
	for _, s := range []string{hi, hiStream, `{"a":[[{}],"\\\""],"model":"m"}`, `{"model":`, `{"a"`, `{"":`, `[`, `"`, `{"a":}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := scan(body)
		// Escaped keys and keys in another case are the scanner's limits.
		if !json.Valid(body) || bytes.ContainsAny(body, "\\\x80") || bytes.Count(body, []byte(`"model"`)) > 1 {
			return
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(body, &object) != nil {
			return
		}
		var model string
		json.Unmarshal(object["model"], &model)
		if strings.ToValidUTF8(got.model, "\ufffd") != strings.ToValidUTF8(model, "\ufffd") {
			t.Errorf("model %q, want %q", got.model, model)
		}
		if _, ok := object["messages"]; ok != got.messages {
			t.Errorf("messages %v, want %v", got.messages, ok)
		}
	})
}

func BenchmarkScan64K(b *testing.B) {
	body := []byte(`{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat(`A line of sixty-four bytes, as they are in many a prompt text. \n`, 1000) + `"}],"stream":true}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if !scan(body).stream {
			b.Fatal("not found")
		}
	}
}
