package rego

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestWords: a comparison with a word that a field never is, is a warning.
func TestWords(t *testing.T) {
	const text = `package attache.request

import rego.v2

deny contains {"code": "a"} if input.request.op == "chats"

deny contains {"code": "b"} if "open-ai" != input.request.dialect

deny contains {"code": "c"} if not input.request.format in {"text", "json"}

deny contains {"code": "d"} if {
	some c in input.candidates
	c.state == "opened"
}

deny contains {"code": "e"} if weekend

weekend if {
	day := input.time.weekday
	day in ["saturday", "Sunday"]
}

deny contains {"code": "f"} if input.guards.pii.action == "deny"

deny contains {"code": "g"} if input.budgets.team.state == "empty"

deny contains {"code": "h"} if {
	input.request.op == "chat"
	input.request.dialect in {"openai", "bedrock"}
	input.candidates[_].state != "open"
	input.request.model == "chats"
	input.guards.pii.code == "deny"
}
`
	const after = `package attache.response

import rego.v2

label contains {"a": "b"} if input.response.guards.pii.action == "blocked"
`
	p, err := Load(t.Context(), Options{Default: Allow, Deadline: time.Minute, Off: defaults, Guards: []string{"pii"}, OutputGuards: []string{"pii"}, Budgets: budgeted,
		FS: fstest.MapFS{"a.rego": {Data: []byte(text)}, "b.rego": {Data: []byte(after)}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`a.rego:5: request.op is never "chats"; it is one of chat, embeddings, models, count_tokens, forward`,
		`a.rego:7: request.dialect is never "open-ai"; it is one of openai, responses, anthropic, gemini, bedrock`,
		`a.rego:9: request.format is never "json"; it is one of text, json_object, json_schema`,
		`a.rego:13: candidates[_].state is never "opened"; it is one of closed, half_open, open`,
		`a.rego:20: time.weekday is never "Sunday"; it is one of sunday, monday, tuesday, wednesday, thursday, friday, saturday`,
		`a.rego:23: guards.pii.action is never "deny"; it is one of allow, redact, block, failed`,
		`a.rego:25: budgets.team.state is never "empty"; it is one of ok, low, exhausted`,
		`b.rego:5: response.guards.pii.action is never "blocked"; it is one of allow, redact, block, failed`,
	}
	if got := strings.Join(p.Warnings(), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
