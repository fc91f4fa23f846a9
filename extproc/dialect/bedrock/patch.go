package bedrock

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// patched is the client's own body, with what a policy changed of
// inferenceConfig.
func patched(r *llm.Request) []byte {
	p := r.Patch()
	if changed := currentConfig(r); changed != nil {
		p.Set(inference, changed)
	}
	return p.Bytes()
}

// currentConfig returns inferenceConfig with the values that the request has
// now, nil if it has them already.
func currentConfig(r *llm.Request) []byte {
	raw := r.Body.Member(inference)
	in := jsonx.NewReader(raw)
	if in.Kind() != jsonx.Object {
		raw = []byte("{}")
		in.Reset(raw)
	}
	members, err := in.Members(func([]byte) error { _, err := in.Skip(); return err })
	if err != nil {
		return nil // it was read once; it cannot be broken
	}
	limit := ""
	if r.MaxTokens > 0 {
		limit = strconv.FormatInt(r.MaxTokens, 10)
	}
	body := llm.Body{Raw: raw, Members: members}
	p, changed := body.Patch(), false
	for _, f := range []struct {
		name string
		now  llm.Number
	}{{"maxTokens", llm.Number(limit)}, {"temperature", r.Temperature}, {"topP", r.TopP}} {
		was := llm.Number(body.Member(f.name))
		switch {
		case was == f.now, was == "null" && f.now == "", was != "" && f.now != "" && was.Value() == f.now.Value():
			continue
		case f.now == "":
			p.Remove(f.name)
		default:
			p.Set(f.name, []byte(f.now))
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return p.Bytes()
}
