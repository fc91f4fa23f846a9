package anthropic

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxBlockDepth is how deep content may stand in content: a result of a tool
// holds a document, which holds texts.
const maxBlockDepth = 4

// DecodeRequest reads the body of a call to /v1/messages or its count_tokens.
func (*Dialect) DecodeRequest(op llm.Op, body []byte) (*llm.Request, error) {
	if op != llm.OpChat && op != llm.OpCountTokens {
		return nil, llm.Unsupported("", "the Messages API has no %s", op)
	}
	d := &requestDecoder{
		Reader: jsonx.NewReader(body),
		body:   body,
		req:    &llm.Request{Op: op, Dialect: llm.Anthropic, Body: llm.Body{Raw: body}},
	}
	if err := d.request(); err != nil {
		return nil, jsonx.Problem(err)
	}
	return d.req, nil
}

type requestDecoder struct {
	*jsonx.Reader
	body  []byte
	req   *llm.Request
	depth int // of content in content
	has   struct{ model, messages, maxTokens bool }
}

func (d *requestDecoder) request() error {
	members, err := d.Members(d.member)
	if err != nil {
		return err
	}
	d.req.Body.Members = members
	if err := d.End(); err != nil {
		return err
	}
	switch {
	case !d.has.model:
		return llm.Invalid("model", "is required")
	case !d.has.messages:
		return llm.Invalid("messages", "is required")
	case !d.has.maxTokens && d.req.Op == llm.OpChat:
		return llm.Invalid("max_tokens", "is required")
	}
	return nil
}

func (d *requestDecoder) member(name []byte) (err error) {
	r := d.req
	switch string(name) {
	case "model":
		d.has.model = true
		if r.Model, err = d.String(); err == nil && r.Model == "" {
			err = llm.Invalid("model", "must not be empty")
		}
		return err
	case "messages":
		d.has.messages = true
		return d.messages()
	case "max_tokens":
		d.has.maxTokens = true
		return d.maxTokens()
	}
	if d.Null() {
		return nil
	}
	switch string(name) {
	case "system":
		r.System, err = d.content()
	case "tools":
		err = d.Array(d.tool)
	case "tool_choice":
		err = d.toolChoice()
	case "stop_sequences":
		err = d.Array(func(int) error {
			s, err := d.String()
			r.Stop = append(r.Stop, s)
			return err
		})
	case "temperature":
		r.Temperature, err = d.numeral()
	case "top_p":
		r.TopP, err = d.numeral()
	case "top_k":
		r.TopK, err = d.numeral()
	case "stream":
		r.Stream, err = d.Bool()
		r.StreamUsage = r.Stream
	case "thinking":
		err = d.thinking()
	case "output_config":
		err = d.outputConfig()
	case "metadata":
		err = d.metadata()
	case "service_tier":
		r.ServiceTier, err = d.String()
	default:
		err = d.extra()
	}
	return err
}

// maxTokens reads the limit of the output. Zero asks for a warm cache and no
// answer, for which there is no canonical form.
func (d *requestDecoder) maxTokens() error {
	if d.Kind() == jsonx.Number {
		at := d.Offset()
		n, err := d.Int()
		if err != nil {
			return err
		}
		if n < 0 {
			return llm.Invalid("max_tokens", "must not be negative")
		}
		if n == 0 {
			d.note("max_tokens", llm.Span{Start: at, End: d.Offset()})
		}
		d.req.MaxTokens = n
		return nil
	}
	return d.Want(jsonx.Number)
}

func (d *requestDecoder) numeral() (llm.Number, error) {
	s, err := d.NumberText()
	return llm.Number(s), err
}

func (d *requestDecoder) metadata() error {
	return d.Object(func(name []byte) (err error) {
		if string(name) != "user_id" {
			return d.extra()
		}
		if !d.Null() {
			d.req.User, err = d.String()
		}
		return err
	})
}

func (d *requestDecoder) thinking() error {
	d.ensureReasoning()
	return d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "type":
			return d.thinkingMode()
		case "budget_tokens":
			d.req.Reasoning.Budget, err = d.Int()
		case "display":
			if !d.Null() {
				d.req.Reasoning.Display, err = d.String()
			}
		default:
			err = d.extra()
		}
		return err
	})
}

// thinkingMode reads the kind of thinking. "between_tools" narrows "adaptive"
// in a way that no other format knows.
func (d *requestDecoder) thinkingMode() error {
	at := d.Offset()
	mode, err := d.String()
	if err != nil {
		return err
	}
	if mode == "between_tools" {
		mode = "adaptive"
		d.note(d.Shape(), llm.Span{Start: at, End: d.Offset()})
	}
	d.req.Reasoning.Mode = mode
	return nil
}

func (d *requestDecoder) outputConfig() error {
	return d.Object(func(name []byte) (err error) {
		if d.Null() {
			return nil
		}
		switch string(name) {
		case "effort":
			d.ensureReasoning()
			d.req.Reasoning.Effort, err = d.String()
		case "format":
			err = d.format()
		default:
			err = d.extra()
		}
		return err
	})
}

func (d *requestDecoder) format() error {
	if kind := d.Tag("type"); string(kind) != "json_schema" {
		return d.Fail("must have the type json_schema")
	}
	f := &llm.Format{Kind: llm.FormatSchema}
	d.req.Format = f
	err := d.Object(func(name []byte) (err error) {
		switch string(name) {
		case "type":
			_, err = d.Skip()
		case "schema":
			f.Schema, err = d.rawObject()
		case "name":
			f.Name, err = d.String()
		default:
			err = d.extra()
		}
		return err
	})
	if err == nil && f.Schema == nil {
		err = d.Fail("must have a schema")
	}
	return err
}

func (d *requestDecoder) ensureReasoning() {
	if d.req.Reasoning == nil {
		d.req.Reasoning = &llm.Reasoning{}
	}
}

// rawObject reads an object without looking into it.
func (d *requestDecoder) rawObject() ([]byte, error) {
	if d.Kind() != jsonx.Object {
		return nil, d.Want(jsonx.Object)
	}
	return d.Raw()
}

// extra reads a member that has no canonical field and notes it, so that a
// target of another dialect can say what it leaves out.
func (d *requestDecoder) extra() error {
	shape := d.Shape()
	value, err := d.Skip()
	if err == nil && !isNull(d.body[value.Start:value.End]) {
		d.note(shape, value)
	}
	return err
}

// maxExtra bounds what a client can make us remember and print.
const maxExtra = 64

// note notes a member once for all elements of a list.
func (d *requestDecoder) note(shape string, value llm.Span) {
	known := func(m llm.Member) bool { return m.Name == shape }
	if len(d.req.Extra) < maxExtra && !slices.ContainsFunc(d.req.Extra, known) {
		d.req.Extra = append(d.req.Extra, llm.Member{Name: shape, At: value, Value: value})
	}
}
