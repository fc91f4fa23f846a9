package wasm

import (
	"encoding/binary"
	"slices"
)

// A module is a WebAssembly module that a test puts together, so that each
// attack is readable where it is tested. Function indices count imports first.
type module struct {
	imports []function // module.name in two strings
	funcs   []function
	pages   byte     // of memory; 0: 16
	noMem   bool     // do not export the memory
	tables  [][]byte // element type, limits
	start   int      // index of the start function; 0: none
	data    string   // at dataAt
}

type function struct {
	module, name string // name: of the import, or of the export
	typ          byte
	body         []byte
}

// The types of functions.
const (
	tVoid    = iota // () -> ()
	tAlloc          // (i32) -> i32
	tCheck          // (i32, i32) -> i64
	tResult         // () -> i64
	tLog            // (i32, i32, i32) -> ()
	tI32            // (i32) -> ()
	tI32x4          // (i32, i32, i32, i32) -> ()
	numTypes = iota
)

var typeSection = []byte{
	numTypes,
	0x60, 0, 0,
	0x60, 1, 0x7f, 1, 0x7f,
	0x60, 2, 0x7f, 0x7f, 1, 0x7e,
	0x60, 0, 1, 0x7e,
	0x60, 3, 0x7f, 0x7f, 0x7f, 0,
	0x60, 1, 0x7f, 0,
	0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 0,
}

// Where things are in the memory of 1 MiB that modules have.
const (
	dataAt  = 1 << 10
	inputAt = 512 << 10
)

// Opcodes; https://webassembly.github.io/spec/core/binary/instructions.html
const (
	opUnreachable = 0x00
	opLoop        = 0x03
	opIf          = 0x04
	opEnd         = 0x0b
	opBr          = 0x0c
	opBrIf        = 0x0d
	opReturn      = 0x0f
	opCall        = 0x10
	opDrop        = 0x1a
	opLocalGet    = 0x20
	opI32Load     = 0x28
	opI32Load8U   = 0x2d
	opMemorySize  = 0x3f
	opMemoryGrow  = 0x40
	opI32Eq       = 0x46
	opI32Ne       = 0x47
	opI32Add      = 0x6a
	opI32DivS     = 0x6d
	opRefNull     = 0xd0
	blockVoid     = 0x40
)

var opTableGrow = []byte{0xfc, 0x0f}

func i32Const(n int64) []byte { return append([]byte{0x41}, sleb(n)...) }
func i64Const(n int64) []byte { return append([]byte{0x42}, sleb(n)...) }

func code(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

func sleb(n int64) (b []byte) {
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func vec(b []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b))), b...) }

func section(id byte, count int, items ...[]byte) []byte {
	if count == 0 {
		return nil
	}
	body := slices.Concat(binary.AppendUvarint(nil, uint64(count)), slices.Concat(items...))
	return append([]byte{id}, vec(body)...)
}

// bytes is the binary form.
func (m module) bytes() []byte {
	var imports, funcs, exports, codes [][]byte
	for _, f := range m.imports {
		imports = append(imports, slices.Concat(vec([]byte(f.module)), vec([]byte(f.name)), []byte{0, f.typ}))
	}
	if !m.noMem {
		exports = append(exports, append(vec([]byte("memory")), 2, 0))
	}
	for i, f := range m.funcs {
		funcs = append(funcs, []byte{f.typ})
		codes = append(codes, vec(slices.Concat([]byte{0}, f.body, []byte{opEnd})))
		if f.name != "" {
			exports = append(exports, append(vec([]byte(f.name)), 0, byte(len(m.imports)+i)))
		}
	}
	pages := m.pages
	if pages == 0 {
		pages = 16
	}
	b := slices.Concat([]byte("\x00asm\x01\x00\x00\x00"),
		append([]byte{1}, vec(typeSection)...),
		section(2, len(imports), imports...),
		section(3, len(funcs), funcs...),
		section(4, len(m.tables), m.tables...),
		section(5, 1, []byte{0, pages}),
		section(7, len(exports), exports...))
	if m.start > 0 {
		b = append(b, 8, 1, byte(m.start))
	}
	b = append(b, section(10, len(codes), codes...)...)
	if m.data != "" {
		b = append(b, section(11, 1, []byte{0}, i32Const(dataAt), []byte{opEnd}, vec([]byte(m.data)))...)
	}
	return b
}

var allocFunc = function{name: exportAlloc, typ: tAlloc, body: i32Const(inputAt)}

// packed is the result that names n bytes at ptr.
func packed(ptr, n int) []byte { return i64Const(int64(ptr)<<32 | int64(n)) }

// guest is a module that runs body and then returns the verdict.
func guest(verdict string, body ...any) module {
	return module{data: verdict, funcs: []function{
		allocFunc,
		{name: exportCheck, typ: tCheck, body: code(code(body...), packed(dataAt, len(verdict)))},
	}}
}
