package gateway

import (
	"fmt"
	"slices"
	"testing"
)

// TestWhoIsTheUser: a split, what is sticky and a canary go by the same user as
// limits, whether a header, the body or the owner of the key says it.
func TestWhoIsTheUser(t *testing.T) {
	byUser := Decision{Split: &Split{By: "user", Shares: []Share{{"a/m", 1}, {"b/m", 1}}}}
	for _, tt := range []struct {
		name, model string
		d           Decision
		canary      int64 // permille
	}{
		{"split", "a/m", byUser, 0},
		{"sticky", "sticky", Decision{}, 0},
		{"canary", "a/m", Decision{}, 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var caller Caller
			var got Record
			h := newGateway(t, func(o *Options) {
				o.Auth = keyFunc(func(Secret) (Caller, error) { return caller, nil })
				o.Models = []Model{{Name: "sticky", Targets: []string{"a/m", "b/m"}, Pick: PickWeighted, Sticky: "user"}}
				o.Policy = policyFunc(func(*Facts) (Decision, error) { return tt.d, nil })
				if tt.canary > 0 {
					o.Canary = &Canary{Policy: candidate{}, Permille: tt.canary, By: ByUser}
				}
				o.Sinks = []Sink{sinkFunc(func(r *Record) { got = *r })}
			})
			ask := func(owner, body string, headers ...string) string {
				caller = Caller{KeyID: "k", User: owner}
				if body != "" {
					body = `,"user":"` + body + `"`
				}
				x, _, f := decide(t, h, chatPath, chat(tt.model, body), headers...)
				x.Close(false)
				if f == nil {
					t.Fatalf("refused: %+v", got)
				}
				return f.Clusters[0] + " by " + got.Revision
			}
			var all []string
			for i := range 20 {
				user := fmt.Sprintf("user-%d", i)
				want := ask("", "", "x-attache-user", user)
				all = append(all, want)
				if in := ask("someone", user); in != want {
					t.Errorf("%s goes to %s, and to %s if the body names it", user, want, in)
				}
				if owner := ask(user, ""); owner != want {
					t.Errorf("%s goes to %s, and to %s as the owner of the key", user, want, owner)
				}
				if named := ask(user, "someone", "x-attache-user", user); named != want {
					t.Errorf("%s goes to %s, and to %s if the body names another", user, want, named)
				}
			}
			if slices.Sort(all); len(slices.Compact(all)) != 2 {
				t.Errorf("all go to %v", all)
			}
		})
	}
}
