package gateway

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/quick"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A candidate is a script of another revision.
type candidate struct{ script }

func (candidate) Revision() string { return "r2" }

// A look is what a shadow was shown.
type look struct {
	id    string
	facts Facts
	d     Decision
	err   error
}

// An onlooker takes all exchanges.
type onlooker struct {
	reads []string
	seen  *[]look
}

func (onlooker) Takes(string) bool        { return true }
func (o onlooker) Reads(fact string) bool { return slices.Contains(o.reads, fact) }
func (o onlooker) Compare(id string, f *Facts, d *Decision, err error) {
	*o.seen = append(*o.seen, look{id, *f, *d, err})
}

// TestCanary: of many callers the candidate decides for about its share, always
// for the same ones, and the record says so.
func TestCanary(t *testing.T) {
	const callers = 2000
	for _, by := range []string{ByKey, ByUser, BySession, ByTeam} {
		t.Run(by, func(t *testing.T) {
			var caller Caller
			var records []Record
			h := newGateway(t, func(o *Options) {
				o.Auth = keyFunc(func(Secret) (Caller, error) { return caller, nil })
				o.Canary = &Canary{Policy: candidate{}, Permille: 50, By: by}
				o.Sinks = []Sink{sinkFunc(func(r *Record) { records = append(records, *r) })}
				o.Policy = script{}
			})
			ask := func(name string) string {
				records = nil
				var headers []string
				caller = Caller{}
				switch by {
				case ByKey:
					caller.KeyID = name
				case ByTeam:
					caller.Team = name
				case ByUser:
					headers = []string{"x-attache-user", name}
				case BySession:
					headers = []string{"x-attache-session", name}
				}
				x, _, _ := decide(t, h, chatPath, chat("a/gpt-4o", ""), headers...)
				x.Close(false)
				return records[0].Revision
			}
			chosen := 0
			for i := range callers {
				first := ask(fmt.Sprintf("caller-%d", i))
				if again := ask(fmt.Sprintf("caller-%d", i)); again != first {
					t.Fatalf("caller %d is decided by %s, then by %s", i, first, again)
				}
				if first == "r2" {
					chosen++
				}
			}
			if chosen < callers*3/100 || chosen > callers*7/100 {
				t.Errorf("%d of %d callers, want about 5 %%", chosen, callers)
			}
			if got := ask(""); got != "r1" {
				t.Errorf("a caller who is not told apart is decided by %s", got)
			}
		})
	}
}

// TestSampled: shares are met, the same names are in them always, and a larger
// one has all of a smaller one.
func TestSampled(t *testing.T) {
	for _, permille := range []int64{0, 1, 50, 125, 500, 999, 1000} {
		const n = 100_000
		in := int64(0)
		for i := range n {
			if Sampled(fmt.Sprintf("name %d", i), permille) {
				in++
			}
		}
		if want, most := permille*n/1000, int64(600); in < want-most || in > want+most || permille == 0 && in > 0 || permille == 1000 && in < n {
			t.Errorf("%d permille of %d are %d", permille, n, in)
		}
	}
	nested := func(name string, a, b uint16) bool {
		small, large := int64(min(a, b)%1001), int64(max(a, b)%1001)
		small, large = min(small, large), max(small, large)
		return !Sampled(name, small) || Sampled(name, large)
	}
	if err := quick.Check(nested, nil); err != nil {
		t.Error(err)
	}
}

// TestShadow: it is shown what the policy was asked and said, with the facts that
// it reads itself, and changes nothing.
func TestShadow(t *testing.T) {
	deny := Decision{Deny: &Denial{Code: "closed", Status: 403}}
	for _, tt := range []struct {
		name   string
		d      Decision
		err    error
		guard  func(*Text) (Verdict, error)
		status int
	}{
		{"allowed", Decision{}, nil, says(Verdict{Labels: []string{"card"}}), 0},
		{"denied", deny, nil, says(Verdict{}), 403},
		{"failed", Decision{}, errors.New("broken"), says(Verdict{}), 500},
		{"a guard that fails for the shadow alone", Decision{}, nil, func(*Text) (Verdict, error) { return Verdict{}, errors.New("trap") }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen []look
			var calls []string
			h := newGateway(t, func(o *Options) {
				o.Policy = script{decide: func(f *Facts) (Decision, error) { return tt.d, tt.err }}
				o.Guards = []InputGuard{{Guard: named{"pii", &calls, tt.guard}, Asked: true}}
				o.Shadow = onlooker{[]string{"guards.pii", "request.tokens", "candidates", "request.headers"}, &seen}
			})
			x, answer, _ := decide(t, h, chatPath, chat("a/gpt-4o", ""), "x-mine", "1")
			if status := statusOf(answer); status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			if x.req != nil && x.req.InputEstimate != 0 {
				t.Error("the shadow's count is used for the exchange")
			}
			x.Close(false)
			if len(seen) != 1 || len(calls) != 1 {
				t.Fatalf("shown %d times, guards asked %d times", len(seen), len(calls))
			}
			s := seen[0]
			if s.id != x.ID || !errors.Is(s.err, tt.err) || (s.d.Deny == nil) != (tt.d.Deny == nil) {
				t.Errorf("%+v", s)
			}
			if s.facts.InputTokens == 0 || len(s.facts.Candidates) != 1 || len(s.facts.Headers) != 1 || len(s.facts.Guards) != 1 {
				t.Errorf("facts that only the shadow reads: %+v", s.facts)
			}
		})
	}
}

func statusOf(a *llm.Answer) int {
	if a == nil {
		return 0
	}
	return a.Status
}

// TestShadowOfUnreadable: a request that guards cannot read is refused for the
// policy's sake, not for the shadow's.
func TestShadowOfUnreadable(t *testing.T) {
	body := `{"model":"a/m","input":[1,2,3]}`
	for reads, status := range map[string]int{"": 0, "guards.pii": 400} {
		var seen []look
		var calls []string
		h := newGateway(t, func(o *Options) {
			o.Policy = script{reads: []string{reads}}
			o.Guards = []InputGuard{{Guard: named{"pii", &calls, says(Verdict{})}, Asked: true}}
			o.Shadow = onlooker{[]string{"guards.pii"}, &seen}
		})
		x, answer, _ := decide(t, h, "/v1/embeddings", body)
		x.Close(false)
		if statusOf(answer) != status || len(seen) != 0 {
			t.Errorf("the policy reads %q: status %d, shown %d times", reads, statusOf(answer), len(seen))
		}
	}
}

// TestPromote: exchanges that have begun end with the policy that they began
// with; those that begin later have the other one, alone.
func TestPromote(t *testing.T) {
	var seen []look
	var records []Record
	h := newGateway(t, func(o *Options) {
		o.Policy = script{}
		o.Canary = &Canary{Policy: candidate{}, Permille: 1, By: ByKey}
		o.Shadow = onlooker{nil, &seen}
		o.Sinks = []Sink{sinkFunc(func(r *Record) { records = append(records, *r) })}
	})
	before, _ := h.Open(&Head{Method: "POST", Path: chatPath})
	h.Current().Promote(candidate{})
	after, _ := h.Open(&Head{Method: "POST", Path: chatPath})
	for _, x := range []*Exchange{before, after} {
		x.Decide(t.Context(), []byte(chat("a/gpt-4o", "")))
		x.Close(false)
	}
	if records[0].Revision != "r1" || records[1].Revision != "r2" || h.Current().Revision() != "r2" {
		t.Errorf("revisions %s, then %s", records[0].Revision, records[1].Revision)
	}
	if len(seen) != 1 {
		t.Errorf("the shadow was shown %d exchanges", len(seen))
	}
}
