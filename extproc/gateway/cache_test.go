package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A drawer is a Cache without bounds.
type drawer struct {
	mu      sync.Mutex
	entries map[CacheKey]*CacheEntry
	err     error
}

func (d *drawer) Get(_ context.Context, k CacheKey, now time.Time) (*CacheEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.entries[k]; e != nil && now.Before(e.Expires) {
		return e, d.err
	}
	return nil, d.err
}

func (d *drawer) Put(_ context.Context, k CacheKey, e *CacheEntry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.entries == nil {
		d.entries = map[CacheKey]*CacheEntry{}
	}
	d.entries[k] = e
	return d.err
}

// A cachingWorld is a gateway with a cache, whose parts a test changes between
// requests.
type cachingWorld struct {
	*Holder
	drawer *drawer
	now    time.Time
	caller Caller
	policy reviewing
	record *Record
}

// A reviewing is a policy that says what it is told.
type reviewing struct {
	NoPolicy
	decision Decision
	review   *Review // nil: there are no rules about responses
	err      error   // of the review
}

func (p *reviewing) Decide(context.Context, *Facts) (Decision, error) { return p.decision, nil }
func (p *reviewing) Reviews() bool                                    { return p.review != nil }
func (p *reviewing) Review(context.Context, *Facts) (Review, error)   { return *p.review, p.err }

func newCachingWorld(t testing.TB, change func(*Options)) *cachingWorld {
	w := &cachingWorld{drawer: &drawer{}, now: start, caller: Caller{KeyID: "k", Team: "red"}}
	w.Holder = newGateway(t, func(o *Options) {
		o.Dialects = []dialect.Dialect{openai.New(), anthropic.New(), responses.New(), gemini.New(), bedrock.New()}
		o.Models = []Model{{Name: "one", Targets: []string{"a/m"}}, {Name: "two", Targets: []string{"a/m", "b/n"}}}
		o.Caching = Caching{Cache: w.drawer, TTL: time.Hour, Scope: "key"}
		o.Auth = keyFunc(func(Secret) (Caller, error) { return w.caller, nil })
		o.Policy = &w.policy
		o.Now = func() time.Time { return w.now }
		o.Sinks = []Sink{sinkFunc(func(r *Record) { w.record = r })}
		if change != nil {
			change(o)
		}
	})
	return w
}

// An asking is a request for the cache, and what the provider says if it is asked.
type asking struct {
	path, body string
	headers    []string
	attempt    int // that is answered; 0: the first
	status     int // 0: 200
	media      string
	says       string
}

const (
	sseMedia  = serverSent
	jsonMedia = "application/json"
)

// ask sends a request. The answer's header says what the cache made of it.
func (w *cachingWorld) ask(t testing.TB, q asking) (cache, body string, a *llm.Answer) {
	t.Helper()
	x, a, f := decide(t, w.Holder, q.path, q.body, q.headers...)
	defer x.Close(false)
	if a != nil {
		return value(a.Header, "x-attache-cache"), string(a.Body), a
	}
	n := max(q.attempt, 1)
	if f.First == nil {
		for i := range n {
			if _, _, err := x.Attempt(i+1, f.Clusters[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	response, err := x.Respond(n, max(q.status, 200), []llm.Header{{Name: "content-type", Value: q.media}}, false)
	if err != nil {
		t.Fatal(err)
	}
	head := response.Head
	if response.Mode == ModePass {
		x.Done()
		return value(head.Set, "x-attache-cache"), q.says, nil
	}
	out := x.Chunk([]byte(q.says), true)
	if out.Head != nil {
		head = out.Head
	}
	return value(head.Set, "x-attache-cache"), string(out.Body), nil
}

const completion = `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Grüß dich 😀"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`

// simple is a request for a whole answer that can be kept.
func simple(more string, headers ...string) asking {
	return asking{path: chatPath, body: `{"model":"one","messages":[{"role":"user","content":"hi"}]` + more + `}`, headers: headers, media: jsonMedia, says: completion}
}

// askers are requests for the same in each client's dialect, streamed and not.
var askers = map[string][2]asking{
	llm.OpenAI: {
		{path: chatPath, body: `{"model":"one","messages":[{"role":"user","content":"hi"}]}`},
		{path: chatPath, body: `{"model":"one","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`}},
	llm.Responses: {
		{path: "/v1/responses", body: `{"model":"one","input":"hi"}`},
		{path: "/v1/responses", body: `{"model":"one","stream":true,"input":"hi"}`}},
	llm.Anthropic: {
		{path: "/v1/messages", body: `{"model":"one","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`},
		{path: "/v1/messages", body: `{"model":"one","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`}},
	llm.Gemini: {
		{path: "/v1beta/models/one:generateContent", body: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
		{path: "/v1beta/models/one:streamGenerateContent?alt=sse", body: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`}},
	llm.Bedrock: {
		{path: "/model/one/converse", body: `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`},
		{path: "/model/one/converse-stream", body: `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`}},
}

// Whatever filled the cache, a client gets the answer in the form that it asks for.
func TestCacheAnswersInEveryForm(t *testing.T) {
	said := [2]struct{ media, body string }{{jsonMedia, completion}, {sseMedia, openaiStream}}
	for name, forms := range askers {
		for first := range forms {
			w := newCachingWorld(t, nil)
			fill := forms[first]
			fill.media, fill.says = said[first].media, said[first].body
			cache, body, _ := w.ask(t, fill)
			if cache != CacheMiss || !strings.Contains(body, "Gr") {
				t.Fatalf("%s: %s %s", name, cache, body)
			}
			if w.record.Cache != CacheMiss || w.record.Usage.Output != 4 || w.record.CostNano == 0 {
				t.Errorf("%s: the record of a miss: %+v", name, w.record)
			}
			cost := w.record.CostNano
			w.now = start.Add(90 * time.Second)
			for second := range forms {
				cache, body, a := w.ask(t, forms[second])
				if cache != CacheHit || value(a.Header, "age") != "90" || value(a.Header, "x-attache-provider") != "" {
					t.Fatalf("%s %d after %d: %s %+v", name, second, first, cache, a)
				}
				d := w.Current().dialects[name]
				frames, err := d.NewDecoder(llm.OpChat, a.Type, 1<<20).Decode([]byte(body), true)
				var events []llm.Event
				for _, f := range frames {
					events = append(events, f.Events...)
				}
				if err != nil || gistOf(events) != "text 0: Grüß dich 😀\nfinish 0: stop\nusage 3 4\nend\n" {
					t.Errorf("%s %d after %d: %v\n%s\n%s", name, second, first, err, gistOf(events), body)
				}
				if strings.HasPrefix(a.Type, jsonMedia) != (second == 0) {
					t.Errorf("%s %d: %s", name, second, a.Type)
				}
				r := w.record
				if r.Cache != CacheHit || r.Usage != (llm.Usage{}) || r.CostNano != 0 || r.SavedNano != cost || r.Status != 200 || r.Target != "" || r.Finish != llm.FinishStop || r.Truncated || r.Cancelled {
					t.Errorf("%s: the record of a hit: %+v", name, r)
				}
			}
		}
	}
}

// What can be told apart is never answered with the same.
func TestCacheKeepsApart(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*cachingWorld, *asking)
		hit    bool
	}{
		{"nothing", func(*cachingWorld, *asking) {}, true},
		{"white space, order, escapes", func(_ *cachingWorld, q *asking) {
			q.body = "{ \"messages\" : [ {\"content\":\"h\\u0069\",\n\"role\":\"user\"} ], \"model\":\"one\"}"
		}, true},
		{"members aside", func(_ *cachingWorld, q *asking) {
			q.body = strings.Replace(q.body, "{", `{"user":"u","metadata":{"a":"b"},"stream":true,"prompt_cache_key":"x",`, 1)
			q.media, q.says = sseMedia, openaiStream
		}, true},
		{"another name of the target", func(_ *cachingWorld, q *asking) { q.body = strings.Replace(q.body, "one", "a/m", 1) }, true},
		{"another model", func(_ *cachingWorld, q *asking) { q.body = strings.Replace(q.body, "one", "a/n", 1) }, false},
		{"another text", func(_ *cachingWorld, q *asking) { q.body = strings.Replace(q.body, "hi", "ho", 1) }, false},
		{"a system prompt", func(_ *cachingWorld, q *asking) {
			q.body = strings.Replace(q.body, "[", `[{"role":"system","content":"x"},`, 1)
		}, false},
		{"temperature", func(_ *cachingWorld, q *asking) { q.body = strings.Replace(q.body, "{", `{"temperature":0.5,`, 1) }, false},
		{"tools", func(_ *cachingWorld, q *asking) {
			q.body = strings.Replace(q.body, "{", `{"tools":[{"type":"function","function":{"name":"f"}}],`, 1)
		}, false},
		{"an extra member", func(_ *cachingWorld, q *asking) { q.body = strings.Replace(q.body, "{", `{"verbosity":"low",`, 1) }, false},
		{"a header of the dialect", func(_ *cachingWorld, q *asking) { q.headers = []string{"openai-beta", "x"} }, false},
		{"another key", func(w *cachingWorld, _ *asking) { w.caller.KeyID = "l" }, false},
		{"another team", func(w *cachingWorld, _ *asking) { w.caller.Team = "blue" }, false},
		{"a change by the policy", func(w *cachingWorld, _ *asking) {
			w.policy.decision.Modify = []Modification{{Path: "temperature", Value: []byte("1")}}
		}, false},
		{"a header by the policy", func(w *cachingWorld, _ *asking) {
			w.policy.decision.Headers = []HeaderChange{{Name: "x-tier", Value: "1"}}
		}, false},
		{"another target by the policy", func(w *cachingWorld, _ *asking) { w.policy.decision.Chain = []string{"a/x"} }, false},
	} {
		w := newCachingWorld(t, nil)
		if cache, _, _ := w.ask(t, simple("")); cache != CacheMiss {
			t.Fatal(cache)
		}
		q := simple("")
		tt.change(w, &q)
		if cache, _, _ := w.ask(t, q); (cache == CacheHit) != tt.hit {
			t.Errorf("%s: %s", tt.name, cache)
		}
	}
}

// Callers share within a scope, and who has no name of its kind shares with nobody.
func TestCacheScopes(t *testing.T) {
	one := Caller{KeyID: "1", Org: "o", Team: "t", User: "u"}
	for _, tt := range []struct {
		other Caller
		hits  string // in which scopes
	}{
		{one, "key user team org"},
		{Caller{KeyID: "2", Org: "o", Team: "t", User: "u"}, "user team org"},
		{Caller{KeyID: "2", Org: "o", Team: "t", User: "v"}, "team org"},
		{Caller{KeyID: "2", Org: "o", Team: "t"}, "team org"},
		{Caller{KeyID: "2", Org: "o", Team: "s", User: "u"}, "org"},
		{Caller{KeyID: "2", Org: "o"}, "org"},
		{Caller{KeyID: "2", Org: "p", Team: "t", User: "u"}, ""},
		{Caller{KeyID: "1", Org: "p"}, ""},
		{Caller{KeyID: "ot", Team: "u"}, ""},
		{Caller{}, ""},
	} {
		var hits []string
		for _, scope := range CacheScopes {
			w := newCachingWorld(t, func(o *Options) { o.Caching.Scope = scope })
			w.caller = one
			w.ask(t, simple(""))
			w.caller = tt.other
			if cache, _, _ := w.ask(t, simple("")); cache == CacheHit {
				hits = append(hits, scope)
			}
		}
		if got := strings.Join(hits, " "); got != tt.hits {
			t.Errorf("%+v shares in %q, want %q", tt.other, got, tt.hits)
		}
	}
	w := newCachingWorld(t, func(o *Options) { o.Caching.Scope = "org" })
	w.caller = Caller{KeyID: "1"}
	w.ask(t, simple(""))
	w.caller = Caller{KeyID: "2"}
	if cache, _, _ := w.ask(t, simple("")); cache != CacheMiss {
		t.Error("two keys without an org share")
	}
	w.caller = Caller{Claims: map[string]any{"aud": "x"}}
	if cache, _, _ := w.ask(t, simple("")); cache != CacheUnused {
		t.Errorf("a token of nobody: %s", cache)
	}
	w.caller.Team = "t"
	if cache, _, _ := w.ask(t, simple("")); cache != CacheMiss {
		t.Errorf("a token of a team: %s", cache)
	}
}

// What is not a whole and good answer to the request alone is not kept.
func TestCacheKeepsOnlyWhatIsGood(t *testing.T) {
	finish := func(reason string) string { return strings.Replace(completion, `"stop"`, `"`+reason+`"`, 1) }
	stream := simple(`,"stream":true`)
	stream.media, stream.says = sseMedia, openaiStream
	for _, tt := range []struct {
		name string
		q    func() asking
	}{
		{"cut off by the limit", func() asking { q := simple(""); q.says = finish("length"); return q }},
		{"filtered", func() asking { q := simple(""); q.says = finish("content_filter"); return q }},
		{"refused", func() asking {
			q := simple("")
			q.says = strings.Replace(completion, `"content":"Grüß dich 😀"`, `"content":null,"refusal":"no"`, 1)
			return q
		}},
		{"a call of a tool", func() asking {
			q := simple(`,"tools":[{"type":"function","function":{"name":"f"}}]`)
			q.says = strings.Replace(finish("tool_calls"), `"content":"Grüß dich 😀"`, `"content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]`, 1)
			return q
		}},
		{"broken", func() asking { q := simple(""); q.says = completion[:100]; return q }},
		{"an error status", func() asking {
			q := simple("")
			q.status, q.says = 400, `{"error":{"message":"no","type":"invalid_request_error"}}`
			return q
		}},
		{"a cut stream", func() asking { q := stream; q.says = openaiStream[:600]; return q }},
		{"an error in a stream", func() asking {
			q := stream
			q.says = openaiStream[:strings.Index(openaiStream, "data: [DONE]")] + "data: {\"error\":{\"message\":\"x\",\"type\":\"server_error\"}}\n\n"
			return q
		}},
		{"another target's", func() asking {
			q := asking{path: chatPath, body: `{"model":"two","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`, attempt: 2, media: jsonMedia}
			q.says = `{"id":"1","type":"message","role":"assistant","model":"n","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}`
			return q
		}},
		{"too long", func() asking {
			q := simple("")
			q.says = strings.Replace(completion, "Grüß", strings.Repeat("x", maxKeep), 1)
			return q
		}},
	} {
		w := newCachingWorld(t, func(o *Options) { o.MaxResponse = 4 << 20 })
		if cache, _, _ := w.ask(t, tt.q()); cache != CacheMiss {
			t.Errorf("%s: %s", tt.name, cache)
		}
		if len(w.drawer.entries) > 0 {
			t.Errorf("%s: it was kept", tt.name)
		}
	}
}

// Requests whose answer depends on more than they say have no part in the cache.
func TestCacheLeavesOut(t *testing.T) {
	responsesBody := func(more string) asking {
		return asking{path: "/v1/responses", body: `{"model":"one","input":"hi"` + more + `}`, media: jsonMedia, says: completion}
	}
	for name, q := range map[string]asking{
		"a tool that the provider runs": responsesBody(`,"tools":[{"type":"web_search"}]`),
		"a conversation":                responsesBody(`,"conversation":"c"`),
		"no-store":                      simple("", "x-attache-cache", "no-store"),
		"no-store in a list":            simple("", "x-attache-cache", "max-age=5, No-Store"),
		"helicone":                      simple("", "helicone-cache-enabled", "false"),
	} {
		w := newCachingWorld(t, nil)
		if cache, _, _ := w.ask(t, q); cache != CacheUnused || len(w.drawer.entries) > 0 {
			t.Errorf("%s: %s, %d entries", name, cache, len(w.drawer.entries))
		}
	}
}

// The client says how old an answer may be.
func TestCacheWishes(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		after       time.Duration
		want        string
	}{
		{"x-attache-cache", "max-age=60", time.Minute, CacheHit},
		{"x-attache-cache", "max-age=60", time.Minute + time.Second, CacheMiss},
		{"x-attache-cache", "MAX-AGE=90, max-age=30", time.Minute, CacheMiss},
		{"x-attache-cache", "max-age=0", 0, CacheMiss},
		{"x-attache-cache", "no-cache", time.Second, CacheMiss},
		{"helicone-cache-enabled", "true", time.Second, CacheHit},
		{"x-other", "", time.Hour - time.Second, CacheHit},
		{"x-other", "", time.Hour, CacheMiss},
	} {
		w := newCachingWorld(t, nil)
		w.ask(t, simple(""))
		w.now = start.Add(tt.after)
		if cache, _, _ := w.ask(t, simple("", tt.name, tt.value)); cache != tt.want {
			t.Errorf("%s %s after %s: %s", tt.name, tt.value, tt.after, cache)
		}
		if tt.want == CacheHit {
			continue
		}
		if _, _, a := w.ask(t, simple("")); a == nil || value(a.Header, "age") != "0" {
			t.Errorf("%s %s: the new answer did not replace the old one: %+v", tt.name, tt.value, a)
		}
	}
	for _, bad := range []string{"yes", "max-age=", "max-age=-1", "max-age=x", "no-store,", "only-if-cached"} {
		_, _, a := newCachingWorld(t, nil).ask(t, simple("", "x-attache-cache", bad))
		if a == nil || a.Status != 400 || !strings.Contains(string(a.Body), "x-attache-cache") {
			t.Errorf("%q: %+v", bad, a)
		}
	}
	w := newCachingWorld(t, func(o *Options) { o.Caching = Caching{} })
	if cache, _, a := w.ask(t, simple("", "x-attache-cache", "yes")); cache != "" || a != nil {
		t.Errorf("without a cache: %q, %+v", cache, a)
	}
}

// The policy restricts what is configured, and may ask where it is to be asked.
func TestCachePolicy(t *testing.T) {
	exact := func(ttl int64, scope string) *CacheUse { return &CacheUse{Mode: CacheExact, TTLS: ttl, Scope: scope} }
	for _, tt := range []struct {
		name  string
		asked bool
		use   *CacheUse
		want  cacheUse
	}{
		{"nothing said", false, nil, cacheUse{time.Hour, "team", false}},
		{"nothing said, asked", true, nil, cacheUse{time.Hour, "team", true}},
		{"off", false, &CacheUse{Mode: CacheOff}, cacheUse{time.Hour, "team", true}},
		{"asked for", true, exact(0, ""), cacheUse{time.Hour, "team", false}},
		{"semantic is exact", true, &CacheUse{Mode: CacheSemantic}, cacheUse{time.Hour, "team", false}},
		{"only how", false, &CacheUse{TTLS: 60, Scope: "key"}, cacheUse{time.Minute, "key", false}},
		{"only how, asked", true, &CacheUse{TTLS: 60, Scope: "key"}, cacheUse{time.Minute, "key", true}},
		{"less", false, exact(60, "key"), cacheUse{time.Minute, "key", false}},
		{"not more", false, exact(7200, "org"), cacheUse{time.Hour, "team", false}},
		{"not for ever", false, exact(1<<53, "team"), cacheUse{time.Hour, "team", false}},
	} {
		c := Caching{Asked: tt.asked, TTL: time.Hour, Scope: "team"}
		if got := c.use(tt.use); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	w := newCachingWorld(t, nil)
	w.ask(t, simple(""))
	w.now = start.Add(time.Minute)
	w.policy.decision.Cache = exact(60, "")
	if cache, _, _ := w.ask(t, simple("")); cache != CacheMiss {
		t.Errorf("an entry of a time when more was allowed: %s", cache)
	}
	w.policy.decision.Cache = &CacheUse{Mode: CacheOff}
	if cache, _, _ := w.ask(t, simple("")); cache != CacheUnused {
		t.Errorf("off by a rule: %s", cache)
	}
}

// Rules about the response keep it out, or for a shorter time.
func TestCacheReview(t *testing.T) {
	for _, tt := range []struct {
		name   string
		review Review
		err    error
		kept   time.Duration
	}{
		{"nothing said", Review{}, nil, time.Hour},
		{"off", Review{Cache: &CacheUse{Mode: CacheOff}}, nil, 0},
		{"shorter", Review{Cache: &CacheUse{Mode: CacheExact, TTLS: 60}}, nil, time.Minute},
		{"shorter, without a mode", Review{Cache: &CacheUse{TTLS: 60}}, nil, time.Minute},
		{"narrower", Review{Cache: &CacheUse{Mode: CacheExact, Scope: "key"}}, nil, 0},
		{"wider", Review{Cache: &CacheUse{Mode: CacheExact, Scope: "org"}}, nil, time.Hour},
		{"broken", Review{}, errors.New("x"), 0},
	} {
		w := newCachingWorld(t, func(o *Options) { o.Caching.Scope = "team" })
		w.policy.review, w.policy.err = &tt.review, tt.err
		w.ask(t, simple(""))
		var kept time.Duration
		for _, e := range w.drawer.entries {
			kept = e.Expires.Sub(e.Stored)
		}
		if kept != tt.kept {
			t.Errorf("%s: kept for %s, want %s", tt.name, kept, tt.kept)
		}
	}
}

// A cache that is broken costs its hits, and no answer.
func TestCacheBroken(t *testing.T) {
	w := newCachingWorld(t, nil)
	w.drawer.err = errors.New("gone")
	for range 2 {
		if cache, body, _ := w.ask(t, simple("")); cache != CacheMiss || body != completion {
			t.Fatalf("%s %s", cache, body)
		}
		if w.record.Detail != "cache: gone" || w.record.Status != 200 {
			t.Errorf("%+v", w.record)
		}
	}
}

// Embeddings are kept as well.
func TestCacheEmbeddings(t *testing.T) {
	w := newCachingWorld(t, nil)
	q := asking{path: "/v1/embeddings", body: `{"model":"one","input":["x"]}`, media: jsonMedia,
		says: `{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.25,-1]}],"usage":{"prompt_tokens":1,"total_tokens":1}}`}
	w.ask(t, q)
	if cache, body, _ := w.ask(t, q); cache != CacheHit || !sameJSON(t, body, q.says) {
		t.Errorf("%s %s", cache, body)
	}
	q.body = `{"model":"one","input":["x"],"encoding_format":"base64"}`
	if cache, _, _ := w.ask(t, q); cache != CacheMiss {
		t.Errorf("in another form: %s", cache)
	}
}

// What the target did not get is said with a hit as well.
func TestCacheRepeatsWarnings(t *testing.T) {
	w := newCachingWorld(t, nil)
	q := asking{path: chatPath, body: `{"model":"b/m","max_tokens":5,"seed":1,"messages":[{"role":"user","content":"hi"}]}`, media: jsonMedia,
		says: `{"id":"1","type":"message","role":"assistant","model":"n","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}`}
	w.ask(t, q)
	want := fmt.Sprint(w.record.Warnings)
	if cache, _, _ := w.ask(t, q); cache != CacheHit || len(w.record.Warnings) == 0 || fmt.Sprint(w.record.Warnings) != want {
		t.Errorf("%s %q, want %s", cache, w.record.Warnings, want)
	}
}

// A hit passes the guards that look at this request's response, whoever looked
// when it was kept. What a guard changes is not kept.
func TestCacheHitsAreGuarded(t *testing.T) {
	verdict := Verdict{Action: ActionAllow}
	w := newCachingWorld(t, func(o *Options) {
		o.OutputGuards = []OutputGuard{{Guard: guardFunc(func(*Text) (Verdict, error) { return verdict, nil })}}
	})
	redact := Verdict{Action: ActionRedact, Findings: []Finding{{Start: 0, End: 4, Label: "word"}}}
	verdict = redact
	w.ask(t, simple(`,"seed":1`))
	if len(w.drawer.entries) > 0 {
		t.Error("a redacted response is kept")
	}
	verdict = Verdict{Action: ActionAllow}
	w.ask(t, simple(""))
	if cache, body, _ := w.ask(t, simple("")); cache != CacheHit || !strings.Contains(body, "Grüß dich") || w.record.Verdicts["g"] != ActionAllow {
		t.Errorf("allowed: %s %s %v", cache, body, w.record.Verdicts)
	}
	verdict = redact
	if cache, body, _ := w.ask(t, simple("")); cache != CacheHit || !strings.Contains(body, "[WORD]") || strings.Contains(body, "Gr") {
		t.Errorf("redacted: %s %s", cache, body)
	}
	verdict = Verdict{Action: ActionBlock}
	if _, body, a := w.ask(t, simple("")); a == nil || a.Status != 403 || strings.Contains(body, "dich") || w.record.Code != llm.CodeGuardBlocked {
		t.Errorf("blocked: %s %+v", body, w.record)
	}
	verdict = Verdict{Action: ActionAllow}
	if cache, body, _ := w.ask(t, simple("")); cache != CacheHit || !strings.Contains(body, "Grüß dich") {
		t.Errorf("the entry was changed: %s %s", cache, body)
	}
}

// Limits count a hit as a request that has used nothing, and what they leave makes
// no other request of it.
func TestCacheHitsAndLimits(t *testing.T) {
	limits := &countingLimits{}
	w := newCachingWorld(t, func(o *Options) {
		o.Limits = limits
		o.Bounds = []Limit{{Name: "key", Per: "key", WindowS: 60, Requests: -1, Tokens: 1_000_000, CostNano: -1, Concurrent: -1}}
	})
	limits.room = 1_000_000
	w.ask(t, simple(""))
	if limits.used.Requests != 1 || limits.used.Tokens != 7 {
		t.Errorf("a miss uses %+v", limits.used)
	}
	limits.room = 500 // less than the model may write
	if cache, _, _ := w.ask(t, simple("")); cache != CacheHit || limits.used != (Amount{Requests: 1}) || len(w.record.Warnings) > 0 {
		t.Errorf("%s uses %+v, warnings %q", cache, limits.used, w.record.Warnings)
	}
	if w.ask(t, simple(`,"seed":1`)); len(w.record.Warnings) == 0 {
		t.Error("the limit leaves as much as the model may write, so this test shows nothing")
	}
}

// countingLimits leave some room beside each reservation, and note what was used.
type countingLimits struct {
	room int64 // tokens
	used Amount
}

func (l *countingLimits) Left(context.Context, time.Time, []Claim, []Left) error { return nil }
func (l *countingLimits) Reserve(context.Context, time.Time, []Claim) (Reservation, *Shortage, error) {
	return l, nil, nil
}
func (l *countingLimits) Room() Amount {
	return Amount{Requests: -1, Tokens: l.room, CostNano: -1, Concurrent: -1}
}
func (l *countingLimits) Extend(context.Context, time.Time, Amount) (*Shortage, error) {
	return nil, nil
}
func (l *countingLimits) Settle(_ time.Time, _ ClaimSet, used Amount) { l.used = used }
