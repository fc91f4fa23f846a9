package gateway

import (
	"errors"
	"testing"
	"time"
)

type decidedFunc func(*Decided)

func (f decidedFunc) Decided(d *Decided) { f(d) }

// Each decision is handed out once, when the exchange has ended, with what
// became of the request.
func TestDecided(t *testing.T) {
	region := Decision{Require: []Condition{{Name: "region", Values: []string{"mars"}}}}
	for _, tt := range []struct {
		name   string
		d      Decision
		err    error
		denied bool
		status int
	}{
		{"allowed", Decision{Rules: []string{"r"}}, nil, false, 0},
		{"denied", Decision{Deny: &Denial{Code: "closed", Status: 403}}, nil, true, 403},
		{"no target left", region, nil, true, 503},
		{"failed", Decision{}, errors.New("broken"), true, 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []*Decided
			now := start
			h := newGateway(t, func(o *Options) {
				o.Now = func() time.Time { return now }
				o.Policy = policyFunc(func(*Facts) (Decision, error) { now = now.Add(time.Millisecond); return tt.d, tt.err })
				o.Decisions = decidedFunc(func(d *Decided) { got = append(got, d) })
			})
			x, _, _ := decide(t, h, chatPath, chat("a/gpt-4o", ""), "traceparent", "00-a-b-01")
			if got != nil {
				t.Error("a decision was handed out before its exchange has ended")
			}
			x.Close(false)
			if len(got) != 1 {
				t.Fatalf("%d decisions were handed out", len(got))
			}
			d := got[0]
			if d.Record == &x.record || d.Facts.Record != d.Record {
				t.Error("whoever keeps the decision keeps the exchange")
			}
			if d.Denied() != tt.denied || d.Record.Status != tt.status || d.Record.ID != x.ID {
				t.Errorf("denied: %v, record %+v", d.Denied(), d.Record)
			}
			if !errors.Is(d.Err, tt.err) || d.Facts.Model != "a/gpt-4o" || d.Took != time.Millisecond || d.Trace != "00-a-b-01" || d.Policy.Revision() != "r1" {
				t.Errorf("%+v", d)
			}
		})
	}
	t.Run("not asked", func(t *testing.T) {
		h := newGateway(t, func(o *Options) {
			o.Decisions = decidedFunc(func(d *Decided) { t.Errorf("%+v", d) })
		})
		x, _, _ := decide(t, h, chatPath, "{", "x-a", "b")
		x.Close(false)
	})
}
