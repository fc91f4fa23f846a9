package gemini

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

var update = flag.Bool("update", false, "write the golden files anew")

const testdata = "../testdata/gemini"

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden compares with a file of the expected output.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join(testdata, name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", file, got)
	}
}

// encode writes events as the response to r, in batches of n.
func encode(t testing.TB, r *llm.Request, events []llm.Event, n int) string {
	t.Helper()
	enc := New().NewEncoder(r)
	var out []byte
	for len(events) > 0 {
		n := min(n, len(events))
		var err error
		if out, err = enc.Encode(out, events[:n]); err != nil {
			t.Fatal(err)
		}
		events = events[n:]
	}
	return string(out)
}
