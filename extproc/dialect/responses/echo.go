package responses

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// echo returns the members of a response that repeat the request. Instructions
// and metadata are not among them: they are long, or nobody stores them.
func echo(r *llm.Request) []byte {
	w := &writer{Notes: dialect.Notes{Request: r}}
	w.dst = append(w.dst, `,"background":false,"instructions":null,"max_output_tokens":`...)
	if r.MaxTokens > 0 {
		w.dst = strconv.AppendInt(w.dst, r.MaxTokens, 10)
	} else {
		w.dst = append(w.dst, "null"...)
	}
	w.dst = append(w.dst, `,"max_tool_calls":null,"metadata":{},"parallel_tool_calls":`...)
	w.dst = strconv.AppendBool(w.dst, !r.SerialTools)
	w.dst = append(w.dst, `,"previous_response_id":null,"reasoning":{"effort":`...)
	effort, summary := "", ""
	if r.Reasoning != nil {
		effort = r.Reasoning.Level()
		if r.Reasoning.Display == "summarized" {
			summary = "auto"
		}
	}
	w.dst = jsonx.AppendOrNull(w.dst, effort)
	w.key("summary")
	w.dst = append(jsonx.AppendOrNull(w.dst, summary), '}')
	w.key("safety_identifier")
	w.dst = jsonx.AppendOrNull(w.dst, r.User)
	w.dst = append(w.dst, `,"store":false`...)
	w.number("temperature", r.Temperature)
	w.dst = append(w.dst, `,"text":{"format":{"type":"`...)
	w.formatEcho()
	w.dst = append(w.dst, `}},"tool_choice":`...)
	w.dst = appendToolChoice(w.dst, r.ToolChoice)
	w.key("tools")
	w.toolsEcho()
	w.dst = append(w.dst, `,"top_logprobs":0`...)
	w.number("top_p", r.TopP)
	w.dst = append(w.dst, `,"truncation":"disabled","user":null`...)
	return w.dst
}

func (w *writer) number(name string, n llm.Number) {
	w.key(name)
	if n == "" {
		n = "null"
	}
	w.dst = append(w.dst, n...)
}

func (w *writer) formatEcho() {
	f := w.Request.Format
	if f == nil {
		f = &llm.Format{Kind: llm.FormatText}
	}
	w.dst = append(append(w.dst, f.Kind...), '"')
	if f.Kind == llm.FormatSchema {
		w.schema(f)
	}
}

func (w *writer) toolsEcho() {
	w.dst = append(w.dst, '[')
	for i, t := range w.Request.Tools {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		if t.Type != "" {
			w.dst = append(w.dst, t.Raw...)
			continue
		}
		w.dst = append(w.dst, `{"type":"function","name":`...)
		w.dst = jsonx.AppendString(w.dst, t.Name)
		w.key("description")
		w.dst = jsonx.AppendOrNull(w.dst, t.Description)
		w.key("parameters")
		if t.Schema == nil {
			w.dst = append(w.dst, "null"...)
		}
		w.dst = append(w.dst, t.Schema...)
		w.key("strict")
		w.dst = append(strconv.AppendBool(w.dst, t.Strict != nil && *t.Strict), '}')
	}
	w.dst = append(w.dst, ']')
}
