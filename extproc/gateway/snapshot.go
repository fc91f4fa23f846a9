package gateway

import (
	"errors"
	"sync/atomic"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Holder hands out the snapshot that is in force. Snapshots that are not any
// more live on until their last exchange has ended.
type Holder struct{ current atomic.Pointer[Gateway] }

// NewHolder returns a Holder of g.
func NewHolder(g *Gateway) *Holder {
	h := &Holder{}
	h.current.Store(g)
	return h
}

// Swap puts g in force.
func (h *Holder) Swap(g *Gateway) { h.current.Swap(g).release() }

// Current returns the snapshot in force, to look at.
func (h *Holder) Current() *Gateway { return h.current.Load() }

// Open begins an exchange on the snapshot in force.
func (h *Holder) Open(head *Head) (*Exchange, *llm.Answer) {
	for {
		// A snapshot that was replaced in the meantime may be gone already.
		if g := h.current.Load(); g.acquire() {
			return g.open(head)
		}
	}
}

// acquire counts one more user, unless there is none left.
func (g *Gateway) acquire() bool {
	for {
		n := g.users.Load()
		if n == 0 {
			return false
		}
		if g.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release counts one user less. The last one frees what the snapshot holds.
func (g *Gateway) release() {
	if g.users.Add(-1) == 0 && g.free != nil {
		g.free()
	}
}

// Close takes the snapshot out of force. Open must not be called any more.
func (h *Holder) Close() { h.current.Load().Close() }

// Close ends the use of a snapshot by whoever built it. It is freed when its
// last exchange has ended.
func (g *Gateway) Close() { g.release() }

// Revision names the policy in force.
func (g *Gateway) Revision() string { return g.rules.Load().Policy.Revision() }

// Identify returns the owner of a key, as exchanges do.
func (g *Gateway) Identify(key Secret) (Caller, *llm.Error) {
	c, err := g.auth.Authenticate(key, g.now())
	return c, refusal(err)
}

// refusal is what a client may see of an error of an Authenticator.
func refusal(err error) *llm.Error {
	var e *llm.Error
	if err != nil && !errors.As(err, &e) {
		e = &llm.Error{Status: 500, Code: llm.CodeInternal, Message: "the gateway could not find out who calls"}
	}
	return e
}
