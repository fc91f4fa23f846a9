package load

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Chat is a chat request of size bytes, or as many as the frame needs, valid
// for OpenAI chat completions and Anthropic messages: one user message of
// English text.
func Chat(model string, size int, stream bool) []byte {
	const prose = "The quick brown fox jumps over the lazy dog while the river runs down to the sea. "
	const tail = `"}]}`
	name, _ := json.Marshal(model) // every string has a JSON form
	body := fmt.Appendf(nil, `{"model":%s,"max_tokens":4096,"stream":%t,"messages":[{"role":"user","content":"`, name, stream)
	n := max(size-len(body)-len(tail), 2)
	body = append(body, strings.Repeat(prose, n/len(prose)+1)[:n]...)
	return append(body, tail...)
}
