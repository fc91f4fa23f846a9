package dialect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/llm"
)

var geminiAPI = gemini.New()

func init() {
	endpoints[llm.Gemini] = []string{"generateContent", "streamGenerateContent"}
	reasons[llm.Gemini] = map[llm.FinishReason]llm.FinishReason{
		llm.FinishStopSequence: llm.FinishStop,
		llm.FinishContext:      llm.FinishLength,
		llm.FinishRefusal:      llm.FinishContentFilter,
		llm.FinishPause:        llm.FinishStop,
	}
	samples[llm.Gemini] = "testdata/gemini"
}

// A geminiAnswer is what Google's protocol buffers allow of an answer, as far as
// the dialect writes it.
type geminiAnswer struct {
	Candidates []struct {
		Content struct {
			Role  string `json:"role"`
			Parts []struct {
				Text             *string `json:"text"`
				Thought          bool    `json:"thought"`
				ThoughtSignature string  `json:"thoughtSignature"`
				FunctionCall     *struct {
					ID   string         `json:"id"`
					Name string         `json:"name"`
					Args map[string]any `json:"args"`
				} `json:"functionCall"`
			} `json:"parts"`
		} `json:"content"`
		FinishReason string `json:"finishReason"`
		Index        int    `json:"index"`
	} `json:"candidates"`
	UsageMetadata *struct {
		PromptTokenCount        int `json:"promptTokenCount"`
		CachedContentTokenCount int `json:"cachedContentTokenCount"`
		CandidatesTokenCount    int `json:"candidatesTokenCount"`
		ThoughtsTokenCount      int `json:"thoughtsTokenCount"`
		TotalTokenCount         int `json:"totalTokenCount"`
	} `json:"usageMetadata"`
	ModelVersion string `json:"modelVersion"`
	ResponseID   string `json:"responseId"`
}

// checkGemini validates what Google's SDKs are sent.
func checkGemini(stream bool, out []byte) error {
	objects := [][]byte{out}
	if stream {
		objects = nil
		for _, block := range strings.SplitAfter(string(out), "\r\n\r\n") {
			data, ok := strings.CutPrefix(block, "data: ")
			switch {
			case block == "":
			case !ok:
				return fmt.Errorf("a block that SDKs cannot read: %q", block)
			case !strings.Contains(data, `{"error":`):
				objects = append(objects, []byte(data))
			}
		}
	}
	for i, object := range objects {
		var a geminiAnswer
		dec := json.NewDecoder(bytes.NewReader(object))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&a); err != nil {
			return err
		}
		if err := a.check(len(objects) == 1, i == len(objects)-1); err != nil {
			return fmt.Errorf("%w: %s", err, object)
		}
	}
	return nil
}

// check looks at one object. SDKs forget a turn of which one object has no
// content or an empty text; an answer that is empty altogether they must.
func (a *geminiAnswer) check(only, last bool) error {
	switch {
	case len(a.Candidates) == 0 || a.ModelVersion == "" || a.ResponseID == "":
		return errors.New("no candidate, model or id")
	case last && (a.UsageMetadata == nil || a.Candidates[0].FinishReason == ""):
		return errors.New("no usage or finish reason at the end")
	case !last && a.Candidates[0].FinishReason != "":
		return errors.New("a finish reason before the end")
	}
	for _, c := range a.Candidates {
		if len(c.Content.Parts) == 0 && !only || c.Content.Role != "model" {
			return errors.New("a candidate without content")
		}
		for _, p := range c.Content.Parts {
			switch {
			case p.Text != nil && *p.Text == "":
				return errors.New("an empty text")
			case p.Text == nil && p.FunctionCall == nil && !p.Thought:
				return errors.New("an empty part")
			case p.FunctionCall != nil && (p.FunctionCall.Name == "" || p.FunctionCall.Args == nil):
				return errors.New("a call without a name or arguments")
			}
			if _, err := base64.StdEncoding.DecodeString(p.ThoughtSignature); err != nil {
				return err
			}
		}
	}
	return nil
}

// geminiPairs are the dialect with each of the others, both ways.
func geminiPairs(t *testing.T, run func(t *testing.T, from, to dialect.Dialect)) {
	t.Helper()
	for _, d := range append(slices.Clone(dialects), dialect.Dialect(responsesAPI)) {
		for _, p := range [][2]dialect.Dialect{{geminiAPI, d}, {d, geminiAPI}} {
			t.Run(p[0].Name()+" to "+p[1].Name(), func(t *testing.T) { run(t, p[0], p[1]) })
		}
	}
}

func TestGeminiAnswersCross(t *testing.T) {
	schemas := loadSchemas(t)
	schemas.addResponses(t)
	geminiPairs(t, func(t *testing.T, from, to dialect.Dialect) {
		tried := 0
		for _, rec := range recordings(t, from.Name()) {
			_, body := rec.wire()
			if rec.Response.Status >= 400 || from == responsesAPI && bytes.Contains(body, []byte("chat.completion")) {
				continue
			}
			tried++
			crossResponse(t, schemas, from, to, rec)
		}
		t.Logf("%d responses tried, each in both forms", tried)
	})
}

func TestGeminiRequestsCross(t *testing.T) {
	schemas := loadSchemas(t)
	schemas.addResponses(t)
	rules := llm.Rules{Reasons: true, Adaptive: true, NativeSchema: true, SignedCalls: true}
	geminiPairs(t, func(t *testing.T, from, to dialect.Dialect) {
		tried, written := 0, 0
		refused := map[string]int{}
		for _, rec := range recordings(t, from.Name()) {
			if rec.Provider == "vertex-anthropic" || rec.Request == nil || len(rec.Request.Body) == 0 || rec.Request.Body[0] != '{' {
				continue
			}
			r, err := from.DecodeRequest(llm.OpChat, rec.Request.Body)
			if err != nil {
				if rec.Response.Status < 400 && !bytes.Contains(rec.Request.Body, []byte(`"prompt":`)) {
					t.Errorf("%s: %v", rec.ID, err)
				}
				continue
			}
			tried++
			w, err := to.EncodeRequest(r, dialect.Target{Model: "m", Rules: rules})
			var e *llm.Error
			switch {
			case err == nil && to == geminiAPI:
				written++
				checkGeminiRequest(t, rec, w)
			case err == nil:
				written++
				checkRequest(t, schemas, to, rec, w)
			case errors.As(err, &e) && e.Status == 400 && (e.Code == llm.CodeUnsupported || e.Code == llm.CodeInvalidRequest):
				refused[e.Error()]++
			default:
				t.Errorf("%s: %v", rec.ID, err)
			}
		}
		t.Logf("%d tried, %d written", tried, written)
		for _, why := range slices.Sorted(maps.Keys(refused)) {
			t.Logf("%d refused: %s", refused[why], why)
		}
	})
}

// checkGeminiRequest asserts that what was written is a request that Google
// takes: the dialect reads it again, all members have a meaning there, and each
// turn with calls is followed by as many results.
func checkGeminiRequest(t *testing.T, rec *recording, w *dialect.Wire) {
	t.Helper()
	r, err := geminiAPI.DecodeRequest(llm.OpChat, w.Body)
	if err != nil {
		t.Errorf("%s: %v: %.300s", rec.ID, err, w.Body)
		return
	}
	if len(r.Extra) > 0 {
		t.Errorf("%s: members without a meaning: %v", rec.ID, r.Extra)
	}
	count := func(m llm.Message, kind llm.PartKind) (n int) {
		for _, p := range m.Parts {
			if p.Kind == kind {
				n++
			}
		}
		return n
	}
	for i, m := range r.Messages {
		if n := count(m, llm.PartToolCall); n > 0 && i+1 < len(r.Messages) && count(r.Messages[i+1], llm.PartToolResult) != n {
			t.Errorf("%s: %d calls are not followed by as many results: %s", rec.ID, n, w.Body)
		}
		if m.Role == llm.RoleAssistant && count(m, llm.PartToolCall) > 0 && !bytes.Contains(w.Body, []byte("thoughtSignature")) {
			t.Errorf("%s: unsigned calls: %s", rec.ID, w.Body)
		}
	}
	for _, warning := range w.Warnings {
		if name, reason, ok := strings.Cut(warning, ": "); !ok || name == "" || reason == "" {
			t.Errorf("%s: the warning %q names no field or no reason", rec.ID, warning)
		}
	}
}

// A client of any dialect that sends an answer of Google's back gives it its
// signatures again, those of calls on the calls.
func TestGoogleSignaturesSurvive(t *testing.T) {
	body, err := os.ReadFile("testdata/gemini/answer.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		client  dialect.Dialect
		message func(out []byte) string // the next request
	}{
		{dialects[0], func(out []byte) string {
			var answer struct {
				Choices []struct{ Message json.RawMessage }
			}
			_ = json.Unmarshal(out, &answer)
			return fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":"q"},%s]}`, answer.Choices[0].Message)
		}},
		{dialects[1], func(out []byte) string {
			var answer struct{ Content json.RawMessage }
			_ = json.Unmarshal(out, &answer)
			return fmt.Sprintf(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":%s}]}`, answer.Content)
		}},
		{responsesAPI, func(out []byte) string {
			var answer struct{ Output []json.RawMessage }
			_ = json.Unmarshal(out, &answer)
			return fmt.Sprintf(`{"model":"m","input":[{"role":"user","content":"q"},%s]}`, bytes.Join(rawMessages(answer.Output), []byte(",")))
		}},
	} {
		out, _, err := cross(geminiAPI, c.client, &llm.Request{Op: llm.OpChat, Dialect: c.client.Name()}, "application/json", [][]byte{body, nil})
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.client.DecodeRequest(llm.OpChat, []byte(c.message(out)))
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		w, err := geminiAPI.EncodeRequest(r, dialect.Target{Model: "m", Rules: llm.Rules{SignedCalls: true}})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"thoughtSignature":"dGV4dA=="`, `"name":"look","args":{"at":"this",`, `},"thoughtSignature":"Y2FsbA=="}`} {
			if !bytes.Contains(w.Body, []byte(want)) {
				t.Errorf("%s: no %s in %s", c.client.Name(), want, w.Body)
			}
		}
		if bytes.Contains(w.Body, []byte("skip_thought")) {
			t.Errorf("%s: a signature was taken for none: %s", c.client.Name(), w.Body)
		}
		for _, other := range []dialect.Dialect{dialects[0], dialects[1], responsesAPI} {
			w, err := other.EncodeRequest(r, dialect.Target{Model: "m"})
			if err == nil && bytes.Contains(w.Body, []byte("Y2FsbA")) {
				t.Errorf("%s client: %s got Google's signature: %s", c.client.Name(), other.Name(), w.Body)
			}
		}
	}
}

func rawMessages(list []json.RawMessage) (out [][]byte) {
	for _, m := range list {
		out = append(out, m)
	}
	return out
}

// Anthropic's signed reasoning, hidden or not, comes back from a client of
// Google's as it went.
func TestClaudeSignaturesSurviveGoogle(t *testing.T) {
	body, err := os.ReadFile("testdata/anthropic/answer.json")
	if err != nil {
		t.Fatal(err)
	}
	provider := dialects[1]
	for _, stream := range []bool{false, true} {
		out, _, err := cross(provider, geminiAPI, &llm.Request{Op: llm.OpChat, Dialect: llm.Gemini, Stream: stream, Array: true}, "application/json", [][]byte{body, nil})
		if err != nil {
			t.Fatal(err)
		}
		if !stream {
			out = append(append([]byte("["), out...), ']')
		}
		var objects []struct {
			Candidates []struct{ Content json.RawMessage }
		}
		if err := json.Unmarshal(out, &objects); err != nil {
			t.Fatal(err)
		}
		next := []byte(`{"contents":[{"parts":[{"text":"q"}]}`)
		for _, o := range objects { // as SDKs keep the chunks
			next = append(append(next, ','), o.Candidates[0].Content...)
		}
		r, err := geminiAPI.DecodeRequest(llm.OpChat, append(next, "]}"...))
		if err != nil {
			t.Fatal(err)
		}
		w, err := provider.EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		const want = `{"type":"thinking","thinking":"Two calls.\nLet me.","signature":"c2ln"},{"type":"redacted_thinking","data":"eHg="},{"type":"text",`
		if !bytes.Contains(w.Body, []byte(want)) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
}

// The request with everything in it, and the answer in both forms, for each of
// the other dialects.
func TestGeminiGolden(t *testing.T) {
	full, err := os.ReadFile("testdata/gemini/full.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := geminiAPI.DecodeRequest(llm.OpChat, full)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []dialect.Dialect{dialects[0], dialects[1]} {
		w, err := to.EncodeRequest(r, dialect.Target{Model: "target", Rules: llm.Rules{Reasons: true, NativeSchema: true}})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		for _, warning := range w.Warnings {
			fmt.Fprintf(&out, "warning: %s\n", warning)
		}
		if err := json.Indent(&out, w.Body, "", "  "); err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/gemini/full."+to.Name()+".golden", append(out.Bytes(), '\n'))
		for _, form := range []struct{ file, mediaType string }{{"answer.json", "application/json"}, {"answer.sse", "text/event-stream"}} {
			body, err := os.ReadFile("testdata/gemini/" + form.file)
			if err != nil {
				t.Fatal(err)
			}
			r := &llm.Request{Op: llm.OpChat, Dialect: to.Name(), Stream: form.file == "answer.sse", StreamUsage: true, InputEstimate: 5}
			answer, _, err := cross(geminiAPI, to, r, form.mediaType, [][]byte{body, nil})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/gemini/"+form.file+"."+to.Name()+".golden", answer)
		}
	}
}
