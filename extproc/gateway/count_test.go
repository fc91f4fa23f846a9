package gateway

import (
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/hosting"
	"github.com/attache-gateway/attache/extproc/llm"
)

// counting is a gateway with a provider for every dialect and every hosting of
// one, each named after it.
func counting(t *testing.T) *Holder {
	return forwarding(t, func(o *Options) {
		o.Dialects = append(o.Dialects, bedrock.New())
		o.Providers = nil
		o.Models = nil
		for name, p := range map[string]Provider{
			"openai":         {Dialect: llm.OpenAI},
			"responses":      {Dialect: llm.Responses},
			"anthropic":      {Dialect: llm.Anthropic},
			"gemini":         {Dialect: llm.Gemini},
			"bedrock":        {Dialect: llm.Bedrock},
			"vertex-gemini":  {Dialect: llm.Gemini, Hosting: hosting.Hosting{Name: llm.HostVertex, Project: "p", Region: "global"}},
			"vertex-claude":  {Dialect: llm.Anthropic, Hosting: hosting.Hosting{Name: llm.HostVertex, Project: "p", Region: "global"}},
			"bedrock-claude": {Dialect: llm.Anthropic, Hosting: hosting.Hosting{Name: llm.HostBedrock, Region: "eu-central-1"}},
		} {
			p.Name, p.Host = name, name
			o.Providers = append(o.Providers, p)
		}
	})
}

// questions ask for a count in every dialect that can.
var questions = map[string]struct{ path, body, answer string }{
	llm.Anthropic: {"/v1/messages/count_tokens", `{"model":"TARGET","messages":[{"role":"user","content":"How many tokens?"}]}`, `{"input_tokens":`},
	llm.Gemini:    {"/v1beta/models/TARGET:countTokens", `{"contents":[{"role":"user","parts":[{"text":"How many tokens?"}]}]}`, `{"totalTokens":`},
	llm.Responses: {"/v1/responses/input_tokens", `{"model":"TARGET","input":"How many tokens?"}`, `{"object":"response.input_tokens","input_tokens":`},
	llm.Bedrock:   {"/model/TARGET/count-tokens", `{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"How many tokens?"}]}]}}}`, `{"inputTokens":`},
}

// counts are how the paths of providers that count end.
var counts = map[string]string{
	"anthropic": "/v1/messages/count_tokens", "vertex-claude": "/count-tokens:rawpredict", "bedrock-claude": "/count-tokens",
	"gemini": ":counttokens", "vertex-gemini": ":counttokens", "bedrock": "/model/m/count-tokens", "responses": "/responses/input_tokens",
}

// A target of the client's dialect counts, for all others we do, and say so.
func TestCountTokens(t *testing.T) {
	h := counting(t)
	for dialect, q := range questions {
		for _, p := range h.Current().ordered {
			target := p.Name + "/m"
			_, answer, f := ask(t, h, "POST", strings.Replace(q.path, "TARGET", target, 1), strings.Replace(q.body, "TARGET", target, 1))
			switch {
			case p.Dialect == dialect:
				if answer != nil || !strings.HasSuffix(strings.ToLower(setTo(f.First, ":path")), counts[p.Name]) {
					t.Errorf("%s to %s: got %+v, %+v", dialect, p.Name, answer, f)
				}
			case answer == nil || answer.Status != 200 || value(answer.Header, "x-attache-counted") != "estimate" || !strings.HasPrefix(string(answer.Body), q.answer):
				t.Errorf("%s to %s: got %+v, %+v", dialect, p.Name, answer, f)
			}
		}
	}
}

// A server of the dialect that has no such call is found out by its answer.
func TestCountInstead(t *testing.T) {
	for _, tt := range []struct {
		status       int
		kind, answer string
		ours         bool
	}{
		{404, "text/plain", "404 page not found", true},
		{405, "application/json", `{"detail":"Method Not Allowed"}`, true},
		{501, "", "", true},
		{404, "application/json", `{"type":"error","error":{"type":"not_found_error","message":"model: x"}}`, false},
		{500, "text/plain", "oops", false},
		{200, "application/json", `{"input_tokens":7}`, false},
	} {
		q := questions[llm.Anthropic]
		x, _, _ := ask(t, counting(t), "POST", q.path, strings.Replace(q.body, "TARGET", "anthropic/m", 1))
		if _, err := x.Respond(1, tt.status, []llm.Header{{Name: "content-type", Value: tt.kind}}, false); err != nil {
			t.Fatal(err)
		}
		out := x.Chunk([]byte(tt.answer), true)
		x.Close(false)
		ours := value(out.Head.Set, "x-attache-counted") == "estimate"
		if ours != tt.ours || ours != strings.HasPrefix(string(out.Body), `{"input_tokens":`) && tt.status != 200 || ours && (out.Head.Status != 200 || x.record.Status != 200 || !x.record.Counted || x.record.Usage.Total() != 0) {
			t.Errorf("%d %s: got %+v %s, %+v", tt.status, tt.answer, out.Head, out.Body, x.record)
		}
	}
}

// What messages cost besides their texts is not counted where there are none.
func TestCountWithoutMessages(t *testing.T) {
	text := llm.Part{Kind: llm.PartText, Text: "hello there"}
	for _, tt := range []struct {
		name string
		req  llm.Request
		want int64
	}{
		{"a list of models", llm.Request{Op: llm.OpModels}, 0},
		{"embeddings", llm.Request{Op: llm.OpEmbeddings, Inputs: []llm.Part{text}}, 2},
		{"a chat", llm.Request{Op: llm.OpChat, Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{text}}}}, 8},
	} {
		tt.req.Body.Raw = []byte(text.Text) // as much may be counted
		if got := inputTokens(&tt.req, false); got != tt.want {
			t.Errorf("%s: got %d tokens, want %d", tt.name, got, tt.want)
		}
	}
}
