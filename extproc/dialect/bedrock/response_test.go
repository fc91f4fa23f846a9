package bedrock

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// streamOf makes an event stream of lines: the event's name and its payload.
func streamOf(lines string) (out []byte) {
	for line := range strings.Lines(lines) {
		name, payload, _ := strings.Cut(strings.TrimSpace(line), " ")
		out = event(out, name, payload)
	}
	return out
}

// joined puts texts of the same kind in a row together.
func joined(events []llm.Event) (out []llm.Event) {
	for _, e := range events {
		if n := len(out); n > 0 && e.Text != "" && e.Kind == out[n-1].Kind && e.Tool == out[n-1].Tool {
			out[n-1].Text += e.Text
			continue
		}
		out = append(out, e)
	}
	for i := range out { // halves of a surrogate pair become one character
		_ = json.Unmarshal(jsonx.AppendString(nil, out[i].Text), &out[i].Text)
	}
	return out
}

// The unary and the streamed form of an answer are the same events, and what an
// encoder makes of either is the same again.
func TestForms(t *testing.T) {
	unary, err := decodeAll(t, jsonType, [][]byte{sample(t, "answer.json")})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := decodeAll(t, eventstream.MediaType, [][]byte{streamOf(string(sample(t, "answer.events")))})
	if err != nil {
		t.Fatal(err)
	}
	byKind := func(events []llm.Event) (out map[llm.Kind][]llm.Event) {
		out = map[llm.Kind][]llm.Event{}
		for _, e := range joined(events) {
			out[e.Kind] = append(out[e.Kind], e)
		}
		return out
	}
	if got, want := byKind(stream), byKind(unary); !reflect.DeepEqual(got, want) {
		t.Errorf("streamed %+v\n   unary %+v", got, want)
	}
	want := llm.Usage{Input: 48, Output: 20, CacheRead: 30, CacheWrite: 8, CacheWriteHour: 5}
	if got := byKind(unary)[llm.EventUsage][0].Usage; got != want {
		t.Errorf("usage %+v", got)
	}
	for _, form := range []bool{true, false} {
		if got := byKind(recode(t, &llm.Request{Stream: form}, stream)); !reflect.DeepEqual(got, byKind(stream)) {
			t.Errorf("stream %v: written again it says %+v", form, got)
		}
	}
}

// ends says how a stream ended for the gateway.
func ends(t *testing.T, body []byte) string {
	t.Helper()
	events, err := decodeAll(t, eventstream.MediaType, [][]byte{body})
	var e *llm.Error
	switch {
	case errors.As(err, &e):
		return e.Message
	case len(events) == 0:
		return "nothing"
	}
	switch last := events[len(events)-1]; last.Kind {
	case llm.EventEnd:
		return "end"
	case llm.EventError:
		return strings.Join([]string{last.Err.Code, last.Err.Type, last.Err.Message}, " | ")
	}
	return "cut"
}

func TestStreamEnds(t *testing.T) {
	const said = "messageStart {\"role\":\"assistant\"}\ncontentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"x\"}}\n"
	const stop, counts = `messageStop {"stopReason":"end_turn"}`, `metadata {"usage":{"inputTokens":1,"outputTokens":2}}`
	whole := streamOf(said + stop + "\n" + counts)
	exception := func(kind, name, payload string) []byte {
		b := streamOf(said)
		start := len(b)
		b = eventstream.Begin(b, eventstream.Field{Name: ":message-type", Value: kind}, eventstream.Field{Name: name, Value: "throttlingException"},
			eventstream.Field{Name: ":error-message", Value: "slow down"})
		return eventstream.End(append(b, payload...), start)
	}
	broken := bytes.Clone(whole)
	broken[len(broken)-1] ^= 1
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"whole":            {whole, "end"},
		"without counts":   {streamOf(said + stop), "end"},
		"cut in counts":    {whole[:len(whole)-3], "cut"},
		"cut before stop":  {streamOf(said), "cut"},
		"empty":            {nil, "nothing"},
		"broken checksum":  {broken, "the provider's response is not valid bedrock"},
		"a web page":       {[]byte("<html><body>Bad gateway</body></html>"), "the provider's response is not valid bedrock"},
		"payload no JSON":  {streamOf("messageStop {"), "the provider's response is not valid bedrock"},
		"malformed":        {streamOf(said + `messageStop {"stopReason":"malformed_tool_use"}` + "\n" + counts), "upstream_error | ModelErrorException | the model's answer was broken: malformed_tool_use"},
		"malformed, alone": {streamOf(said + `messageStop {"stopReason":"malformed_model_output"}`), "upstream_error | ModelErrorException | the model's answer was broken: malformed_model_output"},
		"exception":        {exception("exception", ":exception-type", `{"message":"too many"}`), "rate_limit_exceeded | ThrottlingException | too many"},
		"silent exception": {exception("exception", ":exception-type", ``), "rate_limit_exceeded | ThrottlingException | the provider ended the answer with an error"},
		"transport error":  {exception("error", ":error-code", ``), "rate_limit_exceeded | ThrottlingException | slow down"},
	} {
		want := strings.ReplaceAll(c.want, "rate_limit_exceeded", llm.CodeRateLimited)
		if got := ends(t, c.body); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestUnaryShapes(t *testing.T) {
	for body, want := range map[string]string{
		`<html>`:            "the provider's response is not valid bedrock",
		`{"output":{`:       "the provider's response is not valid bedrock",
		`{"choices":[]}`:    "the provider's response is not valid bedrock",
		`{"Message":"No."}`: "No.",
		`{"output":{"message":{"content":[]}},"stopReason":"malformed_model_output"}`: "the model's answer was broken: malformed_model_output",
	} {
		events, err := decodeAll(t, jsonType, [][]byte{[]byte(body)})
		var e *llm.Error
		if !errors.As(err, &e) && len(events) > 0 {
			e = events[len(events)-1].Err
		}
		if e == nil || e.Message != want {
			t.Errorf("%s: got %v, %v", body, events, err)
		}
	}
	d := New().NewDecoder(llm.OpChat, jsonType, 5)
	if _, err := d.Decode([]byte("123456"), false); err == nil {
		t.Error("took more than the limit")
	}
}

// Formats that number their calls may interleave them; here one block comes
// after the other.
func TestInterleavedCalls(t *testing.T) {
	events := []llm.Event{
		{Kind: llm.EventStart},
		{Kind: llm.EventToolStart, Tool: 0, ID: "a", Name: "f"},
		{Kind: llm.EventToolStart, Tool: 1, ID: "b", Name: "g", Signature: "attache:gemini:s"},
		{Kind: llm.EventToolArgs, Tool: 1, Text: `{"x":`},
		{Kind: llm.EventToolArgs, Tool: 0, Text: `{"y":"}`},
		{Kind: llm.EventToolArgs, Tool: 1, Text: `1}`},
		{Kind: llm.EventText, Text: "and"},
		{Kind: llm.EventToolArgs, Tool: 0, Text: `"}`},
		{Kind: llm.EventToolArgs, Tool: 0, Text: ` `},
		{Kind: llm.EventToolStart, Tool: 2, Name: "h"},
		{Kind: llm.EventFinish, Reason: llm.FinishStop, Stop: "END"},
		{Kind: llm.EventEnd},
	}
	enc := New().NewEncoder(&llm.Request{Stream: true})
	out, err := enc.Encode(nil, events)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = eventstream.New(1<<20).Split(out, func(m *eventstream.Message) error {
		got = append(got, string(m.Text(":event-type"))+" "+string(m.Payload))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	made := parse[struct {
		Start struct{ ToolUse struct{ ToolUseID string } }
	}](t, []byte(strings.SplitN(got[len(got)-5], " ", 2)[1])).Start.ToolUse.ToolUseID
	if !strings.HasPrefix(made, "tooluse_") {
		t.Errorf("the made-up id is %q", made)
	}
	want := []string{
		`messageStart {"role":"assistant"}`,
		`contentBlockStart {"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"a","name":"f"}}}`,
		`contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"y\":\"}"}}}`,
		`contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"\"}"}}}`,
		`contentBlockStop {"contentBlockIndex":0}`,
		`contentBlockDelta {"contentBlockIndex":1,"delta":{"reasoningContent":{"signature":"attache:gemini:s"}}}`,
		`contentBlockStop {"contentBlockIndex":1}`,
		`contentBlockStart {"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"b","name":"g"}}}`,
		`contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"x\":"}}}`,
		`contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":"1}"}}}`,
		`contentBlockStop {"contentBlockIndex":2}`,
		`contentBlockDelta {"contentBlockIndex":3,"delta":{"text":"and"}}`,
		`contentBlockStop {"contentBlockIndex":3}`,
		`contentBlockStart {"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"` + made + `","name":"h"}}}`,
		`contentBlockDelta {"contentBlockIndex":4,"delta":{"toolUse":{"input":"{}"}}}`,
		`contentBlockStop {"contentBlockIndex":4}`,
		`messageStop {"stopReason":"tool_use","additionalModelResponseFields":{"stop_sequence":"END"}}`,
		`metadata {"usage":{"inputTokens":0,"outputTokens":0,"totalTokens":0,"cacheReadInputTokens":0,"cacheWriteInputTokens":0},"metrics":{"latencyMs":0}}`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %s", strings.Join(got, "\n"))
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		in         llm.Error
		name, text string
	}{
		{llm.Error{Status: 400, Code: llm.CodeInvalidRequest, Param: "messages[0]", Message: "bad"}, "ValidationException", "messages[0]: bad"},
		{llm.Error{Status: 401, Code: llm.CodeMissingKey, Message: "no key"}, "AccessDeniedException", "no key"},
		{llm.Error{Status: 404, Code: llm.CodeModelNotFound, Message: "none"}, "ResourceNotFoundException", "none"},
		{llm.Error{Status: 429, Code: llm.CodeRateLimited, Message: "slow", Type: "rate_limit_error"}, "ThrottlingException", "slow"},
		{llm.Error{Status: 429, Code: llm.CodeQuota, Message: "spent"}, "ServiceQuotaExceededException", "spent"},
		{llm.Error{Status: 429, Code: llm.CodeRateLimited, Message: "not yet", Type: "ModelNotReadyException"}, "ModelNotReadyException", "not yet"},
		{llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "down"}, "InternalServerException", "down"},
		{llm.Error{Status: 529, Code: "overloaded", Message: "full"}, "ServiceUnavailableException", "full"},
		{llm.Error{Status: 504, Code: llm.CodeUpstreamTimeout, Message: "late"}, "ModelTimeoutException", "late"},
		{llm.Error{Status: 400, Code: "context_length_exceeded", Message: "9 tokens"}, "ValidationException", "Input is too long for requested model: 9 tokens"},
	} {
		got := parse[map[string]string](t, New().EncodeError(&c.in))
		if want := map[string]string{"__type": c.name, "message": c.text, "reason": c.in.Code}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		out, err := New().NewEncoder(&llm.Request{Stream: true}).Encode(nil, []llm.Event{{Kind: llm.EventError, Err: &c.in}, {Kind: llm.EventText, Text: "late"}})
		if events, derr := decodeAll(t, eventstream.MediaType, [][]byte{out}); err != nil || derr != nil || len(events) != 1 || events[0].Err.Message != c.text {
			t.Errorf("streamed: %v, %v, %v", events, err, derr)
		}
	}
	for _, c := range []struct {
		status int
		body   string
		want   llm.Error
	}{
		{400, `{"message":"bad"}`, llm.Error{Status: 400, Code: llm.CodeInvalidRequest, Message: "bad", Type: "ValidationException"}},
		{400, `{"message":"prompt is too long: 9 > 8"}`, llm.Error{Status: 400, Code: "context_length_exceeded", Message: "prompt is too long: 9 > 8", Type: "ValidationException"}},
		{400, `{"__type":"com.amazon#ServiceQuotaExceededException","Message":"spent"}`, llm.Error{Status: 429, Code: llm.CodeQuota, Message: "spent", Type: "ServiceQuotaExceededException"}},
		{408, `{"message":"late"}`, llm.Error{Status: 504, Code: llm.CodeUpstreamTimeout, Message: "late", Type: "ModelTimeoutException"}},
		{424, `{"message":"model"}`, llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "model", Type: "ModelErrorException"}},
		{429, `{"message":"slow"}`, llm.Error{Status: 429, Code: llm.CodeRateLimited, Message: "slow", Type: "ThrottlingException"}},
		{413, `<html>`, llm.Error{Status: 413, Code: llm.CodeInvalidRequest, Message: "the provider answered with status 413", Type: "ValidationException"}},
		{502, ``, llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider answered with status 502", Type: "InternalServerException"}},
	} {
		if got := New().DecodeError(c.status, nil, []byte(c.body)); *got != c.want {
			t.Errorf("%d %s: got %+v", c.status, c.body, *got)
		}
	}
	for name, status := range map[string]int{
		"ServiceQuotaExceededException:http://internal.amazon.com/coral/com.amazon.bedrock/": 429,
		"com.amazon.coral#ThrottlingException":                                               429,
		"ModelErrorException":                                                                502,
		"UnknownException":                                                                   400,
	} {
		got := New().DecodeError(400, []llm.Header{{Name: "x-amzn-errortype", Value: name}}, []byte(`{"message":"no"}`))
		if got.Status != status || got.Message != "no" {
			t.Errorf("%s: got %+v", name, *got)
		}
	}
}

// A response in two pieces says what it says in one, and what is written of it
// can be read.
func FuzzDecodeResponse(f *testing.F) {
	f.Add(true, streamOf(string(sample(f, "answer.events"))), 100)
	f.Add(false, sample(f, "answer.json"), 100)
	f.Add(true, streamOf(`contentBlockDelta {"delta":{"toolUse":{"input":"{}"}}}`), 3)
	f.Fuzz(func(t *testing.T, stream bool, body []byte, at int) {
		mediaType := jsonType
		if stream {
			mediaType = eventstream.MediaType
		}
		at = min(max(at, 0), len(body))
		whole, err1 := decodeAll(t, mediaType, [][]byte{body})
		parts, err2 := decodeAll(t, mediaType, [][]byte{body[:at], body[at:]})
		if (err1 == nil) != (err2 == nil) || !reflect.DeepEqual(whole, parts) {
			t.Fatalf("whole: %v, %v; in two: %v, %v", whole, err1, parts, err2)
		}
		for _, form := range []bool{true, false} {
			enc := New().NewEncoder(&llm.Request{Stream: form})
			out, err := enc.Encode(nil, whole)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := decodeAll(t, enc.MediaType(), [][]byte{out}); err != nil && (form || len(out) > 0) {
				t.Fatalf("wrote %q: %v", out, err)
			}
		}
		New().DecodeError(500, nil, body)
	})
}

// The payloads of one stream, without its framing, which a fuzzer cannot guess.
func FuzzPayload(f *testing.F) {
	for line := range strings.Lines(string(sample(f, "answer.events"))) {
		name, payload, _ := strings.Cut(line, " ")
		f.Add(name, []byte(payload))
	}
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		if len(name) > 100 {
			return
		}
		events, err := decodeAll(t, eventstream.MediaType, [][]byte{event(nil, name, string(payload))})
		if err == nil && len(events) > 0 && !json.Valid(payload) {
			t.Fatalf("took what is not JSON as %v", events)
		}
	})
}

// A request that is taken is JSON, goes out as it came in, and can be written
// from its canonical form or is refused.
func FuzzDecodeRequest(f *testing.F) {
	f.Add(sample(f, "full.json"))
	f.Add([]byte(`{` + ask + `}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := New().DecodeRequest(llm.OpChat, body)
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Status != 400 {
				t.Fatalf("got %v", err)
			}
			return
		}
		checkSpans(t, r)
		for _, from := range []string{llm.Bedrock, llm.OpenAI} {
			r.Dialect = from
			w, err := New().EncodeRequest(r, claudeTarget)
			if err == nil && !(json.Valid(body) && json.Valid(w.Body)) {
				t.Fatalf("wrote %s", w.Body)
			}
		}
	})
}
