package amazon

import "testing"

func TestPaths(t *testing.T) {
	for model, want := range map[string][2]string{
		"anthropic.claude-sonnet-4-6-v1:0":    {"/model/anthropic.claude-sonnet-4-6-v1%3A0", "/model/anthropic.claude-sonnet-4-6-v1%3A0/count-tokens"},
		"us.anthropic.claude-sonnet-4-6-v1:0": {"/model/us.anthropic.claude-sonnet-4-6-v1%3A0", "/model/anthropic.claude-sonnet-4-6-v1%3A0/count-tokens"},
		"global.anthropic.claude-opus-4-8":    {"/model/global.anthropic.claude-opus-4-8", "/model/anthropic.claude-opus-4-8/count-tokens"},
		"us.amazon.nova-pro-v1:0":             {"/model/us.amazon.nova-pro-v1%3A0", "/model/us.amazon.nova-pro-v1%3A0/count-tokens"},
		"arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.c": {
			"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.c",
			"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.c/count-tokens"},
	} {
		if got := [2]string{ModelPath(model), CountPath(model)}; got != want {
			t.Errorf("%s: got %s", model, got)
		}
	}
}
