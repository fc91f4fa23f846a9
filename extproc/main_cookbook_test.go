package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/attache-gateway/attache/bench/mock"
	"github.com/attache-gateway/attache/extproc/cli"
	"github.com/attache-gateway/attache/extproc/envoytest"
)

const cookbookDir = "../policies/cookbook/"

// A kitchen is a gateway with the configuration in the cookbook's README.
type kitchen struct {
	*world
	rules  upload
	config string
	keys   map[string]string // by the flags that they were made with
}

// A dish is a policy with what clients get while it is in force.
type dish struct {
	policy string
	edits  []string // old and new, in turn: what a user would adapt in the rules and their data
	config []string // the same in attache.yaml
	steps  []step
	more   func(*testing.T, *kitchen)
}

// A step is a request, and what becomes of it.
type step struct {
	key    string // flags of attache keys new, or claims of a token
	path   string // default: that of chats
	model  string // default: smart
	text   string // of the user, default: hi
	image  bool
	more   string            // members of the body, each with a comma in front
	header map[string]string // in canonical form

	want    string // provider/model, cache, or status and code of the error
	sent    string // is in what the provider got, body and headers
	unsent  string // is not
	answer  string // a header of the response, as "Name: value"
	body    string // is in the response
	labels  string // of the record
	private bool   // the record names no user
	booked  bool   // wait until it is over for the gateway as well
}

func property(name, value string) map[string]string {
	return map[string]string{"X-Attache-Property-" + name: value}
}

func offers(tool string) string {
	return fmt.Sprintf(`,"tools":[{"type":"function","function":{"name":%q,"parameters":{"type":"object"}}}]`, tool)
}

const (
	streamed = `,"stream":true`
	cold     = `,"temperature":0`
	mail     = "write to jane.doe@example.com"
	iban     = "openai/leak@text=DE89370400440532013000" // a model that says it
)

// words are a text of n words, of which the mock providers count n*5/4 tokens.
func words(n int) string { return strings.Repeat("word ", n) }

var book = words(60_000)

func user(name string) map[string]string { return map[string]string{"X-Attache-User": name} }

// hours are the arguments of clock.between, from some hours after now in the zone
// that the README's configuration has.
func hours(from, to int) string {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	h := time.Now().In(zone).Hour()
	return fmt.Sprintf("between(%d, %d)", (h+from)%24, (h+to)%24)
}

func unixMS(after time.Duration) string { return fmt.Sprint(time.Now().Add(after).UnixMilli()) }

func dishes() []dish {
	return []dish{
		{policy: "ab-test", more: func(t *testing.T, k *kitchen) {
			k.sticks(t, "smart", "X-Attache-User", "openai/gpt-4o", "anthropic/claude-sonnet-4-5")
		}},
		{policy: "anonymous-users", steps: []step{
			{more: `,"user":"jane","metadata":{"name":"jane"}`, want: "openai/gpt-4o", unsent: "jane", private: true},
			{path: "/v1/messages", model: "anthropic/claude-sonnet-4-5", more: `,"max_tokens":9,"metadata":{"user_id":"jane"}`, want: "anthropic/claude-sonnet-4-5", unsent: "jane", private: true},
		}},
		{policy: "batch-cheapest", steps: []step{
			{model: "anthropic/claude-sonnet-4-5,openai/gpt-4o", want: "anthropic/claude-sonnet-4-5"},
			{model: "anthropic/claude-sonnet-4-5,openai/gpt-4o", header: property("Job", "batch"), want: "openai/gpt-4o"},
		}},
		{policy: "batch-concurrency", more: atOnce},
		{policy: "batch-yields", config: []string{"requests: 600/", "requests: 4/"}, steps: []step{
			{key: "-team busy -labels use=batch", want: "openai/gpt-4o"},
			{key: "-team busy", want: "openai/gpt-4o"},
			{key: "-team busy -labels use=batch", want: "openai/gpt-4o"},
			{key: "-team busy -labels use=batch", want: "429 jobs_wait", answer: "Retry-After: 20"},
			{key: "-team busy", want: "openai/gpt-4o"},
			{key: "-team busy", want: "429 rate_limited"},
			{key: "-team idle -labels use=batch", want: "openai/gpt-4o"},
		}},
		{policy: "budget-routing", config: []string{"usd: 1000/", "usd: 230/", "{input: 3, output: 12}", "{input: 3000, output: 12}", "gpt-4o: {input: 2.50,", "gpt-4o@fault=503: {input: 1, output: 1}, gpt-4o: {input: 2.50,"}, steps: []step{
			{model: "frankfurt/gpt-4o,openai/gpt-4o", want: "frankfurt/gpt-4o"},
			{key: "-team rich", model: "frankfurt/gpt-4o", text: words(48_000), want: "frankfurt/gpt-4o", booked: true}, // a fifth is left
			{model: "frankfurt/gpt-4o,openai/gpt-4o", want: "openai/gpt-4o"},
			{model: "frankfurt/gpt-4o,openai/gpt-4o@fault=503", want: "frankfurt/gpt-4o", answer: "X-Attache-Attempts: 2"},
			{key: "-team richer", model: "frankfurt/gpt-4o", text: words(11_000), want: "frankfurt/gpt-4o", booked: true}, // next to nothing
			{model: "frankfurt/gpt-4o,openai/gpt-4o@fault=503", want: "503 upstream_error"},
			{model: "frankfurt/gpt-4o,openai/gpt-4o", want: "openai/gpt-4o"},
			{model: "frankfurt/gpt-4o", want: "frankfurt/gpt-4o"},
		}},
		{policy: "budget-tiers", config: []string{"usd: 200/", "usd: 10/"}, steps: []step{
			{key: "-team thrifty", want: "openai/gpt-4o", answer: "X-Budget: "},
			{key: "-team low", model: "openai/o1-pro", text: words(45_600), want: "openai/o1-pro", booked: true},
			{key: "-team low", want: "openai/gpt-4o-mini", answer: "X-Budget: low"},
			{key: "-team low", model: "openai/o1-pro", want: "openai/gpt-4o-mini"},
			{key: "-team spent", model: "openai/o1-pro", text: words(52_000), want: "openai/o1-pro", booked: true},
			{key: "-team spent", want: "402 budget_low"},
			{key: "-team spent", model: "cheap", want: "openai/gpt-4o-mini"},
		}},
		{policy: "business-hours", edits: []string{"\tclock.workday\n", "", "between(7, 18)", hours(0, 2)}, steps: []step{
			{key: "-labels hours=office", want: "openai/gpt-4o"},
		}},
		{policy: "business-hours", edits: []string{"between(7, 18)", hours(3, 4)}, steps: []step{
			{key: "-labels hours=office", want: "403 outside_business_hours"},
			{want: "openai/gpt-4o"},
		}},
		{policy: "cache-policy", steps: []step{
			{key: "-team a", text: "again", more: cold, want: "openai/gpt-4o", answer: "X-Attache-Cache: miss", booked: true},
			{key: "-team a", text: "again", more: cold, want: "cache"},
			{key: "-team a -name other", text: "again", more: cold + streamed, want: "cache"},
			{key: "-team b", text: "again", more: cold, want: "openai/gpt-4o", answer: "X-Attache-Cache: miss"},
			{key: "-team a -labels cache=private", text: "again", more: cold, want: "openai/gpt-4o", answer: "X-Attache-Cache: miss"},
			{key: "-team a", text: "again", want: "openai/gpt-4o", answer: "X-Attache-Cache: off"},
			{key: "-team a", text: "again", more: cold, header: map[string]string{"Cache-Control": "no-store"}, want: "openai/gpt-4o", answer: "X-Attache-Cache: off"},
			{key: "-team a", text: mail, more: cold, want: "openai/gpt-4o", answer: "X-Attache-Cache: off"},
		}},
		{policy: "canary", steps: []step{{key: "-labels ring=canary", model: "writer", want: "openai/gpt-5"}}, more: func(t *testing.T, k *kitchen) {
			got := map[string]int{}
			for range 20 {
				got[k.serveOne(t, step{model: "writer"})]++
			}
			if got["openai/gpt-5"] != 1 || got["openai/gpt-4o"] != 19 {
				t.Errorf("of 20 requests: %v", got)
			}
		}},
		{policy: "claims", steps: []step{
			{key: `{"department":"research"}`, want: "openai/gpt-4o", labels: `"department":"research"`},
			{key: `{"department":"sales"}`, model: "cheap", want: "openai/gpt-4o-mini"},
			{key: `{"department":"sales"}`, want: "403 not_for_department"},
			{key: `{"department":"research","https://example.com/status":{"flags":["probation"]}}`, want: "403 not_for_department"},
			{want: "403 not_for_department"},
		}},
		{policy: "closed-by-default", config: []string{"default: allow", "default: deny"}, steps: []step{
			{key: "-team search", want: "openai/gpt-4o"},
			{key: "-roles operator", want: "openai/gpt-4o"},
			{want: "403 policy_denied"},
		}},
		{policy: "cost-ceiling", steps: []step{
			{model: "openai/o1-pro,openai/gpt-4o", want: "openai/gpt-4o"},
			{model: "openai/unpriced,local/llama3.3", want: "local/llama3.3"},
			{model: "openai/o1-pro", want: "403 too_expensive"},
			{key: "-labels ceiling=none", model: "openai/o1-pro", want: "openai/o1-pro"},
		}},
		{policy: "data-residency", steps: []step{
			{header: property("Country", "us"), want: "openai/gpt-4o"},
			{header: property("Country", "de"), want: "frankfurt/gpt-4o"},
			{key: "-labels country=fr", header: property("Country", "us"), want: "frankfurt/gpt-4o"},
			{want: "frankfurt/gpt-4o"},
			{model: "openai/gpt-4o", want: "451 residency"},
		}},
		{policy: "dear-models", edits: []string{`"requests": 50`, `"requests": 1`}, steps: []step{
			{key: "-team search", want: "openai/gpt-4o"},
			{key: "-team search", model: "openai/o1-pro", want: "openai/o1-pro"},
			{key: "-team search", model: "openai/gpt-4o,openai/o1-pro", want: "429 insufficient_quota"},
			{key: "-team search", want: "openai/gpt-4o"},
			{key: "-team support", model: "openai/o1-pro", want: "openai/o1-pro"},
		}},
		{policy: "free-tier", steps: []step{
			{key: "-labels tier=free", want: "openai/gpt-4o-mini", sent: `"max_tokens":256`},
			{key: "-labels tier=free", image: true, want: "402 upgrade_needed"},
			{key: "-labels tier=free", text: book, want: "402 upgrade_needed"},
			{image: true, want: "openai/gpt-4o"},
		}},
		{policy: "free-tier", edits: []string{`"requests": 10`, `"requests": 2`}, steps: []step{
			{key: "-labels tier=free -name app", header: user("ann"), want: "openai/gpt-4o-mini"},
			{key: "-labels tier=free -name app", header: user("ann"), want: "openai/gpt-4o-mini"},
			{key: "-labels tier=free -name app", header: user("ann"), want: "429 rate_limited"},
			{key: "-labels tier=free -name app", header: user("bob"), want: "openai/gpt-4o-mini"},
		}},
		{policy: "free-tier", edits: []string{`"tokens": 500000`, `"tokens": 2000`}, steps: []step{
			{key: "-labels tier=free -name other", header: user("eve"), text: words(1_500), want: "openai/gpt-4o-mini", booked: true},
			{key: "-labels tier=free -name other", header: user("mallory"), text: words(1_500), want: "429 insufficient_quota"},
		}},
		{policy: "internal-network", edits: []string{`"10.0.0.0/8"`, `"0.0.0.0/0", "::/0"`}, steps: []step{
			{key: "-labels network=internal", want: "openai/gpt-4o"},
		}},
		{policy: "internal-network", edits: []string{`"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"`, `"198.51.100.0/24"`}, steps: []step{
			{key: "-labels network=internal", want: "403 wrong_network"},
			{want: "openai/gpt-4o"},
		}},
		{policy: "kill-switch", edits: []string{`{"retired"}`, `{"openai"}`}, steps: []step{
			{want: "anthropic/claude-sonnet-4-5"},
			{model: "openai/gpt-4o", want: "503 switched_off", answer: "Retry-After: 300"},
		}},
		{policy: "latency-slo", edits: []string{"1500", "300"}, steps: []step{
			{model: "openai/slow@delay=150ms", more: streamed, want: "openai/slow@delay=150ms"},
			{model: "openai/slow@delay=150ms,frankfurt/gpt-4o", more: streamed, want: "frankfurt/gpt-4o", answer: "X-Attache-Attempts: 1"},
			{model: "openai/never@delay=10s,frankfurt/gpt-4o", more: streamed, want: "frankfurt/gpt-4o", answer: "X-Attache-Attempts: 2"},
			{model: "openai/gpt-4o", more: streamed, want: "openai/gpt-4o"},
		}},
		{policy: "log-redaction", steps: []step{
			{key: "-org acme", header: map[string]string{"X-Attache-User": "jane"}, want: "openai/gpt-4o", private: true},
		}, more: func(t *testing.T, k *kitchen) {
			a := k.send(t, step{key: "-org hospital"})
			k.row(t, a)
			if id := a.header.Get("X-Attache-Request-Id"); strings.Contains(k.log.String(), "id="+id) {
				t.Errorf("the log has the exchange %s", id)
			}
		}},
		{policy: "long-context", steps: []step{
			{text: book, want: "google/gemini-2.5-pro"},
			{want: "openai/gpt-4o"},
		}},
		{policy: "maintenance-window", edits: []string{"1796508000000", unixMS(-time.Hour), "1796522400000", unixMS(time.Hour)}, steps: []step{
			{model: "frankfurt/gpt-4o,openai/gpt-4o", want: "openai/gpt-4o"},
			{model: "frankfurt/gpt-4o", want: "503 maintenance", answer: "Retry-After: 900"},
		}},
		{policy: "media-block", steps: []step{
			{image: true, want: "403 media_not_allowed"},
			{key: "-labels media=yes", image: true, want: "openai/gpt-4o"},
			{path: "/images/generations", model: "openai/gpt-image-1", want: "403 media_not_allowed"},
			{want: "openai/gpt-4o"},
		}},
		{policy: "model-deprecation", steps: []step{
			{model: "openai/gpt-4,frankfurt/gpt-4o", want: "openai/gpt-4o", answer: "Deprecation: true", labels: `"deprecated":"true"`},
			{model: "frankfurt/gpt-4o", want: "frankfurt/gpt-4o", answer: "Deprecation: "},
		}},
		{policy: "off-peak", edits: []string{"between(20, 6)", hours(0, 2)}, steps: []step{{model: "cheap", want: "local/llama3.3"}}},
		{policy: "off-peak", edits: []string{"between(20, 6)", hours(3, 4)}, steps: []step{{model: "cheap", want: "openai/gpt-4o-mini"}}},
		{policy: "output-cap", steps: []step{
			{more: `,"max_tokens":90000`, want: "openai/gpt-4o", sent: `"max_tokens":2048`},
			{more: `,"max_tokens":90000`, header: property("Job", "batch"), want: "openai/gpt-4o", sent: `"max_tokens":8192`},
			{more: `,"max_tokens":9`, want: "openai/gpt-4o", sent: `"max_tokens":9}`},
			{more: `,"max_tokens":9,"n":5`, want: "openai/gpt-4o", sent: `"n":2}`},
		}},
		{policy: "output-guard", steps: []step{
			{model: iban, want: iban, body: "[PII.IBAN]"},
			{model: iban, more: streamed, want: iban, body: "[PII.IBAN]"},
			{key: "-labels audience=staff", model: iban, want: iban, body: "DE89370400440532013000", labels: `"audience":"staff"`},
		}},
		{policy: "pii-to-local", steps: []step{
			{text: mail, want: "local/llama3.3", sent: "jane.doe@example.com", labels: `"pii":"yes"`},
			{path: "/v1/embeddings", model: "openai/text-embedding-3-small", more: `,"input":"` + mail + `"`, want: "503 no_target"},
			{want: "openai/gpt-4o"},
		}},
		{policy: "pinned-sampling", steps: []step{
			{more: `,"temperature":1,"top_p":0.5`, header: property("Sampling", "pinned"), want: "openai/gpt-4o", sent: `"temperature":0,"seed":7`, unsent: "top_p"},
			{more: `,"temperature":1,"top_p":0.5`, want: "openai/gpt-4o", sent: `"temperature":1,"top_p":0.5`},
		}},
		{policy: "plans", steps: []step{
			{key: "-labels plan=gold", more: `,"max_tokens":9000`, want: "openai/gpt-4o", sent: `"max_tokens":9000`},
			{key: "-labels plan=silver", more: `,"max_tokens":9000`, want: "openai/gpt-4o", sent: `"max_tokens":4096`, labels: `"plan":"silver"`},
			{want: "402 plan_too_small"},
			{model: "cheap", want: "openai/gpt-4o-mini", sent: `"max_tokens":1024`, labels: `"plan":"bronze"`},
		}},
		{policy: "prompt-size", steps: []step{
			{text: book, want: "413 prompt_too_long"},
			{key: "-labels prompts=long", text: book, want: "openai/gpt-4o"},
			{want: "openai/gpt-4o"},
		}},
		{policy: "response-cache", config: []string{"mode: asked", "mode: exact", "run: asked", "run: always"}, steps: []step{
			{text: "good", want: "openai/gpt-4o", booked: true},
			{text: "good", want: "cache"},
			{text: "of " + mail, want: "openai/gpt-4o", booked: true},
			{text: "of " + mail, want: "openai/gpt-4o"},
			{model: "openai/terse@text=Hm.", want: "openai/terse@text=Hm.", booked: true},
			{model: "openai/terse@text=Hm.", want: "openai/terse@text=Hm."},
		}},
		{policy: "response-labels", steps: []step{
			{model: "openai/broken@fault=503,openai/gpt-4o", want: "openai/gpt-4o", labels: `"fallback":"yes"`},
		}},
		{policy: "roles", steps: []step{
			{model: "openai/gpt-5,openai/gpt-4o", want: "openai/gpt-4o"},
			{model: "openai/gpt-5", want: "403 role_missing"},
			{key: "-roles researcher", model: "openai/gpt-5", want: "openai/gpt-5"},
			{key: `{"groups":["sales","ai-research"]}`, model: "openai/gpt-5", want: "openai/gpt-5"},
			{key: `{"groups":["sales"]}`, model: "openai/gpt-5", want: "403 role_missing"},
		}},
		{policy: "spend-alarm", config: []string{"usd: 200/", "usd: 10/"}, steps: []step{
			{key: "-team frugal", want: "openai/gpt-4o", labels: `{"cost_center":"frugal"}`},
			{key: "-team lavish", model: "openai/o1-pro", text: words(52_000), want: "openai/o1-pro", labels: `"dear":"yes"`},
			{key: "-team lavish", want: "openai/gpt-4o", labels: `"spend":"low"`},
		}},
		{policy: "sticky-sessions", more: func(t *testing.T, k *kitchen) {
			k.sticks(t, "gpt-4o", "X-Attache-Session", "openai/gpt-4o", "frankfurt/gpt-4o")
		}},
		{policy: "task-routing", steps: []step{
			{model: "auto", header: property("Task", "code"), want: "anthropic/claude-sonnet-4-5"},
			{model: "auto", header: property("Task", "chess"), want: "openai/gpt-4o-mini"},
			{header: property("Task", "code"), want: "openai/gpt-4o"},
		}},
		{policy: "team-guards", steps: []step{
			{text: mail, want: "openai/gpt-4o", sent: "[PII.EMAIL]"},
			{key: "-team legal", text: mail, want: "openai/gpt-4o", sent: "jane.doe@example.com", labels: `"guarded":"no"`},
		}},
		{policy: "team-limits", edits: []string{"requests_per_minute: 60,", "requests_per_minute: 2,", "requests_per_minute: 10,", "requests_per_minute: 1,"}, steps: []step{
			{key: "-team support", want: "openai/gpt-4o"},
			{key: "-team support -name other", want: "openai/gpt-4o"},
			{key: "-team support", want: "429 rate_limited"},
			{key: "-team unlisted", want: "openai/gpt-4o"},
			{key: "-team unlisted", want: "429 rate_limited"},
			{key: "-team search", want: "openai/gpt-4o"},
		}},
		{policy: "team-models", steps: []step{
			{key: "-team support", want: "anthropic/claude-sonnet-4-5"},
			{key: "-team search", want: "openai/gpt-4o"},
			{key: "-team search", model: "openai/gpt-5", want: "403 model_not_allowed"},
			{want: "403 model_not_allowed"},
		}},
		{policy: "tenant", steps: []step{
			{key: "-labels tenants=blue", header: map[string]string{"X-Tenant": "blue"}, want: "openai/gpt-4o", sent: "X-Tenant: blue", labels: `"tenant":"blue"`},
			{key: "-labels tenants=blue", header: map[string]string{"X-Tenant": "green"}, want: "403 tenant_not_allowed"},
			{key: "-labels tenants=blue", want: "400 tenant_missing"},
		}},
		{policy: "tool-allow-list", steps: []step{
			{key: "-team search", more: offers("fetch"), want: "openai/gpt-4o"},
			{key: "-team search", more: offers("refund"), want: "403 tool_not_allowed"},
			{more: offers("fetch"), want: "403 tool_not_allowed"},
			{key: "-team search", more: `,"tools":[{"type":"code_interpreter"}]`, want: "403 tool_not_allowed"},
			{key: "-team search", more: `,"functions":[{"name":"refund"}]`, want: "403 tool_not_allowed"},
			{more: `,"web_search_options":{}`, want: "403 tool_not_allowed"},
		}},
		{policy: "vision-routing", steps: []step{
			{model: "eyes", image: true, want: "openai/gpt-4o"},
			{model: "eyes", want: "openai/gpt-4o-mini"},
		}},
	}
}

// TestCookbook puts one policy after another into force and asks as its users
// would. Their own tests are run in package policies.
func TestCookbook(t *testing.T) {
	all := dishes()
	k := openKitchen(t, all)
	for _, d := range all {
		t.Run(d.policy, func(t *testing.T) {
			k.cook(t, d)
			for _, s := range d.steps {
				k.check(t, s)
			}
			if d.more != nil {
				d.more(t, k)
			}
		})
	}
	files, err := filepath.Glob(cookbookDir + "*.rego")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".rego"), "_test")
		if !slices.ContainsFunc(all, func(d dish) bool { return d.policy == name }) {
			t.Errorf("%s is not tried", name)
		}
	}
}

func openKitchen(t *testing.T, all []dish) *kitchen {
	const version = "1.40"
	envoytest.Need(t, version)
	k := &kitchen{world: &world{providers: map[string]*mock.Server{}}, keys: map[string]string{}}
	k.rules.dir = filepath.Join(t.TempDir(), "policies")
	k.rules.put(t, marked("none"))
	k.config = k.configure(t)
	k.file = filepath.Join(t.TempDir(), "attache.yaml")
	write(t, k.file, []byte(k.config))
	for _, d := range all {
		for _, s := range d.steps {
			k.newKey(t, s.key)
		}
	}
	for _, flags := range []string{"", "-org hospital", "-team night -labels use=batch", "-team night"} { // of what is more than steps
		k.newKey(t, flags)
	}
	k.serve(t)
	k.envoy = envoytest.Start(t, k.envoyConfig(t), envoytest.Options{Version: version, Concurrency: 2})
	k.url = k.envoy.URL
	k.openLedger(t)
	return k
}

var (
	yamlBlock    = regexp.MustCompile("(?s)\n```yaml\n(.*?)```")
	urlLine      = regexp.MustCompile(`\n    url: .*`)
	oneOfKind    = regexp.MustCompile(`(?m)^  (\w+):.*\n    kind: (\w+)`)
	guardsBlock  = regexp.MustCompile(`(?s)\nguards:.*?\n\n`)
	limitsBlock  = regexp.MustCompile(`(?s)\nlimits:.*?\n\n`)
	budgetsBlock = regexp.MustCompile(`(?s)\nbudgets:.*?\n\n`)
	variable     = regexp.MustCompile(`"\$\{\w+_API_KEY\}"`)
)

// configure returns the configuration in the README, with mock providers.
func (k *kitchen) configure(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(cookbookDir + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := yamlBlock.FindSubmatch(readme)
	if block == nil {
		t.Fatal("the README has no configuration")
	}
	plugin, err := filepath.Abs("../wasm-plugins/pii/pii.wasm")
	if err != nil {
		t.Fatal(err)
	}
	digest, err := os.ReadFile(plugin + ".sha256")
	if err != nil {
		t.Fatal(err)
	}
	text := urlLine.ReplaceAllString(string(block[1]), "")
	text = variable.ReplaceAllString(text, "key-of-provider")
	text = strings.NewReplacer("wasm-plugins/pii/pii.wasm", plugin, "${PII_SHA256}", strings.Fields(string(digest))[0],
		"{dir: policies, ", "{dir: "+k.rules.dir+", deadline: 1s, ").Replace(text)
	text = oneOfKind.ReplaceAllStringFunc(text, func(line string) string {
		m := oneOfKind.FindStringSubmatch(line)
		return line + "\n    url: " + k.start(t, m[1], m[2])
	})
	return "listen: unix:a.sock\nadmin: 127.0.0.1:0\nledger: {sqlite: ledger.db}\nauth: {mode: [keys, jwt], file: keys.json, issuers: {login: {issuer: login, audience: attache, secret: \"" + tokenSecret + "\"}}}\n" +
		"envoy: {port: 65535, admin: \"127.0.0.1:0\", retry_backoff: 1ms}\n" + text
}

// start starts a mock provider and returns its URL.
func (k *kitchen) start(t *testing.T, name, kind string) string {
	t.Helper()
	o, path := mock.Options{Name: name, Dialect: mock.OpenAI, Log: 1}, "/v1"
	switch kind {
	case "anthropic":
		o.Dialect, path = mock.Anthropic, ""
	case "gemini":
		o.Dialect, path = mock.Gemini, ""
	}
	s, err := mock.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	k.providers[name] = s
	return s.URL() + path
}

func (k *kitchen) newKey(t *testing.T, flags string) {
	t.Helper()
	if k.keys[flags] != "" {
		return
	}
	var out, errs bytes.Buffer
	if strings.HasPrefix(flags, "{") {
		k.keys[flags] = token(t, flags)
		return
	}
	p := cli.Program{Stdout: &out, Stderr: &errs, Env: environment}
	if code := p.Run(append([]string{"keys", "new", "-c", k.file, "-name", "test"}, strings.Fields(flags)...)); code != 0 {
		t.Fatalf("attache keys new %s: %s", flags, errs.String())
	}
	k.keys[flags] = strings.TrimSpace(out.String())
}

const tokenSecret = "a-secret-of-at-least-thirty-two-bytes"

// token signs claims as the issuer of the configuration does.
func token(t *testing.T, claims string) string {
	t.Helper()
	all := jwt.MapClaims{"iss": "login", "aud": "attache", "sub": "jane", "exp": time.Now().Add(time.Hour).Unix()}
	if err := json.Unmarshal([]byte(claims), &all); err != nil {
		t.Fatal(err)
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, all).SignedString([]byte(tokenSecret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// edit replaces old by new, in turn.
func edit(t *testing.T, text string, edits []string) string {
	t.Helper()
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("%q is not in\n%s", edits[i], text)
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	return text
}

// cook puts a policy into force.
func (k *kitchen) cook(t *testing.T, d dish) {
	t.Helper()
	files := map[string][]byte{}
	config, edits := edit(t, k.config, d.config), d.edits
	if table, err := os.ReadFile(cookbookDir + "data/" + d.policy + ".yaml"); err == nil {
		files["data/"+d.policy+".yaml"], edits = []byte(edit(t, string(table), edits)), nil
	}
	rules, err := os.ReadFile(cookbookDir + d.policy + ".rego")
	if err != nil {
		t.Fatal(err)
	}
	text := edit(t, string(rules), edits)
	files[d.policy+".rego"] = []byte(text)
	if !strings.Contains(text, "pii") && !strings.Contains(config, "run: always") { // compiling the plugin is most of a reload
		config = guardsBlock.ReplaceAllString(config, "\n")
	}
	if !strings.Contains(text, "input.limits") { // all tests together are a busy team
		config = limitsBlock.ReplaceAllString(config, "\n")
	}
	if !strings.Contains(text, "budgets") && !strings.Contains(text, "left_permille") { // under a budget models need a price
		config = budgetsBlock.ReplaceAllString(config, "\n")
	}

	before, logged := k.ready(t), len(k.log.String())
	k.rules.put(t, files)
	write(t, k.file, []byte(config))
	k.reload(t)
	eventually(t, "another policy", func() bool {
		if log := k.log.String()[logged:]; strings.Contains(log, "reload failed") {
			t.Fatalf("the policy is refused: %s", log)
		}
		now := k.ready(t)
		return now != before && !strings.Contains(now, "failed")
	})
}

func (k *kitchen) request(ctx context.Context, t *testing.T, s step) *http.Request {
	t.Helper()
	if s.model == "" {
		s.model = "smart"
	}
	if s.path == "" {
		s.path = paths["openai"]
	}
	if s.text == "" {
		s.text = "hi"
	}
	content := fmt.Sprintf("%q", s.text)
	if s.image {
		content = `[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]`
	}
	body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%s}]%s}`, s.model, content, s.more)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, k.url+s.path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+k.keys[s.key])
	for name, value := range s.header {
		r.Header.Set(name, value)
	}
	return r
}

// send sends a request and returns the answer.
func (k *kitchen) send(t *testing.T, s step) answer {
	t.Helper()
	response, err := client.Do(k.request(t.Context(), t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: response.StatusCode, header: response.Header, body: string(text)}
}

// result is who answered, or the error.
func (a answer) result() string {
	if a.header.Get("X-Attache-Cache") == "hit" {
		return "cache"
	}
	if a.status == http.StatusOK {
		return a.header.Get("X-Attache-Provider") + "/" + a.header.Get("X-Attache-Model")
	}
	return ask{dialect: "openai"}.outcome(a)
}

func (k *kitchen) serveOne(t *testing.T, s step) string { return k.send(t, s).result() }

// check sends a request and looks at what became of it.
func (k *kitchen) check(t *testing.T, s step) {
	t.Helper()
	a := k.send(t, s)
	if got := a.result(); got != s.want {
		t.Errorf("%s %s %s: %s, want %s\n%.300s", s.key, s.model, s.more, got, s.want, a.body)
		return
	}
	if name, value, ok := strings.Cut(s.answer, ": "); ok && a.header.Get(name) != value {
		t.Errorf("%s is %q, want %q", name, a.header.Get(name), value)
	}
	if !strings.Contains(a.body, s.body) {
		t.Errorf("the response is %s\nwant %q in it", a.body, s.body)
	}
	if from := a.header.Get("X-Attache-Provider"); from != "" && a.status == http.StatusOK {
		got := k.received(t, from)
		if !strings.Contains(got, s.sent) || s.unsent != "" && strings.Contains(got, s.unsent) {
			t.Errorf("the provider got %s\nwant %q, not %q", got, s.sent, s.unsent)
		}
	}
	if s.labels == "" && !s.private && !s.booked {
		return
	}
	k.row(t, a)
	var labels, user string
	err := k.ledger.QueryRowContext(t.Context(), "SELECT coalesce(labels, ''), user FROM exchanges WHERE id = ?", a.header.Get("X-Attache-Request-Id")).Scan(&labels, &user)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(labels, s.labels) || s.private && user != "" {
		t.Errorf("the record has the labels %s, want %s, and the user %q", labels, s.labels, user)
	}
}

// received is the last request that a provider got: headers and body.
func (k *kitchen) received(t *testing.T, provider string) string {
	t.Helper()
	entries := k.providers[provider].Log()
	if len(entries) == 0 {
		t.Fatalf("%s got nothing", provider)
	}
	e := entries[len(entries)-1]
	var b strings.Builder
	if err := e.Header.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String() + string(e.Body)
}

// sticks sends requests of several users or sessions, which each of two targets
// gets some of, and always the same.
func (k *kitchen) sticks(t *testing.T, model, header string, targets ...string) {
	t.Helper()
	seen := map[string]bool{}
	for i := range 12 {
		s := step{model: model, header: map[string]string{header: fmt.Sprint("u", i)}}
		first := k.serveOne(t, s)
		seen[first] = true
		if again := k.serveOne(t, s); again != first {
			t.Errorf("%s %d: %s, then %s", header, i, first, again)
		}
	}
	if len(seen) != 2 || !seen[targets[0]] || !seen[targets[1]] {
		t.Errorf("they go to %v, want %v", seen, targets)
	}
}

// atOnce sends a batch job's requests while as many as may run do.
func atOnce(t *testing.T, k *kitchen) {
	job := step{key: "-team night -labels use=batch", model: "openai/stalled@fault=stall-before-headers"}
	before := k.providers["openai"].Stats()
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 4 {
		running.Go(func() {
			if response, err := client.Do(k.request(ctx, t, job)); err == nil {
				response.Body.Close()
			}
		})
	}
	await(t, k.providers["openai"], func(s mock.Stats) bool { return s.Requests == before.Requests+4 })
	job.model, job.want = "openai/gpt-4o", "429 rate_limited"
	k.check(t, job)
	k.check(t, step{key: "-team night", want: "openai/gpt-4o"})
	cancel()
	running.Wait()
	eventually(t, "room for a job", func() bool { return k.serveOne(t, job) == "openai/gpt-4o" })
}
