package gateway

import (
	"strings"
	"testing"
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
