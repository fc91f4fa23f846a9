package main

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
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// An issuer signs tokens, and has a server for its keys on loopback.
type issuer struct {
	*httptest.Server
	mu     sync.Mutex
	keys   map[string]crypto.Signer // by id: those that the server names
	down   bool
	asked  int
	tokens []string // that were signed
}

func startIssuer(t *testing.T, down bool) *issuer {
	t.Helper()
	i := &issuer{keys: map[string]crypto.Signer{}, down: down}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.asked++
		if i.down {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		_, _ = w.Write(webKeys(t, i.keys))
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) set(change func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

// count returns how often the server was asked.
func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// webKeys is a JSON Web Key Set.
func webKeys(t *testing.T, keys map[string]crypto.Signer) []byte {
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	for id, k := range keys {
		set.Keys = append(set.Keys, webKey(t, id, k.Public()))
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Error(err)
	}
	return text
}

func webKey(t *testing.T, id string, key crypto.PublicKey) map[string]string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return map[string]string{"kid": id, "kty": "RSA", "n": encode64(k.N.Bytes()), "e": encode64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			t.Error(err)
		}
		return map[string]string{"kid": id, "kty": "EC", "crv": "P-256", "x": encode64(point[1:33]), "y": encode64(point[33:])}
	case ed25519.PublicKey:
		return map[string]string{"kid": id, "kty": "OKP", "crv": "Ed25519", "x": encode64(k)}
	}
	return nil
}

// makeKeys returns a key of each kind.
func makeKeys(t *testing.T) (rs, es, ed crypto.Signer) {
	t.Helper()
	r, errR := rsa.GenerateKey(rand.Reader, 2048)
	e, errE := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, d, errD := ed25519.GenerateKey(rand.Reader)
	if errR != nil || errE != nil || errD != nil {
		t.Fatal(errR, errE, errD)
	}
	return r, e, d
}

// claims are those of a good token with some of them changed; nil takes one out.
func (i *issuer) claims(pairs ...any) jwt.MapClaims {
	c := jwt.MapClaims{
		"iss": i.URL, "aud": []string{"attache"}, "sub": "ann", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"department": "research", "app": map[string]any{"roles": []string{"auditor"}, "plan": "gold"}, "https://example.com/team": "red",
	}
	for n := 0; n < len(pairs); n += 2 {
		if c[pairs[n].(string)] = pairs[n+1]; pairs[n+1] == nil {
			delete(c, pairs[n].(string))
		}
	}
	return c
}

// sign signs with a key, whatever the algorithm. Without an id the token has none.
func (i *issuer) sign(t *testing.T, m jwt.SigningMethod, id string, key any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(m, claims)
	if id != "" {
		token.Header["kid"] = id
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	i.tokens = append(i.tokens, text)
	return text
}

const sharedSecret = "a-secret-of-at-least-32-characters"

const claimRules = `package attache.request

import rego.v2

deny contains {"code": "department"} if not input.caller.claims.department in {"research", "sales"}

deny contains {"code": "not_for_sales"} if {
	input.caller.claims.department == "sales"
	not "auditor" in input.caller.claims.app.roles
}

label contains {"team": input.caller.claims["https://example.com/team"], "plan": input.caller.labels.plan} if input.caller.roles.auditor
`

// bearing are the ways in which clients send what they have.
func bearing(token string) map[string]ask {
	return map[string]ask{
		"openai":           {dialect: "openai", model: "o/m", header: map[string]string{"Authorization": "Bearer " + token}},
		"openai stream":    {dialect: "openai", model: "a/m", stream: true, header: map[string]string{"Authorization": "Bearer " + token}},
		"anthropic":        {dialect: "anthropic", model: "a/m", header: map[string]string{"X-Api-Key": token}},
		"anthropic bearer": {dialect: "anthropic", model: "o/m", stream: true, header: map[string]string{"Authorization": "Bearer " + token}},
	}
}

// TestTokens: tokens of issuers come in beside keys, through the headers of all
// clients, and nothing else does; keys of issuers come, go and stay as they should.
func TestTokens(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.rego"), []byte(claimRules))
	w := begin(t, "1.40", "policy: {dir: "+dir+", deadline: 1s}")
	login, late := startIssuer(t, false), startIssuer(t, true)
	rs, es, ed := makeKeys(t)
	login.keys = map[string]crypto.Signer{"rs": rs, "es": es, "ed": ed}
	late.keys = map[string]crypto.Signer{"ed": ed}
	write(t, filepath.Join(dir, "jwks.json"), webKeys(t, map[string]crypto.Signer{"es": es}))
	key := w.takeTokens(t, dir, login, late)

	t.Run("down at the start", func(t *testing.T) {
		q := bearing(late.sign(t, jwt.SigningMethodEdDSA, "ed", ed, late.claims()))["openai"]
		if a := w.do(t, q); q.outcome(a) != "503 internal" || a.header.Get("Retry-After") != "5" {
			t.Errorf("before there are keys: %s, %v", q.outcome(a), a.header)
		}
		late.set(func(i *issuer) { i.down = false })
		eventually(t, "keys", func() bool { return q.outcome(w.do(t, q)) == "good" })
	})

	good := map[string]string{
		"HS256":    login.sign(t, jwt.SigningMethodHS256, "", []byte(sharedSecret), login.claims("iss", "shared")),
		"a file":   login.sign(t, jwt.SigningMethodES256, "es", es, login.claims("iss", "filed")),
		"RS256":    login.sign(t, jwt.SigningMethodRS256, "rs", rs, login.claims()),
		"ES256":    login.sign(t, jwt.SigningMethodES256, "es", es, login.claims("sub", "bob")),
		"EdDSA":    login.sign(t, jwt.SigningMethodEdDSA, "ed", ed, login.claims("aud", "attache")),
		"no kid":   login.sign(t, jwt.SigningMethodRS256, "", rs, login.claims()),
		"a policy": login.sign(t, jwt.SigningMethodES256, "es", es, login.claims("department", "sales")),
		"a key":    key,
	}
	for name, token := range good {
		for client, q := range bearing(token) {
			want := "good"
			if name == "a key" { // it has no claims
				want = "403 department"
				if q.dialect == "anthropic" {
					want = "403 permission_error"
				}
			}
			if got := q.outcome(w.do(t, q)); got != want {
				t.Errorf("%s, %s: %s, want %s", name, client, got, want)
			}
		}
	}
	w.knowsCaller(t, good["ES256"])
	w.refusesTokens(t, login, rs, es)

	t.Run("explain", func(t *testing.T) {
		q := bearing(good["RS256"])["openai"]
		q.header[gateway.ExplainHeader] = "1"
		if a := w.do(t, q); a.status != 200 || !strings.Contains(a.header.Get(gateway.ExplainHeader), "claims") {
			t.Errorf("%d %v", a.status, a.header)
		}
		q.header["Authorization"] = "Bearer " + login.sign(t, jwt.SigningMethodEdDSA, "ed", ed, login.claims("app", nil))
		if got := q.outcome(w.do(t, q)); got != "403 policy_denied" {
			t.Errorf("who has no role asks why: %s", got)
		}
	})

	t.Run("another file", func(t *testing.T) {
		write(t, filepath.Join(dir, "jwks.json"), webKeys(t, map[string]crypto.Signer{"ed": ed}))
		q := bearing(login.sign(t, jwt.SigningMethodEdDSA, "ed", ed, login.claims("iss", "filed")))["openai"]
		eventually(t, "the new key", func() bool { return q.outcome(w.do(t, q)) == "good" })
		old := bearing(good["a file"])["openai"]
		if got := old.outcome(w.do(t, old)); got != "401 invalid_key" {
			t.Errorf("the key is not in the file any more: %s", got)
		}
	})

	t.Run("rotation", func(t *testing.T) {
		_, fresh, _ := makeKeys(t)
		login.set(func(i *issuer) { i.keys = map[string]crypto.Signer{"new": fresh} })
		q := bearing(login.sign(t, jwt.SigningMethodES256, "new", fresh, login.claims()))["openai"]
		if got := q.outcome(w.do(t, q)); got != "good" {
			t.Errorf("the first token with a new key: %s", got)
		}
		for name, token := range good {
			if name == "a key" || name == "HS256" { // which are not login's
				continue
			}
			if old := bearing(token)["openai"]; old.outcome(w.do(t, old)) != "401 invalid_key" {
				t.Errorf("%s: the key was withdrawn, and the token let in", name)
			}
		}
		before := login.count()
		for range 20 {
			q := bearing(login.sign(t, jwt.SigningMethodES256, "forged", es, login.claims()))["openai"]
			if got := q.outcome(w.do(t, q)); got != "401 invalid_key" {
				t.Errorf("a forged key: %s", got)
			}
		}
		if asked := login.count() - before; asked != 0 {
			t.Errorf("forged tokens had the server asked %d times more", asked)
		}

		login.set(func(i *issuer) { i.down = true }) // the last keys stay, even through a reload
		config, err := os.ReadFile(w.file)
		if err != nil {
			t.Fatal(err)
		}
		logged := len(w.log.String())
		write(t, w.file, append(config, "\nhealth: {failures: 9}\n"...))
		w.reload(t)
		eventually(t, "a reload", func() bool { return strings.Contains(w.log.String()[logged:], "msg=reloaded") })
		q = bearing(login.sign(t, jwt.SigningMethodES256, "new", fresh, login.claims("sub", "eve")))["openai"]
		if got := q.outcome(w.do(t, q)); got != "good" {
			t.Errorf("while the server is down: %s", got)
		}
	})

	for _, i := range []*issuer{login, late} {
		for _, token := range i.tokens {
			parts := strings.Split(token, ".")
			if signature := parts[2]; signature != "" && strings.Contains(w.log.String(), signature) || strings.Contains(w.log.String(), parts[1]) {
				t.Fatal("the log has a token")
			}
		}
	}
}

// takeTokens has the gateway take keys, and tokens of two issuers with servers, one
// with a file and one with a secret. It returns a key.
func (w *world) takeTokens(t *testing.T, dir string, login, late *issuer) (key string) {
	t.Helper()
	config, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	const mapped = `claims: {roles: app.roles, team: "https://example.com/team", labels: {plan: /app/plan}}}`
	const one = `{issuer: "URL", audience: attache, jwks: "URL/keys?tenant=t", ` + mapped
	modes := "auth: {mode: [keys, jwt], file: " + filepath.Join(dir, "keys.json") + ", issuers: {login: " +
		strings.ReplaceAll(one, "URL", login.URL) + ", late: " + strings.ReplaceAll(one, "URL", late.URL) + ", filed: {issuer: filed, audience: attache, jwks_file: " +
		filepath.Join(dir, "jwks.json") + "}, shared: {issuer: shared, audience: attache, secret: " + sharedSecret + "}}}"
	logged := len(w.log.String())
	write(t, w.file, []byte(strings.NewReplacer("auth: {mode: none}", modes, "deadline: 1s", "deadline: 1s, explain: {roles: [auditor]}").Replace(string(config))))
	k := kitchen{world: w, keys: map[string]string{}}
	k.newKey(t, "-team blue")
	w.reload(t)
	eventually(t, "a gateway that takes tokens", func() bool { return strings.Contains(w.log.String()[logged:], "msg=reloaded") })
	return k.keys["-team blue"]
}

// knowsCaller looks at what is recorded of the owner of a token.
func (w *world) knowsCaller(t *testing.T, token string) {
	t.Helper()
	q := bearing(token)["openai"]
	a := w.do(t, q)
	w.row(t, a)
	var key, owner, team, labels string
	err := w.ledger.QueryRowContext(t.Context(), "SELECT key, owner, team, coalesce(labels, '') FROM exchanges WHERE id = ?", a.header.Get("X-Attache-Request-Id")).
		Scan(&key, &owner, &team, &labels)
	if err != nil || key != "login:bob" || owner != "bob" || team != "red" || labels != `{"cost_center":"red","plan":"gold","team":"red"}` {
		t.Errorf("recorded: %s %s %s %s, %v", key, owner, team, labels, err)
	}
	for _, e := range w.providers["o"].Log() {
		if strings.Contains(e.Header.Get("Authorization"), "eyJ") {
			t.Error("a provider got a token")
		}
	}
}

// refusesTokens sends tokens that are bad in one way each.
func (w *world) refusesTokens(t *testing.T, login *issuer, rs, es crypto.Signer) {
	t.Helper()
	_, stranger, _ := makeKeys(t)
	der, err := x509.MarshalPKIXPublicKey(rs.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	passed := time.Now().Add(-time.Minute).Unix()
	for _, c := range []struct {
		name, token, code, detail string
	}{
		{"nothing", "", "missing_key", ""},
		{"nonsense", "a.b.c", "invalid_key", "auth: token: it is no JSON Web Token"},
		{"alg none", login.sign(t, jwt.SigningMethodNone, "rs", jwt.UnsafeAllowNoneSignatureType, login.claims()), "invalid_key", "auth: token: the algorithm none is not allowed"},
		{"HS with the public key", login.sign(t, jwt.SigningMethodHS256, "rs", public, login.claims()), "invalid_key", "auth: token of login: the algorithm HS256 is not allowed"},
		{"expired", login.sign(t, jwt.SigningMethodRS256, "rs", rs, login.claims("exp", passed)), "expired_key", "auth: token of login: it has expired"},
		{"not yet", login.sign(t, jwt.SigningMethodRS256, "rs", rs, login.claims("nbf", time.Now().Add(time.Hour).Unix())), "invalid_key", "auth: token of login: the claim nbf is in the future"},
		{"audience", login.sign(t, jwt.SigningMethodES256, "es", es, login.claims("aud", "billing")), "invalid_key", "auth: token of login: the audience is another"},
		{"issuer", login.sign(t, jwt.SigningMethodES256, "es", es, login.claims("iss", "https://evil.example")), "invalid_key", `auth: token: the issuer "https://evil.example" is not known`},
		{"signature", login.sign(t, jwt.SigningMethodES256, "es", stranger, login.claims()), "invalid_key", "auth: token of login: the signature is wrong"},
		{"policy", login.sign(t, jwt.SigningMethodES256, "es", es, login.claims("department", "sales", "app", nil)), "not_for_sales", ""},
	} {
		status, kind := "401 ", "authentication_error"
		if c.code == "not_for_sales" {
			status, kind = "403 ", "permission_error"
		}
		for client, q := range bearing(c.token) {
			a := w.do(t, q)
			want := status + c.code
			if q.dialect == "anthropic" {
				want = status + kind
			}
			if got := q.outcome(a); got != want {
				t.Errorf("%s, %s: %s, want %s", c.name, client, got, want)
			}
			if c.detail != "" && strings.Contains(a.body, c.detail) {
				t.Errorf("%s: the client learns why: %s", c.name, a.body)
			}
			if client != "openai" {
				continue
			}
			w.row(t, a)
			var detail string
			if err := w.ledger.QueryRowContext(t.Context(), "SELECT detail FROM exchanges WHERE id = ?", a.header.Get("X-Attache-Request-Id")).Scan(&detail); err != nil || detail != c.detail {
				t.Errorf("%s: the record says %q, want %q, %v", c.name, detail, c.detail, err)
			}
		}
	}
}
