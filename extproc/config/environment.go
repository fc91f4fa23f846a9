package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/attache-gateway/attache/extproc/provider"
)

// FromEnvironment returns a Config for trying things out, without a file: the
// providers whose keys are in the environment, on loopback only, open to
// everybody on this machine. Paths are relative to the working directory. It
// also returns the names of the variables that it found.
func FromEnvironment(env func(string) (string, bool)) (*Config, []string, error) {
	c := Default()
	c.Auth.Mode = AuthNone
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
		return nil, found, fmt.Errorf("config: no provider's key is in the environment: set %s", or(keyNames()))
	}
	return c, found, c.locate(".")
}

// fromEnvironment returns the provider of a kind, nil if it has no key.
func fromEnvironment(kind string, env func(string) (string, bool)) (*Provider, []string, error) {
	keyNames, urlName := variables(kind)
	var text, keyName string
	for _, keyName = range keyNames {
		if text, _ = env(keyName); text != "" {
			break
		}
	}
	if text == "" {
		return nil, nil, nil
	}
	found := []string{keyName}
	key, err := parseSecret(text)
	if err != nil {
		return nil, found, fmt.Errorf("config: %s %w", keyName, err)
	}
	preset, _ := provider.Lookup(kind)
	p := Provider{Name: kind, Kind: kind, Key: key, Models: preset.Models}
	if base, _ := env(urlName); base != "" {
		found = append(found, urlName)
		if p.URL, err = parseURL(base); err != nil {
			return nil, found, fmt.Errorf("config: %s %w", urlName, err)
		}
	}
	p = p.complete(preset, "")
	return &p, found, nil
}

// variables are the names that the SDK of a kind of provider reads. Of several
// keys the first that is there goes.
func variables(kind string) (keys []string, url string) {
	if kind == "gemini" {
		return []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"}, "GOOGLE_GEMINI_BASE_URL"
	}
	if kind == "bedrock" {
		return []string{"AWS_BEARER_TOKEN_BEDROCK"}, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
	}
	prefix := strings.ToUpper(kind)
	return []string{prefix + "_API_KEY"}, prefix + "_BASE_URL"
}

func keyNames() []string {
	var names []string
	for _, kind := range provider.Kinds() {
		keys, _ := variables(kind)
		names = append(names, keys...)
	}
	return names
}
