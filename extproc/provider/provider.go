// Package provider knows who sells models: where their servers are, how they
// want to be called, what their models and servers depart in from their
// dialect, and what they cost. It is data, one file for each family, and each
// departure names the recording or document that shows it. Recordings are
// named by their id in the corpus.
//
// It does not know wire formats (package dialect), accounts and keys (package
// config), or which provider a request goes to (package gateway).
package provider

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Preset is what is known of one API of a kind of provider. A kind may have
// several, in different dialects.
type Preset struct {
	Kind    string
	Dialect string
	Also    []string // other dialects of the same URL and key
	Full    bool     // it has all of those, so that a client who speaks one gets it, unless it is told otherwise
	Hosting string   // llm.HostAzure and the like: whose form the dialect has; empty: the vendor's own

	URL     string            // what the provider's own SDK calls the base URL; {region} stands for the region; empty: everybody has another
	Regions map[string]string // patterns of regions, as in path.Match, that have another URL
	Hosts   []string          // patterns of its servers' names beside those in the URLs and below them
	Below   string            // where the paths of the dialect begin, and so a base URL ends

	Auth       Auth
	KeyVars    []string // environment variables with the key, as its SDK or its documents have them; the first that is set goes
	URLVar     string   // the one for the base URL; of a kind that is keyless it alone will do
	RegionVars []string // those for the region

	Needs   []string // the fields of a configuration without which it cannot be called
	Keyless bool     // asks for no key
	Usage   bool     // Envoy's ai_protocol_manager reads all of its usage, as Envoy 1.40 did of its recordings
	Models  []string // patterns of the bare model names that it serves, as in path.Match

	rules []rule
	name  func(model string) string // the name that the rules have for a model; nil: the model's own
	lacks map[string]string         // features of the dialect that the API does not have, and why
}

// Auth says where a provider wants its key.
type Auth struct {
	Header string
	Prefix string // before the key, with its space
}

var bearer = Auth{Header: "authorization", Prefix: "Bearer "}

// presets are all that is known, by kind; a kind's first API is the one for
// whoever names no dialect.
var presets = slices.Concat(openAIPresets, anthropicPresets, googlePresets, amazonPresets,
	mistralPresets, coherePresets, vendorPresets, hostPresets, localPresets)

// aliases are other names of kinds.
var aliases = map[string]string{"google": "gemini"}

// Lookup returns the API of a kind, by the kind's name or an alias, in a
// dialect; without one, the kind's first. The preset says the kind's own name
// and the dialect.
func Lookup(kind, dialect string) (Preset, bool) {
	if own, ok := aliases[kind]; ok {
		kind = own
	}
	for _, p := range presets {
		if p.Kind == kind && (dialect == "" || dialect == p.Dialect || slices.Contains(p.Also, dialect)) {
			if dialect != "" {
				p.Dialect = dialect
			}
			p.Models = slices.Clone(p.Models)
			return p, true
		}
	}
	return Preset{}, false
}

// Kinds returns the names of all kinds, sorted.
func Kinds() []string {
	var names []string
	for _, p := range presets {
		names = append(names, p.Kind)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Dialects returns the dialects in which a kind can be called, the usual one
// first.
func Dialects(kind string) []string {
	var names []string
	for _, p := range presets {
		if p.Kind == kind {
			names = append(append(names, p.Dialect), p.Also...)
		}
	}
	return names
}

// BaseURL returns the URL of the API in a region. It is empty where everybody
// has another, and where there is no URL without a region.
func (p Preset) BaseURL(region string) string {
	raw := p.URL
	for pattern, other := range p.Regions {
		if ok, err := path.Match(pattern, region); ok && err == nil {
			raw = other
		}
	}
	if region == "" && strings.Contains(raw, "{region}") {
		return ""
	}
	return strings.ReplaceAll(raw, "{region}", region)
}

// Own reports whether a base URL is that of the kind's own servers, regional
// ones included, and not of somebody who speaks the same dialect.
func Own(kind, baseURL string) bool {
	host := hostname(baseURL)
	return slices.ContainsFunc(presets, func(p Preset) bool { return p.Kind == kind && p.serves(host) })
}

func (p Preset) serves(host string) bool {
	patterns := slices.Clone(p.Hosts)
	for _, raw := range p.Regions {
		patterns = append(patterns, hostname(strings.ReplaceAll(raw, "{region}", "*")))
	}
	if own := hostname(strings.ReplaceAll(p.URL, "{region}", "*")); own != "" {
		patterns = append(patterns, own, "*."+own)
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool { ok, err := path.Match(pattern, host); return ok && err == nil })
}

// hostname is the host in a URL, empty if there is none.
func hostname(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// Lacks returns why the API does not have a feature of its dialect, as tools or
// embeddings; empty if it has it, as far as is known.
func (p Preset) Lacks(feature string) string { return p.lacks[feature] }

// in returns the preset for another dialect.
func (p Preset) in(dialect, url string, rules []rule, models ...string) Preset {
	p.Dialect, p.Also, p.URL, p.rules, p.Models, p.lacks = dialect, nil, url, rules, models, nil
	return p
}

// chatAndResponses are the other dialects of who serves both of OpenAI's below
// one URL.
var chatAndResponses = []string{llm.Responses}
