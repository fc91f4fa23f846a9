package gateway

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A Mode says what becomes of the body of a response.
type Mode uint8

// The modes.
const (
	ModePass   Mode = iota // it stays in Envoy
	ModeStream             // it goes through Chunk as it comes
	ModeWhole              // it goes through Chunk in one piece, and may change the status
)

// A Response says what becomes of the response that Envoy has got.
type Response struct {
	Mode Mode
	Head *ResponseHead // nil in ModeWhole: Chunk will tell
}

// A ResponseHead changes the headers of a response.
type ResponseHead struct {
	Status int // 0: as it is
	Set    []llm.Header
	Remove []string
}

// An Output is what a chunk of the provider's body becomes.
type Output struct {
	Head *ResponseHead // in ModeWhole
	Body []byte        // for the client; valid until the next call
	End  bool          // the client's response ends here, whatever still comes
}

// A response is the pipeline decode, meter, guard, encode for the response of
// one target.
type response struct {
	step
	meter
	req   *llm.Request // as the client asked, without its prompt if it is a stream
	dec   dialect.Decoder
	enc   dialect.Encoder // nil: the provider's own bytes are passed on
	head  []llm.Header    // of the provider's response
	media string          // type of what is passed on, where it is not the response's
	hide  bool            // drop frames with nothing but usage
	mode  Mode
	ended bool // the client has the end
	out   []byte

	guards *guarding       // nil: none looks
	twin   dialect.Encoder // follows the provider's own bytes, to go on where they end; nil: nobody has to, or enc writes all
	shadow []byte          // of the twin, which nobody sees
	mute   []byte          // the provider's bytes that said nothing and wait for what follows, which the twin may write

	status int // of a response that is an error; 0: it is none
}

// Respond readies the pipeline for the response to attempt n, counted from 1.
// empty says that it has no body.
func (x *Exchange) Respond(n, status int, head []llm.Header, empty bool) (Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.plan == nil || n < 1 || n > len(x.plan.steps) {
		return Response{}, fmt.Errorf("gateway: response to attempt %d, which is not in the plan", n)
	}
	st := x.plan.steps[n-1]
	x.won(n, st, status)
	x.keepTarget(n)
	x.keepFrom(&st, status)
	x.answered(status, head)
	st.wire = nil // it is sent, and may be long
	req := x.freed()
	r := &response{step: st, req: req, head: head, mode: ModeWhole}
	x.resp = r
	x.record.Status = status
	if req.Op == llm.OpForward && status != 401 && status != 403 {
		return x.passOn(r, status, empty), nil
	}
	if status >= 400 {
		r.status = status
		return Response{Mode: ModeWhole}, nil
	}
	media := mediaType(head)
	plain := plainly(head)
	streamed := streaming(media)
	page := !streamed && media != "application/json" // of a proxy that is confused
	frames, own := st.Hosting.Frames(req.Op, media)
	rewrapped := frames != media
	relay := st.Dialect == x.front.dialect && own && streamed == req.Stream && !req.Array
	r.hide = !req.StreamUsage && req.Stream && !x.gw.passUsage
	native := st.NativeUsage && req.Op == llm.OpChat && plain && !rewrapped && !(r.hide && asksUsage(req, st.target)) && !x.bounded()
	guards := x.outputGuards(req.Op)
	if relay && native && !empty && !page && len(guards) == 0 && x.keeping == nil {
		r.mode = ModePass
		x.succeeded()
		return Response{Head: x.responseHead(r, false)}, nil
	}
	r.dec = st.target.wire.NewDecoder(req.Op, media, x.gw.maxResponse)
	if !plain {
		r.dec = &unzip{Decoder: r.dec, body: dialect.Whole{Limit: x.gw.maxResponse}}
	}
	if !relay {
		r.enc = x.wire.NewEncoder(req)
	} else if rewrapped {
		r.media = frames
	}
	if !streamed || empty {
		x.guarded(r, guards)
		return Response{Mode: ModeWhole}, nil
	}
	r.mode = ModeStream
	x.guarded(r, guards)
	if x.bounded() {
		x.followed(r)
	}
	return Response{Mode: ModeStream, Head: x.responseHead(r, r.enc != nil || !plain || r.hide || rewrapped || r.guards != nil)}, nil
}

// freed returns the request without what only an attempt needs: an open stream
// must not hold a long prompt. The caller holds the mutex.
func (x *Exchange) freed() *llm.Request {
	r := x.req
	if !r.Stream {
		return r // its response will soon be over, and may want a count
	}
	if r.InputEstimate == 0 {
		r.InputEstimate = inputTokens(r, true)
	}
	x.inputEstimate, x.req, x.plan = r.InputEstimate, nil, &plan{}
	lite := *r
	lite.Body, lite.Extra, lite.Edits, lite.Sets = llm.Body{}, nil, nil, nil
	lite.System, lite.Messages, lite.Inputs = nil, nil, nil
	lite.Tools = slices.Clone(r.Tools)
	for i := range lite.Tools {
		t := &lite.Tools[i]
		t.Schema, t.Raw = bytes.Clone(t.Schema), bytes.Clone(t.Raw)
	}
	if r.Format != nil {
		f := *r.Format
		f.Schema = bytes.Clone(f.Schema)
		lite.Format = &f
	}
	return &lite
}

// asksUsage reports whether the usage chunk in the stream is there only because
// we asked for it.
func asksUsage(r *llm.Request, t *target) bool {
	return t.Dialect == llm.OpenAI && !t.rules.NoUsageOption && r.Op == llm.OpChat
}

// won notes in the record who answered. The caller holds the mutex.
func (x *Exchange) won(n int, st step, status int) {
	x.record.Target, x.record.Provider = st.String(), st.Name
	x.reach(n)
	x.attempts[n-1].Result = strconv.Itoa(status)
	x.tried = n
	if st.wire != nil {
		x.record.Warnings = append(x.record.Warnings, st.wire.Warnings...)
	}
}

// reach notes all attempts up to n, counted from 1: those that got no connection
// never asked for their request. The caller holds the mutex.
func (x *Exchange) reach(n int) {
	for i := len(x.attempts); i < n; i++ {
		x.attempts = append(x.attempts, Attempt{Target: x.plan.steps[i].String(), Result: "failed"})
		x.begin(x.plan.steps[i].target)
	}
}

// Chunk turns bytes of the provider into bytes for the client. It never fails:
// what goes wrong becomes an error in the client's format.
func (x *Exchange) Chunk(p []byte, eos bool) Output {
	r := x.resp
	if r.ended {
		return Output{End: true}
	}
	if r.status != 0 {
		return x.errorBody(p)
	}
	frames, err := r.dec.Decode(p, eos)
	r.out = r.out[:0]
	if eos && r.guards != nil {
		frames = understood(frames)
	}
	for _, f := range frames { // those before an error are good
		r.meter.take(x, f.Events)
		x.collect(f.Events)
		if r.enc == nil && r.otherVectors(f.Events) {
			r.enc = x.wire.NewEncoder(r.req)
		}
		if werr := r.write(f); werr != nil {
			return x.broken(werr)
		}
		if x.spent() {
			return x.cut()
		}
	}
	if (err != nil || eos) && r.guards != nil {
		if werr := r.guards.flush(); werr != nil {
			return x.broken(werr)
		}
	}
	if err != nil {
		x.noteFailed(nil)
		return x.broken(err)
	}
	if eos && !r.meter.ended {
		x.noteFailed(nil)
		return x.truncated()
	}
	if eos && r.enc == nil {
		r.out = append(r.out, r.mute...)
	}
	return x.release(eos)
}

// write takes a frame to the client, past the guards.
func (r *response) write(f dialect.Frame) error {
	if r.guards != nil {
		return r.guards.take(f)
	}
	return r.emit(f)
}

// emit appends the client's form of a frame.
func (r *response) emit(f dialect.Frame) (err error) {
	if r.enc == nil {
		if r.waits(f) {
			return nil
		}
		if !r.hide || !onlyUsage(f.Events) {
			r.out = append(r.out, f.Raw...)
		}
		if r.twin != nil {
			err = r.follow(f.Events)
		}
		return err
	}
	r.out, err = r.enc.Encode(r.out, f.Events)
	return err
}

// otherVectors reports whether embeddings are not in the form that was asked
// for. Some servers know only one, and official SDKs decode what they asked for
// whatever it is.
func (r *response) otherVectors(events []llm.Event) bool {
	return r.req.Op == llm.OpEmbeddings && slices.ContainsFunc(events, func(e llm.Event) bool {
		return e.Kind == llm.EventVector && dialect.PackedVector(e.Text) != r.req.Packed
	})
}

// onlyUsage reports whether a frame is the chunk that a client gets only when
// it asked for usage.
func onlyUsage(events []llm.Event) bool {
	return len(events) == 1 && events[0].Kind == llm.EventUsage
}

// release hands out what was written.
func (x *Exchange) release(eos bool) Output {
	r := x.resp
	x.lost()
	out := Output{Body: r.out, End: eos || r.meter.failed != nil && r.enc != nil}
	r.ended = out.End
	if r.mode == ModeWhole {
		if e := r.meter.failed; e != nil {
			return x.errorOutput(e)
		}
		x.heard()
		out.Head = x.responseHead(r, true)
	}
	return out
}

// lost notes what of the response the client's format has no place for. The
// header tells it of a unary response; of a stream it stands in the record.
func (x *Exchange) lost() {
	enc, ok := x.resp.enc.(dialect.Reporter)
	if !ok {
		return
	}
	for _, w := range enc.Warnings() {
		if !slices.Contains(x.record.Warnings, w) {
			x.warn(w)
		}
	}
}
