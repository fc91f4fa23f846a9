package openai

import (
	"bytes"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// What OpenRouter's models have signed comes back to OpenRouter as it was,
// through a client of another dialect, and to nobody else (E33, E37).
func TestReasoningDetails(t *testing.T) {
	const signed = `{"type":"reasoning.text","format":"anthropic-claude-v1","index":0,"signature":"c2ln"}`
	const hidden = `{"type":"reasoning.encrypted","data":"eHg=","id":"rs_1","format":"openai-responses-v1","index":1}`
	unary := `{"id":"c","choices":[{"index":0,"message":{"content":"a","reasoning":"hm","reasoning_details":[` +
		strings.Replace(signed, `"index"`, `"text":"hm","index"`, 1) + `,` + hidden + `]},"finish_reason":"stop"}]}`
	stream := `data: {"id":"c","choices":[{"index":0,"delta":{"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]}}]}` + "\n\n" +
		`data: {"id":"c","choices":[{"index":0,"delta":{"reasoning_details":[` + signed + `]}}]}` + "\n\n" +
		`data: {"id":"c","choices":[{"index":0,"delta":{"reasoning_details":[` + hidden + `]}}]}` + "\n\n" +
		`data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
	for mediaType, body := range map[string]string{"application/json": unary, "text/event-stream": stream} {
		events, _, err := decodeAll(New(), llm.OpChat, mediaType, []byte(body), whole)
		if err != nil {
			t.Fatal(err)
		}
		// As a client sends it back.
		q := &llm.Request{Op: llm.OpChat, Dialect: "another", Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{{Text: "q"}}}, {Role: llm.RoleAssistant}}}
		answer := &q.Messages[1]
		for _, e := range events {
			switch e.Kind {
			case llm.EventReasoning:
				answer.Parts = append(answer.Parts, llm.Part{Kind: llm.PartReasoning, Text: e.Text})
			case llm.EventSignature:
				n := len(answer.Parts)
				if n == 0 || answer.Parts[n-1].Signature != "" {
					answer.Parts = append(answer.Parts, llm.Part{Kind: llm.PartReasoning})
					n++
				}
				answer.Parts[n-1].Signature = e.Text
			case llm.EventText:
				answer.Parts = append(answer.Parts, llm.Part{Text: e.Text})
			}
		}
		w, err := New().EncodeRequest(q, dialect.Target{Model: "m", Rules: llm.Rules{ReasoningField: "reasoning", ReasoningDetails: true}})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"reasoning_details":[{"type":"reasoning.text",`, `"signature":"c2ln"`, `"text":"hm"`, hidden} {
			if !bytes.Contains(w.Body, []byte(want)) {
				t.Errorf("%s: no %s in %s", mediaType, want, w.Body)
			}
		}
		w, err = New().EncodeRequest(q, dialect.Target{Model: "m", Rules: llm.Rules{ReasoningField: "reasoning"}})
		if err != nil || bytes.Contains(w.Body, []byte("c2ln")) || bytes.Contains(w.Body, []byte("eHg=")) || !bytes.Contains(w.Body, []byte(`"reasoning":"hm"`)) {
			t.Errorf("%s: another server got %s, %v", mediaType, w.Body, err)
		}
	}
}
