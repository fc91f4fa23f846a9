package stream

import (
	"strconv"

	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// reply answers the pending message.
func (c *conn) reply(common *extproc.CommonResponse) error {
	return c.send(&extproc.ProcessingResponse{}, common)
}

// send completes r with the wrapper that the pending message asks for.
func (c *conn) send(r *extproc.ProcessingResponse, common *extproc.CommonResponse) error {
	headers := &extproc.HeadersResponse{Response: common}
	switch c.pending.GetRequest().(type) {
	case *extproc.ProcessingRequest_RequestHeaders:
		r.Response = &extproc.ProcessingResponse_RequestHeaders{RequestHeaders: headers}
	case *extproc.ProcessingRequest_RequestBody:
		r.Response = &extproc.ProcessingResponse_RequestBody{RequestBody: &extproc.BodyResponse{Response: common}}
	case *extproc.ProcessingRequest_ResponseHeaders:
		r.Response = &extproc.ProcessingResponse_ResponseHeaders{ResponseHeaders: headers}
	case *extproc.ProcessingRequest_ResponseBody:
		r.Response = &extproc.ProcessingResponse_ResponseBody{ResponseBody: &extproc.BodyResponse{Response: common}}
	default:
		return errNoReply
	}
	c.pending = nil
	return c.rpc.Send(r)
}

// answerDetails keeps Envoy from writing its own body over ours: the rendered
// configuration names it.
const answerDetails = "attache"

// answer replies to a message of the request with a complete response.
func (c *conn) answer(a *llm.Answer) error {
	c.pending, c.begun = nil, true
	return c.rpc.Send(&extproc.ProcessingResponse{Response: &extproc.ProcessingResponse_ImmediateResponse{
		ImmediateResponse: &extproc.ImmediateResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(a.Status)},
			Headers: set(append([]llm.Header{{Name: "content-type", Value: a.Type}}, a.Header...), nil),
			Body:    a.Body,
			Details: answerDetails,
		}}})
}

// replace answers the headers of a response with another response.
func (c *conn) replace(a *llm.Answer) error {
	c.begun = true
	hs := append([]llm.Header{{Name: ":status", Value: strconv.Itoa(a.Status)}, {Name: "content-type", Value: a.Type}}, a.Header...)
	return c.reply(&extproc.CommonResponse{
		Status:         extproc.CommonResponse_CONTINUE_AND_REPLACE,
		HeaderMutation: set(hs, []string{"content-length"}),
		BodyMutation:   body(a.Body),
	})
}

// forward answers the request's body, or its headers if nobody reads that:
// where its attempts go and, if the first one does not ask for itself, what it
// sends.
func (c *conn) forward(id string, f *gateway.Forward, slots bool) error {
	common := &extproc.CommonResponse{ClearRouteCache: true}
	var hs []llm.Header
	var remove []string
	if up := f.First; up != nil {
		hs, remove = append(hs, up.Set...), up.Remove
		if up.Body != nil {
			hs = append(hs, llm.Header{Name: "content-length", Value: strconv.Itoa(up.Length)})
			common.BodyMutation = body(up.Body)
		}
	}
	if n := len(f.Clusters) - 1; n > 0 {
		hs = append(hs, llm.Header{Name: "x-envoy-max-retries", Value: strconv.Itoa(n)})
	}
	if f.PerTry > 0 {
		hs = append(hs, llm.Header{Name: "x-envoy-upstream-rq-per-try-timeout-ms", Value: strconv.FormatInt(max(f.PerTry.Milliseconds(), 1), 10)})
	}
	r := &extproc.ProcessingResponse{}
	if f.First != nil && !slots { // one attempt: a header costs less than metadata
		hs = append(hs, llm.Header{Name: "x-attache-try-only", Value: f.Clusters[0]})
	} else {
		r.DynamicMetadata = route(id, f.Clusters)
	}
	if slots {
		for i, cluster := range f.Clusters {
			hs = append(hs, llm.Header{Name: "x-attache-try-" + strconv.Itoa(i+1), Value: cluster})
		}
	}
	common.HeaderMutation = set(hs, remove)
	return c.send(r, common)
}

// route is the chain in the form of Envoy's priority_group cluster specifier,
// which takes group N for attempt N.
func route(id string, clusters []string) *structpb.Struct {
	groups := make([]*structpb.Value, len(clusters))
	for i, name := range clusters {
		cluster := object("cluster_name", structpb.NewStringValue(name), "weight", structpb.NewNumberValue(1))
		groups[i] = object(
			"name", structpb.NewStringValue(strconv.Itoa(i+1)),
			"clusters", structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{cluster}}))
	}
	list := structpb.NewListValue(&structpb.ListValue{Values: groups})
	return object(
		"attache.route", object("priority_groups", list),
		exchangeNamespace, object("id", structpb.NewStringValue(id)),
	).GetStructValue()
}

// object makes a value of name and value in turn.
func object(kv ...any) *structpb.Value {
	fields := make(map[string]*structpb.Value, len(kv)/2)
	for i := 0; i < len(kv); i += 2 {
		fields[kv[i].(string)] = kv[i+1].(*structpb.Value)
	}
	return structpb.NewStructValue(&structpb.Struct{Fields: fields})
}

// replyAttempt answers the request headers of an attempt.
func (c *conn) replyAttempt(up *gateway.Upstream, watched bool) error {
	// Behind this filter another writes the content-length from this header:
	// ext_proc itself would send a replaced body in chunks.
	hs := append(up.Set[:len(up.Set):len(up.Set)], llm.Header{Name: "x-attache-length", Value: strconv.Itoa(up.Length)})
	common := &extproc.CommonResponse{HeaderMutation: set(hs, up.Remove)}
	if up.Body != nil {
		common.Status = extproc.CommonResponse_CONTINUE_AND_REPLACE
		common.BodyMutation = body(up.Body)
	}
	r := &extproc.ProcessingResponse{}
	if watched {
		r.ModeOverride = fullDuplex
	}
	return c.send(r, common)
}

// failAttempt makes Envoy try the next target: an error status is retried, a
// broken body is not.
func (c *conn) failAttempt(w *gateway.Watch, r gateway.Ruling) error {
	status := r.Fail.Status
	if status != 429 && status < 500 {
		status = 502
	}
	err := c.replyHead(&gateway.ResponseHead{
		Status: status,
		Set:    []llm.Header{{Name: "content-type", Value: "application/json"}},
		Remove: []string{"content-length", "content-encoding"},
	}, nil)
	if err != nil || c.empty() {
		return err
	}
	return c.replyChunk(w.Error(r.Fail), true)
}
