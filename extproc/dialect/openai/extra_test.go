package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

const extraContent = `"extra_content":{"google":{"thought_signature":"c2ln"}}`

// The signature of a call by Google's model reaches the client, who sends it
// back, and it is the same again.
func TestCallSignaturesComeBack(t *testing.T) {
	events := []llm.Event{
		{Kind: llm.EventStart, ID: "i", Model: "m"},
		{Kind: llm.EventToolStart, ID: "a", Name: "f", Signature: "attache:gemini:c2ln"},
		{Kind: llm.EventToolArgs, Text: "{}"},
		{Kind: llm.EventToolStart, Tool: 1, ID: "b", Name: "f", Signature: "attache:other:c2ln"},
		{Kind: llm.EventFinish, Reason: llm.FinishToolCalls},
		{Kind: llm.EventEnd},
	}
	for _, stream := range []bool{false, true} {
		r := &llm.Request{Op: llm.OpChat, Stream: stream}
		enc := New().WithClock(clock).NewEncoder(r)
		out, err := enc.Encode(nil, events)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(out), extraContent); n != 1 {
			t.Errorf("%d signatures in %s", n, out)
		}
		again, _, err := decodeAll(New().WithClock(clock), llm.OpChat, enc.MediaType(), out, whole)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range again {
			if e.Kind == llm.EventToolStart {
				got = append(got, e.Signature)
			}
		}
		if strings.Join(got, " ") != "attache:gemini:c2ln " {
			t.Errorf("stream %v: got %q", stream, got)
		}
	}
}

func TestExtraContentOfRequests(t *testing.T) {
	const call = `{"model":"m","messages":[{"role":"user","content":"q"},` +
		`{"role":"assistant","tool_calls":[{` + extraContent + `, "id":"a","type":"function","function":{"name":"f","arguments":"{}"}},` +
		`{"id":"b","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"x":1}}]}]}`
	r, err := New().DecodeRequest(llm.OpChat, []byte(call))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Messages[1].Parts[0].Signature; got != "attache:gemini:c2ln" {
		t.Errorf("got the signature %q", got)
	}
	w, err := New().EncodeRequest(r, dialect.Target{Model: "m", Rules: llm.Rules{ExtraContent: true}})
	if err != nil || string(w.Body) != call {
		t.Errorf("Google's server got %s, %v", w.Body, err)
	}
	w, err = New().EncodeRequest(r, dialect.Target{Model: "m"})
	if err != nil || strings.Contains(string(w.Body), "extra_content") || !json.Valid(w.Body) || len(w.Warnings) != 1 {
		t.Errorf("another server got %s, %q, %v", w.Body, w.Warnings, err)
	}
}
