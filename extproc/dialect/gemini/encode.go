package gemini

import (
	"fmt"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// EncodeRequest writes the body of a call.
func (*Dialect) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	if r.Dialect == llm.Gemini {
		return &dialect.Wire{Path: pathOf(t.Model, ownMethod(r)), Body: patched(r, t.Model)}, nil
	}
	r = dialect.Renamed(r, validName)
	e := &requestEncoder{Notes: dialect.Notes{Request: r, API: api}, target: t, rules: t.Rules, names: map[string]string{}}
	method, write := "generateContent", e.request
	switch {
	case r.Op == llm.OpChat && r.Stream:
		method = "streamGenerateContent"
	case r.Op == llm.OpChat:
	case r.Op == llm.OpEmbeddings && len(r.Inputs) == 1:
		method, write = "embedContent", e.embedding
	case r.Op == llm.OpEmbeddings:
		method, write = "batchEmbedContents", e.embedding
	default:
		return nil, llm.Unsupported("", "a request for %s cannot be translated to the Gemini API", r.Op)
	}
	if err := write(); err != nil {
		return nil, err
	}
	return &dialect.Wire{Path: pathOf(t.Model, method), Body: e.dst, Warnings: e.Warnings}, nil
}

// ownMethod is what a client of this dialect has called.
func ownMethod(r *llm.Request) string {
	switch {
	case r.Op == llm.OpCountTokens:
		return "countTokens"
	case r.Op == llm.OpEmbeddings && batched(r):
		return "batchEmbedContents"
	case r.Op == llm.OpEmbeddings:
		return "embedContent"
	case r.Stream:
		return "streamGenerateContent"
	}
	return "generateContent"
}

// A requestEncoder writes a body from the canonical form.
type requestEncoder struct {
	dialect.Notes
	target dialect.Target
	rules  llm.Rules
	dst    []byte
	names  map[string]string // of tools, by the ids of their calls
	open   []string          // ids of the last turn's calls, which want results
}

// api is what refusals and warnings call the receiver.
const api = "the Gemini API"

func (e *requestEncoder) request() error {
	r := e.Request
	if err := e.checkExtra(); err != nil {
		return err
	}
	turns, system := turnsOf(r), r.System
	if len(turns) == 0 {
		turns, system = []turn{{llm.RoleUser, r.System}}, nil
		e.Warn("messages", "the instructions were sent as the user's: the API wants a message")
	}
	e.dst = append(make([]byte, 0, len(r.Body.Raw)+512), `{"contents":[`...)
	for i, t := range turns {
		if i == len(turns)-1 && t.role == llm.RoleAssistant && e.rules.NoPrefill {
			return llm.Unsupported("messages", "the model %s does not go on with an assistant's message", e.target.Model)
		}
		if err := e.turn(t); err != nil {
			return err
		}
	}
	if e.dst[len(e.dst)-1] == '[' {
		return llm.Invalid("messages", "hold no text")
	}
	e.dst = append(e.dst, ']')
	for _, step := range []func() error{func() error { return e.system(system) }, e.tools, e.generation} {
		if err := step(); err != nil {
			return err
		}
	}
	e.serviceTier()
	e.dst = append(e.dst, '}')
	return nil
}

func (e *requestEncoder) system(parts []llm.Part) error {
	first := true
	for i := range parts {
		p := &parts[i]
		e.cache(p.Cache)
		switch {
		case p.Kind != llm.PartText:
			return e.Refuse(p, "in instructions")
		case p.Text == "":
			continue
		case first:
			e.dst = append(e.dst, `,"systemInstruction":{"parts":[`...)
		default:
			e.dst = append(e.dst, ',')
		}
		first = false
		e.dst = append(jsonx.AppendString(append(e.dst, `{"text":`...), p.Text), '}')
	}
	if !first {
		e.dst = append(e.dst, "]}"...)
	}
	return nil
}

// generation writes generationConfig.
func (e *requestEncoder) generation() error {
	begin := len(e.dst)
	e.dst = append(e.dst, `,"generationConfig":{`...)
	empty := len(e.dst)
	e.sampling()
	r := e.Request
	if r.N > 1 {
		e.value("candidateCount", strconv.FormatInt(r.N, 10))
	}
	if r.Logprobs {
		e.value("responseLogprobs", "true")
		if r.TopLogprobs > 0 {
			e.value("logprobs", strconv.FormatInt(r.TopLogprobs, 10))
		}
	}
	const most = 5
	if len(r.Stop) > most {
		return llm.Unsupported(e.Name("stop"), "the Gemini API takes at most %d stop sequences", most)
	}
	if len(r.Stop) > 0 {
		e.key("stopSequences")
		for i, s := range r.Stop {
			e.dst = jsonx.AppendString(append(e.dst, "[,"[min(i, 1)]), s)
		}
		e.dst = append(e.dst, ']')
	}
	if err := e.answerFormat(); err != nil {
		return err
	}
	e.thinking()
	if len(e.dst) == empty {
		e.dst = e.dst[:begin]
		return nil
	}
	e.dst = append(e.dst, '}')
	return nil
}

// key begins a member of an object that may be empty.
func (e *requestEncoder) key(name string) {
	if e.dst[len(e.dst)-1] != '{' {
		e.dst = append(e.dst, ',')
	}
	e.dst = append(append(append(e.dst, '"'), name...), `":`...)
}

func (e *requestEncoder) value(name, value string) {
	e.key(name)
	e.dst = append(e.dst, value...)
}

// sampling writes the numbers as far as the model takes them.
func (e *requestEncoder) sampling() {
	for _, s := range settings(e.Request) {
		if s.value == "" {
			continue
		}
		field := snake(s.name)
		switch s.name {
		case "temperature", "topP", "topK":
			if e.rules.NoSampling {
				e.Warn(field, "left out: the model does not take it")
				continue
			}
		case "frequencyPenalty", "presencePenalty":
			if e.rules.NoPenalties {
				if n, _ := strconv.ParseFloat(s.value, 64); n != 0 {
					e.Warn(field, "left out: the model does not take it")
				}
				continue
			}
		}
		e.value(s.name, s.value)
	}
}

func (e *requestEncoder) answerFormat() error {
	f := e.Request.Format
	if f == nil || f.Kind == llm.FormatText {
		return nil
	}
	if e.rules.SchemaOrTools && len(e.Request.Tools) > 0 {
		return llm.Unsupported(e.Name("response_format"), "the model %s takes tools or structured output, not both", e.target.Model)
	}
	e.value("responseMimeType", `"application/json"`)
	if f.Kind != llm.FormatSchema || f.Schema == nil {
		return nil
	}
	if f.Description != "" {
		e.Warn("response_format.json_schema.description", "left out: the API takes the schema alone")
	}
	schema, err := withoutConst(f.Schema)
	if err != nil {
		return llm.Invalid(e.Name("response_format"), "must be a JSON Schema")
	}
	e.value("responseJsonSchema", string(schema))
	return nil
}

// serviceTiers maps the tiers of all dialects to those of this API.
var serviceTiers = map[string]string{
	"default": "standard", "standard_only": "standard", "standard": "standard", "flex": "flex", "priority": "priority",
}

func (e *requestEncoder) serviceTier() {
	asked := e.Request.ServiceTier
	if asked == "" || asked == "auto" {
		return
	}
	tier := serviceTiers[asked]
	if tier == "" {
		e.Warn("service_tier", "left out: the API has no tier like it")
		return
	}
	e.dst = fmt.Appendf(e.dst, `,"serviceTier":"%s"`, tier)
}
