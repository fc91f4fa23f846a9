package openai

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxToolName is the longest name of a function that OpenAI takes.
const maxToolName = 64

// writer writes the canonical form of another dialect's request.
type writer struct {
	dialect.Notes
	dst    []byte
	target dialect.Target
	marks  dialect.Marks
}

// write writes a request from its canonical form. What Chat Completions cannot
// say is refused or warned about, see crossings.
func write(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	r = dialect.Renamed(r, func(name string) bool { return dialect.PlainName(name, maxToolName) })
	w := &writer{Notes: dialect.Notes{Request: r, API: api}, target: t, dst: make([]byte, 0, len(r.Body.Raw)+512)}
	w.marks = dialect.NewMarks(&w.Notes, false)
	switch r.Op {
	case llm.OpChat:
	case llm.OpEmbeddings:
		return w.embeddings()
	default:
		return nil, llm.Unsupported("", "a request for %s cannot be translated to the openai dialect", r.Op)
	}
	w.dst = append(w.dst, `{"model":`...)
	w.dst = jsonx.AppendString(w.dst, t.Model)
	for _, step := range []func() error{w.checkExtra, w.messages, w.tools, w.limits, w.sampling, w.format, w.reasoning, w.labels} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	w.stream()
	return &dialect.Wire{Path: chatPath, Body: append(w.dst, '}'), Warnings: w.Warnings}, nil
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

func (w *writer) limits() error {
	r := w.Request
	if r.MaxTokens > 0 {
		field := w.target.Rules.MaxTokensField
		if field == "" {
			field = "max_completion_tokens"
		}
		w.key(field)
		w.dst = strconv.AppendInt(w.dst, r.MaxTokens, 10)
	}
	if r.N > 1 && w.target.Rules.OneAnswer {
		return llm.Unsupported(w.Name("n"), "the server gives one answer alone")
	}
	if r.N > 0 {
		w.key("n")
		w.dst = strconv.AppendInt(w.dst, r.N, 10)
	}
	most := int64(4)
	if n := w.target.Rules.MaxStop; n > 0 {
		most = n
	}
	if int64(len(r.Stop)) > most {
		return llm.Unsupported(w.Name("stop"), "the server takes at most %d stop sequences", most)
	}
	if len(r.Stop) > 0 {
		w.key("stop")
		for i, s := range r.Stop {
			w.dst = append(w.dst, "[,"[min(i, 1)])
			w.dst = jsonx.AppendString(w.dst, s)
		}
		w.dst = append(w.dst, ']')
	}
	return nil
}

func (w *writer) sampling() error {
	r, refused := w.Request, w.target.Rules.NoSampling
	for _, f := range []struct {
		name    string
		value   llm.Number
		refused string
	}{
		{"temperature", r.Temperature, "the model takes no sampling parameters"},
		{"top_p", r.TopP, "the model takes no sampling parameters"},
		{"frequency_penalty", r.FrequencyPenalty, "the model takes no sampling parameters"},
		{"presence_penalty", r.PresencePenalty, "the model takes no sampling parameters"},
		{"seed", r.Seed, ""},
	} {
		switch {
		case f.value == "":
		case refused && f.refused != "":
			w.Warn(f.name, "left out: "+f.refused)
		default:
			w.key(f.name)
			w.dst = append(w.dst, f.value...)
		}
	}
	switch {
	case !r.Logprobs:
	case refused:
		w.Warn("logprobs", "left out: the model reports no probabilities")
	default:
		w.dst = append(w.dst, `,"logprobs":true`...)
		if r.TopLogprobs > 0 {
			w.key("top_logprobs")
			w.dst = strconv.AppendInt(w.dst, r.TopLogprobs, 10)
		}
	}
	if r.TopK != "" {
		w.Warn("top_k", "left out: Chat Completions has no such control")
	}
	return nil
}

func (w *writer) format() error {
	f := w.Request.Format
	if f == nil || f.Kind == llm.FormatText {
		return nil
	}
	if f.Kind == llm.FormatSchema && w.target.Rules.NoSchema {
		return llm.Unsupported(w.Name("response_format"), "the server knows no schemas of answers")
	}
	w.key("response_format")
	w.dst = append(w.dst, `{"type":"`...)
	w.dst = append(append(w.dst, f.Kind...), '"')
	if f.Kind == llm.FormatSchema {
		name := f.Name
		if name == "" {
			name = "answer" // the format demands one
		}
		w.dst = append(w.dst, `,"json_schema":{"name":`...)
		w.dst = jsonx.AppendString(w.dst, name)
		if f.Description != "" {
			w.text("description", f.Description)
		}
		w.key("schema")
		w.dst = append(w.dst, f.Schema...)
		w.strict(f.Strict)
		w.dst = append(w.dst, '}')
	}
	w.dst = append(w.dst, '}')
	return nil
}

func (w *writer) strict(is *bool) {
	if is != nil {
		w.key("strict")
		w.dst = strconv.AppendBool(w.dst, *is)
	}
}

func (w *writer) reasoning() error {
	r := w.Request.Reasoning
	if r == nil {
		return nil
	}
	level := r.Level()
	switch {
	case !w.target.Rules.Reasons:
		if level != "none" {
			w.Warn("reasoning_effort", "left out: the model does not reason")
		}
	case level == "" && r.Effort != "":
		w.Warn("reasoning_effort", "left out: it is no level that is known")
	case level == "none" && w.target.Rules.NoThinkingOff:
		w.Warn("reasoning_effort", "left out: the model cannot be kept from reasoning")
	case level != "":
		near := w.target.Rules.Nearest(level)
		if r.Budget > 0 {
			w.Warn("reasoning_budget", "became the effort "+near)
		} else if near != level {
			w.Warn("reasoning_effort", "became "+near+": the model does not know "+level)
		}
		w.text("reasoning_effort", near)
	}
	return nil
}

// maxUser is the longest safety_identifier.
const maxUser = 128

func (w *writer) labels() error {
	switch user := w.Request.User; {
	case len(user) > maxUser:
		w.Warn("user", "left out: it is longer than 128 bytes")
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

// stream asks for usage always: other dialects report it without being asked.
func (w *writer) stream() {
	if !w.Request.Stream {
		return
	}
	w.dst = append(w.dst, `,"stream":true`...)
	if !w.target.Rules.NoUsageOption {
		w.dst = append(w.dst, `,"stream_options":{"include_usage":true}`...)
	}
}

// tools writes the tools and how free the model is to call them. Without tools
// the format takes no choice of them.
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
		w.dst = append(w.dst, `{"type":"function","function":{"name":`...)
		w.dst = jsonx.AppendString(w.dst, t.Name)
		if t.Description != "" {
			w.text("description", t.Description)
		}
		w.key("parameters")
		w.dst = dialect.AppendParameters(w.dst, t.Schema)
		w.strict(t.Strict)
		w.dst = append(w.dst, "}}"...)
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
	switch {
	case c.Allowed != nil:
		mode := c.Mode
		if mode == "" {
			mode = llm.ToolAuto
		}
		w.dst = append(w.dst, `{"type":"allowed_tools","allowed_tools":{"mode":"`...)
		w.dst = append(append(w.dst, mode...), `","tools":[`...)
		for i, name := range c.Allowed {
			if i > 0 {
				w.dst = append(w.dst, ',')
			}
			w.namedTool(name)
		}
		w.dst = append(w.dst, "]}}"...)
	case c.Mode == llm.ToolNamed:
		w.namedTool(c.Name)
	default:
		w.dst = jsonx.AppendString(w.dst, string(c.Mode))
	}
	return nil
}

func (w *writer) namedTool(name string) {
	w.dst = append(w.dst, `{"type":"function","function":{"name":`...)
	w.dst = append(jsonx.AppendString(w.dst, name), "}}"...)
}

// cache says that a mark was left out, where none can be.
func (w *writer) cache(c *llm.Cache) {
	if c != nil {
		w.Warn("cache_control", "left out: prompts are cached without marks there")
	}
}

// mark puts a cache mark into the part just written, if the model takes them.
func (w *writer) mark(c *llm.Cache) {
	switch {
	case c == nil:
	case w.target.Rules.CacheMarks:
		w.dst = append(dialect.AppendBreakpoint(w.dst[:len(w.dst)-1], w.marks.Next(c)), '}')
	default:
		w.cache(c)
	}
}
