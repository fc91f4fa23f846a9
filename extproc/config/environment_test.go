package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

func TestFromEnvironment(t *testing.T) {
	openAI, _ := provider.Lookup("openai", "")
	for _, c := range []struct {
		name      string
		env       map[string]string
		providers []string // with their URLs
		found     []string
		err       string
	}{
		{"nothing", nil, nil, nil, "set one of ANTHROPIC_API_KEY, AZURE_OPENAI_API_KEY, AWS_BEARER_TOKEN_BEDROCK,"},
		{"empty key", map[string]string{"OPENAI_API_KEY": ""}, nil, nil, "no provider's key"},
		{"one", map[string]string{"OPENAI_API_KEY": "k"},
			[]string{"openai https://api.openai.com/v1"}, []string{"OPENAI_API_KEY"}, ""},
		{"both", map[string]string{"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1/"},
			[]string{"anthropic https://api.anthropic.com", "openai http://127.0.0.1:1/v1"},
			[]string{"ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"}, ""},
		{"URL without key", map[string]string{"OPENAI_API_KEY": "k", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"},
			[]string{"openai https://api.openai.com/v1"}, []string{"OPENAI_API_KEY"}, ""},
		{"Google", map[string]string{"GOOGLE_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1"},
			[]string{"gemini http://127.0.0.1:1"}, []string{"GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"}, ""},
		{"Google by two names", map[string]string{"GOOGLE_API_KEY": "k", "GEMINI_API_KEY": "k"},
			[]string{"gemini https://generativelanguage.googleapis.com"}, []string{"GEMINI_API_KEY"}, ""},
		{"Amazon", map[string]string{"AWS_BEARER_TOKEN_BEDROCK": "k", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://bedrock-runtime.eu-west-1.amazonaws.com"},
			[]string{"bedrock https://bedrock-runtime.eu-west-1.amazonaws.com"},
			[]string{"AWS_BEARER_TOKEN_BEDROCK", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"}, ""},
		{"Amazon in a region", map[string]string{"AWS_BEARER_TOKEN_BEDROCK": "k", "AWS_DEFAULT_REGION": "eu-west-3"},
			[]string{"bedrock https://bedrock-runtime.eu-west-3.amazonaws.com"}, []string{"AWS_BEARER_TOKEN_BEDROCK", "AWS_DEFAULT_REGION"}, ""},
		{"Amazon nowhere", map[string]string{"AWS_BEARER_TOKEN_BEDROCK": canary},
			nil, []string{"AWS_BEARER_TOKEN_BEDROCK"}, "set AWS_ENDPOINT_URL_BEDROCK_RUNTIME or AWS_REGION or AWS_DEFAULT_REGION"},
		{"Azure", map[string]string{"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com/"},
			[]string{"azure https://x.openai.azure.com"}, []string{"AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"}, ""},
		{"Azure nowhere", map[string]string{"AZURE_OPENAI_API_KEY": canary},
			nil, []string{"AZURE_OPENAI_API_KEY"}, "AZURE_OPENAI_API_KEY is set, and nothing says where the server is: set AZURE_OPENAI_ENDPOINT"},
		{"compatible", map[string]string{"GROQ_API_KEY": "k", "OLLAMA_BASE_URL": "http://127.0.0.1:1/v1"},
			[]string{"groq https://api.groq.com/openai/v1", "ollama http://127.0.0.1:1/v1"}, []string{"GROQ_API_KEY", "OLLAMA_BASE_URL"}, ""},
		{"bad region", map[string]string{"AWS_BEARER_TOKEN_BEDROCK": "k", "AWS_REGION": canary + "!"},
			nil, []string{"AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION"}, "AWS_REGION must be the name of a region"},
		{"bad URL", map[string]string{"OPENAI_API_KEY": canary, "OPENAI_BASE_URL": canary},
			nil, []string{"OPENAI_API_KEY", "OPENAI_BASE_URL"}, "OPENAI_BASE_URL must be a whole URL"},
		{"bad key", map[string]string{"OPENAI_API_KEY": canary + "\n"},
			nil, []string{"OPENAI_API_KEY"}, "OPENAI_API_KEY has a character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, found, err := FromEnvironment(func(name string) (string, bool) {
				v, ok := c.env[name]
				return v, ok
			})
			if !slices.Equal(found, c.found) {
				t.Errorf("found %q, want %q", found, c.found)
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), canary) {
					t.Errorf("err = %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var providers []string
			for _, p := range got.Providers {
				providers = append(providers, p.Name+" "+p.URL)
				if p.Name == "openai" && !slices.Equal(p.Models, openAI.Models) {
					t.Errorf("models %q, want those of OpenAI whatever the URL is", p.Models)
				}
			}
			if !slices.Equal(providers, c.providers) {
				t.Errorf("providers %q, want %q", providers, c.providers)
			}
			if !got.Auth.Has(AuthNone) || got.Envoy.Address != "127.0.0.1" {
				t.Errorf("%+v %+v: want it open, on loopback", got.Auth, got.Envoy)
			}
			if !filepath.IsAbs(got.Ledger.SQLite) {
				t.Errorf("ledger %q, want an absolute path", got.Ledger.SQLite)
			}
		})
	}
}

func TestProviderRules(t *testing.T) {
	own := Provider{Kind: "openai", URL: "https://api.openai.com/v1"}
	other := Provider{Kind: "openai", URL: "http://127.0.0.1:8000/v1", Overrides: []provider.Override{
		{Model: "m*", Given: []string{"max_tokens_field", "context"}, Rules: llm.Rules{MaxTokensField: "limit", Context: 1}},
		{Model: "mm", Given: []string{"context"}, Rules: llm.Rules{Context: 2}},
	}}
	if r := own.Rules("gpt-4o"); r.MaxTokensField != "" {
		t.Errorf("OpenAI itself: %+v", r)
	}
	if r := other.Rules("gpt-4o"); r.MaxTokensField != "max_tokens" || r.Context != 0 {
		t.Errorf("a compatible server: %+v", r)
	}
	if r := other.Rules("mm"); r.MaxTokensField != "limit" || r.Context != 2 || r.SystemRole != "system" {
		t.Errorf("a model that the file says something of: %+v", r)
	}
}

// Every rule that can be overridden is read by its type.
func TestEveryRuleIsRead(t *testing.T) {
	for _, name := range provider.RuleFields() {
		if (&reader{}).ruleField(provider.RuleField(&llm.Rules{}, name), name) == nil {
			t.Errorf("nobody reads %s", name)
		}
	}
}
