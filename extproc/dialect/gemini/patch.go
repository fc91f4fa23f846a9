package gemini

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// patched is the client's own body for a target of this dialect, with the
// target's model where calls name it in the body as well.
func patched(r *llm.Request, model string) []byte { return withModel(r, model).Patch().Bytes() }

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
