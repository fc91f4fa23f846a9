package gateway

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// An Exchange is one client request's life. Its methods are called in order:
// Decide, Attempt once per attempt that goes to a retry cluster, Respond or
// LocalReply, Chunk until the end of the stream, Close. Attempt runs on other
// goroutines than the rest; what it shares with them is behind the mutex.
type Exchange struct {
	ID string

	gw     *Gateway
	front  front
	wire   dialect.Dialect // of the client
	head   *Head
	caller Caller
	rules  *Rules
	policy Policy // that decides
	shadow Shadow // nil: none looks on
	record Record

	mu       sync.Mutex
	req      *llm.Request // nil once the response has begun and no attempt can follow
	plan     *plan
	attempts []Attempt
	try      try
	probe    *target      // half open, and ours to probe
	why      *Explanation // nil: nobody wants to know

	tried         int // attempts until the response began
	resp          *response
	checks        *checks   // by guards; nil: none was asked yet
	guards        *guarding // of the response; nil: none
	decision      Decision  // of the policy
	keeping       *keeping  // of the response, for the cache; nil: it is not kept
	decided       *Decided  // nil: the policy was not asked, or nobody wants to know
	booked        *booking  // of limits; nil: nothing is
	reviewed      *Decided  // after the response; nil: the same
	inputEstimate int64     // tokens
}

// open begins an exchange. An answer means that the request ends here, before
// its body is read; Close is due all the same.
func (g *Gateway) open(h *Head) (*Exchange, *llm.Answer) {
	f, err := frontOf(h)
	path, _ := h.path()
	start := g.now()
	x := &Exchange{ID: newID(start), gw: g, front: f, wire: g.dialects[f.dialect], head: h}
	x.record = Record{
		ID: x.ID, Start: start, Dialect: f.dialect, Op: f.op, Path: clip(path),
		User:       clip(h.first(userHeaders[:]...)),
		Session:    clip(h.first(sessionHeaders[:]...)),
		Properties: h.properties(),
	}
	x.rules = g.rules.Load()
	x.policy = x.rules.Policy
	if err == nil && h.Unread && f.op != llm.OpForward {
		err = &llm.Error{Status: 415, Code: llm.CodeInvalidRequest, Message: "the content type must be application/json"}
	}
	if err == nil {
		err = x.authenticate()
		x.rules.assign(x)
	}
	x.record.Revision = x.policy.Revision()
	if err == nil {
		err = x.askedWhy()
	}
	if n, perr := strconv.ParseInt(h.Get("content-length"), 10, 64); err == nil && perr == nil && g.tooLarge(n) && !h.Unread {
		err = errTooLarge()
	}
	if err == nil {
		return x, nil
	}
	a := x.refuse(err)
	if err.Status == 405 {
		a.Header = append(a.Header, llm.Header{Name: "allow", Value: f.method})
	}
	return x, a
}

// authenticate finds out who calls. What the client is not told of the reason why
// it may not is in the record.
func (x *Exchange) authenticate() *llm.Error {
	caller, err := x.gw.auth.Authenticate(x.head.key(), x.record.Start)
	x.caller, x.record.Caller = caller, caller
	e := refusal(err)
	if e != nil && err != error(e) {
		x.record.Detail = err.Error()
	}
	return e
}

// tooLarge reports whether a request's body has more bytes than are allowed.
func (g *Gateway) tooLarge(n int64) bool { return g.maxRequest > 0 && n > g.maxRequest }

func errTooLarge() *llm.Error {
	return &llm.Error{Status: 413, Code: llm.CodeTooLarge, Message: "the request is larger than the gateway allows"}
}

// maxName bounds what of a client's own words gets into records, in bytes.
const maxName = 1024

func clip(s string) string { return s[:min(len(s), maxName)] }

// newID returns 128 random bits, since who knows an exchange's ID may take part
// in it, behind the second of its start: IDs in the order of time cost a
// database's index the least.
func newID(start time.Time) string {
	var b [20]byte
	binary.BigEndian.PutUint32(b[:], uint32(start.Unix()))
	_, _ = rand.Read(b[4:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

// refuse writes an error as the answer and into the record.
func (x *Exchange) refuse(e *llm.Error) *llm.Answer {
	x.record.Status, x.record.Code = e.Status, e.Code
	a := &llm.Answer{Status: e.Status, Type: "application/json", Header: append(x.ownHeaders(), retryAfter(e, nil)...), Body: x.wire.EncodeError(e)}
	if e.Code == llm.CodeQuota {
		a.Header = append(a.Header, llm.Header{Name: "x-should-retry", Value: "false"})
	}
	return a
}

// fail answers for an error. One that the client may see is its own fault. Of
// something broken it learns the code and nothing else; the record says what
// happened.
func (x *Exchange) fail(code string, err error) *llm.Answer {
	var e *llm.Error
	if errors.As(err, &e) {
		return x.refuse(e)
	}
	x.record.Detail = err.Error()
	return x.refuse(&llm.Error{Status: 500, Code: code, Message: "the gateway could not handle this request"})
}

// Panicked notes that code of the gateway panicked and returns the answer for
// a client that has none yet.
func (x *Exchange) Panicked(cause any) *llm.Answer {
	return x.fail(llm.CodeInternal, &panicError{cause, debug.Stack()})
}

// A panicError keeps where a panic came from for the record's detail.
type panicError struct {
	cause any
	stack []byte
}

func (e *panicError) Error() string { return "panic: " + formatCause(e.cause) + "\n" + string(e.stack) }

// formatCause prints a panic's cause if it cannot hold a client's text.
func formatCause(cause any) string {
	if err, ok := cause.(interface {
		RuntimeError()
		Error() string
	}); ok {
		return err.Error()
	}
	return "see the stack"
}

// Close ends the exchange, whatever became of it, and hands out its record. gone
// says that the stream to Envoy broke off.
func (x *Exchange) Close(gone bool) {
	r := &x.record
	r.Duration = x.gw.now().Sub(r.Start)
	x.mu.Lock()
	x.settle(gone)
	r.Attempts = x.attempts
	x.leave()
	if x.probe != nil { // it was not tried after all
		x.gw.health.release(x.probe.place())
	}
	x.req, x.plan = nil, nil
	x.mu.Unlock()
	x.heard()
	x.review()
	x.store()
	r.redact()
	x.report()
	x.gw.release()
}

// report hands out the record, as a copy: whoever keeps it for a while must not
// keep the exchange with it, and the prompt in that.
func (x *Exchange) report() {
	r := new(Record)
	*r = x.record
	for _, s := range x.gw.sinks {
		s.Record(r)
	}
	if x.decided != nil && x.gw.decisions != nil {
		x.decided.Record, x.decided.Facts.Record = r, r
		x.gw.decisions.Decided(x.decided)
	}
	if x.reviewed != nil {
		x.reviewed.Record = r
		x.gw.decisions.Decided(x.reviewed)
	}
}

// headerTime reads a header with a duration, as 5s or a number of milliseconds.
func headerTime(v string) (time.Duration, bool) {
	if v == "" {
		return 0, false
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		d, err = time.ParseDuration(v + "ms")
	}
	return d, err == nil && d > 0
}
