package gateway

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/hosting"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

// A Provider is one account with somebody who sells models.
type Provider struct {
	Name        string
	Dialect     string
	Also        []string        // other dialects below the same URL; a client who speaks one is served in it
	Hosting     hosting.Hosting // whose form the dialect has
	Host        string          // for the :authority header, with the port if it is not the scheme's own
	BasePath    string          // before the dialect's paths, as /v1; empty or with a leading slash
	Credential  Credential      // nil: the server asks for none
	Models      []string        // patterns of the bare model names that it serves
	Known       []string        // names of models that it has, for lists; of them those that fit Models
	Tags        map[string]string
	Rules       func(model string) llm.Rules
	Price       func(model string) (provider.Price, bool) // false: not known
	NativeUsage bool                                      // Envoy reads the usage out of its responses
}

// A Model is a name that clients may ask for, with its targets.
type Model struct {
	Name    string
	Targets []string // provider/model, in the order of fallback
	Weights []int64  // of the targets; nil: all are 1
	Pick    string   // empty: PickOrdered
	Sticky  string   // what PickWeighted goes by: user, session or key; empty: each request for itself
	Settings
}

// Settings say how the targets of a request are tried.
type Settings struct {
	Timeout    time.Duration // to the response headers, each attempt; 0: none
	FirstToken time.Duration // of streams: to the first content; 0: none
	Retries    int           // on the same target, before the next
}

// A target is one model of one provider.
type target struct {
	*Provider
	model  string
	wire   dialect.ProviderSide
	rules  llm.Rules
	price  provider.Price
	priced bool

	set    string // the name that it was found under; targets of one name are ranked among themselves
	weight int64
	pick   string // how the targets of the set are ordered
	sticky string
}

// String returns provider/model, or the provider alone where no model is named.
func (t *target) String() string {
	if t.model == "" {
		return t.Name
	}
	return t.Name + "/" + t.model
}

// RetryCluster is the name of the Envoy cluster for a provider's attempts that
// are not written by the downstream filter.
func RetryCluster(provider string) string { return provider + ".retry" }

// maxTargets bounds the targets that a request can go to. Not all are tried: see
// maxAttempts.
const maxTargets = 32

// resolve returns the targets that a client's model stands for: a name under
// models, provider/model, model/provider, a bare name, or several of these with
// commas between them.
func (g *Gateway) resolve(model string) ([]*target, Settings, *llm.Error) {
	if len(model) > maxName {
		return nil, g.defaults, llm.Invalid("model", "is longer than %d bytes", maxName)
	}
	var all []*target
	settings := g.defaults
	names := strings.Split(model, ",")
	if len(names) > maxAttempts {
		return nil, settings, llm.Invalid("model", "names more than %d models", maxAttempts)
	}
	for i, name := range names {
		name = strings.TrimSpace(name)
		found, s := g.find(name)
		if len(found) == 0 {
			return nil, settings, &llm.Error{Status: 404, Code: llm.CodeModelNotFound, Param: "model",
				Message: fmt.Sprintf("no configured provider serves the model %.100q", name)}
		}
		if i == 0 {
			settings = s
		}
		all = append(all, found...)
	}
	if len(all) > maxTargets {
		return nil, settings, llm.Invalid("model", "names more than %d targets", maxTargets)
	}
	return all, settings, nil
}

// Serves returns a function that reports whether a name stands for a target, of
// models by their names and of providers by their Name and Models. It is for those
// who check rules before there is a gateway.
func Serves(models []string, providers []Provider) func(name string) bool {
	g := &Gateway{providers: map[string]*Provider{}, models: map[string]*model{}}
	for _, p := range providers {
		g.providers[p.Name] = &p
		g.ordered = append(g.ordered, &p)
	}
	for _, name := range models {
		g.models[name] = &model{targets: []*target{nil}}
	}
	return func(name string) bool {
		_, _, err := g.resolve(name)
		return err == nil
	}
}

func (g *Gateway) find(name string) ([]*target, Settings) {
	if m, ok := g.models[name]; ok {
		return m.targets, m.Settings
	}
	return g.found.get(name, g.search), g.defaults
}

// search finds what is not under models.
func (g *Gateway) search(name string) (found []*target) {
	if first, rest, ok := strings.Cut(name, "/"); ok && rest != "" && g.named(first) != nil {
		return []*target{g.target(g.named(first), rest)}
	}
	if i := strings.LastIndexByte(name, '/'); i > 0 && g.named(name[i+1:]) != nil {
		return []*target{g.target(g.named(name[i+1:]), name[:i])}
	}
	for _, p := range g.ordered {
		if len(found) < maxTargets && p.has(name) {
			found = append(found, g.target(p, name))
		}
	}
	return found
}

// has reports whether the provider serves a bare model name.
func (p *Provider) has(name string) bool {
	return slices.ContainsFunc(p.Models, func(pattern string) bool { return matches(pattern, name) })
}

// A finding keeps the targets of the names that clients ask for, because it takes
// some microseconds to go through a provider's rules and prices.
type finding struct {
	mu     sync.RWMutex
	byName map[string][]*target
}

// maxFound bounds the names that are kept, since clients can make up any.
const maxFound = 1024

func (f *finding) get(name string, search func(string) []*target) []*target {
	f.mu.RLock()
	found, ok := f.byName[name]
	f.mu.RUnlock()
	if ok {
		return found
	}
	if found = search(name); len(found) == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byName == nil || len(f.byName) >= maxFound {
		f.byName = map[string][]*target{}
	}
	f.byName[strings.Clone(name)] = found
	return found
}

// aliases are other names of providers, as long as none is configured under
// them.
var aliases = map[string]string{"google": "gemini"}

// named returns the provider of a name, nil if there is none.
func (g *Gateway) named(name string) *Provider {
	if p := g.providers[name]; p != nil {
		return p
	}
	return g.providers[aliases[name]]
}

// matches reports whether a name fits a pattern, in which a star stands for any
// run of characters but slashes.
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func (g *Gateway) target(p *Provider, model string) *target {
	t := &target{Provider: p, model: model, wire: g.wires[p.Name], set: model, weight: 1}
	if p.Rules != nil {
		t.rules = p.Rules(model)
	}
	if p.Price != nil {
		t.price, t.priced = p.Price(model)
	}
	return t
}

// An other is a provider in one of the dialects that it has beside its own.
type other struct{ provider, dialect string }

// spoken is how a provider is called in a dialect.
type spoken struct {
	*Provider
	wire dialect.ProviderSide
}

// addOthers finds the other dialects of a provider.
func (g *Gateway) addOthers(p *Provider, sides map[string]dialect.ProviderSide) error {
	for _, name := range p.Also {
		wire, err := p.in(name, sides)
		if err != nil {
			return err
		}
		own := *p
		own.Dialect = name
		g.others[other{p.Name, name}] = spoken{&own, wire}
	}
	return nil
}

// in returns the provider's form of a dialect.
func (p *Provider) in(name string, sides map[string]dialect.ProviderSide) (dialect.ProviderSide, error) {
	side := sides[name]
	if side == nil {
		return nil, fmt.Errorf("gateway: provider %s speaks the unknown dialect %q", p.Name, name)
	}
	wire, err := p.Hosting.Of(side)
	if err != nil {
		return nil, fmt.Errorf("gateway: provider %s: %w", p.Name, err)
	}
	return wire, nil
}

// speaking returns the targets as the request's client is served: in its own
// dialect where the provider has it, since that has all that the client can ask
// for, and in one that the model can take the request in.
func (g *Gateway) speaking(r *llm.Request, client string, targets []*target) []*target {
	var all []*target
	for i, t := range targets {
		want := client
		if r.Op == llm.OpChat && (t.rules.NoChat || t.rules.NoChatTools && len(r.Tools) > 0 && client != llm.OpenAI) {
			want = llm.Responses
		}
		s, ok := g.others[other{t.Name, want}]
		if !ok || t.Dialect == want {
			continue
		}
		if all == nil { // targets belong to the snapshot
			all = slices.Clone(targets)
		}
		own := *t
		own.Provider, own.wire = s.Provider, s.wire
		all[i] = &own
	}
	if all == nil {
		return targets
	}
	return all
}

// candidates is what a policy can know of targets.
func (g *Gateway) candidates(targets []*target) []Candidate {
	var r ranking
	all := make([]Candidate, len(targets))
	for i, s := range g.standings(&r, targets, g.now()) {
		all[i] = s.candidate()
	}
	return all
}

// candidate is what a policy can know of a target.
func (s *standing) candidate() Candidate {
	c := Candidate{
		Provider: s.Name, Model: s.model, Tags: s.Tags, Region: s.Tags["region"], InputPrice: -1, OutputPrice: -1,
		Context: s.rules.Context, MaxOutput: s.rules.MaxOutput, Weight: s.weight,
		State: s.state.String(), ErrorsPermille: s.errors, InFlight: s.inFlight, LeftPermille: 1000,
		LatencyMS: milliseconds(s.whole), FirstTokenMS: milliseconds(s.first),
	}
	if s.priced {
		c.InputPrice, c.OutputPrice = s.price.Input, s.price.Output
	}
	return c
}

// has reports whether a condition holds for the target.
func (t *target) has(c Condition) bool {
	v, ok := t.tag(c.Name)
	return ok && slices.Contains(c.Values, v)
}

// tag returns the value of a tag, or of what stands for one.
func (t *target) tag(name string) (string, bool) {
	switch name {
	case "provider":
		return t.Name, true
	case "model":
		return t.model, true
	case "target":
		return t.String(), true
	}
	v, ok := t.Tags[name]
	return v, ok
}
