package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// checks are what guards said of one request so far.
type checks struct {
	in   *inspection
	said map[string]check
}

// A check is what a guard said.
type check struct {
	verdict  Verdict
	err      error
	redacted int // what was redacted before it looked
}

// inspect readies the request for guards. They cannot read every request.
func (x *Exchange) inspect(r *llm.Request, t *target) *llm.Answer {
	if x.checks != nil {
		return nil
	}
	if err := x.unreadable(r); err != nil {
		return x.refuse(err)
	}
	in := newInspection(r)
	in.text.RequestID, in.text.Model, in.text.Tenant = x.ID, t.model, tenant(&x.caller)
	x.checks = &checks{in, map[string]check{}}
	return nil
}

// unreadable says why guards cannot read a request, nil: they can.
func (x *Exchange) unreadable(r *llm.Request) *llm.Error {
	switch {
	case r.Op == llm.OpEmbeddings && len(r.Inputs) == 0:
		return llm.Unsupported("input", "must be text: guards cannot read tokens")
	case x.head.Unread && !x.gw.forward.Unguarded:
		return llm.Unsupported("", "the body must be JSON: guards cannot read others")
	}
	return nil
}

// check asks a guard, unless it has seen the text as it is now.
func (x *Exchange) check(ctx context.Context, g InputGuard) (Verdict, error) {
	c, ok := x.checks.said[g.Name()]
	if !ok || c.redacted != x.checks.in.redacted {
		c.redacted = x.checks.in.redacted
		c.verdict, c.err = g.Check(ctx, &x.checks.in.text)
		x.checks.said[g.Name()] = c
	}
	return c.verdict, c.err
}

// verdicts are what the guards said that gave no error.
func (c *checks) verdicts() map[string]Verdict {
	all := make(map[string]Verdict, len(c.said))
	for name, c := range c.said {
		if c.err != nil {
			c.verdict = Verdict{Action: ActionFailed}
		}
		all[name] = c.verdict
	}
	return all
}

// guard shows the request to each guard in turn that always looks or that the
// policy asks for; later ones see what earlier ones redacted.
func (x *Exchange) guard(ctx context.Context, r *llm.Request, t *target) *llm.Answer {
	if err := x.unseen(r); err != nil {
		return x.refuse(err)
	}
	for _, g := range x.gw.guards {
		if g.Asked && !slices.Contains(x.decision.Guards, g.Name()) {
			continue
		}
		if refusal := x.inspect(r, t); refusal != nil {
			return refusal
		}
		if x.record.Verdicts == nil {
			x.record.Verdicts = map[string]Action{}
		}
		v, err := x.check(ctx, g)
		if err == nil && v.Action == ActionRedact {
			err = x.checks.in.redact(v.Findings)
		}
		if err != nil && g.AllowOnError {
			x.record.Verdicts[g.Name()] = ActionFailed
			continue
		}
		if err != nil {
			return x.broke(g.Name(), err)
		}
		x.record.Verdicts[g.Name()] = v.Action
		if v.Action == ActionBlock {
			return x.blocked(g.Name(), v)
		}
	}
	if x.checks != nil {
		x.checks.in.finish(r)
		x.checks = nil // it holds the prompt
	}
	return nil
}

func (x *Exchange) broke(name string, err error) *llm.Answer {
	x.record.Detail = fmt.Sprintf("guard %s: %v", name, err)
	return x.refuse(&llm.Error{Status: 500, Code: llm.CodeGuardError, Message: "a guard could not check the request"})
}

func (x *Exchange) blocked(name string, v Verdict) *llm.Answer {
	msg := v.Message
	if msg == "" {
		msg = "the request was blocked by the guard " + name
	}
	x.record.Detail = "guard " + name + ": " + v.Code
	return x.refuse(&llm.Error{Status: 403, Code: llm.CodeGuardBlocked, Message: msg})
}

// tenant is the same for requests of the same team and says nothing of it.
func tenant(c *Caller) string {
	sum := sha256.Sum256([]byte(c.Org + "\x00" + c.Team))
	return hex.EncodeToString(sum[:8])
}

// An inspection is a request's text with the parts that it came from.
type inspection struct {
	text     Text
	parts    []*llm.Part // of each segment
	changed  []bool
	redacted int // times
}

func newInspection(r *llm.Request) *inspection {
	in := &inspection{}
	in.add(llm.RoleSystem, SegmentSystem, r.System)
	for i := range r.Messages {
		m := &r.Messages[i]
		kind := SegmentText
		if m.Role == llm.RoleSystem {
			kind = SegmentSystem
		}
		in.add(m.Role, kind, m.Parts)
	}
	in.add(llm.RoleUser, SegmentText, r.Inputs)
	in.changed = make([]bool, len(in.parts))
	return in
}

func (in *inspection) add(role llm.Role, kind SegmentKind, parts []llm.Part) {
	for i := range parts {
		p := &parts[i]
		s := Segment{Role: role, Kind: kind, Text: p.Text}
		switch p.Kind {
		case llm.PartToolCall:
			s.Kind = SegmentToolArgs
		case llm.PartToolResult:
			in.add(role, SegmentToolResult, p.Parts)
			continue
		case llm.PartImage:
			s.Kind, s.Text = SegmentImageRef, p.Media.URL
		}
		if s.Text == "" {
			continue
		}
		in.text.Segments = append(in.text.Segments, s)
		in.parts = append(in.parts, p)
	}
}

// redact replaces the findings in the text. It changes nothing if one of them
// is not where text is, or would make a tool's arguments something else than
// JSON.
func (in *inspection) redact(findings []Finding) error {
	texts := map[int]string{} // by segment
	for from := 0; from < len(findings); {
		i := findings[from].Segment
		to := from
		for to < len(findings) && findings[to].Segment == i {
			to++
		}
		if _, twice := texts[i]; twice || i < 0 || i >= len(in.parts) || in.text.Segments[i].Kind == SegmentImageRef {
			return fmt.Errorf("gateway: finding in segment %d, which cannot be redacted", i)
		}
		s, err := replace(in.text.Segments[i].Text, findings[from:to])
		if err != nil {
			return err
		}
		if in.parts[i].Kind == llm.PartToolCall && !json.Valid([]byte(s)) {
			return fmt.Errorf("gateway: redaction breaks the arguments of a tool call")
		}
		texts[i] = s
		from = to
	}
	for i, s := range texts {
		in.text.Segments[i].Text, in.changed[i] = s, true
	}
	in.redacted++
	return nil
}

func replace(text string, findings []Finding) (string, error) {
	var b strings.Builder
	from := 0
	for _, f := range findings {
		if f.Start < from || f.End < f.Start || f.End > len(text) {
			return "", fmt.Errorf("gateway: finding %d-%d in a segment of %d bytes", f.Start, f.End, len(text))
		}
		b.WriteString(text[from:f.Start])
		b.WriteString(f.standIn())
		from = f.End
	}
	b.WriteString(text[from:])
	return b.String(), nil
}

// finish puts the redacted text into the request, in its canonical form and in
// the client's bytes.
func (in *inspection) finish(r *llm.Request) {
	for i, p := range in.parts {
		if !in.changed[i] {
			continue
		}
		p.Text, p.Raw = in.text.Segments[i].Text, nil
		if p.At.Empty() {
			continue
		}
		value := []byte(p.Text)
		if r.Body.Raw[p.At.Start] == '"' {
			value = jsonx.AppendString(nil, p.Text)
		}
		r.Edits = append(r.Edits, llm.Edit{At: p.At, New: value})
	}
}
