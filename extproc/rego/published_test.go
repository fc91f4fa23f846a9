package rego

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

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
