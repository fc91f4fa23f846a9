package bedrock

import (
	"errors"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestCountTokens(t *testing.T) {
	const converse = `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"s"}]}`
	r, err := New().DecodeRequest(llm.OpCountTokens, []byte(`{"input": {"converse":`+converse+`} }`))
	if err != nil || r.Op != llm.OpCountTokens || len(r.Messages) != 1 || len(r.System) != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	w, err := New().EncodeRequest(r, dialect.Target{Model: "us.anthropic.claude-sonnet-4-6-v1:0"})
	if err != nil || w.Path != "/model/anthropic.claude-sonnet-4-6-v1%3A0/count-tokens" || string(w.Body) != `{"input":{"converse":`+converse+`}}` {
		t.Errorf("got %+v, %v", w, err)
	}
	frames, err := New().NewDecoder(llm.OpCountTokens, "application/json", 100).Decode([]byte(`{"inputTokens":12}`), true)
	if err != nil || len(frames) != 1 || frames[0].Events[0].Usage.Input != 12 || frames[0].Events[1].Kind != llm.EventEnd {
		t.Errorf("got %+v, %v", frames, err)
	}
	body, err := New().NewEncoder(r).Encode(nil, frames[0].Events)
	if err != nil || string(body) != `{"inputTokens":12}` {
		t.Errorf("got %s, %v", body, err)
	}
}

func TestCountTokensRefuses(t *testing.T) {
	for body, param := range map[string]string{
		`{}`:           "input.converse",
		`{"input":{}}`: "input.converse",
		`{"input":{"invokeModel":{"body":"e30="}}}`: "input.invokeModel",
		`{"input":{"converse":[]}}`:                 "input.converse",
		`{"input":{"converse":{"messages":1}}}`:     "input.converse.messages",
		`{"input":{"converse":{}}}`:                 "input.converse.messages",
	} {
		_, err := New().DecodeRequest(llm.OpCountTokens, []byte(body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Status != 400 || e.Param != param {
			t.Errorf("%s: got %v", body, err)
		}
	}
	for _, body := range []string{``, `{}`, `{"inputTokens":"x"}`, `{"inputTokens":-1}`, `<html>`} {
		if frames, err := New().NewDecoder(llm.OpCountTokens, "application/json", 100).Decode([]byte(body), true); err == nil {
			t.Errorf("%s: got %+v", body, frames)
		}
	}
	if w, err := New().EncodeRequest(&llm.Request{Op: llm.OpCountTokens, Dialect: llm.OpenAI}, dialect.Target{}); err == nil {
		t.Errorf("another format: got %+v", w)
	}
}
