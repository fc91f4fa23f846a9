package gateway

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/hosting"
	"github.com/attache-gateway/attache/extproc/llm"
)

// hostedGateway has providers whose dialect has another's form. Envoy could read
// the usage of all of them.
func hostedGateway(t testing.TB) *Holder {
	t.Helper()
	return newGateway(t, func(o *Options) {
		o.Dialects = append(o.Dialects, gemini.New())
		o.Providers = append(o.Providers,
			Provider{Name: "bedrock", Dialect: llm.Anthropic, Host: "bedrock", NativeUsage: true, Hosting: hosting.Hosting{Name: llm.HostBedrock}},
			Provider{Name: "vertex", Dialect: llm.Gemini, Host: "vertex", NativeUsage: true,
				Hosting: hosting.Hosting{Name: llm.HostVertex, Project: "p", Region: "eu"}})
	})
}

// invoked is an answer of Anthropic's in Amazon's messages.
func invoked() (body []byte) {
	for _, block := range strings.Split(strings.TrimSpace(anthropicStream), "\n\n") {
		_, data, _ := strings.Cut(block, "data: ")
		start := len(body)
		body = eventstream.Begin(body, eventstream.Field{Name: ":event-type", Value: "chunk"}, eventstream.Field{Name: ":message-type", Value: "event"})
		body = append(append(append(body, `{"bytes":"`...), base64.StdEncoding.EncodeToString([]byte(data))...), `"}`...)
		body = eventstream.End(body, start)
	}
	return body
}

// respond sends one response through an exchange.
func respond(t *testing.T, path, body string, status int, head []llm.Header, answer []byte) (Response, ResponseHead, string) {
	t.Helper()
	x, refusal, _ := decide(t, hostedGateway(t), path, body)
	if refusal != nil {
		t.Fatalf("answered %s", refusal.Body)
	}
	r, err := x.Respond(1, status, head, false)
	if err != nil {
		t.Fatal(err)
	}
	if r.Mode == ModePass {
		return r, *r.Head, ""
	}
	out := x.Chunk(answer, true)
	if out.Head != nil {
		return r, *out.Head, string(out.Body)
	}
	return r, *r.Head, string(out.Body)
}

func typeOf(h ResponseHead) (types []string) {
	for _, f := range h.Set {
		if f.Name == "content-type" {
			types = append(types, f.Value)
		}
	}
	return types
}

func TestHostedStreams(t *testing.T) {
	head := []llm.Header{{Name: "content-type", Value: eventstream.MediaType}, {Name: "content-length", Value: "9"}}
	for client, want := range map[string]string{
		llm.Anthropic: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\"",
		llm.OpenAI:    `"delta":{"content":"Gr`,
	} {
		q := requests[client]
		body := strings.Replace(strings.Replace(q.body, "%s", "bedrock/m", 1), "%v", "true", 1)
		r, h, got := respond(t, q.path, body, 200, head, invoked())
		if r.Mode != ModeStream || !strings.Contains(got, want) || len(typeOf(h)) != 1 || !strings.HasPrefix(typeOf(h)[0], "text/event-stream") {
			t.Errorf("%s: mode %v, %v, %s", client, r.Mode, h, got)
		}
	}
	// A whole body is Anthropic's own, and needs nobody to look at it.
	q := requests[llm.Anthropic]
	body := strings.Replace(strings.Replace(q.body, "%s", "bedrock/m", 1), "%v", "false", 1)
	r, h, _ := respond(t, q.path, body, 200, []llm.Header{{Name: "content-type", Value: "application/json"}}, nil)
	if r.Mode != ModePass || typeOf(h) != nil {
		t.Errorf("mode %v, %v", r.Mode, h)
	}
}

func TestHostedErrors(t *testing.T) {
	q := requests[llm.Anthropic]
	body := strings.Replace(strings.Replace(q.body, "%s", "bedrock/m", 1), "%v", "true", 1)
	_, h, got := respond(t, q.path, body, 400,
		[]llm.Header{{Name: "content-type", Value: "application/json"}, {Name: "x-amzn-errortype", Value: "ServiceQuotaExceededException:http://x"}}, []byte(`{"message":"spent"}`))
	if h.Status != 429 || !strings.Contains(got, `"type":"rate_limit_error","message":"spent"`) || len(typeOf(h)) != 1 {
		t.Errorf("%+v, %s", h, got)
	}
}

// A model whose tokens Bedrock cannot count is counted here.
func TestHostedCount(t *testing.T) {
	_, h, got := respond(t, "/v1/messages/count_tokens", `{"model":"bedrock/m","messages":[{"role":"user","content":"hi"}]}`, 400,
		[]llm.Header{{Name: "content-type", Value: "application/json"}, {Name: "x-amzn-errortype", Value: "ValidationException"}},
		[]byte(`{"message":"The provided model doesn't support counting tokens."}`))
	if h.Status != 200 || !strings.HasPrefix(got, `{"input_tokens":`) {
		t.Errorf("%+v, %s", h, got)
	}
}

// A client of Gemini's gets the form of embeddings that it asked for.
func TestHostedEmbeddings(t *testing.T) {
	head := []llm.Header{{Name: "content-type", Value: "application/json"}}
	answer := []byte(`{"predictions":[{"embeddings":{"statistics":{"token_count":2},"values":[0.5]}}]}`)
	for path, c := range map[string][2]string{
		":embedContent":       {`{"content":{"parts":[{"text":"x"}]}}`, `{"embedding":{"values":[0.5]}`},
		":batchEmbedContents": {`{"requests":[{"content":{"parts":[{"text":"x"}]}}]}`, `{"embeddings":[{"values":[0.5]}]`},
	} {
		_, h, got := respond(t, "/v1beta/models/vertex%2Ftext-embedding-005"+path, c[0], 200, head, answer)
		if !strings.HasPrefix(got, c[1]) || len(typeOf(h)) != 1 {
			t.Errorf("%s: %v, %s", path, h, got)
		}
	}
}

func TestHostingsAreChecked(t *testing.T) {
	for _, p := range []Provider{
		{Name: "v", Dialect: llm.Anthropic, Hosting: hosting.Hosting{Name: llm.HostVertex}},
		{Name: "v", Dialect: llm.Anthropic, Hosting: hosting.Hosting{Name: llm.HostAzure}},
		{Name: "v", Dialect: "unknown"},
	} {
		if _, err := New(Options{Dialects: []dialect.Dialect{anthropic.New()}, Providers: []Provider{p}}); err == nil || !strings.Contains(err.Error(), "provider v") {
			t.Errorf("%+v: got %v", p.Hosting, err)
		}
	}
}
