package gateway

import (
	"net/url"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// amazonRoot begins the paths that Amazon's SDKs call.
const amazonRoot = "/model/"

// amazonFront reads a path of Bedrock's runtime, which names the model and the
// form of the answer: /model/us.anthropic.claude-sonnet-4-6/converse. The name
// is escaped; it may have colons and, in an ARN, slashes.
func amazonFront(path string) (front, bool) {
	path, ok := strings.CutPrefix(path, amazonRoot)
	if !ok {
		return front{}, false
	}
	slash := strings.LastIndexByte(path, '/')
	if slash <= 0 {
		return front{}, false
	}
	f := front{method: "POST", dialect: llm.Bedrock, op: llm.OpChat}
	f.model, f.stream = path[:slash], path[slash:] == "/converse-stream"
	if path[slash:] == "/count-tokens" {
		f.op = llm.OpCountTokens
	}
	if plain, err := url.PathUnescape(f.model); err == nil {
		f.model = plain
	}
	return f, f.stream || f.op == llm.OpCountTokens || path[slash:] == "/converse"
}
