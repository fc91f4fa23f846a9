package cli

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/attache-gateway/attache/extproc/auth"
	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
)

// authenticator returns what finds out who calls. The servers that it uses are
// released by release.
func authenticator(c *config.Auth, servers *auth.KeyServers, log *slog.Logger) (a gateway.Authenticator, release func(), err error) {
	release = func() {}
	if c.Has(config.AuthNone) {
		return auth.None{}, release, nil
	}
	var ring *auth.Keyring
	if c.Has(config.AuthKeys) {
		if ring, err = keyring(c.File, log); err != nil || !c.Has(config.AuthJWT) {
			return ring, release, err
		}
	}
	tokens, release, err := tokensOf(c.Issuers, servers, log)
	if err != nil || ring == nil {
		return tokens, release, err
	}
	return auth.Either{Keys: ring, Tokens: tokens}, release, nil
}

func keyring(file string, log *slog.Logger) (*auth.Keyring, error) {
	ring, err := auth.Load(file)
	if err != nil {
		return nil, err
	}
	if w := ring.Warning(); w != "" {
		log.Warn(w)
	}
	if ring.Len() == 0 {
		log.Warn("there are no keys yet, so every request with one is refused; make one with attache keys new")
	}
	return ring, nil
}

func tokensOf(issuers []config.Issuer, servers *auth.KeyServers, log *slog.Logger) (*auth.Tokens, func(), error) {
	var used []func()
	release := func() {
		for _, end := range used {
			end()
		}
	}
	var all []auth.Issuer
	for i := range issuers {
		c := &issuers[i]
		keys, end, err := keysOf(c, servers)
		if err != nil {
			release()
			return nil, nil, fmt.Errorf("issuer %s: %w", c.Name, err)
		}
		used = append(used, end)
		if u, err := url.Parse(c.JWKS); err == nil && u.Scheme == "http" && !isLocal(u.Host) {
			log.Warn("the keys of an issuer come without TLS: whoever is between can make tokens", "issuer", c.Name)
		}
		all = append(all, auth.Issuer{
			Name: c.Name, URL: c.URL, Audiences: c.Audience, Algorithms: c.Algorithms, Leeway: c.Leeway,
			Claims: c.Claims, Required: c.Required, Keys: keys,
		})
	}
	tokens, err := auth.NewTokens(all)
	if err != nil {
		release()
	}
	return tokens, release, err
}

// keysOf returns where the keys of an issuer come from.
func keysOf(c *config.Issuer, servers *auth.KeyServers) (keys auth.Source, release func(), err error) {
	release = func() {}
	switch {
	case c.JWKS != "":
		keys, release = servers.Use(c.JWKS, c.Refresh)
	case c.JWKSFile != "":
		keys, err = auth.LoadKeys(c.JWKSFile)
	default:
		keys, err = auth.Shared(c.Secret)
	}
	return keys, release, err
}

// lookAtIssuers says where the keys of each are, and what there is in files. It
// calls nobody.
func (p *Program) lookAtIssuers(c *config.Auth) error {
	for i := range c.Issuers {
		issuer := &c.Issuers[i]
		found := "a secret"
		switch {
		case issuer.JWKS != "":
			server, _, _ := strings.Cut(issuer.JWKS, "?")
			found = "keys will be fetched from " + server
		case issuer.JWKSFile != "":
			keys, err := auth.LoadKeys(issuer.JWKSFile)
			if err != nil {
				return fmt.Errorf("issuer %s: %w", issuer.Name, err)
			}
			found = fmt.Sprintf("%d keys, for %s", keys.Len(), strings.Join(keys.Algorithms(), ", "))
		}
		fmt.Fprintf(p.Stdout, "issuer %s: tokens of %s: %s\n", issuer.Name, issuer.URL, found)
	}
	return nil
}
