package openai

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

func write(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	return nil, llm.Unsupported("", "not yet")
}
