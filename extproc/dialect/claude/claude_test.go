package claude

import (
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestPlanThinking(t *testing.T) {
	budget := llm.Rules{Reasons: true}
	adaptive := llm.Rules{Reasons: true, Adaptive: true, NoBudget: true}
	coarse := llm.Rules{Reasons: true, Adaptive: true, Efforts: []string{"low", "high", "max"}}
	forced := llm.ToolChoice{Mode: llm.ToolRequired}
	for name, c := range map[string]struct {
		reasoning llm.Reasoning
		rules     llm.Rules
		choice    llm.ToolChoice
		limit     int64
		lost      bool
		want      string // the member; empty: none
		warning   string
	}{
		"not asked":             {llm.Reasoning{}, budget, llm.ToolChoice{}, 9000, false, ``, ""},
		"a budget":              {llm.Reasoning{Budget: 2000}, budget, llm.ToolChoice{}, 9000, false, `{"type":"enabled","budget_tokens":2000}`, ""},
		"an effort as a budget": {llm.Reasoning{Effort: "low", Display: "omitted"}, budget, llm.ToolChoice{}, 9000, false, `{"type":"enabled","budget_tokens":2048,"display":"omitted"}`, ""},
		"a budget above all":    {llm.Reasoning{Budget: 9000}, budget, llm.ToolChoice{}, 4000, false, `{"type":"enabled","budget_tokens":3000}`, ""},
		"no room":               {llm.Reasoning{Budget: 9000}, budget, llm.ToolChoice{}, 1000, false, ``, "no room"},
		"an adaptive model":     {llm.Reasoning{Budget: 2000}, adaptive, llm.ToolChoice{}, 9000, false, `{"type":"adaptive"}`, ""},
		"a level not known":     {llm.Reasoning{Effort: "xhigh"}, coarse, llm.ToolChoice{}, 9000, false, `{"type":"adaptive"}`, "became max: the model does not know xhigh"},
		"off":                   {llm.Reasoning{Mode: "disabled"}, budget, llm.ToolChoice{}, 9000, false, `{"type":"disabled"}`, ""},
		"never off":             {llm.Reasoning{Effort: "none"}, llm.Rules{Reasons: true, NoThinkingOff: true}, llm.ToolChoice{}, 9000, false, ``, "cannot be switched off"},
		"a model that does not": {llm.Reasoning{Effort: "low"}, llm.Rules{}, llm.ToolChoice{}, 9000, false, ``, "does not think"},
		"a forced call":         {llm.Reasoning{Budget: 2000}, budget, forced, 9000, false, ``, "must call a tool"},
		"lost thinking":         {llm.Reasoning{Budget: 2000}, budget, llm.ToolChoice{}, 9000, true, ``, "have lost"},
	} {
		var warnings []string
		r := &llm.Request{MaxTokens: c.limit, Reasoning: &c.reasoning, ToolChoice: c.choice}
		plan := PlanThinking(r, c.rules, c.limit, c.lost, func(field, reason string) { warnings = append(warnings, field+": "+reason) })
		got := ""
		if plan.Mode != "" {
			got = string(plan.AppendMode(nil))
		}
		if got != c.want || plan.Limit != c.limit {
			t.Errorf("%s: got %s, limit %d", name, got, plan.Limit)
		}
		if said := strings.Join(warnings, "; "); (said == "") != (c.warning == "") || !strings.Contains(said, c.warning) {
			t.Errorf("%s: warnings %q", name, said)
		}
	}
}

func TestSample(t *testing.T) {
	for name, c := range map[string]struct {
		in     Sampling
		rules  llm.Rules
		thinks bool
		want   Sampling
		warned int
	}{
		"as it is":         {Sampling{"0.5", "", "3"}, llm.Rules{}, false, Sampling{"0.5", "", "3"}, 0},
		"too hot":          {Sampling{"1.5", "", ""}, llm.Rules{}, false, Sampling{"1", "", ""}, 1},
		"not both":         {Sampling{"0.5", "0.9", ""}, llm.Rules{}, false, Sampling{"0.5", "", ""}, 1},
		"takes none":       {Sampling{"0.5", "0.9", "3"}, llm.Rules{NoSampling: true}, false, Sampling{}, 3},
		"while it thinks":  {Sampling{"0.5", "0.9", "3"}, llm.Rules{}, true, Sampling{}, 3},
		"thinks, and hot":  {Sampling{"1.0", "", ""}, llm.Rules{}, true, Sampling{"1.0", "", ""}, 0},
		"thinks, top_p ok": {Sampling{"", "0.95", ""}, llm.Rules{}, true, Sampling{"", "0.95", ""}, 0},
	} {
		warned := 0
		r := &llm.Request{Temperature: c.in.Temperature, TopP: c.in.TopP, TopK: c.in.TopK}
		if got := Sample(r, c.rules, c.thinks, func(string, string) { warned++ }); got != c.want || warned != c.warned {
			t.Errorf("%s: got %+v with %d warnings", name, got, warned)
		}
	}
}
