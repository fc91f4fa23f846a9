package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// consult asks the policy, after the guards whose findings it reads. It returns
// what the policy was shown.
func (x *Exchange) consult(ctx context.Context, r *llm.Request, targets []*target) (*Facts, *llm.Answer) {
	if r.Op != llm.OpModels { // which has no text
		if refusal := x.sense(ctx, r, targets[0]); refusal != nil {
			return nil, refusal
		}
	}
	f := x.facts(r, targets)
	if err := x.left(ctx, f, targets); err != nil {
		return nil, x.fail(llm.CodeInternal, err)
	}
	x.reason(ctx, f)
	begun := x.gw.now()
	d, err := x.policy.Decide(ctx, f)
	took := x.gw.now().Sub(begun)
	if err == nil {
		err = x.gw.foreign(d.Headers)
	}
	x.record.Policy = PolicyUse{Asked: x.policy.Revision() != "", Took: took, Denied: d.Deny != nil}
	x.keep(f, d, err, took)
	if x.shadow != nil {
		x.shadow.Compare(x.ID, f, &d, err)
	}
	if err != nil {
		x.record.Policy.failed(err)
		return nil, x.fail(llm.CodePolicyError, fmt.Errorf("policy: %w", err))
	}
	x.decision = d
	x.record.Rules, x.record.Labels, x.record.Log = d.Rules, d.Labels, d.Log
	return f, x.denied(d.Deny)
}

// denied is the answer to a request that the policy denies; nil if it does not.
func (x *Exchange) denied(d *Denial) *llm.Answer {
	if d == nil {
		return nil
	}
	answer := x.refuse(&llm.Error{Status: d.Status, Code: d.Code, Message: cmp.Or(d.Message, noReason)})
	if d.RetryAfterS > 0 {
		answer.Header = append(answer.Header, llm.Header{Name: "retry-after", Value: fmt.Sprint(d.RetryAfterS)})
	}
	return answer
}

// consultAgain shows targets that the decision brought in to a policy that looks
// at candidates, which saw only those that were asked for. Of what it says now
// denials, constraints, limits, guards and a cache that is off count, and nothing
// that would bring in others.
func (x *Exchange) consultAgain(ctx context.Context, f *Facts, targets []*target) *llm.Answer {
	if !x.policy.Reads("candidates") {
		return nil
	}
	seen := *f
	seen.Candidates = x.gw.candidates(targets)
	if err := x.left(ctx, &seen, targets); err != nil {
		return x.fail(llm.CodeInternal, err)
	}
	begun := x.gw.now()
	more, err := x.policy.Decide(ctx, &seen)
	x.record.Policy.Took += x.gw.now().Sub(begun)
	if err != nil {
		x.keep(&seen, more, err, x.record.Policy.Took)
		x.record.Policy.failed(err)
		return x.fail(llm.CodePolicyError, fmt.Errorf("policy: targets that it brought in: %w", err))
	}
	d := &x.decision // whose lists may belong to others
	d.Require, d.Exclude = slices.Concat(d.Require, more.Require), slices.Concat(d.Exclude, more.Exclude)
	d.Guards, d.OutputGuards = joined(d.Guards, more.Guards), joined(d.OutputGuards, more.OutputGuards)
	if more.Cache != nil && more.Cache.Mode == CacheOff {
		d.Cache = more.Cache
	}
	d.tighten(more.Limits)
	x.record.Rules = d.Rules
	if d.Deny = more.Deny; d.Deny == nil {
		return nil
	}
	d.Rules = more.Rules
	x.record.Rules, x.record.Policy.Denied = d.Rules, true
	x.keep(&seen, *d, nil, x.record.Policy.Took)
	return x.denied(d.Deny)
}

// joined returns a list with what of another it does not have.
func joined(list, more []string) []string {
	all := slices.Clip(list)
	for _, s := range more {
		if !slices.Contains(list, s) {
			all = append(all, s)
		}
	}
	return all
}

// noReason is what a client reads where a rule gives no message: SDKs show nothing
// else.
const noReason = "the policy does not allow this request"

// foreign finds changes of headers that carry a provider's credentials.
func (g *Gateway) foreign(changes []HeaderChange) error {
	for _, c := range changes {
		if slices.Contains(g.credentials, c.Name) {
			return &PolicyError{FaultDecode, "", fmt.Errorf("header %s carries a provider's credential", c.Name)}
		}
	}
	return nil
}

// review asks the policy about an exchange that has ended, off the client's
// path. A policy that fails leaves the record as it is, with a word about it.
func (x *Exchange) review() {
	if x.decided == nil || !x.policy.Reviews() {
		return
	}
	r := &x.record
	x.decided.Facts.Record, x.decided.Facts.Output = r, x.outputVerdicts()
	begun := x.gw.now()
	v, err := x.policy.Review(context.Background(), x.decided.Facts)
	x.keepReview(&v, err, x.gw.now().Sub(begun))
	if err != nil {
		x.keeping = nil // it might have said so
		r.Policy.failed(err)
		r.Detail = strings.TrimPrefix(r.Detail+"; policy: after the response: "+err.Error(), "; ")
		return
	}
	x.keepLess(v.Cache)
	if len(v.Labels) > 0 { // those of the decision belong to the policy
		r.Labels = maps.Clone(r.Labels)
		if r.Labels == nil {
			r.Labels = map[string]string{}
		}
		maps.Copy(r.Labels, v.Labels)
	}
	if v.Log.Level != "" && (r.Log.Level == "" || logOrder[v.Log.Level] < logOrder[r.Log.Level]) {
		r.Log.Level = v.Log.Level
	}
	r.Log.Redact = slices.Concat(r.Log.Redact, v.Log.Redact)
	r.Rules = slices.Concat(r.Rules, v.Rules)
}

var logOrder = map[string]int{LogNone: 0, LogMeta: 1, LogFull: 2}

// redact takes out of a record what the policy says.
func (r *Record) redact() {
	for _, pointer := range r.Log.Redact {
		name, isProperty := strings.CutPrefix(pointer, "/properties/")
		switch {
		case pointer == "/user":
			r.User = ""
		case pointer == "/session":
			r.Session = ""
		case pointer == "/request/model" || pointer == "/request":
			r.Model = ""
		case pointer == "/properties":
			r.Properties = nil
		case isProperty:
			r.Properties = maps.Clone(r.Properties)
			delete(r.Properties, name)
		}
	}
}

// changed applies the policy's changes of headers to those of a request or of a
// response.
func (d *Decision) changed(response bool, set []llm.Header, remove []string) ([]llm.Header, []string) {
	for _, c := range d.Headers {
		switch {
		case c.Response != response:
		case c.Remove:
			remove = append(remove, c.Name)
		default:
			set = append(set, llm.Header{Name: c.Name, Value: c.Value})
		}
	}
	return set, remove
}

// sense asks the guards whose findings the policy reads. What they say is done
// after the policy. A guard that is asked for the shadow alone refuses nothing.
func (x *Exchange) sense(ctx context.Context, r *llm.Request, t *target) *llm.Answer {
	for _, g := range x.gw.guards {
		decides := x.policy.Reads("guards." + g.Name())
		if !decides && !x.reads("guards."+g.Name()) {
			continue
		}
		if !decides && x.unreadable(r) != nil {
			x.shadow = nil
			continue
		}
		if refusal := x.inspect(r, t); refusal != nil {
			return refusal
		}
		if _, err := x.check(ctx, g); err != nil && decides && !g.AllowOnError {
			return x.broke(g.Name(), err)
		}
	}
	return nil
}

// headersFor are the client's headers that a policy may see, each name once.
func (x *Exchange) headersFor() (hs []llm.Header) {
	for _, h := range x.head.Headers {
		if strings.HasPrefix(h.Name, ":") || Concealed(h.Name) || slices.Contains(x.gw.credentials, h.Name) {
			continue
		}
		if i := slices.IndexFunc(hs, func(o llm.Header) bool { return o.Name == h.Name }); i >= 0 {
			hs[i].Value += ", " + h.Value
			continue
		}
		hs = append(hs, h)
	}
	return hs
}

// address is that of the client, as Envoy appended it to the header.
func (h *Head) address() string {
	all := h.Get("x-forwarded-for")
	return strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:])
}

// thousandths is a number in thousandths, -1 if it is not given.
func thousandths(n llm.Number) int64 {
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || f < 0 || f > 1e12 {
		return -1
	}
	return int64(f*1000 + 0.5)
}

func formatOf(f *llm.Format) string {
	if f == nil {
		return string(llm.FormatText)
	}
	return string(f.Kind)
}
