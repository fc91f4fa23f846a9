package dialect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A client that sends an answer back, as SDKs do for the next turn, gives the
// provider its own signed reasoning again, although it speaks another dialect.
func TestSignaturesSurvive(t *testing.T) {
	body, err := os.ReadFile("testdata/anthropic/answer.json")
	if err != nil {
		t.Fatal(err)
	}
	client, provider := openaiAPI, anthropicAPI
	r := &llm.Request{Op: llm.OpChat, Dialect: llm.OpenAI}
	out, _, err := cross(provider, client, r, "application/json", [][]byte{body, nil})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Choices []struct{ Message json.RawMessage }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	next := fmt.Appendf(nil, `{"model":"m","messages":[{"role":"user","content":"q"},%s,{"role":"tool","tool_call_id":"toolu_1","content":"a"}]}`, answer.Choices[0].Message)
	r, err = client.DecodeRequest(llm.OpChat, next)
	if err != nil {
		t.Fatal(err)
	}
	w, err := provider.EncodeRequest(r, dialect.Target{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `"content":[{"type":"thinking","thinking":"Two calls.\nLet me.","signature":"c2ln"},{"type":"redacted_thinking","data":"eHg="},{"type":"text",`
	if !bytes.Contains(w.Body, []byte(want)) {
		t.Errorf("no %s in\n%s", want, w.Body)
	}
}

// The mark that stands for the signature of unsigned reasoning comes back from
// the client and goes no further.
func TestUnsignedReasoningComesBack(t *testing.T) {
	body, err := os.ReadFile("testdata/crossing/answer.json")
	if err != nil {
		t.Fatal(err)
	}
	provider, client := openaiAPI, anthropicAPI
	r := &llm.Request{Op: llm.OpChat, Dialect: llm.Anthropic}
	out, _, err := cross(provider, client, r, "application/json", [][]byte{body, nil})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Content json.RawMessage }
	var blocks []struct{ Type, Signature string }
	if err := errors.Join(json.Unmarshal(out, &answer), json.Unmarshal(answer.Content, &blocks)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mark := blocks[0].Signature
	if blocks[0].Type != "thinking" || mark == "" {
		t.Fatalf("no reasoning with a signature: %s", out)
	}
	next := fmt.Appendf(nil, `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":%s},{"role":"user","content":"go on"}]}`, answer.Content)
	r, err = client.DecodeRequest(llm.OpChat, next)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []dialect.Dialect{openaiAPI, anthropicAPI} {
		w, err := to.EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(w.Body, []byte(mark)) {
			t.Errorf("%s got the mark: %s", to.Name(), w.Body)
		}
	}
}

// What the Responses API alone can say is refused or warned about, and named as
// its client wrote it.
func TestResponsesAPIStaysBehind(t *testing.T) {
	const hi = `"input":[{"role":"user","content":"hi"}]`
	for _, c := range []struct{ name, body, refused, warned string }{
		{name: "plain", body: hi + `,"store":false,"include":["reasoning.encrypted_content"],"background":false,"previous_response_id":null,"truncation":"disabled","text":{"verbosity":"medium"}`},
		{name: "earlier response", body: hi + `,"previous_response_id":"resp_1"`, refused: "previous_response_id"},
		{name: "conversation", body: hi + `,"conversation":"conv_1"`, refused: "conversation"},
		{name: "background", body: hi + `,"background":true`, refused: "background"},
		{name: "prompt", body: `"prompt":{"id":"p"}`, refused: "prompt"},
		{name: "item reference", body: `"input":[{"role":"user","content":"hi"},{"type":"item_reference","id":"msg_1"}]`, refused: "input[1]"},
		{name: "item reference without a type", body: `"input":[{"id":"msg_1"}]`, refused: "input[0]"},
		{name: "call of a custom tool", body: `"input":[{"type":"custom_tool_call","call_id":"c","name":"f","input":"x"}]`, refused: "input[0]"},
		{name: "tool that the provider runs", body: hi + `,"tools":[{"type":"web_search"}]`, refused: "tools[0]"},
		{name: "custom tool", body: hi + `,"tools":[{"type":"function","name":"f"},{"type":"custom","name":"g"}]`, refused: "tools[1]"},
		{name: "choice of a tool that the provider runs", body: hi + `,"tools":[],"tool_choice":{"type":"web_search"}`, refused: "tool_choice"},
		{name: "store", body: hi + `,"store":true`, warned: "store: left out: nothing is stored"},
		{name: "truncation", body: hi + `,"truncation":"auto"`, warned: "truncation: "},
		{name: "obfuscation", body: hi + `,"stream":true,"stream_options":{"include_obfuscation":false}`},
	} {
		r, err := responsesAPI.DecodeRequest(llm.OpChat, []byte(`{"model":"m",`+c.body+`}`))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, to := range dialects {
			if to.Name() == llm.Responses {
				continue
			}
			w, err := to.EncodeRequest(r, dialect.Target{Model: "m"})
			var e *llm.Error
			switch {
			case c.refused != "":
				if !errors.As(err, &e) || e.Status != 400 || e.Code != llm.CodeUnsupported || e.Param != c.refused {
					t.Errorf("%s to %s: %v", c.name, to.Name(), err)
				}
			case err != nil:
				t.Errorf("%s to %s: %v", c.name, to.Name(), err)
			case (c.warned == "") != (len(w.Warnings) == 0) || c.warned != "" && !strings.HasPrefix(w.Warnings[0], c.warned):
				t.Errorf("%s to %s: %q", c.name, to.Name(), w.Warnings)
			}
		}
	}
}

// A provider's reasoning comes back to it through clients of each dialect, and
// to no other provider.
func TestReasoningComesHome(t *testing.T) {
	all := []dialect.Dialect{responsesAPI, openaiAPI, anthropicAPI}
	answers := map[string]struct{ body, secret string }{
		llm.Anthropic: {`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"ErcB"},{"type":"redacted_thinking","data":"Rdct"},{"type":"tool_use","id":"toolu_1","name":"f","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`,
			"ErcB"},
		llm.Responses: {`{"id":"resp_1","object":"response","status":"completed","model":"m","output":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA"},{"type":"function_call","id":"fc_1","call_id":"toolu_1","name":"f","arguments":"{}"}],"usage":{"input_tokens":1,"output_tokens":1}}`,
			"gAAA"},
	}
	for provider, answer := range answers {
		for _, client := range all {
			var from dialect.Dialect
			for _, d := range all {
				if d.Name() == provider {
					from = d
				}
			}
			r := &llm.Request{Op: llm.OpChat, Dialect: client.Name(), Model: "m"}
			out, _, err := cross(from, client, r, "application/json", [][]byte{[]byte(answer.body), nil})
			if err != nil {
				t.Fatal(err)
			}
			next, ok := nextTurn(t, client.Name(), out)
			if !ok {
				continue
			}
			q, err := client.DecodeRequest(llm.OpChat, next)
			if err != nil {
				t.Fatalf("%s: %v: %s", client.Name(), err, next)
			}
			for _, to := range all {
				w, err := to.EncodeRequest(q, dialect.Target{Model: "m", Rules: llm.Rules{Reasons: true}})
				if err != nil {
					t.Fatalf("%s: %v", to.Name(), err)
				}
				want := to.Name() == provider
				if got := bytes.Contains(w.Body, []byte(answer.secret)); got != want || bytes.Contains(w.Body, []byte("attache:")) {
					t.Errorf("reasoning of %s, client %s, next to %s: %s", provider, client.Name(), to.Name(), w.Body)
				}
				if provider == llm.Anthropic && want != bytes.Contains(w.Body, []byte("Rdct")) {
					t.Errorf("hidden reasoning of %s, client %s, next to %s: %s", provider, client.Name(), to.Name(), w.Body)
				}
			}
		}
	}
}

// nextTurn is the request of a client that has run the tool of an answer. It is
// not ok for a dialect whose conversations this test does not know.
func nextTurn(t *testing.T, client string, answer []byte) (body []byte, ok bool) {
	t.Helper()
	var a struct {
		Output, Content json.RawMessage
		Choices         []struct{ Message json.RawMessage }
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	switch client {
	case llm.Responses:
		items := bytes.TrimSuffix(a.Output, []byte("]"))
		return []byte(`{"model":"m","input":[{"role":"user","content":"q"},` + string(items[1:]) + `,{"type":"function_call_output","call_id":"toolu_1","output":"x"}]}`), true
	case llm.Anthropic:
		return []byte(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":` + string(a.Content) +
			`},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"x"}]}]}`), true
	case llm.OpenAI:
		return []byte(`{"model":"m","messages":[{"role":"user","content":"q"},` + string(a.Choices[0].Message) + `,{"role":"tool","tool_call_id":"toolu_1","content":"x"}]}`), true
	}
	return nil, false
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
		{openaiAPI, func(out []byte) string {
			var answer struct {
				Choices []struct{ Message json.RawMessage }
			}
			_ = json.Unmarshal(out, &answer)
			return fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":"q"},%s]}`, answer.Choices[0].Message)
		}},
		{anthropicAPI, func(out []byte) string {
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
		for _, want := range []string{`"thoughtSignature":"dGV4dA=="`, `"name":"look","args":{"at": "this",`, `},"thoughtSignature":"Y2FsbA=="}`} {
			if !bytes.Contains(w.Body, []byte(want)) {
				t.Errorf("%s: no %s in %s", c.client.Name(), want, w.Body)
			}
		}
		if bytes.Contains(w.Body, []byte("skip_thought")) {
			t.Errorf("%s: a signature was taken for none: %s", c.client.Name(), w.Body)
		}
		for _, other := range []dialect.Dialect{openaiAPI, anthropicAPI, responsesAPI} {
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
	provider := anthropicAPI
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
