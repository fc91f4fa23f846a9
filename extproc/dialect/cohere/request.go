package cohere

import (
	"slices"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// EncodeRequest writes the body of a call to chat or embed.
func (*Dialect) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	e := &encoder{Notes: dialect.Notes{Request: r, API: api}, target: t}
	e.dst = append(make([]byte, 0, len(r.Body.Raw)+256), `{"model":`...)
	e.dst = jsonx.AppendString(e.dst, t.Model)
	path, steps := chatPath, []func() error{e.checkExtra, e.messages, e.tools, e.sampling, e.format, e.thinking}
	switch r.Op {
	case llm.OpChat:
	case llm.OpEmbeddings:
		path, steps = embedPath, []func() error{e.checkExtra, e.embed}
	default:
		return nil, llm.Unsupported("", "%s has no request for %s", api, r.Op)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &dialect.Wire{Path: path, Body: append(e.dst, '}'), Warnings: e.Warnings}, nil
}

// An encoder writes a body from the canonical form.
type encoder struct {
	dialect.Notes
	target    dialect.Target
	dst       []byte
	documents bool // they were written
}

// key begins a member.
func (e *encoder) key(name string) {
	e.dst = append(append(append(e.dst, `,"`...), name...), `":`...)
}

func (e *encoder) text(name, value string) {
	e.key(name)
	e.dst = jsonx.AppendString(e.dst, value)
}

func (e *encoder) number(name string, value int64) {
	e.key(name)
	e.dst = strconv.AppendInt(e.dst, value, 10)
}

// maxStop is how many stop sequences the API takes.
const maxStop = 5

func (e *encoder) sampling() error {
	r := e.Request
	if r.Stream {
		e.dst = append(e.dst, `,"stream":true`...)
	}
	if r.MaxTokens > 0 {
		e.number("max_tokens", r.MaxTokens)
	}
	if len(r.Stop) > maxStop {
		return llm.Unsupported(e.Name("stop"), "%s takes at most %d stop sequences", api, maxStop)
	}
	if len(r.Stop) > 0 {
		e.key("stop_sequences")
		e.list(r.Stop)
	}
	for _, n := range numbers {
		value := n.value(r)
		if value == "" {
			continue
		}
		if v := value.Value(); v < n.low || v > n.high {
			value = llm.Number(strconv.FormatFloat(min(max(v, n.low), n.high), 'f', -1, 64))
			e.Warn(n.field, "became "+string(value)+": "+api+" takes no more and no less")
		}
		e.key(n.member)
		e.dst = append(e.dst, value...)
	}
	if r.Logprobs {
		e.dst = append(e.dst, `,"logprobs":true`...)
	}
	return nil
}

func (e *encoder) list(texts []string) {
	for i, s := range texts {
		e.dst = jsonx.AppendString(append(e.dst, "[,"[min(i, 1)]), s)
	}
	e.dst = append(e.dst, ']')
}

func (e *encoder) format() error {
	f := e.Request.Format
	if f == nil || f.Kind == llm.FormatText {
		return nil
	}
	e.dst = append(e.dst, `,"response_format":{"type":"json_object"`...)
	if f.Kind == llm.FormatSchema {
		e.key("json_schema")
		e.dst = append(e.dst, f.Schema...)
	}
	e.dst = append(e.dst, '}')
	return nil
}

// thinking switches it on or off; the API knows budgets, but no levels.
func (e *encoder) thinking() error {
	r := e.Request.Reasoning
	if r == nil {
		return nil
	}
	level := r.Level()
	switch {
	case !e.target.Rules.Reasons:
		if level != "" && level != "none" {
			e.Warn("reasoning_effort", "left out: the model does not reason")
		}
	case level == "none":
		e.dst = append(e.dst, `,"thinking":{"type":"disabled"}`...)
	case r.Budget > 0:
		e.dst = append(e.dst, `,"thinking":{"type":"enabled"`...)
		e.number("token_budget", r.Budget)
		e.dst = append(e.dst, '}')
	case level != "" || r.Mode != "":
		e.dst = append(e.dst, `,"thinking":{"type":"enabled"}`...)
		if level != "" {
			e.Warn("reasoning_effort", "became thinking without a limit: "+api+" has no levels")
		}
	}
	return nil
}

// tools writes the tools that the model may call, and whether it must.
func (e *encoder) tools() error {
	c := e.Request.ToolChoice
	forced := c.Mode == llm.ToolRequired || c.Mode == llm.ToolNamed
	if forced && e.target.Rules.NoForcedTool {
		return llm.Unsupported(e.Name("tool_choice"), "the model %s cannot be made to call a tool", e.target.Model)
	}
	n, strict := 0, 0
	for i := range e.Request.Tools {
		t := &e.Request.Tools[i]
		if t.Type != "" {
			return e.RefuseTool(t)
		}
		if !may(c, t.Name) {
			continue
		}
		if n++; n == 1 {
			e.key("tools")
		}
		e.tool(append(e.dst, "[,"[min(n-1, 1)]), t)
		if t.Strict != nil && *t.Strict {
			strict++
		}
	}
	if n == 0 {
		return nil
	}
	e.dst = append(e.dst, ']')
	switch {
	case strict == n:
		e.dst = append(e.dst, `,"strict_tools":true`...)
	case strict > 0:
		e.Warn("tools.strict", "left out: "+api+" is strict with all tools or with none")
	}
	switch {
	case forced:
		e.dst = append(e.dst, `,"tool_choice":"REQUIRED"`...)
	case c.Mode == llm.ToolNone:
		e.dst = append(e.dst, `,"tool_choice":"NONE"`...)
	}
	return nil
}

// may reports whether the client lets the model call a tool. The API cannot be
// told that, so that the others are not sent.
func may(c llm.ToolChoice, name string) bool {
	return (c.Allowed == nil || slices.Contains(c.Allowed, name)) && (c.Mode != llm.ToolNamed || c.Name == name)
}

func (e *encoder) tool(dst []byte, t *llm.Tool) {
	e.marked(t.Cache)
	e.dst = jsonx.AppendString(append(dst, `{"type":"function","function":{"name":`...), t.Name)
	if t.Description != "" {
		e.text("description", t.Description)
	}
	e.key("parameters")
	e.dst = append(dialect.AppendParameters(e.dst, t.Schema), "}}"...)
}

// marked says that a cache mark was left out.
func (e *encoder) marked(c *llm.Cache) {
	if c != nil {
		e.Warn("cache_control", "left out: prompts are cached without marks there")
	}
}

// maxTexts is how many texts the API embeds in one call.
const maxTexts = 96

func (e *encoder) embed() error {
	r := e.Request
	switch {
	case len(r.Inputs) == 0:
		return llm.Unsupported(e.Name("input"), "%s embeds texts, not tokens", api)
	case len(r.Inputs) > maxTexts:
		return llm.Unsupported(e.Name("input"), "%s embeds at most %d texts in a request", api, maxTexts)
	}
	e.key("input_type")
	e.dst = append(e.dst, e.purpose()...)
	e.key("texts")
	for i := range r.Inputs {
		e.dst = jsonx.AppendString(append(e.dst, "[,"[min(i, 1)]), r.Inputs[i].Text)
	}
	e.dst = append(e.dst, `],"embedding_types":["float"]`...)
	if r.Dimensions > 0 {
		e.number("output_dimension", r.Dimensions)
	}
	return nil
}

// purpose is what the embeddings are for, which the API wants to know and most
// clients do not say.
func (e *encoder) purpose() []byte {
	if own := e.Request.Body.Member("input_type"); own != nil {
		return own
	}
	if p := purposes[string(e.Request.Body.Member("taskType"))]; p != "" {
		return []byte(p)
	}
	e.Warn("input_type", "became search_document: the client did not say what the embeddings are for")
	return []byte(`"search_document"`)
}
