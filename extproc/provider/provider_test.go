package provider

import (
	"path"
	"reflect"
	"slices"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestKinds(t *testing.T) {
	if got, want := Kinds(), []string{"anthropic", "bedrock", "gemini", "openai"}; !slices.Equal(got, want) {
		t.Errorf("Kinds() = %q, want %q", got, want)
	}
	for _, kind := range Kinds() {
		p, ok := Lookup(kind)
		if !ok || p.Kind != kind || p.Dialect == "" || p.Auth.Header == "" {
			t.Errorf("Lookup(%q) = %+v, %v: not complete", kind, p, ok)
		}
		if !Own(kind, p.URL) {
			t.Errorf("Own(%q, %q) = false for the preset's own URL", kind, p.URL)
		}
		for _, pattern := range p.Models {
			if _, err := path.Match(pattern, ""); err != nil {
				t.Errorf("%s: pattern %q: %v", kind, pattern, err)
			}
		}
	}
	if p, ok := Lookup("google"); !ok || p.Kind != "gemini" {
		t.Errorf("Lookup(%q) = %+v, %v", "google", p, ok)
	}
	if _, ok := Lookup("nobody"); ok {
		t.Error(`Lookup("nobody") found something`)
	}
}

func TestLookupGivesACopy(t *testing.T) {
	p, _ := Lookup("openai")
	p.Models[0] = "changed"
	if q, _ := Lookup("openai"); q.Models[0] == "changed" {
		t.Error("a caller changed the preset")
	}
}

func TestOwn(t *testing.T) {
	for _, c := range []struct {
		kind, url string
		want      bool
	}{
		{"openai", "https://api.openai.com/v1", true},
		{"openai", "https://eu.api.openai.com/v1", true},
		{"openai", "https://API.OpenAI.com:443/v1", true},
		{"openai", "https://notapi.openai.com.evil.example/v1", false},
		{"openai", "https://myapi.openai.com/v1", false},
		{"openai", "http://127.0.0.1:11434/v1", false},
		{"openai", "https://api.anthropic.com", false},
		{"bedrock", "https://bedrock-runtime.eu-central-1.amazonaws.com", true},
		{"bedrock", "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", true},
		{"bedrock", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn", true},
		{"bedrock", "https://bedrock-runtime.eu-west-1.amazonaws.com.evil.example", false},
		{"bedrock", "http://127.0.0.1:8000", false},
		{"openai", "://", false},
		{"nobody", "https://api.openai.com/v1", false},
	} {
		if got := Own(c.kind, c.url); got != c.want {
			t.Errorf("Own(%q, %q) = %v", c.kind, c.url, got)
		}
	}
}

func TestRulesFor(t *testing.T) {
	const (
		openAIURL = "https://api.openai.com/v1"
		local     = "http://127.0.0.1:8000/v1"
		claudeURL = "https://api.anthropic.com"
		googleURL = "https://generativelanguage.googleapis.com"
	)
	old := llm.Rules{MaxTokensField: "max_tokens", SystemRole: "system"}
	for _, c := range []struct {
		kind, url, model string
		want             llm.Rules
	}{
		{"openai", openAIURL, "gpt-4o", llm.Rules{}},
		{"openai", openAIURL, "gpt-4o-mini-2024-07-18", llm.Rules{}},
		{"openai", openAIURL, "gpt-3.5-turbo", llm.Rules{}},
		{"openai", openAIURL, "gpt-5", noSampling},
		{"openai", openAIURL, "gpt-5-chat-latest", llm.Rules{}},
		{"openai", openAIURL, "gpt-5.1-2025-11-13", reasoning},
		{"openai", openAIURL, "gpt-5.6", reasoning},
		{"openai", openAIURL, "gpt-6.1-sol", noSampling},
		{"openai", openAIURL, "o3", noSampling},
		{"openai", openAIURL, "o4-mini", noSampling},
		{"openai", openAIURL, "omni-moderation-latest", llm.Rules{}},
		{"openai", openAIURL, "gpt-4o-search-preview-2025-03-11", llm.Rules{NoSampling: true}},

		{"openai", local, "llama3.3", old},
		{"openai", local, "gpt-4o", old},
		{"openai", local, "gpt-oss-120b", old},
		{"openai", local, "google/gemini-3-pro", llm.Rules{MaxTokensField: "max_tokens", SystemRole: "system", ExtraContent: true}},
		{"openai", local, "openai/gpt-5", noSampling},
		{"openai", local, "o3", noSampling},

		{"anthropic", claudeURL, "claude-sonnet-5-5", strict},
		{"anthropic", local, "claude-opus-5-5-20261001", strict},
		{"anthropic", claudeURL, "claude-haiku-5-5", effort},
		{"anthropic", claudeURL, "claude-fable-5-1", strict},
		{"anthropic", claudeURL, "claude-fable-5-20260601", always},
		{"anthropic", claudeURL, "claude-opus-5-20260701",
			llm.Rules{Reasons: true, MaxOutput: 128_000, NativeSchema: true, NoPrefill: true, Adaptive: true, NoSampling: true}},
		{"anthropic", claudeURL, "claude-opus-4-7", effort},
		{"anthropic", claudeURL, "claude-sonnet-5", effort},
		{"anthropic", claudeURL, "claude-sonnet-4-6", either},
		{"anthropic", claudeURL, "claude-sonnet-4-5-20250929", budget},
		{"anthropic", claudeURL, "claude-haiku-4-5", budget},
		{"anthropic", claudeURL, "claude-opus-4-1-20250805", llm.Rules{Reasons: true, MaxOutput: 32_000, NativeSchema: true}},
		{"anthropic", claudeURL, "claude-opus-4-20250514", llm.Rules{Reasons: true, MaxOutput: 32_000}},
		{"anthropic", claudeURL, "claude-sonnet-4-0", llm.Rules{Reasons: true, MaxOutput: 64_000}},
		{"anthropic", claudeURL, "claude-3-7-sonnet-latest", llm.Rules{Reasons: true, MaxOutput: 64_000}},
		{"anthropic", claudeURL, "claude-3-5-haiku-20241022", llm.Rules{MaxOutput: 8192}},
		{"anthropic", claudeURL, "claude-3-haiku-20240307", llm.Rules{MaxOutput: 4096}},
		{"anthropic", claudeURL, "claude-opus-9", effort},

		{"gemini", googleURL, "gemini-2.5-flash", budgeted},
		{"gemini", googleURL, "gemini-2.5-flash-preview-09-2025", budgeted},
		{"gemini", googleURL, "gemini-2.5-flash-preview-tts", llm.Rules{}},
		{"gemini", googleURL, "gemini-2.5-flash-image", llm.Rules{}},
		{"gemini", googleURL, "gemini-2.5-pro", llm.Rules{Reasons: true, NativeSchema: true, SchemaOrTools: true,
			NoPenalties: true, MaxBudget: 32_768, NoThinkingOff: true}},
		{"gemini", googleURL, "gemini-2.0-flash-001", unthinking},
		{"gemini", googleURL, "gemini-3-flash-preview", leveled},
		{"gemini", googleURL, "gemini-flash-latest", leveled},
		{"gemini", googleURL, "gemini-3.1-pro-preview", with(leveled, llm.Rules{NoThinkingOff: true})},
		{"gemini", local, "gemini-4-hydrogen", leveled},
		{"gemini", googleURL, "gemini-embedding-001", llm.Rules{}},

		{"nobody", local, "gpt-5", llm.Rules{}},
	} {
		if got := RulesFor(c.kind, c.url, c.model); !reflect.DeepEqual(got, c.want) {
			t.Errorf("RulesFor(%q, %q, %q) =\n%+v, want\n%+v", c.kind, c.url, c.model, got, c.want)
		}
	}
}

// Every Claude needs a limit, because its dialect demands one.
func TestClaudeHasMaxOutput(t *testing.T) {
	for _, r := range claude {
		if r.rules.MaxOutput == 0 {
			t.Errorf("%s: no MaxOutput", r.pattern)
		}
		if _, err := path.Match(r.pattern, ""); err != nil {
			t.Errorf("%s: %v", r.pattern, err)
		}
	}
}

func TestUndated(t *testing.T) {
	for name, want := range map[string]string{
		"gpt-4o-2024-05-13":          "gpt-4o",
		"claude-sonnet-4-5-20250929": "claude-sonnet-4-5",
		"claude-3-5-haiku-latest":    "claude-3-5-haiku",
		"claude-opus-4-0":            "claude-opus-4",
		"gpt-4o":                     "gpt-4o",
		"model-1234567":              "model-1234567",
		"model-2024-0a-13":           "model-2024-0a-13",
		"-latest":                    "-latest",
		"":                           "",
	} {
		if got := undated(name); got != want {
			t.Errorf("undated(%q) = %q, want %q", name, got, want)
		}
	}
}

func BenchmarkRulesFor(b *testing.B) {
	for b.Loop() {
		RulesFor("anthropic", "https://api.anthropic.com", "claude-sonnet-4-5-20250929")
	}
}
