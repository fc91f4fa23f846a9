package auth

import (
	"crypto/elliptic"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestKeySet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, set(signers()["RS256"], signers()["ES384"], signers()["EdDSA"]), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"ES384", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"}
	if got := s.Algorithms(); s.Len() != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d keys of %v", s.Len(), got)
	}
	for _, c := range []struct {
		algorithm, id string
		want          int
	}{{"RS256", "rsa", 1}, {"RS256", "", 1}, {"RS256", "ed", 0}, {"ES256", "", 0}, {"HS256", "", 0}, {"none", "", 0}, {"", "", 0}} {
		if got := len(s.fitting(c.algorithm, c.id)); got != c.want {
			t.Errorf("%s %q: %d keys, want %d", c.algorithm, c.id, got, c.want)
		}
	}
	if _, err := LoadKeys(path + "x"); err == nil {
		t.Error("a file that is not there")
	}
}

// Keys that cannot be used are left out. If there are no others, the first reason
// is told.
func TestUnusableKeys(t *testing.T) {
	good := signers()["EdDSA"]
	for _, c := range []struct {
		from   string
		change map[string]string
		want   string
	}{
		{"EdDSA", map[string]string{"use": "enc"}, "not for signatures"},
		{"EdDSA", map[string]string{"kty": "oct", "k": "c2VjcmV0"}, "no kind that verifies in public"},
		{"EdDSA", map[string]string{"crv": "X25519"}, "not of Ed25519"},
		{"EdDSA", map[string]string{"x": "AAAA"}, "not of Ed25519"},
		{"EdDSA", map[string]string{"alg": "HS256"}, "alg does not fit"},
		{"RS256", map[string]string{"alg": "none"}, "alg does not fit"},
		{"RS256", map[string]string{"n": encode64(make([]byte, 256))}, "bits"},
		{"RS256", map[string]string{"n": encode64([]byte(strings.Repeat("\xff", 128)))}, "bits"},
		{"RS256", map[string]string{"n": encode64([]byte(strings.Repeat("\xff", 1025)))}, "bits"},
		{"RS256", map[string]string{"n": "!"}, "no n and e"},
		{"RS256", map[string]string{"e": ""}, "no n and e"},
		{"RS256", map[string]string{"e": "AQ"}, "e cannot be one"},
		{"RS256", map[string]string{"e": "_____w"}, "e cannot be one"},
		{"ES256", map[string]string{"crv": "secp256k1"}, "on none of"},
		{"ES256", map[string]string{"crv": "P-384"}, "no point"},
		{"ES256", map[string]string{"x": encode64(make([]byte, 32))}, "no point"},
		{"ES256", map[string]string{"y": encode64(make([]byte, 33))}, "no x and y"},
	} {
		bad := signers()[c.from].public()
		maps.Copy(bad, c.change)
		alone, err := json.Marshal(map[string]any{"keys": []any{bad}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseKeys(alone); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v, want %s", c.from, c.change, err, c.want)
		}
		beside, err := json.Marshal(map[string]any{"keys": []any{bad, 7, good.public()}})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := parseKeys(beside); err != nil || s.Len() != 1 {
			t.Errorf("%s %v beside a good one: %v", c.from, c.change, err)
		}
	}
	for _, text := range []string{``, `[]`, `{"keys":[]}`, `{"keys":{}}`, `{}`} {
		if _, err := parseKeys([]byte(text)); err == nil {
			t.Errorf("%q is a set", text)
		}
	}
	many := make([]signer, maxKeys+1)
	for i := range many {
		many[i] = good
	}
	if _, err := parseKeys(set(many...)); err == nil || !strings.Contains(err.Error(), "more than 64") {
		t.Error(err)
	}
	if _, err := readBounded(strings.NewReader(strings.Repeat(" ", maxKeySet+1))); err == nil {
		t.Error("a set without end")
	}
}

// A key may say that it is for one algorithm only, and may lack zeros in front.
func TestKeysAsIssuersWriteThem(t *testing.T) {
	k := signers()["RS256"].public()
	k["alg"], k["e"] = "PS256", k["e"]+"=="
	b, _ := json.Marshal(map[string]any{"keys": []any{k}})
	s := parsed(t, b)
	if got := s.Algorithms(); len(got) != 1 || got[0] != "PS256" {
		t.Error(got)
	}
	// The generator of P-521, whose x begins with a zero bit by bit.
	p := elliptic.P521().Params()
	b, _ = json.Marshal(map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-521", "x": encode64(p.Gx.Bytes()), "y": encode64(p.Gy.Bytes()), "key_ops": []string{"verify"}}}})
	if s := parsed(t, b); s.Algorithms()[0] != "ES512" {
		t.Error(s.Algorithms())
	}
}

// Whatever a server sends: an error, or a set whose keys all verify something.
func FuzzKeys(f *testing.F) {
	for _, s := range signers() {
		f.Add(set(s))
	}
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"oct"},null,7]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","key_ops":[]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseKeys(data)
		if err != nil {
			return
		}
		if s.Len() == 0 || s.Len() > maxKeys {
			t.Errorf("%d keys", s.Len())
		}
		for _, k := range s.keys {
			if k.verifier == nil || len(k.algorithms) == 0 {
				t.Errorf("%+v", k)
			}
		}
	})
}
