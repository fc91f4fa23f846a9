package gateway

import (
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/tokens"
)

// exactCount is the text up to which a request is counted to the last byte. Of
// a longer one the rest is reckoned like its beginning: the figure serves only
// where a provider reports none.
const exactCount = 16 << 10

// inputTokens counts a request's input, all of it or, if quick, the beginning.
func inputTokens(r *llm.Request, quick bool) int64 {
	c := inputCounter{enc: tokens.ForModel(r.Model), left: len(r.Body.Raw)}
	if quick {
		c.left = exactCount
	}
	var names int64
	c.parts(r.System)
	for _, m := range r.Messages {
		if m.Name != "" {
			names++
			c.text(m.Name)
		}
		c.parts(m.Parts)
	}
	for _, t := range r.Tools {
		c.text(t.Name)
		c.text(t.Description)
		c.text(string(t.Schema))
	}
	c.parts(r.Inputs)
	if c.seen > 0 && c.skipped > 0 {
		c.tokens += c.tokens * c.skipped / c.seen
	}
	messages := int64(len(r.System) + len(r.Messages))
	if messages == 0 { // no chat: embeddings, a list of models
		return c.tokens
	}
	return c.tokens + tokens.OverheadFor(r.Model).Input(messages, names)
}

// An inputCounter adds up the tokens of a request's texts.
type inputCounter struct {
	enc           *tokens.Encoding
	left          int   // bytes that may still be counted
	seen, skipped int64 // bytes
	tokens        int64
}

func (c *inputCounter) parts(parts []llm.Part) {
	for i := range parts {
		c.text(parts[i].Text)
		c.text(parts[i].Name)
		c.parts(parts[i].Parts)
	}
}

func (c *inputCounter) text(s string) {
	n := min(len(s), c.left)
	if n > 0 {
		c.tokens += c.enc.Count(s[:n])
	}
	c.left -= n
	c.seen += int64(n)
	c.skipped += int64(len(s) - n)
}

// countTokens answers a request for a count where the target has no such call.
func (x *Exchange) countTokens(r *llm.Request) *llm.Answer {
	body, err := x.counted(r)
	if err != nil {
		return x.fail(llm.CodeInternal, err)
	}
	x.record.Status = 200
	return &llm.Answer{Status: 200, Type: "application/json", Header: append(x.ownHeaders(), countedHeader), Body: body}
}

// countedHeader says that a count is ours.
var countedHeader = llm.Header{Name: "x-attache-counted", Value: "estimate"}

// counted is our own count in the client's format.
func (x *Exchange) counted(r *llm.Request) ([]byte, error) {
	x.record.Counted = true
	return x.wire.NewEncoder(r).Encode(nil, []llm.Event{
		{Kind: llm.EventUsage, Usage: llm.Usage{Input: inputTokens(r, false)}}, {Kind: llm.EventEnd},
	})
}

// cannotCount reports whether an error says that the server has no call for
// counts, or none for the model. An error of the API itself, such as an unknown
// model, is JSON.
func (r *response) cannotCount(e *llm.Error) bool {
	return r.req.Op == llm.OpCountTokens &&
		(r.status == 405 || e.Status == 501 || r.status == 404 && mediaType(r.head) != "application/json")
}

// countInstead answers with our own count what a provider did not.
func (x *Exchange) countInstead() Output {
	r := x.resp
	body, err := x.counted(r.req)
	if err != nil {
		return x.broken(err)
	}
	x.record.Status, r.ended = 200, true
	h := x.responseHead(r, true)
	h.Status = 200
	h.Set = append(h.Set, llm.Header{Name: "content-type", Value: "application/json"}, countedHeader)
	return Output{Head: h, Body: body, End: true}
}
