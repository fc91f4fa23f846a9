package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/attache-gateway/attache/extproc/auth"
	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/credential"
	"github.com/attache-gateway/attache/extproc/gateway"
)

// firstTime bounds how long a new snapshot waits for tokens before it is put in
// force: until then its providers could not be called.
const firstTime = 3 * time.Second

// begin fetches what has to be fetched for the first time.
func begin(ctx context.Context, creds *credential.Set, issuers *auth.KeyServers) {
	ctx, cancel := context.WithTimeout(ctx, firstTime)
	defer cancel()
	creds.Start()
	creds.Await(ctx)
	issuers.Await(ctx)
}

// credentialOf returns how a provider learns who calls, nil if it does not ask.
// What has to be fetched is added to the set.
func credentialOf(p *config.Provider, creds *credential.Set) (gateway.Credential, error) {
	if from := source(p); from != nil {
		return creds.Add(p.Name, from), nil
	}
	key := p.Key
	switch {
	case p.By == config.ByEnvoy:
		return credential.Injected(p.Auth.Header), nil
	case p.KeyFile != "":
		var err error
		if key, err = credential.ReadKey(p.KeyFile); err != nil {
			return nil, fmt.Errorf("provider %s: %w", p.Name, err)
		}
	case key.Empty():
		return nil, nil
	}
	return credential.Key(p.Auth.Header, p.Auth.Prefix, key), nil
}

// source is where a provider's credentials are fetched, nil if they are not.
func source(p *config.Provider) credential.Source {
	switch p.By {
	case config.ByAWS:
		return credential.AWS{Region: p.Region, Profile: p.Profile, File: p.Credential.File}
	case config.ByGCP:
		return credential.Google{File: p.Credential.File}
	case config.ByEntra:
		return credential.Entra{Tenant: p.Tenant, ClientID: p.ClientID}
	}
	return nil
}

// look says for each provider whether there is something to fetch a credential
// with. It calls nobody.
func (p *Program) look(ctx context.Context, c *config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, firstTime)
	defer cancel()
	for i := range c.Providers {
		from := source(&c.Providers[i])
		if from == nil {
			continue
		}
		found, err := from.Look(ctx)
		if err != nil {
			return fmt.Errorf("provider %s: %w", c.Providers[i].Name, err)
		}
		fmt.Fprintf(p.Stdout, "provider %s: credentials for auth: %s: %s\n", c.Providers[i].Name, c.Providers[i].By, found)
	}
	return nil
}
