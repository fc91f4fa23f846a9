package wasm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const allow = `{"action":"allow"}`

func digest(b []byte) string {
	d := sha256.Sum256(b)
	return hex.EncodeToString(d[:])
}

// options are those of a test: a deadline that no honest guest misses.
func options(b []byte) Options {
	return Options{Name: "test", Module: b, SHA256: digest(b), Deadline: 20 * time.Second, PoolSize: 2}
}

func mustLoad(t *testing.T, o Options) *Guard {
	t.Helper()
	g, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return g
}

func text(parts ...string) *gateway.Text {
	t := &gateway.Text{Model: "m"}
	for _, p := range parts {
		t.Segments = append(t.Segments, gateway.Segment{Role: llm.RoleUser, Text: p})
	}
	return t
}

func reasonOf(err error) Reason {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func TestVerdictArrives(t *testing.T) {
	g := mustLoad(t, options(guest(`{"action":"redact","code":"c","message":"m",
		"spans":[[0,0,1,"a"],[1,2,5,"b","€"]],"labels":["l"],"scores":{"s":0.5},"hold":3}`).bytes()))
	got, err := g.Check(t.Context(), text("one", "é€!"))
	want := gateway.Verdict{Action: gateway.ActionRedact, Code: "c", Message: "m",
		Findings: []gateway.Finding{{Segment: 0, Start: 0, End: 1, Label: "a"}, {Segment: 1, Start: 2, End: 5, Label: "b", Replacement: "€"}},
		Labels:   []string{"l"}, Scores: map[string]float64{"s": 0.5}, Holds: true, Hold: 3}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
	}
	if g.Name() != "test" {
		t.Errorf("Name() = %q", g.Name())
	}
}

// grown is code that grows memory as far as it goes and traps unless it then
// has the given number of pages.
func grown(pages int64) []byte {
	return code(opLoop, blockVoid, i32Const(16), opMemoryGrow, 0, i32Const(-1), opI32Ne, opBrIf, 0, opEnd,
		opMemorySize, 0, i32Const(pages), opI32Ne, opIf, blockVoid, opUnreachable, opEnd)
}

// tableGrow is code that asks for n more entries and traps if it gets them.
func tableGrow(n int64) []byte {
	return code(opRefNull, 0x70, i32Const(n), opTableGrow, 0, i32Const(-1), opI32Ne, opIf, blockVoid, opUnreachable, opEnd)
}

var loop = code(opLoop, blockVoid, opBr, 0, opEnd)

// TestAttacks is the table of what a guest may try and how it ends. After each
// attack the guard still answers, from another instance.
func TestAttacks(t *testing.T) {
	exit := module{imports: []function{{moduleWASI, "proc_exit", tI32, nil}}}
	tests := []struct {
		name   string
		module module
		reason Reason // empty: harmless
	}{
		{"endless loop", guest(allow, loop), ReasonDeadline},
		{"unreachable", guest(allow, opUnreachable), ReasonTrap},
		{"division by zero", guest(allow, i32Const(1), i32Const(0), opI32DivS, opDrop), ReasonTrap},
		{"load outside memory", guest(allow, i32Const(-4), opI32Load, 2, 0, opDrop), ReasonTrap},
		{"endless recursion", guest(allow, opLocalGet, 0, opLocalGet, 1, opCall, 1, opDrop), ReasonTrap},
		{"memory up to the limit", guest(allow, grown(32)), ""},
		{"table.grow without a maximum", table(guest(allow, tableGrow(1<<30)), 0x70, 0, 1), ""},
		{"table.grow below a huge maximum", table(guest(allow, tableGrow(maxTableEntries)), 0x70, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f), ""},
		{"table.grow beyond its own maximum", table(guest(allow, tableGrow(8)), 0x70, 1, 1, 8), ""},
		{"result outside memory", result(packed(1<<20, 1)), ReasonBadVerdict},
		{"result that wraps around", result(i64Const(-1)), ReasonBadVerdict},
		{"oversized verdict", guest(allow + strings.Repeat(" ", maxVerdict)), ReasonBadVerdict},
		{"empty verdict", result(packed(dataAt, 0)), ReasonBadVerdict},
		{"alloc outside memory", module{data: allow, funcs: []function{
			{name: exportAlloc, typ: tAlloc, body: i32Const(-16)},
			{name: exportCheck, typ: tCheck, body: packed(dataAt, len(allow))}}}, ReasonBadVerdict},
		{"alloc loops", module{data: allow, funcs: []function{
			{name: exportAlloc, typ: tAlloc, body: code(loop, opUnreachable)},
			{name: exportCheck, typ: tCheck, body: packed(dataAt, len(allow))}}}, ReasonDeadline},
		{"proc_exit", with(exit, guest(allow, i32Const(0), opCall, 0)), ReasonExit},
		{"env.abort", with(module{imports: []function{{moduleEnv, "abort", tI32x4, nil}}},
			guest(allow, i32Const(0), i32Const(0), i32Const(0), i32Const(0), opCall, 0)), ReasonTrap},
		{"log outside memory", with(module{imports: []function{{moduleAttache, "log", tLog, nil}}},
			guest(allow, i32Const(0), i32Const(-1), i32Const(9), opCall, 0)), ReasonTrap},
		{"log at an unknown level", with(module{imports: []function{{moduleAttache, "log", tLog, nil}}},
			guest(allow, i32Const(-1), i32Const(0), i32Const(9), opCall, 0)), ReasonTrap},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options(onlyForX(test.module).bytes())
			o.Memory = 2 << 20
			g := mustLoad(t, o)
			for range 3 {
				attack(t, g, test.reason)
				if v, err := g.Check(t.Context(), text("good")); err != nil || v.Action != gateway.ActionAllow {
					t.Errorf("afterwards: %+v, %v", v, err)
				}
			}
		})
	}
}

func attack(t *testing.T, g *Guard, want Reason) {
	t.Helper()
	ctx := t.Context()
	if want == ReasonDeadline {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
	}
	_, err := g.Check(ctx, text("x"))
	if reasonOf(err) != want || err != nil && want == "" {
		t.Errorf("reason %q, want %q (%v)", reasonOf(err), want, err)
	} else if err != nil && strings.ContainsAny(err.Error(), "\n") {
		t.Errorf("error has a stack trace: %v", err)
	}
}

func table(m module, limits ...byte) module { m.tables = append(m.tables, limits); return m }

func result(body []byte) module {
	return module{data: allow, funcs: []function{allocFunc, {name: exportCheck, typ: tCheck, body: body}}}
}

func with(imports, m module) module { m.imports = imports.imports; return m }

// onlyForX returns m with its attack limited to the text x. Other input is
// allowed.
func onlyForX(m module) module {
	if alloc := &m.funcs[0]; !bytes.Equal(alloc.body, allocFunc.body) {
		var f frame
		f.set(text("x"))
		alloc.body = code(opLocalGet, 0, i32Const(int64(f.size())),
			opI32Eq, opIf, blockVoid, alloc.body, opReturn, opEnd, allocFunc.body)
		return m
	}
	check := &m.funcs[1]
	check.body = code(firstByte, i32Const('x'), opI32Eq, opIf, blockVoid, check.body, opReturn, opEnd, packed(dataAt, len(allow)))
	return m
}

// firstByte is code for the first byte of the text.
var firstByte = code(opLocalGet, 0, opLocalGet, 0, opI32Load, 2, 20, opI32Add, opI32Load8U, 0, 0)

func TestLoadRefuses(t *testing.T) {
	plain := guest(allow)
	without := func(export string) module {
		m := guest(allow)
		for i := range m.funcs {
			if m.funcs[i].name == export {
				m.funcs[i].name = ""
			}
		}
		return m
	}
	also := func(f ...function) module { m := guest(allow); m.funcs = append(m.funcs, f...); return m }
	importing := func(f function) module { m := guest(allow); m.imports = []function{f}; return m }
	noMemory, looping := plain, also(function{typ: tVoid, body: loop})
	noMemory.noMem = true
	looping.start = 2

	tests := []struct {
		name   string
		module []byte
		want   string // the error, after the plugin's name
	}{
		{"not wasm", []byte("hello, this is text"), "not a WebAssembly module"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), "is a WebAssembly component; build a core module (target wasip1 or wasm32-unknown-unknown)"},
		{"version 2", []byte("\x00asm\x02\x00\x00\x00"), "WebAssembly version 2 is not supported"},
		{"cut short", plain.bytes()[:40], "module is cut short"},
		{"no memory", noMemory.bytes(), "export memory is missing"},
		{"no alloc", without(exportAlloc).bytes(), "export attache_guard_v1_alloc is missing; it must be (i32) -> (i32)"},
		{"no check", without(exportCheck).bytes(), "export attache_guard_v1_check is missing; it must be (i32, i32) -> (i64)"},
		{"wrong check", module{funcs: []function{allocFunc, {name: exportCheck, typ: tResult, body: i64Const(0)}}}.bytes(),
			"export attache_guard_v1_check is () -> (i64); it must be (i32, i32) -> (i64)"},
		{"wrong manifest", also(function{name: exportManifest, typ: tVoid}).bytes(), "export attache_guard_v1_manifest is () -> (); it must be () -> (i64)"},
		{"unknown export", also(function{name: "attache_guard_v1_chekc", typ: tVoid}).bytes(), "export attache_guard_v1_chekc is not part of attache.guard.v1"},
		{"next version", also(function{name: "attache_guard_v2_check", typ: tVoid}).bytes(), "export attache_guard_v2_check is not part of attache.guard.v1"},
		{"unknown import", importing(function{"env", "fetch", tAlloc, nil}).bytes(), "import env.fetch (i32) -> (i32) is not offered to guards"},
		{"socket", importing(function{moduleWASI, "sock_accept", tAlloc, nil}).bytes(), "import wasi_snapshot_preview1.sock_accept (i32) -> (i32) is not offered to guards"},
		{"wrong import", importing(function{"attache", "log", tI32, nil}).bytes(), "import attache.log is (i32) -> (); it must be (i32, i32, i32) -> ()"},
		{"table too large", table(plain, 0x70, 0, 0x81, 0x80, 0x04).bytes(), "table 0: minimum is 65537; it must be at most 65536"},
		{"table of an unknown form", table(plain, 0x40, 0, 0x70, 0, 1).bytes(), "table section is too long"},
		{"table with 64-bit limits", table(plain, 0x70, 4, 1).bytes(), "table 0: form is not supported"},
		{"too many tables", table(table(table(table(table(plain, 0x70, 1, 0, 1), 0x70, 1, 0, 1), 0x70, 1, 0, 1), 0x70, 1, 0, 1), 0x70, 1, 0, 1).bytes(), "module has 5 tables; at most 4 are allowed"},
		{"start traps", func() []byte {
			m := also(function{typ: tVoid, body: code(opUnreachable)})
			m.start = 2
			return m.bytes()
		}(), ""},
		{"start loops", looping.bytes(), "guest did not start in time: context deadline exceeded"},
		{"init loops", also(function{name: exportInit, typ: tVoid, body: loop}).bytes(), "guest did not start in time: context deadline exceeded"},
		{"configure traps", also(function{name: exportConfigure, typ: tCheck, body: code(opUnreachable)}).bytes(), ""},
		{"configure refuses", also(function{name: exportConfigure, typ: tCheck, body: packed(dataAt, 9)}).bytes(), `configuration refused: "{\"action\""`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			g, err := Load(ctx, options(test.module))
			if err == nil {
				_ = g.Close(t.Context())
				t.Fatal("no error")
			}
			if got := strings.TrimPrefix(err.Error(), "wasm: plugin test: "); test.want != "" && got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestLoadOptions(t *testing.T) {
	b := guest(allow).bytes()
	path := filepath.Join(t.TempDir(), "guard.wasm")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"path", func(o *Options) { o.Module, o.Path = nil, path }, ""},
		{"upper case digest", func(o *Options) { o.SHA256 = strings.ToUpper(o.SHA256) }, ""},
		{"cache", func(o *Options) { o.CacheDir = filepath.Join(t.TempDir(), "new") }, ""},
		{"no module", func(o *Options) { o.Module = nil }, "either a path or a module must be given"},
		{"both", func(o *Options) { o.Path = path }, "either a path or a module must be given"},
		{"no file", func(o *Options) { o.Module, o.Path = nil, path+"x" }, "open " + path + "x: no such file or directory"},
		{"no digest", func(o *Options) { o.SHA256 = "" }, "sha256 is not given; the module's is " + digest(b)},
		{"other digest", func(o *Options) { o.SHA256 = "00" }, "module has sha256 " + digest(b) + ", not 00"},
		{"config without configure", func(o *Options) { o.Config = []byte(`{"a":1}`) }, "has a configuration, but no export attache_guard_v1_configure"},
		{"config not JSON", func(o *Options) { o.Config = []byte(`{`) }, "configuration is not JSON"},
		{"memory too small for the module", func(o *Options) { o.Memory = 64 << 10 }, "section memory: min 16 pages (1 Mi) over limit of 1 pages (64 Ki)"},
		{"memory out of range", func(o *Options) { o.Memory = 1 }, "memory limit must be from 64 KiB to 4 GiB"},
		{"open cache", func(o *Options) { o.CacheDir = open }, "cache " + open + " has mode 0755; it must be 0700"},
		{"too large", func(o *Options) { o.Module = make([]byte, maxModule+1) }, "module has more than 16777216 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options(b)
			test.change(&o)
			g, err := Load(t.Context(), o)
			if err == nil {
				defer g.Close(t.Context())
				_, err = g.Check(t.Context(), text("x"))
			}
			got := ""
			if err != nil {
				got = strings.TrimPrefix(err.Error(), "wasm: plugin test: ")
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTextTooLarge(t *testing.T) {
	o := options(guest(allow).bytes())
	o.Memory = 1 << 20
	g := mustLoad(t, o)
	if _, err := g.Check(t.Context(), text(strings.Repeat("x", 1<<20))); reasonOf(err) != ReasonMemory {
		t.Errorf("got %v", err)
	}
}

func TestCancel(t *testing.T) {
	g := mustLoad(t, options(guest(allow, loop).bytes()))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	_, err := g.Check(ctx, text("x"))
	if reasonOf(err) != ReasonCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLogIsCapped(t *testing.T) {
	var out bytes.Buffer
	o := options(with(module{imports: []function{{moduleAttache, "log", tLog, nil}}},
		guest(allow, bytes.Repeat(code(i32Const(1), i32Const(0), i32Const(8<<10), opCall, 0), 40))).bytes())
	o.Logger = slog.New(slog.NewTextHandler(&out, nil))
	g := mustLoad(t, o)
	for call := 1; call <= 2; call++ {
		if _, err := g.Check(t.Context(), text("x")); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "guard=test"); n != call*maxLogLines {
			t.Errorf("%d lines after %d calls, want %d", n, call, call*maxLogLines)
		}
	}
	if longest := 5 * maxLogLine; out.Len() > 2*maxLogLines*longest {
		t.Errorf("%d bytes logged", out.Len())
	}
}
