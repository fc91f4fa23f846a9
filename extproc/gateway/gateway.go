// Package gateway carries one client request from its first byte to its last:
// who asks, what the policy says, what limits leave, what was answered before,
// which targets are tried, what guards see, how the response is read and written,
// and the record of it all.
//
// It declares what it needs of policies, guards, keys, limits, caches and sinks,
// and does not know how they work. It knows nothing of Envoy's protocol (package stream),
// of configuration files (config) or of any wire format (dialect).
package gateway

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/tokens"
)

// Options are what a Gateway is made of.
type Options struct {
	Dialects  []dialect.Dialect
	Upstream  []dialect.ProviderSide // dialects of providers alone
	Providers []Provider             // in the order in which bare model names look for them
	Models    []Model
	Defaults  Settings // for models that are not under Models

	Auth       Authenticator
	Policy     Policy
	Canary     *Canary        // nil: none
	Shadow     Shadow         // nil: none
	Health     *Health        // outlives the snapshot; nil: a new one
	Breaker    Breaker        // the zero value: DefaultBreaker
	Guards     []InputGuard   // in order
	Limits     Limits         // outlives the snapshot; may be nil where there are no Bounds
	Bounds     []Limit        // for all requests, besides the policy's; each has a name of its own
	Zone       *time.Location // of calendar windows and of what the policy sees of the time; nil: UTC
	Sinks      []Sink
	Decisions  DecisionSink // nil: nobody wants to know
	Explaining Explaining   // who may ask why

	OutputGuards []OutputGuard // in order

	Caching     Caching
	Forward     Forwarding
	PassUsage   bool  // leave the usage chunk in streams whose client did not ask for it
	MaxRequest  int64 // bytes of a request's body; 0: no limit
	MaxResponse int   // bytes of a unary response or of one event
	Now         func() time.Time
	Free        func() // called when no exchange uses the snapshot any more
}

// Forwarding says what becomes of requests that are passed on without a model.
type Forwarding struct {
	Provider  string // that gets them; empty: the first that serves the path
	Unguarded bool   // bodies that guards cannot read pass
}

// An InputGuard is a Guard that looks at requests.
type InputGuard struct {
	Guard
	AllowOnError bool // a guard that fails lets the request through
	Asked        bool // it looks only at requests for which the policy asks it
}

// A Gateway is one immutable snapshot of everything that decides about
// requests. An exchange belongs to the snapshot that it began with.
type Gateway struct {
	dialects  map[string]dialect.Dialect
	wires     map[string]dialect.ProviderSide // of the providers
	others    map[other]spoken
	providers map[string]*Provider
	ordered   []*Provider
	models    map[string]*model
	names     []string // of models, in order
	found     finding  // of other names
	defaults  Settings

	credentials []string // the headers that can carry a credential of any provider

	auth       Authenticator
	rules      rules
	health     *Health
	breaker    Breaker
	shares     *shareout
	guards     []InputGuard
	limits     Limits
	bounds     []*Limit
	zone       *time.Location
	sinks      []Sink
	decisions  DecisionSink
	explaining Explaining

	outputGuards []OutputGuard

	caching     Caching
	forward     Forwarding
	passUsage   bool
	maxRequest  int64
	maxResponse int
	now         func() time.Time
	users       atomic.Int64 // the holder and the open exchanges
	free        func()
}

// A model is a Model with its targets found.
type model struct {
	targets []*target
	Settings
}

// New checks that the parts fit together.
func New(o Options) (*Gateway, error) {
	g := &Gateway{
		dialects:  map[string]dialect.Dialect{},
		wires:     map[string]dialect.ProviderSide{},
		others:    map[other]spoken{},
		providers: map[string]*Provider{},
		models:    map[string]*model{},
		defaults:  o.Defaults,
		auth:      o.Auth, health: o.Health, breaker: o.Breaker, shares: newShareout(), guards: o.Guards, outputGuards: o.OutputGuards,
		limits: o.Limits, zone: o.Zone, caching: o.Caching, sinks: o.Sinks, decisions: o.Decisions, explaining: o.Explaining,
		forward: o.Forward, passUsage: o.PassUsage, maxRequest: o.MaxRequest, maxResponse: o.MaxResponse, now: o.Now, free: o.Free,
	}
	if g.zone == nil {
		g.zone = time.UTC
	}
	if g.health == nil {
		g.health = NewHealth()
	}
	if g.breaker == (Breaker{}) {
		g.breaker = DefaultBreaker()
	}
	if len(o.Bounds) > 0 && o.Limits == nil {
		return nil, errors.New("gateway: there are limits, and nothing that keeps them")
	}
	for i := range o.Bounds {
		g.bounds = append(g.bounds, &o.Bounds[i])
	}
	g.users.Store(1)
	g.rules.Store(&Rules{o.Policy, o.Canary, o.Shadow})
	tokens.O200K() // loads, so that no request waits for it
	if err := g.addProviders(&o); err != nil {
		return nil, err
	}
	for _, m := range o.Models {
		if err := g.addModel(m); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *Gateway) addProviders(o *Options) error {
	sides := map[string]dialect.ProviderSide{}
	for _, d := range o.Dialects {
		g.dialects[d.Name()] = d
		sides[d.Name()] = d
	}
	for _, d := range o.Upstream {
		sides[d.Name()] = d
	}
	g.credentials = slices.Clone(credentials[:])
	for _, p := range o.Providers {
		wire, err := p.in(p.Dialect, sides)
		if err == nil {
			err = g.addOthers(&p, sides)
		}
		if err != nil {
			return err
		}
		g.wires[p.Name] = wire
		g.providers[p.Name] = &p
		g.ordered = append(g.ordered, &p)
		if p.Credential != nil {
			g.credentials = append(g.credentials, p.Credential.Names()...)
		}
	}
	slices.Sort(g.credentials)
	g.credentials = slices.Compact(g.credentials)
	return nil
}

func (g *Gateway) addModel(m Model) error {
	var targets []*target
	for i, name := range m.Targets {
		found, _ := g.find(name)
		if len(found) == 0 {
			return fmt.Errorf("gateway: model %s: no provider for the target %q", m.Name, name)
		}
		for _, t := range found {
			own := *t
			own.set, own.pick, own.sticky = m.Name, m.Pick, m.Sticky
			if m.Weights != nil {
				own.weight = m.Weights[i]
			}
			targets = append(targets, &own)
		}
	}
	if len(targets) == 0 || len(targets) > maxTargets {
		return fmt.Errorf("gateway: model %s has %d targets, not 1 to %d", m.Name, len(targets), maxTargets)
	}
	g.models[m.Name] = &model{targets, m.Settings}
	g.names = append(g.names, m.Name)
	return nil
}
