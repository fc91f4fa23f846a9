package gateway

import (
	"reflect"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// withRules gives the models of provider a rules by their names.
func withRules(rules map[string]llm.Rules) func(*Options) {
	return func(o *Options) {
		o.Providers[0].Rules = func(model string) llm.Rules { return rules[model] }
		o.Providers[1].Rules = o.Providers[0].Rules
	}
}

func TestContextThatIsTooSmall(t *testing.T) {
	rules := map[string]llm.Rules{"gpt-4o": {Context: 1000}, "gpt-4o-mini": {Context: 500}, "claude": {Context: 1000}, "large": {Context: 10_000}, "llama": {Context: 1000}}
	long, short := strings.Repeat("word ", 2000), strings.Repeat("word ", 100)
	tool := `,"tools":[{"type":"function","function":{"name":"f"}}]`
	for _, tt := range []struct{ name, model, text, more, want string }{
		{"fits", "a/gpt-4o,a/large", short, "", "a/gpt-4o a/large"},
		{"goes behind", "a/gpt-4o,b/claude,a/large,a/unknown", long, "", "a/large a/unknown a/gpt-4o b/claude"},
		{"all, and it is certain", "a/gpt-4o,a/gpt-4o-mini", long, "", "context_length_exceeded"},
		{"one, and it is certain", "a/gpt-4o", long, "", "context_length_exceeded"},
		{"one by an estimate", "b/claude", long, "", "b/claude"},
		{"another maker's model", "a/llama", long, "", "a/llama"},
		{"tools make it an estimate", "a/gpt-4o", long, tool, "a/gpt-4o"},
		{"one may fit", "a/gpt-4o,b/claude", long, "", "a/gpt-4o b/claude"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, answer, _ := decide(t, newGateway(t, withRules(rules)), chatPath,
				`{"model":"`+tt.model+`","messages":[{"role":"user","content":"`+tt.text+`"}]`+tt.more+`}`)
			defer x.Close(false)
			got := x.planned()
			if answer != nil {
				got = x.record.Code
				if answer.Status != 400 || !strings.Contains(string(answer.Body), "2007 tokens > 1000 maximum") {
					t.Errorf("answered %d %s", answer.Status, answer.Body)
				}
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// planned returns the targets of the plan.
func (x *Exchange) planned() string {
	var names []string
	if x.plan != nil {
		for _, s := range x.plan.steps {
			names = append(names, s.String())
		}
	}
	return strings.Join(names, " ")
}

func TestMediaThatATargetDoesNotTake(t *testing.T) {
	rules := map[string]llm.Rules{"blind": {NoImages: true}, "deaf": {NoAudio: true}, "text": {NoImages: true, NoAudio: true, NoFiles: true}}
	const (
		image = `{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}`
		audio = `{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}`
		file  = `{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}}`
		words = `{"type":"text","text":"hi"}`
	)
	for _, tt := range []struct{ name, model, part, want, warning string }{
		{"image", "a/blind,a/deaf,a/text", image, "a/deaf", "target a/blind left out: it takes no images"},
		{"audio", "a/blind,a/deaf,a/text", audio, "a/blind", "target a/deaf left out: it takes no audio"},
		{"file", "a/text,a/blind", file, "a/blind", "target a/text left out: it takes no files"},
		{"text", "a/text,a/blind", words, "a/text a/blind", ""},
		{"none left", "a/text,a/blind", image, llm.CodeUnsupported, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, answer, _ := decide(t, newGateway(t, withRules(rules)), chatPath,
				`{"model":"`+tt.model+`","messages":[{"role":"user","content":[`+tt.part+`]}]}`)
			defer x.Close(false)
			got := x.planned()
			if answer != nil {
				got = x.record.Code
			}
			if got != tt.want || tt.warning != "" && !strings.Contains(strings.Join(x.record.Warnings, ";"), tt.warning) {
				t.Errorf("got %s, warnings %q", got, x.record.Warnings)
			}
		})
	}
}

// The policy sees what is known of each target, in the order of the
// configuration.
func TestCandidateFacts(t *testing.T) {
	var seen []Candidate
	b := newTestbench(t, func(o *Options) {
		withRules(map[string]llm.Rules{"gpt-4o": {Context: 1000, MaxOutput: 100}})(o)
		o.Models[0].Weights = []int64{7, 3}
		o.Policy = policyFunc(func(f *Facts) (Decision, error) { seen = f.Candidates; return Decision{}, nil })
	})
	for range testBreaker.Failures {
		x, _ := b.ask("a/gpt-4o", "")
		x.LocalReply(1, 503, "upstream_reset_before_response_started")
		x.Close(false)
	}
	running, _ := b.ask("smart", "")
	defer running.Close(false)
	running.mu.Lock()
	running.reach(1)
	running.mu.Unlock()
	x, _ := b.ask("smart", "")
	x.Close(false)
	want := []Candidate{
		{Provider: "a", Model: "gpt-4o", Tags: map[string]string{"region": "us"}, Region: "us", InputPrice: 1_000_000, OutputPrice: 2_000_000,
			Context: 1000, MaxOutput: 100, State: "open", ErrorsPermille: 1000, Weight: 7, LeftPermille: 1000},
		{Provider: "b", Model: "claude", Tags: map[string]string{"region": "eu"}, Region: "eu", InputPrice: -1, OutputPrice: -1,
			State: "closed", InFlight: 1, Weight: 3, LeftPermille: 1000},
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("got  %+v\nwant %+v", seen, want)
	}
}
