package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/attache-gateway/attache/extproc/llm"
)

// ExplainHeader asks for an explanation in a request, and carries it in the
// response.
const ExplainHeader = "x-attache-explain"

// What ExplainHeader can say.
const (
	ExplainBeside = "1"    // the response has an explanation in its headers
	ExplainOnly   = "only" // it is the whole response, and no provider is called
)

// maxExplained bounds an explanation in a header, in bytes. Clients that bound
// all headers together do so at 16 KiB or more.
const maxExplained = 8 << 10

// Explaining says who may ask why a request is handled as it is: nobody, by its
// zero value. An answer names rules, targets and what the rules read.
type Explaining struct {
	All   bool
	Roles []string // whose callers may
	Keys  []string // ids of keys that may
}

func (e *Explaining) allows(c *Caller) bool {
	return e.All || c.KeyID != "" && slices.Contains(e.Keys, c.KeyID) ||
		slices.ContainsFunc(c.Roles, func(role string) bool { return slices.Contains(e.Roles, role) })
}

// An Explainer is a Policy that can say why it decides as it does.
type Explainer interface {
	// Explain evaluates the rules about the facts and follows them. It is asked
	// before Decide. What it found out before an error is in the Reasons.
	Explain(ctx context.Context, f *Facts) (Reasons, error)
}

// Reasons are what a decision is made of.
type Reasons struct {
	Cached bool            `json:"cached"`          // the decision is one that is kept
	Rules  []Effect        `json:"rules"`           // that hold
	Near   []Near          `json:"near,omitempty"`  // some that do not, the nearest first
	Others int             `json:"others"`          // how many more do not
	Input  json.RawMessage `json:"input,omitempty"` // what the rules read
}

// An Effect is what a rule that holds says.
type Effect struct {
	Rule  string          `json:"rule"` // its id
	Place string          `json:"at"`   // file:line
	Verb  string          `json:"verb"`
	Head  json.RawMessage `json:"says"`
}

// A Near is a rule that does not hold.
type Near struct {
	Rule  string `json:"rule"` // its id
	Place string `json:"at"`   // file:line
	Verb  string `json:"verb"`
	Held  int    `json:"held"` // conditions that hold, before
	Cause
	Inside []Cause `json:"inside,omitempty"` // of the helper that it calls, of the one that this calls, and so on
}

// A Cause is the first condition that does not hold.
type Cause struct {
	False   string                     `json:"false"`
	FalseAt string                     `json:"false_at"`         // file:line
	Values  map[string]json.RawMessage `json:"values,omitempty"` // of the fields of the input that it names, by their paths
}

// A LeftOut is a target that the request does not go to.
type LeftOut struct {
	Target string `json:"target"` // provider/model
	Why    string `json:"why"`
}

// An Explanation says why a request is handled as it is. It holds no prompts
// and no keys.
type Explanation struct {
	Request  string   `json:"request,omitempty"`
	Policy   string   `json:"policy"` // its revision
	Decision Decision `json:"decision"`
	Code     string   `json:"code,omitempty"`  // of the error that the request ends with
	Error    string   `json:"error,omitempty"` // why there is no decision
	Reasons
	Targets []Ranked  `json:"targets,omitempty"` // in the order in which they are tried
	LeftOut []LeftOut `json:"left_out,omitempty"`
	Cut     []string  `json:"cut,omitempty"` // members that are not whole, for want of room

	only  bool // nothing else is wanted
	asked bool // the request has come as far as the policy
}

// askedWhy reads whether the client wants an explanation.
func (x *Exchange) askedWhy() *llm.Error {
	asked := x.head.Get(ExplainHeader)
	switch {
	case asked == "":
		return nil
	case asked != ExplainBeside && asked != ExplainOnly:
		return llm.Invalid(ExplainHeader, "must be %s or %s", ExplainBeside, ExplainOnly)
	case !x.gw.explaining.allows(&x.caller):
		return &llm.Error{Status: 403, Code: llm.CodePolicyDenied, Param: ExplainHeader, Message: "this caller may not ask why"}
	}
	x.why = &Explanation{Request: x.ID, Policy: x.record.Revision, only: asked == ExplainOnly}
	x.why.Rules = []Effect{}
	return nil
}

// reason asks the policy for its reasons. One that fails costs the client no
// more than these.
func (x *Exchange) reason(ctx context.Context, f *Facts) {
	if x.why == nil {
		return
	}
	x.why.asked = true
	p, ok := x.policy.(Explainer)
	if !ok {
		return
	}
	var err error
	if x.why.Reasons, err = p.Explain(ctx, f); err != nil {
		x.why.Error = err.Error()
	}
}

// leave notes a target that the request does not go to.
func (e *Explanation) leave(t *target, why string) {
	if e != nil {
		e.LeftOut = append(e.LeftOut, LeftOut{Target: t.String(), Why: why})
	}
}

// leaveOut warns of a target that cannot take the request.
func (x *Exchange) leaveOut(t *target, why string) {
	x.warn(fmt.Sprintf("target %s left out: %s", t, why))
	x.why.leave(t, why)
}

// explanation is complete as far as the request has come.
func (x *Exchange) explanation() Explanation {
	e := *x.why
	e.Decision, e.Code = x.decision, x.record.Code
	return e
}

// explained is the explanation as the whole answer, with the targets that would
// be tried.
func (x *Exchange) explained(ctx context.Context, r *llm.Request, targets []*target, s Settings) *llm.Answer {
	if targets != nil {
		targets, _ = x.reserve(ctx, r, targets) // a refusal is in the record
	}
	if targets != nil {
		x.steps(r, targets, s) // leaves out those that cannot be
	}
	body, err := x.explanation().encode()
	if err != nil {
		return x.fail(llm.CodeInternal, fmt.Errorf("gateway: explain: %w", err))
	}
	x.why = nil // it is said once
	x.record.Status, x.record.Code, x.record.Limit = 200, "", ""
	return &llm.Answer{Status: 200, Type: "application/json", Header: x.ownHeaders(), Body: body}
}

// encode writes the explanation as a line of JSON in which conditions can be
// read: no < or > is escaped.
func (e Explanation) encode() ([]byte, error) {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	err := to.Encode(e)
	return b.Bytes(), err
}

// header is the explanation as the value of a header: JSON in ASCII, without
// whatever is too much for limit bytes.
func (e Explanation) header(limit int) string {
	for cut := e.lists(); ; {
		b, err := e.encode()
		if err != nil {
			return `{"error":"the explanation cannot be written"}`
		}
		text := asciiJSON(bytes.TrimSpace(b))
		if len(text) <= limit {
			return text
		}
		for len(cut) > 0 && !cut[0].halve() {
			cut = cut[1:]
		}
		if len(cut) == 0 {
			return `{"cut":["all"]}`
		}
		if !slices.Contains(e.Cut, cut[0].name) {
			e.Cut = append(slices.Clone(e.Cut), cut[0].name)
		}
	}
}

// A list is a part of an explanation that can be cut.
type list struct {
	name  string
	halve func() bool // false: there is nothing left
}

// lists are the parts that can be cut, those that are missed the least first.
func (e *Explanation) lists() []list {
	bare := false
	return []list{
		{"near", func() bool { return halve(&e.Near) }},
		{"input", func() bool { had := e.Input != nil; e.Input = nil; return had }},
		{"rules", func() bool { return halve(&e.Rules) }},
		{"left_out", func() bool { return halve(&e.LeftOut) }},
		{"targets", func() bool { return halve(&e.Targets) }},
		{"decision", func() bool { had := !bare; bare, e.Decision = true, Decision{Deny: e.Decision.Deny}; return had }},
		{"error", func() bool { had := e.Error != ""; e.Error = ""; return had }},
	}
}

func halve[T any](s *[]T) bool {
	if len(*s) == 0 {
		return false
	}
	*s = (*s)[:len(*s)/2]
	return true
}

// asciiJSON escapes what is not ASCII in JSON, where that can stand in strings
// alone.
func asciiJSON(b []byte) string {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r < 0x7f:
			out = append(out, b[0])
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[n:]
	}
	return string(out)
}

// A score is a figure of the ranking. Infinite is one that is not known.
type score float64

// MarshalJSON writes null for what is not known.
func (s score) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(s), 0) || math.IsNaN(float64(s)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s))
}
