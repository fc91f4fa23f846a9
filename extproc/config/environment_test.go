package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/provider"
)

func TestFromEnvironment(t *testing.T) {
	openAI, _ := provider.Lookup("openai")
	for _, c := range []struct {
		name      string
		env       map[string]string
		providers []string // with their URLs
		found     []string
		err       string
	}{
		{"nothing", nil, nil, nil, "set ANTHROPIC_API_KEY or AWS_BEARER_TOKEN_BEDROCK or GEMINI_API_KEY or GOOGLE_API_KEY or OPENAI_API_KEY"},
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
			if got.Auth.Mode != AuthNone || got.Envoy.Address != "127.0.0.1" {
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
	other := Provider{Kind: "openai", URL: "http://127.0.0.1:8000/v1"}
	if r := own.Rules("gpt-4o"); r.MaxTokensField != "" {
		t.Errorf("OpenAI itself: %+v", r)
	}
	if r := other.Rules("gpt-4o"); r.MaxTokensField != "max_tokens" {
		t.Errorf("a compatible server: %+v", r)
	}
}
