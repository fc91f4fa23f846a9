package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Claims names the claims that say who a caller is. One that is empty is not
// asked for. See ParseClaim for the form.
type Claims struct {
	Key    string // what limits and records know the caller's key by
	User   string
	Team   string
	Org    string
	Roles  string
	Models string            // patterns; a token without the claim may use none
	Labels map[string]string // by label
}

// DefaultClaims are the names that are used where nothing else is said.
func DefaultClaims() Claims {
	return Claims{Key: "sub", User: "sub", Team: "team", Org: "org", Roles: "roles"}
}

// A Claim is where a claim stands: names that lead into objects.
type Claim []string

// ParseClaim reads the name of a claim. Dots lead into objects, as
// realm_access.roles; a name that is a URL is whole, as OpenID Connect has it for
// claims of one's own; any other name with a dot in it is written as a JSON
// pointer (RFC 6901), as /a.b/c.
func ParseClaim(s string) (Claim, error) {
	names := []string{s}
	switch {
	case s == "":
		return nil, errors.New("is empty")
	case s[0] == '/':
		names = strings.Split(s[1:], "/")
		for i, n := range names {
			if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(n), "~") {
				return nil, errors.New("is no JSON pointer: ~ is written ~0, and / in a name ~1")
			}
			names[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(n)
		}
	case !strings.Contains(s, "://"):
		names = strings.Split(s, ".")
	}
	if slices.Contains(names, "") {
		return nil, errors.New("has an empty name between its dots or slashes")
	}
	return names, nil
}

// in returns the claim's value.
func (c Claim) in(claims map[string]any) (v any, ok bool) {
	for i, name := range c {
		if v, ok = claims[name]; !ok || i == len(c)-1 {
			break
		}
		if claims, ok = v.(map[string]any); !ok {
			break
		}
	}
	return v, ok
}

func (c Claim) String() string { return strings.Join(c, ".") }

// spaced are claims that are lists with spaces between (RFC 8693, 4.2; Entra ID).
var spaced = []string{"scope", "scp"}

// maxText bounds a claim that becomes part of a caller, in bytes. Cutting it would
// make one caller of two.
const maxText = 256

// text returns the claim as text, empty if it is not there.
func (c Claim) text(claims map[string]any) (string, error) {
	v, ok := c.in(claims)
	if len(c) == 0 || !ok || v == nil {
		return "", nil
	}
	s, ok := scalar(v)
	switch {
	case !ok:
		return "", fmt.Errorf("the claim %s is no text", c)
	case len(s) > maxText:
		return "", fmt.Errorf("the claim %s has more than %d bytes", c, maxText)
	}
	return s, nil
}

// list returns the claim as texts, nil if it is not there. One text is a list of
// one.
func (c Claim) list(claims map[string]any) ([]string, error) {
	v, ok := c.in(claims)
	if len(c) == 0 || !ok || v == nil {
		return nil, nil
	}
	if s, ok := v.(string); ok && slices.Contains(spaced, c[len(c)-1]) {
		return strings.Fields(s), nil
	}
	values, ok := v.([]any)
	if !ok {
		values = []any{v}
	}
	texts := make([]string, len(values))
	for i, v := range values {
		s, ok := scalar(v)
		if !ok {
			return nil, fmt.Errorf("the claim %s is no list of texts", c)
		}
		texts[i] = s
	}
	return texts, nil
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// date returns a claim that is a NumericDate (RFC 7519, 2), the zero time if it is
// not there.
func date(claims map[string]any, name string) (time.Time, error) {
	v, ok := claims[name]
	if !ok {
		return time.Time{}, nil
	}
	n, ok := v.(json.Number)
	seconds, err := n.Float64()
	if !ok || err != nil || seconds < 0 || seconds > maxDate {
		return time.Time{}, fmt.Errorf("the claim %s is no date", name)
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), nil
}

const maxDate = 253_402_300_799 // the end of the year 9999

// maxDepth bounds how deep claims are nested.
const maxDepth = 16

// bounded refuses claims that cost policies more than their length says: deep ones,
// and numbers of which a few digits stand for many.
func bounded(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("the claims are nested deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, v := range v {
			if err := bounded(v, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, v := range v {
			if err := bounded(v, depth+1); err != nil {
				return err
			}
		}
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return errors.New("a number in the claims is too large")
		}
		if digits, _, _ := strings.Cut(strings.ToLower(v.String()), "e"); f == 0 && strings.ContainsAny(digits, "123456789") {
			return errors.New("a number in the claims is too small")
		}
	}
	return nil
}

// A mapping is Claims, taken apart.
type mapping struct {
	key, user, team, org, roles, models Claim
	labels                              map[string]Claim
}

func newMapping(c *Claims) (*mapping, error) {
	m := &mapping{labels: make(map[string]Claim, len(c.Labels))}
	for _, f := range [...]struct {
		name string
		to   *Claim
	}{{c.Key, &m.key}, {c.User, &m.user}, {c.Team, &m.team}, {c.Org, &m.org}, {c.Roles, &m.roles}, {c.Models, &m.models}} {
		if f.name == "" {
			continue
		}
		var err error
		if *f.to, err = ParseClaim(f.name); err != nil {
			return nil, fmt.Errorf("the claim %s: %w", f.name, err)
		}
	}
	for label, name := range c.Labels {
		claim, err := ParseClaim(name)
		if err != nil {
			return nil, fmt.Errorf("the claim %s: %w", name, err)
		}
		m.labels[label] = claim
	}
	return m, nil
}

// caller says who has these claims. Its key is named after the issuer, too: two of
// them may know different people by one name.
func (m *mapping) caller(issuer string, claims map[string]any) (gateway.Caller, error) {
	c := gateway.Caller{Claims: claims}
	for _, f := range [...]struct {
		claim Claim
		to    *string
	}{{m.key, &c.KeyID}, {m.user, &c.User}, {m.team, &c.Team}, {m.org, &c.Org}} {
		var err error
		if *f.to, err = f.claim.text(claims); err != nil {
			return gateway.Caller{}, err
		}
	}
	if c.KeyID != "" {
		c.KeyID = issuer + ":" + c.KeyID
	}
	var err error
	if c.Roles, err = m.roles.list(claims); err != nil {
		return gateway.Caller{}, err
	}
	if m.models != nil {
		if c.Models, err = m.models.list(claims); err != nil {
			return gateway.Caller{}, err
		}
		if c.Models == nil {
			c.Models = []string{} // none, where nil would be all
		}
	}
	for label, claim := range m.labels {
		s, err := claim.text(claims)
		if err != nil {
			return gateway.Caller{}, err
		}
		if s == "" {
			continue
		}
		if c.Labels == nil {
			c.Labels = make(map[string]string, len(m.labels))
		}
		c.Labels[label] = s
	}
	return c, nil
}
