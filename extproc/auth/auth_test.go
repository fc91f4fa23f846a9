package auth

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// newKey makes a key and puts it into the file at path.
func newKey(t testing.TB, path string, owner Key) (gateway.Secret, Key) {
	t.Helper()
	text, k, err := New(owner, noon, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := Add(path, k); err != nil {
		t.Fatal(err)
	}
	return text, k
}

func TestAuthenticate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	owner := Key{Name: "laptop", Org: "o", Team: "t", User: "u", Roles: []string{"dev"},
		Labels: map[string]string{"cost": "42"}, Models: []string{"gpt-*"}}
	good, goodKey := newKey(t, path, owner)
	brief, _ := newKey(t, path, Key{Expires: noon.Add(time.Hour)})
	gone, goneKey := newKey(t, path, Key{Expires: noon.Add(time.Hour)})
	if err := Revoke(path, goneKey.ID, noon); err != nil {
		t.Fatal(err)
	}
	ring, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if ring.Len() != 3 {
		t.Errorf("Len() = %d, want 3", ring.Len())
	}
	text := good.Reveal()
	for _, c := range []struct {
		name, key string
		now       time.Time
		code      string // empty: let in
		message   string
	}{
		{"good", text, noon, "", ""},
		{"good for ever", text, noon.AddDate(100, 0, 0), "", ""},
		{"none", "", noon, llm.CodeMissingKey, "no API key was sent"},
		{"before it expires", brief.Reveal(), noon.Add(time.Hour - 1), "", ""},
		{"expired", brief.Reveal(), noon.Add(time.Hour), llm.CodeExpiredKey, "expired on 2026-11-21"},
		{"revoked", gone.Reveal(), noon, llm.CodeInvalidKey, "was revoked"},
		{"revoked before expired", gone.Reveal(), noon.Add(2 * time.Hour), llm.CodeInvalidKey, "was revoked"},
		{"cut", text[:len(text)-1], noon, llm.CodeInvalidKey, "not known here"},
		{"longer", text + "a", noon, llm.CodeInvalidKey, "not known here"},
		{"upper case", strings.ToUpper(text), noon, llm.CodeInvalidKey, "begin with sk-attache-"},
		{"prefix", Prefix, noon, llm.CodeInvalidKey, "not known here"},
		{"hash", goodKey.Hash, noon, llm.CodeInvalidKey, "begin with sk-attache-"},
		{"of a provider", "sk-proj-abcdefgh", noon, llm.CodeInvalidKey, "keys of providers are not accepted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			caller, refused := ring.Authenticate(gateway.NewSecret(c.key), c.now)
			if c.code == "" {
				if refused != nil || caller.KeyID == "" {
					t.Fatalf("refused: %v", refused)
				}
				return
			}
			var e *llm.Error
			if !errors.As(refused, &e) {
				t.Fatalf("let in, or refused by %v", refused)
			}
			if e.Status != 401 || e.Code != c.code || !strings.Contains(e.Message, c.message) {
				t.Errorf("%+v", refused)
			}
			if !reflect.DeepEqual(caller, gateway.Caller{}) {
				t.Errorf("a refused caller is %+v", caller)
			}
			if len(c.key) > len(Prefix) && strings.Contains(refused.Error(), c.key) {
				t.Error("the error repeats the key")
			}
		})
	}
	caller, _ := ring.Authenticate(good, noon)
	want := gateway.Caller{KeyID: goodKey.ID, Org: "o", Team: "t", User: "u", Roles: owner.Roles, Labels: owner.Labels, Models: owner.Models}
	if !reflect.DeepEqual(caller, want) {
		t.Errorf("caller %+v, want %+v", caller, want)
	}
}

func TestSlotIsNotEnough(t *testing.T) {
	text, k, err := New(Key{}, noon, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	e := k.entry()
	s := slot(e.hash[:])
	e.hash[len(e.hash)-1] ^= 1 // same slot, another key
	ring := &Keyring{keys: map[slot]entry{s: e}}
	if _, refused := ring.Authenticate(text, noon); refused == nil {
		t.Error("a key was let in whose hash is only alike")
	}
}

func TestNone(t *testing.T) {
	for _, key := range []string{"", "anything"} {
		if caller, refused := (None{}).Authenticate(gateway.NewSecret(key), noon); refused != nil || caller.KeyID != "" {
			t.Errorf("%q: %+v, %v", key, caller, refused)
		}
	}
}

func TestNew(t *testing.T) {
	a, ka, err := New(Key{Name: "a"}, noon, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, kb, _ := New(Key{Name: "b"}, noon, rand.Reader)
	if a.Reveal() == b.Reveal() || ka.ID == kb.ID || ka.Hash == kb.Hash {
		t.Error("two keys are alike")
	}
	if n := len(a.Reveal()); n != keyLen || !strings.HasPrefix(a.Reveal(), Prefix) {
		t.Errorf("a key of %d characters, want %s and 52 more", n, Prefix)
	}
	kept, _ := json.Marshal(ka)
	if strings.Contains(string(kept), a.Reveal()[len(Prefix):]) {
		t.Error("the key's text is kept")
	}
	if !ka.Created.Equal(noon) {
		t.Errorf("created %v, want %v", ka.Created, noon)
	}
	if s := fmt.Sprintf("%v %+v %#v", a, a, a); strings.Contains(s, a.Reveal()) {
		t.Error("the key prints")
	}
}

func TestNewRefuses(t *testing.T) {
	if _, _, err := New(Key{}, noon, strings.NewReader("short")); err == nil {
		t.Error("a key of too few random bits")
	}
	if _, _, err := New(Key{Expires: noon}, noon, rand.Reader); err == nil {
		t.Error("a key that has expired when it is made")
	}
	if _, _, err := New(Key{Models: []string{"gpt-["}}, noon, rand.Reader); err == nil {
		t.Error("a pattern that is none")
	}
}

// Many goroutines ask at once, as the contract says.
func TestAuthenticateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	text, k := newKey(t, path, Key{Labels: map[string]string{"a": "b"}})
	ring, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if c, refused := ring.Authenticate(text, noon); refused != nil || c.KeyID != k.ID {
					t.Error(refused)
				}
			}
		})
	}
	wg.Wait()
}

func TestAuthenticateDoesNotAllocate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	text, _ := newKey(t, path, Key{Roles: []string{"dev"}})
	ring, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { ring.Authenticate(text, noon) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	ring := &Keyring{keys: map[slot]entry{}}
	var text gateway.Secret
	for range 10_000 {
		var k Key
		text, k, _ = New(Key{}, noon, rand.Reader)
		e := k.entry()
		ring.keys[slot(e.hash[:])] = e
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, refused := ring.Authenticate(text, noon); refused != nil {
			b.Fatal(refused)
		}
	}
}
