package credential

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestKey(t *testing.T) {
	k := Key("x-my-key", "Key ", gateway.NewSecret("sk-123"))
	hs, err := k.Headers(nil)
	if want := []llm.Header{{Name: "x-my-key", Value: "Key sk-123"}}; err != nil || !reflect.DeepEqual(hs, want) || k.Names()[0] != "x-my-key" {
		t.Errorf("%v, %v", hs, err)
	}
	if got := fmt.Sprintf("%v %+v %#v", k, k, k); strings.Contains(got, "sk-123") {
		t.Errorf("printed: %s", got)
	}
	i := Injected("api-key")
	if hs, err := i.Headers(nil); hs != nil || err != nil || i.Ready() != nil || i.Names()[0] != "api-key" {
		t.Errorf("%v, %v", hs, err)
	}
}

func TestReadKey(t *testing.T) {
	for text, want := range map[string]string{
		"sk-1":                         "sk-1",
		" sk-1\r\n":                    "sk-1",
		"":                             "is empty",
		"\n":                           "is empty",
		"sk 1":                         "cannot carry",
		"sk-1\nsk-2":                   "cannot carry",
		"sk-\x00":                      "cannot carry",
		strings.Repeat("k", maxFile+1): "too large",
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadKey(path)
		if err == nil && got.Reveal() != want || err != nil && (!strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "sk")) {
			t.Errorf("%.20q: %q, %v", text, got.Reveal(), err)
		}
	}
	if _, err := ReadKey(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// stuck is a source whose server does not answer.
type stuck struct{ tokens }

func (s *stuck) fetch(ctx context.Context, _ *http.Client) (grant, error) {
	<-ctx.Done()
	return grant{}, ctx.Err()
}

// Close ends everything, also a call that is under way.
func TestClose(t *testing.T) {
	defer goleakNone(t)
	s := NewSet(slog.New(slog.DiscardHandler))
	c := s.Add("p", &stuck{})
	s.Start()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Await(ctx)
	if c.Ready() == nil {
		t.Error("ready")
	}
	s.Close()
	s.Await(t.Context()) // the try came to its end
}
