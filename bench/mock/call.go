package mock

import (
	"net/http"
	"strings"
)

// A call is what the method and the path of a request ask for.
type call struct {
	dialect Dialect
	op      op
	model   string // empty: the body names it
	stream  bool   // the body says so too, in dialects whose paths do not
}

// op is an operation of a provider; "" is one that nobody knows.
type op string

const (
	opChat   op = "chat"
	opCount  op = "count"
	opEmbed  op = "embed"
	opModels op = "models"
)

// paths are those that name no model.
var paths = map[string]call{
	"/v1/chat/completions":       {dialect: OpenAI, op: opChat},
	"/v1/embeddings":             {dialect: OpenAI, op: opEmbed},
	"/v1/responses":              {dialect: Responses, op: opChat},
	"/v1/responses/input_tokens": {dialect: Responses, op: opCount},
	"/v1/messages":               {dialect: Anthropic, op: opChat},
	"/v1/messages/count_tokens":  {dialect: Anthropic, op: opCount},
}

// methods are the ends of the paths that name a model.
var methods = map[string]call{
	":generateContent":       {dialect: Gemini, op: opChat},
	":streamGenerateContent": {dialect: Gemini, op: opChat, stream: true},
	":countTokens":           {dialect: Gemini, op: opCount},
	":embedContent":          {dialect: Gemini, op: opEmbed},
	":batchEmbedContents":    {dialect: Gemini, op: opEmbed},
	"/converse":              {dialect: Bedrock, op: opChat},
	"/converse-stream":       {dialect: Bedrock, op: opChat, stream: true},
	"/count-tokens":          {dialect: Bedrock, op: opCount},
}

// callOf reads a request's method and path. Of an unknown one it still tells
// the dialect, for the error.
func callOf(r *http.Request) call {
	path := r.URL.Path
	c := call{dialect: OpenAI}
	if path == "/v1/models" && r.Method == http.MethodGet {
		c.op = opModels
	}
	switch {
	case strings.HasPrefix(path, "/v1/messages"), c.op == opModels && r.Header.Get("Anthropic-Version") != "":
		c.dialect = Anthropic
	case strings.HasPrefix(path, "/v1beta/"):
		c.dialect = Gemini
	case strings.HasPrefix(path, "/model/"):
		c.dialect = Bedrock
	}
	if r.Method != http.MethodPost {
		return c
	}
	if known, ok := paths[path]; ok {
		return known
	}
	for _, root := range []string{"/models/", "/model/"} {
		_, rest, ok := strings.Cut(path, root)
		end := strings.LastIndexAny(rest, ":/")
		if !ok || end <= 0 {
			continue
		}
		if known, ok := methods[rest[end:]]; ok {
			known.model = rest[:end]
			return known
		}
	}
	return c
}
