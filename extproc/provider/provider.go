// Package provider knows who sells models: where their servers are, how they
// want to be called, what their models depart in from their dialect, and what
// they cost. It is data.
//
// It does not know wire formats (package dialect), accounts and keys (package
// config), or which provider a request goes to (package gateway).
package provider

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Preset is what is known of a kind of provider.
type Preset struct {
	Kind    string
	URL     string // what the provider's own SDK calls the base URL
	Dialect string
	Auth    Auth
	Usage   bool     // Envoy's ai_protocol_manager can read its usage
	Models  []string // patterns of the bare model names that it serves, as in path.Match
	Hosts   []string // patterns of its servers' names beside that in URL and those below it
}

// Auth says where a provider wants its key.
type Auth struct {
	Header string
	Prefix string // before the key, with its space
}

var presets = map[string]Preset{
	"openai": {
		Kind:    "openai",
		URL:     "https://api.openai.com/v1",
		Dialect: llm.OpenAI,
		Auth:    Auth{Header: "authorization", Prefix: "Bearer "},
		Usage:   true,
		Models: []string{"gpt-*", "chatgpt-*", "codex-*", "o[1-9]*", "ft:*",
			"text-embedding-*", "omni-moderation-*", "dall-e-*", "sora-*", "tts-*", "whisper-*"},
	},
	"anthropic": {
		Kind:    "anthropic",
		URL:     "https://api.anthropic.com",
		Dialect: llm.Anthropic,
		Auth:    Auth{Header: "x-api-key"},
		Usage:   true,
		Models:  []string{"claude-*"},
	},
	"gemini": {
		Kind:    "gemini",
		URL:     "https://generativelanguage.googleapis.com",
		Dialect: llm.Gemini,
		Auth:    Auth{Header: "x-goog-api-key"},
		Usage:   true,
		Models:  []string{"gemini-*"},
	},
	"bedrock": {
		Kind:    "bedrock",
		URL:     "https://bedrock-runtime.us-east-1.amazonaws.com", // every region has its own
		Dialect: llm.Bedrock,
		Auth:    Auth{Header: "authorization", Prefix: "Bearer "}, // a Bedrock API key
		Hosts:   []string{"bedrock-runtime.*.amazonaws.com", "bedrock-runtime-fips.*.amazonaws.com", "bedrock-runtime.*.amazonaws.com.cn"},
		Models: []string{"*anthropic.claude-*", "*amazon.nova-*", "*meta.llama*", "*mistral.*", "*deepseek.*", "*cohere.command-*",
			"*openai.gpt-*", "*qwen.*", "*moonshot*.kimi-*", "arn:aws*:bedrock:*/*"},
	},
}

// aliases are other names of kinds.
var aliases = map[string]string{"google": "gemini"}

// Lookup returns the preset of a kind, by its name or an alias. The preset says
// the kind's own name.
func Lookup(kind string) (Preset, bool) {
	p, ok := presets[kind]
	if !ok {
		p, ok = presets[aliases[kind]]
	}
	p.Models = slices.Clone(p.Models)
	return p, ok
}

// Kinds returns the names of all kinds, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(presets)) }

// Own reports whether a base URL is that of the kind's own servers, regional
// ones included, and not of somebody who speaks the same dialect.
func Own(kind, baseURL string) bool {
	p, ok := presets[kind]
	if !ok {
		return false
	}
	host := hostname(baseURL)
	own := hostname(p.URL)
	return host == own || strings.HasSuffix(host, "."+own) ||
		slices.ContainsFunc(p.Hosts, func(pattern string) bool { ok, err := path.Match(pattern, host); return ok && err == nil })
}

// hostname is the host in a URL, empty if there is none.
func hostname(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}
