package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxToken bounds a token, in bytes, and with it the claims that policies see.
// Directories put hundreds of groups in; all headers together are 60 KiB at most.
const maxToken = 16 << 10

// Tokens lets in who has a token of one of the issuers.
type Tokens struct {
	issuers map[string]*issuer // by the claim iss
	parser  *jwt.Parser
	passes  *passes
}

var _ gateway.Authenticator = (*Tokens)(nil)

// NewTokens returns the Tokens of some issuers.
func NewTokens(issuers []Issuer) (*Tokens, error) {
	t := &Tokens{issuers: make(map[string]*issuer, len(issuers)), passes: &passes{}}
	var algorithms []string
	for _, i := range issuers {
		if t.issuers[i.URL] != nil {
			return nil, fmt.Errorf("auth: issuer %s: another one signs as %s, too", i.Name, i.URL)
		}
		ready, err := newIssuer(i)
		if err != nil {
			return nil, err
		}
		t.issuers[i.URL] = ready
		algorithms = append(algorithms, i.Algorithms...)
	}
	// What the claims say is judged by the gateway's clock, see issuer.admit.
	t.parser = jwt.NewParser(jwt.WithValidMethods(algorithms), jwt.WithJSONNumber(), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	return t, nil
}

// Authenticate returns whom a token is about.
func (t *Tokens) Authenticate(token gateway.Secret, now time.Time) (gateway.Caller, error) {
	text := token.Reveal()
	switch {
	case text == "":
		return gateway.Caller{}, refusal(llm.CodeMissingKey, "no token was sent; send one as Authorization: Bearer TOKEN")
	case len(text) > maxToken:
		return gateway.Caller{}, rejected(nil, fmt.Errorf("it has more than %d bytes", maxToken))
	}
	sum := sha256.Sum256(append(make([]byte, 0, 4<<10), text...)) // on the stack, but for long ones
	p := t.passes.get(&sum)
	if p == nil || !p.valid() {
		var err error
		if p, err = t.verify(text, now); err != nil {
			return gateway.Caller{}, err
		}
		t.passes.put(&sum, p, len(text))
	}
	if !now.Before(p.ends) {
		return gateway.Caller{}, rejected(p.issuer, errExpired)
	}
	return p.caller, nil
}

// verify judges a token that was not seen yet.
func (t *Tokens) verify(text string, now time.Time) (*pass, error) {
	s := seal{Tokens: t}
	claims, err := s.open(text)
	if errors.Is(err, errNoKey) {
		if s.renew() {
			claims, err = s.open(text)
		}
		if errors.Is(err, errNoKey) && s.set == nil {
			return nil, unavailable(s.issuer)
		}
	}
	if err != nil {
		return nil, rejected(s.issuer, err)
	}
	p, err := s.issuer.admit(claims, now)
	if err != nil {
		return nil, rejected(s.issuer, err)
	}
	p.set = s.set
	return p, nil
}

// A seal is one look at the signature of a token.
type seal struct {
	*Tokens
	issuer *issuer // that the token names; nil: none of ours
	set    *KeySet // that it was tried with; nil: the issuer has none yet
}

// errNoKey is of a token that may be signed by a key which we do not have yet.
var errNoKey = errors.New("no key of the issuer fits")

// open returns the claims of a token whose signature is good. What it says on an
// error holds nothing of the token but names of keys and issuers.
func (s *seal) open(text string) (map[string]any, error) {
	claims := jwt.MapClaims{}
	token, err := s.parser.ParseWithClaims(text, claims, s.keys)
	var ours *headerError
	switch {
	case err == nil:
		return claims, nil
	case errors.As(err, &ours):
		return nil, ours.error
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, errors.New("it is no JSON Web Token")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid) && token.Method != nil && s.issuer == nil:
		return nil, fmt.Errorf("the algorithm %s is not allowed", token.Method.Alg())
	case errors.Is(err, jwt.ErrTokenSignatureInvalid) && token.Header["kid"] == nil:
		return nil, fmt.Errorf("the signature is wrong, or: %w", errNoKey)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return nil, errors.New("the signature is wrong")
	}
	return nil, errors.New("the algorithm is not known")
}

// A headerError is found in the token before its signature is looked at.
type headerError struct{ error }

// keys chooses those that the signature may be made with, by the issuer and not
// by what the token says of itself.
func (s *seal) keys(token *jwt.Token) (any, error) {
	name, _ := token.Claims.GetIssuer()
	s.issuer = s.issuers[name]
	id, isText := token.Header["kid"].(string)
	switch {
	case s.issuer == nil:
		return nil, &headerError{fmt.Errorf("the issuer %.100q is not known", name)}
	case !slices.Contains(s.issuer.Algorithms, token.Method.Alg()):
		return nil, &headerError{fmt.Errorf("the algorithm %s is not allowed", token.Method.Alg())}
	case token.Header["crit"] != nil: // RFC 7515, 4.1.11: we know none
		return nil, &headerError{errors.New("the header asks for an extension")}
	case token.Header["kid"] != nil && !isText:
		return nil, &headerError{errors.New("the header kid is no text")}
	}
	if s.set = s.issuer.Keys.current(); s.set == nil {
		return nil, &headerError{errNoKey}
	}
	fitting := s.set.fitting(token.Method.Alg(), id)
	if len(fitting) == 0 {
		return nil, &headerError{fmt.Errorf("%w: %s, kid %.100q", errNoKey, token.Method.Alg(), id)}
	}
	return jwt.VerificationKeySet{Keys: fitting}, nil
}

// renew reports whether there are other keys now.
func (s *seal) renew() bool { return s.issuer.Keys.newer(s.set) != s.set }

// A rejection is a refusal whose reason only the record has.
type rejection struct {
	refusal error
	why     error
}

func (r *rejection) Error() string { return r.why.Error() }

func (r *rejection) Unwrap() error { return r.refusal }

// rejected is the refusal of a token. The client learns whether a new one would
// help.
func rejected(by *issuer, why error) error {
	e := refusal(llm.CodeInvalidKey, "the token is not accepted here")
	if errors.Is(why, errExpired) {
		e = refusal(llm.CodeExpiredKey, "the token has expired")
	}
	if by == nil {
		return &rejection{e, fmt.Errorf("auth: token: %w", why)}
	}
	return &rejection{e, fmt.Errorf("auth: token of %s: %w", by.Name, why)}
}

// retryAfter is when a server of keys may have answered.
const retryAfter = 5 * time.Second

// unavailable is the refusal of a token that nobody can judge yet.
func unavailable(by *issuer) error {
	return &rejection{
		&llm.Error{Status: 503, Code: llm.CodeInternal, Message: "the gateway cannot check tokens at the moment", RetryAfter: retryAfter},
		fmt.Errorf("auth: token of %s: the keys of the issuer have not come yet", by.Name),
	}
}

// Either takes keys of the gateway and tokens.
type Either struct {
	Keys   *Keyring
	Tokens *Tokens
}

var _ gateway.Authenticator = Either{}

// Authenticate tells the two apart by their shape: a token has two dots, a key
// none.
func (e Either) Authenticate(key gateway.Secret, now time.Time) (gateway.Caller, error) {
	switch {
	case key.Empty():
		return gateway.Caller{}, refusal(llm.CodeMissingKey, "no API key or token was sent; send one as Authorization: Bearer KEY or as x-api-key")
	case strings.Count(key.Reveal(), ".") == 2:
		return e.Tokens.Authenticate(key, now)
	}
	return e.Keys.Authenticate(key, now)
}
