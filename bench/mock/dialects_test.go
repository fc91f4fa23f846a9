package mock

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
)

// newer are the dialects whose streams differ most: how each is asked for a
// whole answer and for a stream. %s is the model.
var newer = map[Dialect]struct {
	path, stream string
	prompt       string // a body, but for "stream"
	tool, image  string
	thinking     string
	schema       string // a request for JSON
}{
	Responses: {
		path: "/v1/responses", stream: "/v1/responses",
		prompt:   `{"model":"%s","input":"hi"}`,
		tool:     `{"model":"%s","input":[{"role":"user","content":"please use tool"}],"tools":[{"type":"function","name":"weather"}]}`,
		image:    `{"model":"%s","input":[{"role":"user","content":[{"type":"input_image","image_url":"data:,"}]}]}`,
		schema:   `{"model":"%s","input":"hi","text":{"format":{"type":"json_schema"}}}`,
		thinking: `{"model":"%s","input":"use tool","reasoning":{"summary":"auto"},"tools":[{"type":"function","name":"weather"}]}`,
	},
	Gemini: {
		path: "/v1beta/models/%s:generateContent", stream: "/v1beta/models/%s:streamGenerateContent?alt=sse",
		prompt:   `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		tool:     `{"contents":[{"role":"user","parts":[{"text":"please use tool"}]}],"tools":[{"functionDeclarations":[{"name":"weather"}]}]}`,
		image:    `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":""}},{"text":"what?"}]}]}`,
		schema:   `{"contents":[],"generationConfig":{"responseJsonSchema":{}}}`,
		thinking: `{"contents":[{"role":"user","parts":[{"text":"please use tool"}]}],"tools":[{"functionDeclarations":[{"name":"weather"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}`,
	},
	Bedrock: {
		path: "/model/%s/converse", stream: "/model/%s/converse-stream",
		prompt:   `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`,
		tool:     `{"messages":[{"role":"user","content":[{"text":"please use tool"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"weather"}}]}}`,
		image:    `{"messages":[{"role":"user","content":[{"image":{"format":"png"}},{"text":"what?"}]}]}`,
		schema:   `{"messages":[],"outputConfig":{"textFormat":{}}}`,
		thinking: `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"additionalModelRequestFields":{"thinking":{"type":"enabled"}}}`,
	},
}

// ask sends one of the requests above to a model.
func ask(t *testing.T, s *Server, d Dialect, prompt, model string, stream bool) outcome {
	t.Helper()
	path := newer[d].path
	if stream {
		path = newer[d].stream
	}
	if d == Responses && stream {
		prompt = strings.Replace(prompt, "{", `{"stream":true,`, 1)
	}
	fill := strings.NewReplacer("%s", model)
	resp, err := try(deadline(t), s.URL()+fill.Replace(path), fill.Replace(prompt))
	if err != nil {
		return outcome{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return outcome{resp.StatusCode, resp.Header, string(b), err}
}

// payloads are the payloads of a body's events, each behind its kind if the
// dialect has one, or the body.
func payloads(t *testing.T, d Dialect, body string, stream bool) (all []string) {
	t.Helper()
	switch {
	case !stream:
		return []string{body}
	case d == Bedrock:
		err := eventstream.New(1<<20).Split([]byte(body), func(m *eventstream.Message) error {
			kind := string(m.Text(":message-type"))
			all = append(all, fmt.Sprintf("%s %s %s", kind, m.Text(":"+kind+"-type"), m.Payload))
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", d, err)
		}
		return all
	}
	blank := map[Dialect]string{Gemini: "\r\n\r\n", Responses: "\n\n"}[d]
	if !strings.HasSuffix(body, blank) {
		t.Errorf("%s: the last event does not end: %q", d, body)
	}
	for frame := range strings.SplitSeq(strings.TrimSuffix(body, blank), blank) {
		kind, payload, ok := strings.Cut(frame, "data: ")
		var typed struct{ Type string }
		if json.Unmarshal([]byte(payload), &typed); !ok || typed.Type != "" && kind != "event: "+typed.Type+"\n" {
			t.Errorf("%s: bad frame %q", d, frame)
		}
		all = append(all, payload)
	}
	return all
}

// TestNewerGolden pins what each rule puts on the wire.
func TestNewerGolden(t *testing.T) {
	s := start(t, Options{Name: "a"})
	for d, n := range newer {
		for name, prompt := range map[string]string{"text": n.prompt, "tool": n.tool, "images": n.image, "thinking": n.thinking} {
			for _, stream := range []bool{false, true} {
				got := ask(t, s, d, prompt, "m", stream)
				if got.err != nil || got.status != 200 || (got.header.Get("Content-Length") == "") != stream {
					t.Fatalf("%s %s: %+v", d, name, got)
				}
				all := payloads(t, d, got.body, stream)
				for _, p := range all {
					if _, object, _ := strings.Cut(p, "{"); !json.Valid([]byte("{" + object)) {
						t.Errorf("%s %s: not JSON: %s", d, name, p)
					}
				}
				name := fmt.Sprintf("%s-%s", d, name)
				if stream {
					name += "-stream"
				}
				golden(t, name, strings.Join(all, "\n")+"\n")
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

func TestNewerStatuses(t *testing.T) {
	s := start(t, Options{})
	for d, n := range newer {
		for _, stream := range []bool{false, true} {
			got := ask(t, s, d, n.prompt, "m@fault=429@retry-after=7", stream)
			if got.status != 429 || !strings.Contains(got.body, `"message":"mock: planned failure"`) {
				t.Errorf("%s: %+v", d, got)
			}
			if kind := got.header.Get("X-Amzn-Errortype"); (d == Bedrock) != (kind == "ThrottlingException") {
				t.Errorf("%s: type %q", d, kind)
			}
			inBody := strings.Contains(got.body, `"retryDelay":"7s"`)
			if header := got.header.Get("Retry-After") == "7"; header != (d != Gemini) || inBody != (d == Gemini) {
				t.Errorf("%s: when to retry: %v, %s", d, got.header, got.body)
			}
		}
	}
}

func TestNewerFaults(t *testing.T) {
	s := start(t, Options{})
	broken := map[Dialect]string{Responses: `"type":"error","code":"server_error"`, Gemini: `{"error":{"code":500,`, Bedrock: "exception internalServerException "}
	ends := map[Dialect]string{Responses: `"response.completed"`, Gemini: `"finishReason"`, Bedrock: "event metadata "}
	for d, n := range newer {
		for fault, want := range map[Fault]struct{ failed, ended, whole bool }{
			ErrorFirst: {failed: true, whole: true}, ErrorMid: {failed: true, whole: true}, EndEarly: {whole: true}, BadJSON: {ended: true},
		} {
			got := ask(t, s, d, n.prompt, "m@events=10@fault="+string(fault), true)
			all := payloads(t, d, got.body, true)
			last := all[len(all)-1]
			if got.status != 200 || strings.Contains(last, broken[d]) != want.failed || strings.Contains(last, ends[d]) != want.ended || (len(all) == 1) != (fault == ErrorFirst) {
				t.Errorf("%s %s: %d %q", d, fault, got.status, all)
			}
			for _, p := range all {
				_, object, _ := strings.Cut(p, "{")
				want.whole = want.whole && json.Valid([]byte("{"+object))
			}
			if want.whole != (fault != BadJSON) {
				t.Errorf("%s %s: %q", d, fault, all)
			}
		}
	}
}

func TestSchemasAreObeyed(t *testing.T) {
	s := start(t, Options{})
	const want = `{\"city\":\"Paris\"}`
	for d, n := range newer {
		if got := ask(t, s, d, n.schema, "m", false); !strings.Contains(got.body, want) {
			t.Errorf("%s: %+v", d, got)
		}
	}
	for path, more := range map[string]string{chatPath: `"response_format":{"type":"json_schema"}`, messagesPath: `"output_config":{"format":{}}`} {
		if got := read(t, s.URL()+path, strings.Replace(hi, "{", "{"+more+",", 1)); !strings.Contains(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestNewerCountAndEmbeddings(t *testing.T) {
	s := start(t, Options{})
	if got := read(t, s.URL()+"/model/m/count-tokens", `{"input":{"converse":{"messages":[]}}}`); got != `{"inputTokens":8}` {
		t.Errorf("count-tokens: %s", got)
	}
	if got := read(t, s.URL()+"/v1/responses/input_tokens", `{"model":"m","input":"hi"}`); got != `{"object":"response.input_tokens","input_tokens":2}` {
		t.Errorf("input_tokens: %s", got)
	}
	for path, want := range map[string]string{
		"countTokens":        `{"totalTokens":1,`,
		"embedContent":       `{"embedding":{"values":[`,
		"batchEmbedContents": `{"embeddings":[{"values":[`,
	} {
		got := read(t, s.URL()+"/v1beta/models/m:"+path, `{"contents":[],"content":{"parts":[{"text":"a b"}]},"requests":[{"content":{"parts":[]}}]}`)
		if path == "embedContent" {
			got = read(t, s.URL()+"/v1beta/models/m:"+path, `{"content":{"parts":[{"text":"a b"}]},"outputDimensionality":3}`)
			if strings.Count(got, ",") != 2 {
				t.Errorf("dimensions: %s", got)
			}
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestCallOf(t *testing.T) {
	for _, tc := range []struct {
		method, path string
		want         call
	}{
		{"POST", "/v1beta/models/a%2Fb:c:streamGenerateContent", call{Gemini, opChat, "a/b:c", true}},
		{"POST", "/v1/projects/p/locations/l/publishers/google/models/m:generateContent", call{Gemini, opChat, "m", false}},
		{"POST", "/model/arn:aws:bedrock%2Fx:0/converse", call{Bedrock, opChat, "arn:aws:bedrock/x:0", false}},
		{"POST", "/v1beta/models/:generateContent", call{dialect: Gemini}},
		{"POST", "/v1beta/models/m:klingon", call{dialect: Gemini}},
		{"GET", "/model/m/converse", call{dialect: Bedrock}},
		{"POST", "/v1/models", call{dialect: OpenAI}},
	} {
		r, err := http.NewRequest(tc.method, tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := callOf(r); got != tc.want {
			t.Errorf("%s %s: %+v, want %+v", tc.method, tc.path, got, tc.want)
		}
	}
}
