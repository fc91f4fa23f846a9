package wasm

import (
	"bytes"
	"testing"
)

// TestBoundLeavesTheRest checks that a module whose tables are in order is not
// changed.
func TestBoundLeavesTheRest(t *testing.T) {
	for _, m := range []module{guest(allow), table(table(guest(allow), 0x70, 1, 1, 8), 0x6f, 1, 0, 0)} {
		b := m.bytes()
		if got, err := bound(b); err != nil || !bytes.Equal(got, b) {
			t.Errorf("got %x, %v\nwant %x", got, err, b)
		}
	}
}

func FuzzBound(f *testing.F) {
	f.Add(guest(allow).bytes())
	f.Add(table(guest(allow), 0x70, 0, 1).bytes())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x04\x05\x01\x70\x01\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		once, err := bound(b)
		if err != nil {
			return
		}
		if twice, err := bound(once); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%x\nonce  %x\ntwice %x, %v", b, once, twice, err)
		}
	})
}
