package auth

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A Source has the keys by which an issuer's tokens are verified: a KeySet, or a
// KeyServer.
type Source interface {
	// current returns the keys that are in force; nil: there are none yet.
	current() *KeySet
	// newer returns those that are in force after the given ones were of no use. It
	// may wait for them, for seconds at most.
	newer(than *KeySet) *KeySet
}

var (
	_ Source = (*KeySet)(nil)
	_ Source = (*KeyServer)(nil)
)

// An Issuer signs tokens that callers bring.
type Issuer struct {
	Name       string // in the configuration
	URL        string // that is the claim iss
	Audiences  []string
	Algorithms []string
	Leeway     time.Duration // by which clocks may differ
	Claims     Claims
	Required   map[string][]string // values of which a claim has to have one, by its name
	Keys       Source
}

// An issuer is an Issuer that is ready to judge.
type issuer struct {
	Issuer
	mapping  *mapping
	required []requirement
}

type requirement struct {
	claim  Claim
	values []string
}

func newIssuer(i Issuer) (*issuer, error) {
	ready := &issuer{Issuer: i}
	var err error
	if ready.mapping, err = newMapping(&i.Claims); err != nil {
		return nil, fmt.Errorf("auth: issuer %s: %w", i.Name, err)
	}
	for name, values := range i.Required {
		claim, err := ParseClaim(name)
		if err != nil {
			return nil, fmt.Errorf("auth: issuer %s: the claim %s: %w", i.Name, name, err)
		}
		ready.required = append(ready.required, requirement{claim, values})
	}
	return ready, nil
}

// admit judges what a token says whose signature is good.
func (i *issuer) admit(claims map[string]any, now time.Time) (*pass, error) {
	err := bounded(claims, 0)
	if err == nil {
		err = i.audience(claims)
	}
	if err != nil {
		return nil, err
	}
	ends, err := i.lifetime(claims, now)
	if err != nil {
		return nil, err
	}
	for _, r := range i.required {
		if err := r.met(claims); err != nil {
			return nil, err
		}
	}
	caller, err := i.mapping.caller(i.Name, claims)
	return &pass{issuer: i, caller: caller, ends: ends}, err
}

// audience finds out whether the token is for this gateway (RFC 7519, 4.1.3).
func (i *issuer) audience(claims map[string]any) error {
	if len(i.Audiences) == 0 {
		return nil
	}
	named, err := Claim{"aud"}.list(claims)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(named, func(a string) bool { return slices.Contains(i.Audiences, a) }) {
		return errors.New("the audience is another")
	}
	return nil
}

// errExpired is of a token that was good once.
var errExpired = errors.New("it has expired")

// lifetime returns when the token ends, if it is good now. One without an end is
// none: who steals it has it for ever.
func (i *issuer) lifetime(claims map[string]any, now time.Time) (ends time.Time, err error) {
	if ends, err = date(claims, "exp"); err != nil {
		return ends, err
	}
	if ends.IsZero() {
		return ends, errors.New("the claim exp is missing")
	}
	ends = ends.Add(i.Leeway)
	if !now.Before(ends) {
		return ends, errExpired
	}
	for _, name := range [...]string{"nbf", "iat"} {
		from, err := date(claims, name)
		if err != nil {
			return ends, err
		}
		if now.Add(i.Leeway).Before(from) {
			return ends, fmt.Errorf("the claim %s is in the future", name)
		}
	}
	return ends, nil
}

// met reports what a token lacks.
func (r *requirement) met(claims map[string]any) error {
	have, err := r.claim.list(claims)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(have, func(v string) bool { return slices.Contains(r.values, v) }) {
		return fmt.Errorf("the claim %s is not as it has to be", r.claim)
	}
	return nil
}

// A pass is what is kept of a token that was verified.
type pass struct {
	issuer *issuer
	set    *KeySet // that it was verified with
	caller gateway.Caller
	ends   time.Time
}

// valid reports whether the keys that the token was verified with are still those
// of the issuer.
func (p *pass) valid() bool { return p.set == p.issuer.Keys.current() }
