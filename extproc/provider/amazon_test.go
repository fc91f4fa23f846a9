package provider

import (
	"reflect"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestRulesForOpenAIOnBedrock(t *testing.T) {
	for model, want := range map[string]int64{"openai.gpt-5.6-luna": sizeLong.Context, "openai.gpt-oss-120b-1:0": 131_072, "openai.other": 0} {
		for _, dialect := range []string{llm.OpenAI, llm.Responses} {
			if got := RulesFor("bedrock", dialect, "", model).Context; got != want {
				t.Errorf("%s in %s: a context of %d, want %d", model, dialect, got, want)
			}
		}
	}
}

func TestRulesForBedrock(t *testing.T) {
	for model, want := range map[string]llm.Rules{
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0":                                  budget,
		"anthropic.claude-opus-4-6-v1":                                                  either,
		"global.anthropic.claude-sonnet-4-6":                                            either,
		"anthropic.claude-3-5-sonnet-20241022-v2:0":                                     {Context: context200, MaxOutput: k8},
		"arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-8-v1": effort,
		"amazon.nova-lite-v1:0":                                                         {},
		"arn:aws:bedrock:us-east-1:1:application-inference-profile/abc":                 {},
	} {
		want = with(converse, want)
		if got := RulesFor("bedrock", llm.Bedrock, "https://bedrock-runtime.eu-west-1.amazonaws.com", model); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", model, got, want)
		}
	}
}
