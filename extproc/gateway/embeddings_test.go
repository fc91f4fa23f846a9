package gateway

import (
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/llm"
)

// The official SDKs of OpenAI ask for base64 unless they are told otherwise, and
// decode whatever string they get. [1, -2.5] is "AACAPwAAIMA=" as little-endian
// numbers of 32 bits.
func TestEmbeddings(t *testing.T) {
	const (
		floats = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,-2.5]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`
		base64 = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPwAAIMA="}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`
		single = `{"embedding":{"values":[1,-2.5]}}`
		batch  = `{"embeddings":[{"values":[1,-2.5]}]}`
	)
	for _, tt := range []struct {
		name, path, body string
		sent             string // a part of what the provider gets, or status and parameter
		answer, got      string // the provider's, and a part of what the client gets
	}{
		{"base64 as asked", "/v1/embeddings", `{"model":"a/m","input":"x","encoding_format":"base64"}`, `"encoding_format":"base64"`, base64, `"embedding":"AACAPwAAIMA="`},
		{"floats although base64 was asked", "/v1/embeddings", `{"model":"a/m","input":"x","encoding_format":"base64"}`, `"encoding_format":"base64"`, floats, `"embedding":"AACAPwAAIMA="`},
		{"base64 although nothing was", "/v1/embeddings", `{"model":"a/m","input":"x"}`, `"input":"x"`, base64, `"embedding":[1,-2.5]`},
		{"base64 from floats", "/v1/embeddings", `{"model":"g/m","input":"x","encoding_format":"base64"}`, `"text":"x"`, single, `"embedding":"AACAPwAAIMA="`},
		{"floats", "/v1/embeddings", `{"model":"g/m","input":["x"],"encoding_format":"float"}`, `"text":"x"`, single, `"embedding":[1,-2.5]`},
		{"nothing said", "/v1/embeddings", `{"model":"g/m","input":["x","y"],"dimensions":2}`, `"outputDimensionality":2`, batch, `"embedding":[1,-2.5]`},
		{"tokens", "/v1/embeddings", `{"model":"a/m","input":[[1,2]]}`, `"input":[[1,2]]`, floats, `[1,-2.5]`},
		{"tokens to another format", "/v1/embeddings", `{"model":"g/m","input":[[1,2]]}`, `400 "param":"input"`, "", ""},
		{"Gemini to OpenAI", "/v1beta/models/a%2Fm:embedContent", `{"content":{"parts":[{"text":"x"}]},"outputDimensionality":2}`, `"dimensions":2`, floats, `"values":[1,-2.5]`},
		{"base64 to Gemini", "/v1beta/models/a%2Fm:embedContent", `{"content":{"parts":[{"text":"x"}]}}`, `"x"`, base64, `"values":[1,-2.5]`},
		{"a batch", "/v1beta/models/a%2Fm:batchEmbedContents", `{"requests":[{"model":"models/m","content":{"parts":[{"text":"x"}]}}]}`, `"input":["x"]`, floats, `{"embeddings":[{"values":[1,-2.5]}]`},
		{"who has none", "/v1/embeddings", `{"model":"b/m","input":"x"}`, `400 embeddings`, "", ""},
		{"nor here", "/v1/embeddings", `{"model":"k/m","input":"x"}`, `400 embeddings`, "", ""},
		{"nor here", "/v1/embeddings", `{"model":"r/m","input":"x"}`, `400 embeddings`, "", ""},
	} {
		h := forwarding(t, func(o *Options) {
			o.Dialects = append(o.Dialects, bedrock.New())
			o.Providers = append(o.Providers, Provider{Name: "k", Dialect: llm.Bedrock, Host: "k"})
		})
		x, answer, _ := ask(t, h, "POST", tt.path, tt.body)
		if answer != nil {
			status, part, _ := strings.Cut(tt.sent, " ")
			if itoa(answer.Status) != status || !strings.Contains(string(answer.Body), part) {
				t.Errorf("%s: got %s", tt.name, answer.Body)
			}
			continue
		}
		if sent := string(x.plan.steps[0].wire.Body); !strings.Contains(sent, tt.sent) {
			t.Errorf("%s: the provider gets %s", tt.name, sent)
		}
		r, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: "application/json"}}, false)
		if err != nil || r.Mode != ModeWhole {
			t.Errorf("%s: got %+v, %v", tt.name, r, err)
			continue
		}
		if out := x.Chunk([]byte(tt.answer), true); !strings.Contains(string(out.Body), tt.got) {
			t.Errorf("%s: the client gets %s", tt.name, out.Body)
		}
	}
}
