package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A try is the attempt that is under way: Envoy makes one after the other.
type try struct {
	n      int // counted from 1; 0: there was none yet
	target *target
	vitals *vitals
	begun  time.Time
	result result
	row    int64 // failures before it, if it is good
}

type result uint8

const (
	unknown result = iota
	good
	bad
)

// begin notes that the next attempt starts, which means that the one before
// has failed. The caller holds the mutex.
func (x *Exchange) begin(t *target) {
	if x.try.result == unknown {
		x.failed(0)
	}
	x.leave()
	now := x.gw.now()
	x.try = try{n: x.try.n + 1, target: t, begun: now, vitals: x.gw.health.begin(t.place(), now, &x.gw.breaker)}
}

// leave ends the attempt that is under way. The caller holds the mutex.
func (x *Exchange) leave() {
	if x.try.n > 0 {
		x.gw.health.end(x.try.vitals)
	}
	x.probed()
}

// succeeded notes that the response of the attempt is what was asked for, as far
// as it has come. The caller holds the mutex.
func (x *Exchange) succeeded() {
	t := &x.try
	if t.n == 0 || t.result != unknown {
		return
	}
	t.result = good
	t.row = x.gw.health.succeeded(t.vitals, x.outcome(x.gw.now()), &x.gw.breaker)
	x.probed()
}

// outcome is that of the attempt under way at a time.
func (x *Exchange) outcome(now time.Time) outcome {
	return outcome{begun: x.try.begun, now: now, stream: x.record.Stream, timed: x.record.Op != llm.OpCountTokens && x.record.Op != llm.OpForward}
}

// timedOut notes that the attempt under way, which has failed, was given up at its
// deadline. Envoy's clock began a little earlier than ours. The caller holds the
// mutex.
func (x *Exchange) timedOut(now time.Time) {
	if x.plan == nil || x.plan.perTry == 0 {
		return
	}
	if took := now.Sub(x.try.begun); took >= x.plan.perTry-x.plan.perTry/10 {
		x.gw.health.late(x.try.vitals, x.outcome(x.try.begun.Add(max(took, x.plan.perTry))), &x.gw.breaker)
	}
}

// failed notes that the attempt has failed, or that its response broke. The
// caller holds the mutex.
func (x *Exchange) failed(alone time.Duration) {
	t := &x.try
	switch {
	case t.n == 0:
		return
	case t.result == unknown:
		now := x.gw.now()
		x.timedOut(now)
		x.gw.health.failed(t.vitals, now, &x.gw.breaker, alone)
	case t.result == good:
		x.gw.health.spoilt(t.vitals, x.gw.now(), &x.gw.breaker, t.row)
	}
	t.result = bad
	x.probed()
}

// probed ends the claim on a target that was half open. The caller holds the
// mutex.
func (x *Exchange) probed() {
	if x.probe != nil && x.probe == x.try.target {
		x.gw.health.release(x.probe.place())
		x.probe = nil
	}
}

// answered notes the status of the attempt's response. A request that the
// provider finds wrong is not the provider's failure. The caller holds the mutex.
func (x *Exchange) answered(status int, head []llm.Header) {
	if failing(status) {
		x.failed(retryIn(head, x.gw.now()))
	}
}

// failing reports whether a status says that the target, or our account there,
// is not well.
func failing(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// retryIn is how long a provider wants to be left alone; 0: it does not say.
func retryIn(head []llm.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseInt(value(head, "retry-after-ms"), 10, 32); err == nil {
		return time.Duration(max(ms, 0)) * time.Millisecond
	}
	v := value(head, "retry-after")
	if s, err := strconv.ParseInt(v, 10, 32); err == nil {
		return time.Duration(max(s, 0)) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// local notes that Envoy answered after the attempt, for the reason in its
// details: the provider's failure, unless Envoy itself refused.
func (x *Exchange) local(status int, details string) {
	if status != http.StatusRequestTimeout && status != http.StatusRequestEntityTooLarge && !strings.Contains(details, "overflow") {
		x.failed(0)
	}
}

// The same for those who do not hold the mutex.

func (x *Exchange) noteGood() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.succeeded()
}

func (x *Exchange) noteFailed(e *llm.Error) {
	if e != nil && !failing(e.Status) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failed(0)
}

// note is for a Watch, whose attempt may be over already.
func (w *Watch) note(f func()) {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	if w.x.try.n == w.n {
		f()
	}
}
