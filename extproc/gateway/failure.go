package gateway

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// errorLimit bounds the body of a provider's error that is read, in bytes.
const errorLimit = 256 << 10

// broken ends the response because of a body that is not the dialect's.
func (x *Exchange) broken(err error) Output {
	x.record.Detail = err.Error()
	e := &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider's response could not be read"}
	errors.As(err, &e)
	return x.stop(e)
}

// truncated ends a response that the provider did not finish.
func (x *Exchange) truncated() Output {
	x.record.Truncated = true
	return x.stop(&llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider's response ended before it was complete"})
}

// stop ends the client's response with an error, as the status if there is
// still time, as the last event if not.
func (x *Exchange) stop(e *llm.Error) Output {
	r := x.resp
	x.record.Code = e.Code
	if r.mode == ModeWhole {
		return x.errorOutput(e)
	}
	r.ended = true
	enc := r.enc
	if enc == nil {
		if enc = r.twin; enc == nil {
			enc = x.wire.NewEncoder(r.req)
		}
		if strings.HasPrefix(enc.MediaType(), serverSent) { // the provider's bytes may have ended inside an event
			r.out = append(r.out, "\n\n"...)
		}
	}
	out, err := enc.Encode(r.out, []llm.Event{{Kind: llm.EventError, Err: e}})
	if err != nil {
		x.record.Detail = err.Error()
	}
	return Output{Body: out, End: true}
}

// errorOutput is an error as the whole of the client's response.
func (x *Exchange) errorOutput(e *llm.Error) Output {
	r := x.resp
	r.ended = true
	x.record.Status, x.record.Code = e.Status, e.Code
	r.enc, r.media = nil, "" // they are not the error's
	h := x.responseHead(r, true)
	h.Status = e.Status
	h.Set = append(h.Set, llm.Header{Name: "content-type", Value: "application/json"})
	h.Set = append(h.Set, retryAfter(e, r.head)...)
	return Output{Head: h, Body: x.wire.EncodeError(e), End: true}
}

// retryAfter is the header for what a provider has said in the body alone, in
// whole seconds.
func retryAfter(e *llm.Error, head []llm.Header) []llm.Header {
	if e.RetryAfter <= 0 || value(head, "retry-after") != "" {
		return nil
	}
	seconds := int64((e.RetryAfter + time.Second - 1) / time.Second)
	return []llm.Header{{Name: "retry-after", Value: strconv.FormatInt(seconds, 10)}}
}

// waitIn returns how long a provider's header says to wait, which Google's
// clients look for in the body; 0 if it says nothing, or a date.
func waitIn(head []llm.Header) time.Duration {
	seconds, err := strconv.ParseUint(value(head, "retry-after"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// errorBody passes an error on in the client's format. A provider's refusal of
// our key is not the client's fault.
func (x *Exchange) errorBody(p []byte) Output {
	r := x.resp
	e := r.target.wire.DecodeError(r.status, r.head, p[:min(len(p), errorLimit)])
	if r.cannotCount(e) {
		return x.countInstead()
	}
	if e.RetryAfter == 0 {
		e.RetryAfter = waitIn(r.head)
	}
	if r.status == 401 || r.status == 403 {
		x.record.Detail = fmt.Sprintf("%s refused the gateway's credential with status %d", r.Name, r.status)
		e = &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider refused the gateway's credential"}
	}
	return x.errorOutput(e)
}

// LocalReply returns the answer for a response that Envoy made itself after n
// attempts, for the reason that it gives in its details.
func (x *Exchange) LocalReply(n, status int, details string) *llm.Answer {
	x.record.Detail = "envoy: " + details
	e := &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "no provider could be reached"}
	switch status {
	case 408:
		e = &llm.Error{Status: 408, Code: llm.CodeInvalidRequest, Message: "the request took too long to arrive"}
	case 413:
		e = errTooLarge()
	case 504:
		e = &llm.Error{Status: 504, Code: llm.CodeUpstreamTimeout, Message: "no provider answered in time"}
	}
	x.mu.Lock()
	if x.plan != nil {
		x.reach(min(n, len(x.plan.steps)))
		x.local(status, details)
	}
	x.tried = len(x.attempts)
	x.mu.Unlock()
	return x.refuse(e)
}
