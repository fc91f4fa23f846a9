package provider

import (
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

var amazonPresets = []Preset{
	bedrock,
	// Claude by InvokeModel, whose bodies are Anthropic's own and whose streams
	// have them in Amazon's frames (bedrock-invoke-00dab5780472).
	bedrock.in(llm.Anthropic, bedrock.URL, claude, "*anthropic.claude-*").hosted(llm.HostBedrock),
	// OpenAI's models, in OpenAI's own formats (bedrock-mantle-responses-*).
	openAIOnBedrock,
	openAIOnBedrock.in(llm.Responses, "https://bedrock-mantle.{region}.api.aws/openai/v1", openAIOnBedrock.rules, "openai.gpt-*"),
}

var bedrock = Preset{
	Kind:       "bedrock",
	Dialect:    llm.Bedrock,
	URL:        "https://bedrock-runtime.{region}.amazonaws.com",
	Regions:    map[string]string{"cn-*": "https://bedrock-runtime.{region}.amazonaws.com.cn"},
	Hosts:      []string{"bedrock-runtime-fips.*.amazonaws.com"},
	Below:      "/model",
	Auth:       bearer, // a Bedrock API key
	KeyVars:    []string{"AWS_BEARER_TOKEN_BEDROCK"},
	URLVar:     "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
	RegionVars: []string{"AWS_REGION", "AWS_DEFAULT_REGION"},
	Needs:      []string{"region"},
	Models: []string{"*anthropic.claude-*", "*amazon.nova-*", "*meta.llama*", "*mistral.*", "*deepseek.*", "*cohere.command-*",
		"*openai.gpt-*", "*qwen.*", "*moonshot*.kimi-*", "arn:aws*:bedrock:*/*"},
	rules: served(converse, limited("claude-", claude)...),
	name:  claudeOnBedrock,
}

// openAIOnBedrock has no usage that Envoy was tried on.
var openAIOnBedrock = Preset{
	Kind:    "bedrock",
	Dialect: llm.OpenAI,
	URL:     "https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
	Auth:    bearer,
	Needs:   bedrock.Needs,
	Models:  []string{"openai.gpt-*"},
	rules:   slices.Concat(openModels, openAI),
	name:    func(model string) string { return strings.TrimPrefix(model, "openai.") },
	lacks:   map[string]string{"embeddings": "not below this URL"},
}

// converse is what the API itself departs in: its description allows documents
// of 4.5 MB, and images of less.
var converse = llm.Rules{MaxMedia: 4_500_000}

// limited are the rules for the names with a prefix: the last of the list, which
// fits all, fits no other names.
func limited(prefix string, models []rule) []rule {
	list := slices.Clone(models)
	if last := &list[len(list)-1]; last.pattern == "*" {
		last.pattern = prefix + "*"
	}
	return list
}

// hosted returns the preset in a cloud's form.
func (p Preset) hosted(by string) Preset {
	p.Hosting = by
	return p
}

// claudeOnBedrock is the name that Anthropic has for one of its models, which
// is the same on Amazon Bedrock under a longer name:
// us.anthropic.claude-sonnet-4-5-20250929-v1:0 is claude-sonnet-4-5-20250929.
// Other names stay.
func claudeOnBedrock(model string) string {
	_, name, ok := strings.Cut(model, "anthropic.")
	if !ok {
		return model
	}
	if i := strings.LastIndex(name, "-v"); i > 0 && strings.Trim(name[i+2:], "0123456789:") == "" {
		name = name[:i]
	}
	return name
}
