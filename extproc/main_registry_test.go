package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A registry is one of OCI artifacts, with a single one behind the tag v1, as far
// as pulling needs a registry.
type registry struct {
	mu     sync.Mutex
	blobs  map[string][]byte // and manifests, by digest
	latest string            // digest of the manifest
}

const manifestKind = "application/vnd.oci.image.manifest.v1+json"

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// push puts a bundle behind the tag. size is what the manifest says of it.
func (s *registry) push(bundle []byte, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":%d}]}`,
		manifestKind, digestOf([]byte("{}")), digestOf(bundle), size)
	s.latest = digestOf(manifest)
	s.blobs = map[string][]byte{digestOf(bundle): bundle, s.latest: manifest}
}

func (s *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if name == "v1" {
		name = s.latest
	}
	b, ok := s.blobs[name]
	if !ok || !strings.HasPrefix(r.URL.Path, "/v2/team/policies/") {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if strings.Contains(r.URL.Path, "/manifests/") {
		w.Header().Set("Content-Type", manifestKind)
		w.Header().Set("Docker-Content-Digest", name)
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	if r.Method != http.MethodHead {
		w.Write(b)
	}
}

// A bundleSigner signs bundles of rules as opa sign does.
type bundleSigner struct{ key *ecdsa.PrivateKey }

func newBundleSigner(t *testing.T) bundleSigner {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return bundleSigner{key}
}

func (s bundleSigner) public(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// signed adds the file with the signature, a JWT (RFC 7515) of all files' hashes.
// Files that OPA reads as JSON count as OPA writes them, so their text must be that.
func (s bundleSigner) signed(t *testing.T, files map[string][]byte) map[string][]byte {
	t.Helper()
	type file struct {
		Name      string `json:"name"`
		Hash      string `json:"hash"`
		Algorithm string `json:"algorithm"`
	}
	var claims struct {
		Files []file `json:"files"`
	}
	for name, text := range files {
		claims.Files = append(claims.Files, file{name, fmt.Sprintf("%x", sha256.Sum256(text)), "SHA-256"})
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"ES256","kid":"main"}`)) + "." + encode(payload)
	sum := sha256.Sum256([]byte(token))
	x, y, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var signature [64]byte
	x.FillBytes(signature[:32])
	y.FillBytes(signature[32:])
	all := maps.Clone(files)
	all[".signatures.json"] = fmt.Appendf(nil, `{"signatures":[%q]}`, token+"."+encode(signature[:]))
	return all
}

// TestRegistry: signed bundles of an OCI registry are put in force while requests
// are served; each that is bad is refused for its own reason, and changes nothing.
func TestRegistry(t *testing.T) {
	ours, theirs := newBundleSigner(t), newBundleSigner(t)
	key := filepath.Join(t.TempDir(), "public.pem")
	write(t, key, ours.public(t))
	s := &registry{}
	server := httptest.NewServer(s)
	defer server.Close()
	put := func(files map[string][]byte) {
		b := bundleOf(t, files)
		s.push(b, len(b))
	}
	with := func(files map[string][]byte, name, text string) map[string][]byte {
		all := maps.Clone(files)
		all[name] = []byte(text)
		return all
	}
	put(ours.signed(t, marked("one")))
	w := begin(t, "1.40", "policy: {bundle: {url: \"oci://"+strings.TrimPrefix(server.URL, "http://")+"/team/policies:v1\", poll: 1s, key_id: main, key_file: "+key+", algorithm: ES256}, deadline: 1s}",
		"models:", "  smart: {targets: [o/m]}")
	smart := ask{dialect: "openai", model: "smart"}
	rules := func() string { return w.do(t, smart).header.Get("X-Rules") }
	if got := rules(); got != "one" {
		t.Fatalf("at the start the rules are %q", got)
	}
	stop := w.traffic(t, smart)
	put(ours.signed(t, marked("two")))
	eventually(t, "the second bundle", func() bool { return rules() == "two" })

	for _, bad := range []struct {
		name string
		put  func()
		want string // in the error of the load, or of the look
	}{
		{"not signed", func() { put(marked("bad")) }, "it is not signed"},
		{"signed by another key", func() { put(theirs.signed(t, marked("bad"))) }, "signature: "},
		{"changed after it was signed", func() { put(with(ours.signed(t, marked("bad")), "a.rego", "package attache.request\n")) }, "digest mismatch"},
		{"a file that is not signed", func() { put(with(ours.signed(t, marked("bad")), "b.rego", "package attache.request\n")) }, "b.rego"},
		{"a file that is missing", func() {
			all := ours.signed(t, with(marked("bad"), "b.rego", "package attache.request\n"))
			delete(all, "b.rego")
			put(all)
		}, "b.rego is signed, but not there"},
		{"the root of the library", func() { put(ours.signed(t, with(marked("bad"), ".manifest", `{"roots":["attache/lib"]}`))) }, `the root "attache/lib" overlaps attache/lib`},
		{"rules outside its root", func() { put(ours.signed(t, with(marked("bad"), ".manifest", `{"roots":["attache/response"]}`))) }, "package attache.request lies outside the roots"},
		{"a delta", func() { put(ours.signed(t, with(marked("bad"), "patch.json", `{"data":[]}`))) }, "delta bundles are not taken"},
		{"broken rules", func() {
			put(ours.signed(t, map[string][]byte{"a.rego": []byte("package attache.request\n\ndeny contains {")}))
		}, "a.rego:3"},
		{"no archive", func() { s.push([]byte("text"), 4) }, "not a compressed archive"},
		{"too large", func() { s.push([]byte("large"), 33<<20) }, "the archive has 34603008 bytes, more than 33554432"},
		{"another size than it says", func() { s.push([]byte("large"), 6) }, "fetch: "},
	} {
		bad.put()
		eventually(t, "a refusal of what is "+bad.name, func() bool {
			p := w.policy(t)
			return strings.Contains(p.Load.Error+p.FetchError, bad.want)
		})
		if got := rules(); got != "two" {
			t.Errorf("%s: the rules are %q", bad.name, got)
		}
	}
	w.awaitMetrics(t, map[string]string{"attache_policy_load_failed": "1"})
	if w.metrics(t)[`attache_policy_fetch_errors_total{kind="invalid"}`] == "" {
		t.Error("what the registry says wrongly is not counted")
	}
	put(ours.signed(t, marked("three")))
	eventually(t, "the third bundle", func() bool { p := w.policy(t); return rules() == "three" && p.Load.Error+p.FetchError == "" })
	w.awaitMetrics(t, map[string]string{"attache_policy_load_failed": "0"})
	if sent := stop(); sent < 20 {
		t.Errorf("%d requests were sent", sent)
	}
}
