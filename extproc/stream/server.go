// Package stream speaks Envoy's external processing protocol (ext_proc). It is
// the only package that knows it. One HTTP request has a downstream stream,
// opened by the listener's filter, and an upstream stream for each attempt that
// goes to a retry cluster, opened by that cluster's filter. Both are straight
// conversations below, read from top to bottom.
//
// It does not know what a request means or what may be done with it: that is
// package gateway.
package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A Server answers Envoy's filters.
type Server struct {
	// Gateway holds the snapshot that new exchanges belong to.
	Gateway *gateway.Holder
	// Slots names the attempts' clusters in headers as well, for Envoy 1.39.
	Slots bool

	live sync.Map // ID -> *gateway.Exchange, of exchanges whose attempts will ask
	open atomic.Int64
}

// Open is the number of exchanges that have begun and not ended.
func (s *Server) Open() int64 { return s.open.Load() }

// Limits of one gRPC connection. Envoy opens a stream for each HTTP request.
const (
	maxMessage = 64 << 20
	maxStreams = 1 << 16
)

// Register returns a gRPC server that serves s.
func Register(s *Server) *grpc.Server {
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage), grpc.MaxConcurrentStreams(maxStreams))
	extproc.RegisterExternalProcessorServer(srv, s)
	return srv
}

// Process serves one stream. The filter says in the stream's metadata which
// side it is on. Returning nil tells Envoy to go on alone, so that happens only
// where there is nothing left to do.
func (s *Server) Process(rpc extproc.ExternalProcessor_ProcessServer) (err error) {
	growStack()
	c := &conn{rpc: rpc}
	ctx := rpc.Context()
	defer func() {
		if cause := recover(); cause != nil {
			err = c.panicked(cause)
		}
		gone := errors.Is(err, errGone)
		s.close(c, gone || ctx.Err() != nil)
		if gone {
			err = nil
		}
	}()
	md, _ := metadata.FromIncomingContext(ctx)
	switch side := md.Get("x-attache-side"); {
	case len(side) == 1 && side[0] == "downstream":
		return s.downstream(ctx, c)
	case len(side) == 1 && side[0] == "upstream":
		return s.upstream(c)
	}
	return status.Error(codes.InvalidArgument, "the filter's initial metadata must have x-attache-side: downstream or upstream")
}

// stackSize is what an exchange takes of the stack, in bytes, and a little more,
// without the evaluation of a policy.
const stackSize = 9 << 10

// growStack makes room on the goroutine's stack in one step. Otherwise it grows
// in several, and each time all its frames are moved.
//
//go:noinline
func growStack() {
	var room [stackSize]byte
	runtime.KeepAlive(&room)
}

func (s *Server) close(c *conn, gone bool) {
	if c.exchange == nil {
		return
	}
	s.live.Delete(c.exchange.ID)
	s.open.Add(-1)
	c.exchange.Close(gone)
}

func (s *Server) downstream(ctx context.Context, c *conn) error {
	head, err := c.requestHead()
	if errors.Is(err, errResponse) && !c.fromProvider() { // Envoy refused the head; that goes out as it is
		return c.reply(&extproc.CommonResponse{})
	}
	if err != nil {
		return err
	}
	x, answer := s.Gateway.Open(head)
	c.exchange = x
	s.open.Add(1)
	if answer != nil {
		return c.answer(answer)
	}
	var body []byte
	if !head.Unread {
		body, err = c.requestBody()
	}
	if errors.Is(err, errResponse) { // Envoy refused the body
		return c.replace(x.LocalReply(c.attempt(), c.status(), c.details()))
	}
	if err != nil {
		return err
	}
	answer, forward := x.Decide(ctx, body)
	if answer != nil {
		return c.answer(answer)
	}
	if forward.First == nil {
		s.live.Store(x.ID, x)
	}
	if err := c.forward(x.ID, forward, s.Slots); err != nil {
		return err
	}
	if err := c.responseHead(); err != nil {
		return err
	}
	if !c.fromProvider() {
		return c.replace(x.LocalReply(c.attempt(), c.status(), c.details()))
	}
	r, err := x.Respond(c.attempt(), c.status(), c.head(), c.empty())
	if err != nil {
		return err
	}
	switch r.Mode {
	case gateway.ModeStream:
		return c.relay(x, r.Head)
	case gateway.ModeWhole:
		return c.whole(x)
	default:
		return c.pass(x, r.Head)
	}
}

// pass leaves the body in Envoy. The usage is there already if Envoy has held
// the headers until it had read the body; otherwise it comes at the end.
func (c *conn) pass(x *gateway.Exchange, head *gateway.ResponseHead) error {
	if read(c.pending) {
		book(c.pending, x)
		return c.replyHead(head, noMore)
	}
	if err := c.replyHead(head, nil); err != nil {
		return err
	}
	if err := c.recv(); err != nil {
		return err
	}
	if c.pending.GetResponseTrailers() == nil {
		return c.unexpected("response trailers")
	}
	book(c.pending, x)
	return c.replyTrailers()
}

// whole takes the body through the exchange in one piece. The headers wait for
// it, so that a response which is none has the status of an error.
func (c *conn) whole(x *gateway.Exchange) error {
	if c.empty() {
		return c.replyWhole(x.Chunk(nil, true))
	}
	if err := c.replyHead(&gateway.ResponseHead{}, buffered); err != nil {
		return err
	}
	p, _, err := c.responseChunk()
	if err != nil {
		return err
	}
	return c.replyWhole(x.Chunk(p, true))
}

// relay takes the body through the exchange, chunk by chunk.
func (c *conn) relay(x *gateway.Exchange, head *gateway.ResponseHead) error {
	if err := c.replyHead(head, fullDuplex); err != nil {
		return err
	}
	c.duplex = true
	for {
		p, eos, err := c.responseChunk()
		if err != nil {
			return err
		}
		out := x.Chunk(p, eos)
		if err := c.replyChunk(out.Body, out.End); err != nil {
			return err
		}
		if out.End {
			return nil
		}
	}
}

// upstream writes the request of one attempt and, if the exchange wants it,
// looks at the response before Envoy gives up the other attempts for it.
func (s *Server) upstream(c *conn) error {
	if _, err := c.requestHead(); err != nil {
		return err
	}
	id := c.exchangeID()
	x, ok := s.live.Load(id)
	if !ok {
		return fmt.Errorf("ext_proc: no exchange for attempt %d on %s", c.attempt(), c.cluster())
	}
	up, watch, err := x.(*gateway.Exchange).Attempt(c.attempt(), c.cluster())
	if err != nil {
		return err
	}
	if err := c.replyAttempt(up, watch != nil); err != nil || watch == nil {
		return err
	}
	if err := c.responseHead(); err != nil {
		return err
	}
	return c.watch(watch)
}

// watch holds the response until the Watch has ruled. From then on each chunk
// goes back as it came.
func (c *conn) watch(w *gateway.Watch) error {
	c.duplex = true
	var held []byte
	eos := c.empty()
	ruling := w.Head(c.status(), c.head())
	if ruling.Hold && eos {
		ruling = w.Chunk(nil, true)
	}
	for ruling.Hold {
		var p []byte
		var err error
		if p, eos, err = c.responseChunk(); err != nil {
			return err
		}
		held = append(held, p...)
		ruling = w.Chunk(p, eos)
	}
	if ruling.Fail != nil {
		return c.failAttempt(w, ruling)
	}
	if err := c.replyHead(&gateway.ResponseHead{}, nil); err != nil {
		return err
	}
	if len(held) > 0 || eos && !c.empty() {
		if err := c.replyChunk(held, eos); err != nil {
			return err
		}
	}
	if eos {
		return nil
	}
	return c.echo()
}

func (c *conn) echo() error {
	for {
		p, eos, err := c.responseChunk()
		if err != nil {
			return err
		}
		if err := c.replyChunk(p, eos); err != nil || eos {
			return err
		}
	}
}
