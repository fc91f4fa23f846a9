package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/wasm"
)

// cache has the compiled module, so that only the first test compiles it.
var cache string

func TestMain(m *testing.M) {
	var err error
	if cache, err = os.MkdirTemp("", "pii"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(cache)
	os.Exit(code)
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func recordedDigest(t testing.TB) string {
	return strings.Fields(read(t, "pii.wasm.sha256"))[0]
}

// load runs the committed module; its digest is checked by Load.
func load(t testing.TB, config string) *wasm.Guard {
	t.Helper()
	g, err := wasm.Load(context.Background(), wasm.Options{
		Name: "pii", Path: "pii.wasm", SHA256: recordedDigest(t), Config: []byte(config),
		Deadline: 20 * time.Second, CacheDir: cache, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close(context.Background()) })
	return g
}

func request(parts ...string) *gateway.Text {
	t := &gateway.Text{RequestID: "r1", Model: "gpt-4o"}
	for _, p := range parts {
		t.Segments = append(t.Segments, gateway.Segment{Role: llm.RoleUser, Text: p})
	}
	return t
}

func TestModuleRedacts(t *testing.T) {
	g := load(t, `{"iban":"off"}`)
	for range 2 {
		got, err := g.Check(t.Context(), request("hello", "é joe@example.com, 4111 1111 1111 1111", "DE89370400440532013000"))
		want := gateway.Verdict{
			Action: gateway.ActionRedact,
			Findings: []gateway.Finding{
				{Segment: 1, Start: 3, End: 18, Label: "pii.email"},
				{Segment: 1, Start: 20, End: 39, Label: "pii.card"},
			},
			Labels: []string{"pii.email", "pii.card"},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
		}
		if got, err := g.Check(t.Context(), request("nothing")); err != nil || got.Action != gateway.ActionAllow {
			t.Fatalf("got %+v, %v, want allow", got, err)
		}
	}
}

func TestModuleBlocks(t *testing.T) {
	got, err := load(t, `{"card":"block"}`).Check(t.Context(), request("4111111111111111"))
	if err != nil || got.Action != gateway.ActionBlock || got.Code != "pii.card" || strings.Contains(got.Message, "4111") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestModuleRefusesConfig(t *testing.T) {
	_, err := wasm.Load(t.Context(), wasm.Options{Name: "pii", Path: "pii.wasm", SHA256: recordedDigest(t), Config: []byte(`{"card":"drop"}`), CacheDir: cache})
	if err == nil || !strings.Contains(err.Error(), "unknown action drop") {
		t.Errorf("got %v", err)
	}
}

// TestModuleAgreesWithSource gives the module and the source the same texts,
// from several goroutines.
func TestModuleAgreesWithSource(t *testing.T) {
	g := load(t, "")
	texts := []string{corpus(500), corpus(5000), strings.Repeat("x", 100<<10), "", "@", "9"}
	var wg sync.WaitGroup
	for _, s := range texts {
		wg.Go(func() {
			for range 3 {
				v, err := g.Check(t.Context(), request(s))
				if err != nil {
					t.Error(err)
					return
				}
				var got []match
				for _, f := range v.Findings {
					for k := range kinds {
						if kinds[k].label == f.Label {
							got = append(got, match{kind(k), f.Start, f.End})
						}
					}
				}
				if want := scan([]byte(s), nil); !reflect.DeepEqual(got, want) {
					t.Errorf("module found %v, source %v", got, want)
				}
			}
		})
	}
	wg.Wait()
}

// corpus is n bytes of prose with one address and one card number in each KB.
func corpus(n int) string {
	const prose = "The quick brown fox, born in 1987, jumps over 12 lazy dogs; see section 4.2 of the report. "
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(strings.Repeat(prose, 10))
		b.WriteString("Write to joe@example.com or pay with 4111 1111 1111 1111. ")
	}
	return b.String()[:n]
}

// TestModuleIsBuiltFromSource rebuilds the module where the toolchain is the
// recorded one: another may give other bytes.
func TestModuleIsBuiltFromSource(t *testing.T) {
	if want := strings.TrimSpace(read(t, "pii.wasm.toolchain")); runtime.Version() != want {
		t.Skipf("the module was built by %s, this is %s", want, runtime.Version())
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "../build.sh", "-o", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	built, committed := read(t, filepath.Join(dir, "pii.wasm")), read(t, "pii.wasm")
	if built != committed {
		t.Error("pii.wasm is not what its source gives; run wasm-plugins/build.sh")
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, size := range []int{2 << 10, 32 << 10} {
		b.Run(map[bool]string{true: "2KB", false: "32KB"}[size == 2<<10], func(b *testing.B) {
			g := load(b, "")
			t := request(corpus(size/4), corpus(size/4), corpus(size/4), corpus(size/4))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Check(b.Context(), t); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	s := []byte(corpus(32 << 10))
	var out []match
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		out = scan(s, out[:0])
	}
}
