package gateway

import (
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestModelsByName(t *testing.T) {
	h := newGateway(t, func(o *Options) { o.Providers[0].Models = []string{"gpt-*", "org/m"} })
	for path, want := range map[string]string{
		"/v1/models":                 `"id":"a/org/m"`,
		"/v1/models/smart":           `"id":"smart"`,
		"/v1/models/a/org/m":         `"id":"a/org/m"`,
		"/models/a%2Forg%2Fm?x=1":    `"id":"a/org/m"`,
		"/v1/models/a%2":             "model_not_found",
		"/v1/models/gpt-4o":          "model_not_found",
		"/v1/models/smart%2Fnothing": "model_not_found",
	} {
		x, answer := h.Open(&Head{Method: "GET", Path: path, Headers: []llm.Header{{Name: ":method", Value: "GET"}}})
		if answer == nil {
			answer, _ = x.Decide(t.Context(), nil)
		}
		if !strings.Contains(string(answer.Body), want) {
			t.Errorf("%s: got %s, want %s", path, answer.Body, want)
		}
		x.Close(false)
	}
}

// A client's mistake is no failure of the gateway: its record has no detail for
// the log.
func TestMistakeIsNoFailure(t *testing.T) {
	var r *Record
	h := newGateway(t, func(o *Options) { o.Sinks = []Sink{sinkFunc(func(got *Record) { r = got })} })
	x, answer, _ := decide(t, h, chatPath, chat("b/claude", `,"n":2`))
	x.Close(false)
	if answer == nil || answer.Status != 400 || r.Code != llm.CodeUnsupported || r.Detail != "" {
		t.Errorf("answer %+v, record %+v", answer, r)
	}
}

// Anthropic's SDK refuses a model without one of these members.
func TestModelsForAnthropic(t *testing.T) {
	h := newGateway(t, nil)
	x, answer := h.Open(&Head{Method: "GET", Path: "/v1/models/smart", Headers: []llm.Header{{Name: "anthropic-version", Value: "2023-06-01"}}})
	if answer == nil {
		answer, _ = x.Decide(t.Context(), nil)
	}
	x.Close(false)
	const want = `{"type":"model","id":"smart","display_name":"smart","lifecycle":"active","created_at":"1970-01-01T00:00:00Z"}`
	if string(answer.Body) != want {
		t.Errorf("got %s", answer.Body)
	}
}
