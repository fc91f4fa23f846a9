package wasm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Limits of a module. A table costs the host 8 bytes an entry, and neither
// wazero nor the memory limit bounds table.grow: only the table's own maximum
// does, which many compilers leave out.
const (
	maxModule       = 16 << 20 // bytes; wazero compiles 1 MB in 0.2-0.4 s
	maxTables       = 4
	maxTableEntries = 65536
)

// readModule returns the module that the options name, if it is the pinned one,
// with bounds on its tables.
func readModule(o *Options) ([]byte, error) {
	b := o.Module
	if o.Path != "" {
		var err error
		if b, err = readFile(o.Path); err != nil {
			return nil, err
		}
	}
	if len(b) > maxModule {
		return nil, fmt.Errorf("module has more than %d bytes", maxModule)
	}
	digest := sha256.Sum256(b)
	switch got := hex.EncodeToString(digest[:]); {
	case o.SHA256 == "":
		return nil, fmt.Errorf("sha256 is not given; the module's is %s", got)
	case !strings.EqualFold(got, o.SHA256):
		return nil, fmt.Errorf("module has sha256 %s, not %s", got, o.SHA256)
	}
	return bound(b)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxModule+1))
}

// The preamble of a module is the magic and the version; a component has the
// same magic and another version and layer.
// https://webassembly.github.io/spec/core/binary/modules.html#binary-module
// https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
const (
	moduleMagic    = "\x00asm"
	moduleVersion  = 1
	componentLayer = 1 // in the upper half of the version

	sectionTable = 4
)

// bound returns the module with a maximum for every table, and refuses what
// wazero would not refuse, or not clearly. All but the tables is left as it is;
// wazero validates it.
func bound(b []byte) ([]byte, error) {
	if len(b) < 8 || string(b[:4]) != moduleMagic {
		return nil, errors.New("not a WebAssembly module")
	}
	switch v := binary.LittleEndian.Uint32(b[4:]); {
	case v>>16 == componentLayer:
		return nil, errors.New("is a WebAssembly component; build a core module (target wasip1 or wasm32-unknown-unknown)")
	case v != moduleVersion:
		return nil, fmt.Errorf("WebAssembly version %d is not supported", v)
	}
	out := append(make([]byte, 0, len(b)+16), b[:8]...)
	for rest := b[8:]; len(rest) > 0; {
		id := rest[0]
		size, n, err := uleb(rest[1:])
		if err != nil || uint64(size) > uint64(len(rest)-1-n) {
			return nil, errors.New("module is cut short")
		}
		end := 1 + n + int(size)
		if id != sectionTable {
			out = append(out, rest[:end]...)
		} else if out, err = appendTables(out, rest[1+n:end]); err != nil {
			return nil, err
		}
		rest = rest[end:]
	}
	return out, nil
}

// appendTables appends the table section whose contents are s: a count, and for
// each table its element type, a flag that says whether it has a maximum, the
// minimum and the maximum.
func appendTables(out, s []byte) ([]byte, error) {
	count, n, err := uleb(s)
	if err != nil {
		return nil, err
	}
	if count > maxTables {
		return nil, fmt.Errorf("module has %d tables; at most %d are allowed", count, maxTables)
	}
	body := binary.AppendUvarint(nil, uint64(count))
	s = s[n:]
	for i := range count {
		if body, s, err = appendTable(body, s); err != nil {
			return nil, fmt.Errorf("table %d: %w", i, err)
		}
	}
	if len(s) > 0 {
		return nil, errors.New("table section is too long")
	}
	out = binary.AppendUvarint(append(out, sectionTable), uint64(len(body)))
	return append(out, body...), nil
}

// appendTable appends the first table in s with its maximum clipped, so that
// table.grow beyond it returns -1 to the guest. It returns what follows in s.
func appendTable(out, s []byte) (_, rest []byte, err error) {
	if len(s) < 2 || s[1] > 1 {
		return nil, nil, errors.New("form is not supported")
	}
	element, hasMost := s[0], s[1] == 1
	least, n, err := uleb(s[2:])
	if err != nil {
		return nil, nil, err
	}
	if least > maxTableEntries {
		return nil, nil, fmt.Errorf("minimum is %d; it must be at most %d", least, maxTableEntries)
	}
	s = s[2+n:]
	most := uint32(maxTableEntries)
	if hasMost {
		if most, n, err = uleb(s); err != nil {
			return nil, nil, err
		}
		s = s[n:]
	}
	out = binary.AppendUvarint(append(out, element, 1), uint64(least))
	return binary.AppendUvarint(out, uint64(min(most, maxTableEntries))), s, nil
}

// uleb reads an unsigned LEB128 number of 32 bits and returns its length.
func uleb(b []byte) (v uint32, n int, err error) {
	u, n := binary.Uvarint(b)
	if n <= 0 || u > 1<<32-1 {
		return 0, 0, errors.New("malformed number")
	}
	return uint32(u), n, nil
}
