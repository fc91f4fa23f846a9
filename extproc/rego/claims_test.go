package rego

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// claimsJSON reads claims as they are read from a token.
func claimsJSON(t testing.TB, text string) map[string]any {
	t.Helper()
	var claims map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// Claims can be any JSON, under any names.
func TestClaims(t *testing.T) {
	const claims = `{
		"department": "research", "level": 3, "ratio": 0.5, "verified": true, "nothing": null, "groups": ["a", "b", 7],
		"realm_access": {"roles": ["dev", "ops"], "a.b": {"c": "deep"}},
		"https://example.com/team": "red", "cognito:groups": [], "*": "star", "#": "hash", "big": 12345678901234567890
	}`
	for _, c := range []struct {
		condition string
		want      bool
	}{
		{`input.caller.claims.department == "research"`, true},
		{`input.caller.claims.department in {"sales", "research"}`, true},
		{`input.caller.claims.level >= 3`, true},
		{`input.caller.claims.level > 3`, false},
		{`input.caller.claims.ratio == 0.5`, true},
		{`input.caller.claims.big == 12345678901234567890`, true},
		{`input.caller.claims.verified`, true},
		{`input.caller.claims.nothing == null`, true},
		{`not input.caller.claims.missing`, true},
		{`input.caller.claims.missing.deeper`, false},
		{`not input.caller.claims.department.deeper`, true},
		{`"b" in input.caller.claims.groups`, true},
		{`"c" in input.caller.claims.groups`, false},
		{`input.caller.claims.groups[2] == 7`, true},
		{`input.caller.claims.groups[_] == "a"`, true},
		{`count(input.caller.claims.groups) == 3`, true},
		{`"ops" in input.caller.claims.realm_access.roles`, true},
		{`input.caller.claims.realm_access["a.b"].c == "deep"`, true},
		{`input.caller.claims["https://example.com/team"] == "red"`, true},
		{`count(input.caller.claims["cognito:groups"]) == 0`, true},
		{`input.caller.claims["*"] == "star"`, true},
		{`input.caller.claims["#"] == "hash"`, true},
		{`some name, "hash" in input.caller.claims; name == "#"`, true},
		{`object.get(input.caller.claims, "missing", "x") == "x"`, true},
		{`object.get(input, ["caller", "claims", "realm_access", "roles"], [])[0] == "dev"`, true},
		{`every g in input.caller.claims.groups { g != "z" }`, true},
		{`name := concat("", ["dep", "artment"]); input.caller.claims[name] == "research"`, true},
	} {
		p := rules(t, Allow, "deny contains {} if {\n\t"+c.condition+"\n}")
		f := facts()
		f.Caller.Claims = claimsJSON(t, claims)
		d, err := p.Decide(t.Context(), f)
		if err != nil || (d.Deny != nil) != c.want {
			t.Errorf("%s: %s, %v", c.condition, show(d), err)
		}
		f.Caller.Claims = nil
		if _, err := p.Decide(t.Context(), f); err != nil {
			t.Errorf("%s without claims: %v", c.condition, err)
		}
	}
}

// A decision about some claims is that about others only if the rules cannot tell
// them apart.
func TestKeysOfClaims(t *testing.T) {
	for _, c := range []struct {
		condition, a, b string
		same            bool
	}{
		{`input.caller.claims.dept == "x"`, `{"dept": "y", "sub": "ann"}`, `{"dept": "y", "sub": "bob", "z": [1]}`, true},
		{`input.caller.claims.dept == "x"`, `{"dept": "x"}`, `{"dept": "y"}`, false},
		{`input.caller.claims.dept == "x"`, `{"dept": "x"}`, `{"dept": ["x"]}`, false},
		{`input.caller.claims.dept == "null"`, `{"dept": "null"}`, `{"dept": null}`, false},
		{`input.caller.claims.dept == 1`, `{"dept": 1}`, `{"dept": "1"}`, false},
		{`not input.caller.claims.dept`, `{"dept": null}`, `{}`, false},
		{`"b" in input.caller.claims.groups`, `{"groups": ["a", "b"]}`, `{"groups": ["a", "c"]}`, false},
		{`input.caller.claims.groups[0] == "a"`, `{"groups": ["a", "b"]}`, `{"groups": ["b", "a"]}`, false},
		{`count(input.caller.claims.groups) == 2`, `{"groups": ["a", "b"]}`, `{"groups": ["a"]}`, false},
		{`input.caller.claims.a.b == 1`, `{"a": {"b": 1, "c": 2}}`, `{"a": {"b": 1, "c": 3}}`, true},
		{`input.caller.claims.a.b == 1`, `{"a": {"b": 1}}`, `{"a": {"b": 2}}`, false},
		{`input.caller.claims.a.b == 1`, `{"a": "b"}`, `{"a": {"b": 1}}`, false},
		{`input.caller.claims["a.b"] == 1`, `{"a": {"b": 1}}`, `{"a.b": 1}`, false},
		{`input.caller.claims["a.b"] == 1`, `{"a": {"b": 1}}`, `{"a": {"b": 2}}`, true},
		{`input.caller.claims["*"] == 1`, `{"*": 1}`, `{"*": 2}`, false},
		{`input.caller.claims["#"] == 1`, `{"#": 1}`, `{"#": 2}`, false},
		{`some k, _ in input.caller.claims; k == "x"`, `{"y": 1}`, `{"x": 1}`, false},
		{`input.caller.claims[input.user] == 1`, `{"end-user": 1}`, `{"end-user": 2}`, false},
		{`input.caller.claims == {}`, `{}`, `{"x": 1}`, false},
		{`input.caller.roles.dev`, `{"dept": "x"}`, `{"dept": "y"}`, true},
	} {
		p := rules(t, Allow, "deny contains {} if {\n\t"+c.condition+"\n}")
		if p.cache == nil {
			t.Fatalf("%s: %v", c.condition, p.warnings)
		}
		key := func(claims string) string {
			f := facts()
			f.Caller.Claims = claimsJSON(t, claims)
			return string(p.cache.keyer.key(nil, f))
		}
		if same := key(c.a) == key(c.b); same != c.same {
			t.Errorf("%s: %s and %s have one key: %v", c.condition, c.a, c.b, same)
		}
	}
}

// wildClaims are random claims, of few values each.
func wildClaims(r *rand.Rand) map[string]any {
	claims := map[string]any{}
	for name, values := range map[string][]any{
		"groups":                 {[]any{"a", "b"}, []any{"a", "c"}, []any{"b"}, []any{}, "b", map[string]any{"b": true}, nil},
		"level":                  {json.Number("3"), json.Number("4"), json.Number("3.0"), "3", []any{json.Number("3")}},
		"realm":                  {map[string]any{"roles": []any{"dev"}}, map[string]any{"roles": []any{"dev", "ops"}}, map[string]any{"roles": "ops"}, map[string]any{}, "ops"},
		"https://x.example/tier": {"gold", "free", true, false, nil},
		"a.b":                    {json.Number("1"), json.Number("2")},
	} {
		if i := r.IntN(len(values) + 2); i < len(values) {
			claims[name] = values[i]
		}
	}
	return claims
}

const variousClaims = `
deny contains {"code": "group"} if "b" in input.caller.claims.groups

deny contains {"code": "first"} if input.caller.claims.groups[0] == "b"

deny contains {"code": "level"} if input.caller.claims.level > 3

deny contains {"code": "ops"} if "ops" in input.caller.claims.realm.roles

deny contains {"code": "no_realm"} if not input.caller.claims.realm.roles

deny contains {"code": "tier", "message": input.caller.claims["https://x.example/tier"]} if input.caller.claims["https://x.example/tier"] != "free"

deny contains {"code": "dotted"} if input.caller.claims["a.b"] == 2

label contains {"groups": concat(",", [g | some g in input.caller.claims.groups])}

label contains {"names": concat(",", sort([k | some k, _ in input.caller.claims]))}

route contains {"require": {"region": ["eu"]}} if {
	every g in input.caller.claims.groups {
		g != "c"
	}
}
`

// Cached decisions about claims are those of the rules as OPA evaluates them.
func TestClaimsLikePlainRules(t *testing.T) {
	var hits int64
	for i, rule := range strings.Split(strings.TrimSpace(variousClaims), "\n\n") {
		hits += likePlain(t, rule, 500, uint64(i))
	}
	if hits += likePlain(t, variousClaims, 1500, 99); hits < 2000 {
		t.Errorf("only %d hits", hits)
	}
}
