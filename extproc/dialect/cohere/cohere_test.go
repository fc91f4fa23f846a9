package cohere

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/llm"
)

// write encodes what a client of Chat Completions has sent.
func write(t testing.TB, op llm.Op, rules llm.Rules, body string) (*dialect.Wire, error) {
	t.Helper()
	r, err := openai.New().DecodeRequest(op, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return New().EncodeRequest(r, dialect.Target{Model: "command", Rules: rules})
}

const question = `"messages":[{"role":"user","content":"Hi"}]`

func TestRequests(t *testing.T) {
	thinks := llm.Rules{Reasons: true}
	const tool = `{"type":"function","function":{"name":"f"}}`
	const sent = `{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}`
	for name, c := range map[string]struct {
		rules    llm.Rules
		in, out  string // without what all have
		warnings []string
	}{
		"numbers": {in: `"max_tokens":5,"temperature":0.5,"top_p":0.9,"seed":7,"frequency_penalty":0.1,"presence_penalty":1`,
			out: `"max_tokens":5,"temperature":0.5,"p":0.9,"seed":7,"frequency_penalty":0.1,"presence_penalty":1`},
		"out of range": {in: `"temperature":1.5,"top_p":1,"presence_penalty":-1`, out: `"temperature":1,"p":0.99,"presence_penalty":0`,
			warnings: []string{"temperature: became 1: Cohere's API takes no more and no less", "top_p: became 0.99: Cohere's API takes no more and no less",
				"presence_penalty: became 0: Cohere's API takes no more and no less"}},
		"stop":        {in: `"stop":["a","b"],"stream":true`, out: `"stream":true,"stop_sequences":["a","b"]`},
		"probable":    {in: `"logprobs":true`, out: `"logprobs":true`},
		"json":        {in: `"response_format":{"type":"json_object"}`, out: `"response_format":{"type":"json_object"}`},
		"schema":      {in: `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}`, out: `"response_format":{"type":"json_object","json_schema":{"type":"object"}}`},
		"no thinking": {rules: thinks, in: `"reasoning_effort":"none"`, out: `"thinking":{"type":"disabled"}`},
		"thinking":    {rules: thinks, in: `"reasoning_effort":"high"`, out: `"thinking":{"type":"enabled"}`, warnings: []string{"reasoning_effort: became thinking without a limit: Cohere's API has no levels"}},
		"thoughtless": {in: `"reasoning_effort":"high"`, out: ``, warnings: []string{"reasoning_effort: left out: the model does not reason"}},
		"tools":       {in: `"tools":[` + tool + `]`, out: `"tools":[` + sent + `]`},
		"auto":        {in: `"tools":[` + tool + `],"tool_choice":"auto"`, out: `"tools":[` + sent + `]`},
		"none":        {in: `"tools":[` + tool + `],"tool_choice":"none"`, out: `"tools":[` + sent + `],"tool_choice":"NONE"`},
		"required":    {in: `"tools":[` + tool + `],"tool_choice":"required"`, out: `"tools":[` + sent + `],"tool_choice":"REQUIRED"`},
		"named":       {in: `"tools":[{"type":"function","function":{"name":"g"}},` + tool + `],"tool_choice":{"type":"function","function":{"name":"f"}}`, out: `"tools":[` + sent + `],"tool_choice":"REQUIRED"`},
		"one at once": {in: `"tools":[` + tool + `],"parallel_tool_calls":false`, out: `"tools":[` + sent + `]`, warnings: []string{"parallel_tool_calls: left out: it cannot be kept from calling several tools at once"}},
		"strict":      {in: `"tools":[{"type":"function","function":{"name":"f","strict":true}}]`, out: `"tools":[` + sent + `],"strict_tools":true`},
		"user":        {in: `"user":"u","service_tier":"flex"`, warnings: []string{"user: left out: it takes no name of an end user", "service_tier: left out: it has no tiers"}},
		"its own":     {in: `"safety_mode":"STRICT","documents":["d"]`, out: `"safety_mode":"STRICT","documents":["d"]`},
		"not known":   {in: `"strange":1`, warnings: []string{"strange: left out: Cohere's API does not know it"}},
		"strict and not": {in: `"tools":[{"type":"function","function":{"name":"f","strict":true}},` + tool + `]`, out: `"tools":[` + sent + `,` + sent + `]`,
			warnings: []string{"tools.strict: left out: Cohere's API is strict with all tools or with none"}},
	} {
		w, err := write(t, llm.OpChat, c.rules, `{"model":"m",`+question+`,`+c.in+`}`)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, _ := strings.CutSuffix(strings.Replace(string(w.Body), question, "", 1), "}")
		got, _ = strings.CutPrefix(got, `{"model":"command",`)
		if got = strings.Trim(got, ","); got != c.out || !slices.Equal(w.Warnings, c.warnings) || w.Path != "/v2/chat" {
			t.Errorf("%s: %s\n got %s, %q\nwant %s, %q", name, w.Path, got, w.Warnings, c.out, c.warnings)
		}
	}
}

func TestTurns(t *testing.T) {
	for name, c := range map[string]struct {
		rules   llm.Rules
		in, out string
	}{
		"instructions": {in: `{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"},{"role":"developer","content":"Now."}`,
			out: `{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"},{"role":"system","content":"Now."}`},
		"image": {in: `{"role":"user","content":[{"type":"text","text":"What?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}}]}`,
			out: `{"role":"user","content":[{"type":"text","text":"What?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}}]}`},
		"calls": {in: `{"role":"assistant","content":"I look.","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":""}}]},{"role":"tool","tool_call_id":"1","content":"r"},{"role":"user","content":"?"}`,
			out: `{"role":"assistant","tool_plan":"I look.","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"r"},{"role":"user","content":"?"}`},
		"thoughts": {rules: llm.Rules{Reasons: true}, in: `{"role":"user","content":"?"},{"role":"assistant","content":"Yes.","reasoning_content":"Hm."}`,
			out: `{"role":"user","content":"?"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm."},{"type":"text","text":"Yes."}]}`},
		"no thoughts": {in: `{"role":"user","content":"?"},{"role":"assistant","content":"Yes.","reasoning_content":"Hm."}`,
			out: `{"role":"user","content":"?"},{"role":"assistant","content":"Yes."}`},
	} {
		w, err := write(t, llm.OpChat, c.rules, `{"model":"m","messages":[`+c.in+`]}`)
		if want := `{"model":"command","messages":[` + c.out + `]}`; err != nil || string(w.Body) != want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, w.Body, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for param, body := range map[string]string{
		"n":                      question + `,"n":2`,
		"stop":                   question + `,"stop":["1","2","3","4","5","6"]`,
		"modalities":             question + `,"modalities":["audio"]`,
		"tool_choice":            question + `,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"`,
		"messages[0].content[0]": `"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}]`,
	} {
		r, err := openai.New().DecodeRequest(llm.OpChat, []byte(`{"model":"m",`+body+`}`))
		if err != nil && param == "stop" {
			continue // the client's own dialect takes fewer
		} else if err != nil {
			t.Fatal(err)
		}
		_, err = New().EncodeRequest(r, dialect.Target{Model: "command", Rules: llm.Rules{NoForcedTool: true}})
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeUnsupported || e.Param != param {
			t.Errorf("%s: got %v", param, err)
		}
	}
}

func TestEmbeddings(t *testing.T) {
	w, err := write(t, llm.OpEmbeddings, llm.Rules{}, `{"model":"m","input":["a","b"],"dimensions":8}`)
	const want = `{"model":"command","input_type":"search_document","texts":["a","b"],"embedding_types":["float"],"output_dimension":8}`
	if err != nil || w.Path != "/v2/embed" || string(w.Body) != want || len(w.Warnings) != 1 {
		t.Errorf("got %v, %+v, %s", err, w, w.Body)
	}
	w, err = write(t, llm.OpEmbeddings, llm.Rules{}, `{"model":"m","input":"a","input_type":"search_query"}`)
	if err != nil || !strings.Contains(string(w.Body), `"input_type":"search_query"`) || len(w.Warnings) != 0 {
		t.Errorf("got %v, %+v, %s", err, w, w.Body)
	}
	many := `{"model":"m","input":["` + strings.Repeat(`a","`, 96) + `a"]}`
	for _, body := range []string{many, `{"model":"m","input":[1,2]}`} {
		var e *llm.Error
		if _, err := write(t, llm.OpEmbeddings, llm.Rules{}, body); !errors.As(err, &e) || e.Param != "input" {
			t.Errorf("got %v", err)
		}
	}
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("../testdata/cohere/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Both forms of an answer say the same, in the same order.
func TestForms(t *testing.T) {
	join := func(events []llm.Event) (out []llm.Event) {
		for _, e := range events {
			if n := len(out); n > 0 && e.Text != "" && out[n-1].Kind == e.Kind && out[n-1].Tool == e.Tool {
				out[n-1].Text += e.Text
				continue
			}
			out = append(out, e)
		}
		return out
	}
	unary, _, err1 := decode(llm.OpChat, "application/json", [][]byte{sample(t, "answer.json")})
	stream, _, err2 := decode(llm.OpChat, "text/event-stream", [][]byte{sample(t, "answer.sse")})
	if err1 != nil || err2 != nil || !reflect.DeepEqual(join(unary), join(stream)) {
		t.Errorf("%v, %v\n%+v\n%+v", err1, err2, join(unary), join(stream))
	}
	want := []llm.Citation{
		{Start: 7, End: 15, URL: "https://example.com/sky", Title: "Sky", Quote: "Rain all day.", Document: 1},
		{Start: 7, End: 15, Title: "weather_0:0", Quote: "rain"},
	}
	for _, events := range [][]llm.Event{unary, stream} {
		var cited []llm.Citation
		for _, e := range events {
			if e.Kind == llm.EventCitation {
				cited = append(cited, *e.Citation)
			}
		}
		if !reflect.DeepEqual(cited, want) {
			t.Errorf("got %+v", cited)
		}
	}
}

func TestEnds(t *testing.T) {
	const begin = "event: message-start\ndata: {\"id\":\"i\",\"type\":\"message-start\"}\n\n"
	for name, c := range map[string]struct {
		mediaType, body string
		want            llm.Event // the last
	}{
		"failed": {"text/event-stream", begin + `data: {"type":"message-end","delta":{"error":"no more","finish_reason":"ERROR"}}` + "\n\n",
			llm.Event{Kind: llm.EventError, Err: &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "no more"}}},
		"late": {"application/json", `{"id":"i","finish_reason":"TIMEOUT","message":{}}`,
			llm.Event{Kind: llm.EventError, Err: &llm.Error{Status: 504, Code: llm.CodeUpstreamTimeout, Message: "the provider ended the answer with the reason TIMEOUT"}}},
		"an error in a 200": {"application/json", `{"id":"i","message":"bad"}`,
			llm.Event{Kind: llm.EventError, Err: &llm.Error{Status: 500, Code: llm.CodeUpstreamError, Message: "bad"}}},
		"cut":         {"text/event-stream", begin, llm.Event{Kind: llm.EventStart, ID: "i"}},
		"cut in line": {"text/event-stream", begin + `data: {"type":"mess`, llm.Event{Kind: llm.EventStart, ID: "i"}},
		"text":        {"application/json", `{"finish_reason":"COMPLETE","message":{"content":"Hi"}}`, llm.Event{Kind: llm.EventEnd}},
		"new reason":  {"application/json", `{"finish_reason":"NEW","message":{}}`, llm.Event{Kind: llm.EventEnd}},
	} {
		events, _, err := decode(llm.OpChat, c.mediaType, [][]byte{[]byte(c.body)})
		if err != nil || len(events) == 0 || !reflect.DeepEqual(events[len(events)-1], c.want) {
			t.Errorf("%s: %v, %+v", name, err, events)
		}
	}
	for _, body := range []string{`<html>`, `{"id":"i"}`, `{"message":{}`, `[]`, `{"message":{}} x`} {
		_, _, err := decode(llm.OpChat, "application/json", [][]byte{[]byte(body)})
		var e *llm.Error
		if !errors.As(err, &e) || e.Status != 502 {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   llm.Error
	}{
		{429, `{"id":"i","message":"slow"}`, llm.Error{Status: 429, Code: llm.CodeRateLimited, Message: "slow"}},
		{498, `{"message":"a listed word"}`, llm.Error{Status: 400, Code: codeFilter, Message: "a listed word"}},
		{499, `{"message":"gone"}`, llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "gone"}},
		{400, `{"error_type":"TOO_MANY_TOKENS","message":"too many tokens: size limit exceeded by 3 tokens."}`,
			llm.Error{Status: 400, Code: codeContext, Message: "too many tokens: size limit exceeded by 3 tokens."}},
	} {
		got := New().DecodeError(c.status, nil, []byte(c.body))
		if *got != c.want {
			t.Errorf("%d %s: got %+v", c.status, c.body, *got)
		}
		if again := New().DecodeError(got.Status, nil, New().EncodeError(got)); *again != c.want {
			t.Errorf("written and read again: %+v", *again)
		}
	}
}

// What comes in is read the same however it is cut, and breaks nothing.
func FuzzDecode(f *testing.F) {
	f.Add(true, sample(f, "answer.sse"), 100)
	f.Add(false, sample(f, "answer.json"), 100)
	f.Add(false, []byte(`{"embeddings":{"float":[[1,2]]},"meta":{"billed_units":{"input_tokens":3}}}`), 9)
	f.Add(false, []byte(`{"message":{},"logprobs":[{"text":"a","logprobs":[-1]}]}`), 9)
	f.Fuzz(func(t *testing.T, stream bool, body []byte, at int) {
		mediaType := "application/json"
		if stream {
			mediaType = "text/event-stream"
		}
		at = min(max(at, 0), len(body))
		for _, op := range []llm.Op{llm.OpChat, llm.OpEmbeddings} {
			whole, raw, err1 := decode(op, mediaType, [][]byte{body})
			parts, cutRaw, err2 := decode(op, mediaType, [][]byte{body[:at], body[at:]})
			if (err1 == nil) != (err2 == nil) || !reflect.DeepEqual(whole, parts) || string(raw) != string(cutRaw) {
				t.Fatalf("whole: %v, %v; in two: %v, %v", whole, err1, parts, err2)
			}
			if err1 == nil && string(raw) != string(body) {
				t.Fatalf("the frames are not the body: %q", raw)
			}
			for _, e := range whole {
				if c := e.Citation; c != nil && (c.Start < 0 || c.End < c.Start) {
					t.Fatalf("cites %+v", c)
				}
			}
		}
		New().DecodeError(500, nil, body)
	})
}

func BenchmarkEvent(b *testing.B) {
	dec := New().NewDecoder(llm.OpChat, "text/event-stream", 1<<20)
	event := []byte("event: content-delta\ndata: " + `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"` + strings.Repeat("x", 100) + `"}}}}` + "\n\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dec.Decode(event, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	body := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("some words of text ", 4000) + `"}]}`
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := write(b, llm.OpChat, llm.Rules{}, body); err != nil {
			b.Fatal(err)
		}
	}
}
