package rego

import (
	"context"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// archive reads a case: files, each after a line "-- name --", as in Go's
// txtar. The file "want" is what the test expects and no part of the directory.
func archive(t *testing.T, name string) (dir fstest.MapFS, want string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir = fstest.MapFS{}
	var file *fstest.MapFile
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(strings.TrimSuffix(line, " --\n"), "-- "); ok {
			file = &fstest.MapFile{}
			dir[name] = file
			continue
		}
		file.Data = append(file.Data, line...)
	}
	if file := dir["want"]; file != nil {
		want = string(file.Data)
		delete(dir, "want")
	}
	return dir, want
}

// expect compares with the last file of a case, "want".
func expect(t *testing.T, name, got, want string) {
	t.Helper()
	if *update {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files, _, _ := strings.Cut(string(b), "-- want --\n")
		if err := os.WriteFile(name, []byte(files+"-- want --\n"+got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("have\n%s\nwant\n%s", got, want)
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no files, %v", pattern, err)
	}
	return names
}

func caseName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".txtar") }

// TestRefused has a directory for everything that Load refuses, with the exact
// error.
func TestRefused(t *testing.T) {
	for _, name := range files(t, "testdata/load/*.txtar") {
		t.Run(caseName(name), func(t *testing.T) {
			dir, want := archive(t, name)
			p, err := Load(t.Context(), optionsOf(t, dir))
			if err == nil {
				t.Fatal("loaded")
			}
			if p != nil {
				t.Error("a policy with an error")
			}
			expect(t, name, err.Error()+"\n", want)
		})
	}
}

// optionsOf takes the options of a case out of its file of that name.
func optionsOf(t *testing.T, dir fstest.MapFS) Options {
	t.Helper()
	o := Options{FS: dir, Default: Allow, Deadline: time.Second}
	if f := dir["options"]; f != nil {
		if err := json.Unmarshal(f.Data, &o); err != nil {
			t.Fatal(err)
		}
		delete(dir, "options")
	}
	return o
}

func TestRefusedOptions(t *testing.T) {
	dir := fstest.MapFS{"a.rego": {Data: []byte("package attache.request\n\ndeny contains {}\n")}}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	large := fstest.MapFS{"a.rego": {Data: make([]byte, maxSource+1)}}
	for _, c := range []struct {
		ctx     context.Context
		options Options
		want    string
	}{
		{t.Context(), Options{FS: dir, Deadline: 1}, `rego: load: default: want allow or deny, have ""`},
		{t.Context(), Options{FS: dir, Default: Deny}, `rego: load: deadline: want more than 0, have 0s`},
		{t.Context(), Options{FS: os.DirFS("testdata/none"), Default: Deny, Deadline: 1}, `rego: load: stat .: no such file or directory`},
		{t.Context(), Options{FS: large, Default: Deny, Deadline: 1}, `rego: load: a.rego: more than 33554432 bytes of rules and data`},
		{ended, Options{FS: dir, Default: Deny, Deadline: 1}, `rego: load: context canceled`},
	} {
		if _, err := Load(c.ctx, c.options); err == nil || err.Error() != c.want {
			t.Errorf("have %v\nwant %s", err, c.want)
		}
	}
}

// TestVolume loads a directory as Kubernetes mounts it: the files are links
// into a hidden folder that holds them once more.
func TestVolume(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "..2026"), 0o755),
		os.WriteFile(filepath.Join(dir, "..2026/a.rego"), []byte("package attache.request\n\ndeny contains {}\n"), 0o644),
		os.Symlink("..2026", filepath.Join(dir, "..data")),
		os.Symlink("..data/a.rego", filepath.Join(dir, "a.rego")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := Load(t.Context(), Options{FS: os.DirFS(dir), Default: Allow, Deadline: time.Second, Off: defaults})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.request.rules) != 1 {
		t.Errorf("have %d rules, want 1", len(p.request.rules))
	}

	if err := os.Symlink("..data", filepath.Join(dir, "more")); err != nil {
		t.Fatal(err)
	}
	_, err = Load(t.Context(), Options{FS: os.DirFS(dir), Default: Allow, Deadline: time.Second, Off: defaults})
	if want := "rego: load: more: links to folders are not followed"; err == nil || err.Error() != want {
		t.Errorf("have %v\nwant %s", err, want)
	}
}

func TestRevision(t *testing.T) {
	base := fstest.MapFS{
		"a.rego":      {Data: []byte("package attache.request\n\ndeny contains {}\n")},
		"a_test.rego": {Data: []byte("package a\n\ntest_a if true\n")},
		"data/d.json": {Data: []byte(`{"a": 1}`)},
		"README.md":   {Data: []byte("text")},
	}
	revision := func(preset string, change fstest.MapFS) string {
		t.Helper()
		dir := fstest.MapFS{}
		for _, m := range []fstest.MapFS{base, change} {
			for k, v := range m {
				dir[k] = v
			}
		}
		p, err := Load(t.Context(), Options{FS: fs.FS(dir), Default: preset, Deadline: time.Second, Off: defaults})
		if err != nil {
			t.Fatal(err)
		}
		return p.Revision()
	}
	first := revision(Allow, nil)
	if len(first) != 12 {
		t.Errorf("revision %q", first)
	}
	for name, c := range map[string]struct {
		preset string
		change fstest.MapFS
		same   bool
	}{
		"again":    {Allow, nil, true},
		"readme":   {Allow, fstest.MapFS{"README.md": {Data: []byte("other")}}, true},
		"tests":    {Allow, fstest.MapFS{"a_test.rego": {Data: []byte("package a\n\ntest_b if true\n")}}, true},
		"default":  {Deny, nil, false},
		"rules":    {Allow, fstest.MapFS{"a.rego": {Data: []byte("package attache.request\n\ndeny contains {\"status\": 400}\n")}}, false},
		"new file": {Allow, fstest.MapFS{"b.rego": {Data: []byte("package b\n")}}, false},
		"data":     {Allow, fstest.MapFS{"data/d.json": {Data: []byte(`{"a": 2}`)}}, false},
	} {
		if got := revision(c.preset, c.change); (got == first) != c.same {
			t.Errorf("%s: revision %s, first %s", name, got, first)
		}
	}
}

// TestCapabilities keeps builtins that give another result each time out, also
// those that a later version of OPA brings.
func TestCapabilities(t *testing.T) {
	for _, b := range capabilitiesWith(nil).Builtins {
		if b.Nondeterministic {
			t.Errorf("%s is allowed", b.Name)
		}
	}
	if all := len(ast.CapabilitiesForThisVersion().Builtins); len(capabilitiesWith(nil).Builtins) < all/2 {
		t.Errorf("only %d of %d builtins are left", len(capabilitiesWith(nil).Builtins), all)
	}
}
