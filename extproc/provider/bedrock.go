package provider

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// bedrock returns the rules for a model on Amazon Bedrock. Claude is the same
// there, under a longer name: us.anthropic.claude-sonnet-4-5-20250929-v1:0 is
// claude-sonnet-4-5-20250929. Of the others nothing is known that holds for all
// of their dialect.
func bedrock(model string) llm.Rules {
	_, name, ok := strings.Cut(model, "anthropic.")
	if !ok {
		return llm.Rules{}
	}
	if i := strings.LastIndex(name, "-v"); i > 0 && strings.Trim(name[i+2:], "0123456789:") == "" {
		name = name[:i]
	}
	return find(claude, name)
}
