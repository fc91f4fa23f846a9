package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const cacheRules = `package attache.request

import rego.v2

cache contains {"mode": "off"} if input.properties.fresh

cache contains {"mode": "exact", "ttl_s": 1} if input.properties.short

cache contains {"mode": "exact", "scope": "key"} if input.properties.own
`

const cacheReview = `package attache.response

import rego.v2

cache contains {"mode": "off"} if input.properties.private
`

// cacheAsks are requests for the same text in each client's dialect, whole and
// streamed. %s stands for the text.
var cacheAsks = map[string][2]struct{ path, body string }{
	"openai": {
		{"/v1/chat/completions", `{"model":"one","messages":[{"role":"user","content":"%s"}]}`},
		{"/v1/chat/completions", `{"messages":[{"content":"%s","role":"user"}],"model":"one","stream":true}`}},
	"responses": {
		{"/v1/responses", `{"model":"one","input":"%s"}`},
		{"/v1/responses", `{"model":"one","input":"%s","stream":true}`}},
	"anthropic": {
		{"/v1/messages", `{"model":"one","max_tokens":100,"messages":[{"role":"user","content":"%s"}]}`},
		{"/v1/messages", `{"model":"one","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"%s"}]}`}},
	"gemini": {
		{"/v1beta/models/one:generateContent", `{"contents":[{"role":"user","parts":[{"text":"%s"}]}]}`},
		{"/v1beta/models/one:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"%s"}]}]}`}},
	"bedrock": {
		{"/model/one/converse", `{"messages":[{"role":"user","content":[{"text":"%s"}]}]}`},
		{"/model/one/converse-stream", `{"messages":[{"role":"user","content":[{"text":"%s"}]}]}`}},
}

// cacheWorld is a world with a cache and keys of three teams.
func cacheWorld(t *testing.T, version string) *kitchen {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "request.rego"), []byte(cacheRules))
	write(t, filepath.Join(dir, "response.rego"), []byte(cacheReview))
	w := begin(t, version, "cache: {mode: exact, scope: team}", "policy: {dir: "+dir+", deadline: 1s}", "models:",
		"  one: {targets: [o/m@text=forty-two]}", "  long: {targets: [o/m@bytes=900000]}", "  other: {targets: [a/m]}", "  broken: {targets: [o/m@fault=cut]}")
	k := &kitchen{world: w, keys: map[string]string{}}
	text, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, w.file, []byte(strings.Replace(string(text), "auth: {mode: none}", "auth: {mode: keys, file: keys.json}", 1)))
	for _, flags := range []string{"-team red", "-team red -user two", "-team blue"} {
		k.newKey(t, flags)
	}
	k.reload(t)
	for _, key := range append([]string{"none"}, slices.Sorted(maps.Keys(k.keys))...) {
		want := http.StatusOK
		if key == "none" {
			want = http.StatusUnauthorized
		}
		eventually(t, fmt.Sprintf("a status %d for the key %s", want, key), func() bool {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, k.url+"/v1/models", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+k.keys[key])
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			return response.StatusCode == want
		})
	}
	return k
}

// post sends a request with a key and returns the answer, and what the cache made
// of it.
func (k *kitchen) post(t *testing.T, key, path, body string, headers ...string) (cache string, a answer) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, k.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Anthropic-Version", "2023-06-01")
	if !strings.HasPrefix(path, "/v1/messages") {
		r.Header.Del("Anthropic-Version")
	}
	r.Header.Set("X-Api-Key", k.keys[key])
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%s: %d %v %s", path, response.StatusCode, err, text)
	}
	return response.Header.Get("X-Attache-Cache"), answer{status: 200, header: response.Header, body: string(text)}
}

// TestCache: answers come from the cache, in every client's format, whole and
// streamed, whatever filled it, and to nobody else.
func TestCache(t *testing.T) {
	const red, two, blue = "-team red", "-team red -user two", "-team blue"
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			k := cacheWorld(t, version)
			calls := func() int { return k.providers["o"].Stats().Requests }
			for name, forms := range cacheAsks {
				for first := range forms {
					text := fmt.Sprint(name, " ", first)
					cache, a := k.post(t, red, forms[first].path, fmt.Sprintf(forms[first].body, text))
					if cache != "miss" || !strings.Contains(a.body, "forty") {
						t.Fatalf("%s: %s %s", text, cache, a.body)
					}
					before := calls()
					k.row(t, a) // the response is kept once its exchange has ended
					for second := range forms {
						cache, hit := k.post(t, two, forms[second].path, fmt.Sprintf(forms[second].body, text))
						if cache != "hit" || hit.header.Get("Age") == "" || !strings.Contains(hit.body, "forty-two") {
							t.Errorf("%s, then %d: %s %v\n%s", text, second, cache, hit.header, hit.body)
						}
						if second == first && hit.header.Get("Content-Type") != a.header.Get("Content-Type") {
							t.Errorf("%s: %s, before %s", text, hit.header.Get("Content-Type"), a.header.Get("Content-Type"))
						}
						if second != first {
							continue
						}
						if r := k.row(t, hit); r.status != 200 || r.input != 0 || r.output != 0 || r.target != "" || r.attempts != "" {
							t.Errorf("%s: the row of a hit is %+v", text, r)
						}
					}
					if calls() != before {
						t.Errorf("%s: the provider was called for a hit", text)
					}
					if cache, _ := k.post(t, blue, forms[first].path, fmt.Sprintf(forms[first].body, text)); cache != "miss" {
						t.Errorf("%s: another team has a %s", text, cache)
					}
				}
			}
			k.cacheRules(t, red, two)

			const long = `{"model":"long","messages":[{"role":"user","content":"hi"}]}`
			_, a := k.post(t, red, paths["openai"], long)
			k.row(t, a)
			cache, hit := k.post(t, red, paths["openai"], strings.Replace(long, "{", `{"stream":true,`, 1))
			if cache != "hit" || len(hit.body) < 900_000 || (ask{dialect: "openai"}).streamOutcome(hit.body) != "good" {
				t.Errorf("long: %s, %d bytes", cache, len(hit.body))
			}
			var hits int
			if err := k.ledger.QueryRow("SELECT count(*) FROM exchanges WHERE cache = 'hit'").Scan(&hits); err != nil || hits < 20 {
				t.Errorf("%d hits in the ledger, %v", hits, err)
			}
			if m := k.metrics(t); m[`attache_cache_total{result="hit"}`] == "" || m["attache_cache_entries"] == "" {
				t.Errorf("the metrics say nothing of the cache: %v", m)
			}
		})
	}
}

// cacheRules looks at what rules and headers change.
func (k *kitchen) cacheRules(t *testing.T, one, two string) {
	t.Helper()
	for _, tt := range []struct {
		text    string
		headers []string // of the first request
		key     string   // of the second
		then    []string
		want    string // of both
	}{
		{"plain", nil, two, nil, "miss hit"},
		{"off by a rule", []string{"X-Attache-Property-Fresh", "1"}, one, nil, "off miss"},
		{"off by a rule, then", nil, one, []string{"X-Attache-Property-Fresh", "1"}, "miss off"},
		{"kept out by a rule about the response", []string{"X-Attache-Property-Private", "1"}, one, nil, "miss miss"},
		{"for the key alone", []string{"X-Attache-Property-Own", "1"}, two, []string{"X-Attache-Property-Own", "1"}, "miss miss"},
		{"for the key alone, the same", []string{"X-Attache-Property-Own", "1"}, one, []string{"X-Attache-Property-Own", "1"}, "miss hit"},
		{"no-store", []string{"X-Attache-Cache", "no-store"}, one, nil, "off miss"},
		{"no-cache", nil, one, []string{"X-Attache-Cache", "no-cache"}, "miss miss"},
		{"max-age", nil, one, []string{"X-Attache-Cache", "max-age=3600"}, "miss hit"},
		{"helicone", []string{"Helicone-Cache-Enabled", "true"}, one, []string{"Helicone-Cache-Enabled", "true"}, "miss hit"},
	} {
		body := fmt.Sprintf(cacheAsks["openai"][0].body, tt.text)
		first, a := k.post(t, one, paths["openai"], body, tt.headers...)
		k.row(t, a)
		second, _ := k.post(t, tt.key, paths["openai"], body, tt.then...)
		if got := first + " " + second; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
	}
	body := fmt.Sprintf(cacheAsks["openai"][0].body, "for a second")
	short := []string{"X-Attache-Property-Short", "1"}
	_, a := k.post(t, one, paths["openai"], body, short...)
	k.row(t, a)
	eventually(t, "an end of the rule's second", func() bool {
		cache, a := k.post(t, one, paths["openai"], body, short...)
		k.row(t, a)
		return cache == "miss"
	})
}

// TestSDKsReadTheCache: the official SDKs accept what comes from the cache.
func TestSDKsReadTheCache(t *testing.T) {
	python := pythonWithSDKs(t)
	w := begin(t, "1.40", "cache: {mode: exact}", "models:", "  one: {targets: [o/m@text=forty-two]}")
	runScript(t, python, "testdata/sdk/cached.py", "ATTACHE_URL="+w.url)
	w.awaitMetrics(t, map[string]string{"attache_cache_entries": "5"})
	runScript(t, python, "testdata/sdk/cached.py", "ATTACHE_URL="+w.url)
	w.awaitMetrics(t, map[string]string{"attache_streams_open": "0"})
	before := w.providers["o"].Stats().Requests
	runScript(t, python, "testdata/sdk/cached.py", "ATTACHE_URL="+w.url)
	if now := w.providers["o"].Stats().Requests; now != before {
		t.Errorf("the provider was called %d times", now-before)
	}
}
