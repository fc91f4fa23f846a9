package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A signer is a key of an issuer.
type signer struct {
	id     string
	method jwt.SigningMethod
	key    any // what the method signs with
}

// signers are one of each kind, made once: RSA keys take their time.
var signers = sync.OnceValue(func() map[string]signer {
	all := map[string]signer{}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	all["RS256"] = signer{"rsa", jwt.SigningMethodRS256, private}
	all["PS512"] = signer{"rsa", jwt.SigningMethodPS512, private}
	for _, m := range []struct {
		method *jwt.SigningMethodECDSA
		curve  elliptic.Curve
	}{{jwt.SigningMethodES256, elliptic.P256()}, {jwt.SigningMethodES384, elliptic.P384()}, {jwt.SigningMethodES512, elliptic.P521()}} {
		private, err := ecdsa.GenerateKey(m.curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		all[m.method.Alg()] = signer{"ec-" + m.method.Alg(), m.method, private}
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	all["EdDSA"] = signer{"ed", jwt.SigningMethodEdDSA, edwards}
	return all
})

// public returns the JSON Web Key that verifies what a signer signs.
func (s signer) public() map[string]string {
	k := map[string]string{"kid": s.id, "use": "sig"}
	switch private := s.key.(type) {
	case *rsa.PrivateKey:
		k["kty"], k["n"], k["e"] = "RSA", encode64(private.N.Bytes()), encode64(big.NewInt(int64(private.E)).Bytes())
	case *ecdsa.PrivateKey:
		point, err := private.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		k["kty"], k["crv"], k["x"], k["y"] = "EC", private.Params().Name, encode64(point[1:1+half]), encode64(point[1+half:])
	case ed25519.PrivateKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", encode64(private.Public().(ed25519.PublicKey))
	}
	return k
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func set(signers ...signer) []byte {
	keys := make([]map[string]string, len(signers))
	for i, s := range signers {
		keys[i] = s.public()
	}
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return b
}

func parsed(t testing.TB, data []byte) *KeySet {
	t.Helper()
	s, err := parseKeys(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const issuerURL = "https://login.example.com/"

// goodClaims are those of a good token.
func goodClaims() jwt.MapClaims {
	return jwt.MapClaims{
		"iss": issuerURL, "aud": "attache", "sub": "ann", "exp": noon.Add(time.Hour).Unix(), "iat": noon.Unix(), "nbf": noon.Unix(),
		"team": "search", "org": "acme", "roles": []string{"dev", "ops"}, "level": 3,
	}
}

func (s signer) sign(t testing.TB, claims jwt.MapClaims, header ...string) gateway.Secret {
	t.Helper()
	token := jwt.NewWithClaims(s.method, claims)
	token.Header["kid"] = s.id
	for i := 0; i < len(header); i += 2 {
		if token.Header[header[i]] = header[i+1]; header[i+1] == "" {
			delete(token.Header, header[i])
		}
	}
	text, err := token.SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return gateway.NewSecret(text)
}

// tokensOf are those of one issuer that has all signers' keys.
func tokensOf(t testing.TB, change func(*Issuer)) *Tokens {
	t.Helper()
	var all []signer
	for _, s := range signers() {
		all = append(all, s)
	}
	i := Issuer{Name: "login", URL: issuerURL, Audiences: []string{"other", "attache"}, Algorithms: Asymmetric, Leeway: 30 * time.Second,
		Claims: DefaultClaims(), Keys: parsed(t, set(all...))}
	if change != nil {
		change(&i)
	}
	tokens, err := NewTokens([]Issuer{i})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// with is a good token's claims with some of them changed; nil takes one out.
func with(pairs ...any) jwt.MapClaims {
	c := goodClaims()
	for i := 0; i < len(pairs); i += 2 {
		if c[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(c, pairs[i].(string))
		}
	}
	return c
}
