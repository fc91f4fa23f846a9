package mock

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// requests are one for each rule; %s is where a stream is asked for.
var requests = []struct{ name, path, body string }{
	{"text", chatPath, `{"model":"m",%s"messages":[{"role":"user","content":"hi"}]}`},
	{"usage", chatPath, `{"model":"m",%s"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`},
	{"events", chatPath, `{"model":"m@events=5",%s"messages":[{"role":"user","content":"hi"}]}`},
	{"tool", chatPath, `{"model":"m",%s"messages":[{"role":"user","content":"please use tool"}],"tools":[{"type":"function","function":{"name":"weather"}},{"type":"function","function":{"name":"other"}}]}`},
	{"tool-done", chatPath, `{"model":"m",%s"messages":[{"role":"user","content":"please use tool"},{"role":"tool","tool_call_id":"call_mock","content":"rain"}],"tools":[{"type":"function","function":{"name":"weather"}}]}`},
	{"images", chatPath, `{"model":"m",%s"messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:,"}},{"type":"image_url","image_url":{"url":"data:,"}}]}]}`},
	{"text", messagesPath, `{"model":"m","max_tokens":9,%s"messages":[{"role":"user","content":"hi"}]}`},
	{"thinking", messagesPath, `{"model":"m","max_tokens":9,%s"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":"hi"}]}`},
	{"tool", messagesPath, `{"model":"m","max_tokens":9,%s"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":[{"type":"text","text":"please use tool"}]}],"tools":[{"name":"weather","input_schema":{}}]}`},
	{"images", messagesPath, `{"model":"m","max_tokens":9,%s"messages":[{"role":"user","content":[{"type":"image","source":{}},{"type":"text","text":"what?"}]}]}`},
	{"count", "/v1/messages/count_tokens", `{"model":"m",%s"messages":[{"role":"user","content":"hi"}]}`},
}

// TestGolden pins what each rule puts on the wire, byte for byte.
func TestGolden(t *testing.T) {
	s := start(t, Options{Name: "a"})
	for _, tc := range requests {
		for _, mode := range []string{"", "stream"} {
			if tc.name == "count" && mode != "" {
				continue
			}
			got := read(t, s.URL()+tc.path, strings.Replace(tc.body, "%s", map[string]string{"": "", "stream": `"stream":true,`}[mode], 1))
			checkFraming(t, got, mode != "", tc.path == chatPath)
			name := strings.Trim(strings.ReplaceAll(tc.path[len("/v1/"):], "/", "-")+"-"+tc.name+"-"+mode, "-")
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
	}
}

// checkFraming checks that an answer is JSON, or a well-formed event stream of
// its dialect whose every payload is JSON.
func checkFraming(t *testing.T, answer string, stream, chat bool) {
	t.Helper()
	if !stream {
		if !json.Valid([]byte(answer)) {
			t.Errorf("not JSON: %s", answer)
		}
		return
	}
	for frame := range strings.SplitAfterSeq(answer, "\n\n") {
		if frame == "" || chat && frame == "data: [DONE]\n\n" {
			continue
		}
		event, data, named := strings.Cut(strings.TrimSuffix(frame, "\n\n"), "\n")
		if chat {
			named, data = !named, event
		}
		payload, ok := strings.CutPrefix(data, "data: ")
		var typed struct{ Type string }
		if err := json.Unmarshal([]byte(payload), &typed); err != nil || !ok || !named {
			t.Errorf("bad frame %q: %v", frame, err)
		}
		if !chat && event != "event: "+typed.Type {
			t.Errorf("event and type differ: %q", frame)
		}
	}
}

// TestStreamSaysWhatUnarySays adds up the deltas of both dialects.
func TestStreamSaysWhatUnarySays(t *testing.T) {
	s := start(t, Options{Name: "ä b\"c"})
	for _, model := range []string{"m", "m@events=37", "m@bytes=5000", "m@bytes=5000@events=7", "m@bytes=3@events=7", "m@text=one  two"} {
		for _, path := range []string{chatPath, messagesPath} {
			named := strings.NewReplacer(`"m"`, `"`+model+`"`)
			var unary struct {
				Choices []struct{ Message struct{ Content string } }
				Content []struct{ Text string }
			}
			if err := json.Unmarshal([]byte(read(t, s.URL()+path, named.Replace(hi))), &unary); err != nil {
				t.Fatal(err)
			}
			want := ""
			if path == chatPath {
				want = unary.Choices[0].Message.Content
			} else {
				want = unary.Content[0].Text
			}
			if got := streamed(t, read(t, s.URL()+path, named.Replace(hiStream))); got != want || got == "" {
				t.Errorf("%s %s: stream says %q, unary %q", path, model, got, want)
			}
			if strings.Contains(model, "bytes=5000") && len(want) != 5000 {
				t.Errorf("%s: %d bytes", model, len(want))
			}
		}
	}
}

func streamed(t *testing.T, stream string) string {
	t.Helper()
	var text strings.Builder
	for line := range strings.SplitSeq(stream, "\n") {
		payload, ok := strings.CutPrefix(line, "data: ")
		if !ok || payload == "[DONE]" {
			continue
		}
		var event struct {
			Choices []struct{ Delta struct{ Content string } }
			Delta   struct{ Text string }
		}
		if err := json.Unmarshal([]byte(payload), &event); err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		text.WriteString(event.Delta.Text)
		for _, c := range event.Choices {
			text.WriteString(c.Delta.Content)
		}
	}
	return text.String()
}

// TestEventsAreCounted checks the number of text events and that usage agrees.
func TestEventsAreCounted(t *testing.T) {
	s := start(t, Options{})
	body := strings.NewReplacer(`"m"`, `"m@events=12"`, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`).Replace(hiStream)
	got := read(t, s.URL()+chatPath, body)
	if n := strings.Count(got, `"delta":{"content":`); n != 12 {
		t.Errorf("%d chat events", n)
	}
	if !strings.Contains(got, `"completion_tokens":12,`) {
		t.Errorf("usage: %s", got)
	}
	got = read(t, s.URL()+messagesPath, body)
	if n := strings.Count(got, "event: content_block_delta"); n != 12 {
		t.Errorf("%d message events", n)
	}
	if !strings.Contains(got, `"output_tokens":12}`) {
		t.Errorf("usage: %s", got)
	}
}

func TestBehaviourPrecedence(t *testing.T) {
	s := start(t, Options{Behaviour: Behaviour{Text: "instance"}})
	if got := read(t, s.URL()+chatPath, hi); !strings.Contains(got, `"content":"instance"`) {
		t.Errorf("instance: %s", got)
	}
	byModel := strings.Replace(hi, `"m"`, `"m@20250929@text=model"`, 1)
	got := read(t, s.URL()+chatPath, byModel)
	if !strings.Contains(got, `"content":"model"`) || !strings.Contains(got, `"model":"m@20250929@text=model"`) {
		t.Errorf("model: %s", got)
	}
	b, err := s.behaviour("m@text=model", map[string][]string{"X-Mock-Text": {"header"}, "X-Mock-Retry-After": {"3"}})
	if err != nil || b.Text != "header" || b.RetryAfter != 3 {
		t.Errorf("header: %+v, %v", b, err)
	}
}

func TestTimesBoundsFaults(t *testing.T) {
	s := start(t, Options{Behaviour: Behaviour{Fault: Status(503), Times: 2}})
	for i, want := range []int{503, 503, 200, 200} {
		if resp := post(t, s.URL()+chatPath, hi); resp.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i, resp.StatusCode, want)
		}
	}
}

func TestRepliesAreBounded(t *testing.T) {
	var c replies
	for i := range 1000 {
		c.get(question{dialect: OpenAI, input: i, text: "x"})
	}
	c.get(question{dialect: OpenAI, textSize: 2 << 20})
	if n := len(c.known); n > 256 || n == 0 {
		t.Errorf("%d replies kept", n)
	}
	for q, r := range c.known {
		if q.textSize > 0 {
			t.Errorf("a reply of %d bytes is kept", len(r.body))
		}
	}
}
