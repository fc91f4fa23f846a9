package responses

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// DecodeRequest reads a client's request, strictly. Errors are *llm.Error and
// name the member.
func (d *Dialect) DecodeRequest(op llm.Op, body []byte) (*llm.Request, error) {
	if op != llm.OpChat && op != llm.OpCountTokens {
		return nil, llm.Unsupported("", "the responses dialect has no request for %s", op)
	}
	in := &reading{Reader: jsonx.NewReader(body), body: body, req: &llm.Request{Op: op, Dialect: llm.Responses}}
	members, err := in.Members(in.member)
	if err == nil {
		err = in.End()
	}
	if err != nil {
		return nil, jsonx.Problem(err)
	}
	in.req.Body = llm.Body{Raw: body, Members: members}
	in.req.System = append(in.instructions, in.req.System...)
	switch {
	case in.req.Model == "":
		return nil, llm.Invalid("model", "is required")
	case !in.asked && op == llm.OpChat:
		return nil, llm.Invalid("input", "is required")
	}
	return in.req, nil
}

// reading is one request while it is read.
type reading struct {
	*jsonx.Reader
	body         []byte
	req          *llm.Request
	instructions []llm.Part
	asked        bool // there is an input, or what stands for it
	begun        bool // there was a turn: instructions are messages from here on
	foreign      bool // the item just read is the reasoning of another provider
}

// member reads one member of the request. A null is a member that the client
// left out.
func (in *reading) member(name []byte) (err error) {
	if in.Null() {
		return nil
	}
	q := in.req
	switch string(name) {
	case "model":
		q.Model, err = in.String()
	case "input":
		in.asked = true
		err = in.input()
	case "instructions":
		in.instructions, err = in.texts(llm.PartText)
	case "previous_response_id", "conversation", "prompt":
		in.asked = true
		err = in.unknown()
	case "stream":
		q.Stream, err = in.Bool()
		q.StreamUsage = q.Stream
	case "stream_options":
		err = in.Object(func([]byte) error { return in.unknown() })
	case "include":
		err = in.Array(in.include)
	case "max_output_tokens":
		q.MaxTokens, err = in.count()
	case "temperature":
		q.Temperature, err = in.numeral()
	case "top_p":
		q.TopP, err = in.numeral()
	case "tools":
		err = in.Array(in.tool)
	case "tool_choice":
		err = in.toolChoice()
	case "parallel_tool_calls":
		var parallel bool
		parallel, err = in.Bool()
		q.SerialTools = !parallel
	case "text":
		err = in.Object(in.textOption)
	case "reasoning":
		q.Reasoning = &llm.Reasoning{}
		err = in.Object(in.reasoningOption)
	case "safety_identifier":
		q.User, err = in.String()
	case "user":
		var user string
		if user, err = in.String(); q.User == "" {
			q.User = user
		}
	case "service_tier":
		q.ServiceTier, err = in.String()
	case "top_logprobs":
		q.TopLogprobs, err = in.Int()
		q.Logprobs = q.Logprobs || q.TopLogprobs > 0
	default:
		err = in.unknown()
	}
	return err
}

// include reads what a client wants more of in the answer. It gets the
// reasoning's encrypted content anyway.
func (in *reading) include(int) error {
	at := in.place()
	what, err := in.StringBytes()
	switch {
	case err != nil || string(what) == "reasoning.encrypted_content":
	case string(what) == "message.output_text.logprobs":
		in.req.Logprobs = true
	default:
		in.note("include", llm.Span{Start: at, End: in.Offset()})
	}
	return err
}

// place is where the next value begins.
func (in *reading) place() int {
	in.Kind() // skips white space
	return in.Offset()
}

// unknown reads a value that has no canonical field and notes it, so that a
// target of another dialect can say what it leaves out.
func (in *reading) unknown() error {
	shape := in.Shape()
	at, err := in.Skip()
	if err == nil && string(in.body[at.Start:at.End]) != "null" {
		in.note(shape, at)
	}
	return err
}

// maxExtra bounds what a client can make us remember and print.
const maxExtra = 64

// note notes a member once for all elements of a list.
func (in *reading) note(shape string, value llm.Span) {
	known := func(m llm.Member) bool { return m.Name == shape }
	if len(in.req.Extra) < maxExtra && !slices.ContainsFunc(in.req.Extra, known) {
		in.req.Extra = append(in.req.Extra, llm.Member{Name: shape, At: value, Value: value})
	}
}

// missing is the error that the object just read lacks a member.
func (in *reading) missing(member string) error {
	return llm.Invalid(in.Path()+"."+member, "is required")
}

func (in *reading) count() (int64, error) {
	n, err := in.Int()
	if err == nil && n < 1 {
		err = llm.Invalid(in.Path(), "must be at least 1")
	}
	return n, err
}

func (in *reading) numeral() (llm.Number, error) {
	text, err := in.NumberText()
	return llm.Number(text), err
}

// since returns the bytes that were read since an offset.
func (in *reading) since(start int) []byte { return in.body[start:in.Offset()] }
