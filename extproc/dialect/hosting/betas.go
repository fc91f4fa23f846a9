package hosting

import (
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// The headers in which Anthropic's clients say which API they mean.
const (
	versionHeader = "anthropic-version"
	betaHeader    = "anthropic-beta"
)

// searchTools is the clouds' name of the beta in which tools are searched for,
// which Anthropic has made a part of another one.
const searchTools = "tool-search-tool-2025-10-19"

// The clouds refuse every request that names a beta which they do not know, and
// clients such as Claude Code name betas by themselves. So those that a cloud is
// known to take are passed on, under its name; the rest are left out.
//
// Sources: probes of Bedrock in envoyproxy/ai-gateway#2512 and
// router-for-me/CLIProxyAPI#4750; LiteLLM's table of beta headers, October 2026.
var (
	bedrockBetas = map[string]string{
		"advanced-tool-use-2025-11-20":              searchTools,
		"claude-code-20250219":                      "claude-code-20250219",
		"compact-2026-01-12":                        "compact-2026-01-12",
		"computer-use-2024-10-22":                   "computer-use-2024-10-22",
		"computer-use-2025-01-24":                   "computer-use-2025-01-24",
		"computer-use-2025-11-24":                   "computer-use-2025-11-24",
		"context-1m-2025-08-07":                     "context-1m-2025-08-07",
		"context-management-2025-06-27":             "context-management-2025-06-27",
		"dev-full-thinking-2025-05-14":              "dev-full-thinking-2025-05-14",
		"effort-2025-11-24":                         "effort-2025-11-24",
		"fine-grained-tool-streaming-2025-05-14":    "fine-grained-tool-streaming-2025-05-14",
		"interleaved-thinking-2025-05-14":           "interleaved-thinking-2025-05-14",
		"mcp-client-2025-04-04":                     "mcp-client-2025-04-04",
		"mcp-client-2025-11-20":                     "mcp-client-2025-11-20",
		"mid-conversation-output-config-2026-07-01": "mid-conversation-output-config-2026-07-01",
		"mid-conversation-tool-changes-2026-07-01":  "mid-conversation-tool-changes-2026-07-01",
		"output-128k-2025-02-19":                    "output-128k-2025-02-19",
		"search-results-2025-06-09":                 "search-results-2025-06-09",
		"thinking-display-updates-2026-08-18":       "thinking-display-updates-2026-08-18",
		"token-counting-2024-11-01":                 "token-counting-2024-11-01",
		"token-efficient-tools-2025-02-19":          "token-efficient-tools-2025-02-19",
		"web-search-2025-03-05":                     "web-search-2025-03-05",
		searchTools:                                 searchTools,
	}
	vertexBetas = map[string]string{
		"advanced-tool-use-2025-11-20":        searchTools,
		"compact-2026-01-12":                  "compact-2026-01-12",
		"computer-use-2025-01-24":             "computer-use-2025-01-24",
		"computer-use-2025-11-24":             "computer-use-2025-11-24",
		"context-1m-2025-08-07":               "context-1m-2025-08-07",
		"context-management-2025-06-27":       "context-management-2025-06-27",
		"interleaved-thinking-2025-05-14":     "interleaved-thinking-2025-05-14",
		"per-turn-control-2026-07-01":         "per-turn-control-2026-07-01",
		"thinking-display-updates-2026-08-18": "thinking-display-updates-2026-08-18",
		"web-search-2025-03-05":               "web-search-2025-03-05",
		searchTools:                           searchTools,
	}
)

// takeBetas takes the headers of Anthropic's API out of a request and returns
// the betas among them that the cloud knows.
func takeBetas(w *dialect.Wire, known map[string]string) (betas []string) {
	var kept []llm.Header
	for _, h := range w.Header {
		switch h.Name {
		case versionHeader:
		case betaHeader:
			for name := range strings.SplitSeq(h.Value, ",") {
				name = strings.TrimSpace(name)
				switch own := known[name]; {
				case slices.Contains(betas, own):
				case own != "":
					betas = append(betas, own)
				case name != "":
					w.Warnings = append(w.Warnings, betaHeader+": "+name+" was left out: the service is not known to have it")
				}
			}
		default:
			kept = append(kept, h)
		}
	}
	w.Header = kept
	return betas
}
