package hosting

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/amazon"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/dialect/exception"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// invoke is Anthropic's Messages API by Amazon Bedrock's InvokeModel. The model
// and the form of the answer are in the path, the version and the betas of the
// API in the body. A stream comes in messages of Amazon's event stream, each
// with one event in base64.
//
// Sources: Amazon Bedrock user guide, "Anthropic Claude Messages API"; the
// service's published model; recorded traffic.
type invoke struct{ dialect.ProviderSide }

const bedrockVersion = `"bedrock-2023-05-31"`

func (d *invoke) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	if err := refuseLinks(r, "Amazon Bedrock"); err != nil {
		return nil, err
	}
	w, err := d.ProviderSide.EncodeRequest(r, t)
	if err != nil {
		return nil, err
	}
	body, err := parse(w.Body)
	if err != nil {
		return nil, err
	}
	p := body.Patch()
	p.Remove("model")
	p.Remove("stream")
	p.Set("anthropic_version", []byte(bedrockVersion))
	if betas := takeBetas(w, bedrockBetas); len(betas) > 0 {
		list, _ := json.Marshal(betas) // strings always can be
		p.Set("anthropic_beta", list)
	}
	switch {
	case r.Op == llm.OpCountTokens:
		p.Set("max_tokens", []byte("1")) // a body without it is none of InvokeModel's
		w.Path, w.Body = amazon.CountPath(t.Model), countBody(p.Bytes())
	case r.Stream:
		w.Path, w.Body = amazon.ModelPath(t.Model)+"/invoke-with-response-stream", p.Bytes()
	default:
		w.Path, w.Body = amazon.ModelPath(t.Model)+"/invoke", p.Bytes()
	}
	return w, nil
}

// countBody asks how many tokens the body of an InvokeModel has.
func countBody(body []byte) []byte {
	out := append(make([]byte, 0, len(body)*4/3+64), `{"input":{"invokeModel":{"body":"`...)
	return append(base64.StdEncoding.AppendEncode(out, body), `"}}}`...)
}

func (d *invoke) NewDecoder(op llm.Op, mediaType string, limit int) dialect.Decoder {
	switch {
	case mediaType == eventstream.MediaType:
		return &unwrapper{
			Decoder: d.ProviderSide.NewDecoder(op, "text/event-stream", limit),
			failure: d.EncodeError,
			stream:  eventstream.New(limit),
		}
	case op == llm.OpCountTokens:
		return &recast{Decoder: d.ProviderSide.NewDecoder(op, mediaType, limit), whole: dialect.Whole{Limit: limit}, cast: castCount}
	}
	return d.ProviderSide.NewDecoder(op, mediaType, limit)
}

// castCount makes Anthropic's answer to a question about tokens of Amazon's.
func castCount(body []byte) ([]byte, bool) {
	var count json.RawMessage
	in := jsonx.NewReader(body)
	err := in.Object(func(name []byte) error {
		raw, err := in.Raw()
		if string(name) == "inputTokens" {
			count = raw
		}
		return err
	})
	if err != nil || count == nil {
		return nil, false
	}
	return append(append([]byte(`{"input_tokens":`), count...), '}'), true
}

// DecodeError reads Amazon's exceptions, and Anthropic's errors where the model
// itself refuses.
func (d *invoke) DecodeError(status int, head []llm.Header, body []byte) *llm.Error {
	if in := jsonx.NewReader(body); in.Kind() == jsonx.Object && string(in.Tag("type")) == "error" {
		return d.ProviderSide.DecodeError(status, head, body)
	}
	return exception.Decode(status, head, body)
}

// An unwrapper takes server-sent events out of the messages of Amazon's event
// stream. What it hands on, frames included, is the stream as Anthropic has it.
type unwrapper struct {
	dialect.Decoder
	in      jsonx.Reader
	failure func(*llm.Error) []byte
	stream  *eventstream.Splitter
	out     []byte
	event   []byte
}

func (u *unwrapper) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	u.out = u.out[:0]
	broken := u.stream.Split(chunk, u.message)
	frames, err := u.Decoder.Decode(u.out, eos)
	switch {
	case err != nil:
		return frames, err
	case errors.Is(broken, eventstream.ErrTooLong):
		return frames, dialect.TooLarge()
	case broken != nil:
		return frames, dialect.NotValid("Amazon event stream")
	}
	return frames, nil
}

// message appends the event that a message holds. Kinds that are not known say
// nothing.
func (u *unwrapper) message(m *eventstream.Message) error {
	if e := exception.Of(m); e != nil {
		u.append("error", u.failure(e))
	} else if string(m.Text(":event-type")) == "chunk" {
		return u.chunk(m.Payload)
	}
	return nil
}

// chunk reads {"bytes":"…","p":"…"}, of which p is there to hide the length.
func (u *unwrapper) chunk(payload []byte) error {
	u.in.Reset(payload)
	err := u.in.Object(func(name []byte) error {
		if string(name) != "bytes" || u.in.Kind() != jsonx.String {
			_, err := u.in.Skip()
			return err
		}
		text, err := u.in.StringBytes()
		if err == nil {
			u.event, err = base64.StdEncoding.AppendDecode(u.event[:0], text)
		}
		return err
	})
	if err != nil {
		return err
	}
	u.in.Reset(u.event)
	name := u.in.Tag("type")
	if bytes.ContainsAny(name, "\r\n") {
		return errors.New("hosting: an event's type has a line end")
	}
	u.append(string(name), dialect.OneLine(u.event))
	return nil
}

func (u *unwrapper) append(name string, data []byte) {
	u.out = append(append(u.out, "event: "...), name...)
	u.out = append(append(append(u.out, "\ndata: "...), data...), "\n\n"...)
}
