// Package rego decides requests by Rego rules, on OPA.
//
// [Load] reads a directory of rules, checks all that can be checked before the
// first request, runs the policy's own tests and prepares one query for each
// entry point. The resulting [Policy] never changes; new rules make a new one,
// and a Load that fails leaves the old one as it was.
//
// The package knows the rule language, the document that rules see (input) and
// the effects that they state (deny, route, modify and so on), and folds the
// effects of all rules into one [gateway.Decision]. It does not know how facts
// are gathered, which targets exist or what is done with a decision.
// policies/README.md is the same contract for authors of rules.
package rego

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

var (
	_ gateway.Policy  = (*Policy)(nil)
	_ gateway.Witness = (*Policy)(nil)
)

// What holds for a request about which no rule says anything.
const (
	Allow = "allow"
	Deny  = "deny"
)

// Options say what to load.
type Options struct {
	// FS holds the rules (*.rego), their tests (*_test.rego), rules of teams
	// (teams/NAME/) and data (data/*.json, *.yaml, *.yml). Hidden files and
	// folders are left out. Anything that can be seen as a file system can be
	// a source of rules: a directory, an archive, a bundle.
	FS fs.FS

	// Default is Allow or Deny. With Deny a request needs an allow rule.
	Default string

	// Deadline bounds one decision. It must be positive.
	Deadline time.Duration

	// Off names the shipped defaults that are left out, as residency.
	Off []string

	// Teams are the verbs that each team's own rules may use.
	Teams map[string][]string

	// Guards and OutputGuards are the names of the configured guards that look at
	// requests and at responses, of which rules may ask.
	Guards, OutputGuards []string

	// Limits and Budgets are those of the configuration, of which rules see what
	// is left.
	Limits, Budgets []gateway.Limit

	// Uncached says that the configuration has no cache of responses, which rules
	// could ask for.
	Uncached bool

	// Providers are the names of the configured providers, Tags the values that
	// their tags have, by the tag's name, and Targets those of the configured
	// models, as provider/model. Serves reports whether a name in a chain or a split
	// stands for a target. Constants in rules are held against them; nil: they are
	// not known.
	Providers []string
	Tags      map[string][]string
	Targets   []string
	Serves    func(name string) bool `json:"-"`

	// Builtins are forbidden builtins that rules may use all the same.
	Builtins []string

	// Coverage is how much of the rules their tests must run, in percent.
	Coverage int

	// Recent holds inputs of late, which the rules are tried on, and takes those
	// of the new policy. It may be nil.
	Recent *Recent

	// LastGood is the file in which rules that were loaded are kept. It may be
	// empty. Rules that cannot be kept are in force all the same.
	LastGood string

	// Logger may be nil.
	Logger *slog.Logger
}

// A Policy is a set of rules in force. It is safe for concurrent use.
type Policy struct {
	request, response, admin *entry // nil: no rules

	cache    *decisions // held about requests; nil: they are not fit for it
	closed   bool       // Default is Deny
	revision string
	nothing  gateway.Facts             // of a request that has nothing
	labels   map[string]map[string]any // of rules, by their places
	warnings []string
	recent   *Recent
	log      *slog.Logger
}

func (p *Policy) entries() (es []*entry) {
	for _, e := range [...]*entry{p.request, p.response, p.admin} {
		if e != nil {
			es = append(es, e)
		}
	}
	return es
}

// Revision is a short hash of the rules and data in force.
func (p *Policy) Revision() string { return p.revision }

// Warnings are what is doubtful in the rules but no reason to refuse them, one
// in a line, as "path:line: …".
func (p *Policy) Warnings() []string { return p.warnings }

// maxKey bounds the keys of cached decisions, in bytes.
const maxKey = 4096

// keys are buffers for keys.
var keys = sync.Pool{New: func() any { return new([]byte) }}

// Decide evaluates the rules about a request, or takes the decision about one
// that is the same to them. It returns an error where a rule fails, the deadline
// or ctx ends, or effects are malformed or contradict each other.
func (p *Policy) Decide(ctx context.Context, f *gateway.Facts) (gateway.Decision, error) {
	if !p.cache.on() {
		return p.decide(ctx, f)
	}
	buffer := keys.Get().(*[]byte)
	defer keys.Put(buffer)
	key := p.cache.keyer.key((*buffer)[:0], f)
	*buffer = key[:0]
	if len(key) > maxKey {
		*buffer = nil
		return p.decide(ctx, f)
	}
	cached, check := p.cache.get(key)
	if cached != nil && !check {
		return *cached, nil
	}
	d, err := p.decide(ctx, f)
	switch {
	case err != nil:
		return d, err
	case cached == nil:
		p.cache.put(key, &d)
	case !p.cache.compare(cached, &d):
		p.log.Error("a cached decision differs from the rules', so decisions are not cached any more", "rules", d.Rules, "cached", cached.Rules, "policy", p.revision)
	}
	return d, nil
}

// decide evaluates the rules about a request.
func (p *Policy) decide(ctx context.Context, f *gateway.Facts) (gateway.Decision, error) {
	sum := &fold{}
	if p.request != nil {
		var in ast.Value
		var err error
		if sum, in, err = p.request.ask(ctx, f); err != nil {
			return gateway.Decision{}, fmt.Errorf("rego: %w", err)
		}
		p.recent.add(p.request, in)
	}
	d, err := sum.decision(p.closed)
	if err != nil {
		return gateway.Decision{}, fmt.Errorf("rego: %w", err)
	}
	return d, nil
}

// Reviews reports whether there are rules about requests that have ended.
func (p *Policy) Reviews() bool { return p.response != nil }

// Review evaluates the rules about a request that has ended. It fails as Decide
// does.
func (p *Policy) Review(ctx context.Context, f *gateway.Facts) (gateway.Review, error) {
	if p.response == nil {
		return gateway.Review{}, nil
	}
	sum, _, err := p.response.ask(ctx, f)
	if err == nil {
		var r gateway.Review
		if r, err = sum.review(); err == nil {
			return r, nil
		}
	}
	return gateway.Review{}, fmt.Errorf("rego: %w", err)
}

// Admits reports whether there are rules about calls of the admin API.
func (p *Policy) Admits() bool { return p.admin != nil }

// Admit evaluates the rules about a call of the admin API: f has its caller and
// f.Admin. The denial is nil if no rule denies it. An error denies as well.
func (p *Policy) Admit(ctx context.Context, f *gateway.Facts) (*gateway.Denial, error) {
	if p.admin == nil {
		return nil, nil
	}
	sum, _, err := p.admin.ask(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("rego: %w", err)
	}
	return sum.refusal(false), nil
}

// Seen returns what the rules of an entry can see of the facts, as JSON: no more
// than they read. It is nil if there are no rules.
func (p *Policy) Seen(on gateway.Entry, f *gateway.Facts) ([]byte, error) {
	e := map[gateway.Entry]*entry{gateway.EntryRequest: p.request, gateway.EntryResponse: p.response, gateway.EntryAdmin: p.admin}[on]
	if e == nil {
		return nil, nil
	}
	in, err := jsonOf(e.input.term(f).Value)
	if err != nil {
		return nil, fmt.Errorf("rego: %w", err)
	}
	return in, nil
}

// Place returns where a rule about requests or responses stands, as file:line,
// by its id. Of several with one id it is the first. It is empty for none.
func (p *Policy) Place(id string) string {
	for _, e := range p.entries() {
		if i := slices.IndexFunc(e.rules, func(r rule) bool { return r.id == id }); i >= 0 {
			return e.rules[i].place
		}
	}
	return ""
}

// jsonOf is a value as JSON. Keys and sets are sorted, so that equal values are
// equal bytes.
func jsonOf(v ast.Value) (json.RawMessage, error) {
	x, err := ast.JSONWithOpt(v, ast.JSONOpt{SortSets: true})
	if err != nil {
		return nil, err
	}
	return json.Marshal(x)
}
