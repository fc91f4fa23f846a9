package wasm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// The exports of the ABI attache.guard.v1; see wasm-plugins/ABI.md.
const (
	exportMemory    = "memory"
	exportInit      = "_initialize"
	exportAlloc     = "attache_guard_v1_alloc"
	exportConfigure = "attache_guard_v1_configure"
	exportCheck     = "attache_guard_v1_check"
	exportManifest  = "attache_guard_v1_manifest"

	exportPrefix = "attache_guard_"
)

type signature struct{ params, results []api.ValueType }

func (s signature) String() string { return types(s.params) + " -> " + types(s.results) }

func types(list []api.ValueType) string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = api.ValueTypeName(t)
	}
	return "(" + strings.Join(names, ", ") + ")"
}

func signatureOf(f api.FunctionDefinition) signature {
	return signature{f.ParamTypes(), f.ResultTypes()}
}

func (s signature) equal(o signature) bool {
	return slices.Equal(s.params, o.params) && slices.Equal(s.results, o.results)
}

var (
	i32 = []api.ValueType{api.ValueTypeI32}
	i64 = []api.ValueType{api.ValueTypeI64}

	i32i32       = slices.Concat(i32, i32)
	i32i32i32    = slices.Concat(i32i32, i32)
	i32i32i32i32 = slices.Concat(i32i32, i32i32)
)

var exports = []struct {
	name     string
	sig      signature
	optional bool
}{
	{exportAlloc, signature{i32, i32}, false},
	{exportCheck, signature{i32i32, i64}, false},
	{exportConfigure, signature{i32i32, i64}, true},
	{exportManifest, signature{nil, i64}, true},
	{exportInit, signature{}, true},
}

// The modules that a guest may import functions from.
const (
	moduleAttache = "attache"
	moduleEnv     = "env"
	moduleWASI    = wasi_snapshot_preview1.ModuleName
)

// imports are the functions of the host. Those of WASI are wazero's, which
// checks their signatures.
var imports = map[string]map[string]signature{
	moduleAttache: {"log": {i32i32i32, nil}},
	moduleEnv:     {"abort": {i32i32i32i32, nil}},
}

// wasiImports are what compilers link in. There are no files: whatever names one
// gets an error number.
var wasiImports = []string{
	"args_get", "args_sizes_get", "clock_res_get", "clock_time_get", "environ_get", "environ_sizes_get",
	"fd_close", "fd_fdstat_get", "fd_fdstat_set_flags", "fd_filestat_get", "fd_prestat_dir_name", "fd_prestat_get",
	"fd_read", "fd_seek", "fd_write", "path_filestat_get", "path_open", "poll_oneoff", "proc_exit", "random_get", "sched_yield",
}

// checkABI refuses a module that is no guest of attache.guard.v1.
func checkABI(m wazero.CompiledModule) error {
	if m.ExportedMemories()[exportMemory] == nil {
		return fmt.Errorf("export %s is missing", exportMemory)
	}
	if err := checkExports(m.ExportedFunctions()); err != nil {
		return err
	}
	for _, f := range m.ImportedFunctions() {
		if err := checkImport(f); err != nil {
			return err
		}
	}
	return nil
}

func checkExports(functions map[string]api.FunctionDefinition) error {
	known := make(map[string]bool, len(exports))
	for _, e := range exports {
		known[e.name] = true
		switch f := functions[e.name]; {
		case f == nil && !e.optional:
			return fmt.Errorf("export %s is missing; it must be %s", e.name, e.sig)
		case f != nil && !signatureOf(f).equal(e.sig):
			return fmt.Errorf("export %s is %s; it must be %s", e.name, signatureOf(f), e.sig)
		}
	}
	for name := range functions {
		if strings.HasPrefix(name, exportPrefix) && !known[name] {
			return fmt.Errorf("export %s is not part of attache.guard.v1", name)
		}
	}
	return nil
}

func checkImport(f api.FunctionDefinition) error {
	module, name, _ := f.Import()
	if module == moduleWASI && slices.Contains(wasiImports, name) {
		return nil
	}
	switch sig, ok := imports[module][name]; {
	case !ok:
		return fmt.Errorf("import %s.%s %s is not offered to guards", module, name, signatureOf(f))
	case !signatureOf(f).equal(sig):
		return fmt.Errorf("import %s.%s is %s; it must be %s", module, name, signatureOf(f), sig)
	}
	return nil
}
