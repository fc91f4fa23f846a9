package responses

import (
	"fmt"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// EncodeRequest writes the request for a target: a client's own bytes with a
// few of them replaced, or the canonical form of another dialect's request.
func (d *Dialect) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	path := responsesPath
	switch {
	case r.Op == llm.OpCountTokens && r.Dialect == llm.Responses:
		path = countPath
	case r.Op != llm.OpChat:
		return nil, llm.Unsupported("", "the responses dialect has no request for %s", r.Op)
	}
	if r.Dialect == llm.Responses {
		p := r.Patch()
		if t.Model != r.Model {
			p.Set("model", jsonx.AppendString(nil, t.Model))
		}
		return &dialect.Wire{Path: path, Body: p.Bytes()}, nil
	}
	return write(r, t)
}

// maxToolName is the longest name of a function that OpenAI takes.
const maxToolName = 64

// writer writes the canonical form of another dialect's request.
type writer struct {
	dialect.Notes
	dst       []byte
	target    dialect.Target
	marks     dialect.Marks
	verbosity []byte
}

// write writes a request from its canonical form. What the Responses API cannot
// say is refused or warned about, see crossings. Nothing is stored: clients of
// other dialects bring the whole conversation with them.
func write(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	r = dialect.Renamed(r, func(name string) bool { return dialect.PlainName(name, maxToolName) })
	w := &writer{Notes: dialect.Notes{Request: r, API: api}, target: t, dst: make([]byte, 0, len(r.Body.Raw)+512)}
	w.marks = dialect.NewMarks(&w.Notes, false)
	w.dst = append(w.dst, `{"model":`...)
	w.dst = jsonx.AppendString(w.dst, t.Model)
	for _, step := range []func() error{w.checkExtra, w.input, w.tools, w.limits, w.format, w.reasoning, w.labels} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if r.Stream {
		w.dst = append(w.dst, `,"stream":true`...)
	}
	w.dst = append(w.dst, `,"store":false}`...)
	return &dialect.Wire{Path: responsesPath, Body: w.dst, Warnings: w.Warnings}, nil
}

// key begins a member of the request.
func (w *writer) key(name string) {
	w.dst = append(w.dst, `,"`...)
	w.dst = append(append(w.dst, name...), `":`...)
}

func (w *writer) text(name, value string) {
	w.key(name)
	w.dst = jsonx.AppendString(w.dst, value)
}

// minTokens is the least max_output_tokens that the API takes.
const minTokens = 16

func (w *writer) limits() error {
	r := w.Request
	if n := r.MaxTokens; n > 0 {
		if n < minTokens {
			w.Warn("max_tokens", fmt.Sprintf("became %d, the least that the Responses API takes", minTokens))
		}
		w.key("max_output_tokens")
		w.dst = strconv.AppendInt(w.dst, max(n, minTokens), 10)
	}
	for _, f := range []struct {
		name  string
		value llm.Number
	}{{"temperature", r.Temperature}, {"top_p", r.TopP}} {
		switch {
		case f.value == "":
		case w.target.Rules.NoSampling:
			w.Warn(f.name, "left out: the model takes no sampling parameters")
		default:
			w.key(f.name)
			w.dst = append(w.dst, f.value...)
		}
	}
	return nil
}

func (w *writer) format() error {
	f := w.Request.Format
	if f != nil && f.Kind == llm.FormatText {
		f = nil
	}
	if f == nil && w.verbosity == nil {
		return nil
	}
	w.dst = append(w.dst, `,"text":{`...)
	if f != nil {
		w.dst = append(w.dst, `"format":{"type":"`...)
		w.dst = append(append(w.dst, f.Kind...), '"')
		if f.Kind == llm.FormatSchema {
			w.schema(f)
		}
		w.dst = append(w.dst, '}')
	}
	if w.verbosity != nil {
		if f != nil {
			w.dst = append(w.dst, ',')
		}
		w.dst = append(append(w.dst, `"verbosity":`...), w.verbosity...)
	}
	w.dst = append(w.dst, '}')
	return nil
}

func (w *writer) schema(f *llm.Format) {
	name := f.Name
	if name == "" {
		name = "answer" // the format demands one
	}
	w.text("name", name)
	if f.Description != "" {
		w.text("description", f.Description)
	}
	w.key("schema")
	w.dst = append(w.dst, f.Schema...)
	if f.Strict != nil {
		w.key("strict")
		w.dst = strconv.AppendBool(w.dst, *f.Strict)
	}
}

// reasoning says how much the model shall think and asks for what it needs back
// in the next turn. A summary is asked for if the client wants to see thoughts:
// OpenAI gives it to verified organisations only.
func (w *writer) reasoning() error {
	rules := w.target.Rules
	w.include()
	r := w.Request.Reasoning
	if r == nil {
		return nil
	}
	level := r.Level()
	shown := r.Display == "summarized" || r.Display == "" && (r.Mode == "enabled" || r.Mode == "adaptive")
	switch {
	case !rules.Reasons:
		if level != "none" {
			w.Warn("reasoning_effort", "left out: the model does not reason")
		}
		return nil
	case level == "" && r.Effort != "":
		w.Warn("reasoning_effort", "left out: it is no level that is known")
	case level == "none" && rules.NoThinkingOff:
		w.Warn("reasoning_effort", "left out: the model cannot be kept from reasoning")
		return nil
	case level == "none":
		shown = false
	case level != "" && r.Budget > 0:
		w.Warn("reasoning_budget", "became the effort "+level)
	}
	switch {
	case level != "" && shown:
		w.dst = append(w.dst, `,"reasoning":{"effort":"`+level+`","summary":"auto"}`...)
	case level != "":
		w.dst = append(w.dst, `,"reasoning":{"effort":"`+level+`"}`...)
	case shown:
		w.dst = append(w.dst, `,"reasoning":{"summary":"auto"}`...)
	}
	return nil
}

// include asks for more in the answer: reasoning to send back, and probabilities.
func (w *writer) include() {
	var more []string
	if w.target.Rules.Reasons {
		more = append(more, "reasoning.encrypted_content")
	}
	if w.Request.Logprobs {
		more = append(more, "message.output_text.logprobs")
	}
	if n := w.Request.TopLogprobs; n > 0 {
		w.key("top_logprobs")
		w.dst = strconv.AppendInt(w.dst, n, 10)
	}
	for i, what := range more {
		if i == 0 {
			w.key("include")
		}
		w.dst = jsonx.AppendString(append(w.dst, "[,"[min(i, 1)]), what)
	}
	if len(more) > 0 {
		w.dst = append(w.dst, ']')
	}
}

// maxUser is the longest safety_identifier.
const maxUser = 64

func (w *writer) labels() error {
	switch user := w.Request.User; {
	case len(user) > maxUser:
		w.Warn("user", fmt.Sprintf("left out: it is longer than %d bytes", maxUser))
	case user != "":
		w.text("safety_identifier", user)
	}
	if tier := w.Request.ServiceTier; tier != "" {
		if ours := serviceTiers[tier]; ours != "" {
			w.text("service_tier", ours)
		} else {
			w.Warn("service_tier", "left out: there is no tier like it")
		}
	}
	return nil
}

// tools writes the tools and how free the model is to call them. Where nothing
// is said the API would make a schema strict, which changes what it means.
func (w *writer) tools() error {
	r := w.Request
	if len(r.Tools) == 0 {
		return nil
	}
	w.key("tools")
	for i, t := range r.Tools {
		if t.Type != "" {
			return w.RefuseTool(&t)
		}
		w.dst = append(w.dst, "[,"[min(i, 1)])
		w.dst = append(w.dst, `{"type":"function","name":`...)
		w.dst = jsonx.AppendString(w.dst, t.Name)
		if t.Description != "" {
			w.text("description", t.Description)
		}
		w.key("parameters")
		w.dst = dialect.AppendParameters(w.dst, t.Schema)
		w.key("strict")
		w.dst = append(strconv.AppendBool(w.dst, t.Strict != nil && *t.Strict), '}')
		w.cache(t.Cache)
	}
	w.dst = append(w.dst, ']')
	if r.SerialTools {
		w.dst = append(w.dst, `,"parallel_tool_calls":false`...)
	}
	return w.toolChoice()
}

func (w *writer) toolChoice() error {
	c := w.Request.ToolChoice
	if c.Mode == "" && c.Allowed == nil {
		return nil
	}
	if w.target.Rules.NoForcedTool && (c.Mode == llm.ToolRequired || c.Mode == llm.ToolNamed) {
		return llm.Unsupported("tool_choice", "the model %s cannot be made to call a tool", w.target.Model)
	}
	w.key("tool_choice")
	w.dst = appendToolChoice(w.dst, c)
	return nil
}

// appendToolChoice writes a choice, of which an answer has one too.
func appendToolChoice(dst []byte, c llm.ToolChoice) []byte {
	mode := c.Mode
	if mode == "" {
		mode = llm.ToolAuto
	}
	named := func(name string) {
		dst = append(dst, `{"type":"function","name":`...)
		dst = append(jsonx.AppendString(dst, name), '}')
	}
	switch {
	case c.Allowed != nil:
		dst = append(append(dst, `{"type":"allowed_tools","mode":"`...), mode...)
		dst = append(dst, `","tools":[`...)
		for i, name := range c.Allowed {
			if i > 0 {
				dst = append(dst, ',')
			}
			named(name)
		}
		dst = append(dst, "]}"...)
	case mode == llm.ToolNamed:
		named(c.Name)
	default:
		dst = jsonx.AppendString(dst, string(mode))
	}
	return dst
}

// cache says that a mark was left out.
func (w *writer) cache(c *llm.Cache) {
	if c != nil {
		w.Warn("cache_control", noMarks)
	}
}
