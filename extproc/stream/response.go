package stream

import (
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	aiv3 "github.com/envoyproxy/go-control-plane/envoy/data/ai/v3"
	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/protobuf/proto"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

var (
	// fullDuplex makes Envoy send the response's body and take what we send
	// back, each in its own time. The trailers belong to it.
	fullDuplex = &filterv3.ProcessingMode{
		ResponseHeaderMode:  filterv3.ProcessingMode_SEND,
		ResponseBodyMode:    filterv3.ProcessingMode_FULL_DUPLEX_STREAMED,
		ResponseTrailerMode: filterv3.ProcessingMode_SEND,
	}
	// noMore is for a response that there is nothing more to learn of.
	noMore = &filterv3.ProcessingMode{
		ResponseHeaderMode:  filterv3.ProcessingMode_SEND,
		ResponseTrailerMode: filterv3.ProcessingMode_SKIP,
	}
	// buffered makes Envoy hold the headers until it has sent the whole body
	// and got the answer to it.
	buffered = &filterv3.ProcessingMode{
		ResponseHeaderMode:  filterv3.ProcessingMode_SEND,
		ResponseBodyMode:    filterv3.ProcessingMode_BUFFERED,
		ResponseTrailerMode: filterv3.ProcessingMode_SKIP,
	}
)

// empty reports whether the response has no body.
func (c *conn) empty() bool { return c.first.GetResponseHeaders().GetEndOfStream() }

// replyHead answers the response's headers and, with a mode, asks for the body.
func (c *conn) replyHead(h *gateway.ResponseHead, mode *filterv3.ProcessingMode) error {
	c.begun = mode != buffered
	if c.pending.GetResponseHeaders() != nil {
		c.pending = nil
	}
	return c.rpc.Send(&extproc.ProcessingResponse{
		ModeOverride: mode,
		Response: &extproc.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extproc.HeadersResponse{
			Response: &extproc.CommonResponse{HeaderMutation: mutation(h)},
		}},
	})
}

// replyChunk sends bytes of a body in full duplex. Where Envoy has said the end
// with trailers, so do we. Nothing to say is no message, but at the end.
func (c *conn) replyChunk(p []byte, end bool) error {
	trailers := c.pending.GetResponseTrailers() != nil
	c.pending = nil
	if len(p) > 0 || end && !trailers {
		err := c.rpc.Send(&extproc.ProcessingResponse{Response: &extproc.ProcessingResponse_ResponseBody{ResponseBody: &extproc.BodyResponse{
			Response: &extproc.CommonResponse{BodyMutation: &extproc.BodyMutation{Mutation: &extproc.BodyMutation_StreamedResponse{
				StreamedResponse: &extproc.StreamedBodyResponse{Body: p, EndOfStream: end && !trailers},
			}}},
		}}})
		if err != nil {
			return err
		}
	}
	if trailers {
		return c.replyTrailers()
	}
	return nil
}

func (c *conn) replyTrailers() error {
	c.pending = nil
	return c.rpc.Send(&extproc.ProcessingResponse{Response: &extproc.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extproc.TrailersResponse{}}})
}

// replyWhole answers a body that came in one piece, or the headers of a
// response without one.
func (c *conn) replyWhole(out gateway.Output) error {
	c.begun = true
	common := &extproc.CommonResponse{HeaderMutation: mutation(out.Head), BodyMutation: body(out.Body)}
	if c.pending.GetResponseHeaders() != nil {
		common.Status = extproc.CommonResponse_CONTINUE_AND_REPLACE
	} else {
		common.HeaderMutation.SetHeaders = append(common.HeaderMutation.SetHeaders, overwrite("content-length", strconv.Itoa(len(out.Body))))
	}
	return c.reply(common)
}

func body(p []byte) *extproc.BodyMutation {
	return &extproc.BodyMutation{Mutation: &extproc.BodyMutation_Body{Body: p}}
}

func mutation(h *gateway.ResponseHead) *extproc.HeaderMutation {
	m := set(h.Set, h.Remove)
	if h.Status != 0 {
		m.SetHeaders = append(m.SetHeaders, overwrite(":status", strconv.Itoa(h.Status)))
	}
	return m
}

// set makes a mutation that removes headers and then sets others.
func set(hs []llm.Header, remove []string) *extproc.HeaderMutation {
	m := &extproc.HeaderMutation{RemoveHeaders: remove, SetHeaders: make([]*corev3.HeaderValueOption, 0, len(hs)+1)}
	for _, h := range hs {
		m.SetHeaders = append(m.SetHeaders, overwrite(h.Name, h.Value))
	}
	return m
}

func overwrite(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		Header:       &corev3.HeaderValue{Key: name, RawValue: []byte(value)},
	}
}

// usageNamespace is where Envoy's AI protocol manager puts what it read.
const usageNamespace = "envoy.ai.token_usage"

// read reports whether the message brings what Envoy read out of the response.
func read(m *extproc.ProcessingRequest) bool {
	_, ok := m.GetMetadataContext().GetTypedFilterMetadata()[usageNamespace]
	return ok
}

// book passes on what Envoy read out of a response that has come to its end. Of
// one that was cut it has read a part, where it noticed.
func book(m *extproc.ProcessingRequest, x *gateway.Exchange) {
	var u aiv3.TokenUsage
	status := aiv3.TokenUsage_FAILED
	if packed, ok := m.GetMetadataContext().GetTypedFilterMetadata()[usageNamespace]; ok && proto.Unmarshal(packed.GetValue(), &u) == nil {
		status = u.GetExtractionStatus()
	}
	if status != aiv3.TokenUsage_PARTIAL {
		x.Done()
	}
	if status != aiv3.TokenUsage_FAILED {
		x.Usage(usage(&u))
	}
}

func usage(u *aiv3.TokenUsage) llm.Usage {
	in, out := u.GetInputTokenDetails(), u.GetOutputTokenDetails()
	return llm.Usage{
		Input:      int64(u.GetInputTokens().GetValue()),
		CacheRead:  int64(in.GetCachedTokens().GetValue()),
		CacheWrite: int64(in.GetCacheCreationTokens().GetValue()),
		Output:     int64(u.GetOutputTokens().GetValue()),
		Reasoning:  int64(out.GetReasoningTokens().GetValue()),
	}
}
