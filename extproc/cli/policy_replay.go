package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/rego"
	"github.com/attache-gateway/attache/extproc/telemetry"
)

// A replay is what becomes of recorded requests under other rules. A request that
// stands for a sample counts as often as it has to.
type replay struct {
	Policy        string       `json:"policy"` // revision
	Candidate     string       `json:"candidate"`
	Recorded      int          `json:"recorded"`
	Replayed      int          `json:"replayed"`
	Changed       int          `json:"changed"`
	NewDeny       int          `json:"new_deny"`
	LostDeny      int          `json:"lost_deny"`
	NewError      int          `json:"new_error"`
	Effects       []*effectRow `json:"effects"`
	NotReplayable []notRow     `json:"not_replayable"`

	rows   map[[3]string]*effectRow
	nots   map[string]*notRow
	weight int // of the request that is looked at
}

// An effectRow counts the requests in which a rule says something new or no
// longer says it.
type effectRow struct {
	Change   string          `json:"change"` // + or -
	Verb     string          `json:"verb"`   // error: there is no decision
	Rule     string          `json:"rule,omitempty"`
	Place    string          `json:"at,omitempty"`
	Requests int             `json:"requests"`
	Example  string          `json:"example"` // id of a request
	Says     json.RawMessage `json:"says,omitempty"`
}

// A notRow counts the requests that cannot be decided about again.
type notRow struct {
	Why      string `json:"why"`
	Requests int    `json:"requests"`
	Example  string `json:"example"`
}

// policyReplay runs recorded requests through the rules in force and through a
// candidate.
func (p *Program) policyReplay(ctx context.Context, args []string) error {
	f := p.flags("policy replay")
	file := ruleFlags(f)
	log, since := logFlag(f), sinceFlag(f)
	candidate := f.String("candidate", "", "`directory` of the rules to compare with; by default the candidate of the configuration")
	failOn := f.String("fail-on", "", "`conditions` on which to fail, as new-deny>0.1%,not-replayable>0: "+strings.Join(figureNames(), ", "))
	asJSON := f.Bool("json", false, "print JSON")
	words, err := parseMixed(f, args, 1)
	if err != nil {
		return err
	}
	conditions, err := parseConditions(*failOn)
	if err != nil {
		return err
	}
	b, err := p.ruleBook(ctx, *file, words)
	if err != nil {
		return err
	}
	other, err := b.candidate(ctx, *candidate)
	if err != nil {
		return err
	}
	files, err := b.logs(*log)
	if err != nil {
		return err
	}
	r, err := p.replay(ctx, b, other, files, *since)
	if err != nil {
		return err
	}
	if *asJSON {
		err = p.printJSON(r)
	} else {
		err = p.printReplay(r)
	}
	if err != nil {
		return err
	}
	return r.check(conditions)
}

func (p *Program) replay(ctx context.Context, b, other *ruleBook, files []string, since time.Duration) (*replay, error) {
	live, err := rego.Load(ctx, b.options)
	if err != nil {
		return nil, err
	}
	next, err := rego.Load(ctx, other.options)
	if err != nil {
		return nil, fmt.Errorf("candidate: %w", err)
	}
	r := &replay{Policy: live.Revision(), Candidate: next.Revision(), rows: map[[3]string]*effectRow{}, nots: map[string]*notRow{}}
	progress := p.progress("requests")
	defer progress.end()
	for event, err := range telemetry.Read(files...) {
		if err != nil {
			return nil, err
		}
		if event.Path != telemetry.PathRequest || since > 0 && time.Since(event.Timestamp) > since {
			continue
		}
		r.weight = weightOf(event)
		r.Recorded += r.weight
		progress.step()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, why := recorded(event, live, next)
		if why != "" {
			r.not(why, event.DecisionID)
			continue
		}
		r.compare(event.DecisionID, outcomeOf(ctx, live, s), outcomeOf(ctx, next, s))
	}
	r.sort()
	return r, nil
}

// weightOf returns how many requests an event stands for.
func weightOf(e *telemetry.Event) int {
	if e.Sample <= 0 || e.Sample >= 1000 {
		return 1
	}
	return int((1000 + e.Sample/2) / e.Sample)
}

// An outcome is what rules say about a request.
type outcome struct {
	rego.Evaluation
	err error
}

func outcomeOf(ctx context.Context, p *rego.Policy, s rego.Sight) outcome {
	v, err := p.Replay(ctx, s)
	if err != nil {
		v.Rules = nil
	}
	return outcome{v, err}
}

func (o *outcome) denied() bool { return o.err == nil && o.Decision.Deny != nil }

// compare counts what two policies say differently about a request.
func (r *replay) compare(id string, before, after outcome) {
	r.Replayed += r.weight
	seen := map[*effectRow]bool{} // a rule can say several things about one request
	r.count(id, "-", &before, &after, seen)
	r.count(id, "+", &after, &before, seen)
	if len(seen) > 0 || after.denied() != before.denied() { // which the default alone can do
		r.Changed += r.weight
	}
	switch {
	case after.err != nil && before.err == nil:
		r.NewError += r.weight
	case after.err != nil || before.err != nil:
	case after.denied() && !before.denied():
		r.NewDeny += r.weight
	case before.denied() && !after.denied():
		r.LostDeny += r.weight
	}
}

// count counts what one says and the other does not, whichever rule says it.
func (r *replay) count(id, change string, one, other *outcome, seen map[*effectRow]bool) {
	if one.err != nil && other.err == nil {
		r.row(id, change, gateway.Effect{Verb: "error", Head: quoted(one.err)}, seen)
	}
	for _, e := range one.Rules {
		if !slices.ContainsFunc(other.Rules, func(o gateway.Effect) bool { return o.Verb == e.Verb && string(o.Head) == string(e.Head) }) {
			r.row(id, change, e, seen)
		}
	}
}

func quoted(err error) json.RawMessage {
	b, _ := json.Marshal(err.Error()) // a string always can
	return b
}

func (r *replay) row(id, change string, e gateway.Effect, seen map[*effectRow]bool) {
	key := [3]string{change, e.Verb, e.Rule}
	row := r.rows[key]
	if row == nil {
		row = &effectRow{Change: change, Verb: e.Verb, Rule: e.Rule, Place: e.Place, Example: id, Says: e.Head}
		r.rows[key] = row
		r.Effects = append(r.Effects, row)
	}
	if !seen[row] {
		seen[row] = true
		row.Requests += r.weight
	}
}

func (r *replay) not(why, id string) {
	row := r.nots[why]
	if row == nil {
		row = &notRow{Why: why, Example: id}
		r.nots[why] = row
	}
	row.Requests += r.weight
}

func (r *replay) sort() {
	slices.SortFunc(r.Effects, func(a, b *effectRow) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), strings.Compare(a.Change, b.Change), strings.Compare(a.Verb, b.Verb), strings.Compare(a.Rule, b.Rule))
	})
	for _, why := range slices.Sorted(maps.Keys(r.nots)) {
		r.NotReplayable = append(r.NotReplayable, *r.nots[why])
	}
}

// printReplay prints the differences for people.
func (p *Program) printReplay(r *replay) error {
	fmt.Fprintf(p.Stdout, "%d requests replayed, policy %s against %s: %d changed (%s), %d denied anew, %d not denied any more, %d fail anew\n",
		r.Replayed, r.Policy, r.Candidate, r.Changed, percent(r.Changed, r.Replayed), r.NewDeny, r.LostDeny, r.NewError)
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	if len(r.Effects) > 0 {
		fmt.Fprintln(w, "\n\tVERB\tRULE\tREQUESTS\tSHARE\tEXAMPLE\tSAYS")
	}
	for _, e := range r.Effects {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", e.Change, e.Verb, orDash(named(e.Rule, e.Place)), e.Requests, percent(e.Requests, r.Replayed), e.Example, e.Says)
	}
	if len(r.NotReplayable) > 0 {
		fmt.Fprintln(w, "\nNOT REPLAYABLE\tEXAMPLE\tWHY")
	}
	for _, n := range r.NotReplayable {
		fmt.Fprintf(w, "%d\t%s\t%s\n", n.Requests, n.Example, n.Why)
	}
	return w.Flush()
}

func percent(n, of int) string {
	if of == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(n)/float64(of))
}

// check fails if a condition holds, or if nothing can be said about any.
func (r *replay) check(conditions []condition) error {
	if len(conditions) > 0 && r.Replayed == 0 {
		return errors.New("no request could be replayed, so nothing is known")
	}
	var held []string
	for _, c := range conditions {
		n := figures[c.figure](r)
		of := r.Replayed
		if c.figure == "not-replayable" {
			of = r.Recorded
		}
		value := float64(n)
		if c.percent && of > 0 {
			value = 100 * value / float64(of)
		}
		if value > c.limit || c.equal && value == c.limit {
			held = append(held, fmt.Sprintf("%s: %d of %d", c.text, n, of))
		}
	}
	if len(held) > 0 {
		return errors.New(strings.Join(held, "; "))
	}
	return nil
}
