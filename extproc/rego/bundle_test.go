package rego

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// tarball packs files as opa build and tar do.
func tarball(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// signingKeys are a pair, in PEM.
type signingKeys struct{ private, public, expired string }

func newKeys(t testing.TB) signingKeys {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	private, err := x509.MarshalECPrivateKey(key)
	k := signingKeys{private: encode("EC PRIVATE KEY", private, err)}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	k.public = encode("PUBLIC KEY", public, err)
	old := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1e9, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, old, old, &key.PublicKey, key)
	k.expired = encode("CERTIFICATE", certificate, err)
	return k
}

// signed adds a signature as opa sign makes it.
func signed(t testing.TB, k signingKeys, files map[string]string) map[string]string {
	t.Helper()
	hasher, err := bundle.NewSignatureHasher(bundle.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var infos []bundle.FileInfo
	for name, text := range files {
		var value any = []byte(text)
		if bundle.IsStructuredDoc(name) {
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := hasher.HashFile(value)
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, bundle.NewFile(name, hex.EncodeToString(sum), "SHA-256"))
	}
	token, err := bundle.GenerateSignedToken(infos, bundle.NewSigningConfig(k.private, "ES256", ""), "main")
	if err != nil {
		t.Fatal(err)
	}
	all := maps.Clone(files)
	all[signaturesFile] = `{"signatures": ["` + token + `"]}`
	return all
}

func with(files map[string]string, name, text string) map[string]string {
	all := maps.Clone(files)
	if all[name] = text; text == "" {
		delete(all, name)
	}
	return all
}

const bundledRules = "package attache.request\n\ndeny contains {\"code\": \"blocked\"} if input.user == data.attache.config.blocked\n"

// TestBundle: archives in both forms are the policy that a folder would be.
func TestBundle(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a folder":          {"./a.rego": bundledRules, "./data/x.json": `{"blocked": "eve"}`},
		"data at the top":   {"/a.rego": bundledRules, "/data.json": `{"attache": {"config": {"blocked": "eve"}}}`, "/.manifest": `{"revision": "1", "roots": [""]}`},
		"data at its place": {"a.rego": bundledRules, "attache/config/data.yaml": "blocked: eve\n", ".manifest": `{"roots": ["attache/request", "attache/config"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			fsys, err := OpenBundles(map[string][]byte{"b": tarball(t, files)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Load(t.Context(), Options{FS: fsys, Default: Allow, Deadline: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			for user, refused := range map[string]bool{"eve": true, "ann": false} {
				d, err := p.Decide(t.Context(), &gateway.Facts{User: user})
				if err != nil || (d.Deny != nil) != refused {
					t.Errorf("%s: %+v, %v", user, d.Deny, err)
				}
			}
		})
	}
}

// TestBundleSignature: what is signed by the key is taken, nothing else.
func TestBundleSignature(t *testing.T) {
	k, other := newKeys(t), newKeys(t)
	files := map[string]string{"a.rego": bundledRules, "data.json": `{"attache": {"config": {"blocked": "eve"}}}`, "b_test.rego": "package t\n"}
	good := signed(t, k, files)
	key := BundleKey{ID: "main", Key: gateway.NewSecret(k.public), Algorithm: "ES256"}
	for _, tt := range []struct {
		name   string
		files  map[string]string
		change func(*BundleKey)
		want   string // empty: taken
	}{
		{"signed", good, nil, ""},
		{"unsigned", files, nil, "it is not signed"},
		{"by another key", signed(t, other, files), nil, "failed to verify JWT signature"},
		{"for another key id", good, func(k *BundleKey) { k.ID = "second" }, ""}, // which key it is says the configuration
		{"without a key id", good, func(k *BundleKey) { k.ID = "" }, "no key id"},
		{"by another algorithm", good, func(k *BundleKey) { k.Algorithm = "HS256" }, "failed to verify JWT signature"},
		{"for another scope", good, func(k *BundleKey) { k.Scope = "write" }, "scope mismatch"},
		{"by an expired certificate", good, func(b *BundleKey) { b.Key = gateway.NewSecret(k.expired) }, "the certificate of key main expired on 2001-09-09"},
		{"a file was changed", with(good, "a.rego", bundledRules+"\n"), nil, "digest mismatch"},
		{"data was changed", with(good, "data.json", `{}`), nil, "digest mismatch"},
		{"a file was added", with(good, "c.rego", bundledRules), nil, "c.rego not included in bundle signature"},
		{"a test was removed", with(good, "b_test.rego", ""), nil, "b_test.rego is signed, but not there"},
		{"a signature elsewhere", with(with(files, "x/"+signaturesFile, good[signaturesFile]), "z", ""), nil, "it is not signed"},
		{"no signature in it", with(files, signaturesFile, `{"signatures": []}`), nil, "missing JWT"},
		{"a broken signature", with(files, signaturesFile, `{"signatures": ["a.b.c"]}`), nil, "signature: "},
		{"a plugin", with(files, signaturesFile, `{"plugin": "mine", "signatures": ["a"]}`), nil, "plugins are not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := key
			if tt.change != nil {
				tt.change(&k)
			}
			_, err := OpenBundles(map[string][]byte{"b": tarball(t, tt.files)}, &k)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestBundleOfOPA: what OPA itself builds and signs is taken.
func TestBundleOfOPA(t *testing.T) {
	k := newKeys(t)
	built := bundle.Bundle{
		Manifest: bundle.Manifest{Revision: "7", Roots: &[]string{"attache/request", "attache/config"}},
		Data:     map[string]any{"attache": map[string]any{"config": map[string]any{"blocked": "eve"}}},
		Modules: []bundle.ModuleFile{{
			URL: "/rules/a.rego", Path: "/rules/a.rego", RelativePath: "/rules/a.rego",
			Raw: []byte(bundledRules), Parsed: ast.MustParseModule(bundledRules),
		}},
	}
	if err := built.GenerateSignature(bundle.NewSigningConfig(k.private, "ES256", ""), "main", false); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := bundle.Write(&b, built); err != nil {
		t.Fatal(err)
	}
	fsys, err := OpenBundles(map[string][]byte{"b": b.Bytes()}, &BundleKey{ID: "main", Key: gateway.NewSecret(k.public), Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(t.Context(), Options{FS: fsys, Default: Allow, Deadline: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := p.Decide(t.Context(), &gateway.Facts{User: "eve"}); err != nil || d.Deny == nil {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestBundleRefused: each for its own reason.
func TestBundleRefused(t *testing.T) {
	twice := tarball(t, map[string]string{"a.rego": bundledRules, "./a.rego": bundledRules})
	large := tarball(t, map[string]string{"a.rego": strings.Repeat(" ", maxSource+1)})
	for _, tt := range []struct {
		name    string
		archive []byte
		want    string
	}{
		{"nothing", nil, "not a compressed archive"},
		{"half of it", tarball(t, map[string]string{"a.rego": bundledRules})[:100], "archive: "},
		{"a file twice", twice, "a.rego is there twice"},
		{"a bomb", large, "more than 33554432 bytes"},
		{"a delta bundle", tarball(t, map[string]string{"patch.json": `{"data": []}`}), "delta bundles are not taken"},
		{"the library's root", tarball(t, map[string]string{".manifest": `{"roots": ["attache/lib/mine"]}`}), `"attache/lib/mine" overlaps attache/lib`},
		{"all of attache", tarball(t, map[string]string{".manifest": `{"roots": ["attache"]}`}), `"attache" overlaps attache/lib`},
		{"rules outside the roots", tarball(t, map[string]string{".manifest": `{"roots": ["mine"]}`, "a.rego": bundledRules}), "a.rego: package attache.request lies outside the roots"},
		{"data outside the roots", tarball(t, map[string]string{".manifest": `{"roots": ["attache/request"]}`, "data.json": `{"attache": {"config": {"a": 1}}}`}), "attache.config.a lies outside the roots"},
		{"data outside the configuration", tarball(t, map[string]string{"data.json": `{"attache": {"lib": {}}}`}), "data.json: data.lib: the data of a policy is data.attache.config"},
		{"data that is none", tarball(t, map[string]string{"mine/data.json": `{"a": 1}`}), "data.mine: "},
		{"data twice", tarball(t, map[string]string{"data.json": `{"attache": {"config": {"a": 1}}}`, "attache/config/data.json": `{"a": 1}`}), "config.a is there twice"},
		{"a manifest that is none", tarball(t, map[string]string{".manifest": "{"}), ".manifest: "},
		{"two manifests", tarball(t, map[string]string{".manifest": "{}", "a/.manifest": "{}"}), "the manifest must stand at the top"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := OpenBundles(map[string][]byte{"b": tt.archive}, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestBundles: several make one policy if their roots keep them apart.
func TestBundles(t *testing.T) {
	a := tarball(t, map[string]string{".manifest": `{"roots": ["attache/request"]}`, "a.rego": bundledRules})
	b := tarball(t, map[string]string{".manifest": `{"roots": ["attache/config"]}`, "data.json": `{"attache": {"config": {"blocked": "eve"}}}`})
	fsys, err := OpenBundles(map[string][]byte{"a": a, "b": b}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.rego", bundledData} {
		if _, err := fs.Stat(fsys, name); err != nil {
			t.Error(err)
		}
	}
	everything := tarball(t, map[string]string{"c.rego": bundledRules})
	if _, err := OpenBundles(map[string][]byte{"a": a, "b": everything}, nil); err == nil || !strings.Contains(err.Error(), `bundle b: its root "" overlaps "attache/request" of bundle a`) {
		t.Errorf("overlapping roots: %v", err)
	}
}

// TestFolderAsBundle: the folder of policies that is shipped, packed as the
// documentation says, is the same policy as the folder.
func TestFolderAsBundle(t *testing.T) {
	folder := os.DirFS("../../policies")
	files := map[string]string{}
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(folder, name)
		files["./"+name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	packed, err := OpenBundles(map[string][]byte{"b": tarball(t, files)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var revisions []string
	for _, fsys := range []fs.FS{folder, packed} {
		p, err := Load(t.Context(), Options{FS: fsys, Default: Allow, Deadline: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		revisions = append(revisions, p.Revision())
	}
	if revisions[0] != revisions[1] {
		t.Errorf("revisions %v", revisions)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(tarball(f, map[string]string{"a.rego": bundledRules, "data.json": `{"attache": {"config": {}}}`, ".manifest": `{"roots": ["attache/request"]}`}))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys, err := OpenBundles(map[string][]byte{"b": b}, nil)
		if err != nil {
			return
		}
		if _, err := readSource(fsys); err != nil {
			t.Errorf("a bundle that was opened cannot be read: %v", err)
		}
	})
}
