package provider

import "github.com/attache-gateway/attache/extproc/llm"

var googlePresets = []Preset{
	gemini,
	geminiCompatible,
	vertex,
	vertexClaude,
}

var (
	gemini = Preset{
		Kind:    "gemini",
		Dialect: llm.Gemini,
		URL:     "https://generativelanguage.googleapis.com",
		Below:   "/v1beta",
		Auth:    Auth{Header: "x-goog-api-key"},
		KeyVars: []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"},
		URLVar:  "GOOGLE_GEMINI_BASE_URL",
		Usage:   true,
		Models:  []string{"gemini-*"},
		rules:   geminiModels,
	}

	// The endpoint for OpenAI's clients counts thoughts in the total alone, and
	// signatures are in extra_content (gemini-openai-chat-3ac55a392d43).
	geminiCompatible = Preset{
		Kind:    "gemini",
		Dialect: llm.OpenAI,
		URL:     "https://generativelanguage.googleapis.com/v1beta/openai",
		Auth:    bearer,
		rules:   served(llm.Rules{SystemRole: "system", ExtraContent: true, Reasons: true}),
	}

	// Vertex AI has an access token where the Gemini API has a key, and the
	// project and the region in every path. Regions and multi-regions have hosts
	// of their own: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations
	vertex = Preset{
		Kind:    "vertex",
		Dialect: llm.Gemini,
		Hosting: llm.HostVertex,
		URL:     "https://{region}-aiplatform.googleapis.com",
		Regions: map[string]string{
			"global": "https://aiplatform.googleapis.com",
			"us":     "https://aiplatform.us.rep.googleapis.com",
			"eu":     "https://aiplatform.eu.rep.googleapis.com",
		},
		Below:  "/v1",
		Auth:   bearer,
		Needs:  []string{"project", "region"},
		Usage:  true,
		Models: []string{"gemini-*"},
		rules:  penalized(geminiModels),
	}

	// Claude on Vertex AI: vertex-anthropic-streamRawPredict-22ed6b2a5d8f.
	vertexClaude = vertex.in(llm.Anthropic, vertex.URL, claude, "claude-*")
)

// Google's models. Sources: Google's pages on the models, on thinking and on
// thought signatures, and the model catalogue of @ai-sdk/google, November 2026.
var (
	// Up to 2.0 they do not think; 2.5 is told a budget, and what is newer a
	// level. Penalties are for Vertex alone there.
	geminiSize = llm.Rules{Context: 1_048_576, MaxOutput: 65_536}
	unthinking = llm.Rules{NativeSchema: true, SchemaOrTools: true, Context: 1_048_576, MaxOutput: 8192}
	budgeted   = with(geminiSize, llm.Rules{Reasons: true, NativeSchema: true, SchemaOrTools: true, NoPenalties: true, MaxBudget: 24_576})
	leveled    = llm.Rules{Reasons: true, NativeSchema: true, Adaptive: true, NoBudget: true, SignedCalls: true}

	geminiModels = []rule{
		{"*embedding*", llm.Rules{}},
		{"gemini-2.5-*-image*", llm.Rules{}},
		{"gemini-2.5-*-tts*", llm.Rules{}},
		{"gemini-2.5-pro*", with(budgeted, llm.Rules{MaxBudget: 32_768, NoThinkingOff: true})},
		{"gemini-2.5-*", budgeted},
		{"gemini-[12].*", unthinking},
		{"gemini-pro*", with(leveled, llm.Rules{NoThinkingOff: true})},
		{"gemini-3*-image*", leveled},
		{"gemini-3*-pro*", with(with(leveled, geminiSize), llm.Rules{NoThinkingOff: true})},
		{"gemini-3*", with(leveled, geminiSize)},
		{"gemini-[4-9]*-pro*", with(leveled, llm.Rules{NoThinkingOff: true})},
		// Flash without a version, and whatever is newer than this table.
		{"*", leveled},
	}
)

// penalized are the rules without the one that refuses penalties, which Vertex
// AI takes for all models.
func penalized(models []rule) []rule {
	var list []rule
	for _, m := range models {
		m.rules.NoPenalties = false
		list = append(list, m)
	}
	return list
}
