package render_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/envoytest"
	"github.com/attache-gateway/attache/extproc/render"
)

// These tests hold the behaviour of Envoy that the gateway relies on. They are the ones to run for a new release.

// world is Envoy between a test client, the test gateway and two providers, a and b.
type world struct {
	gateway gateway
	envoy   *envoytest.Envoy

	mu       sync.Mutex
	handlers map[string]http.HandlerFunc
	requests []*http.Request // that reached a provider, with their bodies
	bodies   []string
}

func begin(t *testing.T, version string, change ...func(*render.Input)) *world {
	envoytest.Need(t, version)
	w := &world{handlers: map[string]http.HandlerFunc{}}
	w.gateway.version = version
	in := input(version)
	in.Port, in.Admin, in.ExtProc, in.Clusters = 0, "127.0.0.1:0", w.gateway.serve(t), nil
	for _, name := range []string{"a", "b"} {
		server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) { w.serve(name, out, r) }))
		t.Cleanup(server.Close)
		in.Clusters = append(in.Clusters, cluster(t, name, server.URL))
	}
	for _, f := range change {
		f(&in)
	}
	config, err := render.Envoy(in)
	if err != nil {
		t.Fatal(err)
	}
	w.envoy = envoytest.Start(t, config, envoytest.Options{Version: version})
	return w
}

func cluster(t *testing.T, name, at string) render.Cluster {
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return render.Cluster{Name: name, Host: u.Hostname(), Port: port, Usage: true}
}

func (w *world) serve(name string, out http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.requests, w.bodies = append(w.requests, r), append(w.bodies, string(body))
	handler := w.handlers[name]
	w.mu.Unlock()
	if handler == nil {
		handler = sends(200, "application/json", completion)
	}
	handler(out, r)
}

// provider sets what the provider called name does next.
func (w *world) provider(name string, handler http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers[name] = handler
}

// reached lists what the providers got.
func (w *world) reached() ([]*http.Request, []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests), slices.Clone(w.bodies)
}

// answer is a response as the client got it.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// open sends a chat request and returns with the response's headers.
func (w *world) open(t *testing.T, body string, headers ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.envoy.URL+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func (w *world) post(t *testing.T, body string, headers ...string) answer {
	t.Helper()
	response := w.open(t, body, headers...)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(text), err}
}

const completion = `{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},` +
	`"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}`

func sends(status int, contentType, body string) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("content-type", contentType)
		out.WriteHeader(status)
		io.WriteString(out, body)
	}
}

// streams sends events one by one, each in a write of its own, then runs the end.
func streams(events []string, end func(r *http.Request)) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("content-type", "text/event-stream")
		out.WriteHeader(200)
		control := http.NewResponseController(out)
		control.Flush()
		for _, e := range events {
			io.WriteString(out, e)
			control.Flush()
		}
		end(r)
	}
}

// silence never answers.
func silence(_ http.ResponseWriter, r *http.Request) { stall(r) }

func finish(*http.Request)  {}
func stall(r *http.Request) { <-r.Context().Done() }

func eachVersion(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range []string{render.Envoy140, render.Envoy139} {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
}

func TestFallbackChain(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version)
		w.provider("a", sends(529, "application/json", "{}"))
		written := strings.Repeat("z", 3<<20) // longer than every buffer on the way
		w.gateway.expect(plan{chain: []string{"a", "a.retry", "a.retry", "b.retry"}, body: written})

		got := w.post(t, `{"first":1}`)
		note := w.gateway.noted()
		if got.status != 200 || got.body != completion {
			t.Fatalf("client got %d %q", got.status, got.body)
		}
		want := []string{"a.retry 2 " + exchangeID, "a.retry 3 " + exchangeID, "b.retry 4 " + exchangeID}
		if !slices.Equal(note.attempts, want) {
			t.Errorf("attempts %q, want %q", note.attempts, want)
		}
		if note.winner != "4 via_upstream" {
			t.Errorf("winner %q", note.winner)
		}
		requests, bodies := w.reached()
		if len(requests) != 4 || bodies[0] != `{"first":1}` || requests[0].URL.Path != "/v1/chat/completions" {
			t.Fatalf("%d requests, the first %s with %.20q", len(requests), requests[0].URL.Path, bodies[0])
		}
		for i := 1; i < 4; i++ {
			if bodies[i] != written || requests[i].URL.Path != "/rewritten" {
				t.Errorf("attempt %d: %s, body of %d bytes, want what the gateway wrote", i+1, requests[i].URL.Path, len(bodies[i]))
			}
			if requests[i].ContentLength != int64(len(written)) {
				t.Errorf("attempt %d: content-length %d, want %d", i+1, requests[i].ContentLength, len(written))
			}
		}
	})
}

func TestWhatFallsBack(t *testing.T) {
	failures := map[string]http.HandlerFunc{
		"500": sends(500, "application/json", "{}"), "401": sends(401, "application/json", "{}"), "403": sends(403, "application/json", "{}"),
		"408": sends(408, "application/json", "{}"), "429": sends(429, "application/json", "{}"), "529": sends(529, "application/json", "{}"),
		"HTML with 200": sends(200, "text/html; charset=utf-8", "<html>"),
		"silence":       silence,
	}
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version)
		for _, name := range slices.Sorted(maps.Keys(failures)) {
			w.provider("a", failures[name])
			w.gateway.expect(plan{chain: []string{"a", "b.retry"}, body: "{}", perTry: "150"})
			if got := w.post(t, "{}"); got.status != 200 || got.body != completion {
				t.Errorf("%s: client got %d %q, want b's answer", name, got.status, got.body)
			}
		}
		w.provider("a", sends(400, "application/json", `{"bad":1}`))
		w.gateway.expect(plan{chain: []string{"a", "b.retry"}, body: "{}"})
		if got := w.post(t, "{}"); got.status != 400 || got.body != `{"bad":1}` {
			t.Errorf("client got %d %q, want a's 400", got.status, got.body)
		}
	})
}

func TestFirstTokenGuard(t *testing.T) {
	events := []string{"data: one\n\n", "data: two\n\n", "data: [DONE]\n\n"}
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version)
		guarded := plan{chain: []string{"a.retry", "b.retry"}, body: "{}", guard: true, perTry: "200"}
		for _, c := range []struct {
			name    string
			handler http.HandlerFunc
			want    string
		}{
			{"a good stream", streams(events, finish), strings.Join(events, "")},
			{"200 and silence", streams(nil, stall), completion},
			{"an error as first event", streams([]string{"data: {\"error\":1}\n\n"}, stall), completion},
		} {
			w.provider("a", c.handler)
			w.gateway.expect(guarded)
			if got := w.post(t, "{}"); got.status != 200 || got.body != c.want || got.err != nil {
				t.Errorf("%s: client got %d %q, %v, want %q", c.name, got.status, got.body, got.err, c.want)
			}
			guarded.observe = true // from now on the downstream filter sees the body as well
		}
	})
}

func TestObservedBodyIsExact(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version)
		for _, size := range []int{1, 100, 70_000, 1 << 20} {
			sent := fmt.Sprintf(`{"text":"%s"}`, bytes.Repeat([]byte("abcdefghij"), size/10+1))
			for _, handler := range []http.HandlerFunc{
				sends(200, "application/json", sent), streams([]string{sent[:1], sent[1 : len(sent)/2], sent[len(sent)/2:]}, finish)} {
				w.provider("a", handler)
				w.gateway.expect(plan{chain: []string{"a"}, observe: true})
				got := w.post(t, "{}")
				note := w.gateway.noted()
				if got.body != sent || got.err != nil || note.body.String() != sent || !note.ended {
					t.Errorf("%d bytes: client got %d, %v; the gateway %d, ended %t",
						len(sent), len(got.body), got.err, note.body.Len(), note.ended)
				}
			}
		}
	})
}

func TestTruncatedBodyHasNoEnd(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version)
		for _, observe := range []bool{true, false} {
			arrived := make(chan struct{})
			w.provider("a", streams([]string{"data: one\n\n"}, func(*http.Request) {
				<-arrived
				panic(http.ErrAbortHandler)
			}))
			w.gateway.expect(plan{chain: []string{"a"}, observe: observe})
			response := w.open(t, "{}")
			if _, err := response.Body.Read(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			close(arrived)
			if _, err := io.ReadAll(response.Body); err == nil {
				t.Errorf("observe %t: the client takes a broken stream for a whole one", observe)
			}
			response.Body.Close()
			if w.gateway.noted().ended {
				t.Errorf("observe %t: the gateway takes a broken stream for a whole one", observe)
			}
		}
	})
}

func TestGatewayEndsAStream(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version)
		gone := make(chan struct{})
		w.provider("a", streams([]string{"data: one\n\n", "data: stop\n\n"}, func(r *http.Request) {
			stall(r)
			close(gone)
		}))
		w.gateway.expect(plan{chain: []string{"a"}, observe: true, cut: "stop"})
		if got := w.post(t, "{}"); got.err != nil || got.body != "data: one\n\n" {
			t.Errorf("client got %q, %v, want a clean end after the first event", got.body, got.err)
		}
		<-gone
	})
}

func TestUsageWithoutTheBody(t *testing.T) {
	w := begin(t, render.Envoy140)
	event := "data: " + `{"object":"chat.completion.chunk","model":"m","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}` + "\n\n"
	for _, guard := range []bool{false, true} {
		for _, handler := range []http.HandlerFunc{sends(200, "application/json", completion), streams([]string{event, "data: [DONE]\n\n"}, finish)} {
			w.provider("a", handler)
			p := plan{chain: []string{"a"}, guard: guard, body: "{}"}
			if guard {
				p.chain = []string{"a.retry"}
			}
			w.gateway.expect(p)
			w.post(t, "{}")
			note := w.gateway.noted()
			if u := note.usage; u.GetInputTokens().GetValue() != 11 || u.GetOutputTokens().GetValue() != 7 || !note.ended {
				t.Errorf("guard %t: usage %v, ended %t, want 11 and 7 with the trailers", guard, u, note.ended)
			}
			if note.body.Len() != 0 {
				t.Errorf("guard %t: %d body bytes reached the gateway", guard, note.body.Len())
			}
		}
	}
}

func TestEnvoysOwnErrorsAreJSON(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version, func(in *render.Input) { in.MaxRequest = 2 << 20 })
		large := strings.Repeat("x", 65<<20) // the limit for responses holds for requests as well
		for _, c := range []struct {
			name   string
			plan   plan
			body   string
			status int
			code   string
		}{
			{"body too large", plan{chain: []string{"a"}}, large, 413, "request_too_large"},
			{"no chain", plan{}, "{}", 503, "internal"},
			{"not a cluster", plan{chain: []string{"c"}}, "{}", 503, "internal"},
			{"per-try timeout", plan{chain: []string{"a"}, perTry: "50"}, "{}", 504, "upstream_timeout"},
		} {
			w.provider("a", silence)
			w.gateway.expect(c.plan)
			got := w.post(t, c.body)
			if got.status != c.status || code(t, got) != c.code {
				t.Errorf("%s: %d %s, want %d with code %s", c.name, got.status, got.body, c.status, c.code)
			}
			c.plan.replace = `{"from":"gateway"}`
			w.gateway.expect(c.plan)
			if got := w.post(t, c.body); got.status != 502 || got.body != c.plan.replace {
				t.Errorf("%s: %d %s, want the gateway's text in its place", c.name, got.status, got.body)
			}
			if winner := w.gateway.noted().winner; strings.HasSuffix(winner, " via_upstream") {
				t.Errorf("%s: %q names a winner", c.name, winner)
			}
		}
		requests, _ := w.reached()
		if len(requests) != 2 {
			t.Errorf("%d requests reached a provider, want the two that timed out", len(requests))
		}
	})
}

func code(t *testing.T, a answer) string {
	t.Helper()
	var body struct {
		Type  string
		Error struct{ Type, Code, Message string }
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Errorf("%q: %v", a.body, err)
	}
	if body.Type != "error" || body.Error.Type == "" || body.Error.Message == "" || a.header.Get("content-type") != "application/json" {
		t.Errorf("%s %q: not what SDKs parse", a.header.Get("content-type"), a.body)
	}
	return body.Error.Code
}

func TestGatewayAnswersBeforeTheBody(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version)
		for _, body := range []string{"", "{}", strings.Repeat("x", 8<<20)} {
			w.gateway.expect(plan{answer: 401})
			if got := w.post(t, body); got.status != 401 || got.body != `{"from":"gateway"}` || got.header.Get("content-type") != "application/json" {
				t.Errorf("%d bytes: %d %q, want the gateway's answer untouched", len(body), got.status, got.body)
			}
		}
	})
}

func TestGatewayDown(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version, func(in *render.Input) { in.ExtProc = "unix:" + t.TempDir() + "/none" })
		if got := w.post(t, "{}"); got.status != 503 || code(t, got) != "internal" {
			t.Errorf("%d %q, want a refusal", got.status, got.body)
		}
		if requests, _ := w.reached(); len(requests) != 0 {
			t.Error("a request went on without the gateway")
		}
	})
}

func TestHeadersOfTheClientAndOfTheProvider(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version)
		w.provider("a", func(out http.ResponseWriter, r *http.Request) {
			out.Header().Set("alt-svc", `h3=":443"`)
			out.Header().Set("set-cookie", "a=b")
			out.Header().Set("openai-organization", "org-1")
			out.Header().Set("x-ratelimit-remaining", "9")
			sends(200, "application/json", completion)(out, r)
		})
		w.gateway.expect(plan{chain: []string{"a"}, perTry: "5000"})
		got := w.post(t, "{}", "x-attache-try-1", "b", "x-attache-try-only", "b", "x-attache-length", "9", "x-envoy-attempt-count", "3", "x-envoy-max-retries", "9",
			"X-Envoy-Retry-On", "5xx", "x-attache-user", "u", "x-attache-timeout", "5s", "x-attache-session", "s", "x-attache-property-team", "t", "x-attache-cache", "no-store",
			"x-attache-first-token", "1s", "cookie", "c=d", "x-forwarded-for", "10.1.2.3", "origin", "o",
			"accept-encoding", "gzip, br", "user-agent", "sdk/1", "helicone-user-id", "h", "x-request-id", "mine")
		note := w.gateway.noted()

		for name, want := range map[string]string{"x-attache-try-1": "", "x-attache-try-only": "", "x-attache-length": "", "x-envoy-attempt-count": "", "x-envoy-max-retries": "",
			"x-envoy-retry-on": "", "cookie": "", "x-attache-user": "u", "x-attache-timeout": "5s", "helicone-user-id": "h", "user-agent": "sdk/1"} {
			if note.request[name] != want {
				t.Errorf("the gateway sees %s %q, want %q", name, note.request[name], want)
			}
		}
		if note.request["x-request-id"] == "mine" {
			t.Error("the client chose its x-request-id")
		}
		allowed := []string{"Accept-Encoding", "Content-Length", "Content-Type", "User-Agent", "X-Request-Id"}
		if version == render.Envoy139 {
			allowed = append(allowed, "X-Attache-Try-1", "X-Envoy-Attempt-Count")
		}
		requests, _ := w.reached()
		for name := range requests[0].Header {
			if !slices.Contains(allowed, name) {
				t.Errorf("the provider gets %s", name)
			}
		}
		if e := requests[0].Header.Get("accept-encoding"); e != "identity" {
			t.Errorf("the provider gets accept-encoding %q", e)
		}
		for name, want := range map[string]string{"alt-svc": "", "set-cookie": "", "openai-organization": "", "x-ratelimit-remaining": "9",
			"x-envoy-upstream-service-time": "", "server": ""} {
			if got.header.Get(name) != want {
				t.Errorf("the client gets %s %q, want %q", name, got.header.Get(name), want)
			}
		}
	})
}

func TestTLS(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		var protocol atomic.Value // and the name asked for, of the last request
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			protocol.Store(r.Proto + " " + r.TLS.ServerName)
			sends(200, "application/json", completion)(out, r)
		}))
		server.EnableHTTP2 = true
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake
		server.StartTLS()
		t.Cleanup(server.Close)
		secure := func(name, sni string) render.Cluster {
			c := cluster(t, name, server.URL)
			c.TLS, c.SNI = true, sni
			return c
		}
		w := begin(t, version, func(in *render.Input) {
			in.CABundle = writePEM(t, server.Certificate())
			in.Clusters = []render.Cluster{secure("name", "example.com"), secure("address", ""), secure("other", "example.org")}
		})
		for _, c := range []struct {
			cluster string
			status  int
			seen    string // by the provider
		}{
			{"name", 200, "HTTP/2.0 example.com"},
			{"address", 200, "HTTP/2.0 "},
			{"other", 503, ""}, // the certificate is for other names
		} {
			protocol.Store("")
			w.gateway.expect(plan{chain: []string{c.cluster}})
			if got := w.post(t, "{}"); got.status != c.status || protocol.Load() != c.seen {
				t.Errorf("%s: %d over %q, want %d over %q", c.cluster, got.status, protocol.Load(), c.status, c.seen)
			}
		}
	})
}

func TestPathsAreKept(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		w := begin(t, version)
		for path, want := range map[string]string{
			"/model/arn%3Aaws%3Abedrock%2Fx%2Fy/converse":             "/model/arn%3Aaws%3Abedrock%2Fx%2Fy/converse",
			"/v1beta/models/gemini-2.5-flash:generateContent?alt=sse": "/v1beta/models/gemini-2.5-flash:generateContent?alt=sse",
			"/v1//models":         "/v1/models",
			"/v1/files/../models": "/v1/models",
		} {
			w.gateway.expect(plan{answer: 404})
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.envoy.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Close = true
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if got := w.gateway.noted().request[":path"]; got != want {
				t.Errorf("%s reaches the gateway as %s, want %s", path, got, want)
			}
		}
	})
}

// sds is a response with a provider's key, as Envoy reads it from a file.
func sds(provider, key string) string {
	return fmt.Sprintf(`{"resources":[{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",`+
		`"name":%q,"generic_secret":{"secret":{"inline_string":%q}}}]}`, provider, key)
}

// TestInjectedKeys lets Envoy add keys behind the gateway's filter, in first attempts and later ones, and change them
// while it runs. The test's gateway removes nothing, so that an overwritten header shows.
func TestInjectedKeys(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		dir := t.TempDir()
		place := func(name, text string) {
			t.Helper()
			next := filepath.Join(dir, name+".new")
			if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(next, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		place("a.json", sds("a", "key-of-a"))
		place("b.json", `{"resources":[]}`)
		w := begin(t, version, func(in *render.Input) {
			in.Clusters[0].Key = render.Key{File: filepath.Join(dir, "a.json"), Header: "authorization", Prefix: "Bearer "}
			in.Clusters[1].Key = render.Key{File: filepath.Join(dir, "b.json"), Header: "x-api-key"}
		})
		w.provider("a", sends(503, "application/json", "{}"))
		keys := func() (got []string) {
			t.Helper()
			before, _ := w.reached()
			w.gateway.expect(plan{chain: []string{"a", "a.retry", "b.retry"}, body: "{}"})
			if answer := w.post(t, "{}", "authorization", "Bearer clients"); answer.status != 200 {
				t.Fatalf("client got %d %q", answer.status, answer.body)
			}
			w.gateway.noted()
			after, _ := w.reached()
			for _, r := range after[len(before):] {
				got = append(got, r.Header.Get("authorization")+","+r.Header.Get("x-api-key"))
			}
			return got
		}
		// A key that is not there keeps the request from nobody: the provider says what it thinks of it.
		if got, want := keys(), []string{"Bearer key-of-a,", "Bearer key-of-a,", "Bearer key-of-a,"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		place("b.json", sds("b", "key-of-b"))
		place("a.json", sds("a", "second-key"))
		want := []string{"Bearer second-key,", "Bearer second-key,", "Bearer second-key,key-of-b"}
		got := keys()
		for end := time.Now().Add(20 * time.Second); !slices.Equal(got, want) && time.Now().Before(end); {
			got = keys()
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
