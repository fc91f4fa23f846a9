package gateway

import (
	"net/url"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// googleRoot begins the paths that Google's SDKs call.
const googleRoot = "/v1beta/"

// googleMethods are what can be asked of a model, as in models/M:countTokens.
var googleMethods = map[string]llm.Op{
	"generateContent":       llm.OpChat,
	"streamGenerateContent": llm.OpChat,
	"countTokens":           llm.OpCountTokens,
	"embedContent":          llm.OpEmbeddings,
	"batchEmbedContents":    llm.OpEmbeddings,
}

// googleFront reads a path of Google's API, which names the model and what is
// asked of it: /v1beta/models/gemini-2.5-flash:generateContent. The name may be
// escaped, and may have slashes and colons.
func googleFront(path, query string) (front, bool) {
	_, path, ok := strings.Cut(path, "/models/")
	if !ok {
		return front{}, false
	}
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	colon := strings.LastIndexByte(path, ':')
	if colon <= 0 {
		return front{}, false
	}
	method := path[colon+1:]
	op, ok := googleMethods[method]
	f := front{method: "POST", dialect: llm.Gemini, op: op}
	f.model, f.stream = path[:colon], method == "streamGenerateContent"
	if f.stream {
		values, _ := url.ParseQuery(query)
		f.array = values.Get("alt") != "sse"
	}
	return f, ok
}
