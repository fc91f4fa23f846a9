package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/rego"
	"github.com/attache-gateway/attache/extproc/shadow"
	"github.com/attache-gateway/attache/extproc/telemetry"
)

// A ruleSet is all rules that one snapshot decides by.
type ruleSet struct {
	gateway.Rules
	config    config.Policy
	live      *rego.Policy // nil: there are none
	own       string       // revision of the configuration's own rules, which a promotion puts aside
	stale     error        // why the last good rules are in force; nil: they are not
	promotion *promotion   // nil: none is in force
	loaded    time.Time
	since     time.Time // when its revision was put in force

	candidate *rego.Policy // nil: there is none, or it is refused
	files     fs.FS        // of the candidate
	refused   error        // why there is none
	pair      *shadow.Pair
}

// A promotion is a candidate in force. It ends when the rules change in whose
// place it is.
type promotion struct {
	instead string // revision
	files   fs.FS
}

// A policyHistory is what of policies outlives them.
type policyHistory struct {
	recent, trial rego.Recent // inputs that new rules and candidates are tried on
	shadow        *shadow.Shadow
	fetched       downloads

	mu      sync.Mutex
	current *ruleSet // nil: nothing is in force yet
	last    loading
}

// A loading is how the latest load of the configuration went.
type loading struct {
	Time   time.Time `json:"time"`
	Error  string    `json:"error,omitempty"`
	Failed int64     `json:"failed"` // loads since the start, those of candidates as well
	Missed int64     `json:"missed"` // looks for a bundle, since the start, that gave an error
}

// load loads the rules of the configuration. With a history it keeps them as the
// last good ones, falls back to these where nothing is in force yet, and goes on
// without a candidate that is refused.
func (h *policyHistory) load(ctx context.Context, c *config.Config, log *slog.Logger) (*ruleSet, error) {
	s := &ruleSet{Rules: gateway.Rules{Policy: gateway.NoPolicy{}}, config: c.Policy, loaded: time.Now()}
	if c.Policy.Empty() {
		return s, nil
	}
	o := optionsOf(c, log)
	if err := h.loadLive(ctx, s, o); err != nil {
		return nil, err
	}
	s.own = s.live.Revision()
	if err := h.keepPromotion(ctx, s, o); err != nil {
		return nil, err
	}
	s.Policy = s.live
	for _, w := range s.live.Warnings() {
		log.Warn("the policy is doubtful", "at", w)
	}
	if c.Policy.Shadow.Empty() {
		return s, nil
	}
	if err := h.loadCandidate(ctx, s, o, filterOf(&c.Telemetry.Decisions)); err != nil {
		if h == nil {
			return nil, fmt.Errorf("candidate: %w", err)
		}
		s.refused = err
		log.Error("the candidate of the policy is refused, so nothing is compared with it and it decides nothing", "error", err)
	}
	return s, nil
}

func optionsOf(c *config.Config, log *slog.Logger) rego.Options {
	o := rego.Options{
		Default: c.Policy.Default, Deadline: c.Policy.Deadline,
		Off: c.Policy.Off, Teams: c.Policy.Teams, Builtins: c.Policy.Builtins, Coverage: c.Policy.Coverage,
		Logger: log, Tags: map[string][]string{}, Uncached: c.Cache.Mode == config.CacheOff,
	}
	for _, g := range c.Guards {
		if g.Input {
			o.Guards = append(o.Guards, g.Name)
		}
		if g.Output {
			o.OutputGuards = append(o.OutputGuards, g.Name)
		}
	}
	o.Limits = c.Limits
	for _, b := range c.Budgets {
		o.Budgets = append(o.Budgets, b.Limit)
	}
	var providers []gateway.Provider
	for _, p := range c.Providers {
		o.Providers = append(o.Providers, p.Name)
		providers = append(providers, gateway.Provider{Name: p.Name, Models: p.Models})
		for name, value := range p.Tags {
			if !slices.Contains(o.Tags[name], value) {
				o.Tags[name] = append(o.Tags[name], value)
			}
		}
	}
	var models []string
	for _, m := range c.Models {
		models = append(models, m.Name)
		o.Targets = append(o.Targets, m.Targets...)
	}
	o.Serves = gateway.Serves(models, providers)
	return o
}

// loadLive loads the rules that the configuration puts in force.
func (h *policyHistory) loadLive(ctx context.Context, s *ruleSet, o rego.Options) (err error) {
	if h != nil {
		o.Recent, o.LastGood = &h.recent, s.config.LastGood
	}
	if o.FS, err = h.open(ctx, &s.config.Source); err == nil {
		s.live, err = rego.Load(ctx, o)
	}
	if err == nil || h == nil || o.LastGood == "" || h.inForce() != nil {
		return err
	}
	var last error
	s.live, last = rego.LoadLastGood(ctx, o)
	if errors.Is(last, fs.ErrNotExist) {
		return err
	}
	if last != nil {
		return errors.Join(err, last)
	}
	s.stale = err
	o.Logger.Error("the policy is refused, the last good one is in force", "error", err, "policy", s.live.Revision())
	return nil
}

// keepPromotion puts the promoted candidate in force again, unless the rules
// changed in whose place it was.
func (h *policyHistory) keepPromotion(ctx context.Context, s *ruleSet, o rego.Options) (err error) {
	if h == nil || h.inForce() == nil || h.inForce().promotion == nil {
		return nil
	}
	p := h.inForce().promotion
	if p.instead != s.own {
		o.Logger.Warn("the promotion has ended, since the rules of the configuration changed", "policy", s.own)
		return nil
	}
	o.FS, o.Recent = p.files, &h.recent
	if s.live, err = rego.Load(ctx, o); err != nil {
		return fmt.Errorf("the promoted candidate: %w", err)
	}
	s.promotion = p
	return nil
}

// loadCandidate loads a candidate and puts it beside the rules in force, unless
// it is the same. Of examples is shown what may be in the log of decisions.
func (h *policyHistory) loadCandidate(ctx context.Context, s *ruleSet, o rego.Options, f telemetry.Filter) error {
	files, err := h.open(ctx, &s.config.Shadow.Source)
	if err != nil {
		return err
	}
	if files, err = rego.Freeze(files); err != nil {
		return err
	}
	o.FS = files
	if h != nil {
		o.Recent = &h.trial
	}
	p, err := rego.Load(ctx, o)
	if err != nil || h == nil {
		return err
	}
	s.candidate, s.files = p, files
	if p.Revision() == s.live.Revision() {
		return nil
	}
	show := shadow.Show{Input: f.Content == telemetry.ContentProjected, Mask: f.Masked}
	s.pair = h.shadow.Pair(s.live.Revision(), p, s.config.Shadow.Permille, s.config.Deadline, show)
	s.Shadow = s.pair
	if s.config.Canary.Permille > 0 {
		s.Canary = &gateway.Canary{Policy: p, Permille: s.config.Canary.Permille, By: s.config.Canary.By}
	}
	return nil
}

// inForce returns the rules in force, nil before there are any.
func (h *policyHistory) inForce() *ruleSet {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current
}

// put notes what is in force from now on.
func (h *policyHistory) put(s *ruleSet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.since = s.loaded
	if was := h.current; was != nil && was.revision() == s.revision() {
		s.since = was.since
	}
	h.current = s
	h.fetched.keep(fetchedOf(&s.config))
	h.last.Time, h.last.Error = s.loaded, ""
	if s.stale != nil {
		h.last.Error = s.stale.Error()
	}
	if s.stale != nil || s.refused != nil {
		h.last.Failed++
	}
}

// revision is that of the rules in force, empty if there are none.
func (s *ruleSet) revision() string {
	if s.live == nil {
		return ""
	}
	return s.live.Revision()
}

// counting are the rules whose limits are asked for.
func (s *ruleSet) counting() []*rego.Policy {
	if s.Canary == nil {
		return []*rego.Policy{s.live}
	}
	return []*rego.Policy{s.live, s.candidate}
}

// promoted notes rules that no load put in force.
func (h *policyHistory) promoted(s *ruleSet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current = s
}

// failed notes a reload that changed nothing.
func (h *policyHistory) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last.Time, h.last.Error = time.Now(), err.Error()
	h.last.Failed++
	if h.current != nil { // the bundles of what was refused
		h.fetched.keep(fetchedOf(&h.current.config))
	}
}

// missed notes a look for a bundle that gave an error.
func (h *policyHistory) missed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last.Missed++
}

// errNoCandidate is the lack of a candidate that could be promoted.
var errNoCandidate = errors.New("there is no candidate beside the rules in force")

// errOtherCandidate is a candidate that is not the one which was meant.
var errOtherCandidate = errors.New("the candidate is another one by now")

// promote puts the candidate in force. The revision may be empty: whichever it is.
func (s *service) promote(ctx context.Context, revision string) (before, after string, err error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	was := s.policies.inForce()
	switch {
	case was.candidate == nil || was.pair == nil:
		return "", "", errNoCandidate
	case revision != "" && revision != was.candidate.Revision():
		return "", "", errOtherCandidate
	}
	b := s.counting.bounds.Load()
	if err := s.counting.seed(ctx, b, time.Now(), was.candidate); err != nil {
		return "", "", err
	}
	now := *was
	now.Rules = gateway.Rules{Policy: was.candidate}
	now.live, now.pair, now.loaded = was.candidate, nil, time.Now()
	now.since = now.loaded
	now.promotion = &promotion{instead: was.own, files: was.files}
	s.holder.Current().Promote(was.candidate)
	s.policies.promoted(&now)
	s.counting.put(b, now.live)
	return was.live.Revision(), now.live.Revision(), nil
}
