package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// The bounds of a JSON Web Key Set. A token without the id of its key is tried
// with all keys of its algorithm, so there must not be many.
const (
	maxKeySet = 512 << 10 // bytes
	maxKeys   = 64        // that can verify
)

// A KeySet is a JSON Web Key Set that does not change.
type KeySet struct{ keys []key }

// A key verifies signatures of the algorithms that it is for, and no others: that
// the token names one must not decide what a key is taken for (RFC 8725, 3.1).
type key struct {
	id         string // empty: it has none
	algorithms []string
	verifier   jwt.VerificationKey
}

// Asymmetric are the algorithms of public keys, Symmetric those of a secret that
// issuer and gateway share (RFC 7518, 3.1; RFC 8037).
var (
	Asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	Symmetric  = []string{"HS256", "HS384", "HS512"}
)

// Shared returns the set of the one secret that an issuer shares with the gateway.
// It has to be as long as the hash of its algorithm (RFC 7518, 3.2).
func Shared(secret gateway.Secret) (*KeySet, error) {
	k := key{verifier: []byte(secret.Reveal())}
	for i, name := range Symmetric {
		if len(secret.Reveal()) >= 32+16*i {
			k.algorithms = append(k.algorithms, name)
		}
	}
	if k.algorithms == nil {
		return nil, errors.New("auth: the secret has less than 32 bytes")
	}
	return &KeySet{[]key{k}}, nil
}

// LoadKeys reads the set of a file.
func LoadKeys(path string) (*KeySet, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	defer f.Close()
	data, err := readBounded(f)
	if err != nil {
		return nil, fmt.Errorf("auth: %s: %w", path, err)
	}
	s, err := parseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("auth: %s: %w", path, err)
	}
	return s, nil
}

// Len is the number of keys.
func (s *KeySet) Len() int { return len(s.keys) }

// Algorithms are those of which there are keys.
func (s *KeySet) Algorithms() (names []string) {
	for _, k := range s.keys {
		names = append(names, k.algorithms...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (s *KeySet) current() *KeySet { return s }

func (s *KeySet) newer(*KeySet) *KeySet { return s }

// fitting returns the keys for an algorithm with an id. Where the token or the key
// has none, every key may be the one.
func (s *KeySet) fitting(algorithm, id string) (found []jwt.VerificationKey) {
	for i := range s.keys {
		k := &s.keys[i]
		if (id == "" || k.id == "" || id == k.id) && slices.Contains(k.algorithms, algorithm) {
			found = append(found, k.verifier)
		}
	}
	return found
}

// A webKey is a member of a JSON Web Key Set (RFC 7517, 4; RFC 7518, 6; RFC 8037, 2).
type webKey struct {
	Kind       string   `json:"kty"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	ID         string   `json:"kid"`
	Curve      string   `json:"crv"`
	Modulus    string   `json:"n"`
	Exponent   string   `json:"e"`
	X          string   `json:"x"`
	Y          string   `json:"y"`
}

// parseKeys reads a set. Keys that cannot be used are left out, as RFC 7517, 5
// says; a set without any that can is an error.
func parseKeys(data []byte) (*KeySet, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("it is no JSON Web Key Set")
	}
	s := &KeySet{}
	var first error
	for _, raw := range set.Keys {
		k, err := parseKey(raw)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		s.keys = append(s.keys, k)
	}
	switch {
	case len(s.keys) > maxKeys:
		return nil, fmt.Errorf("it has %d keys, more than %d", len(s.keys), maxKeys)
	case len(s.keys) == 0 && first != nil:
		return nil, fmt.Errorf("none of its keys can be used: %w", first)
	case len(s.keys) == 0:
		return nil, errors.New("it has no keys")
	}
	return s, nil
}

func parseKey(raw json.RawMessage) (key, error) {
	var w webKey
	if err := json.Unmarshal(raw, &w); err != nil {
		return key{}, errors.New("a key is no JSON Web Key")
	}
	if w.Use != "" && w.Use != "sig" || w.Operations != nil && !slices.Contains(w.Operations, "verify") {
		return key{}, errors.New("a key is not for signatures")
	}
	k := key{id: w.ID}
	var err error
	switch w.Kind {
	case "RSA":
		k.algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		k.verifier, err = w.rsa()
	case "EC":
		var name string
		name, k.verifier, err = w.ec()
		k.algorithms = []string{name}
	case "OKP":
		k.algorithms = []string{"EdDSA"}
		k.verifier, err = w.ed25519()
	default: // secrets too: who publishes one has none
		return key{}, errors.New("a key is of no kind that verifies in public: RSA, EC or OKP")
	}
	if w.Algorithm != "" {
		if !slices.Contains(k.algorithms, w.Algorithm) {
			return key{}, errors.New("a key's alg does not fit it")
		}
		k.algorithms = []string{w.Algorithm}
	}
	return k, err
}

// What RSA keys are taken: RFC 7518, 3.3 wants 2048 bits at least; time grows
// with the length.
const minRSA, maxRSA = 2048, 8192

func (w *webKey) rsa() (*rsa.PublicKey, error) {
	n, errN := decode64(w.Modulus)
	e, errE := decode64(w.Exponent)
	if errN != nil || errE != nil || len(e) == 0 || len(e) > 4 {
		return nil, errors.New("an RSA key has no n and e")
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if bits := k.N.BitLen(); bits < minRSA || bits > maxRSA {
		return nil, fmt.Errorf("an RSA key has not from %d to %d bits", minRSA, maxRSA)
	}
	if k.E < 3 || k.E%2 == 0 || k.E > 1<<31-1 {
		return nil, errors.New("an RSA key's e cannot be one")
	}
	return k, nil
}

// curves are those of the algorithms with elliptic curves.
var curves = map[string]struct {
	elliptic.Curve
	algorithm string
}{
	"P-256": {elliptic.P256(), "ES256"}, "P-384": {elliptic.P384(), "ES384"}, "P-521": {elliptic.P521(), "ES512"},
}

func (w *webKey) ec() (algorithm string, _ *ecdsa.PublicKey, _ error) {
	curve, ok := curves[w.Curve]
	if !ok {
		return "", nil, errors.New("an EC key is on none of P-256, P-384 and P-521")
	}
	x, errX := decode64(w.X)
	y, errY := decode64(w.Y)
	size := (curve.Params().BitSize + 7) / 8
	if errX != nil || errY != nil || len(x) > size || len(y) > size {
		return "", nil, errors.New("an EC key has no x and y")
	}
	point := make([]byte, 1+2*size) // some issuers leave out zeros in front
	point[0] = 4                    // not compressed (SEC 1, 2.3.3)
	copy(point[1+size-len(x):], x)
	copy(point[1+2*size-len(y):], y)
	k, err := ecdsa.ParseUncompressedPublicKey(curve.Curve, point)
	if err != nil {
		return "", nil, errors.New("an EC key is no point of its curve")
	}
	return curve.algorithm, k, nil
}

func (w *webKey) ed25519() (ed25519.PublicKey, error) {
	x, err := decode64(w.X)
	if w.Curve != "Ed25519" || err != nil || len(x) != ed25519.PublicKeySize {
		return nil, errors.New("an OKP key is not of Ed25519")
	}
	return x, nil
}

func decode64(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}
