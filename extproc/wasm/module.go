package wasm

import (
	"bytes"
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
// does.
const (
	maxModule       = 16 << 20 // bytes; wazero compiles 1 MB in 0.2-0.4 s
	maxTables       = 4
	maxTableEntries = 65536
)

// readModule returns the module that the options name, if it is the pinned one.
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
	return b, inspect(b)
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

// inspect refuses what wazero would not refuse, or not clearly. It looks at no
// more than the tables; all the rest is validated by wazero.
func inspect(b []byte) error {
	if len(b) < 8 || string(b[:4]) != moduleMagic {
		return errors.New("not a WebAssembly module")
	}
	switch v := binary.LittleEndian.Uint32(b[4:]); {
	case v>>16 == componentLayer:
		return errors.New("is a WebAssembly component; build a core module (target wasip1 or wasm32-unknown-unknown)")
	case v != moduleVersion:
		return fmt.Errorf("WebAssembly version %d is not supported", v)
	}
	r := bytes.NewReader(b[8:])
	for r.Len() > 0 {
		id, _ := r.ReadByte()
		size, err := uleb(r)
		if err != nil || int(size) > r.Len() {
			return errors.New("module is cut short")
		}
		at := len(b) - r.Len()
		if id == sectionTable {
			if err := checkTables(bytes.NewReader(b[at : at+int(size)])); err != nil {
				return err
			}
		}
		_, _ = r.Seek(int64(size), io.SeekCurrent)
	}
	return nil
}

// checkTables reads a table section: a count, and for each table its element
// type, a flag for the maximum, the minimum and the maximum.
func checkTables(r *bytes.Reader) error {
	n, err := uleb(r)
	if err != nil {
		return err
	}
	if n > maxTables {
		return fmt.Errorf("module has %d tables; at most %d are allowed", n, maxTables)
	}
	for i := range n {
		if err := checkTable(r); err != nil {
			return fmt.Errorf("table %d: %w", i, err)
		}
	}
	return nil
}

func checkTable(r *bytes.Reader) error {
	_, _ = r.ReadByte() // element type: wazero checks it
	flags, err := r.ReadByte()
	if err != nil {
		return errors.New("cut short")
	}
	switch flags {
	case 0:
		return fmt.Errorf("has no maximum; it must be at most %d", maxTableEntries)
	case 1:
	default:
		return fmt.Errorf("limits flag %#x is not supported", flags)
	}
	least, err := uleb(r)
	if err != nil {
		return err
	}
	most, err := uleb(r)
	if err != nil {
		return err
	}
	if least > maxTableEntries || most > maxTableEntries {
		return fmt.Errorf("minimum %d, maximum %d; both must be at most %d", least, most, maxTableEntries)
	}
	return nil
}

// uleb reads an unsigned LEB128 number of 32 bits.
func uleb(r *bytes.Reader) (uint32, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil || n > 1<<32-1 {
		return 0, errors.New("malformed number")
	}
	return uint32(n), nil
}
