package config

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A Source says where rules come from: a directory or bundles. Neither: there
// are none.
type Source struct {
	Dir    string
	Bundle *Bundle
}

// Empty reports whether there are no rules.
func (s Source) Empty() bool { return s.Dir == "" && s.Bundle == nil }

// Paths are the files and directories that rules and the keys of bundles are in.
func (s Source) Paths() (paths []string) {
	all := []string{s.Dir}
	if s.Bundle != nil {
		all = append(all, s.Bundle.File, s.Bundle.KeyFile)
	}
	for _, p := range all {
		if p != "" {
			paths = append(paths, p)
		}
	}
	return paths
}

// String names the source for people.
func (s Source) String() string {
	switch {
	case s.Bundle == nil:
		return s.Dir
	case s.Bundle.File != "":
		return s.Bundle.File
	}
	url, _, _ := strings.Cut(s.Bundle.URL, "?") // a query may be secret
	return url
}

// A Bundle is an archive with rules, as opa build makes it.
type Bundle struct {
	File     string         // an archive, or a directory of archives; empty: it is fetched
	URL      string         // https, http, or oci for an artifact in a registry
	User     string         // of a registry
	Token    gateway.Secret // for the server, or the password of User; empty: nobody asks
	Poll     time.Duration  // between two looks
	LongPoll time.Duration  // how long a server that can may hold a look; 0: not at all

	KeyID     string // of the signature; empty: none is asked for
	Key       gateway.Secret
	KeyFile   string // that the key is in; empty: it is in Key
	Algorithm string
	Scope     string // that the signature has to be for
}

// A Shadow is a candidate of a policy that is asked beside it.
type Shadow struct {
	Source   // empty: there is none
	Permille int64
}

// A Canary lets the candidate decide for a share of the callers.
type Canary struct {
	Permille int64 // 0: there is none
	By       string
}

// The algorithms by which bundles are signed.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512"}

// source returns the fields that say where rules come from.
func (r *reader) source(s *Source) map[string]field {
	return map[string]field{
		"dir":    r.string(&s.Dir),
		"bundle": func(v value) { r.bundle(s, v) },
	}
}

func (r *reader) bundle(s *Source, v value) {
	b := &Bundle{Poll: 30 * time.Second, Algorithm: "RS256"}
	s.Bundle = b
	r.object(v, map[string]field{
		"file":      r.string(&b.File),
		"url":       parsed(r, &b.URL, parseBundleURL),
		"user":      r.string(&b.User),
		"token":     r.secret(&b.Token),
		"poll":      r.duration(&b.Poll, time.Second, 24*time.Hour),
		"long_poll": r.duration(&b.LongPoll, time.Second, 10*time.Minute),
		"key_id":    parsed(r, &b.KeyID, parseKeyID),
		"key":       parsed(r, &b.Key, parseVerificationKey),
		"key_file":  r.string(&b.KeyFile),
		"algorithm": r.choice(&b.Algorithm, algorithms...),
		"scope":     r.string(&b.Scope),
	})
	r.checkBundle(v.path, b)
}

func (r *reader) checkBundle(at string, b *Bundle) {
	if r.wrong(at) {
		return
	}
	file, fetched := r.has(at+".file"), r.has(at+".url")
	if file == fetched {
		r.problem(at, "needs one of file and url")
	}
	for _, name := range [...]string{"user", "token", "poll", "long_poll"} {
		if r.has(at+"."+name) && !fetched {
			r.problem(at+"."+name, "needs a url")
		}
	}
	oci := strings.HasPrefix(b.URL, "oci:")
	if r.has(at+".user") && !oci {
		r.problem(at+".user", "needs a url that begins with oci://")
	}
	if r.has(at+".long_poll") && oci {
		r.problem(at+".long_poll", "a registry cannot hold a look")
	}
	if strings.HasPrefix(b.URL, "http:") && !b.Token.Empty() && !loopbackURL(b.URL) {
		r.problem(at+".token", "would go over the network for all to read; the url must begin with https://")
	}
	key, keyFile := r.has(at+".key"), r.has(at+".key_file")
	switch {
	case key && keyFile:
		r.problem(at, "has both key and key_file")
	case r.has(at+".key_id") && !key && !keyFile:
		r.problem(at+".key_id", "needs the key as well, in key or key_file")
	}
	for _, name := range [...]string{"key", "key_file", "algorithm", "scope"} {
		if r.has(at+"."+name) && !r.has(at+".key_id") {
			r.problem(at+"."+name, "needs a key_id: without one no signature is asked for")
		}
	}
}

func (r *reader) shadow(s *Shadow, v value) {
	s.Permille = 1000
	fields := r.source(&s.Source)
	fields["share"] = parsed(r, &s.Permille, parsePercent)
	r.object(v, fields)
	r.checkSource(v.path, &s.Source)
	if s.Empty() && !r.wrong(v.path) {
		r.problem(v.path, "needs one of dir and bundle")
	}
}

func (r *reader) checkSource(at string, s *Source) {
	if s.Dir != "" && s.Bundle != nil {
		r.problem(at, "has both dir and bundle")
	}
}

func (r *reader) canary(c *Canary, v value) {
	c.By = gateway.ByKey
	r.object(v, map[string]field{
		"share": parsed(r, &c.Permille, parsePercent),
		"by":    r.choice(&c.By, gateway.ByKey, gateway.ByUser, gateway.BySession, gateway.ByTeam),
	})
	r.missing(v.path+".share", "is missing; it is a percentage of the callers, such as 5%%")
}

// explain reads who may ask why: the word all, or roles and keys.
func (r *reader) explain(e *gateway.Explaining, v value) {
	if v.node.Kind == yaml.ScalarNode {
		var word string
		r.choice(&word, "all")(v)
		e.All = word == "all"
		return
	}
	r.object(v, map[string]field{"roles": r.strings(&e.Roles), "keys": r.strings(&e.Keys)})
	if !r.has(v.path+".roles") && !r.has(v.path+".keys") && !r.wrong(v.path) {
		r.problem(v.path, "needs roles, keys or both; everybody may ask if it is all")
	}
}

// checkExplain refuses what would let nobody ask: callers without keys have no
// roles.
func (r *reader) checkExplain(c *Config) {
	e := &c.Policy.Explain
	if c.Auth.Has(AuthNone) && !e.All && len(e.Roles)+len(e.Keys) > 0 {
		r.problem("policy.explain", "names callers, which needs auth.mode keys or jwt; without them it can only be all")
	}
}

// checkPolicy looks at what no part of the policy can tell.
func (r *reader) checkPolicy(p *Policy) {
	r.checkSource("policy", &p.Source)
	if p.Empty() && r.has("policy.shadow") {
		r.problem("policy.shadow", "needs rules in force, in policy.dir or policy.bundle")
	}
	if p.Shadow.Empty() && r.has("policy.canary") && !r.has("policy.shadow") {
		r.problem("policy.canary", "needs a candidate, in policy.shadow")
	}
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func parseKeyID(s string) (string, error) {
	if !keyID.MatchString(s) {
		return "", errors.New("must be the name of a key, of letters, digits, dots, dashes and underscores")
	}
	return s, nil
}

// parseVerificationKey reads a key in PEM, or a secret that both sides share.
func parseVerificationKey(s string) (gateway.Secret, error) {
	if s == "" {
		return gateway.Secret{}, errors.New("is empty")
	}
	return gateway.NewSecret(s), nil
}

// parseBundleURL takes a query as well: some servers tell bundles apart by it.
func parseBundleURL(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "oci" || u.Hostname() == "":
		return "", errors.New("must be a whole URL that begins with https://, http:// or oci://")
	case u.User != nil:
		return "", errors.New("must not hold a user or password; credentials belong into user and token")
	case u.Scheme == "oci" && (u.RawQuery != "" || len(u.Path) < 2):
		return "", errors.New("must be oci://REGISTRY/REPOSITORY:TAG, or @DIGEST instead of the tag")
	}
	return s, nil
}

func loopbackURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && loopback(u.Hostname())
}

// loopback reports whether only programs of this machine can reach a host.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
