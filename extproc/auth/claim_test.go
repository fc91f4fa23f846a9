package auth

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

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
