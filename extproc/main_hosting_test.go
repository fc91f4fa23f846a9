package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/bench/mock"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
)

// A hosted provider is one whose API has a form of its own: what is sent to it,
// and what it answers.
type hosted struct {
	config string // of the provider, with the URL to be filled in
	model  string
	path   string            // that it is called by, for a stream
	header map[string]string // that it gets; empty: is not there
	body   []string          // that is in what it gets; with ! before it: that is not
	answer mock.Recording    // a stream
	corpus string            // a recording of the real service
}

// sse makes a stream of data.
func sse(named bool, data ...string) mock.Recording {
	var b strings.Builder
	for _, d := range data {
		if _, rest, ok := strings.Cut(d, `"type":"`); ok && named {
			name, _, _ := strings.Cut(rest, `"`)
			fmt.Fprintf(&b, "event: %s\n", name)
		}
		fmt.Fprintf(&b, "data: %s\n\n", d)
	}
	return mock.Recording{Status: 200, ContentType: "text/event-stream", Body: []byte(b.String())}
}

// claude is an answer of Anthropic's, event by event.
var claude = []string{
	`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":1}}}`,
	`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
	`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Salut"}}`,
	`{"type":"content_block_stop","index":0}`,
	`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}`,
	`{"type":"message_stop"}`,
}

// invoked is the same by Amazon's InvokeModel.
func invoked() mock.Recording {
	var body []byte
	for _, e := range claude {
		start := len(body)
		body = eventstream.Begin(body, eventstream.Field{Name: ":event-type", Value: "chunk"},
			eventstream.Field{Name: ":content-type", Value: "application/json"}, eventstream.Field{Name: ":message-type", Value: "event"})
		body = fmt.Appendf(body, `{"bytes":%q,"p":"abcdef"}`, base64.StdEncoding.EncodeToString([]byte(e)))
		body = eventstream.End(body, start)
	}
	return mock.Recording{Status: 200, ContentType: eventstream.MediaType, Body: body}
}

var hostedProviders = map[string]hosted{
	"azure": {
		config: `{kind: azure, url: %q, key: key-of-azure, api_version: "2024-10-21"}`,
		model:  "gpt 4o",
		path:   "/openai/deployments/gpt%204o/chat/completions?api-version=2024-10-21",
		header: map[string]string{"Api-Key": "key-of-azure", "Authorization": ""},
		body:   []string{`"include_usage":true`},
		answer: sse(false,
			`{"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}`,
			`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":""},"content_filter_results":{},"finish_reason":null}]}`,
			`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"Salut"},"finish_reason":null}]}`,
			`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
			`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}`,
			`[DONE]`),
		corpus: "azure/azure-chat-1bf3923bf16b.json",
	},
	"vertex": {
		config: `{kind: vertex, url: %q, key: key-of-vertex, project: my-project, region: europe-west1}`,
		model:  "gemini-2.5-flash",
		path:   "/v1/projects/my-project/locations/europe-west1/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
		header: map[string]string{"Authorization": "Bearer key-of-vertex"},
		body:   []string{`"contents":[{"role":"user"`},
		answer: sse(false,
			`{"candidates":[{"content":{"role":"model","parts":[{"text":"Salut"}]}}],"usageMetadata":{"promptTokenCount":7,"trafficType":"ON_DEMAND"},"modelVersion":"m","createTime":"2026-08-19T14:34:15Z","responseId":"r"}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10},"modelVersion":"m","responseId":"r"}`),
		corpus: "vertex/vertex-streamGenerateContent-25c4b5aa02e8.json",
	},
	"vertex-claude": {
		config: `{kind: vertex, dialect: anthropic, url: %q, key: key-of-vertex, project: my-project, region: us}`,
		model:  "claude-sonnet-4-5@20250929",
		path:   "/v1/projects/my-project/locations/us/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict",
		header: map[string]string{"Authorization": "Bearer key-of-vertex", "Anthropic-Version": ""},
		body:   []string{`"anthropic_version":"vertex-2023-10-16"`, `!"model"`, `"stream":true`},
		answer: sse(true, claude...),
		corpus: "vertex-anthropic/vertex-anthropic-streamRawPredict-22ed6b2a5d8f.json",
	},
	"bedrock-claude": {
		config: `{kind: bedrock, dialect: anthropic, url: %q, key: key-of-bedrock, region: eu-central-1}`,
		model:  "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
		path:   "/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke-with-response-stream",
		header: map[string]string{"Authorization": "Bearer key-of-bedrock", "Anthropic-Version": ""},
		body:   []string{`"anthropic_version":"bedrock-2023-05-31"`, `!"model"`, `!"stream"`},
		answer: invoked(),
		corpus: "bedrock/bedrock-invoke-with-response-stream-fcfd06d61347.json",
	},
	"cohere": {
		config: `{kind: cohere, url: %q, key: key-of-cohere}`,
		model:  "command-a",
		path:   "/v2/chat",
		header: map[string]string{"Authorization": "Bearer key-of-cohere"},
		body:   []string{`"model":"command-a"`, `"stream":true`},
		answer: sse(true,
			`{"id":"i","type":"message-start","delta":{"message":{"role":"assistant"}}}`,
			`{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`,
			`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Salut"}}}}`,
			`{"type":"content-end","index":0}`,
			`{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":2,"output_tokens":1},"tokens":{"input_tokens":7,"output_tokens":3}}}}`),
		corpus: "cohere/cohere-chat-v2-2abae69db0e2.json",
	},
}

// TestHostings asks providers whose API has a form of its own, through a real
// Envoy, for what they have answered before.
func TestHostings(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			var lines []string
			servers := map[string]*mock.Server{}
			for name, h := range hostedProviders {
				replay := map[string]*mock.Recording{"own": &h.answer}
				if rec, err := mock.LoadRecording(filepath.Join("../../shared/corpus", h.corpus)); err == nil {
					replay["recorded"] = rec
				} else {
					t.Log(err)
				}
				s, err := mock.Start(mock.Options{Name: name, Recordings: replay, Behaviour: mock.Behaviour{Replay: "own"}, Log: 64})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				servers[name] = s
				lines = append(lines, "  "+name+": "+fmt.Sprintf(h.config, s.URL()))
				if replay["recorded"] != nil {
					r, err := mock.Start(mock.Options{Name: name, Recordings: replay, Behaviour: mock.Behaviour{Replay: "recorded"}})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { r.Close() })
					lines = append(lines, "  recorded-"+name+": "+fmt.Sprintf(h.config, r.URL()))
				}
			}
			w := begin(t, version, lines...)
			for name, h := range hostedProviders {
				for _, dialect := range []string{"openai", "anthropic"} {
					w.askHosted(t, servers[name], name, h, dialect)
					if strings.Contains(strings.Join(lines, "\n"), "recorded-"+name+":") {
						q := ask{dialect: dialect, model: "recorded-" + name + "/" + h.model, stream: true}
						if a := w.do(t, q); q.outcome(a) != "good" {
							t.Errorf("%s, recorded: %s: %.600s", name, q.outcome(a), a.body)
						}
					}
				}
			}
		})
	}
}

func (w *world) askHosted(t *testing.T, s *mock.Server, name string, h hosted, dialect string) {
	t.Helper()
	q := ask{dialect: dialect, model: name + "/" + h.model, stream: true, header: map[string]string{"Anthropic-Beta": "made-up-2020-01-01"}}
	a := w.do(t, q)
	if got := q.outcome(a); got != "good" || !strings.Contains(a.body, "Salut") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("%s: %s: %v %s", name, got, a.header, a.body)
	}
	if r := w.row(t, a); r.input != 7 || r.output != 3 || r.counted || r.truncated || r.target != q.model {
		t.Errorf("%s: the record has %+v", name, r)
	}
	log := s.Log()
	e := log[len(log)-1]
	if e.Path != h.path || e.Method != http.MethodPost {
		t.Errorf("%s: got %s %s, want %s", name, e.Method, e.Path, h.path)
	}
	for header, want := range h.header {
		if got := e.Header.Get(header); got != want {
			t.Errorf("%s: %s is %q, not %q", name, header, got, want)
		}
	}
	for _, part := range h.body {
		if no, ok := strings.CutPrefix(part, "!"); strings.Contains(string(e.Body), strings.TrimPrefix(part, "!")) == ok {
			t.Errorf("%s: %s (%v): %s", name, no, ok, e.Body)
		}
	}
	if strings.Contains(string(e.Body)+e.Header.Get("Anthropic-Beta"), "made-up") && name != "vertex" {
		t.Errorf("%s: a beta that it does not know reached it", name)
	}
}
