package anthropic

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/claude"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// EncodeRequest writes the body of a call to /v1/messages or its count_tokens.
func (*Dialect) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	w := &dialect.Wire{Path: messagesPath}
	switch r.Op {
	case llm.OpChat:
	case llm.OpCountTokens:
		w.Path = countPath
	default:
		return nil, llm.Unsupported("", "the Messages API has no %s", r.Op)
	}
	if r.Dialect == llm.Anthropic {
		w.Header = ownHeaders(r.Header)
		w.Body = patched(r, t.Model)
		return w, nil
	}
	w.Header = []llm.Header{{Name: versionHeader, Value: version}}
	r = dialect.Renamed(r, func(name string) bool { return dialect.PlainName(name, maxToolName) })
	e := &requestEncoder{Notes: dialect.Notes{Request: r, API: api}, target: t, rules: t.Rules}
	if err := e.request(); err != nil {
		return nil, err
	}
	w.Body, w.Warnings = e.dst, e.Warnings
	return w, nil
}

// ownHeaders keeps what a client of this dialect chose of the API.
func ownHeaders(sent []llm.Header) []llm.Header {
	out := []llm.Header{{Name: versionHeader, Value: version}}
	for _, h := range sent {
		switch h.Name {
		case versionHeader:
			out[0].Value = h.Value
		case betaHeader:
			out = append(out, h)
		}
	}
	return out
}

// patched is the client's own body for another model.
func patched(r *llm.Request, model string) []byte {
	p := r.Patch()
	quoted := jsonx.AppendString(nil, model)
	if string(r.Body.Member("model")) != string(quoted) {
		p.Set("model", quoted)
	}
	return p.Bytes()
}

// A requestEncoder writes a body from the canonical form.
type requestEncoder struct {
	dialect.Notes
	target dialect.Target
	rules  llm.Rules
	dst    []byte
	marks  dialect.Marks
	thinks claude.Thinking
	asked  bool // the instructions were made the user's turn
}

// api is what refusals and warnings call the receiver.
const api = "the Messages API"

func (e *requestEncoder) request() error {
	r := e.Request
	if err := e.checkExtra(); err != nil {
		return err
	}
	turns, err := e.turns()
	if err != nil {
		return err
	}
	e.dst = make([]byte, 0, len(r.Body.Raw)+1024)
	e.dst = append(e.dst, `{"model":`...)
	e.dst = jsonx.AppendString(e.dst, e.target.Model)
	limit := e.maxTokens()
	e.thinks = claude.PlanThinking(r, e.rules, limit, unthoughtCall(turns), e.Warn)
	if r.Op == llm.OpChat {
		e.dst = strconv.AppendInt(append(e.dst, `,"max_tokens":`...), e.thinks.Limit, 10)
	}
	e.marks = dialect.NewMarks(&e.Notes, true)
	if err := e.tools(); err != nil {
		return err
	}
	if err := e.system(); err != nil {
		return err
	}
	if err := e.messages(turns); err != nil {
		return err
	}
	if err := e.output(); err != nil {
		return err
	}
	if r.Op == llm.OpChat {
		e.options()
	}
	e.dst = append(e.dst, '}')
	return nil
}

// maxTokens is the limit of output tokens. The API demands one.
func (e *requestEncoder) maxTokens() int64 {
	switch {
	case e.Request.MaxTokens > 0:
		return e.Request.MaxTokens
	case e.rules.MaxOutput > 0:
		return e.rules.MaxOutput
	}
	return claude.DefaultMaxTokens
}

// options writes what steers the sampling and the service.
func (e *requestEncoder) options() {
	r := e.Request
	if stop := e.stopSequences(); len(stop) > 0 {
		e.dst = append(e.dst, `,"stop_sequences":[`...)
		for i, s := range stop {
			e.dst = jsonx.AppendString(comma(e.dst, i), s)
		}
		e.dst = append(e.dst, ']')
	}
	e.sampling()
	if user := e.user(); user != "" {
		e.dst = append(e.dst, `,"metadata":{"user_id":`...)
		e.dst = append(jsonx.AppendString(e.dst, user), '}')
	}
	if tier := e.serviceTier(); tier != "" {
		e.dst = append(e.dst, `,"service_tier":`...)
		e.dst = jsonx.AppendString(e.dst, tier)
	}
	if r.Stream {
		e.dst = append(e.dst, `,"stream":true`...)
	}
}

func (e *requestEncoder) stopSequences() []string {
	var out []string
	for _, s := range e.Request.Stop {
		if blank(s) {
			e.Warn("stop", "a sequence of white space alone was left out: the API refuses it")
			continue
		}
		out = append(out, s)
	}
	return out
}

// sampling writes temperature, top_p and top_k as far as the model takes them.
func (e *requestEncoder) sampling() {
	s := claude.Sample(e.Request, e.rules, e.thinks.On, e.Warn)
	e.number("temperature", s.Temperature)
	e.number("top_p", s.TopP)
	e.number("top_k", s.TopK)
}

func (e *requestEncoder) number(name string, n llm.Number) {
	if n == "" {
		return
	}
	e.dst = append(append(append(e.dst, `,"`...), name...), `":`...)
	e.dst = append(e.dst, n...)
}

// comma appends a comma unless the element is the first of its list.
func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}
