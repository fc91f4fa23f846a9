package gateway

import (
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// Decided is what the policy was asked about a request and what it said, with
// what became of the request. Nobody changes it.
type Decided struct {
	Policy   Policy
	Facts    *Facts
	Decision Decision
	Err      error         // nil: Decision holds
	Took     time.Duration // to decide
	Trace    string        // the client's or Envoy's header traceparent; empty: none
	Record   *Record       // of the exchange, which has ended
}

// Denied reports whether the policy is why the request was refused: by a rule, by
// failing, or by leaving no target.
func (d *Decided) Denied() bool {
	return d.Err != nil || d.Decision.Deny != nil || d.Record.Code == llm.CodeNoTarget || d.Record.Code == llm.CodePolicyError
}

// keep notes a decision for the rules about the response and for the log of
// decisions, where there are any.
func (x *Exchange) keep(f *Facts, d Decision, err error, took time.Duration) {
	if x.gw.decisions == nil && !x.policy.Reviews() {
		return
	}
	x.decided = &Decided{Policy: x.policy, Facts: f, Decision: d, Err: err, Took: took, Trace: x.head.Get("traceparent")}
}
