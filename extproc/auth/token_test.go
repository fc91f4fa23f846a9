package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
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
