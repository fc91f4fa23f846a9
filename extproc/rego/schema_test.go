package rego

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/policies"
)

func schema(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("s.json")
}

// TestInputSchema holds the document and its published schema together: all
// fields are required and others are not allowed, so they cannot drift apart.
func TestInputSchema(t *testing.T) {
	s := schema(t, policies.InputSchema)
	for name, f := range map[string]*gateway.Facts{"full": facts(), "empty": {Op: llm.OpChat, Dialect: llm.OpenAI, Format: string(llm.FormatText)}} {
		doc, err := ast.JSON(whole(onRequest, f))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestInput has the whole document once, as rules see it.
func TestInput(t *testing.T) {
	want := ast.MustParseTerm(`{
		"request": {
			"op": "chat", "dialect": "openai", "method": "POST", "path": "/v1/chat/completions", "model": "smart", "stream": true,
			"max_tokens": 2000, "temperature_milli": 700, "top_p_milli": -1, "format": "text", "messages": 3, "images": 1, "audios": 2, "files": 4,
			"tools": {"search": true, "mail": true}, "headers": {"x-tenant": "t1"}, "bytes": 5321, "tokens": {"input": 1200},
		},
		"caller": {
			"key": "k1", "org": "acme", "team": "search", "user": "ann", "roles": {"dev": true, "admin": true}, "labels": {"tier": "free"},
			"claims": {"groups": ["a", "b"], "level": 3}, "address": "192.0.2.1",
		},
		"user": "end-user", "session": "s1", "properties": {"residency": "eu"},
		"candidates": [
			{
				"provider": "openai", "model": "gpt-4o", "region": "us", "tags": {"region": "us"}, "input_price": 2500000000, "output_price": 10000000000,
				"context": 128000, "max_output": 16000, "state": "closed", "errors_permille": 7, "latency_ms": 900, "first_token_ms": 300, "in_flight": 2, "weight": 5, "left_permille": 1000,
			},
			{
				"provider": "local", "model": "llama3.3", "region": "", "tags": {}, "input_price": -1, "output_price": -1,
				"context": 0, "max_output": 0, "state": "open", "errors_permille": 0, "latency_ms": 0, "first_token_ms": 0, "in_flight": 0, "weight": 0, "left_permille": 0,
			},
		],
		"guards": {"pii": {"action": "redact", "code": "found", "findings": 2, "labels": {"email": true}, "scores": {"risk": 877}}},
		"limits": {
			"key": {"requests_left": 59, "tokens_left": 250, "concurrent_left": -1, "left_permille": 250},
			"tenant": {"requests_left": -1, "tokens_left": -1, "concurrent_left": 0, "left_permille": 0},
		},
		"budgets": {"team": {"limit_nano": 200000000000, "used_nano": 190000000001, "left_nano": 9999999999, "left_permille": 49, "state": "low", "resets_s": 2}},
		"time": {"unix_ms": 1795267800000, "minute": 30, "hour": 13, "minute_of_day": 810, "weekday": "saturday"},
	}`).Value
	if got := whole(onRequest, facts()); got.Compare(want) != 0 {
		t.Errorf("have %v\nwant %v", got, want)
	}
}

// TestLocalTime: rules see the time in the zone that it comes in.
func TestLocalTime(t *testing.T) {
	f := facts()
	f.Now = f.Now.In(time.FixedZone("there", 11*3600+30*60))
	got := whole(onRequest, f).(ast.Object).Get(ast.StringTerm("time"))
	want := ast.MustParseTerm(`{"unix_ms": 1795267800000, "minute": 0, "hour": 1, "minute_of_day": 60, "weekday": "sunday"}`)
	if !got.Equal(want) {
		t.Errorf("have %v, want %v", got, want)
	}
}

// TestEffectsSchema holds the decoder and the published schema together: what
// one accepts the other accepts.
func TestEffectsSchema(t *testing.T) {
	s := schema(t, policies.EffectsSchema)
	values := []string{`"x"`, `""`, `"X y"`, `"low"`, `"/max_tokens"`, `"/a/b"`, `"remove"`, `0`, `1`, `400`, `600`, `-1`, `1.5`, `9007199254740993`,
		`true`, `null`, `[]`, `["a"]`, `[""]`, `["1","2","3","4","5","6","7","8","9"]`, `{}`, `{"a": "b"}`, `{"a": 1}`, `{"": "b"}`, `"none"`, `{"name": "b"}`, `{"name": ""}`, `{"name": "b", "a": 1}`}
	heads := []string{`"x"`, `7`, `[]`, `{}`}
	for _, v := range values {
		for _, f := range []string{"code", "status", "message", "retry_after_s", "priority", "reason", "require", "exclude", "chain", "timeout_ms", "first_token_ms", "path", "max", "value", "op", "other"} {
			heads = append(heads, fmt.Sprintf(`{"%s": %s}`, f, v), fmt.Sprintf(`{"path": "/n", "%s": %s}`, f, v))
		}
		for _, path := range []string{"top_logprobs", "seed", "logprobs", "stop", "user", "verbosity", "reasoning_effort", "metadata", "parallel_tool_calls", "tool_choice", "messages"} {
			heads = append(heads, fmt.Sprintf(`{"path": "/%s", "value": %s}`, path, v), fmt.Sprintf(`{"path": "/%s", "max": %s}`, path, v), fmt.Sprintf(`{"path": "/%s", "op": %s}`, path, v))
		}
	}
	for _, v := range values {
		for _, f := range []string{"window_s", "window", "requests", "tokens", "concurrent"} {
			heads = append(heads, fmt.Sprintf(`{"per": "key", "%s": %s}`, f, v), fmt.Sprintf(`{"per": "org", "cost_nano": 1, "%s": %s}`, f, v))
		}
	}
	for _, w := range []string{`"window": "day"`, `"window": "month"`, `"window": "year"`, `"window_s": 31622400`, `"window_s": 31622401`, `"window": "week", "window_s": 60`} {
		heads = append(heads, fmt.Sprintf(`{"per": "team", "cost_nano": 5, "concurrent": 0, %s}`, w), fmt.Sprintf(`{"per": "team", "concurrent": 5, %s}`, w))
	}
	for _, name := range []string{`"a-B_9."`, `"a b"`, `""`, `7`, `["a"]`, `"` + strings.Repeat("n", 64) + `"`, `"` + strings.Repeat("n", 65) + `"`} {
		heads = append(heads, fmt.Sprintf(`{"name": %s, "per": "team", "concurrent": 5}`, name))
	}
	heads = append(heads, `{"path": "/n", "max": 1, "value": 1}`, `{"path": "/n", "op": "remove", "value": 1}`)
	accepted := 0
	for name, v := range verbs {
		for _, h := range heads {
			value := ast.MustParseTerm(h).Value
			_, err := v.decode(value, guardNames{[]string{"x", "/max_tokens"}, []string{"x", "/max_tokens"}}, false)
			doc, err2 := ast.JSON(value)
			if err2 != nil {
				t.Fatal(err2)
			}
			published := s.Validate(map[string]any{name: doc})
			if (err == nil) != (published == nil) {
				t.Errorf("%s %s: decoder says %v, schema says %v", name, h, err, published)
			}
			if err == nil {
				accepted++
			}
		}
	}
	if accepted < 50 {
		t.Errorf("only %d heads accepted", accepted)
	}
}
