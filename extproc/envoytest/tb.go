package envoytest

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"
)

// startTimeout is for a busy machine; Envoy is live after a tenth of a second on an idle one.
const startTimeout = 30 * time.Second

// Need ends the test when there is no Envoy of version: it fails where make envoy would have installed one, and skips
// where that is impossible.
func Need(t testing.TB, version string) {
	t.Helper()
	_, err := Find(version)
	if errors.Is(err, ErrNotInstalled) && !installable() {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func installable() bool {
	_, err := exec.LookPath("python3")
	return err == nil
}

// Start is New for a test: Envoy ends with the test, and a failed test shows Envoy's log.
func Start(t testing.TB, config []byte, o Options) *Envoy {
	t.Helper()
	Need(t, o.Version)
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	e, err := New(ctx, config, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		if t.Failed() {
			t.Logf("envoy's log:\n%s", e.Log())
		}
	})
	return e
}
