// Package auth knows who calls, by the gateway's own keys or by tokens that
// somebody else has signed.
//
// A key is 256 random bits. What is kept of it is its SHA-256. A slow hash, as
// for passwords, would buy nothing: it makes guessing expensive, and nobody
// guesses 256 bits; but it would cost every request milliseconds. For the same
// reason there is no salt: no two keys are alike and no table of them can be
// computed beforehand.
//
// A token is a JSON Web Token (RFC 7519) in the compact form of a signature (RFC
// 7515). Its issuer's keys are a JSON Web Key Set (RFC 7517), in a file or at a
// server that is asked in the background. Signatures are verified by
// github.com/golang-jwt/jwt; what is in a token is judged here, by RFC 8725.
//
// The package does not know what a caller may do (policies do), nor where in a
// request a key stands (package gateway).
package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// None lets everybody in, unnamed. It ignores keys, since SDKs insist on
// sending one.
type None struct{}

// Authenticate returns a caller of whom nothing is known.
func (None) Authenticate(gateway.Secret, time.Time) (gateway.Caller, error) {
	return gateway.Caller{}, nil
}

// A Keyring is a set of keys that does not change.
type Keyring struct {
	keys    map[slot]entry
	warning string
}

// A slot is the beginning of a key's hash. How long the search for it takes
// depends on the hash of what a caller sent, and a caller cannot choose that;
// the rest is compared in constant time.
type slot [8]byte

type entry struct {
	hash    [sha256.Size]byte
	expires time.Time
	revoked bool
	caller  gateway.Caller
}

var (
	_ gateway.Authenticator = None{}
	_ gateway.Authenticator = (*Keyring)(nil)
)

// Len is the number of keys, expired and revoked ones included.
func (r *Keyring) Len() int { return len(r.keys) }

// Warning says what is unwise about the file of the keys, empty if nothing is.
func (r *Keyring) Warning() string { return r.warning }

// Authenticate returns the owner of a key.
func (r *Keyring) Authenticate(key gateway.Secret, now time.Time) (gateway.Caller, error) {
	if key.Empty() {
		return gateway.Caller{}, refusal(llm.CodeMissingKey, "no API key was sent; send one as Authorization: Bearer KEY or as x-api-key")
	}
	hash := sha256.Sum256(append(make([]byte, 0, 2*keyLen), key.Reveal()...)) // on the stack
	e, ok := r.keys[slot(hash[:])]
	switch {
	case !ok || subtle.ConstantTimeCompare(e.hash[:], hash[:]) != 1:
		return gateway.Caller{}, refusal(llm.CodeInvalidKey, unknown(key))
	case e.revoked:
		return gateway.Caller{}, refusal(llm.CodeInvalidKey, "the API key was revoked")
	case !e.expires.IsZero() && !now.Before(e.expires):
		return gateway.Caller{}, refusal(llm.CodeExpiredKey, "the API key expired on "+e.expires.UTC().Format(time.DateOnly))
	}
	return e.caller, nil
}

// unknown tells a mistyped key from one that was never for this gateway.
func unknown(key gateway.Secret) string {
	if strings.HasPrefix(key.Reveal(), Prefix) {
		return "the API key is not known here"
	}
	return fmt.Sprintf("the API key is not one of this gateway: its keys begin with %s, and keys of providers are not accepted", Prefix)
}

func refusal(code, message string) error {
	return &llm.Error{Status: 401, Code: code, Message: message}
}
