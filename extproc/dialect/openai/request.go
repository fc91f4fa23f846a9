package openai

import (
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// DecodeRequest reads a client's request, strictly. Errors are *llm.Error and
// name the member.
func (d *Dialect) DecodeRequest(op llm.Op, body []byte) (*llm.Request, error) {
	in := &reading{Reader: jsonx.NewReader(body), body: body, req: &llm.Request{Op: op, Dialect: llm.OpenAI}}
	member, required := in.chatMember, "messages"
	switch op {
	case llm.OpChat:
	case llm.OpEmbeddings:
		member, required = in.embeddingsMember, "input"
	default:
		return nil, llm.Unsupported("", "the openai dialect has no request for %s", op)
	}
	members, err := in.Members(member)
	if err == nil {
		err = in.End()
	}
	if err != nil {
		return nil, jsonx.Problem(err)
	}
	in.req.Body = llm.Body{Raw: body, Members: members}
	in.req.Extra = in.extra
	for i, x := range in.extra {
		for _, m := range members {
			if m.Name == x.Name {
				in.extra[i] = m
			}
		}
	}
	switch {
	case in.req.Model == "":
		return nil, llm.Invalid("model", "is required")
	case !in.asked:
		return nil, llm.Invalid(required, "is required and must not be empty")
	}
	return in.req, nil
}

// reading is one request while it is read.
type reading struct {
	*jsonx.Reader
	body  []byte
	req   *llm.Request
	asked bool // there is a message or an input
	begun bool // there was a turn: instructions are messages from here on
	extra []llm.Member
	noted map[string]bool // what is in extra, by everyIndex
}

// chatMember reads one member of a chat request. A null is a member that the
// client left out.
func (in *reading) chatMember(name []byte) (err error) {
	if in.Null() {
		return nil
	}
	q := in.req
	switch string(name) {
	case "model":
		q.Model, err = in.String()
	case "messages":
		err = in.Array(in.message)
	case "stream":
		q.Stream, err = in.Bool()
	case "stream_options":
		err = in.Object(in.streamOption)
	case "tools":
		err = in.Array(in.tool)
	case "tool_choice":
		err = in.toolChoice()
	case "parallel_tool_calls":
		var parallel bool
		parallel, err = in.Bool()
		q.SerialTools = !parallel
	case "max_completion_tokens":
		q.MaxTokens, err = in.count(1)
	case "max_tokens":
		var n int64
		if n, err = in.count(1); q.MaxTokens == 0 {
			q.MaxTokens = n
		}
	case "n":
		q.N, err = in.count(1)
	case "stop":
		err = in.stop()
	case "response_format":
		err = in.format()
	case "reasoning_effort":
		in.reasoning().Effort, err = in.String()
	case "reasoning":
		err = in.Object(in.routerReasoning)
	case "thinking":
		err = in.Object(in.thinking)
	case "safety_identifier":
		q.User, err = in.String()
	case "user":
		var user string
		if user, err = in.String(); q.User == "" {
			q.User = user
		}
	case "service_tier":
		q.ServiceTier, err = in.String()
	case "logprobs":
		q.Logprobs, err = in.Bool()
	case "top_logprobs":
		q.TopLogprobs, err = in.count(0)
	default:
		return in.samplingMember(name)
	}
	return err
}

// samplingMember reads one of the numbers that tune how the model picks its
// words, or a member that has no canonical field.
func (in *reading) samplingMember(name []byte) (err error) {
	q := in.req
	switch string(name) {
	case "temperature":
		q.Temperature, err = in.numeral()
	case "top_p":
		q.TopP, err = in.numeral()
	case "top_k":
		q.TopK, err = in.numeral()
	case "frequency_penalty":
		q.FrequencyPenalty, err = in.numeral()
	case "presence_penalty":
		q.PresencePenalty, err = in.numeral()
	case "seed":
		q.Seed, err = in.numeral()
	default:
		err = in.unknown()
	}
	return err
}

// maxExtra bounds what a client can make us remember and print.
const maxExtra = 256

// unknown reads a value that has no canonical field and notes its path; of the
// elements of a list only the first one's.
func (in *reading) unknown() error {
	path := in.Path()
	kind := everyIndex(path)
	at, err := in.Skip()
	if err != nil || in.noted[kind] || len(in.extra) == maxExtra {
		return err
	}
	if in.noted == nil {
		in.noted = map[string]bool{}
	}
	in.noted[kind] = true
	in.extra = append(in.extra, llm.Member{Name: path, Value: at})
	return nil
}

// everyIndex makes messages[] of messages[3].
func everyIndex(path string) string {
	out, inside := make([]byte, 0, len(path)), false
	for i := range len(path) {
		c := path[i]
		if inside = c != ']' && (inside || c == '['); !inside || c == '[' {
			out = append(out, c)
		}
	}
	return string(out)
}

// missing is the error that the object just read lacks a member.
func (in *reading) missing(member string) error {
	return llm.Invalid(in.Path()+"."+member, "is required")
}

// count reads a whole number that is not less than least.
func (in *reading) count(least int64) (int64, error) {
	n, err := in.Int()
	if err == nil && n < least {
		err = llm.Invalid(in.Path(), "must be at least %d", least)
	}
	return n, err
}

func (in *reading) numeral() (llm.Number, error) {
	text, err := in.NumberText()
	return llm.Number(text), err
}

func (in *reading) stop() error {
	if in.Kind() == jsonx.String {
		s, err := in.String()
		in.req.Stop = []string{s}
		return err
	}
	return in.Array(func(int) error {
		s, err := in.String()
		in.req.Stop = append(in.req.Stop, s)
		return err
	})
}

func (in *reading) streamOption(name []byte) (err error) {
	if string(name) != "include_usage" {
		return in.unknown()
	}
	if !in.Null() {
		in.req.StreamUsage, err = in.Bool()
	}
	return err
}

func (in *reading) reasoning() *llm.Reasoning {
	if in.req.Reasoning == nil {
		in.req.Reasoning = &llm.Reasoning{}
	}
	return in.req.Reasoning
}

// thinking reads the member by which DeepSeek, Z.ai and Anthropic's own chat
// endpoint switch reasoning.
func (in *reading) thinking(name []byte) (err error) {
	switch string(name) {
	case "type":
		in.reasoning().Mode, err = in.String()
	case "budget_tokens":
		in.reasoning().Budget, err = in.count(0)
	default:
		err = in.unknown()
	}
	return err
}

// routerReasoning reads OpenRouter's form of the same.
func (in *reading) routerReasoning(name []byte) (err error) {
	if in.Null() {
		return nil
	}
	switch string(name) {
	case "effort":
		in.reasoning().Effort, err = in.String()
	case "max_tokens":
		in.reasoning().Budget, err = in.count(0)
	case "enabled":
		var on bool
		if on, err = in.Bool(); on {
			in.reasoning().Mode = "enabled"
		} else {
			in.reasoning().Mode = "disabled"
		}
	default:
		err = in.unknown()
	}
	return err
}

// since returns the bytes that were read since an offset.
func (in *reading) since(start int) []byte { return in.body[start:in.Offset()] }
