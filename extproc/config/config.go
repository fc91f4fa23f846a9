// Package config reads attache.yaml into a Config that has been checked.
//
// Reading is strict: an unknown field, a field that is there twice or an
// environment variable that is not set is an error. All problems of a file are
// reported at once, each with its line and path, and none of them repeats a
// value, because values may be secrets. Paths in the file are relative to the
// file's directory, so that it means the same wherever the command is started;
// in a Config they are absolute.
//
// The annotated file examples/attache.yaml is the reference for users.
//
// The package does not know what Envoy's configuration looks like (package
// render), nor whether the files and servers that are named exist.
package config

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

// A Config is all that attache is told. Nobody changes it after it was read.
type Config struct {
	Listen     Address        // of the ext_proc server
	Admin      string         // host:port of health checks and of the admin API
	AdminToken gateway.Secret // that the admin API asks for; empty: none, and only this machine is served
	Envoy      Envoy
	Providers  []Provider // in the order of the file
	Models     []Model    // in the order of the file
	Attempts   Attempts   // where a model says nothing else
	Health     gateway.Breaker
	UsageChunk string // HideUsage or PassUsage
	Forward    Forward
	Auth       Auth
	Policy     Policy
	Guards     []Guard // in the order in which they are asked
	Limits     []gateway.Limit
	Budgets    []Budget
	Zone       *time.Location // of calendar windows and of the policy's input.time
	Cache      Cache
	Ledger     Ledger
	Telemetry  Telemetry
	Log        Log
}

// What becomes of the usage chunk of a stream, if its client did not ask for
// one and the gateway did.
const (
	HideUsage = "hide"
	PassUsage = "pass"
)

// An Address is where a server listens.
type Address struct {
	Network string // unix or tcp
	Address string // path of a socket, or host:port
}

func (a Address) String() string {
	if a.Network == "unix" {
		return "unix:" + a.Address
	}
	return a.Address
}

// Envoy is what the rendered Envoy configuration depends on.
type Envoy struct {
	Address        string // IP that clients reach
	Port           int
	Admin          string        // host:port
	Version        string        // V140 or V139
	MaxRequest     int64         // bytes of a request's body
	MaxResponse    int64         // bytes of a whole response, or of one event, that the gateway reads
	RequestTimeout time.Duration // how long a client may take to send a request
	RetryBackoff   time.Duration
	StreamIdle     time.Duration // how long a stream may be silent
}

// maxRequest bounds Envoy.MaxRequest: a body has to fit one message of 64 MiB
// between Envoy and the gateway, and Envoy's buffer.
const maxRequest = 60 << 20

// maxResponse bounds Envoy.MaxResponse: Envoy's buffer for what the gateway has
// read is as long.
const maxResponse = 64 << 20

// The versions of Envoy for which configurations are rendered.
const (
	V140 = "1.40"
	V139 = "1.39"
)

// A Provider is an account with somebody who sells models.
type Provider struct {
	Name    string
	Kind    string // of the preset
	URL     string // without a slash at the end
	Dialect string
	Also    []string // dialects beside it, for clients who speak them
	Hosting string   // llm.HostAzure and the like; empty: the vendor's own form
	Region  string
	Project string
	Version string // of the API, where paths name one
	Auth    provider.Auth
	Key     gateway.Secret // empty: it is elsewhere, or the server asks for none
	Credential
	Models    []string // patterns of the bare model names that it serves
	Tags      map[string]string
	Native    bool                      // Envoy reads the usage out of responses
	Prices    map[string]provider.Price // by model; they go before the list's
	Overrides []provider.Override       // of the rules, in the order of the file
}

// Rules returns what a model of the provider departs in from its dialect. What
// the file says of it goes before what is known, and later entries before
// earlier ones.
func (p *Provider) Rules(model string) llm.Rules {
	rules := provider.RulesFor(p.Kind, p.Dialect, p.URL, model)
	for _, o := range p.Overrides {
		o.Apply(&rules, model)
	}
	return rules
}

// A Model is a name that clients may ask for.
type Model struct {
	Name    string
	Targets []string // provider/model, in the order of fallback
	Weights []int64  // of the targets
	Pick    string   // how they are ordered: gateway.PickOrdered and the like
	Sticky  string   // what PickWeighted goes by: user, session or key; empty: each request for itself
	Attempts
}

// Attempts say how a target is tried.
type Attempts struct {
	Timeout    time.Duration // of each attempt, to the response headers
	FirstToken time.Duration // of each attempt at a stream, to the first content; 0: none
	Retries    int           // on the same target, before the next
}

// Forward says what becomes of requests that are passed on as they are and name
// no model.
type Forward struct {
	Provider  string // that gets them; empty: the first that serves the path
	Unguarded string // Allow or Deny: bodies that guards cannot read
}

// Policy says where the rules are. A policy that fails denies.
type Policy struct {
	Source
	Deadline time.Duration
	Default  string              // Allow or Deny: the decision if no rule says anything
	Off      []string            // shipped defaults that are left out
	Teams    map[string][]string // verbs that each team's own rules may use
	Builtins []string            // otherwise forbidden ones that rules may use
	Coverage int                 // percent of the rules that their tests must run
	LastGood string              // file for the rules that were loaded last
	Shadow   Shadow
	Canary   Canary
	Explain  gateway.Explaining // who may ask why a request is handled as it is
}

// Answers to what happens where nothing else is said.
const (
	Allow = "allow"
	Deny  = "deny"
)

// Ledger says where usage is recorded.
type Ledger struct{ SQLite string }

// Log says what the program logs.
type Log struct {
	Level  slog.Level
	Format string // text or json
}

// Default returns the Config of an empty file. It is not complete: providers
// and the mode of Auth have no default.
func Default() *Config {
	return &Config{
		Listen: Address{"unix", "run/attache.sock"},
		Admin:  "127.0.0.1:9000",
		Envoy: Envoy{
			Address:        "127.0.0.1",
			Port:           8080,
			Admin:          "127.0.0.1:9901",
			Version:        V140,
			MaxRequest:     50 << 20,
			MaxResponse:    maxResponse,
			RequestTimeout: 30 * time.Minute,
			RetryBackoff:   100 * time.Millisecond,
			StreamIdle:     5 * time.Minute,
		},
		Attempts:   Attempts{Timeout: 10 * time.Minute},
		Health:     gateway.DefaultBreaker(),
		UsageChunk: HideUsage,
		Forward:    Forward{Unguarded: Deny},
		Auth:       Auth{File: "run/keys.json"},
		Policy:     Policy{Deadline: 50 * time.Millisecond, Default: Allow, LastGood: "run/policy.zip"},
		Zone:       time.UTC,
		Cache:      defaultCache(),
		Ledger:     Ledger{SQLite: "run/ledger.db"},
		Telemetry:  defaultTelemetry(),
		Log:        Log{Format: "text"},
	}
}

// maxFile bounds a configuration file.
const maxFile = 1 << 20

// Load reads the file at path. The environment is asked for variables. A file
// with problems is an *Error.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("config: read: %w", err)
	}
	return Parse(path, data, env)
}

// Parse reads a file that is already in memory. The name is for messages, and
// its directory is what paths are relative to.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	r := &reader{file: name, env: env, lines: map[string]int{}}
	c := Default()
	if root := r.parse(data); root != nil {
		r.config(c, value{root, ""})
		r.check(c)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, &Error{r.problems}
	}
	if err := c.locate(filepath.Dir(name)); err != nil {
		return nil, err
	}
	return c, nil
}

// locate makes all paths absolute.
func (c *Config) locate(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	paths := []*string{&c.Auth.File, &c.Policy.Dir, &c.Policy.Shadow.Dir, &c.Policy.LastGood, &c.Ledger.SQLite, &c.Telemetry.Decisions.File}
	for _, b := range [...]*Bundle{c.Policy.Bundle, c.Policy.Shadow.Bundle} {
		if b != nil {
			paths = append(paths, &b.File, &b.KeyFile)
		}
	}
	if c.Listen.Network == "unix" {
		paths = append(paths, &c.Listen.Address)
	}
	for i := range c.Guards {
		paths = append(paths, &c.Guards[i].WASM)
	}
	for i := range c.Auth.Issuers {
		paths = append(paths, &c.Auth.Issuers[i].JWKSFile)
	}
	for i := range c.Providers {
		p := &c.Providers[i].Credential
		paths = append(paths, &p.KeyFile, &p.File, &p.SDSFile)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	if c.Listen.Network == "unix" && len(c.Listen.Address) > maxSocketPath {
		return fmt.Errorf("config: listen: the path of the socket, %s, is longer than the %d bytes that a system takes", c.Listen.Address, maxSocketPath)
	}
	return nil
}

// maxSocketPath is what fits into sun_path of sockaddr_un on all systems.
const maxSocketPath = 103
