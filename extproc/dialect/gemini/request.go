package gemini

import (
	"bytes"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// DecodeRequest reads the body of a call. The model and whether the answer is
// to be streamed are not in it.
func (*Dialect) DecodeRequest(op llm.Op, body []byte) (*llm.Request, error) {
	d := &requestDecoder{
		Reader: jsonx.NewReader(body),
		body:   body,
		req:    &llm.Request{Op: op, Dialect: llm.Gemini, Body: llm.Body{Raw: body}},
	}
	var err error
	switch op {
	case llm.OpChat:
		err = d.whole(d.member, "contents")
	case llm.OpCountTokens:
		err = d.whole(d.countMember, "contents")
	case llm.OpEmbeddings:
		err = d.whole(d.embedMember, "content")
	default:
		err = llm.Unsupported("", "the Gemini API has no %s", op)
	}
	if err != nil {
		return nil, jsonx.Problem(err)
	}
	return d.req, nil
}

type requestDecoder struct {
	*jsonx.Reader
	body   []byte
	req    *llm.Request
	asked  bool // there is something to answer
	format format
}

// whole reads a body.
func (d *requestDecoder) whole(member func(name string) error, required string) error {
	members, err := d.Members(d.unique(member))
	if err != nil {
		return err
	}
	d.req.Body.Members = members
	if err := d.End(); err != nil {
		return err
	}
	if !d.asked {
		return llm.Invalid(required, "is required and must not be empty")
	}
	d.req.Format = d.format.canonical()
	return d.pair()
}

// member reads one member of a request for content. Null is a member that the
// client left out.
func (d *requestDecoder) member(name string) (err error) {
	if d.Null() {
		return nil
	}
	switch name {
	case "contents":
		err = d.list(d.content)
	case "systemInstruction":
		err = d.object(func(name string) (err error) {
			if name == "parts" {
				d.req.System, err = d.parts()
				return err
			}
			return d.skip(name, "role")
		})
	case "tools":
		err = d.list(d.tool)
	case "toolConfig":
		err = d.object(d.toolConfig)
	case "generationConfig":
		err = d.object(d.generation)
	case "serviceTier":
		d.req.ServiceTier, err = d.String()
		d.req.ServiceTier = strings.ToLower(d.req.ServiceTier)
	default:
		err = d.skip(name, "model")
	}
	return err
}

// countMember reads one member of a request for a count, which has contents or
// a whole request.
func (d *requestDecoder) countMember(name string) error {
	if name == "generateContentRequest" && d.Kind() == jsonx.Object {
		return d.object(d.member)
	}
	return d.member(name)
}

// generation reads one member of generationConfig.
func (d *requestDecoder) generation(name string) (err error) {
	if d.Null() {
		return nil
	}
	r := d.req
	switch name {
	case "temperature":
		r.Temperature, err = d.numeral()
	case "topP":
		r.TopP, err = d.numeral()
	case "topK":
		r.TopK, err = d.numeral()
	case "presencePenalty":
		r.PresencePenalty, err = d.numeral()
	case "frequencyPenalty":
		r.FrequencyPenalty, err = d.numeral()
	case "seed":
		r.Seed, err = d.numeral()
	case "responseLogprobs":
		r.Logprobs, err = d.Bool()
	case "logprobs":
		r.TopLogprobs, err = d.count()
	case "candidateCount":
		r.N, err = d.count()
	case "maxOutputTokens":
		r.MaxTokens, err = d.count()
	case "stopSequences":
		err = d.Array(func(int) error {
			s, err := d.String()
			r.Stop = append(r.Stop, s)
			return err
		})
	case "thinkingConfig":
		r.Reasoning = &llm.Reasoning{}
		err = d.object(d.thinking)
	case "responseMimeType":
		err = d.mimeType()
	case "responseModalities":
		err = d.modalities()
	case "responseSchema":
		d.format.schema, err = d.schema()
	case "responseJsonSchema":
		d.format.schema, err = d.rawObject()
	default:
		err = d.extra()
	}
	return err
}

func (d *requestDecoder) numeral() (llm.Number, error) {
	s, err := d.NumberText()
	return llm.Number(s), err
}

func (d *requestDecoder) count() (int64, error) {
	n, err := d.Int()
	if err == nil && n < 0 {
		err = llm.Invalid(d.Path(), "must not be negative")
	}
	return n, err
}

// dynamic is the budget of a model that shall find its own.
const dynamic = -1

func (d *requestDecoder) thinking(name string) (err error) {
	if d.Null() {
		return nil
	}
	r := d.req.Reasoning
	switch name {
	case "thinkingBudget":
		var n int64
		switch n, err = d.Int(); {
		case err != nil:
		case n == 0:
			r.Mode = "disabled"
		case n == dynamic:
			r.Mode = "adaptive"
		case n < 0:
			err = llm.Invalid(d.Path(), "must be -1, 0 or a number of tokens")
		default:
			r.Mode, r.Budget = "enabled", n
		}
	case "thinkingLevel":
		r.Effort, err = d.String()
		r.Effort = strings.TrimPrefix(strings.ToLower(r.Effort), "thinking_level_")
	case "includeThoughts":
		var show bool
		if show, err = d.Bool(); show {
			r.Display = "summarized"
		}
	default:
		err = d.extra()
	}
	return err
}

// format is what a client says of the form of the answer, in several members.
type format struct {
	json   bool
	schema []byte
}

func (f *format) canonical() *llm.Format {
	switch {
	case f.schema != nil:
		return &llm.Format{Kind: llm.FormatSchema, Schema: f.schema}
	case f.json:
		return &llm.Format{Kind: llm.FormatJSON}
	}
	return nil
}

func (d *requestDecoder) mimeType() error {
	d.Kind() // skips white space
	at := llm.Span{Start: d.Offset()}
	kind, err := d.String()
	at.End = d.Offset()
	switch kind {
	case "application/json":
		d.format.json = true
	case "", "text/plain":
	default:
		d.note(d.shape(), at)
	}
	return err
}

// modalities notes that something else than text was asked for.
func (d *requestDecoder) modalities() error {
	d.Kind() // skips white space
	at := llm.Span{Start: d.Offset()}
	foreign := false
	err := d.Array(func(int) error {
		kind, err := d.String()
		foreign = foreign || !strings.EqualFold(kind, "TEXT")
		return err
	})
	if at.End = d.Offset(); foreign {
		d.note(d.shape(), at)
	}
	return err
}

// rawObject reads an object without looking into it.
func (d *requestDecoder) rawObject() ([]byte, error) {
	if d.Kind() != jsonx.Object {
		return nil, d.Want(jsonx.Object)
	}
	return d.Raw()
}

// skip reads a member without a meaning for anybody, or else notes it.
func (d *requestDecoder) skip(name string, meaningless ...string) error {
	if slices.Contains(meaningless, name) {
		_, err := d.Skip()
		return err
	}
	return d.extra()
}

// extra reads a member that has no canonical field and notes it, so that a
// target of another dialect can say what it leaves out.
func (d *requestDecoder) extra() error {
	shape := d.shape()
	value, err := d.Skip()
	if err == nil && !bytes.Equal(d.body[value.Start:value.End], []byte("null")) {
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
