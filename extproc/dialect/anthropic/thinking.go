package anthropic

import (
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// unthoughtCall reports whether the conversation ends with results of tools
// whose calls come without the thinking before them: the API wants it back,
// and clients of other formats have lost it.
func unthoughtCall(turns []turn) bool {
	n := len(turns)
	if n < 2 || turns[n-1].role != llm.RoleUser || turns[n-2].role != llm.RoleAssistant {
		return false
	}
	if results := turns[n-1].parts; len(results) == 0 || results[0].Kind != llm.PartToolResult {
		return false
	}
	for _, p := range turns[n-2].parts {
		switch p.Kind {
		case llm.PartReasoning, llm.PartRedacted:
			return false
		case llm.PartToolCall:
			return true
		}
	}
	return false
}

// output writes thinking and output_config.
func (e *requestEncoder) output() error {
	t := &e.thinks
	if t.Mode != "" {
		e.dst = t.AppendMode(append(e.dst, `,"thinking":`...))
	}
	schema, err := e.formatSchema()
	if err != nil || schema == nil && t.Effort == "" {
		return err
	}
	e.dst = append(e.dst, `,"output_config":{`...)
	if t.Effort != "" {
		e.dst = append(e.dst, `"effort":`...)
		e.dst = jsonx.AppendString(e.dst, t.Effort)
	}
	if schema != nil {
		if t.Effort != "" {
			e.dst = append(e.dst, ',')
		}
		e.dst = append(e.dst, `"format":{"type":"json_schema","schema":`...)
		e.dst = append(append(e.dst, schema...), '}')
	}
	e.dst = append(e.dst, '}')
	return nil
}

// formatSchema returns the schema of the answer that was asked for, nil if none
// was.
func (e *requestEncoder) formatSchema() ([]byte, error) {
	f := e.Request.Format
	if f == nil || f.Kind != llm.FormatSchema {
		return nil, nil
	}
	if !e.rules.NativeSchema {
		return nil, llm.Unsupported(e.Name("response_format"), "the model %s has no structured output; use a tool with this schema instead", e.target.Model)
	}
	if f.Description != "" {
		e.Warn("response_format.json_schema.description", "left out: the API takes the schema alone")
	}
	if f.Schema == nil {
		return []byte(emptySchema), nil
	}
	return e.outputSchema(f.Schema)
}
