package stream

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A conn is the conversation with Envoy about one HTTP request. Envoy speaks
// first and every message gets exactly one reply, so a conn remembers which
// message is waiting for its reply. Only bodies in full duplex are an exception:
// their chunks and the replies to them are two streams of their own.
type conn struct {
	rpc      extproc.ExternalProcessor_ProcessServer
	exchange *gateway.Exchange // of the downstream side, from its opening on
	pending  *extproc.ProcessingRequest
	first    *extproc.ProcessingRequest // of the message with the request's or the response's headers
	duplex   bool
	begun    bool // the response's headers are answered
}

var (
	// errGone is the end of the stream: the client or the provider went away,
	// or there is nothing left to say.
	errGone = errors.New("ext_proc: the stream ended")
	// errResponse is a response where something else was due: Envoy answered.
	errResponse = errors.New("ext_proc: answered by envoy")
)

// recv reads the next message. Reading while a reply is owed is a bug.
func (c *conn) recv() error {
	if c.pending != nil && !c.duplex {
		return errors.New("ext_proc: recv before reply")
	}
	m, err := c.rpc.Recv()
	if errors.Is(err, io.EOF) || status.Code(err) == codes.Canceled {
		return errGone
	}
	c.pending = m
	return err
}

func (c *conn) unexpected(want string) error {
	return status.Errorf(codes.FailedPrecondition, "ext_proc: got %T, want %s", c.pending.GetRequest(), want)
}

func (c *conn) requestHead() (*gateway.Head, error) {
	if err := c.recv(); err != nil {
		return nil, err
	}
	c.first = c.pending
	if c.pending.GetResponseHeaders() != nil {
		return nil, errResponse
	}
	if c.pending.GetRequestHeaders() == nil {
		return nil, c.unexpected("request headers")
	}
	h := &gateway.Head{Headers: c.head(), Unread: c.unread()}
	h.Method, h.Path = h.Get(":method"), h.Get(":path")
	return h, nil
}

// unread reports whether a body follows that Envoy does not show us. By the
// route's configuration that depends on the media type. Envoy says what it will
// do, so that nobody has to find it out again.
func (c *conn) unread() bool {
	p := c.pending.GetProtocolConfig()
	return p != nil && p.GetRequestBodyMode() == filterv3.ProcessingMode_NONE && !c.pending.GetRequestHeaders().GetEndOfStream()
}

// requestBody returns the buffered body, nil if the head ended the request.
func (c *conn) requestBody() ([]byte, error) {
	if c.pending.GetRequestHeaders().GetEndOfStream() {
		return nil, nil
	}
	if err := c.reply(&extproc.CommonResponse{}); err != nil {
		return nil, err
	}
	if err := c.recv(); err != nil {
		return nil, err
	}
	if c.pending.GetResponseHeaders() != nil {
		c.first = c.pending
		return nil, errResponse
	}
	b := c.pending.GetRequestBody()
	if b == nil {
		return nil, c.unexpected("request body")
	}
	return b.GetBody(), nil
}

func (c *conn) responseHead() error {
	if err := c.recv(); err != nil {
		return err
	}
	if c.pending.GetResponseHeaders() == nil {
		return c.unexpected("response headers")
	}
	c.first = c.pending
	return nil
}

// responseChunk returns the next piece of the body. The end may come as a last
// chunk or, where a filter added trailers, as these.
func (c *conn) responseChunk() (p []byte, eos bool, err error) {
	if err := c.recv(); err != nil {
		return nil, false, err
	}
	if c.pending.GetResponseTrailers() != nil {
		return nil, true, nil
	}
	b := c.pending.GetResponseBody()
	if b == nil {
		return nil, false, c.unexpected("response body")
	}
	return b.GetBody(), b.GetEndOfStream(), nil
}

// head returns the headers of the message that began this half of the
// conversation.
func (c *conn) head() []llm.Header {
	m := c.first.GetRequestHeaders()
	if r := c.first.GetResponseHeaders(); r != nil {
		m = r
	}
	list := m.GetHeaders().GetHeaders()
	hs := make([]llm.Header, len(list))
	for i, h := range list {
		hs[i] = llm.Header{Name: h.GetKey(), Value: text(h)}
	}
	return hs
}

func text(h *corev3.HeaderValue) string {
	if len(h.GetRawValue()) > 0 {
		return string(h.GetRawValue())
	}
	return h.GetValue()
}

// status is the response's status, 0 if Envoy did not say.
func (c *conn) status() int {
	for _, h := range c.first.GetResponseHeaders().GetHeaders().GetHeaders() {
		if h.GetKey() == ":status" {
			n, _ := strconv.Atoi(text(h))
			return n
		}
	}
	return 0
}

// attributeKey is where Envoy puts attributes, whatever the filter is called.
const attributeKey = "envoy.filters.http.ext_proc"

// fromProvider reports whether a provider made the response. Envoy's own have
// a cluster's name as well, so the details tell.
func (c *conn) fromProvider() bool { return c.details() == "via_upstream" }

// details is why the response has its status.
func (c *conn) details() string {
	return c.first.GetAttributes()[attributeKey].GetFields()["response.code_details"].GetStringValue()
}

// attempt counts from 1.
func (c *conn) attempt() int {
	return int(c.first.GetAttributes()[attributeKey].GetFields()["upstream.request_attempt_count"].GetNumberValue())
}

func (c *conn) cluster() string {
	return c.first.GetAttributes()[attributeKey].GetFields()["xds.cluster_name"].GetStringValue()
}

// exchangeNamespace is the dynamic metadata by which the downstream filter tells
// the upstream filters which exchange an attempt belongs to. Headers would not
// do: all attempts share one header map, and a client can forge them.
const exchangeNamespace = "attache.exchange"

func (c *conn) exchangeID() string {
	return c.first.GetMetadataContext().GetFilterMetadata()[exchangeNamespace].GetFields()["id"].GetStringValue()
}

// panicked answers for a goroutine that panicked. The client gets an error if
// it has nothing yet, otherwise Envoy breaks off its response.
func (c *conn) panicked(cause any) error {
	if c.exchange == nil {
		return status.Error(codes.Internal, "ext_proc: panic")
	}
	answer := c.exchange.Panicked(cause)
	if c.begun || c.pending == nil {
		return status.Error(codes.Internal, "ext_proc: panic")
	}
	if c.pending.GetRequestHeaders() == nil && c.pending.GetRequestBody() == nil {
		return c.replace(answer)
	}
	return c.answer(answer)
}

var errNoReply = fmt.Errorf("ext_proc: no message is waiting for a reply")
