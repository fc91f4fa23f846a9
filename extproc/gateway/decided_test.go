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
	for _, tt := range []struct {
		name   string
		review func(*Facts) (Review, error)
		want   int // decisions
		denied bool
	}{
		{"no rule after the response", func(*Facts) (Review, error) { return Review{}, nil }, 1, false},
		{"one that holds", func(*Facts) (Review, error) {
			return Review{Labels: map[string]string{"a": "b"}, Rules: []string{"late"}}, nil
		}, 2, false},
		{"one that fails", func(*Facts) (Review, error) { return Review{}, errors.New("broken") }, 2, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []*Decided
			h := newGateway(t, func(o *Options) {
				o.Policy = script{review: tt.review, decide: func(*Facts) (Decision, error) { return Decision{Rules: []string{"early"}}, nil }}
				o.Decisions = decidedFunc(func(d *Decided) { got = append(got, d) })
			})
			x, _, _ := decide(t, h, chatPath, chat("a/gpt-4o", ""))
			x.Close(false)
			if len(got) != tt.want || got[0].Entry != EntryRequest || len(got[0].Decision.Rules) != 1 || got[0].Err != nil {
				t.Fatalf("%d decisions were handed out, the first %+v", len(got), got[0])
			}
			if tt.want == 1 {
				return
			}
			d := got[1]
			if d.Entry != EntryResponse || d.Denied() != tt.denied || (d.Err == nil) == tt.denied || d.Record != got[0].Record || !tt.denied && d.Decision.Labels["a"] != "b" {
				t.Errorf("after the response: %+v", d)
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

// A call of the admin API that is refused is handed out at once.
func TestRefused(t *testing.T) {
	var got []*Decided
	h := newGateway(t, func(o *Options) { o.Decisions = decidedFunc(func(d *Decided) { got = append(got, d) }) })
	f := &Facts{Now: start, Admin: &AdminCall{Method: "POST", Path: "/api/x"}}
	h.Current().Refused(script{}, f, &Denial{Code: "no", Status: 403, Rule: "r"}, nil, time.Millisecond)
	h.Current().Refused(script{}, f, nil, errors.New("broken"), time.Millisecond)
	if len(got) != 2 {
		t.Fatalf("%d decisions", len(got))
	}
	for i, status := range []int{403, 500} {
		d := got[i]
		if d.Entry != EntryAdmin || !d.Denied() || d.Record.Status != status || d.Record.ID == "" || d.Record.Revision != "r1" || !d.Record.Start.Equal(start) {
			t.Errorf("%+v, record %+v", d, d.Record)
		}
	}
	newGateway(t, nil).Current().Refused(script{}, f, nil, errors.New("broken"), 0) // without a log
}
