package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"

	"github.com/attache-gateway/attache/extproc/gateway"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("internal/poll.runtime_pollWait")) // idle connections
}

// A bundleServer serves what a test puts there.
type bundleServer struct {
	mu       sync.Mutex
	body     string
	status   int // 0: serve
	kind     string
	noETag   bool
	requests []http.Header
	release  chan struct{} // nil: looks are not held
}

func (s *bundleServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Header.Clone())
	body, status, kind, release := s.body, s.status, s.kind, s.release
	s.mu.Unlock()
	etag := `"` + digest.FromString(body).Encoded() + `"`
	if kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	if r.Header.Get("If-None-Match") == etag && status == 0 {
		if release != nil {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if !s.noETag {
		w.Header().Set("ETag", etag)
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	io.WriteString(w, body)
}

func (s *bundleServer) set(change func(*bundleServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func serve(t *testing.T, h http.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func source(t *testing.T, o Options) *Source {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGet: what is new comes once; what is the same does not come again, whether
// the server says so or not; failures leave that as it is.
func TestGet(t *testing.T) {
	for _, noETag := range []bool{false, true} {
		b := &bundleServer{body: "one", noETag: noETag}
		s := source(t, Options{URL: serve(t, b) + "/b.tar.gz?key=canary", Token: gateway.NewSecret("token")})
		for _, step := range []struct {
			body   string
			status int
			want   string
		}{
			{"one", 0, "one"}, {"one", 0, ""}, {"two", 0, "two"}, {"two", 503, "error"}, {"two", 0, ""}, {"two", 404, "error"}, {"three", 0, "three"},
		} {
			b.set(func(b *bundleServer) { b.body, b.status = step.body, step.status })
			got, err := s.Get(t.Context())
			if err != nil {
				got = []byte("error")
				if !strings.Contains(err.Error(), fmt.Sprint(step.status)) || strings.Contains(err.Error(), "canary") {
					t.Errorf("%v", err)
				}
			}
			if string(got) != step.want {
				t.Errorf("%+v: %q", step, got)
			}
		}
		for _, h := range b.requests {
			if h.Get("Authorization") != "Bearer token" || h.Get("Prefer") != "modes=snapshot" {
				t.Errorf("%v", h)
			}
		}
	}
}

func TestGetRefuses(t *testing.T) {
	elsewhere := serve(t, http.RedirectHandler("http://127.0.0.1:1/x", http.StatusFound))
	large := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.CopyN(w, zeros{}, maxArchive+1)
	}))
	secure := httptest.NewTLSServer(http.RedirectHandler("http://127.0.0.1:1/x", http.StatusFound))
	defer secure.Close()
	says := func(status int) string {
		return serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	}
	for _, tt := range []struct {
		name, url, want string
		kind            Kind
	}{
		{"nobody there", "http://127.0.0.1:1/b?key=canary", "refused", Unreachable},
		{"a redirect to nowhere", elsewhere, "refused", Unreachable},
		{"too large", large, "more than 33554432 bytes", Invalid},
		{"other credentials", says(401), "401 Unauthorized", Denied},
		{"no right", says(403), "403 Forbidden", Denied},
		{"not there", says(404), "404 Not Found", Missing},
		{"broken", says(503), "503 Service Unavailable", Status},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := source(t, Options{URL: tt.url}).Get(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") || KindOf(err) != tt.kind {
				t.Errorf("%v, a failure that is %s; want %q, %s", err, KindOf(err), tt.want, tt.kind)
			}
		})
	}
	s := source(t, Options{URL: secure.URL})
	s.origin.(*server).client.Transport = secure.Client().Transport
	if _, err := s.Get(t.Context()); err == nil || !strings.Contains(err.Error(), "away from https") {
		t.Errorf("a redirect away from https: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A look is what Run passed on.
type look struct {
	archive string
	err     error
}

// run polls until the test is over.
func run(t *testing.T, s *Source) <-chan look {
	ctx, cancel := context.WithCancel(context.Background())
	looks, ended := make(chan look, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx, func(b []byte, err error) { looks <- look{string(b), err} })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return looks
}

// await skips looks until one is what is wanted.
func await(t *testing.T, looks <-chan look, what string, wanted func(look) bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case l := <-looks:
			if wanted(l) {
				return
			}
		case <-timeout:
			t.Fatalf("no %s after 20 s", what)
		}
	}
}

// TestRun: news come, and failures are told and got over.
func TestRun(t *testing.T) {
	b := &bundleServer{body: "one"}
	looks := run(t, source(t, Options{URL: serve(t, b), Poll: time.Millisecond}))
	await(t, looks, "first archive", func(l look) bool { return l.archive == "one" })
	b.set(func(b *bundleServer) { b.status = 500 })
	await(t, looks, "failure", func(l look) bool { return l.err != nil })
	b.set(func(b *bundleServer) { b.status, b.body = 0, "two" })
	await(t, looks, "second archive", func(l look) bool { return l.archive == "two" })
}

// TestLongPoll: a server that can hold a look is asked to, and news come as soon
// as it lets go, however long the time between looks.
func TestLongPoll(t *testing.T) {
	b := &bundleServer{body: "one", kind: longPolls, release: make(chan struct{})}
	s := source(t, Options{URL: serve(t, b), Poll: time.Hour, LongPoll: 10 * time.Minute})
	if _, err := s.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := s.pause(0, true); p > 2*time.Second {
		t.Errorf("%v to the next look at a server that holds it", p)
	}
	go func() {
		for { // until the look is there to be released
			b.mu.Lock()
			held := len(b.requests) > 1
			b.mu.Unlock()
			if held {
				b.set(func(b *bundleServer) { b.body = "two" })
				close(b.release)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if got, held, err := s.get(t.Context()); got != nil || held || err != nil { // it was released at once
		t.Errorf("%q %v %v", got, held, err)
	}
	if got, held, err := s.get(t.Context()); string(got) != "two" || !held || err != nil {
		t.Errorf("%q %v %v", got, held, err)
	}
	for _, h := range b.requests {
		if h.Get("Prefer") != "modes=snapshot;wait=600" {
			t.Errorf("%v", h)
		}
	}
}

// TestPause: it varies about what is configured, and after failures it begins
// with a second and grows to that.
func TestPause(t *testing.T) {
	s := &Source{Options: Options{Poll: time.Minute}}
	seen := map[time.Duration]bool{}
	for range 100 {
		p := s.pause(0, false)
		seen[p] = true
		if p < 48*time.Second || p > 72*time.Second {
			t.Errorf("%v", p)
		}
	}
	if len(seen) < 50 {
		t.Error("it does not vary")
	}
	for failures, want := range map[int]time.Duration{1: time.Second, 3: 4 * time.Second, 7: time.Minute, 1 << 30: time.Minute} {
		if p := s.pause(failures, false); p < want*8/10 || p > want*12/10 {
			t.Errorf("%v after %d failures", p, failures)
		}
	}
}

// A registryServer is a registry with one artifact, as far as pulling needs one.
type registryServer struct {
	mu     sync.Mutex
	blobs  map[string][]byte // and manifests, by digest
	latest digest.Digest
	pulls  int
	token  string // empty: nobody is asked for one
}

// push puts an artifact with some layers behind the tag v1.
func (s *registryServer) push(layers ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: ocispec.DescriptorEmptyJSON}
	m.SchemaVersion = 2
	s.blobs = map[string][]byte{}
	for _, b := range layers {
		d := digest.FromBytes(b)
		s.blobs[d.String()] = b
		m.Layers = append(m.Layers, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: d, Size: int64(len(b))})
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	s.latest = digest.FromBytes(text)
	s.blobs[s.latest.String()] = text
}

func (s *registryServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/token" {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"token": %q}`, s.token)
		return
	}
	if s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="test",scope="repository:team/policies:pull"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if name == "v1" {
		name = s.latest.String()
	}
	b, ok := s.blobs[name]
	if !ok || !strings.HasPrefix(r.URL.Path, "/v2/team/policies/") {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	kind := "application/octet-stream"
	if strings.Contains(r.URL.Path, "/manifests/") {
		kind = ocispec.MediaTypeImageManifest
		w.Header().Set("Docker-Content-Digest", name)
	} else {
		s.pulls++
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	if r.Method != http.MethodHead {
		w.Write(b)
	}
}

// TestRegistry: the artifact's layer is pulled once, with a token where one is
// asked for, and again when the tag points to another.
func TestRegistry(t *testing.T) {
	for _, token := range []string{"", "for-pulling"} {
		s := &registryServer{token: token}
		s.push([]byte("one"))
		address := strings.TrimPrefix(serve(t, s), "http://")
		from := source(t, Options{URL: "oci://" + address + "/team/policies:v1", User: "me", Token: gateway.NewSecret("secret")})
		for i, want := range []string{"one", "", "two", ""} {
			if i == 2 {
				s.push([]byte("two"))
			}
			if got, err := from.Get(t.Context()); err != nil || string(got) != want {
				t.Errorf("look %d: %q, %v; want %q", i, got, err, want)
			}
		}
		if s.pulls != 2 {
			t.Errorf("%d pulls", s.pulls)
		}
		by := source(t, Options{URL: "oci://" + address + "/team/policies@" + s.latest.String(), User: "me", Token: gateway.NewSecret("secret")})
		if got, err := by.Get(t.Context()); err != nil || string(got) != "two" {
			t.Errorf("by digest: %q, %v", got, err)
		}
	}
}

func TestRegistryRefuses(t *testing.T) {
	good := &registryServer{}
	good.push([]byte("one"))
	tampered := &registryServer{}
	tampered.push([]byte("one"))
	tampered.blobs[digest.FromString("one").String()] = []byte("two")
	two := &registryServer{}
	two.push([]byte("one"), []byte("two"))
	locked := &registryServer{token: "x"}
	for _, tt := range []struct {
		name   string
		server *registryServer
		path   string
		want   string
		kind   Kind
	}{
		{"no such tag", good, "/team/policies:v2", "not found", Missing},
		{"no such repository", good, "/team/others:v1", "not found", Missing},
		{"a layer of another digest", tampered, "/team/policies:v1", "mismatch", Invalid},
		{"two layers", two, "/team/policies:v1", "2 layers", Invalid},
		{"a wrong password", locked, "/team/policies:v1", "401", Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := strings.TrimPrefix(serve(t, tt.server), "http://")
			_, err := source(t, Options{URL: "oci://" + address + tt.path, User: "me", Token: gateway.NewSecret("wrong")}).Get(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "wrong") || KindOf(err) != tt.kind {
				t.Errorf("%v, a failure that is %s; want %q, %s", err, KindOf(err), tt.want, tt.kind)
			}
		})
	}
	if _, err := New(Options{URL: "oci://127.0.0.1:1/team/policies"}); err == nil {
		t.Error("a source without a tag")
	}
}
