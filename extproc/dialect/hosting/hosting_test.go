package hosting

import (
	"encoding/base64"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
)

var (
	azureDated    = Hosting{Name: llm.HostAzure, APIVersion: "2024-10-21"}
	onVertex      = Hosting{Name: llm.HostVertex, Project: "p", Region: "europe-west1"}
	onBedrock     = Hosting{Name: llm.HostBedrock}
	geminiRequest = `{"contents":[{"parts":[{"text":"Hi"}]}]}`
	claudeRequest = `{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`
)

// encode writes what a client of the dialect has sent for a service.
func encode(t *testing.T, h Hosting, d dialect.Dialect, r *llm.Request, model, body string) (*dialect.Wire, error) {
	t.Helper()
	asked, err := d.DecodeRequest(r.Op, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	asked.Stream, asked.Header = asked.Stream || r.Stream, r.Header
	return of(t, h, d).EncodeRequest(asked, dialect.Target{Model: model})
}

func TestOf(t *testing.T) {
	if d, err := (Hosting{}).Of(bedrock.New()); err != nil || !reflect.DeepEqual(d, dialect.ProviderSide(bedrock.New())) {
		t.Errorf("got %v, %v", d, err)
	}
	for _, c := range []struct {
		h    Hosting
		d    dialect.Dialect
		want string
	}{
		{Hosting{Name: llm.HostVertex, Region: "us"}, gemini.New(), "needs a project and a region"},
		{Hosting{Name: llm.HostVertex, Project: "p"}, anthropic.New(), "needs a project and a region"},
		{onBedrock, openai.New(), "bedrock does not offer the dialect openai"},
		{Hosting{Name: "elsewhere"}, openai.New(), "elsewhere does not offer"},
	} {
		if _, err := c.h.Of(c.d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v", c.h, err)
		}
	}
}

func TestPaths(t *testing.T) {
	chat := `{"model":"m","messages":[{"role":"user","content":"Hi"}]}`
	for _, c := range []struct {
		h           Hosting
		d           dialect.Dialect
		op          llm.Op
		stream      bool
		model, body string
		want        string
	}{
		{azureDated, openai.New(), llm.OpChat, false, "my gpt", chat, "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21"},
		{azureDated, openai.New(), llm.OpEmbeddings, false, "e", `{"model":"e","input":"x"}`, "/openai/deployments/e/embeddings?api-version=2024-10-21"},
		{azureDated, responses.New(), llm.OpChat, false, "m", `{"model":"m","input":"x"}`, "/openai/responses?api-version=2024-10-21"},
		{Hosting{Name: llm.HostAzure}, openai.New(), llm.OpChat, false, "m", chat, "/openai/v1/chat/completions"},
		{Hosting{Name: llm.HostAzure, APIVersion: "v1"}, responses.New(), llm.OpChat, false, "m", `{"model":"m","input":"x"}`, "/openai/v1/responses"},
		{Hosting{Name: llm.HostAzure, APIVersion: "preview"}, openai.New(), llm.OpChat, false, "m", chat, "/openai/v1/chat/completions?api-version=preview"},

		{onVertex, gemini.New(), llm.OpChat, false, "gemini-2.5-flash", geminiRequest, "/v1/projects/p/locations/europe-west1/publishers/google/models/gemini-2.5-flash:generateContent"},
		{onVertex, gemini.New(), llm.OpChat, true, "gemini-2.5-flash", geminiRequest, "/v1/projects/p/locations/europe-west1/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse"},
		{onVertex, gemini.New(), llm.OpChat, false, "endpoints/42", geminiRequest, "/v1/projects/p/locations/europe-west1/endpoints/42:generateContent"},
		{onVertex, gemini.New(), llm.OpCountTokens, false, "other/m", geminiRequest, "/v1/projects/p/locations/europe-west1/publishers/other/models/m:countTokens"},
		{onVertex, gemini.New(), llm.OpEmbeddings, false, "gemini-embedding-2", `{"content":{"parts":[{"text":"x"}]}}`, "/v1/projects/p/locations/europe-west1/publishers/google/models/gemini-embedding-2:embedContent"},

		{onVertex, anthropic.New(), llm.OpChat, false, "claude-sonnet-4-5@20250929", claudeRequest, "/v1/projects/p/locations/europe-west1/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict"},
		{onVertex, anthropic.New(), llm.OpChat, true, "c", claudeRequest, "/v1/projects/p/locations/europe-west1/publishers/anthropic/models/c:streamRawPredict"},
		{onVertex, anthropic.New(), llm.OpCountTokens, false, "c", claudeRequest, "/v1/projects/p/locations/europe-west1/publishers/anthropic/models/count-tokens:rawPredict"},

		{onBedrock, anthropic.New(), llm.OpChat, false, "us.anthropic.claude-v1:0", claudeRequest, "/model/us.anthropic.claude-v1%3A0/invoke"},
		{onBedrock, anthropic.New(), llm.OpChat, true, "arn:aws:bedrock:x/y", claudeRequest, "/model/arn%3Aaws%3Abedrock%3Ax%2Fy/invoke-with-response-stream"},
		{onBedrock, anthropic.New(), llm.OpCountTokens, false, "c", claudeRequest, "/model/c/count-tokens"},
		{onBedrock, anthropic.New(), llm.OpCountTokens, false, "us.anthropic.claude-v1:0", claudeRequest, "/model/anthropic.claude-v1%3A0/count-tokens"},
	} {
		w, err := encode(t, c.h, c.d, &llm.Request{Op: c.op, Stream: c.stream}, c.model, c.body)
		if err != nil || w.Path != c.want {
			t.Errorf("%+v, %s: %v, %+v, want %s", c.h, c.model, err, w, c.want)
		}
	}
}

// Who speaks another dialect is served as well.
func TestForeignClients(t *testing.T) {
	r := &llm.Request{
		Op: llm.OpChat, Dialect: llm.OpenAI, Model: "m", Stream: true, MaxTokens: 5, ServiceTier: "flex",
		Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{{Text: "Hi"}}}},
	}
	for _, c := range []struct {
		h    Hosting
		d    dialect.Dialect
		want string
	}{
		{onBedrock, anthropic.New(), `{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"anthropic_version":"bedrock-2023-05-31"}`},
		{onVertex, anthropic.New(), `{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"stream":true,"anthropic_version":"vertex-2023-10-16"}`},
		{onVertex, gemini.New(), `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":5}}`},
	} {
		w, err := of(t, c.h, c.d).EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Replace(string(w.Body), `"service_tier":"standard_only",`, "", 1)
		if !same(t, []byte(got), []byte(c.want)) || len(w.Header) > 0 {
			t.Errorf("got %s %v, want %s", w.Body, w.Header, c.want)
		}
	}
}

func TestBetas(t *testing.T) {
	header := []llm.Header{
		{Name: versionHeader, Value: "2023-06-01"},
		{Name: betaHeader, Value: "context-1m-2025-08-07, oauth-2025-04-20"},
		{Name: betaHeader, Value: "advanced-tool-use-2025-11-20,tool-search-tool-2025-10-19"},
	}
	warning := []string{"anthropic-beta: oauth-2025-04-20 was left out: the service is not known to have it"}
	r := &llm.Request{Op: llm.OpChat, Header: header}
	w, err := encode(t, onBedrock, anthropic.New(), r, "c", claudeRequest)
	if err != nil || len(w.Header) > 0 || !slices.Equal(w.Warnings, warning) ||
		!strings.Contains(string(w.Body), `"anthropic_beta":["context-1m-2025-08-07","tool-search-tool-2025-10-19"]`) {
		t.Errorf("bedrock: %v, %+v, %s", err, w, w.Body)
	}
	w, err = encode(t, onVertex, anthropic.New(), r, "c", claudeRequest)
	want := []llm.Header{{Name: betaHeader, Value: "context-1m-2025-08-07,tool-search-tool-2025-10-19"}}
	if err != nil || !slices.Equal(w.Header, want) || !slices.Equal(w.Warnings, warning) || strings.Contains(string(w.Body), "beta") {
		t.Errorf("vertex: %v, %+v, %s", err, w, w.Body)
	}
}

func TestLinks(t *testing.T) {
	for _, h := range []Hosting{onBedrock, onVertex} {
		for body, param := range map[string]string{
			`{"model":"c","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"?"},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]}]}`:        "messages[0].content[1]",
			`{"model":"c","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]}]}`: "messages[0].content[0].content[0]",
		} {
			_, err := encode(t, h, anthropic.New(), &llm.Request{Op: llm.OpChat}, "c", body)
			var e *llm.Error
			if !errors.As(err, &e) || e.Code != llm.CodeUnsupported || e.Param != param {
				t.Errorf("%s: got %v", h.Name, err)
			}
		}
		_, err := encode(t, h, anthropic.New(), &llm.Request{Op: llm.OpChat}, "c",
			`{"model":"c","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]}]}`)
		if err != nil {
			t.Error(err)
		}
	}
}

func TestInvokeCount(t *testing.T) {
	w, err := encode(t, onBedrock, anthropic.New(), &llm.Request{Op: llm.OpCountTokens}, "c", `{"model":"claude","messages":[{"role":"user","content":"Hi"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := strings.CutPrefix(string(w.Body), `{"input":{"invokeModel":{"body":"`)
	text, ok := strings.CutSuffix(text, `"}}}`)
	body, err := base64.StdEncoding.DecodeString(text)
	const want = `{"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"bedrock-2023-05-31","max_tokens":1}`
	if !ok || err != nil || string(body) != want {
		t.Errorf("%v, %s, %s", err, w.Body, body)
	}
}

// message is a message of an event stream with the payload.
func message(payload string, headers ...string) []byte {
	var fields []eventstream.Field
	for i := 0; i < len(headers); i += 2 {
		fields = append(fields, eventstream.Field{Name: headers[i], Value: headers[i+1]})
	}
	return eventstream.End(append(eventstream.Begin(nil, fields...), payload...), 0)
}

func chunk(event string) []byte {
	return message(`{"p":"abc","bytes":"`+base64.StdEncoding.EncodeToString([]byte(event))+`"}`, ":event-type", "chunk", ":message-type", "event")
}

func TestInvokeStream(t *testing.T) {
	const start = `{"type":"message_start","message":{"id":"i","type":"message","role":"assistant","content":[],"model":"m","usage":{"input_tokens":1,"output_tokens":1}}}`
	d := of(t, onBedrock, anthropic.New())
	read := func(parts ...[]byte) ([]llm.Event, string, error) {
		events, raw, err := decode(d, llm.OpChat, eventstream.MediaType, [][]byte{slices.Concat(parts...)})
		return events, string(raw), err
	}
	stop := chunk("{\"type\":\"message_stop\",\n\"amazon-bedrock-invocationMetrics\":{}}")
	events, raw, err := read(chunk(start), message(`{}`, ":event-type", "other", ":message-type", "event"), stop)
	if err != nil || events[len(events)-1].Kind != llm.EventEnd || raw != "event: message_start\ndata: "+start+"\n\n"+
		`event: message_stop`+"\n"+`data: {"type":"message_stop","amazon-bedrock-invocationMetrics":{}}`+"\n\n" {
		t.Errorf("%v, %v, %q", err, events, raw)
	}

	events, raw, err = read(chunk(start), message(`{"message":"slow"}`, ":exception-type", "throttlingException", ":message-type", "exception"))
	last := events[len(events)-1]
	if err != nil || last.Kind != llm.EventError || last.Err.Status != 429 || last.Err.Message != "slow" || !strings.Contains(raw, "event: error\ndata: {") {
		t.Errorf("%v, %+v, %q", err, last, raw)
	}

	events, _, err = read(chunk(start), stop[:len(stop)-1])
	if err != nil || events[len(events)-1].Kind == llm.EventEnd {
		t.Errorf("cut: %v, %v", err, events)
	}
	for name, broken := range map[string][]byte{
		"base64":   message(`{"bytes":"!"}`, ":event-type", "chunk", ":message-type", "event"),
		"json":     message(`{"bytes":`, ":event-type", "chunk", ":message-type", "event"),
		"event":    chunk(`{"type":`),
		"lines":    chunk(`{"type":"ping\ndata: {}"}`),
		"checksum": append(chunk(start)[:20], make([]byte, 500)...),
	} {
		events, _, err := read(chunk(start), broken)
		var e *llm.Error
		if !errors.As(err, &e) || e.Status != 502 || len(events) == 0 {
			t.Errorf("%s: %v, %v", name, err, events)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		h      Hosting
		status int
		head   []llm.Header
		body   string
		want   llm.Error
	}{
		{onBedrock, 400, []llm.Header{{Name: "x-amzn-errortype", Value: "ServiceQuotaExceededException:http://x"}}, `{"message":"spent"}`,
			llm.Error{Status: 429, Code: llm.CodeQuota, Message: "spent", Type: "ServiceQuotaExceededException"}},
		{onBedrock, 400, nil, `{"type":"error","error":{"type":"invalid_request_error","message":"invalid beta flag"}}`,
			llm.Error{Status: 400, Code: llm.CodeInvalidRequest, Message: "invalid beta flag", Type: "invalid_request_error"}},
		{onVertex, 429, nil, `[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}]`,
			llm.Error{Status: 429, Code: llm.CodeRateLimited, Message: "slow", Type: "rate_limit_error"}},
		{onVertex, 529, nil, `{"type":"error","error":{"type":"overloaded_error","message":"full"}}`,
			llm.Error{Status: 529, Code: "overloaded", Message: "full", Type: "overloaded_error"}},
	} {
		if got := of(t, c.h, anthropic.New()).DecodeError(c.status, c.head, []byte(c.body)); *got != c.want {
			t.Errorf("%s: got %+v", c.body, *got)
		}
	}
}

func TestVertexBodies(t *testing.T) {
	for _, c := range []struct {
		op         llm.Op
		in, out    string
		warned     int
		unchanging bool
	}{
		{llm.OpChat, `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`, `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`, 0, true},
		{llm.OpChat, `{"contents": [ {"parts":[{"text":"Hi"}]},{"role":"model","parts":[]}],"serviceTier":"flex","store":false}`,
			`{"contents": [ {"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[]}]}`, 2, false},
		{llm.OpCountTokens, `{"contents":[{"parts":[{"text":"Hi"}]}]}`, `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`, 0, false},
		{llm.OpCountTokens, `{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"Hi"}]}],"tools":[],"safetySettings":[]}}`,
			`{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"tools":[]}`, 0, false},
		{llm.OpEmbeddings, `{"model":"models/m","content":{"parts":[{"text":"Hi"}]},"taskType":"X"}`, `{"content":{"parts":[{"text":"Hi"}]},"taskType":"X"}`, 0, false},
	} {
		w, err := encode(t, onVertex, gemini.New(), &llm.Request{Op: c.op}, "gemini-3-m", c.in)
		if err != nil || string(w.Body) != c.out || len(w.Warnings) != c.warned {
			t.Errorf("%s:\n got %s, %v, %v\nwant %s", c.in, w.Body, w.Warnings, err, c.out)
		}
	}
}

func TestPredict(t *testing.T) {
	r := &llm.Request{Op: llm.OpEmbeddings}
	w, err := encode(t, onVertex, gemini.New(), r, "text-embedding-005",
		`{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"CLUSTERING","title":"t","outputDimensionality":8},{"content":{"parts":[{"text":"c"}]},"outputDimensionality":8}]}`)
	const want = `{"instances":[{"content":"ab","task_type":"CLUSTERING","title":"t"},{"content":"c"}],"parameters":{"outputDimensionality":8}}`
	if err != nil || string(w.Body) != want {
		t.Errorf("got %v, %s", err, w.Body)
	}
	for body, why := range map[string]string{
		`{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":8},{"content":{"parts":[{"text":"c"}]},"outputDimensionality":9}]}`: "requests[1].outputDimensionality",
		`{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}}`:                                                              "content.",
		`{"content":{"parts":[{"text":"a"}]},"embedContentConfig":{}}`:                                                                               "embedContentConfig",
	} {
		_, err := encode(t, onVertex, gemini.New(), r, "text-embedding-005", body)
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeUnsupported || !strings.HasPrefix(e.Param, why) {
			t.Errorf("%s: got %v", body, err)
		}
	}
	_, err = encode(t, onVertex, gemini.New(), r, "gemini-embedding-2", `{"requests":[{"content":{"parts":[{"text":"a"}]}}]}`)
	var e *llm.Error
	if !errors.As(err, &e) || e.Param != "requests" {
		t.Errorf("got %v", err)
	}
	events, _, err := decode(of(t, onVertex, gemini.New()), llm.OpEmbeddings, "application/json", [][]byte{[]byte(`{"error":{"code":500,"message":"no","status":"INTERNAL"}}`)})
	if err != nil || events[0].Kind != llm.EventError {
		t.Errorf("an error in a 200: %v, %v", events, err)
	}
}

// What comes in is read the same however it is cut, and breaks nothing.
func FuzzInvokeStream(f *testing.F) {
	f.Add(slices.Concat(chunk(`{"type":"ping"}`), chunk(`{"type":"message_stop"}`)), 30)
	f.Add(message(`{"message":"slow"}`, ":exception-type", "throttlingException", ":message-type", "exception"), 3)
	d := of(f, onBedrock, anthropic.New())
	f.Fuzz(func(t *testing.T, body []byte, at int) {
		at = min(max(at, 0), len(body))
		whole, raw, err1 := decode(d, llm.OpChat, eventstream.MediaType, [][]byte{body})
		parts, cutRaw, err2 := decode(d, llm.OpChat, eventstream.MediaType, [][]byte{body[:at], body[at:]})
		if (err1 == nil) != (err2 == nil) || !reflect.DeepEqual(whole, parts) || string(raw) != string(cutRaw) {
			t.Fatalf("whole: %v, %v; in two: %v, %v", whole, err1, parts, err2)
		}
	})
}

// A chunk's payload is not covered by checksums that a fuzzer can guess.
func FuzzChunk(f *testing.F) {
	f.Add(`{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abc"}`)
	f.Add(`{"bytes":"e30K"}`)
	d := of(f, onBedrock, anthropic.New())
	f.Fuzz(func(t *testing.T, payload string) {
		body := message(payload, ":event-type", "chunk", ":message-type", "event")
		_, raw, err := decode(d, llm.OpChat, eventstream.MediaType, [][]byte{body})
		if err == nil && strings.Count(string(raw), "\n") != 3 {
			t.Fatalf("%s became %q", payload, raw)
		}
	})
}

func FuzzPredictions(f *testing.F) {
	f.Add([]byte(`{"predictions":[{"embeddings":{"statistics":{"truncated":false,"token_count":10},"values":[0.1,-2e3]}}]}`))
	d := of(f, onVertex, gemini.New())
	f.Fuzz(func(t *testing.T, body []byte) {
		if cast, ok := castPredictions(body); ok {
			same(t, cast, cast) // is JSON
		}
		_, _, _ = decode(d, llm.OpEmbeddings, "application/json", [][]byte{body})
	})
}

func BenchmarkInvokeRequest(b *testing.B) {
	d := of(b, onBedrock, anthropic.New())
	body := []byte(`{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"` + strings.Repeat("some words of text ", 4000) + `"}]}`)
	r, err := anthropic.New().DecodeRequest(llm.OpChat, body)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := d.EncodeRequest(r, dialect.Target{Model: "c"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInvokeEvent(b *testing.B) {
	dec := of(b, onBedrock, anthropic.New()).NewDecoder(llm.OpChat, eventstream.MediaType, 1<<20)
	event := chunk(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + strings.Repeat("x", 100) + `"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dec.Decode(event, false); err != nil {
			b.Fatal(err)
		}
	}
}
