package auth

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

const hexA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestFileKeepsKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "keys.json")
	_, a := newKey(t, path, Key{Name: "a", Expires: noon.Add(time.Hour), Roles: []string{"x"}})
	_, b := newKey(t, path, Key{Name: "b"})
	if err := Revoke(path, b.ID, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := Revoke(path, b.ID, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.Revoked = noon.Add(time.Minute) // when it was first revoked
	got, err := List(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Key{a, b}; !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	left, _ := filepath.Glob(path + "*")
	if want := []string{path, path + ".lock"}; !reflect.DeepEqual(left, want) {
		t.Errorf("files %q, want %q", left, want)
	}
}

func TestRevokeUnknown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	newKey(t, path, Key{})
	before, _ := os.ReadFile(path)
	if err := Revoke(path, "key-none", noon); err == nil || !strings.Contains(err.Error(), `"key-none"`) {
		t.Errorf("err = %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the file changed")
	}
}

func TestAddRefusesTwins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	_, k := newKey(t, path, Key{})
	if err := Add(path, k); err == nil || !strings.Contains(err.Error(), "two keys have the id") {
		t.Errorf("same id: %v", err)
	}
	k.ID = "other"
	if err := Add(path, k); err == nil || !strings.Contains(err.Error(), "same sha256") {
		t.Errorf("same hash: %v", err)
	}
	if keys, err := List(path); err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v; want the first one only", len(keys), err)
	}
}

// Writers at the same time lose nothing, and readers never see half a file.
func TestWritersAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	newKey(t, path, Key{})
	const writers, each = 6, 5
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				_, k, err := New(Key{Name: fmt.Sprint(w, i)}, noon, rand.Reader)
				if err == nil {
					err = Add(path, k)
				}
				if err == nil {
					_, err = Load(path)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	keys, err := List(path)
	if err != nil || len(keys) != 1+writers*each {
		t.Errorf("%d keys, %v; want %d", len(keys), err, 1+writers*each)
	}
}

func TestLoadWarnsOfReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	newKey(t, path, Key{})
	for mode, want := range map[fs.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o644: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		r, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Warning() != ""; got != want {
			t.Errorf("mode %o: warning %q", mode, r.Warning())
		}
	}
}

func TestLoadWithoutFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "keys.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("err = %v, want fs.ErrNotExist", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	key := `{"id":"a","sha256":"` + hexA + `","created":"2026-11-21T12:00:00Z"`
	for _, c := range []struct{ name, data, want string }{
		{"empty", ``, "EOF"},
		{"not JSON", `keys`, "invalid character"},
		{"version", `{"version":2,"keys":[]}`, "version 2, want 1"},
		{"no version", `{"keys":[]}`, "version 0, want 1"},
		{"unknown field", `{"version":1,"keys":[` + key + `,"scope":"read"}]}`, `unknown field "scope"`},
		{"more", `{"version":1,"keys":[]}{}`, "something follows"},
		{"no id", `{"version":1,"keys":[{"sha256":"` + hexA + `"}]}`, "no id"},
		{"short hash", `{"version":1,"keys":[{"id":"a","sha256":"aa"}]}`, "64 hex digits"},
		{"not hex", `{"version":1,"keys":[{"id":"a","sha256":"` + strings.Repeat("x", 64) + `"}]}`, "64 hex digits"},
		{"not created", `{"version":1,"keys":[{"id":"a","sha256":"` + hexA + `"}]}`, "created is missing"},
		{"expires first", `{"version":1,"keys":[` + key + `,"expires":"2026-01-01T00:00:00Z"}]}`, "expires before"},
		{"pattern", `{"version":1,"keys":[` + key + `,"models":["["]}]}`, "no pattern"},
		{"empty pattern", `{"version":1,"keys":[` + key + `,"models":[""]}]}`, "no pattern"},
		{"same id", `{"version":1,"keys":[` + key + `},` + key + `}]}`, "two keys have the id a"},
	} {
		if _, err := decode([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if keys, err := decode([]byte(`{"version":1,"keys":[` + key + `}]}`)); err != nil || len(keys) != 1 {
		t.Errorf("good: %d keys, %v", len(keys), err)
	}
}

// Whatever is accepted can be written, and reads the same again.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"version":1,"keys":[{"id":"a","sha256":"` + hexA + `","created":"2026-11-21T12:00:00Z","roles":["x"],"labels":{"k":"v"}}]}`))
	f.Add([]byte(`{"version":1,"keys":[]}`))
	f.Add([]byte(`{"version":1,"keys":[{"id":"a","sha256":"","created":"2026-11-21T12:00:00Z"}]}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := decode(data)
		if err != nil {
			return
		}
		written, err := json.Marshal(file{version, keys})
		if err != nil {
			t.Fatalf("accepted, but not written: %v", err)
		}
		again, err := decode(written)
		if err != nil {
			t.Fatalf("written, but not accepted: %v", err)
		}
		rewritten, err := json.Marshal(file{version, again})
		if err != nil || string(rewritten) != string(written) {
			t.Fatalf("%s became %s: %v", written, rewritten, err)
		}
	})
}
