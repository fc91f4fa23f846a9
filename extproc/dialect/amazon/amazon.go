// Package amazon knows how Amazon Bedrock names models in its paths, which is the
// same for all the formats that it offers. It knows none of these.
package amazon

import (
	"net/url"
	"strings"
)

// ModelPath is where the paths of a model begin. Names hold colons and slashes,
// which are escaped as the service's own clients do.
func ModelPath(model string) string {
	return "/model/" + strings.ReplaceAll(url.PathEscape(model), ":", "%3A")
}

// CountPath is where the tokens of a request to a model are counted. CountTokens
// knows models, but no profiles of regions, as us.anthropic.…: the region is left
// out. Source: Portkey-AI/gateway#1437.
func CountPath(model string) string {
	if i := strings.Index(model, "anthropic."); i > 0 && !strings.HasPrefix(model, "arn:") {
		model = model[i:]
	}
	return ModelPath(model) + "/count-tokens"
}
