//go:build wasip1

package guard

import "unsafe"

//go:wasmimport attache log
func hostLog(level uint32, ptr unsafe.Pointer, n uint32)

// Log writes a line to the gateway's log. The checked text must not be in it.
func Log(level Level, line string) {
	hostLog(uint32(level), unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
}
