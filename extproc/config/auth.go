package config

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/attache-gateway/attache/extproc/auth"
	"github.com/attache-gateway/attache/extproc/gateway"
)

// Auth says who may call.
type Auth struct {
	Modes   []string // AuthNone alone, or AuthKeys, AuthJWT or both
	File    string   // of the keys
	Issuers []Issuer // of the tokens, in the order of the file
}

// The modes of Auth.
const (
	AuthNone = "none" // everybody
	AuthKeys = "keys" // who has a key of the gateway
	AuthJWT  = "jwt"  // who has a token of an issuer
)

// Has reports whether a mode is one of those that are on.
func (a *Auth) Has(mode string) bool { return slices.Contains(a.Modes, mode) }

// An Issuer signs tokens. It has one of JWKS, JWKSFile and Secret.
type Issuer struct {
	Name       string
	URL        string   // that tokens name
	Audience   []string // one of which a token is for; none: any
	JWKS       string   // URL of its keys
	JWKSFile   string   // with its keys
	Secret     gateway.Secret
	Refresh    time.Duration // between two looks at JWKS, at most
	Algorithms []string
	Leeway     time.Duration // by which clocks may differ
	Claims     auth.Claims
	Required   map[string][]string // values of which a claim has to have one, by its name
}

func (r *reader) auth(a *Auth, v value) {
	r.object(v, map[string]field{
		"mode": func(v value) { r.oneOrMore(v, r.choice(new(string), AuthNone, AuthKeys, AuthJWT), &a.Modes) },
		"file": r.string(&a.File),
		"issuers": func(v value) {
			r.each(v, func(name string, v value) { r.issuer(a, name, v) })
		},
	})
}

// oneOrMore reads a text or a list of texts, each once. check looks at one of them.
func (r *reader) oneOrMore(v value, check field, to *[]string) {
	item := func(v value) {
		before := len(r.problems)
		if check(v); len(r.problems) > before {
			return
		}
		s, _ := r.text(v)
		if slices.Contains(*to, s) {
			r.problem(v.path, "is there twice")
		}
		*to = append(*to, s)
	}
	if v.node.Kind != yaml.SequenceNode {
		item(v)
		return
	}
	r.list(item)(v)
	if len(v.node.Content) == 0 {
		r.problem(v.path, "is empty")
	}
}

func (r *reader) issuer(a *Auth, name string, v value) {
	i := Issuer{Name: name, Refresh: 15 * time.Minute, Leeway: 30 * time.Second, Claims: auth.DefaultClaims()}
	r.object(v, map[string]field{
		"issuer":    r.string(&i.URL),
		"audience":  func(v value) { r.oneOrMore(v, r.string(new(string)), &i.Audience) },
		"jwks":      parsed(r, &i.JWKS, parseKeysURL),
		"jwks_file": r.string(&i.JWKSFile),
		"secret":    parsed(r, &i.Secret, parseShared),
		"refresh":   r.duration(&i.Refresh, time.Minute, 24*time.Hour),
		"leeway":    r.duration(&i.Leeway, 0, 5*time.Minute),
		"claims":    func(v value) { r.claims(&i.Claims, v) },
		"required":  func(v value) { r.required(&i, v) },
		"algorithms": func(v value) {
			r.oneOrMore(v, r.choice(new(string), slices.Concat(auth.Asymmetric, auth.Symmetric)...), &i.Algorithms)
		},
	})
	r.checkIssuer(v.path, &i)
	if slices.ContainsFunc(a.Issuers, func(o Issuer) bool { return o.URL == i.URL && i.URL != "" }) {
		r.problem(v.path+".issuer", "is that of another issuer, too")
	}
	a.Issuers = append(a.Issuers, i)
}

func (r *reader) claims(c *auth.Claims, v value) {
	r.object(v, map[string]field{
		"key":    parsed(r, &c.Key, parseClaimOrNone),
		"user":   parsed(r, &c.User, parseClaimOrNone),
		"team":   parsed(r, &c.Team, parseClaimOrNone),
		"org":    parsed(r, &c.Org, parseClaimOrNone),
		"roles":  parsed(r, &c.Roles, parseClaimOrNone),
		"models": parsed(r, &c.Models, parseClaimOrNone),
		"labels": func(v value) {
			c.Labels = map[string]string{}
			r.each(v, func(label string, v value) {
				var claim string
				parsed(r, &claim, parseClaim)(v)
				c.Labels[label] = claim
			})
		},
	})
}

// required reads claims with the values that they may have.
func (r *reader) required(i *Issuer, v value) {
	i.Required = map[string][]string{}
	r.each(v, func(name string, v value) {
		if _, err := parseClaim(name); err != nil {
			r.problem(v.path, "the claim's name %v", err)
		}
		var values []string
		r.oneOrMore(v, r.string(new(string)), &values)
		i.Required[name] = values
	})
}

func parseClaim(s string) (string, error) {
	_, err := auth.ParseClaim(s)
	return s, err
}

// parseShared reads a secret that an issuer shares with the gateway. It is never in
// a header, so it may be any text.
func parseShared(s string) (gateway.Secret, error) {
	if s != strings.Trim(s, "\r\n") {
		return gateway.Secret{}, errors.New("begins or ends with a line break, which is hardly a part of it")
	}
	return gateway.NewSecret(s), nil
}

// parseClaimOrNone reads the name of a claim, or the word none for no claim.
func parseClaimOrNone(s string) (string, error) {
	if s == "none" {
		return "", nil
	}
	return parseClaim(s)
}

// parseKeysURL takes a query as well: some issuers tell tenants apart by it.
func parseKeysURL(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return "", errors.New("must be a whole URL that begins with https:// or http://; a file belongs into jwks_file")
	case u.User != nil || u.Fragment != "":
		return "", errors.New("must not hold a user, password or fragment")
	}
	return s, nil
}

// checkIssuer looks at what no single field can tell.
func (r *reader) checkIssuer(at string, i *Issuer) {
	if r.wrong(at) {
		return
	}
	if !providerName.MatchString(i.Name) {
		r.problem(at, "the name may have lower-case letters, digits and dashes, 63 at most")
	}
	r.missing(at+".issuer", "is missing; it is what tokens have in the claim iss")
	var sources []string
	for _, name := range [...]string{"jwks", "jwks_file", "secret"} {
		if r.has(join(at, name)) {
			sources = append(sources, name)
		}
	}
	if len(sources) != 1 {
		r.problem(at, "needs one of jwks, jwks_file and secret")
	}
	if r.has(at+".refresh") && !r.has(at+".jwks") {
		r.problem(at+".refresh", "needs jwks")
	}
	if !r.has(at+".audience") && len(i.Required) == 0 {
		r.problem(at, "needs an audience: without it tokens for others are good here, too. Where tokens have none, name under required who they are for")
	}
	r.checkAlgorithms(at, i)
}

// checkAlgorithms refuses those that the issuer's keys are not for. Where none are
// named, all are allowed that public keys have, or one with a secret.
func (r *reader) checkAlgorithms(at string, i *Issuer) {
	shared := r.has(at + ".secret")
	if !r.has(at + ".algorithms") {
		if i.Algorithms = auth.Asymmetric; shared {
			i.Algorithms = []string{auth.Symmetric[0]}
		}
	}
	for _, name := range i.Algorithms {
		n := slices.Index(auth.Symmetric, name)
		switch {
		case n >= 0 && !shared:
			r.problem(at+".algorithms", "%s needs a secret: a public key is none", name)
		case n < 0 && shared:
			r.problem(at+".algorithms", "%s needs public keys, in jwks or jwks_file", name)
		case n >= 0 && len(i.Secret.Reveal()) < 32+16*n && !r.wrong(at+".secret"):
			r.problem(at+".secret", "needs %d bytes for %s", 32+16*n, name)
		}
	}
}

// checkAuth looks at what the parts of auth say together.
func (r *reader) checkAuth(a *Auth) {
	if r.wrong("") || r.wrong("auth") {
		return
	}
	r.missing("auth.mode", "must be written: %s asks for a key (see attache keys), %s for a token, %s lets everybody in", AuthKeys, AuthJWT, AuthNone)
	switch {
	case len(a.Modes) == 0: // reported already
	case a.Has(AuthNone) && len(a.Modes) > 1:
		r.problem("auth.mode", "%s lets everybody in, so the others mean nothing", AuthNone)
	case a.Has(AuthJWT) && len(a.Issuers) == 0 && !r.has("auth.issuers"):
		r.problem("auth.mode", "%s needs issuers", AuthJWT)
	case !a.Has(AuthJWT) && r.has("auth.issuers"):
		r.problem("auth.issuers", "needs mode: %s, or [%s, %s]", AuthJWT, AuthKeys, AuthJWT)
	}
}
