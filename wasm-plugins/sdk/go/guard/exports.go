//go:build wasip1

package guard

import "unsafe"

// buffer is the host's input. The host writes into it between the calls.
var buffer []byte

//go:wasmexport attache_guard_v1_alloc
func exportAlloc(n uint32) uint32 {
	if uint32(cap(buffer)) < n {
		buffer = make([]byte, n)
	}
	buffer = buffer[:n]
	return address(buffer)
}

//go:wasmexport attache_guard_v1_configure
func exportConfigure(_, n uint32) uint64 { return pack(configure(buffer[:n])) }

//go:wasmexport attache_guard_v1_check
func exportCheck(_, n uint32) uint64 { return pack(check(buffer[:n])) }

//go:wasmexport attache_guard_v1_manifest
func exportManifest() uint64 { return pack(manifest()) }

func address(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// kept is what the host reads next; the garbage collector must leave it alone.
var kept []byte

func pack(b []byte) uint64 {
	kept = b
	return uint64(address(b))<<32 | uint64(len(b))
}
