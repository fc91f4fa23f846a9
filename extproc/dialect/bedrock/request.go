package bedrock

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// DecodeRequest reads the body of a call to converse, converse-stream or
// count-tokens. The model and which of the two it is are in the path.
func (f *Dialect) DecodeRequest(op llm.Op, body []byte) (*llm.Request, error) {
	if op == llm.OpCountTokens {
		return f.decodeCount(body)
	}
	if op != llm.OpChat {
		return nil, llm.Unsupported("", "the Converse API has no %s", op)
	}
	d := &requestDecoder{
		Reader: jsonx.NewReader(body),
		body:   body,
		req:    &llm.Request{Op: op, Dialect: llm.Bedrock, Body: llm.Body{Raw: body}},
	}
	members, err := d.Members(d.member)
	if err == nil {
		err = d.End()
	}
	if err == nil && len(d.req.Messages) == 0 {
		err = llm.Invalid("messages", "must hold at least one message")
	}
	if err != nil {
		return nil, jsonx.Problem(err)
	}
	d.req.Body.Members = members
	return d.req, nil
}

type requestDecoder struct {
	*jsonx.Reader
	body   []byte
	req    *llm.Request
	result bool // the content of a tool's result is being read
}

func (d *requestDecoder) member(name []byte) (err error) {
	if d.Null() {
		return nil
	}
	switch string(name) {
	case "messages":
		err = d.Array(func(int) error {
			m, err := d.message()
			d.req.Messages = append(d.req.Messages, m)
			return err
		})
	case "system":
		d.req.System, err = d.blocks()
	case inference:
		err = d.Object(d.inference)
	case "toolConfig":
		err = d.Object(d.toolConfig)
	case "additionalModelRequestFields":
		err = d.additional()
	case "outputConfig":
		err = d.Object(d.output)
	case "serviceTier":
		err = d.Object(func(name []byte) (err error) {
			if string(name) != "type" {
				return d.extra()
			}
			d.req.ServiceTier, err = d.String()
			return err
		})
	default:
		err = d.extra()
	}
	return err
}

func (d *requestDecoder) inference(name []byte) (err error) {
	if d.Null() {
		return nil
	}
	r := d.req
	switch string(name) {
	case "maxTokens":
		if r.MaxTokens, err = d.Int(); err == nil && r.MaxTokens < 1 {
			err = llm.Invalid(d.Path(), "must be at least 1")
		}
	case "temperature":
		err = d.numeral(&r.Temperature)
	case "topP":
		err = d.numeral(&r.TopP)
	case "stopSequences":
		err = d.Array(func(int) error {
			s, err := d.String()
			r.Stop = append(r.Stop, s)
			return err
		})
	default:
		err = d.extra()
	}
	return err
}

func (d *requestDecoder) numeral(into *llm.Number) error {
	s, err := d.NumberText()
	*into = llm.Number(s)
	return err
}

// additional reads the members that go to the model as they are. Those whose
// meaning is known have canonical fields.
func (d *requestDecoder) additional() error {
	if d.Kind() != jsonx.Object {
		return d.extra() // any JSON is allowed
	}
	return d.Object(func(name []byte) (err error) {
		kind := d.Kind()
		switch {
		case string(name) == "top_k" && kind == jsonx.Number:
			err = d.numeral(&d.req.TopK)
		case string(name) == "thinking" && kind == jsonx.Object:
			err = d.Object(d.thinking)
		case string(name) == "output_config" && kind == jsonx.Object:
			err = d.Object(d.claudeOutput)
		case string(name) == "reasoning_effort" && kind == jsonx.String:
			d.req.Reasoning = d.reasoning()
			d.req.Reasoning.Effort, err = d.String()
		default:
			err = d.extra()
		}
		return err
	})
}

func (d *requestDecoder) reasoning() *llm.Reasoning {
	if d.req.Reasoning == nil {
		return &llm.Reasoning{}
	}
	return d.req.Reasoning
}

// thinking reads a member of Claude's thinking.
func (d *requestDecoder) thinking(name []byte) (err error) {
	d.req.Reasoning = d.reasoning()
	switch string(name) {
	case "type":
		d.req.Reasoning.Mode, err = d.String()
	case "budget_tokens":
		d.req.Reasoning.Budget, err = d.Int()
	case "display":
		d.req.Reasoning.Display, err = d.String()
	default:
		err = d.extra()
	}
	return err
}

func (d *requestDecoder) effort(name []byte) (err error) {
	if string(name) != "effort" || d.Kind() != jsonx.String {
		return d.extra()
	}
	d.req.Reasoning = d.reasoning()
	d.req.Reasoning.Effort, err = d.String()
	return err
}

// claudeOutput reads a member of Claude's output_config. Vercel's AI SDK asks
// Claude for JSON by it.
func (d *requestDecoder) claudeOutput(name []byte) error {
	if string(name) != "format" || d.Kind() != jsonx.Object || string(d.Tag("type")) != "json_schema" {
		return d.effort(name)
	}
	f := &llm.Format{Kind: llm.FormatSchema}
	d.req.Format = f
	err := d.Object(func(name []byte) error {
		switch string(name) {
		case "type":
			_, err := d.Skip()
			return err
		case "schema":
			schema, err := d.Skip()
			f.Schema = d.body[schema.Start:schema.End]
			return err
		}
		return d.extra()
	})
	if err == nil && f.Schema == nil {
		err = d.Fail("must have a schema")
	}
	return err
}

// output reads a member of outputConfig.
func (d *requestDecoder) output(name []byte) error {
	switch {
	case d.Null():
		return nil
	case string(name) == "effort":
		return d.effort(name)
	case string(name) != "textFormat":
		return d.extra()
	}
	f := &llm.Format{Kind: llm.FormatSchema}
	d.req.Format = f
	err := d.Object(func(name []byte) error {
		switch string(name) {
		case "type":
			kind, err := d.String()
			if err == nil && kind != "json_schema" {
				err = d.Fail("must be json_schema")
			}
			return err
		case "structure":
			return d.Object(func(name []byte) error {
				if string(name) != "jsonSchema" {
					return d.extra()
				}
				return d.Object(d.schema)
			})
		}
		return d.extra()
	})
	if err == nil && f.Schema == nil {
		err = d.Fail("must have a schema")
	}
	return err
}

// schema reads a member of a JSON Schema for the answer, which is a string here.
func (d *requestDecoder) schema(name []byte) (err error) {
	f := d.req.Format
	switch string(name) {
	case "schema":
		var text string
		if text, err = d.String(); err != nil {
			return err
		}
		in := jsonx.NewReader([]byte(text))
		if _, serr := in.Skip(); serr != nil || in.End() != nil {
			return d.Fail("must be a JSON Schema in a string")
		}
		f.Schema = []byte(text)
	case "name":
		f.Name, err = d.String()
	case "description":
		f.Description, err = d.String()
	default:
		err = d.extra()
	}
	return err
}

// extra reads a member that has no canonical field and notes it, so that a
// target of another dialect can say what it leaves out.
func (d *requestDecoder) extra() error {
	shape := d.Shape()
	value, err := d.Skip()
	if err == nil && string(d.body[value.Start:value.End]) != "null" {
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
