package config

import (
	"errors"
	"fmt"

	"github.com/attache-gateway/attache/extproc/provider"
)

// FromEnvironment returns a Config for trying things out, without a file: the
// providers whose keys are in the environment, on loopback only, open to
// everybody on this machine. Paths are relative to the working directory. It
// also returns the names of the variables that it found.
func FromEnvironment(env func(string) (string, bool)) (*Config, []string, error) {
	c := Default()
	c.Auth.Modes = []string{AuthNone}
	var found []string
	var problems []error
	for _, kind := range provider.Kinds() {
		p, names, err := fromEnvironment(kind, env)
		found = append(found, names...)
		switch {
		case err != nil:
			problems = append(problems, err)
		case p != nil:
			c.Providers = append(c.Providers, *p)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, found, err
	}
	if len(c.Providers) == 0 {
		return nil, found, fmt.Errorf("config: no provider's key is in the environment: set one of %s", list(keyNames()))
	}
	return c, found, c.locate(".")
}

// fromEnvironment returns the provider of a kind, nil if it has no key and no
// URL of its own.
func fromEnvironment(kind string, env func(string) (string, bool)) (*Provider, []string, error) {
	preset, _ := provider.Lookup(kind, "")
	keyName, text := first(env, preset.KeyVars)
	_, base := first(env, []string{preset.URLVar})
	if text == "" && (!preset.Keyless || base == "") {
		return nil, nil, nil
	}
	var found []string
	p := Provider{Name: kind, Kind: kind, Models: preset.Models}
	var err error
	if text != "" {
		found = append(found, keyName)
		if p.Key, err = parseSecret(text); err != nil {
			return nil, found, fmt.Errorf("config: %s %w", keyName, err)
		}
	}
	if base != "" {
		found = append(found, preset.URLVar)
		if p.URL, err = parseURL(base); err != nil {
			return nil, found, fmt.Errorf("config: %s %w", preset.URLVar, err)
		}
	}
	if name, region := first(env, preset.RegionVars); region != "" {
		found = append(found, name)
		if p.Region, err = parseRegion(region); err != nil {
			return nil, found, fmt.Errorf("config: %s %w", name, err)
		}
	}
	p = p.complete(preset, "")
	if p.URL == "" {
		more := append([]string{preset.URLVar}, preset.RegionVars...)
		return nil, found, fmt.Errorf("config: %s is set, and nothing says where the server is: set %s", keyName, or(more))
	}
	return &p, found, nil
}

// first returns the first of some variables that has a value.
func first(env func(string) (string, bool), names []string) (name, text string) {
	for _, name = range names {
		if text, _ = env(name); text != "" {
			return name, text
		}
	}
	return "", ""
}

func keyNames() []string {
	var names []string
	for _, kind := range provider.Kinds() {
		preset, _ := provider.Lookup(kind, "")
		names = append(names, preset.KeyVars...)
	}
	return names
}
