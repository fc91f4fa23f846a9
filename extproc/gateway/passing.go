package gateway

import (
	"bytes"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// passOn readies the pipeline for a response that goes to the client as it is.
// What may report usage is looked at on its way.
func (x *Exchange) passOn(r *response, status int, empty bool) Response {
	r.mode = ModePass
	media := mediaType(r.head)
	if status < 400 {
		x.succeeded()
	}
	switch {
	case status >= 400:
		r.status = status
	case x.head.Method == "POST" && !empty && plainly(r.head) && (media == "application/json" || media == serverSent):
		r.mode, r.dec = ModeStream, &passing{stream: media == serverSent}
	}
	return Response{Mode: r.mode, Head: x.responseHead(r, false)}
}

// plainly reports whether the body is not compressed.
func plainly(head []llm.Header) bool {
	e := value(head, "content-encoding")
	return e == "" || e == "identity"
}

// passing is the decoder of a response that is not understood: it hands out the
// bytes as they come and looks for the usage in the end, if they are few.
type passing struct {
	stream bool
	kept   []byte // nil once there was too much
	seen   int
}

// maxKept bounds the body in which usage is looked for.
const maxKept = 1 << 20

func (d *passing) Decode(p []byte, eos bool) ([]dialect.Frame, error) {
	if d.seen += len(p); d.seen <= maxKept {
		d.kept = append(d.kept, p...)
	} else {
		d.kept = nil
	}
	f := dialect.Frame{Raw: p}
	if eos {
		if u := d.usage(); u.Total() > 0 {
			f.Events = append(f.Events, llm.Event{Kind: llm.EventUsage, Usage: u})
		}
		f.Events = append(f.Events, llm.Event{Kind: llm.EventEnd})
	}
	return []dialect.Frame{f}, nil
}

// usage returns what the body reports, the last report of a stream.
func (d *passing) usage() (u llm.Usage) {
	if !d.stream {
		return usageIn(d.kept)
	}
	for line := range bytes.Lines(d.kept) {
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok && bytes.Contains(data, []byte(`"usage"`)) {
			if last := usageIn(data); last.Total() > 0 {
				u = last
			}
		}
	}
	return u
}

// usageIn reads the member usage, which OpenAI's paths and those of compatible
// servers have with either set of names. Of something else it is zero.
func usageIn(body []byte) (u llm.Usage) {
	var total int64
	count := map[string]*int64{
		"prompt_tokens": &u.Input, "input_tokens": &u.Input, "completion_tokens": &u.Output, "output_tokens": &u.Output,
		"total_tokens": &total, "cached_tokens": &u.CacheRead,
	}
	in := jsonx.NewReader(body)
	var member func(name []byte) error
	member = func(name []byte) (err error) {
		at := count[string(name)]
		switch kind := in.Kind(); {
		case kind == jsonx.Number && at != nil:
			*at, err = in.Int()
		case kind == jsonx.Object && (string(name) == "prompt_tokens_details" || string(name) == "input_tokens_details"):
			err = in.Map(member)
		default:
			_, err = in.Skip()
		}
		return err
	}
	err := in.Map(func(name []byte) error {
		if string(name) == "usage" && in.Kind() == jsonx.Object {
			return in.Map(member)
		}
		_, err := in.Skip()
		return err
	})
	if err != nil {
		return llm.Usage{}
	}
	if u.Input == 0 {
		u.Input = max(total-u.Output, 0)
	}
	return u
}
