package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/attache-gateway/attache/"

// layers are the packages of the gateway, lowest first. A package imports from
// lower layers only, never from its own: adapters do not know each other.
var layers = [][]string{
	{"llm"},
	{"dialect", "provider", "tokens"},
	{"gateway"},
	{"alert", "rego", "shadow", "fetch", "wasm", "inmem", "ledger", "auth", "credential", "telemetry", "stream"},
	{"render", "config"},
	{"cli"},
	{""}, // main
}

// onlyFrom names the one package that may import another, where one may.
var onlyFrom = map[string]string{"config": "cli", "cli": ""}

// shared are what dialects may import of each other: the other packages below
// dialect are formats, which do not know each other.
var shared = []string{
	"extproc/dialect", "extproc/dialect/amazon", "extproc/dialect/claude", "extproc/dialect/eventstream", "extproc/dialect/exception", "extproc/dialect/fault", "extproc/dialect/jsonx", "extproc/dialect/sse",
}

// owners are the packages that may import a heavy dependency.
var owners = map[string][]string{
	"github.com/envoyproxy/":        {"extproc/stream", "extproc/render", "extproc/envoytest", "bench/floor"},
	"github.com/cncf/xds/":          {"extproc/render"},
	"google.golang.org/grpc":        {"extproc/stream", "extproc/cli", "extproc/envoytest", "bench/floor"},
	"google.golang.org/protobuf":    {"extproc/stream", "extproc/render", "extproc/telemetry", "extproc/envoytest", "bench/floor"},
	"go.opentelemetry.io/":          {"extproc/telemetry"},
	"github.com/prometheus/":        {"extproc/telemetry"},
	"github.com/open-policy-agent/": {"extproc/rego"},
	"github.com/tetratelabs/wazero": {"extproc/wasm"},
	"github.com/aws/aws-sdk-go-v2/": {"extproc/credential"},
	"github.com/Azure/":             {"extproc/credential"},
	"golang.org/x/oauth2":           {"extproc/credential"},
	"github.com/golang-jwt/":        {"extproc/auth"},
	"oras.land/oras-go/":            {"extproc/fetch"},
	"github.com/opencontainers/":    {"extproc/fetch"},
	"modernc.org/sqlite":            {"extproc/ledger"},
	// OPA's own reader of YAML takes members that are there twice.
	"go.yaml.in/yaml":                 {"extproc/config", "extproc/rego", "bench"},
	"github.com/santhosh-tekuri":      {}, // the rest is for tests
	"github.com/rogpeppe/go-internal": {},
	"go.uber.org/goleak":              {},
}

// A unit is a package of this module, with what its code, but not its tests,
// imports.
type unit struct {
	ImportPath string
	Imports    []string
}

func (u unit) path() string { return strings.TrimPrefix(u.ImportPath, module) }

func units(t *testing.T) []unit {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = ".."
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var found []unit
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var u unit
		if err := d.Decode(&u); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found = append(found, u)
	}
}

// layer returns where a package of the gateway stands, and the name that stands
// there. Packages of tests have no layer, and nor have those outside extproc.
func layer(path string) (at int, name string, ok bool) {
	if path != "extproc" && !strings.HasPrefix(path, "extproc/") {
		return 0, "", false
	}
	name, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "extproc"), "/"), "/")
	at = slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, name) })
	return at, name, at >= 0
}

// mayImport reports whether a package of this module may import another one.
func mayImport(from, to string) bool {
	f, name, ok := layer(from)
	if !ok {
		measured := from == "bench" && (to == "extproc/rego" || to == "extproc/gateway")
		return !strings.HasPrefix(to, "extproc") || to == "extproc/envoytest" || measured
	}
	n, other, ok := layer(to)
	switch {
	case to == "policies":
		return name == "rego"
	case !ok:
		return false
	case name == other:
		return name != "dialect" || slices.Contains(shared, to)
	}
	if by, only := onlyFrom[other]; only && by != name {
		return false
	}
	return n < f && (name != "" || other == "cli")
}

func TestImportsGoOneWay(t *testing.T) {
	for _, u := range units(t) {
		if _, _, ok := layer(u.path()); !ok && strings.HasPrefix(u.path(), "extproc/") && u.path() != "extproc/envoytest" {
			t.Errorf("%s has no layer", u.path())
		}
		for _, imported := range u.Imports {
			if to, ours := strings.CutPrefix(imported, module); ours && !mayImport(u.path(), to) {
				t.Errorf("%s imports %s", u.path(), to)
			}
		}
	}
}

func TestDependenciesHaveOwners(t *testing.T) {
	for _, u := range units(t) {
		for _, imported := range u.Imports {
			host, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(host, ".") || strings.HasPrefix(imported, module) {
				continue
			}
			if !owned(u.path(), imported) {
				t.Errorf("%s imports %s, which it does not own", u.path(), imported)
			}
		}
	}
}

func owned(path, imported string) bool {
	for prefix, by := range owners {
		if strings.HasPrefix(imported, prefix) {
			return slices.Contains(by, path)
		}
	}
	return false
}

// The rules are worth nothing if they let everything through.
func TestMayImport(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"extproc", "extproc/cli", true},
		{"extproc", "extproc/config", false},
		{"extproc/cli", "extproc/config", true},
		{"extproc/render", "extproc/config", false},
		{"extproc/gateway", "extproc/dialect/jsonx", true},
		{"extproc/gateway", "extproc/rego", false},
		{"extproc/rego", "extproc/gateway", true},
		{"extproc/rego", "extproc/wasm", false},
		{"extproc/rego", "policies", true},
		{"extproc/dialect/openai", "extproc/dialect/sse", true},
		{"extproc/dialect/openai", "extproc/dialect/anthropic", false},
		{"extproc/dialect/openai", "extproc/provider", false},
		{"extproc/stream", "extproc/envoytest", false},
		{"extproc/stream", "bench/mock", false},
		{"bench", "extproc/envoytest", true},
		{"bench", "extproc/rego", true},
		{"bench", "extproc/stream", false},
		{"bench/load", "extproc/rego", false},
	} {
		if got := mayImport(c.from, c.to); got != c.want {
			t.Errorf("mayImport(%q, %q) = %v", c.from, c.to, got)
		}
	}
}

// Names that say nothing gather code that belongs elsewhere.
var vague = []string{"util", "utils", "common", "manager", "helper", "helpers", "misc"}

// maxLines bounds a file; a test file may be longer.
const maxLines = 600

func TestFiles(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "run") {
			return filepath.SkipDir
		}
		stem, _, _ := strings.Cut(name, ".")
		if (d.IsDir() || filepath.Ext(name) == ".go") && slices.Contains(vague, strings.TrimSuffix(stem, "_test")) {
			t.Errorf("%s says nothing with its name", path)
		}
		if d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d", path, n, maxLines)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
