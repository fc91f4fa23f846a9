package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// What the Responses API keeps is kept by the provider: who speaks the dialect
// gets the client's own words, and nobody else is asked for what it cannot do.
func TestResponsesState(t *testing.T) {
	h := forwarding(t, nil)
	for _, tt := range []struct{ more, crossing string }{
		{`"previous_response_id":"resp_1"`, "400 previous_response_id"},
		{`"conversation":"conv_1"`, "400 conversation"},
		{`"conversation":{"id":"conv_1"}`, "400 conversation"},
		{`"background":true`, "400 background"},
		{`"background":false`, "200 "},
		{`"prompt":{"id":"pmpt_1"}`, "400 prompt"},
		{`"store":true`, "200 store"},
		{`"store":false`, "200 "},
		{`"previous_response_id":null`, "200 "},
	} {
		body := func(model string) string { return `{"model":"` + model + `","input":"hi",` + tt.more + `}` }
		if _, answer, f := ask(t, h, "POST", "/v1/responses", body("r/m")); answer != nil || string(f.First.Body) != body("m") {
			t.Errorf("%s: the provider gets %+v, %+v", tt.more, answer, f)
		}
		for _, model := range []string{"a/m", "b/m", "g/m"} {
			x, answer, _ := ask(t, h, "POST", "/v1/responses", body(model))
			status, field, _ := strings.Cut(tt.crossing, " ")
			switch {
			case status == "400":
				if answer == nil || answer.Status != 400 || !strings.Contains(string(answer.Body), `"param":"`+field) || !strings.Contains(string(answer.Body), "unsupported_feature") {
					t.Errorf("%s to %s: got %+v", tt.more, model, answer)
				}
			case answer != nil:
				t.Errorf("%s to %s: got %s", tt.more, model, answer.Body)
			case field != "":
				if up, err := x.attempt(0); err != nil || up == nil || !strings.Contains(strings.Join(x.plan.steps[0].wire.Warnings, ";"), field) {
					t.Errorf("%s to %s: no warning: %v", tt.more, model, x.plan.steps[0].wire.Warnings)
				}
			}
		}
	}
}

// A provider that has both of OpenAI's APIs is called by the one that the client
// speaks, with all that only this one has, and by its first for all others.
func TestSpeaking(t *testing.T) {
	h := forwarding(t, func(o *Options) {
		i := slices.IndexFunc(o.Providers, func(p Provider) bool { return p.Name == "a" })
		o.Providers[i].Also = []string{llm.Responses}
		o.Providers[i].Rules = func(model string) llm.Rules { return llm.Rules{NoChat: model == "pro", NoChatTools: model == "5.6"} }
	})
	const (
		tools  = `,"tools":[{"type":"function","function":{"name":"f"}}]`
		claude = `{"model":"a/5.6","max_tokens":9,"messages":[{"role":"user","content":"hi"}]`
	)
	const state = `"input":"hi","previous_response_id":"resp_1","tools":[{"type":"web_search"}]}`
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", "/v1/responses", `{"model":"a/m",` + state, "a /v1/responses"},
		{"POST", "/v1/responses", `{"model":"a/m,b/n",` + state, "a /v1/responses"}, // b is left out
		{"POST", "/v1/responses/input_tokens", `{"model":"a/m","input":"hi"}`, "a /v1/responses/input_tokens"},
		{"POST", "/v1/responses/compact", `{"model":"a/m","input":"hi"}`, "a /v1/responses/compact"},
		{"POST", chatPath, chat("a/m", ""), "a /v1/chat/completions"},
		{"POST", "/v1/messages", `{"model":"a/m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, "a /v1/chat/completions"},
		// What a model has only there goes there, whoever asks.
		{"POST", chatPath, chat("a/pro", ""), "a /v1/responses"},
		{"POST", chatPath, chat("a/5.6", tools), "a /v1/chat/completions"}, // as the client says
		{"POST", "/v1/messages", claude + `,"tools":[{"name":"f","input_schema":{"type":"object"}}]}`, "a /v1/responses"},
		{"POST", "/v1/messages", claude + "}", "a /v1/chat/completions"},
		{"POST", "/v1/embeddings", `{"model":"a/pro","input":"hi"}`, "a /v1/embeddings"},
		{"POST", chatPath, chat("c/pro", ""), "c /api/chat/completions"}, // has no other API
	} {
		_, answer, f := ask(t, h, tt.method, tt.path, tt.body)
		if answer != nil {
			t.Errorf("%s %s: got %s", tt.path, tt.body, answer.Body)
		} else if got := f.Clusters[0] + " " + setTo(f.First, ":path"); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.path, tt.body, got, tt.want)
		}
	}
	if _, answer, f := ask(t, h, "GET", "/v1/responses/resp_1", "", "x-attache-provider", "a"); answer != nil || setTo(f.First, ":path") != "/v1/responses/resp_1" {
		t.Errorf("fetching a response: got %+v", answer)
	}
	// The targets of a name are not changed by who asked for them.
	if x, _, _ := ask(t, h, "POST", chatPath, chat("a/m", "")); x.plan.steps[0].Dialect != llm.OpenAI {
		t.Error("after a client of the Responses API, others are served in it too")
	}
}
