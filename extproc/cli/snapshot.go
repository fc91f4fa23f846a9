package cli

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"github.com/attache-gateway/attache/extproc/auth"
	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/credential"
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/cohere"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/hosting"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/provider"
)

// lasting is what outlives snapshots. By its zero value nothing is remembered, and
// nothing logged.
type lasting struct {
	health    *gateway.Health
	issuers   *auth.KeyServers
	counting  *counting
	answers   *answerCache
	decisions *decisionLog
	sinks     []gateway.Sink
}

// snapshot builds everything that decides about requests. What it opened, and
// the set of credentials that it fills, is closed if it fails, and by the
// gateway when its last exchange has ended.
func snapshot(ctx context.Context, c *config.Config, log *slog.Logger, creds *credential.Set, rules gateway.Rules, l lasting) (*gateway.Gateway, error) {
	callers, freeCallers, err := authenticator(&c.Auth, l.issuers, log)
	if err != nil {
		return nil, err
	}
	guards, err := loadGuards(ctx, c, log)
	if err != nil {
		freeCallers()
		return nil, err
	}
	free := func() { creds.Close(); freeCallers(); guards.free() }
	o := gateway.Options{
		Dialects:    []dialect.Dialect{openai.New(), anthropic.New(), responses.New(), gemini.New(), bedrock.New()},
		Upstream:    []dialect.ProviderSide{cohere.New()},
		Defaults:    settings(c.Attempts),
		Auth:        callers,
		Policy:      rules.Policy,
		Canary:      rules.Canary,
		Shadow:      rules.Shadow,
		Health:      l.health,
		Breaker:     c.Health,
		Guards:      guards.input,
		Limits:      l.counting.limits(log),
		Bounds:      boundsOf(c).all(),
		Zone:        c.Zone,
		Sinks:       l.sinks,
		Decisions:   l.decisions.sink(c, log),
		Explaining:  c.Policy.Explain,
		Caching:     l.answers.caching(&c.Cache),
		Forward:     gateway.Forwarding{Provider: c.Forward.Provider, Unguarded: c.Forward.Unguarded == config.Allow},
		PassUsage:   c.UsageChunk == config.PassUsage,
		MaxRequest:  c.Envoy.MaxRequest,
		MaxResponse: int(c.Envoy.MaxResponse),
		Now:         time.Now,
		Free:        free,

		OutputGuards: guards.output,
	}
	for i := range c.Providers {
		p, err := providerOf(&c.Providers[i], c.Envoy.Version, creds)
		if err != nil {
			free()
			return nil, err
		}
		o.Providers = append(o.Providers, p)
	}
	for _, m := range c.Models {
		o.Models = append(o.Models, gateway.Model{
			Name: m.Name, Targets: m.Targets, Weights: m.Weights, Pick: m.Pick, Sticky: m.Sticky,
			Settings: settings(m.Attempts),
		})
	}
	g, err := gateway.New(o)
	if err != nil {
		free()
	}
	return g, err
}

func settings(a config.Attempts) gateway.Settings {
	return gateway.Settings{Timeout: a.Timeout, FirstToken: a.FirstToken, Retries: a.Retries}
}

func providerOf(p *config.Provider, envoy string, creds *credential.Set) (gateway.Provider, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return gateway.Provider{}, errors.New("cli: provider " + p.Name + ": its url cannot be read")
	}
	proof, err := credentialOf(p, creds)
	if err != nil {
		return gateway.Provider{}, err
	}
	return gateway.Provider{
		Name: p.Name, Dialect: p.Dialect, Also: p.Also,
		Hosting: hosting.Hosting{Name: p.Hosting, Project: p.Project, Region: p.Region, APIVersion: p.Version},
		Host:    u.Host, BasePath: u.Path,
		Credential:  proof,
		Models:      p.Models,
		Known:       known(p),
		Tags:        p.Tags,
		Rules:       p.Rules,
		Price:       func(model string) (provider.Price, bool) { return priceOf(p, model) },
		NativeUsage: p.Native && envoy == config.V140,
	}, nil
}

// known returns names of the models of a vendor's own server.
func known(p *config.Provider) []string {
	if !provider.Own(p.Kind, p.URL) {
		return nil
	}
	return provider.Known(p.Kind)
}

// priceOf returns what the user says a model costs, or else what its vendor
// says. Another's server has its own prices, whatever its models are called.
func priceOf(p *config.Provider, model string) (provider.Price, bool) {
	if price, ok := p.Prices[model]; ok {
		return price, true
	}
	if !provider.Own(p.Kind, p.URL) {
		return provider.Price{}, false
	}
	return provider.PriceOf(p.Kind, model)
}
