package config

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

func parseKind(s string) (string, error) {
	p, ok := provider.Lookup(s, "")
	if !ok {
		return "", fmt.Errorf("must be one of %s; other servers that are compatible with OpenAI are of kind openai, with a url", list(provider.Kinds()))
	}
	return p.Kind, nil
}

func dialects() []string {
	return []string{llm.OpenAI, llm.Responses, llm.Anthropic, llm.Gemini, llm.Bedrock, llm.Cohere}
}

func or(names []string) string { return strings.Join(names, " or ") }

func list(names []string) string { return strings.Join(names, ", ") }

// maxTargets bounds the targets of one model.
const maxTargets = 32

var (
	providerName = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)
	guardName    = regexp.MustCompile(`^[a-z0-9_-]{1,63}$`)
)

// reserved are names of providers that mean something else in metrics and in
// Envoy's configuration.
var reserved = []string{"attache", "gateway", "none"}

// check looks at what no single field can tell.
func (r *reader) check(c *Config) {
	r.checkAddresses(c)
	if len(c.Providers) == 0 && !r.wrong("providers") && !r.wrong("") {
		r.problem("providers", "at least one is needed")
	}
	for i := range c.Providers {
		r.checkProvider(&c.Providers[i], c.Envoy.Version)
	}
	for i := range c.Models {
		r.checkModel(c, &c.Models[i])
	}
	if c.Health.OpenFor > c.Health.MaxOpen {
		r.problem("health.open_for", "is longer than max_open")
	}
	r.checkForward(c)
	r.checkPolicy(&c.Policy)
	r.checkExplain(c)
	r.checkGuards(c.Guards)
	r.checkAuth(&c.Auth)
}

// checkAddresses finds two servers at one address.
func (r *reader) checkAddresses(c *Config) {
	seen := map[string]string{}
	for _, s := range [...]struct{ path, address string }{
		{"envoy.port", fmt.Sprintf("%s:%d", c.Envoy.Address, c.Envoy.Port)},
		{"envoy.admin", c.Envoy.Admin}, {"admin", c.Admin}, {"listen", c.Listen.Address},
	} {
		if other, ok := seen[s.address]; ok && !strings.HasSuffix(s.address, ":0") {
			r.problem(s.path, "is the address of %s as well", other)
		}
		seen[s.address] = s.path
	}
}

func (r *reader) checkProvider(p *Provider, envoy string) {
	at := join("providers", p.Name)
	switch {
	case !providerName.MatchString(p.Name):
		r.problem(at, "the name may have lower-case letters, digits and dashes, 63 at most")
	case slices.Contains(reserved, p.Name):
		r.problem(at, "the name is reserved")
	}
	preset, _ := provider.Lookup(p.Kind, p.Dialect)
	r.checkCredential(at, p, preset.Keyless || !provider.Own(p.Kind, p.URL) || r.wrong(at+".url"))
	r.checkFields(at, p, preset)
	if envoy == V139 {
		if p.Native && r.has(at+".usage") {
			r.problem(at+".usage", "native needs Envoy %s", V140)
		}
		p.Native = false
	}
	r.checkPatterns(at+".models", p.Models)
	for _, name := range [...]string{"provider", "model"} {
		if _, ok := p.Tags[name]; ok {
			r.problem(join(at+".tags", name), "every target has this tag already, its own name")
		}
	}
}

// checkPatterns checks patterns of model names.
func (r *reader) checkPatterns(at string, patterns []string) {
	for i, p := range patterns {
		if p != "" && !isPattern(p) { // what is empty was reported when it was read
			r.problem(fmt.Sprintf("%s[%d]", at, i), "must be a model's name, in which * stands for any characters but /")
		}
	}
}

func isPattern(s string) bool {
	_, err := path.Match(s, "")
	return err == nil && s != "" && !strings.ContainsAny(s, ", ")
}

// checkForward finds the provider for requests without a model: where none is
// named, OpenAI before those that are compatible with it and may serve less.
func (r *reader) checkForward(c *Config) {
	name := c.Forward.Provider
	switch i := slices.IndexFunc(c.Providers, func(p Provider) bool { return name == p.Name || name == "" && provider.Own("openai", p.URL) }); {
	case i >= 0:
		c.Forward.Provider = c.Providers[i].Name
	case name != "":
		r.problem("forward.provider", "there is no provider of the name %q", name)
	}
}

func (r *reader) checkModel(c *Config, m *Model) {
	at := join("models", m.Name)
	if strings.ContainsAny(m.Name, ", \t\n") {
		r.problem(at, "the name must not have commas or spaces; a comma separates models in a request")
	}
	if !r.has(at + ".timeout") {
		m.Timeout = c.Attempts.Timeout
	}
	if !r.has(at + ".first_token") {
		m.FirstToken = c.Attempts.FirstToken
	}
	if !r.has(at + ".retries") {
		m.Retries = c.Attempts.Retries
	}
	if len(m.Targets) == 0 {
		r.problem(at+".targets", "at least one is needed, written provider/model")
	}
	if len(m.Targets) > maxTargets {
		r.problem(at+".targets", "there are %d; %d are allowed", len(m.Targets), maxTargets)
	}
	if m.Sticky != "" && m.Pick != gateway.PickWeighted {
		r.problem(at+".sticky", "needs pick: %s", gateway.PickWeighted)
	}
	if m.Pick == gateway.PickWeighted && len(m.Targets) > 0 && !slices.ContainsFunc(m.Weights, func(w int64) bool { return w > 0 }) {
		r.problem(at+".targets", "at least one needs a weight above 0")
	}
	for i, t := range m.Targets {
		r.checkTarget(c, fmt.Sprintf("%s.targets[%d]", at, i), t, m.Targets[:i])
	}
}

func (r *reader) checkTarget(c *Config, at, target string, before []string) {
	name, model, ok := strings.Cut(target, "/")
	switch {
	case target == "": // reported when it was read
	case !ok || name == "" || model == "" || strings.ContainsAny(target, ", "):
		r.problem(at, "must be provider/model")
	case !slices.ContainsFunc(c.Providers, func(p Provider) bool { return p.Name == name }):
		r.problem(at, "there is no provider of the name %q", name)
	case slices.Contains(before, target):
		r.problem(at, "is there twice; retries try a target again")
	}
}
