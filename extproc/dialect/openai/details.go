package openai

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// OpenRouter tells what the models behind it sign, in reasoning_details beside
// the text of the reasoning, and wants it back as it was: a list of objects of
// the types reasoning.text, reasoning.summary and reasoning.encrypted, see
// https://openrouter.ai/docs/use-cases/reasoning-tokens. Those with a signature
// or encrypted data travel as signatures, without their text.
const router = "openrouter"

// detail reads an element of reasoning_details.
func (a *answer) detail() error {
	raw, err := a.in.Raw()
	if err != nil {
		return err
	}
	in := jsonx.NewReader(raw)
	members, err := in.Members(func([]byte) error { _, err := in.Skip(); return err })
	if err != nil {
		return err
	}
	body := llm.Body{Raw: raw, Members: members}
	if len(jsonx.NewReader(raw).Tag("signature"))+len(jsonx.NewReader(raw).Tag("data")) == 0 {
		return nil
	}
	p := body.Patch()
	p.Remove("text")
	own := string(dialect.OneLine(p.Bytes()))
	a.delta.details = append(a.delta.details,
		llm.Event{Kind: llm.EventSignature, Text: dialect.Seal(llm.Anthropic, router, own)}, llm.Event{Kind: llm.EventBlockEnd})
	return nil
}

// appendDetail appends a part of reasoning as an element of reasoning_details.
// It is not ok if the part is not OpenRouter's.
func appendDetail(dst []byte, p *llm.Part) (_ []byte, ok bool) {
	owner, own := dialect.Unseal(llm.Anthropic, p.Signature)
	in := jsonx.NewReader([]byte(own))
	if owner != router || in.Kind() != jsonx.Object {
		return dst, false
	}
	members, err := in.Members(func([]byte) error { _, err := in.Skip(); return err })
	if err != nil || in.End() != nil {
		return dst, false
	}
	body := llm.Body{Raw: []byte(own), Members: members}
	detail := body.Patch()
	if p.Text != "" && string(jsonx.NewReader([]byte(own)).Tag("type")) == "reasoning.text" {
		detail.Set("text", jsonx.AppendString(nil, p.Text))
	}
	return append(comma(dst), detail.Bytes()...), true
}
