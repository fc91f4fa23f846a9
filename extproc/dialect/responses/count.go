package responses

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// countPath asks how many tokens a request has.
const countPath = responsesPath + "/input_tokens"

// A countEncoder writes a count that is not the provider's.
type countEncoder struct {
	dialect.Encoder
	req *llm.Request
}

// Encode refuses a count of what a provider keeps: nobody else knows it.
func (c *countEncoder) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for _, name := range [...]string{"previous_response_id", "conversation"} {
		if v := c.req.Body.Member(name); v != nil && string(v) != "null" {
			return dst, llm.Unsupported(name, "the target keeps no responses that could be counted")
		}
	}
	return c.Encoder.Encode(dst, events)
}
