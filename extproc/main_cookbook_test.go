package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

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
	edits  []string // old and new, in turn: what a user would adapt
	closed bool     // with default: deny
	steps  []step
	more   func(*testing.T, *kitchen)
}

// A step is a request, and what becomes of it.
type step struct {
	key    string // flags of attache keys new
	path   string // default: that of chats
	model  string // default: smart
	text   string // of the user, default: hi
	image  bool
	more   string            // members of the body, each with a comma in front
	header map[string]string // in canonical form

	want    string // provider/model, or status and code of the error
	sent    string // is in what the provider got, body and headers
	unsent  string // is not
	answer  string // a header of the response, as "Name: value"
	labels  string // of the record
	private bool   // the record names no user
}

func property(name, value string) map[string]string {
	return map[string]string{"X-Attache-Property-" + name: value}
}

func offers(tool string) string {
	return fmt.Sprintf(`,"tools":[{"type":"function","function":{"name":%q,"parameters":{"type":"object"}}}]`, tool)
}

const streamed = `,"stream":true`

const mail = "write to jane.doe@example.com"

var book = strings.Repeat("word ", 60_000)

// hours are the arguments of clock.between, from some hours after now.
func hours(from, to int) string {
	h := time.Now().UTC().Hour()
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
		{policy: "budget-tiers", steps: []step{
			{key: "-labels plan=gold", more: `,"max_tokens":9000`, want: "openai/gpt-4o", sent: `"max_tokens":9000`},
			{key: "-labels plan=silver", more: `,"max_tokens":9000`, want: "openai/gpt-4o", sent: `"max_tokens":4096`, labels: `"plan":"silver"`},
			{want: "402 plan_too_small"},
			{model: "cheap", want: "openai/gpt-4o-mini", sent: `"max_tokens":1024`, labels: `"plan":"bronze"`},
		}},
		{policy: "business-hours", edits: []string{"\tclock.workday\n", "", "between(7, 18)", hours(0, 2)}, steps: []step{
			{key: "-labels hours=office", want: "openai/gpt-4o"},
		}},
		{policy: "business-hours", edits: []string{"between(7, 18)", hours(3, 4)}, steps: []step{
			{key: "-labels hours=office", want: "403 outside_business_hours"},
			{want: "openai/gpt-4o"},
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
		{policy: "closed-by-default", closed: true, steps: []step{
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
		{policy: "free-tier", steps: []step{
			{key: "-labels tier=free", want: "openai/gpt-4o-mini", sent: `"max_tokens":256`},
			{key: "-labels tier=free", image: true, want: "402 upgrade_needed"},
			{key: "-labels tier=free", text: book, want: "402 upgrade_needed"},
			{image: true, want: "openai/gpt-4o"},
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
		{policy: "pii-to-local", steps: []step{
			{text: mail, want: "local/llama3.3", sent: "jane.doe@example.com", labels: `"pii":"yes"`},
			{path: "/v1/embeddings", model: "openai/text-embedding-3-small", more: `,"input":"` + mail + `"`, want: "503 no_target"},
			{want: "openai/gpt-4o"},
		}},
		{policy: "pinned-sampling", steps: []step{
			{more: `,"temperature":1,"top_p":0.5`, header: property("Sampling", "pinned"), want: "openai/gpt-4o", sent: `"temperature":0,"seed":7`, unsent: "top_p"},
			{more: `,"temperature":1,"top_p":0.5`, want: "openai/gpt-4o", sent: `"temperature":1,"top_p":0.5`},
		}},
		{policy: "prompt-size", steps: []step{
			{text: book, want: "413 prompt_too_long"},
			{key: "-labels prompts=long", text: book, want: "openai/gpt-4o"},
			{want: "openai/gpt-4o"},
		}},
		{policy: "response-labels", steps: []step{
			{model: "openai/broken@fault=503,openai/gpt-4o", want: "openai/gpt-4o", labels: `"fallback":"yes"`},
		}},
		{policy: "roles", steps: []step{
			{model: "openai/gpt-5,openai/gpt-4o", want: "openai/gpt-4o"},
			{model: "openai/gpt-5", want: "403 role_missing"},
			{key: "-roles researcher", model: "openai/gpt-5", want: "openai/gpt-5"},
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
	for _, flags := range []string{"", "-org hospital"} { // of what is more than steps
		k.newKey(t, flags)
	}
	k.serve(t)
	k.envoy = envoytest.Start(t, k.envoyConfig(t), envoytest.Options{Version: version, Concurrency: 2})
	k.url = k.envoy.URL
	k.openLedger(t)
	return k
}

var (
	yamlBlock   = regexp.MustCompile("(?s)\n```yaml\n(.*?)```")
	urlLine     = regexp.MustCompile(`\n    url: .*`)
	oneOfKind   = regexp.MustCompile(`(?m)^  (\w+):.*\n    kind: (\w+)`)
	guardsBlock = regexp.MustCompile(`(?s)\nguards:.*?\n\n`)
	variable    = regexp.MustCompile(`"\$\{\w+_API_KEY\}"`)
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
	return "listen: unix:a.sock\nadmin: 127.0.0.1:0\nledger: {sqlite: ledger.db}\nauth: {mode: keys, file: keys.json}\n" +
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
	p := cli.Program{Stdout: &out, Stderr: &errs, Env: environment}
	if code := p.Run(append([]string{"keys", "new", "-c", k.file, "-name", "test"}, strings.Fields(flags)...)); code != 0 {
		t.Fatalf("attache keys new %s: %s", flags, errs.String())
	}
	k.keys[flags] = strings.TrimSpace(out.String())
}

// cook puts a policy into force.
func (k *kitchen) cook(t *testing.T, d dish) {
	t.Helper()
	rules, err := os.ReadFile(cookbookDir + d.policy + ".rego")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(d.edits); i += 2 {
		if !bytes.Contains(rules, []byte(d.edits[i])) {
			t.Fatalf("%s has no %q", d.policy, d.edits[i])
		}
		rules = bytes.ReplaceAll(rules, []byte(d.edits[i]), []byte(d.edits[i+1]))
	}
	config := k.config
	if d.closed {
		config = strings.Replace(config, "default: allow", "default: deny", 1)
	}
	if !bytes.Contains(rules, []byte("pii")) { // compiling the plugin is most of a reload
		config = guardsBlock.ReplaceAllString(config, "")
	}

	before, logged := k.ready(t), len(k.log.String())
	k.rules.put(t, map[string][]byte{d.policy + ".rego": rules})
	write(t, k.file, []byte(config))
	k.reload(t)
	eventually(t, "another policy", func() bool {
		now := k.ready(t)
		if strings.Contains(now, "failed") {
			t.Fatalf("the policy is refused: %s", k.log.String()[logged:])
		}
		return now != before
	})
}

// send sends a request and returns the answer.
func (k *kitchen) send(t *testing.T, s step) answer {
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
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, k.url+s.path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+k.keys[s.key])
	for name, value := range s.header {
		r.Header.Set(name, value)
	}
	response, err := client.Do(r)
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

// result is the target that answered, or the error.
func (a answer) result() string {
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
	if a.status == http.StatusOK {
		got := k.received(t, a.header.Get("X-Attache-Provider"))
		if !strings.Contains(got, s.sent) || s.unsent != "" && strings.Contains(got, s.unsent) {
			t.Errorf("the provider got %s\nwant %q, not %q", got, s.sent, s.unsent)
		}
	}
	if s.labels == "" && !s.private {
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
