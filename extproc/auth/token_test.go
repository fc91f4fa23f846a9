package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
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

func TestTokens(t *testing.T) {
	for name, s := range signers() {
		caller, err := tokensOf(t, nil).Authenticate(s.sign(t, goodClaims()), noon)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if caller.KeyID != "login:ann" || caller.User != "ann" || caller.Team != "search" || caller.Org != "acme" ||
			!reflect.DeepEqual(caller.Roles, []string{"dev", "ops"}) || caller.Models != nil || caller.Labels != nil {
			t.Errorf("%s: %+v", name, caller)
		}
		if level := caller.Claims["level"]; level != json.Number("3") {
			t.Errorf("%s: a number is a %T", name, level)
		}
	}
}

func TestTokensAreRefused(t *testing.T) {
	es, rs := signers()["ES256"], signers()["RS256"]
	stranger := es
	stranger.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	good := es.sign(t, goodClaims()).Reveal()
	parts := strings.Split(good, ".")
	none := jwt.NewWithClaims(jwt.SigningMethodNone, goodClaims())
	unsigned, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(parts[1], parts[1][:4], encode64([]byte(`{"b`)), 1)
	for _, c := range []struct {
		name  string
		token string
		code  string
		why   string // in the record
	}{
		{"none", "", llm.CodeMissingKey, "no token was sent"},
		{"not a token", "sk-attache-abc", llm.CodeInvalidKey, "no JSON Web Token"},
		{"two dots", "a.b.c", llm.CodeInvalidKey, "no JSON Web Token"},
		{"four parts", good + ".x", llm.CodeInvalidKey, "no JSON Web Token"},
		{"encrypted", "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d", llm.CodeInvalidKey, "no JSON Web Token"},
		{"long", strings.Repeat("a", maxToken+1), llm.CodeInvalidKey, "more than 16384 bytes"},
		{"alg none", unsigned, llm.CodeInvalidKey, "the algorithm none is not allowed"},
		{"alg None", encode64([]byte(`{"alg":"None"}`)) + "." + parts[1] + ".", llm.CodeInvalidKey, "the algorithm is not known"},
		{"no alg", encode64([]byte(`{"kid":"rsa"}`)) + "." + parts[1] + "." + parts[2], llm.CodeInvalidKey, "the algorithm is not known"},
		{"no signature", parts[0] + "." + parts[1] + ".", llm.CodeInvalidKey, "the signature is wrong"},
		{"another payload", parts[0] + "." + other + "." + parts[2], llm.CodeInvalidKey, "the signature is wrong"},
		{"another's signature", stranger.sign(t, goodClaims()).Reveal(), llm.CodeInvalidKey, "the signature is wrong"},
		{"another's, no kid", stranger.sign(t, goodClaims(), "kid", "").Reveal(), llm.CodeInvalidKey, "the signature is wrong, or: no key"},
		{"unknown kid", es.sign(t, goodClaims(), "kid", "new").Reveal(), llm.CodeInvalidKey, `no key of the issuer fits: ES256, kid "new"`},
		{"kid of another kind", es.sign(t, goodClaims(), "kid", "rsa").Reveal(), llm.CodeInvalidKey, "no key of the issuer fits"},
		{"extension", es.sign(t, goodClaims(), "crit", "b64").Reveal(), llm.CodeInvalidKey, "the header asks for an extension"},
		{"issuer", es.sign(t, with("iss", "https://evil.example")).Reveal(), llm.CodeInvalidKey, `the issuer "https://evil.example" is not known`},
		{"no issuer", es.sign(t, with("iss", nil)).Reveal(), llm.CodeInvalidKey, `the issuer "" is not known`},
		{"issuer without its slash", es.sign(t, with("iss", strings.TrimSuffix(issuerURL, "/"))).Reveal(), llm.CodeInvalidKey, "is not known"},
		{"audience", es.sign(t, with("aud", "billing")).Reveal(), llm.CodeInvalidKey, "the audience is another"},
		{"no audience", es.sign(t, with("aud", nil)).Reveal(), llm.CodeInvalidKey, "the audience is another"},
		{"audience is an object", es.sign(t, with("aud", map[string]any{"attache": true})).Reveal(), llm.CodeInvalidKey, "no list of texts"},
		{"expired", rs.sign(t, with("exp", noon.Add(-30*time.Second).Unix())).Reveal(), llm.CodeExpiredKey, "token of login: it has expired"},
		{"no end", es.sign(t, with("exp", nil)).Reveal(), llm.CodeInvalidKey, "exp is missing"},
		{"end is a text", es.sign(t, with("exp", "tomorrow")).Reveal(), llm.CodeInvalidKey, "exp is no date"},
		{"end is far", es.sign(t, with("exp", 1e300)).Reveal(), llm.CodeInvalidKey, "exp is no date"},
		{"not yet", es.sign(t, with("nbf", noon.Add(31*time.Second).Unix())).Reveal(), llm.CodeInvalidKey, "nbf is in the future"},
		{"issued later", es.sign(t, with("iat", noon.Add(31*time.Second).Unix())).Reveal(), llm.CodeInvalidKey, "iat is in the future"},
		{"number", es.sign(t, with("n", json.Number("1e999"))).Reveal(), llm.CodeInvalidKey, "too large"},
		{"small number", es.sign(t, with("n", []json.Number{"0.0", "-0e9", "-1E-400000"})).Reveal(), llm.CodeInvalidKey, "too small"},
		{"depth", es.sign(t, with("n", json.RawMessage(strings.Repeat("[", 20)+strings.Repeat("]", 20)))).Reveal(), llm.CodeInvalidKey, "nested deeper"},
		{"roles are numbers and an object", es.sign(t, with("roles", []any{1, map[string]any{}})).Reveal(), llm.CodeInvalidKey, "roles is no list"},
		{"user is a list", es.sign(t, with("sub", []string{"ann"})).Reveal(), llm.CodeInvalidKey, "sub is no text"},
		{"user is long", es.sign(t, with("sub", strings.Repeat("a", 257))).Reveal(), llm.CodeInvalidKey, "more than 256 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, tokensOf(t, nil), c.token, noon, 401, c.code, c.why)
		})
	}
}

// refused checks a refusal: what the client sees, and what the record does.
func refused(t *testing.T, a gateway.Authenticator, token string, now time.Time, status int, code, why string) {
	t.Helper()
	caller, err := a.Authenticate(gateway.NewSecret(token), now)
	var e *llm.Error
	if !errors.As(err, &e) || !reflect.DeepEqual(caller, gateway.Caller{}) {
		t.Fatalf("%+v, %v", caller, err)
	}
	if e.Status != status || e.Code != code || !strings.Contains(err.Error(), why) {
		t.Errorf("%d %s: %v, want %d %s: %s", e.Status, e.Code, err, status, code, why)
	}
	if code != llm.CodeMissingKey && strings.Contains(e.Message, why) {
		t.Errorf("the client learns: %s", e.Message)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("the token is repeated: %v", err)
		}
	}
}

// The classic confusion: a token with HMAC, whose secret is the text of the RSA key
// that everybody knows.
func TestPublicKeyIsNoSecret(t *testing.T) {
	rs := signers()["RS256"]
	der, err := x509.MarshalPKIXPublicKey(rs.key.(crypto.Signer).Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{
		der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), set(rs), []byte(rs.public()["n"]),
	} {
		forged := signer{"rsa", jwt.SigningMethodHS256, secret}.sign(t, goodClaims())
		refused(t, tokensOf(t, nil), forged.Reveal(), noon, 401, llm.CodeInvalidKey, "the algorithm HS256 is not allowed")
		// Even where somebody allows it: no key of the set is for it.
		allowed := tokensOf(t, func(i *Issuer) { i.Algorithms = append(Symmetric, Asymmetric...) })
		refused(t, allowed, forged.Reveal(), noon, 401, llm.CodeInvalidKey, "no key of the issuer fits")
	}
}

// One issuer's algorithms and keys are not another's.
func TestIssuersAreApart(t *testing.T) {
	es, ed := signers()["ES256"], signers()["EdDSA"]
	secret := strings.Repeat("s", 32)
	shared, err := Shared(gateway.NewSecret(secret))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := NewTokens([]Issuer{
		{Name: "a", URL: "a", Algorithms: []string{"ES256"}, Claims: DefaultClaims(), Keys: parsed(t, set(es))},
		{Name: "b", URL: "b", Algorithms: []string{"EdDSA"}, Claims: DefaultClaims(), Keys: parsed(t, set(ed))},
		{Name: "c", URL: "c", Algorithms: []string{"HS256"}, Claims: DefaultClaims(), Keys: shared},
	})
	if err != nil {
		t.Fatal(err)
	}
	hs := signer{"", jwt.SigningMethodHS256, []byte(secret)}
	for i, s := range []signer{es, ed, hs} {
		for j, iss := range []string{"a", "b", "c"} {
			caller, err := tokens.Authenticate(s.sign(t, with("iss", iss)), noon)
			if (err == nil) != (i == j) {
				t.Errorf("%s as %s: %v", s.method.Alg(), iss, err)
			}
			if err == nil && caller.KeyID != iss+":ann" {
				t.Errorf("key %s", caller.KeyID)
			}
		}
	}
	if _, err := NewTokens([]Issuer{{Name: "a", URL: "x"}, {Name: "b", URL: "x"}}); err == nil {
		t.Error("two issuers are one")
	}
	if _, err := Shared(gateway.NewSecret(secret[1:])); err == nil {
		t.Error("a short secret")
	}
}

func TestLeeway(t *testing.T) {
	es := signers()["ES256"]
	tokens := tokensOf(t, nil)
	for _, c := range []jwt.MapClaims{
		with("exp", noon.Unix()-29), with("nbf", noon.Unix()+30), with("iat", noon.Unix()+30), with("nbf", nil, "iat", nil), with("exp", float64(noon.Unix())+0.5),
	} {
		if _, err := tokens.Authenticate(es.sign(t, c), noon); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// A token that was verified is not verified again, but ends at its time, and with
// the keys that it was verified with.
func TestVerifiedOnce(t *testing.T) {
	es := signers()["ES256"]
	keys := &turning{set: parsed(t, set(es))}
	tokens := tokensOf(t, func(i *Issuer) { i.Keys = keys })
	token := es.sign(t, goodClaims())
	first, err := tokens.Authenticate(token, noon)
	if err != nil {
		t.Fatal(err)
	}
	again, err := tokens.Authenticate(token, noon.Add(time.Hour))
	if err != nil || reflect.ValueOf(again.Claims).Pointer() != reflect.ValueOf(first.Claims).Pointer() {
		t.Errorf("it was verified again, or refused: %v", err)
	}
	refused(t, tokens, token.Reveal(), noon.Add(time.Hour+30*time.Second), 401, llm.CodeExpiredKey, "it has expired")

	keys.set = parsed(t, set(signers()["EdDSA"])) // the key was withdrawn
	refused(t, tokens, token.Reveal(), noon, 401, llm.CodeInvalidKey, "no key of the issuer fits")
	keys.set = parsed(t, set(es))
	if _, err := tokens.Authenticate(token, noon); err != nil {
		t.Error(err)
	}
}

// turning is a Source whose keys a test changes.
type turning struct {
	set, next *KeySet
	asked     int
}

func (s *turning) current() *KeySet { return s.set }

func (s *turning) newer(*KeySet) *KeySet {
	s.asked++
	if s.next != nil {
		s.set = s.next
	}
	return s.set
}

// A key that is not known yet is asked for once, and so is a set.
func TestNewKey(t *testing.T) {
	es, ed := signers()["ES256"], signers()["EdDSA"]
	for name, before := range map[string]*KeySet{"another": parsed(t, set(ed)), "none": nil} {
		for _, kid := range []string{es.id, ""} {
			keys := &turning{set: before, next: parsed(t, set(es))}
			tokens := tokensOf(t, func(i *Issuer) { i.Keys = keys })
			if _, err := tokens.Authenticate(es.sign(t, goodClaims(), "kid", kid), noon); err != nil || keys.asked != 1 {
				t.Errorf("%s, kid %q: %v after %d questions", name, kid, err, keys.asked)
			}
		}
	}
	down := tokensOf(t, func(i *Issuer) { i.Keys = &turning{} })
	refused(t, down, es.sign(t, goodClaims()).Reveal(), noon, 503, llm.CodeInternal, "the keys of the issuer have not come yet")

	// A signature that a known key refuses is no reason to ask.
	stranger := es
	stranger.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	keys := &turning{set: parsed(t, set(es))}
	refused(t, tokensOf(t, func(i *Issuer) { i.Keys = keys }), stranger.sign(t, goodClaims()).Reveal(), noon, 401, llm.CodeInvalidKey, "the signature is wrong")
	if keys.asked != 0 {
		t.Error("a forged token has the server asked")
	}
}

func TestRequired(t *testing.T) {
	es := signers()["ES256"]
	tokens := tokensOf(t, func(i *Issuer) {
		i.Audiences = nil
		i.Required = map[string][]string{"client_id": {"x", "y"}, "scope": {"llm"}, "app.verified": {"true"}}
	})
	good := []any{"aud", nil, "client_id", "y", "scope", "openid llm", "app", map[string]any{"verified": true}}
	if _, err := tokens.Authenticate(es.sign(t, with(good...)), noon); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name  string
		value any
	}{{"client_id", "z"}, {"client_id", nil}, {"client_id", "x y"}, {"scope", "llms"}, {"app", nil}, {"app", "true"}, {"app", map[string]any{"verified": false}}} {
		refused(t, tokens, es.sign(t, with(append(good, c.name, c.value)...)).Reveal(), noon, 401, llm.CodeInvalidKey, "is not as it has to be")
	}
}

func TestMapping(t *testing.T) {
	es := signers()["ES256"]
	claims := with("realm_access", map[string]any{"roles": []string{"ops"}}, "https://example.com/team", "red", "a.b", map[string]any{"c/d": 7},
		"cognito:groups", "one", "scp", "read write", "models", []string{"gpt-*"}, "plan", true)
	for _, c := range []struct {
		name  string
		names Claims
		want  gateway.Caller
	}{
		{"nothing", Claims{}, gateway.Caller{}},
		{"nested", Claims{Roles: "realm_access.roles"}, gateway.Caller{Roles: []string{"ops"}}},
		{"URL", Claims{Team: "https://example.com/team"}, gateway.Caller{Team: "red"}},
		{"pointers", Claims{Org: "/a.b/c~1d", Team: "/https:~1~1example.com~1team"}, gateway.Caller{Org: "7", Team: "red"}},
		{"one role", Claims{Roles: "cognito:groups"}, gateway.Caller{Roles: []string{"one"}}},
		{"scopes", Claims{Roles: "scp"}, gateway.Caller{Roles: []string{"read", "write"}}},
		{"key and user", Claims{Key: "team", User: "level"}, gateway.Caller{KeyID: "login:search", User: "3"}},
		{"models", Claims{Models: "models"}, gateway.Caller{Models: []string{"gpt-*"}}},
		{"no models", Claims{Models: "allowed"}, gateway.Caller{Models: []string{}}},
		{"labels", Claims{Labels: map[string]string{"plan": "plan", "x": "nowhere"}}, gateway.Caller{Labels: map[string]string{"plan": "true"}}},
		{"not there", Claims{Key: "x", User: "realm_access.x", Roles: "team.x"}, gateway.Caller{}},
	} {
		got, err := tokensOf(t, func(i *Issuer) { i.Claims = c.names }).Authenticate(es.sign(t, claims), noon)
		if got.Claims = nil; err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	for _, bad := range []string{"", ".", "a..b", "a.", "/", "/a//b", "/a~2", "/~"} {
		if c, err := ParseClaim(bad); err == nil {
			t.Errorf("%q is %q", bad, c)
		}
		if _, err := NewTokens([]Issuer{{Claims: Claims{Labels: map[string]string{"a": bad}}}}); err == nil {
			t.Errorf("a label of %q", bad)
		}
	}
}

func TestEither(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	key, k := newKey(t, path, Key{})
	ring, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	both := Either{ring, tokensOf(t, nil)}
	if c, err := both.Authenticate(key, noon); err != nil || c.KeyID != k.ID {
		t.Errorf("key: %+v, %v", c, err)
	}
	if c, err := both.Authenticate(signers()["EdDSA"].sign(t, goodClaims()), noon); err != nil || c.KeyID != "login:ann" {
		t.Errorf("token: %+v, %v", c, err)
	}
	refused(t, both, "", noon, 401, llm.CodeMissingKey, "no API key or token was sent")
	refused(t, both, "a.b.c", noon, 401, llm.CodeInvalidKey, "no JSON Web Token")
	if _, err := both.Authenticate(gateway.NewSecret("sk-proj-x"), noon); err == nil || !strings.Contains(err.Error(), "keys of providers are not accepted") {
		t.Error(err)
	}
}

// Old tokens make room for new ones, and those in use stay.
func TestPassesAreBounded(t *testing.T) {
	var ps passes
	sum := func(i int) *[32]byte { return &[32]byte{byte(i), byte(i >> 8), byte(i >> 16)} }
	used := &pass{}
	ps.put(sum(0), used, 100)
	for i := 1; i <= 5*maxPasses/maxToken; i++ {
		ps.put(sum(i), &pass{}, maxToken)
		ps.put(sum(i), &pass{}, maxToken) // twice is once
		if ps.get(sum(0)) != used {
			t.Fatalf("after %d it is forgotten", i)
		}
		if ps.size > maxPasses || len(ps.young)+len(ps.old) > 2*maxPasses/maxToken+2 {
			t.Fatalf("%d bytes, %d and %d", ps.size, len(ps.young), len(ps.old))
		}
	}
	if ps.get(sum(1)) != nil {
		t.Error("one that nobody uses is kept")
	}
}

func TestTokensAtOnce(t *testing.T) {
	tokens := tokensOf(t, nil)
	var all []gateway.Secret
	for i := range 20 {
		all = append(all, signers()["EdDSA"].sign(t, with("sub", fmt.Sprint(i))))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				if c, err := tokens.Authenticate(all[i%20], noon); err != nil || c.User != fmt.Sprint(i%20) {
					t.Error(c.User, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestSeenTokenDoesNotAllocate(t *testing.T) {
	tokens, token := tokensOf(t, nil), signers()["RS256"].sign(t, goodClaims())
	if n := testing.AllocsPerRun(100, func() { tokens.Authenticate(token, noon) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever the text is: it is refused, or it is the token that was signed. What is
// said of it does not repeat it.
func FuzzToken(f *testing.F) {
	for _, s := range []string{"RS256", "ES256", "EdDSA"} {
		f.Add(signers()[s].sign(f, goodClaims()).Reveal())
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(encode64([]byte(`{"alg":"ES256","kid":7}`)) + "." + encode64([]byte(`{"iss":"`+issuerURL+`"}`)) + ".")
	f.Add(encode64([]byte(`{"alg":"RS256","crit":[]}`)) + "." + encode64([]byte(`{"iss":["x"],"exp":1e400}`)) + ".AAAA")
	f.Add(encode64([]byte(`null`)) + "." + encode64([]byte(`null`)) + ".")
	tokens := tokensOf(f, nil)
	f.Fuzz(func(t *testing.T, text string) {
		caller, err := tokens.Authenticate(gateway.NewSecret(text), noon)
		if err == nil {
			if caller.KeyID != "login:ann" {
				t.Errorf("let in: %+v", caller)
			}
			return
		}
		var e *llm.Error
		if !errors.As(err, &e) || e.Status != 401 {
			t.Errorf("%v", err)
		}
		if len(text) > 40 && (strings.Contains(err.Error(), text) || strings.Contains(e.Message, text)) {
			t.Errorf("repeated: %v", err)
		}
	})
}

// Claims are judged without a signature here: no panic, whatever they are.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{`{}`, `{"aud":"attache","exp":4102444800}`, `{"exp":"x"}`, `{"aud":[1,null],"exp":4102444800.5,"roles":{},"sub":true}`, `{"aud":"attache","exp":1,"a":[[{"b":1e999}]]}`} {
		f.Add(s)
	}
	i, err := newIssuer(Issuer{Name: "x", Audiences: []string{"attache"}, Claims: DefaultClaims(), Required: map[string][]string{"a.b": {"c"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var claims map[string]any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&claims) != nil {
			return
		}
		if p, err := i.admit(claims, noon); err == nil && (p.ends.Before(noon) || len(p.caller.User) > maxText) {
			t.Errorf("%+v", p)
		}
	})
}

func BenchmarkToken(b *testing.B) {
	for _, name := range []string{"RS256", "ES256", "EdDSA"} {
		token := signers()[name].sign(b, goodClaims())
		b.Run(name+"/seen", func(b *testing.B) {
			tokens := tokensOf(b, nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tokens.Authenticate(token, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/new", func(b *testing.B) {
			tokens := tokensOf(b, nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tokens.verify(token.Reveal(), noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
