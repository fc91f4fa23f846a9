package config

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/auth"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

var update = flag.Bool("update", false, "write the .err files anew")

const canary = "secret-canary"

// environment is what the test files are read with.
func environment(name string) (string, bool) {
	v, ok := map[string]string{
		"OPENAI_API_KEY": canary, "ANTHROPIC_API_KEY": canary, "AZURE_OPENAI_API_KEY": canary, "VERTEX_TOKEN": canary, "HOST": "127.0.0.1", "PORT": "8081",
		"SPACED": canary + "\n", "EMPTY": "", "JWT_SECRET": strings.Repeat(canary, 3),
	}[name]
	return v, ok
}

func TestGood(t *testing.T) {
	c, err := Load("testdata/good.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	openAI, _ := provider.Lookup("openai", "")
	claude, _ := provider.Lookup("anthropic", "")
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Listen: Address{"tcp", "127.0.0.1:9002"},
		Admin:  "[::1]:9000",
		Envoy: Envoy{Address: "0.0.0.0", Port: 8081, Admin: "localhost:9901", Version: V139, MaxRequest: 1 << 20, MaxResponse: 8 << 20, RequestTimeout: time.Hour,
			RetryBackoff: 25 * time.Millisecond, StreamIdle: 90 * time.Second},
		Providers: []Provider{
			{Name: "openai", Kind: "openai", URL: openAI.URL, Dialect: "openai", Also: []string{"responses"}, Auth: openAI.Auth,
				Key: gateway.NewSecret(canary), Models: openAI.Models},
			{Name: "local", Kind: "openai", URL: "http://127.0.0.1:11434/v1", Dialect: "openai", Auth: openAI.Auth,
				Models: []string{"llama*"}, Tags: map[string]string{"residency": "eu", "note": "${plain}"},
				Prices: map[string]provider.Price{"llama3.3": {Input: 50_000_000, CacheRead: 50_000_000, CacheWrite: 1, CacheWriteHour: 1, Output: 1e9}}},
			{Name: "paris", Kind: "vertex", URL: "https://europe-west9-aiplatform.googleapis.com", Dialect: "anthropic", Hosting: "vertex",
				Region: "europe-west9", Project: "my-project", Tags: map[string]string{"region": "europe-west9"}, Auth: openAI.Auth, Key: gateway.NewSecret("token"), Models: []string{"claude-*"}},
			{Name: "azure", Kind: "azure", URL: "https://x.openai.azure.com", Dialect: "openai", Hosting: "azure", Version: "2024-10-21",
				Auth: provider.Auth{Header: "api-key"}, Key: gateway.NewSecret("literal-key"),
				Overrides: []provider.Override{
					{Model: "my-o3", Given: []string{"context", "reasons", "efforts", "no_sampling", "system_role"},
						Rules: llm.Rules{Context: 200_000, Reasons: true, Efforts: []string{"low", "high"}, NoSampling: true, SystemRole: "developer"}},
					{Model: "*", Given: []string{"no_sampling", "refused", "max_temperature"},
						Rules: llm.Rules{Refused: []string{"logprobs"}, MaxTemperature: 1.5}},
				}},
			{Name: "claude", Kind: "anthropic", URL: "http://127.0.0.1:8000", Dialect: "openai", Auth: claude.Auth,
				Key: gateway.NewSecret("literal-key")},
		},
		Models: []Model{
			{"smart", []string{"openai/gpt-4o", "claude/claude-sonnet-4-5"}, []int64{1, 1}, "ordered", "", Attempts{5 * time.Second, 2 * time.Second, 1}},
			{"gpt-4.1", []string{"local/meta-llama/Llama-3.3-70B"}, []int64{1}, "ordered", "", Attempts{time.Minute, 3 * time.Second, 2}},
			{"smart.retries", []string{"openai/o3"}, []int64{1}, "ordered", "", Attempts{time.Hour, time.Millisecond, 0}},
			{"shared", []string{"openai/o3", "local/llama3.3", "claude/x"}, []int64{9, 0, 1}, "weighted", "user", Attempts{time.Minute, 3 * time.Second, 2}},
		},
		Attempts: Attempts{time.Minute, 3 * time.Second, 2},
		Health: gateway.Breaker{ErrorsPermille: 125, MinRequests: 20, Failures: 3,
			OpenFor: time.Second, MaxOpen: time.Minute, HalfLife: time.Minute},
		UsageChunk: PassUsage,
		Forward:    Forward{Provider: "local", Unguarded: Allow},
		Auth: Auth{[]string{AuthKeys, AuthJWT}, "/etc/keys.json", []Issuer{
			{Name: "login", URL: "https://login.example.com/", Audience: []string{"attache", "llm:127.0.0.1"}, JWKS: "https://login.example.com/keys?p=policy",
				Refresh: 5 * time.Minute, Leeway: time.Minute, Algorithms: []string{"ES256", "EdDSA"},
				Claims: auth.Claims{Key: "azp", User: "email", Team: "https://example.com/team", Roles: "realm_access.roles", Models: "/allowed/models",
					Labels: map[string]string{"plan": "app.plan"}},
				Required: map[string][]string{"scope": {"llm", "admin"}, "email_verified": {"true"}}},
			{Name: "robots", URL: "robots", JWKSFile: filepath.Join(dir, "robots.json"), Refresh: 15 * time.Minute, Leeway: 30 * time.Second,
				Algorithms: auth.Asymmetric, Claims: auth.DefaultClaims(), Required: map[string][]string{"client_id": {"x"}}},
			{Name: "old", URL: "old", Audience: []string{"attache"}, Secret: gateway.NewSecret(strings.Repeat(canary, 3)), Refresh: 15 * time.Minute,
				Leeway: 30 * time.Second, Algorithms: []string{"HS256"}, Claims: auth.DefaultClaims()},
		}},
		Policy: Policy{Source: Source{Dir: filepath.Join(dir, "../policies")}, Deadline: 2 * time.Millisecond, Default: Deny,
			Off: []string{"residency"}, Teams: map[string][]string{"search": {"deny", "label"}}, Builtins: []string{"time.now_ns"}, Coverage: 80,
			Explain: gateway.Explaining{Roles: []string{"admin"}, Keys: []string{"key-x"}}},
		Guards: []Guard{
			{Name: "pii", WASM: filepath.Join(dir, "pii.wasm"), SHA256: strings.Repeat("abcdef0123456789", 4),
				Config: json.RawMessage(`{"labels":["A","b 127.0.0.1"],"nested":{"n":1,"f":1.5,"t":true,"z":null,"s":"1"},"date":"2026-11-21"}`),
				Input:  true, Run: Always, Stream: Window, OnError: Deny, Deadline: 50 * time.Millisecond, Memory: 32 << 20},
			{Name: "second", WASM: "/x.wasm", SHA256: strings.Repeat("0", 64), Config: json.RawMessage(`{}`),
				Input: true, Output: true, Run: Asked, Stream: Window, Hold: 128, OnError: Allow, Deadline: 5 * time.Millisecond, Memory: 16 << 20},
			{Name: "third", WASM: "/x.wasm", SHA256: strings.Repeat("0", 64), Config: json.RawMessage(`{}`),
				Output: true, Run: Always, Stream: Full, OnError: Deny, Deadline: 50 * time.Millisecond, Memory: 32 << 20},
		},
		Limits: []gateway.Limit{
			{Name: "key", Per: "key", WindowS: 60, Requests: 60, Tokens: 100_000, CostNano: -1, Concurrent: 20},
			{Name: "plan", Per: "team", Window: "month", Requests: -1, Tokens: 1_500_000, CostNano: -1, Concurrent: -1},
			{Name: "tenant", Per: "property.tenant", Requests: -1, Tokens: -1, CostNano: -1, Concurrent: 3},
		},
		Budgets: []Budget{
			{gateway.Limit{Name: "team", Per: "team", Window: "month", Requests: -1, Tokens: -1, CostNano: 200e9, Concurrent: -1}, []int64{500, 800, 1000},
				gateway.NewSecret("http://127.0.0.1/hook?token=" + canary)},
			{gateway.Limit{Name: "users", Per: "user", Window: "day", Requests: -1, Tokens: -1, CostNano: 5e8, Concurrent: -1, Unpriced: true}, nil, gateway.Secret{}},
		},
		Zone:   zone,
		Cache:  Cache{Mode: CacheAsked, TTL: 10 * time.Minute, Size: 8 << 20, Scope: "team"},
		Ledger: Ledger{filepath.Join(dir, "usage.db")},
		Telemetry: Telemetry{Decisions: Decisions{File: filepath.Join(dir, "decisions.jsonl"), OTLP: "http://127.0.0.1:4318", Content: ContentProjected,
			Mask: []string{"/input/user", "/result/labels/a~1b"}, MaxSize: 10 << 20, Keep: 2}},
		Log: Log{slog.LevelDebug, "json"},
	}
	equal(t, reflect.ValueOf(*c), reflect.ValueOf(*want), "")
}

// equal compares field by field, to name those that differ.
func equal(t *testing.T, got, want reflect.Value, path string) {
	t.Helper()
	switch {
	case got.Kind() == reflect.Struct && got.NumField() > 1:
		for i := range got.NumField() {
			equal(t, got.Field(i), want.Field(i), path+"."+got.Type().Field(i).Name)
		}
	case got.Kind() == reflect.Slice && got.Len() == want.Len() && got.Type().Elem().Kind() == reflect.Struct:
		for i := range got.Len() {
			equal(t, got.Index(i), want.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case !reflect.DeepEqual(got.Interface(), want.Interface()):
		t.Errorf("%s: %s, want %s", path, show(got), show(want))
	}
}

func show(v reflect.Value) string {
	if raw, ok := v.Interface().(json.RawMessage); ok {
		return string(raw)
	}
	return fmt.Sprintf("%#v", v.Interface())
}

func TestInvalid(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Load(file, environment)
			var problems *Error
			if !errors.As(err, &problems) || c != nil {
				t.Fatalf("%v, %v; want an *Error and no Config", c, err)
			}
			got := err.Error() + "\n"
			if strings.Contains(got, canary) {
				t.Errorf("a value is repeated:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestLoadWithoutFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), environment); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("err = %v, want fs.ErrNotExist", err)
	}
}

func TestLargeFile(t *testing.T) {
	data := []byte(strings.Repeat("#", maxFile+1))
	if _, err := Parse("x.yaml", data, environment); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("err = %v", err)
	}
}

// With the fewest lines a Config is Default and what was written.
func TestSmallest(t *testing.T) {
	c, err := Parse("/etc/attache/attache.yaml", []byte(`{providers: {openai: {kind: openai, key: k}}, auth: {mode: keys}}`), environment)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Auth.Modes = []string{AuthKeys}
	want.Forward.Provider = "openai" // OpenAI's own, although nobody said so
	want.Providers = c.Providers
	if err := want.locate("/etc/attache"); err != nil {
		t.Fatal(err)
	}
	equal(t, reflect.ValueOf(*c), reflect.ValueOf(*want), "")
	if got, want := c.Listen.String(), "unix:/etc/attache/run/attache.sock"; got != want {
		t.Errorf("listen %s, want %s", got, want)
	}
	if !c.Providers[0].Native {
		t.Error("Envoy 1.40 can read OpenAI's usage, but is not asked to")
	}
	if c.Envoy.Address != "127.0.0.1" {
		t.Error("by default other machines can connect")
	}
}

// A server of one's own can speak any of the formats, whatever its kind.
func TestDialects(t *testing.T) {
	for _, name := range dialects() {
		file := `{providers: {p: {kind: openai, url: http://127.0.0.1:1/v1, dialect: ` + name + `}}, auth: {mode: none}}`
		c, err := Parse("attache.yaml", []byte(file), environment)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Providers[0].Dialect; got != name {
			t.Errorf("got %s, want %s", got, name)
		}
	}
}

// The kinds' own servers are where the dialect is spoken.
func TestDialectsOfKinds(t *testing.T) {
	for _, c := range [][3]string{
		{"gemini", llm.OpenAI, "https://generativelanguage.googleapis.com/v1beta/openai"},
		{"cohere", llm.OpenAI, "https://api.cohere.ai/compatibility/v1"},
		{"cohere", llm.Cohere, "https://api.cohere.com"},
		{"groq", llm.Responses, "https://api.groq.com/openai/v1"},
	} {
		file := `{providers: {p: {kind: ` + c[0] + `, key: k, dialect: ` + c[1] + `}}, auth: {mode: none}}`
		got, err := Parse("attache.yaml", []byte(file), environment)
		if err != nil {
			t.Fatal(err)
		}
		if p := got.Providers[0]; p.Dialect != c[1] || p.URL != c[2] {
			t.Errorf("%s in %s: %s at %s, want %s", c[0], c[1], p.Dialect, p.URL, c[2])
		}
	}
}

// A Config that is printed or marshalled shows no key.
func TestConfigHidesKeys(t *testing.T) {
	c, err := Load("testdata/good.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprintf("%v %+v %#v", c, c.Providers, c.Providers), string(asJSON)} {
		if strings.Contains(s, canary) || strings.Contains(s, "literal-key") {
			t.Error(s)
		}
	}
}

func TestSocketPathTooLong(t *testing.T) {
	data := `{listen: "unix:` + strings.Repeat("a", 104) + `", providers: {openai: {kind: openai, key: k}}, auth: {mode: keys}}`
	if _, err := Parse("/x.yaml", []byte(data), environment); err == nil || !strings.Contains(err.Error(), "longer than the 103 bytes") {
		t.Errorf("err = %v", err)
	}
}

const annotated = "../../examples/attache.yaml"

// The annotated file says the defaults it claims to say, and knows every field.
func TestAnnotatedFile(t *testing.T) {
	data, err := os.ReadFile(annotated)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(annotated, environment)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	if err := want.locate(filepath.Dir(annotated)); err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Providers {
		if want := p.Name != "local" && p.Name != "bedrock"; p.Native != want { // local says: observe, of Bedrock Envoy reads nothing
			t.Errorf("%s: native %v, want %v", p.Name, p.Native, want)
		}
	}
	got := *c
	got.Providers, got.Models, got.Guards, got.Limits, got.Budgets = nil, nil, nil, nil, nil
	want.Auth.Modes, want.Policy.Dir = got.Auth.Modes, got.Policy.Dir // they have no default
	log := &want.Telemetry.Decisions
	log.File, log.OTLP, log.Sample, log.Mask = got.Telemetry.Decisions.File, got.Telemetry.Decisions.OTLP, 100, got.Telemetry.Decisions.Mask
	want.Forward.Provider = "openai"
	equal(t, reflect.ValueOf(got), reflect.ValueOf(*want), "")

	for section, fields := range sections(t) {
		for _, name := range fields {
			if !regexp.MustCompile(`(?m)(^|[ {#])` + name + `:`).Match(data) {
				t.Errorf("%s does not mention %s, a field of %s", annotated, name, section)
			}
		}
	}
}

// sections asks for a field that does not exist, everywhere, to learn of those
// that do.
func sections(t *testing.T) map[string][]string {
	t.Helper()
	_, err := Parse("x.yaml", []byte(`
zz: 1
envoy: {zz: 1}
providers: {a: {zz: 1, prices: {m: {zz: 1}}}}
models: {a: {zz: 1}}
attempts: {zz: 1}
auth: {zz: 1, issuers: {a: {zz: 1, claims: {zz: 1}}}}
policy: {zz: 1}
telemetry: {decisions: {zz: 1}}
guards: [{zz: 1}]
limits: [{zz: 1}]
budgets: [{zz: 1}]
ledger: {zz: 1}
log: {zz: 1}
`), environment)
	var problems *Error
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, p := range problems.Problems {
		if section, ok := strings.CutSuffix(p.Path, "zz"); ok {
			_, names, _ := strings.Cut(p.Message, "the fields here are ")
			found[section] = strings.Split(names, ", ")
		}
	}
	if len(found) != 16 {
		t.Fatalf("%d sections: %q", len(found), found)
	}
	return found
}

// Whatever the bytes are: an error or a complete Config, and no panic.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, file := range append(files, annotated) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("/x.yaml", data, environment)
		if err != nil {
			if strings.Contains(err.Error(), canary) && !strings.Contains(string(data), canary) {
				t.Errorf("the environment is repeated: %v", err)
			}
			return
		}
		if len(c.Providers) == 0 || len(c.Auth.Modes) == 0 {
			t.Errorf("accepted, but not complete: %+v", c)
		}
		for _, p := range c.Providers {
			if p.URL == "" || p.Dialect == "" {
				t.Errorf("accepted, but not complete: %+v", p)
			}
		}
		for _, g := range c.Guards {
			if !json.Valid(g.Config) {
				t.Errorf("a guard's configuration is not JSON: %q", g.Config)
			}
		}
	})
}

// A provider can have several dialects. OpenAI's own server has both of its APIs,
// unless the file says which.
func TestSeveralDialects(t *testing.T) {
	const file = `auth: {mode: none}
providers:
  both: {kind: openai, key: k}
  chat: {kind: openai, key: k, dialect: openai}
  one: {kind: openai, key: k, dialect: [responses]}
  turned: {kind: openai, key: k, dialect: [responses, openai]}
  us: {kind: openai, key: k, url: "https://us.api.openai.com/v1"}
  mine: {kind: openai, url: "http://127.0.0.1:8000/v1"}
  mine-both: {kind: openai, url: "http://127.0.0.1:8000/v1", dialect: [openai, responses]}
  azure: {kind: azure, key: k, url: "https://x.openai.azure.com"}
  azure-deployments: {kind: azure, key: k, url: "https://x.openai.azure.com", api_version: "2024-10-21"}
  groq: {kind: groq, key: k}
  groq-both: {kind: groq, key: k, dialect: [openai, responses]}
`
	c, err := Parse("attache.yaml", []byte(file), environment)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"openai responses", "openai", "responses", "responses openai", "openai responses", "openai",
		"openai responses", "openai responses", "openai", "openai", "openai responses"} {
		p := c.Providers[i]
		if got := strings.Join(append([]string{p.Dialect}, p.Also...), " "); got != want {
			t.Errorf("%s: %s, want %s", p.Name, got, want)
		}
	}
}
