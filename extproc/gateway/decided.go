package gateway

import (
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// An Entry is a part of the policy that is asked for itself, by its path in OPA.
type Entry string

// The entries.
const (
	EntryRequest  Entry = "attache/request"
	EntryResponse Entry = "attache/response" // about a request that has ended
	EntryAdmin    Entry = "attache/admin"    // about a call of the admin API
)

// Decided is what the policy was asked about a request and what it said, with
// what became of the request. Nobody changes it.
type Decided struct {
	Entry    Entry
	Policy   Policy
	Facts    *Facts
	Decision Decision
	Err      error         // nil: Decision holds
	Took     time.Duration // to decide
	Trace    string        // the client's or Envoy's header traceparent; empty: none
	Record   *Record       // of the exchange, which has ended
}

// Denied reports whether the policy is why the request was refused: by a rule, by
// failing, or by leaving no target. After the response it is whether it failed.
func (d *Decided) Denied() bool {
	if d.Entry == EntryResponse {
		return d.Err != nil
	}
	return d.Err != nil || d.Decision.Deny != nil || d.Record.Code == llm.CodeNoTarget || d.Record.Code == llm.CodePolicyError
}

// keep notes a decision for the rules about the response and for the log of
// decisions, where there are any.
func (x *Exchange) keep(f *Facts, d Decision, err error, took time.Duration) {
	if x.gw.decisions == nil && !x.policy.Reviews() {
		return
	}
	x.decided = &Decided{Entry: EntryRequest, Policy: x.policy, Facts: f, Decision: d, Err: err, Took: took, Trace: x.head.Get("traceparent")}
}

// keepReview notes what the rules about the response said, if one of them holds or
// failed, for the log of decisions.
func (x *Exchange) keepReview(v *Review, err error, took time.Duration) {
	if x.gw.decisions == nil || err == nil && len(v.Rules) == 0 {
		return
	}
	d := *x.decided
	d.Entry, d.Err, d.Took = EntryResponse, err, took
	d.Decision = Decision{Cache: v.Cache, Log: v.Log, Labels: v.Labels, Rules: v.Rules}
	x.reviewed = &d
}

// Refused hands the refusal of a call of the admin API to the log of decisions. d
// is nil if the rules failed.
func (g *Gateway) Refused(p Policy, f *Facts, d *Denial, err error, took time.Duration) {
	if g.decisions == nil {
		return
	}
	r := &Record{ID: newID(f.Now), Start: f.Now, Revision: p.Revision(), Status: 500, Code: llm.CodePolicyError}
	said := Decision{Deny: d}
	if d != nil {
		r.Status, r.Code, r.Rules, said.Rules = d.Status, d.Code, []string{d.Rule}, []string{d.Rule}
	}
	g.decisions.Decided(&Decided{Entry: EntryAdmin, Policy: p, Facts: f, Decision: said, Err: err, Took: took, Record: r})
}
