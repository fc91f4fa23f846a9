package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

// config reads the whole file.
func (r *reader) config(c *Config, v value) {
	r.object(v, map[string]field{
		"listen":      parsed(r, &c.Listen, parseAddress),
		"admin":       parsed(r, &c.Admin, parseHostPort),
		"admin_token": r.secret(&c.AdminToken),
		"envoy":       func(v value) { r.envoy(&c.Envoy, v) },
		"providers":   func(v value) { r.each(v, func(name string, v value) { r.provider(c, name, v) }) },
		"models":      func(v value) { r.each(v, func(name string, v value) { r.model(c, name, v) }) },
		"attempts":    func(v value) { r.object(v, r.attempts(&c.Attempts)) },
		"health":      func(v value) { r.health(&c.Health, v) },
		"usage_chunk": r.choice(&c.UsageChunk, HideUsage, PassUsage),
		"forward": func(v value) {
			r.object(v, map[string]field{"provider": r.string(&c.Forward.Provider), "unguarded": r.choice(&c.Forward.Unguarded, Deny, Allow)})
		},
		"auth":   func(v value) { r.auth(&c.Auth, v) },
		"policy": func(v value) { r.policy(&c.Policy, v) },
		"guards": r.list(func(v value) { r.guard(c, v) }),
		"ledger": func(v value) {
			r.object(v, map[string]field{"sqlite": r.string(&c.Ledger.SQLite), "postgres": nil})
		},
		"telemetry": func(v value) { r.telemetry(&c.Telemetry, v) },
		"log":       func(v value) { r.log(&c.Log, v) },
		"limits":    func(v value) { r.limits(c, v) },
		"budgets":   func(v value) { r.budgets(c, v) },
		"timezone":  parsed(r, &c.Zone, parseZone),
		"cache":     func(v value) { r.cache(&c.Cache, v) },
		"redis":     nil,
	})
}

func (r *reader) envoy(e *Envoy, v value) {
	r.object(v, map[string]field{
		"address":         parsed(r, &e.Address, parseIP),
		"port":            r.integer(&e.Port, 1, math.MaxUint16),
		"admin":           parsed(r, &e.Admin, parseHostPort),
		"version":         r.choice(&e.Version, V140, V139),
		"max_request":     r.size(&e.MaxRequest, 1<<10, maxRequest),
		"max_response":    r.size(&e.MaxResponse, 1<<10, maxResponse),
		"request_timeout": r.duration(&e.RequestTimeout, time.Second, 24*time.Hour),
		"retry_backoff":   r.duration(&e.RetryBackoff, time.Millisecond, time.Minute),
		"stream_idle":     r.duration(&e.StreamIdle, time.Second, time.Hour),
	})
}

// provider reads a provider on top of its kind's preset, wherever in the
// mapping the kind stands.
func (r *reader) provider(c *Config, name string, v value) {
	p := Provider{Name: name}
	var usage, header string
	fields := r.credential(&p, &header)
	maps.Copy(fields, map[string]field{
		"kind":        parsed(r, &p.Kind, parseKind),
		"url":         parsed(r, &p.URL, parseURL),
		"dialect":     func(v value) { r.dialect(&p, v) },
		"models":      r.strings(&p.Models),
		"tags":        r.stringMap(&p.Tags),
		"usage":       r.choice(&usage, "native", "observe"),
		"prices":      r.prices(&p.Prices),
		"rules":       r.list(func(v value) { r.rule(&p, v) }),
		"region":      parsed(r, &p.Region, parseRegion),
		"project":     parsed(r, &p.Project, parseProject),
		"api_version": parsed(r, &p.Version, parseVersion),
	})
	r.object(v, fields)
	r.missing(v.path+".kind", "is missing; it is one of %s", list(provider.Kinds()))
	if p.Kind != "" {
		p = p.complete(r.preset(&p, v.path), usage)
	}
	if header != "" {
		p.Auth = keyHeader(header)
	}
	c.Providers = append(c.Providers, p)
}

// dialect reads a provider's dialect, or several, the usual one first.
func (r *reader) dialect(p *Provider, v value) {
	if v.node.Kind != yaml.SequenceNode {
		r.choice(&p.Dialect, dialects()...)(v)
		return
	}
	var all []string
	r.list(func(v value) {
		var d string
		r.choice(&d, dialects()...)(v)
		if slices.Contains(all, d) {
			r.problem(v.path, "is there twice")
		}
		all = append(all, d)
	})(v)
	if len(all) == 0 {
		r.problem(v.path, "is empty")
		return
	}
	p.Dialect, p.Also = all[0], all[1:]
}

// preset returns what is known of the provider's kind in its dialect. Whoever
// names a server of his own may say that it speaks any dialect.
func (r *reader) preset(p *Provider, at string) provider.Preset {
	preset, ok := provider.Lookup(p.Kind, p.Dialect)
	for i, d := range p.Also {
		if d != "" && !slices.Contains(preset.Also, d) && (d != llm.OpenAI || p.Dialect != llm.Responses) {
			r.problem(fmt.Sprintf("%s.dialect[%d]", at, i+1), "is not below the same URL as %s; write a second provider", p.Dialect)
		}
	}
	if ok {
		return preset
	}
	if p.URL == "" {
		r.problem(at+".dialect", "%s has no API of this dialect, but of %s; another server needs a url", p.Kind, or(provider.Dialects(p.Kind)))
	}
	preset, _ = provider.Lookup(p.Kind, "")
	return provider.Preset{Kind: preset.Kind, Dialect: p.Dialect, Auth: preset.Auth, Models: preset.Models, Usage: preset.Usage}
}

// complete fills what was left out. A server of somebody else gets no bare
// model names from the preset: it may speak the dialect and serve none of them.
func (p Provider) complete(preset provider.Preset, usage string) Provider {
	told := p.Dialect != ""
	p.Auth, p.Dialect, p.Hosting = preset.Auth, preset.Dialect, preset.Hosting
	if p.URL == "" {
		p.URL = preset.BaseURL(p.Region)
	}
	if preset.Full && !told && p.Version == "" && provider.Own(p.Kind, p.URL) {
		p.Also = preset.Also
	}
	if p.Models == nil && provider.Own(p.Kind, p.URL) {
		p.Models = preset.Models
	}
	if _, told := p.Tags["region"]; p.Region != "" && !told {
		p.Tags = maps.Clone(p.Tags)
		if p.Tags == nil {
			p.Tags = map[string]string{}
		}
		p.Tags["region"] = p.Region // which the policy asks for by this name
	}
	p.Native = usage == "native" || usage == "" && preset.Usage
	return p
}

func (r *reader) stringMap(to *map[string]string) field {
	return func(v value) {
		*to = map[string]string{}
		r.each(v, func(name string, v value) {
			var s string
			r.string(&s)(v)
			(*to)[name] = s
		})
	}
}

// prices reads dollars per million tokens. What is not given of the cache costs
// as much as other input.
func (r *reader) prices(to *map[string]provider.Price) field {
	return func(v value) {
		*to = map[string]provider.Price{}
		r.each(v, func(model string, v value) {
			var p provider.Price
			given := map[string]*int64{
				"input": &p.Input, "output": &p.Output,
				"cache_read": &p.CacheRead, "cache_write": &p.CacheWrite, "cache_write_hour": &p.CacheWriteHour,
			}
			fields := map[string]field{}
			for name, at := range given {
				fields[name] = parsed(r, at, parseDollars)
			}
			r.object(v, fields)
			for _, name := range [...]string{"input", "output"} {
				r.missing(join(v.path, name), "is missing; in dollars per million tokens")
			}
			for _, otherwise := range [...][2]string{{"cache_read", "input"}, {"cache_write", "input"}, {"cache_write_hour", "cache_write"}} {
				if !r.has(join(v.path, otherwise[0])) {
					*given[otherwise[0]] = *given[otherwise[1]]
				}
			}
			(*to)[model] = p
		})
	}
}

func (r *reader) attempts(a *Attempts) map[string]field {
	return map[string]field{
		"timeout":     r.duration(&a.Timeout, time.Millisecond, time.Hour),
		"first_token": r.duration(&a.FirstToken, time.Millisecond, time.Hour),
		"retries":     r.integer(&a.Retries, 0, 5),
	}
}

// model reads a model. What it does not say of its attempts is filled in by
// check, when the whole file was read.
func (r *reader) model(c *Config, name string, v value) {
	m := Model{Name: name, Pick: gateway.PickOrdered}
	fields := r.attempts(&m.Attempts)
	maps.Copy(fields, map[string]field{
		"targets": r.list(func(v value) { r.target(&m, v) }),
		"pick":    r.choice(&m.Pick, gateway.PickOrdered, gateway.PickWeighted, gateway.PickCheapest, gateway.PickFastest, gateway.PickLeastBusy),
		"sticky":  r.choice(&m.Sticky, "user", "session", "key"),
	})
	r.object(v, fields)
	c.Models = append(c.Models, m)
}

// target reads provider/model, alone or with its weight.
func (r *reader) target(m *Model, v value) {
	var name string
	weight := 1
	if v.node.Kind == yaml.MappingNode {
		r.object(v, map[string]field{"target": r.string(&name), "weight": r.integer(&weight, 0, maxWeight)})
		r.missing(v.path+".target", "is missing")
	} else {
		r.string(&name)(v)
	}
	m.Targets, m.Weights = append(m.Targets, name), append(m.Weights, int64(weight))
}

// maxWeight bounds the weight of a target.
const maxWeight = 1_000_000

func (r *reader) health(b *gateway.Breaker, v value) {
	r.object(v, map[string]field{
		"errors":       parsed(r, &b.ErrorsPermille, parsePercent),
		"min_requests": parsed(r, &b.MinRequests, parseCount),
		"failures":     parsed(r, &b.Failures, parseCount),
		"open_for":     r.duration(&b.OpenFor, 100*time.Millisecond, time.Hour),
		"max_open":     r.duration(&b.MaxOpen, 100*time.Millisecond, time.Hour),
		"half_life":    r.duration(&b.HalfLife, time.Second, time.Hour),
	})
}

func (r *reader) policy(p *Policy, v value) {
	var onError string
	fields := r.source(&p.Source)
	maps.Copy(fields, map[string]field{
		"shadow":   func(v value) { r.shadow(&p.Shadow, v) },
		"canary":   func(v value) { r.canary(&p.Canary, v) },
		"explain":  func(v value) { r.explain(&p.Explain, v) },
		"deadline": r.duration(&p.Deadline, 100*time.Microsecond, 10*time.Second),
		"on_error": r.choice(&onError, Deny), // said for the reader of the file
		"default":  r.choice(&p.Default, Allow, Deny),
		"defaults": func(v value) { r.object(v, map[string]field{"off": r.strings(&p.Off)}) },
		"teams": func(v value) {
			r.each(v, func(name string, v value) {
				if p.Teams == nil {
					p.Teams = map[string][]string{}
				}
				var granted []string
				r.strings(&granted)(v)
				p.Teams[name] = granted
			})
		},
		"builtins":  r.strings(&p.Builtins),
		"coverage":  r.integer(&p.Coverage, 0, 100),
		"last_good": parsed(r, &p.LastGood, parseFileOrNone),
	})
	r.object(v, fields)
}

// parseFileOrNone reads a path, or the word none for no file.
func parseFileOrNone(s string) (string, error) {
	switch s {
	case "":
		return "", errors.New("is empty; none is written none")
	case "none":
		return "", nil
	}
	return s, nil
}

func (r *reader) log(l *Log, v value) {
	r.object(v, map[string]field{
		"format": r.choice(&l.Format, "text", "json"),
		"level": parsed(r, &l.Level, func(s string) (slog.Level, error) {
			var level slog.Level
			if err := level.UnmarshalText([]byte(s)); err != nil {
				return 0, fmt.Errorf("must be debug, info, warn or error")
			}
			return level, nil
		}),
	})
}
