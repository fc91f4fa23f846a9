package config

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// looks returns how many of n looks report a change.
func (w *watcher) looks(n int) int {
	changes := 0
	for range n {
		if w.changed() {
			changes++
		}
	}
	return changes
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   int
	}{
		{"nothing", func(*testing.T, string) {}, 0},
		{"file", func(t *testing.T, dir string) { write(t, dir+"/attache.yaml", "new") }, 1},
		{"same content", func(t *testing.T, dir string) { write(t, dir+"/attache.yaml", "old") }, 0},
		{"new file in place of the old", func(t *testing.T, dir string) {
			write(t, dir+"/other", "new")
			if err := os.Rename(dir+"/other", dir+"/attache.yaml"); err != nil {
				t.Fatal(err)
			}
		}, 1},
		{"removed", func(t *testing.T, dir string) { os.Remove(dir + "/attache.yaml") }, 1},
		{"in the directory", func(t *testing.T, dir string) { write(t, dir+"/policies/a.rego", "new") }, 1},
		{"new file", func(t *testing.T, dir string) { write(t, dir+"/policies/b.rego", "new") }, 1},
		{"new file further down", func(t *testing.T, dir string) { write(t, dir+"/policies/deep/er/b.rego", "new") }, 1},
		{"file moved", func(t *testing.T, dir string) { os.Rename(dir+"/policies/a.rego", dir+"/policies/b.rego") }, 1},
		{"hidden file", func(t *testing.T, dir string) { write(t, dir+"/policies/.a.swp", "new") }, 0},
		{"hidden directory", func(t *testing.T, dir string) { write(t, dir+"/policies/.git/a", "new") }, 0},
		{"file next to it", func(t *testing.T, dir string) { write(t, dir+"/other", "new") }, 0},
		{"directory removed", func(t *testing.T, dir string) { os.RemoveAll(dir + "/policies") }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/attache.yaml", "old")
			write(t, dir+"/policies/a.rego", "old")
			w := newWatcher([]string{dir + "/attache.yaml", dir + "/policies"})
			c.change(t, dir)
			if got := w.looks(4); got != c.want {
				t.Errorf("%d changes, want %d", got, c.want)
			}
		})
	}
}

// A change is passed on once it has been seen twice, and only once.
func TestWatchWaitsUntilItIsQuiet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "attache.yaml")
	write(t, path, "0")
	w := newWatcher([]string{path})
	for _, content := range []string{"1", "22", "333"} {
		write(t, path, content)
		if w.changed() {
			t.Errorf("a change while %q was just written", content)
		}
	}
	for i, want := range []bool{true, false, false} {
		if got := w.changed(); got != want {
			t.Errorf("look %d: %v, want %v", i, got, want)
		}
	}
	write(t, path, "4444")
	if got := w.looks(3); got != 1 {
		t.Errorf("%d changes, want 1", got)
	}
}

// Kubernetes swaps a link named ..data, through which all files are seen.
func TestWatchKubernetes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/..1/attache.yaml", "old")
	write(t, dir+"/..2/attache.yaml", "new")
	write(t, dir+"/..1/policies/a.rego", "old")
	write(t, dir+"/..2/policies/a.rego", "old")
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, dir+"/tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(dir+"/tmp", dir+"/"+name); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "..data")
	link("..data/attache.yaml", "attache.yaml")
	link("..data/policies", "policies")

	file := newWatcher([]string{dir + "/attache.yaml"})
	all := newWatcher([]string{dir})
	policies := newWatcher([]string{dir + "/policies"})
	link("..2", "..data")
	if got := file.looks(3); got != 1 {
		t.Errorf("file: %d changes, want 1", got)
	}
	if got := all.looks(3); got != 1 {
		t.Errorf("directory: %d changes, want 1", got)
	}
	if got := policies.looks(3); got != 0 {
		t.Errorf("%d changes of policies that are what they were", got)
	}
	write(t, dir+"/..2/policies/a.rego", "new")
	if got := policies.looks(3); got != 1 {
		t.Errorf("policies: %d changes, want 1", got)
	}
}

// A file of the same size and time is still another file.
func TestWatchSameTime(t *testing.T) {
	dir := t.TempDir()
	then := time.Unix(1_700_000_000, 0)
	for _, name := range []string{"attache.yaml", "other"} {
		write(t, dir+"/"+name, "content of "+name[:3])
		if err := os.Chtimes(dir+"/"+name, then, then); err != nil {
			t.Fatal(err)
		}
	}
	w := newWatcher([]string{dir + "/attache.yaml"})
	if err := os.Rename(dir+"/other", dir+"/attache.yaml"); err != nil {
		t.Fatal(err)
	}
	if got := w.looks(3); got != 1 {
		t.Errorf("%d changes, want 1", got)
	}
}

func TestWatchRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "attache.yaml")
	write(t, path, "old")
	w := newWatcher([]string{path})
	write(t, path, "new")
	ctx, cancel := context.WithCancel(context.Background())
	tick := make(chan time.Time, 3)
	for range cap(tick) {
		tick <- time.Time{}
	}
	w.run(ctx, tick, cancel) // returns because of the change
}

func TestWatchEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	Watch(ctx, []string{t.TempDir()}, func() { t.Error("changed") })
}
