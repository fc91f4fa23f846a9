package tokens

import "testing"

func TestForModel(t *testing.T) {
	for model, want := range map[string]*Encoding{
		"gpt-4":                      CL100K(),
		"GPT-4":                      CL100K(),
		"gpt-4-0613":                 CL100K(),
		"gpt-4-32k":                  CL100K(),
		"gpt-4-turbo-2024-04-09":     CL100K(),
		"gpt-3.5-turbo":              CL100K(),
		"gpt-3.5-turbo-0125":         CL100K(),
		"gpt-35-turbo-16k":           CL100K(),
		"ft:gpt-3.5-turbo:acme::7p4": CL100K(),
		"ft:gpt-4:acme::7p4":         CL100K(),
		"text-embedding-3-small":     CL100K(),
		"text-embedding-3-large":     CL100K(),
		"text-embedding-ada-002":     CL100K(),
		"gpt-4o":                     O200K(),
		"gpt-4o-mini":                O200K(),
		"ft:gpt-4o:acme::7p4":        O200K(),
		"gpt-4.1-nano":               O200K(),
		"gpt-4.5-preview":            O200K(),
		"gpt-5":                      O200K(),
		"gpt-40":                     O200K(),
		"o3":                         O200K(),
		"claude-sonnet-4-5":          O200K(),
		"text-embedding-004":         O200K(),
		"":                           O200K(),
	} {
		if got := ForModel(model); got != want {
			t.Errorf("%q has the other encoding", model)
		}
	}
}

func TestExact(t *testing.T) {
	for model, want := range map[string]bool{
		"gpt-4o": true, "GPT-5-mini": true, "gpt-3.5-turbo": true, "gpt-35-turbo-16k": true, "o3": true, "o4-mini": true, "chatgpt-4o-latest": true,
		"ft:gpt-4o:acme::7p4": true, "text-embedding-3-small": true,
		"gpt-oss-120b": false, "claude-sonnet-4-5": false, "llama3.3": false, "gemini-2.5-pro": false, "text-embedding-004": false, "": false,
	} {
		if got := Exact(model); got != want {
			t.Errorf("Exact(%q) = %v", model, got)
		}
	}
}

func TestOverhead(t *testing.T) {
	for _, c := range []struct {
		model           string
		messages, names int64
		want            int64
	}{
		{"gpt-4o", 1, 0, 6},
		{"gpt-4o", 6, 4, 25},
		{"claude-sonnet-4-5", 2, 0, 9},
		{"gpt-3.5-turbo-0301", 2, 1, 10},
		{"GPT-3.5-Turbo-0301", 2, 1, 10},
	} {
		if got := OverheadFor(c.model).Input(c.messages, c.names); got != c.want {
			t.Errorf("%s, %d messages, %d names: %d tokens, want %d", c.model, c.messages, c.names, got, c.want)
		}
	}
}

// The example of the OpenAI cookbook, which the API counted as 129 tokens.
func TestCookbookExample(t *testing.T) {
	messages := []struct{ role, name, content string }{
		{"system", "", "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
		{"system", "example_user", "New synergies will help drive top-line growth."},
		{"system", "example_assistant", "Things working well together will increase revenue."},
		{"system", "example_user", "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
		{"system", "example_assistant", "Let's talk later when we're less busy about how to do better."},
		{"user", "", "This late pivot means we don't have time to boil the ocean for the client deliverable."},
	}
	e := ForModel("gpt-4")
	var total, names int64
	for _, m := range messages {
		total += e.Count(m.role) + e.Count(m.name) + e.Count(m.content)
		if m.name != "" {
			names++
		}
	}
	if total += OverheadFor("gpt-4").Input(int64(len(messages)), names); total != 129 {
		t.Errorf("counted %d tokens, want 129", total)
	}
}
