package gemini

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// patched is the client's own body for a target of this dialect: with what a
// policy changed of generationConfig, and with the target's model where calls
// name it in the body as well.
func patched(r *llm.Request, model string) []byte {
	r = withModel(r, model)
	p := r.Patch()
	name, config := configOf(&r.Body)
	if changed := currentConfig(config, r); changed != nil {
		p.Set(name, changed)
	}
	return p.Bytes()
}

// configOf returns the member that holds the sampling and its name, in the
// spelling that the client chose.
func configOf(b *llm.Body) (name string, config []byte) {
	const first = "generationConfig"
	if config := b.Member(snake(first)); config != nil {
		return snake(first), config
	}
	return first, b.Member(first)
}

// currentConfig returns generationConfig with the values that the request has
// now, nil if it has them already.
func currentConfig(config []byte, r *llm.Request) []byte {
	if r.Op != llm.OpChat {
		return nil
	}
	in := jsonx.NewReader(config)
	if in.Kind() != jsonx.Object {
		config = []byte("{}")
		in.Reset(config)
	}
	members, err := in.Members(func([]byte) error { _, err := in.Skip(); return err })
	if err != nil {
		return nil // it was read once; it cannot be broken
	}
	body := llm.Body{Raw: config, Members: members}
	p := body.Patch()
	changed := false
	for _, f := range settings(r) {
		name, was := f.name, body.Member(f.name)
		if other := body.Member(snake(f.name)); other != nil {
			name, was = snake(f.name), other
		}
		switch {
		case f.same(was):
			continue
		case f.value == "":
			p.Remove(name)
		default:
			p.Set(name, []byte(f.value))
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return p.Bytes()
}

// A setting is a member of generationConfig that is a number.
type setting struct{ name, value string }

func settings(r *llm.Request) []setting {
	limit := ""
	if r.MaxTokens > 0 {
		limit = strconv.FormatInt(r.MaxTokens, 10)
	}
	return []setting{
		{"maxOutputTokens", limit},
		{"temperature", string(r.Temperature)},
		{"topP", string(r.TopP)},
		{"topK", string(r.TopK)},
		{"seed", string(r.Seed)},
		{"frequencyPenalty", string(r.FrequencyPenalty)},
		{"presencePenalty", string(r.PresencePenalty)},
	}
}

// same reports whether the client's value is the request's.
func (s *setting) same(was []byte) bool {
	text := string(was)
	if text == "null" || s.name == "maxOutputTokens" && text == "0" {
		text = ""
	}
	if text == s.value {
		return true
	}
	a, errA := strconv.ParseFloat(text, 64)
	b, errB := strconv.ParseFloat(s.value, 64)
	return errA == nil && errB == nil && a == b
}

// withModel puts the target's model where the body names the client's. The
// name stands at the top, in each of several requests for embeddings, or in the
// request whose tokens are counted.
func withModel(r *llm.Request, model string) *llm.Request {
	var edits []llm.Edit
	in := jsonx.NewReader(r.Body.Raw)
	var object func(inner bool) error
	object = func(inner bool) error {
		return in.Object(func(name []byte) error {
			kind := in.Kind()
			switch string(name) {
			case "model":
				if kind != jsonx.String {
					break
				}
				at := llm.Span{Start: in.Offset()}
				was, err := in.String()
				at.End = in.Offset()
				if was != resource(model) && was != model {
					edits = append(edits, llm.Edit{At: at, New: jsonx.AppendString(nil, resource(model))})
				}
				return err
			case "requests":
				if inner && kind == jsonx.Array {
					return in.Array(func(int) error { return object(false) })
				}
			case "generateContentRequest", "generate_content_request":
				if inner && kind == jsonx.Object {
					return object(false)
				}
			}
			_, err := in.Skip()
			return err
		})
	}
	if r.Op == llm.OpChat && r.Body.Member("model") == nil {
		return r
	}
	if object(true) != nil || len(edits) == 0 {
		return r
	}
	changed := *r
	changed.Edits = append(edits, r.Edits...)
	return &changed
}
