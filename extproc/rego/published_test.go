package rego

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/attache-gateway/attache/policies"
)

const root = "../../policies"

// published compares a file of policies/schema with what the code says.
func published(t *testing.T, name string, want []byte) {
	t.Helper()
	path := filepath.Join(root, "schema", name)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code says; run the test with -update", name)
	}
}

// TestPublished: the capabilities, and the schema of each entry point, which has
// of the whole input what that has.
func TestPublished(t *testing.T) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	if err := e.Encode(capabilitiesWith(nil)); err != nil {
		t.Fatal(err)
	}
	published(t, "capabilities.json", b.Bytes())

	for on, name := range packages {
		whole := util.MustUnmarshalJSON(policies.InputSchema).(map[string]any)
		properties := whole["properties"].(map[string]any)
		maps.DeleteFunc(properties, func(section string, _ any) bool {
			return !slices.ContainsFunc(document, func(f fact) bool { return f.on&on != 0 && split(f.path)[0] == section })
		})
		whole["title"] = "What rules in package " + name + " see as input"
		whole["required"] = slices.Sorted(maps.Keys(properties))
		text, err := json.MarshalIndent(whole, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		published(t, strings.TrimPrefix(name, "attache.")+".json", append(text, '\n'))
	}
}

// TestReadme holds the table of the input in policies/README.md and the document
// together.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## Input\n")
	table, _, ok2 := strings.Cut(rest, "\n## ")
	if !ok || !ok2 {
		t.Fatal("there is no section Input")
	}
	have := map[string]bool{}
	row := regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|")
	name := regexp.MustCompile("`([^`]+)`")
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		first := ""
		for _, n := range name.FindAllStringSubmatch(m[1], -1) {
			path := n[1]
			if rest, ok := strings.CutPrefix(path, "."); ok { // beside the first
				path = first[:strings.LastIndexByte(first, '.')+1] + rest
			} else {
				first = path
			}
			have[path] = true
		}
	}
	want := map[string]bool{}
	leaves("", util.MustUnmarshalJSON(policies.InputSchema).(map[string]any), want)
	for path := range want {
		if !have[path] {
			t.Errorf("%s is not in the README", path)
		}
	}
	for path := range have {
		if !want[path] {
			t.Errorf("%s is in the README but not in the schema", path)
		}
	}
	for _, f := range document {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(p string) bool { return below(strings.ReplaceAll(p, "[_]", ""), f.path) }) {
			t.Errorf("%s is not in the schema", f.path)
		}
	}
}

// leaves collects the paths of a schema: members of arrays as a[_].b, of open
// objects as a.NAME.b.
func leaves(path string, schema map[string]any, to map[string]bool) {
	properties, _ := schema["properties"].(map[string]any)
	for name, s := range properties {
		leaves(strings.TrimPrefix(path+"."+name, "."), s.(map[string]any), to)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		leaves(path+"[_]", items, to)
		return
	}
	if more, ok := schema["additionalProperties"].(map[string]any); ok && more["properties"] != nil {
		leaves(path+".NAME", more, to)
		return
	}
	if len(properties) == 0 {
		to[path] = true
	}
}

// TestOPA does what opa check --strict, opa test and opa fmt do with all that is
// in policies, by the published schema and capabilities.
func TestOPA(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "schema/capabilities.json"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ast.LoadCapabilitiesJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]map[string]*ast.Module{} // by the folder that is loaded as one
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".rego" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		nice, err := format.Source(name, b)
		if err != nil {
			return err
		}
		if !bytes.Equal(nice, b) {
			t.Errorf("%s: opa fmt would change it", name)
		}
		m, err := ast.ParseModuleWithOpts(name, string(b), ast.ParserOptions{ProcessAnnotation: true, Capabilities: c})
		if err != nil {
			return err
		}
		group := ""
		if rest, ok := strings.CutPrefix(name, "cookbook/"); ok { // each is a policy of its own
			group, _, _ = strings.Cut(rest, "/")
		}
		if groups[group] == nil {
			groups[group] = map[string]*ast.Module{}
		}
		groups[group][name] = m
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, util.MustUnmarshalJSON(policies.InputSchema))
	for group, modules := range groups {
		if group != "" {
			continue // tested with its own data, by whoever loads it
		}
		data, err := readData("config.json", must(os.ReadFile(filepath.Join(root, "data/config.json"))))
		if err != nil {
			t.Fatal(err)
		}
		store := inmem.NewFromObject(map[string]any{"attache": map[string]any{"config": data}})
		txn, err := store.NewTransaction(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		results, err := tester.NewRunner().SetCompiler(newCompiler(c).WithStrict(true).WithSchemas(schemas)).SetStore(store).SetModules(modules).RunTests(t.Context(), txn)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for r := range results {
			n++
			if !r.Pass() {
				t.Errorf("%s: %s", r.Location, r)
			}
		}
		if n < 10 {
			t.Errorf("only %d tests", n)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
