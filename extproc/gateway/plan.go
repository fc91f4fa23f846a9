package gateway

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A plan is the list of attempts that an exchange may make.
type plan struct {
	steps   []step
	watched bool          // each attempt is looked at before the client sees it
	perTry  time.Duration // limit of each attempt; 0: none
	strip   []string
}

// A step is one attempt.
type step struct {
	*target
	cluster string
	wire    *dialect.Wire // the request for the target, if it is ready
}

// An Upstream is the request as one attempt sends it. Headers are removed, then
// set; others stay.
type Upstream struct {
	Set    []llm.Header
	Remove []string
	Body   []byte // nil: as the client sent it
	Length int    // of the body, in bytes
}

// maxAttempts bounds a plan. Envoy 1.39 has as many slots for clusters.
const maxAttempts = 8

// send makes the plan and the request for its first attempt.
func (x *Exchange) send(r *llm.Request, targets []*target, s Settings) (*llm.Answer, *Forward) {
	p := &plan{strip: stripped(x.head)}
	if r.Op == llm.OpForward && r.Body.Raw == nil { // nobody keeps the body, so there is one attempt
		targets, s = targets[:1], Settings{Timeout: s.Timeout}
	}
	var refusal *llm.Answer
	if p.steps, refusal = x.steps(r, targets, s); refusal != nil {
		return refusal, nil
	}
	// Somebody must look before Envoy lets go of the request: for a deadline on
	// the first token, and where there is something to try after a response
	// that turns out to be none.
	chain := len(p.steps) > 1 || s.FirstToken > 0 && r.Stream
	p.watched = chain && r.Op != llm.OpForward // of a response that is not understood only the status counts
	p.perTry = s.perTry(r.Stream)
	f := &Forward{PerTry: p.perTry}
	if !chain {
		p.steps[0].cluster = p.steps[0].Name
	}
	for _, st := range p.steps {
		f.Clusters = append(f.Clusters, st.cluster)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.req, x.plan = r, p
	if chain {
		return nil, f
	}
	up, err := x.attempt(0)
	if err != nil {
		return x.fail(llm.CodeInternal, err), nil
	}
	f.First = up
	return nil, f
}

// steps lists the attempts, or refuses the request if no target can take it.
// What is only so for the moment is said before what is so for ever.
func (x *Exchange) steps(r *llm.Request, targets []*target, s Settings) (steps []step, refusal *llm.Answer) {
	var unready []*target
	var broken error
	leave := x.leaveOut
	if len(targets) == 1 {
		leave = x.why.leave // to the client the refusal says it all
	}
	for i, t := range targets {
		if len(steps) == maxAttempts {
			break
		}
		if t.ready() != nil {
			unready = append(unready, t)
			leave(t, "no valid credential")
			continue
		}
		wire, err := x.ready(r, t, i)
		if err != nil {
			broken = err
			leave(t, clientMessage(err))
			continue
		}
		for range min(s.Retries+1, maxAttempts-len(steps)) {
			steps = append(steps, step{target: t, cluster: RetryCluster(t.Name), wire: wire})
		}
	}
	switch {
	case len(steps) > 0:
		return steps, nil
	case len(unready) > 0:
		return nil, x.noCredential(unready)
	}
	return nil, x.fail(llm.CodeInternal, broken)
}

// ready writes the request for a target of another dialect, because that may
// not be possible: a target that cannot take the request must be known before
// the first attempt. For the client's own dialect that always works, so it
// waits until the attempt.
func (x *Exchange) ready(r *llm.Request, t *target, i int) (*dialect.Wire, error) {
	if t.Dialect == r.Dialect && i > 0 && r.Op != llm.OpForward {
		return nil, nil
	}
	return x.encode(r, t)
}

func (x *Exchange) targetOf(r *llm.Request, t *target) dialect.Target {
	return dialect.Target{
		Model: t.model, Rules: t.rules,
		AskUsage: r.Stream && !r.StreamUsage && r.Op == llm.OpChat,
	}
}

// perTry is the limit that Envoy puts on one attempt. For a watched stream it
// runs until the first content, otherwise until the response headers.
func (s Settings) perTry(stream bool) time.Duration {
	if stream && s.FirstToken > 0 {
		return s.FirstToken
	}
	return s.Timeout
}

// Attempt returns the request for attempt n, counted from 1, which Envoy is
// about to send to the cluster, and a Watch if somebody must look at the
// response first.
func (x *Exchange) Attempt(n int, cluster string) (*Upstream, *Watch, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.plan == nil || x.resp != nil || n < 1 || n > len(x.plan.steps) || x.plan.steps[n-1].cluster != cluster {
		return nil, nil, fmt.Errorf("gateway: attempt %d on %s is not in the plan", n, cluster)
	}
	up, err := x.attempt(n - 1)
	if err != nil {
		return nil, nil, err
	}
	if !x.plan.watched {
		return up, nil, nil
	}
	return up, &Watch{x: x, n: n, step: x.plan.steps[n-1], op: x.req.Op, limit: x.gw.maxResponse}, nil
}

// attempt writes attempt i. The caller holds the mutex.
func (x *Exchange) attempt(i int) (*Upstream, error) {
	st := &x.plan.steps[i]
	if st.wire == nil {
		wire, err := x.encode(x.req, st.target)
		if err != nil {
			return nil, fmt.Errorf("gateway: %s: %w", st.target, err)
		}
		st.wire = wire
	}
	up, err := x.upstream(st)
	if err != nil {
		return nil, fmt.Errorf("gateway: %s: %w", st.target, err)
	}
	x.reach(i + 1)
	return up, nil
}

func (x *Exchange) upstream(st *step) (*Upstream, error) {
	up := &Upstream{Remove: slices.Grow(slices.Clone(x.plan.strip), len(x.gw.credentials)+len(dialectHeaders))}
	up.Set = append(up.Set,
		llm.Header{Name: ":path", Value: st.BasePath + st.wire.Path},
		llm.Header{Name: ":authority", Value: st.Host},
		llm.Header{Name: "accept-encoding", Value: "identity"})
	if x.req.Op != llm.OpForward {
		up.Set = append(up.Set, llm.Header{Name: "content-type", Value: "application/json"})
	}
	up.Set = append(up.Set, st.wire.Header...)
	up.Set, up.Remove = x.decision.changed(false, up.Set, up.Remove)
	if c := st.Credential; c != nil {
		hs, err := c.Headers(x.outgoing(up.Set, st.wire.Body))
		if err != nil {
			return nil, err
		}
		up.Set = append(up.Set, hs...)
	}
	for _, names := range [...][]string{x.gw.credentials, dialectHeaders[:]} {
		for _, name := range names {
			if !sets(up.Set, name) {
				up.Remove = append(up.Remove, name)
			}
		}
	}
	up.Length = len(st.wire.Body)
	if !same(st.wire.Body, x.req.Body.Raw) {
		up.Body = st.wire.Body
	}
	return up, nil
}

// same reports whether two slices are one and the same, as those of a body that
// a dialect had nothing to change in.
func same(a, b []byte) bool { return len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b) }

func sets(hs []llm.Header, name string) bool {
	for _, h := range hs {
		if h.Name == name {
			return true
		}
	}
	return false
}

func (x *Exchange) warn(w string) { x.record.Warnings = append(x.record.Warnings, w) }

// clientMessage is what a client may read of an error.
func clientMessage(err error) string {
	var e *llm.Error
	if errors.As(err, &e) {
		return e.Error()
	}
	return "internal error"
}
