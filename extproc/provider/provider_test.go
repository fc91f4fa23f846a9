package provider

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// Every preset says all that a configuration is completed with.
func TestPresetsAreComplete(t *testing.T) {
	fields := []string{"url", "region", "project"}
	first := map[string]bool{}
	for _, p := range presets {
		t.Run(p.Kind+" "+p.Dialect, func(t *testing.T) {
			if p.Dialect == "" || p.Auth.Header == "" || len(p.rules) == 0 {
				t.Errorf("not complete: %+v", p)
			}
			if p.URL == "" && !slices.Contains(p.Needs, "url") {
				t.Error("there is no URL, and nobody is asked for one")
			}
			if strings.Contains(p.URL, "{region}") && !slices.Contains(p.Needs, "region") {
				t.Error("the URL has a region that nobody is asked for")
			}
			for _, need := range p.Needs {
				if !slices.Contains(fields, need) {
					t.Errorf("needs %q: there is no such field", need)
				}
			}
			if base := p.BaseURL("eu-west-1"); base != "" && !Own(p.Kind, base) {
				t.Errorf("Own(%q, %q) = false for the preset's own URL", p.Kind, base)
			}
			if p.URL != "" && p.Below != "" && strings.HasSuffix(p.URL, p.Below) {
				t.Errorf("%s ends with %s, which the dialect's paths begin with", p.URL, p.Below)
			}
			if !first[p.Kind] && p.Hosting != llm.HostVertex && len(p.KeyVars) == 0 && p.URLVar == "" {
				t.Error("the kind has no variable for its key")
			}
			for _, pattern := range p.Models {
				if _, err := path.Match(pattern, ""); err != nil {
					t.Errorf("pattern %q: %v", pattern, err)
				}
			}
			for _, r := range p.rules {
				if _, err := path.Match(r.pattern, ""); err != nil {
					t.Errorf("rule %q: %v", r.pattern, err)
				}
			}
			if q, ok := Lookup(p.Kind, p.Dialect); !ok || q.URL != p.URL || q.Dialect != p.Dialect {
				t.Errorf("Lookup finds %+v, %v", q, ok)
			}
		})
		first[p.Kind] = true
	}
}

func TestLookup(t *testing.T) {
	for _, c := range []struct{ kind, dialect, url, hosting string }{
		{"google", "", "https://generativelanguage.googleapis.com", ""},
		{"gemini", llm.OpenAI, "https://generativelanguage.googleapis.com/v1beta/openai", ""},
		{"openai", llm.Responses, "https://api.openai.com/v1", ""},
		{"cohere", "", "https://api.cohere.com", ""},
		{"cohere", llm.OpenAI, "https://api.cohere.ai/compatibility/v1", ""},
		{"vertex", llm.Anthropic, "https://{region}-aiplatform.googleapis.com", llm.HostVertex},
		{"bedrock", "", "https://bedrock-runtime.{region}.amazonaws.com", ""},
		{"bedrock", llm.Anthropic, "https://bedrock-runtime.{region}.amazonaws.com", llm.HostBedrock},
		{"azure", llm.Responses, "", llm.HostAzure},
	} {
		p, ok := Lookup(c.kind, c.dialect)
		if !ok || p.URL != c.url || p.Hosting != c.hosting || c.dialect != "" && p.Dialect != c.dialect {
			t.Errorf("Lookup(%q, %q) = %+v, %v", c.kind, c.dialect, p, ok)
		}
	}
	for _, c := range [][2]string{{"nobody", ""}, {"anthropic", llm.Gemini}} {
		if p, ok := Lookup(c[0], c[1]); ok {
			t.Errorf("Lookup(%q, %q) found %+v", c[0], c[1], p)
		}
	}
	if got, want := Dialects("azure"), []string{llm.OpenAI, llm.Responses, llm.Anthropic}; !slices.Equal(got, want) {
		t.Errorf("Dialects(azure) = %q, want %q", got, want)
	}
}

func TestBaseURL(t *testing.T) {
	for _, c := range []struct{ kind, region, want string }{
		{"openai", "", "https://api.openai.com/v1"},
		{"openai", "eu", "https://api.openai.com/v1"},
		{"bedrock", "eu-central-1", "https://bedrock-runtime.eu-central-1.amazonaws.com"},
		{"bedrock", "cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"},
		{"bedrock", "", ""},
		{"vertex", "europe-west1", "https://europe-west1-aiplatform.googleapis.com"},
		{"vertex", "global", "https://aiplatform.googleapis.com"},
		{"vertex", "eu", "https://aiplatform.eu.rep.googleapis.com"},
		{"azure", "westeurope", ""},
	} {
		p, _ := Lookup(c.kind, "")
		if got := p.BaseURL(c.region); got != c.want {
			t.Errorf("%s in %q: %q, want %q", c.kind, c.region, got, c.want)
		}
	}
}

func TestLookupGivesACopy(t *testing.T) {
	p, _ := Lookup("openai", "")
	p.Models[0] = "changed"
	if q, _ := Lookup("openai", ""); q.Models[0] == "changed" {
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
		{"azure", "https://x.openai.azure.com", true},
		{"azure", "https://openai.azure.com.evil.example", false},
		{"vertex", "https://europe-west1-aiplatform.googleapis.com", true},
		{"vertex", "https://aiplatform.us.rep.googleapis.com", true},
		{"vertex", "https://evil.example/-aiplatform.googleapis.com", false},
		{"gemini", "https://generativelanguage.googleapis.com/v1beta/openai", true},
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
	size := func(r, size llm.Rules) llm.Rules { return with(r, size) }
	for _, c := range []struct {
		kind, dialect, url, model string
		want                      llm.Rules
	}{
		{"openai", llm.OpenAI, openAIURL, "gpt-4o", sizeChat},
		{"openai", llm.OpenAI, openAIURL, "gpt-4o-mini-2024-07-18", sizeChat},
		{"openai", llm.OpenAI, openAIURL, "gpt-3.5-turbo", llm.Rules{Context: 16_385, MaxOutput: 4096}},
		{"openai", llm.OpenAI, openAIURL, "gpt-5", size(noSampling, llm.Rules{Context: 400_000, MaxOutput: k128, Efforts: efforts50})},
		{"openai", llm.OpenAI, openAIURL, "gpt-5-chat-latest", sizeChat},
		{"openai", llm.OpenAI, openAIURL, "gpt-5.1-2025-11-13", size(reasoning, llm.Rules{Context: 400_000, MaxOutput: k128, Efforts: efforts51})},
		{"openai", llm.Responses, openAIURL, "gpt-5.6", size(reasoning, llm.Rules{Context: 1_050_000, MaxOutput: k128, Efforts: efforts56, CacheMarks: true, NoChatTools: true})},
		{"openai", llm.OpenAI, openAIURL, "gpt-5-pro-2025-10-06", size(noSampling, llm.Rules{Context: 400_000, MaxOutput: k128, Efforts: efforts50, NoChat: true})},
		{"openai", llm.OpenAI, openAIURL, "gpt-6.1-sol", size(noSampling, llm.Rules{Efforts: efforts6, CacheMarks: true})},
		{"openai", llm.OpenAI, openAIURL, "o3", size(noSampling, llm.Rules{Context: context200, MaxOutput: 100_000, Efforts: effortsO})},
		{"openai", llm.OpenAI, openAIURL, "omni-moderation-latest", llm.Rules{}},
		{"openai", llm.OpenAI, openAIURL, "gpt-4o-search-preview-2025-03-11", size(sizeChat, llm.Rules{NoSampling: true})},
		{"azure", llm.OpenAI, "https://x.openai.azure.com", "gpt-4o", sizeChat},
		{"azure", llm.OpenAI, "https://x.openai.azure.com", "my-deployment", llm.Rules{}},
		{"azure", llm.Anthropic, "https://x.services.ai.azure.com/anthropic", "claude-opus-4-8", effort},

		{"openai", llm.OpenAI, local, "llama3.3", older},
		{"openai", llm.OpenAI, local, "gpt-4o", older},
		{"openai", llm.OpenAI, local, "gpt-oss-120b", older},
		{"openai", llm.OpenAI, local, "google/gemini-3-pro", size(older, llm.Rules{ExtraContent: true})},
		{"openai", llm.OpenAI, local, "openai/o3", size(noSampling, llm.Rules{Context: context200, MaxOutput: 100_000, Efforts: effortsO})},

		{"anthropic", llm.Anthropic, claudeURL, "claude-sonnet-5-5", strict},
		{"anthropic", llm.Anthropic, local, "claude-opus-5-5-20261001", strict},
		{"anthropic", llm.Anthropic, claudeURL, "claude-haiku-5-5", effort},
		{"anthropic", llm.Anthropic, claudeURL, "claude-fable-5-1", strict},
		{"anthropic", llm.Anthropic, claudeURL, "claude-fable-5-20260601", always},
		{"anthropic", llm.Anthropic, claudeURL, "claude-opus-5-20260701",
			llm.Rules{Reasons: true, Context: contextLong, MaxOutput: k128, NativeSchema: true, NoPrefill: true, Adaptive: true, NoSampling: true}},
		{"anthropic", llm.Anthropic, claudeURL, "claude-opus-4-7", effort},
		{"anthropic", llm.Anthropic, claudeURL, "claude-sonnet-4-6", either},
		{"anthropic", llm.Anthropic, claudeURL, "claude-sonnet-4-5-20250929", budget},
		{"anthropic", llm.Anthropic, claudeURL, "claude-opus-4-20250514", llm.Rules{Reasons: true, Context: context200, MaxOutput: k32}},
		{"anthropic", llm.Anthropic, claudeURL, "claude-sonnet-4-0", llm.Rules{Reasons: true, Context: context200, MaxOutput: k64}},
		{"anthropic", llm.Anthropic, claudeURL, "claude-3-7-sonnet-latest", llm.Rules{Reasons: true, Context: context200, MaxOutput: k64}},
		{"anthropic", llm.Anthropic, claudeURL, "claude-3-haiku-20240307", llm.Rules{Context: context200, MaxOutput: k4}},
		{"anthropic", llm.Anthropic, claudeURL, "claude-opus-9", effort},
		{"vertex", llm.Anthropic, "", "claude-sonnet-4-5@20250929", budget},

		{"gemini", llm.Gemini, googleURL, "gemini-2.5-flash", budgeted},
		{"gemini", llm.Gemini, googleURL, "gemini-2.5-flash-preview-09-2025", budgeted},
		{"gemini", llm.Gemini, googleURL, "gemini-2.5-flash-preview-tts", llm.Rules{}},
		{"gemini", llm.Gemini, googleURL, "gemini-2.5-pro", size(budgeted, llm.Rules{MaxBudget: 32_768, NoThinkingOff: true})},
		{"gemini", llm.Gemini, googleURL, "gemini-2.0-flash-001", unthinking},
		{"gemini", llm.Gemini, googleURL, "gemini-3-flash-preview", with(leveled, geminiSize)},
		{"gemini", llm.Gemini, googleURL, "gemini-flash-latest", leveled},
		{"gemini", llm.Gemini, googleURL, "gemini-3.1-pro-preview", with(with(leveled, geminiSize), llm.Rules{NoThinkingOff: true})},
		{"gemini", llm.Gemini, local, "gemini-4-hydrogen", leveled},
		{"gemini", llm.Gemini, googleURL, "gemini-embedding-001", llm.Rules{}},
		{"gemini", llm.OpenAI, googleURL, "gemini-3-flash", llm.Rules{SystemRole: "system", ExtraContent: true, Reasons: true}},

		{"mistral", llm.OpenAI, "", "mistral-large-latest", mistral},
		{"mistral", llm.OpenAI, "", "magistral-medium-2509", with(mistral, llm.Rules{Reasons: true, Efforts: mistralEfforts})},
		{"groq", llm.OpenAI, "", "openai/gpt-oss-120b", llm.Rules{SystemRole: "system", UserField: "user", ReasoningField: "reasoning", OneAnswer: true, Reasons: true,
			Context: 131_072, Efforts: effortsO, Refused: []string{"logprobs", "logit_bias", "top_logprobs", "messages[].name"}}},
		{"huggingface", llm.OpenAI, "", "moonshotai/Kimi-K2-Instruct-0905:groq", with(older, llm.Rules{Context: 262_144})},
		{"openrouter", llm.OpenAI, "", "anthropic/claude-haiku-4.5", llm.Rules{Reasons: true, UserField: "user", ReasoningField: "reasoning", ReasoningDetails: true}},
		{"ollama", llm.OpenAI, "", "gpt-oss:20b", with(older, llm.Rules{ReasoningField: "reasoning", Reasons: true, Context: 131_072, Efforts: effortsO})},

		{"nobody", llm.OpenAI, local, "gpt-5", llm.Rules{}},
	} {
		if got := RulesFor(c.kind, c.dialect, c.url, c.model); !reflect.DeepEqual(got, c.want) {
			t.Errorf("RulesFor(%q, %q, %q, %q) =\n%+v, want\n%+v", c.kind, c.dialect, c.url, c.model, got, c.want)
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
		RulesFor("anthropic", llm.Anthropic, "https://api.anthropic.com", "claude-sonnet-4-5-20250929")
	}
}
