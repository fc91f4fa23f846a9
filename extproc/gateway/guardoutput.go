package gateway

import (
	"errors"
	"fmt"
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// An OutputGuard is a Guard that looks at responses.
type OutputGuard struct {
	Guard
	AllowOnError bool // what a guard that fails was shown goes to the client
	Asked        bool // it looks only at responses for which the policy asks it
	Full         bool // it sees a stream when that is complete; until then the client gets nothing
	Hold         int  // bytes at the end of a stream's text that wait for what follows: the longest match that is seen whole; 0: DefaultHold
}

// DefaultHold is 64 bytes, which are about 16 tokens.
const DefaultHold = 64

func (g *OutputGuard) hold() int {
	if g.Hold == 0 {
		return DefaultHold
	}
	return g.Hold
}

// outputGuards are the guards that look at the response. Where they are, its
// bytes do not stay in Envoy.
func (x *Exchange) outputGuards(op llm.Op) (guards []*OutputGuard) {
	if op != llm.OpChat { // other responses have no text
		return nil
	}
	return x.wanted()
}

// wanted are the guards that look at what is written in response to this request.
func (x *Exchange) wanted() (guards []*OutputGuard) {
	for i := range x.gw.outputGuards {
		g := &x.gw.outputGuards[i]
		if !g.Asked || slices.Contains(x.decision.OutputGuards, g.Name()) {
			guards = append(guards, g)
		}
	}
	return guards
}

// unseen refuses a request whose response guards would have to look at and cannot
// read.
func (x *Exchange) unseen(r *llm.Request) *llm.Error {
	if r.Op != llm.OpForward || x.gw.forward.Unguarded || len(x.wanted()) == 0 {
		return nil
	}
	return llm.Unsupported("", "guards cannot read the responses of this path")
}

// A guarding is the guards' part in one response.
type guarding struct {
	windows []*window // in the guards' order: later ones see what earlier ones redacted
	free    []*passage
	altered bool // the client does not get what the provider sent
	over    bool // the response has ended, whatever the provider still sends
}

// newGuarding readies guards for a response that goes on to out.
func (x *Exchange) newGuarding(guards []*OutputGuard, model string, stream bool, out func(*passage) error) *guarding {
	g := &guarding{}
	next := func(p *passage) error {
		g.altered = g.altered || p.changed
		err := out(p)
		g.free = append(g.free, p)
		return err
	}
	for _, guard := range slices.Backward(guards) {
		w := &window{guard: guard, whole: guard.Full || !stream, limit: x.gw.maxResponse, now: x.gw.now, next: next, checked: x.gw.now()}
		w.text = Text{RequestID: x.ID, Model: model, Tenant: tenant(&x.caller)}
		g.windows = append(g.windows, w)
		next = w.take
	}
	slices.Reverse(g.windows)
	return g
}

// take shows a frame to the guards. It keeps nothing of f.
func (g *guarding) take(f dialect.Frame) error {
	if g.over && len(f.Events) == 0 { // what is behind the end is not read, so that nobody has looked at it
		return nil
	}
	if len(g.free) == 0 {
		g.free = append(g.free, &passage{})
	}
	n := len(g.free) - 1
	p := g.free[n]
	g.free = g.free[:n]
	*p = passage{raw: append(p.raw[:0], f.Raw...), events: append(p.events[:0], f.Events...)}
	for i := range p.events {
		if e := &p.events[i]; e.Raw != nil || e.Logprobs != nil || e.Citation != nil || e.Media != nil {
			*e = cloneEvent(e)
		}
	}
	g.over = g.over || slices.ContainsFunc(p.events, func(e llm.Event) bool { return e.Kind == llm.EventEnd || e.Kind == llm.EventError })
	return g.held(g.windows[0].take(p))
}

// understood leaves out the end of a stream that breaks off inside an event: nobody
// read it, and the guards would not have either.
func understood(frames []dialect.Frame) []dialect.Frame {
	if n := len(frames); n > 0 && (len(frames[n-1].Events) == 0 || onlyPings(frames[n-1].Events)) {
		return frames[:n-1]
	}
	return frames
}

// flush ends a response of which nothing more comes.
func (g *guarding) flush() error {
	for _, w := range g.windows {
		if err := g.held(w.flush()); err != nil {
			return err
		}
	}
	return nil
}

// held notes a response that ends here.
func (g *guarding) held(err error) error {
	g.altered = g.altered || err != nil
	return err
}

// A stopped is the error of a response that a guard did not let through. The client
// gets the answer.
type stopped struct {
	detail string // for operators
	answer *llm.Error
}

func (s *stopped) Error() string { return s.detail }
func (s *stopped) Unwrap() error { return s.answer }

func blockedOutput(name string, v *Verdict) error {
	msg := v.Message
	if msg == "" {
		msg = "the response was blocked by the guard " + name
	}
	return &stopped{"guard " + name + ": " + v.Code, &llm.Error{Status: 403, Code: llm.CodeGuardBlocked, Message: msg}}
}

func brokenOutput(name string, err error) error {
	return &stopped{fmt.Sprintf("guard %s: %v", name, err),
		&llm.Error{Status: 500, Code: llm.CodeGuardError, Message: "a guard could not check the response"}}
}

// guarded puts the guards into the pipeline of a response.
func (x *Exchange) guarded(r *response, guards []*OutputGuard) {
	if len(guards) == 0 {
		return
	}
	x.followed(r)
	r.guards = x.newGuarding(guards, r.model, r.mode == ModeStream, r.passed)
	for _, w := range r.guards.windows {
		w.pings = r.enc != nil
	}
	x.guards = r.guards
}

// passed writes a frame that the guards let through: the provider's bytes as long
// as nothing was changed, and from then on the client's encoder, which has
// followed what went out.
func (r *response) passed(p *passage) error {
	if r.enc == nil && p.changed {
		r.enc, r.twin = r.twin, nil
		if r.mode == ModeWhole { // it says all at the end
			r.out = r.out[:0]
		}
	}
	return r.emit(dialect.Frame{Raw: p.raw, Events: p.events})
}

// heard puts what the guards have said of the response into the record.
func (x *Exchange) heard() {
	if x.guards == nil {
		return
	}
	for _, w := range x.guards.windows {
		w.leave()
		if w.said.Action == "" { // there was no text
			continue
		}
		name := w.guard.Name()
		if x.record.Verdicts == nil {
			x.record.Verdicts = map[string]Action{}
		}
		if stricter(w.said.Action, x.record.Verdicts[name]) {
			x.record.Verdicts[name] = w.said.Action
		}
		for _, what := range w.lost {
			if note := what + ": left out, since a guard redacted the response"; !slices.Contains(x.record.Warnings, note) {
				x.warn(note)
			}
		}
	}
}

// outputVerdicts are what the guards said of the response, by their names.
func (x *Exchange) outputVerdicts() map[string]Verdict {
	if x.guards == nil {
		return nil
	}
	all := map[string]Verdict{}
	for _, w := range x.guards.windows {
		if w.said.Action != "" {
			all[w.guard.Name()] = w.said
		}
	}
	return all
}

// altered reports whether a guard changed or stopped the response, so that it is
// not what the provider said.
func (x *Exchange) altered() bool { return x.guards != nil && x.guards.altered }

// guardKept shows a response from the cache to the guards of this request. They
// need not be those that saw it when it was kept.
func (x *Exchange) guardKept(op llm.Op, model string, events []llm.Event) (passed []llm.Event, refusal *llm.Answer) {
	guards := x.outputGuards(op)
	if len(guards) == 0 {
		return events, nil
	}
	x.guards = x.newGuarding(guards, model, false, func(p *passage) error {
		passed = append(passed, p.events...)
		return nil
	})
	err := x.guards.take(dialect.Frame{Events: events})
	if err == nil {
		err = x.guards.flush()
	}
	if err != nil {
		var e *llm.Error
		errors.As(err, &e) // the guards' errors are such
		x.record.Detail = err.Error()
		return nil, x.refuse(e)
	}
	x.heard()
	return passed, nil
}
