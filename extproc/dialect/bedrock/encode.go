package bedrock

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/claude"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// EncodeRequest writes the body of a call to converse, converse-stream or
// count-tokens.
func (*Dialect) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	if r.Op == llm.OpCountTokens {
		return encodeCount(r, t)
	}
	if r.Op != llm.OpChat {
		return nil, llm.Unsupported("", "the Converse API has no %s", r.Op)
	}
	w := &dialect.Wire{Path: path(t.Model, r.Stream)}
	if r.Dialect == llm.Bedrock {
		w.Body = r.Patch().Bytes()
		return w, nil
	}
	r = dialect.Renamed(r, func(name string) bool { return dialect.PlainName(name, maxToolName) })
	e := &requestEncoder{Notes: dialect.Notes{Request: r, API: api}, target: t, family: familyOf(t.Model)}
	if err := e.request(); err != nil {
		return nil, err
	}
	w.Body, w.Warnings = e.dst, e.Warnings
	return w, nil
}

// A requestEncoder writes a body from the canonical form.
type requestEncoder struct {
	dialect.Notes
	target dialect.Target
	family family
	dst    []byte
	more   []byte // members of additionalModelRequestFields
	marks  dialect.Marks
	names  map[string]bool // of documents
	asked  bool            // the instructions were made the user's turn
}

// api is what refusals and warnings call the receiver.
const api = "the Converse API"

func (e *requestEncoder) request() error {
	if err := e.checkExtra(); err != nil {
		return err
	}
	turns, err := e.turns()
	if err != nil {
		return err
	}
	limit := e.Request.MaxTokens
	if limit == 0 {
		limit = e.target.Rules.MaxOutput
	}
	if limit == 0 {
		limit = claude.DefaultMaxTokens
	}
	tools := e.planTools(turns)
	e.dst = make([]byte, 0, len(e.Request.Body.Raw)+1024)
	e.dst = append(e.dst, '{')
	e.marks = dialect.NewMarks(&e.Notes, false)
	if err := e.toolConfig(tools); err != nil {
		return err
	}
	if err := e.system(tools.forbidden); err != nil {
		return err
	}
	if err := e.messages(turns); err != nil {
		return err
	}
	e.inference(e.thinking(limit, turns))
	if err := e.output(); err != nil {
		return err
	}
	e.service()
	if len(e.more) > 0 {
		e.dst = append(append(append(e.dst, `,"additionalModelRequestFields":{`...), e.more...), '}')
	}
	e.dst = append(e.dst, '}')
	return nil
}

// add begins a member of additionalModelRequestFields, whose value is appended
// to more next.
func (e *requestEncoder) add(name string) {
	e.more = append(append(comma(e.more, len(e.more)), '"'), name...)
	e.more = append(e.more, `":`...)
}

// inference writes what steers the sampling. The thinking may have raised the
// limit of the output.
func (e *requestEncoder) inference(think claude.Thinking) {
	r := e.Request
	s := claude.Sampling{Temperature: r.Temperature, TopP: r.TopP, TopK: r.TopK}
	if e.family == claudeFamily {
		s = claude.Sample(r, e.target.Rules, think.On, e.Warn)
	} else if s.Temperature.Value() > 1 {
		e.Warn("temperature", "lowered to 1, the highest that the API takes")
		s.Temperature = "1"
	}
	var out []byte
	number := func(name string, n llm.Number) {
		if n != "" {
			out = append(append(append(comma(out, len(out)), '"'), name...), `":`...)
			out = append(out, n...)
		}
	}
	if r.MaxTokens > 0 || think.Budget > 0 {
		number("maxTokens", llm.Number(strconv.FormatInt(think.Limit, 10)))
	}
	number("temperature", s.Temperature)
	number("topP", s.TopP)
	if stop := e.stopSequences(); len(stop) > 0 {
		out = append(comma(out, len(out)), `"stopSequences":[`...)
		for i, s := range stop {
			out = jsonx.AppendString(comma(out, i), s)
		}
		out = append(out, ']')
	}
	if len(out) > 0 {
		e.dst = append(append(append(e.dst, `,"inferenceConfig":{`...), out...), '}')
	}
	e.topK(s.TopK)
}

// topK goes to the model by the name that its family has for it.
func (e *requestEncoder) topK(k llm.Number) {
	switch {
	case k == "":
	case e.family == claudeFamily:
		e.add("top_k")
		e.more = append(e.more, k...)
	case e.family == novaFamily:
		e.add(inference)
		e.more = append(append(append(e.more, `{"topK":`...), k...), '}')
	default:
		e.Warn("top_k", "left out: the model has no such control that is known")
	}
}

func (e *requestEncoder) stopSequences() (out []string) {
	for _, s := range e.Request.Stop {
		if blank(s) {
			e.Warn("stop", "a sequence of white space alone was left out: the API refuses it")
			continue
		}
		out = append(out, s)
	}
	return out
}

// thinking says how the model shall think, in the words of its family.
func (e *requestEncoder) thinking(limit int64, turns []turn) claude.Thinking {
	plan := claude.Thinking{Limit: limit}
	r := e.Request.Reasoning
	switch {
	case r == nil:
	case e.family == claudeFamily:
		plan = claude.PlanThinking(e.Request, e.target.Rules, limit, lostThinking(turns), e.Warn)
		if plan.Mode != "" {
			e.add("thinking")
			e.more = plan.AppendMode(e.more)
		}
		if plan.Effort != "" {
			e.add("output_config")
			e.more = append(jsonx.AppendString(append(e.more, `{"effort":`...), plan.Effort), '}')
		}
	case e.family == gptFamily && r.Level() != "":
		e.add("reasoning_effort")
		e.more = jsonx.AppendString(e.more, r.Level())
	case r.Level() != "" && r.Level() != "none":
		e.Warn("reasoning_effort", "left out: the model has no such control that is known")
	}
	return plan
}

// output writes the shape of the answer.
func (e *requestEncoder) output() error {
	f := e.Request.Format
	if f == nil || f.Kind != llm.FormatSchema {
		return nil
	}
	if e.family == claudeFamily && !e.target.Rules.NativeSchema {
		return llm.Unsupported(e.Name("response_format"), "the model %s has no structured output; use a tool with this schema instead", e.target.Model)
	}
	schema := f.Schema
	if schema == nil {
		schema = []byte(`{"type":"object","properties":{}}`)
	}
	e.dst = append(e.dst, `,"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":`...)
	e.dst = jsonx.AppendString(e.dst, string(schema))
	if f.Name != "" {
		e.dst = jsonx.AppendString(append(e.dst, `,"name":`...), f.Name)
	}
	if f.Description != "" {
		e.dst = jsonx.AppendString(append(e.dst, `,"description":`...), f.Description)
	}
	e.dst = append(e.dst, "}}}}"...)
	return nil
}

// service writes who asks, and how fast the answer shall come.
func (e *requestEncoder) service() {
	r := e.Request
	if tier, known := tiers[r.ServiceTier]; tier != "" {
		e.dst = append(append(append(e.dst, `,"serviceTier":{"type":"`...), tier...), `"}`...)
	} else if r.ServiceTier != "" && !known {
		e.Warn("service_tier", "left out: the API has no tier like it")
	}
	switch {
	case r.User == "":
	case len(r.User) > maxMetadata || !plainMetadata(r.User):
		e.Warn("user", "left out: the API takes letters, digits and a few signs, at most 256")
	default:
		e.dst = append(jsonx.AppendString(append(e.dst, `,"requestMetadata":{"user":`...), r.User), '}')
	}
	// Only a model of Anthropic's tells which sequence it met, if it is asked.
	if e.family == claudeFamily && len(r.Stop) > 0 {
		e.dst = append(e.dst, `,"additionalModelResponseFieldPaths":["/stop_sequence","/delta/stop_sequence"]`...)
	}
}

// comma appends a comma unless the element is the first of its list.
func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}
