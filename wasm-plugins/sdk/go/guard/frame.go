package guard

import (
	"encoding/binary"
	"errors"
)

const (
	magic       = "ATG1"
	headerSize  = 28
	segmentSize = 16
)

var errFrame = errors.New("guard: malformed frame")

// Decode reads a frame. What it keeps of it are slices of b.
func (in *Input) Decode(b []byte) error {
	if len(b) < headerSize || string(b[:4]) != magic {
		return errFrame
	}
	le := binary.LittleEndian
	in.Phase, in.Flags = Phase(le.Uint16(b[4:])), le.Uint16(b[6:])
	n := uint64(le.Uint32(b[8:]))
	if headerSize+n*segmentSize > uint64(len(b)) {
		return errFrame
	}
	var blob []byte
	var ok, okBlob bool
	in.Meta, ok = part(b, le.Uint32(b[12:]), le.Uint32(b[16:]))
	blob, okBlob = part(b, le.Uint32(b[20:]), le.Uint32(b[24:]))
	if !ok || !okBlob {
		return errFrame
	}
	in.Segments = in.Segments[:0]
	for h := b[headerSize : headerSize+n*segmentSize]; len(h) > 0; h = h[segmentSize:] {
		text, ok := part(blob, le.Uint32(h[8:]), le.Uint32(h[12:]))
		if !ok {
			return errFrame
		}
		in.Segments = append(in.Segments, Segment{ID: le.Uint32(h), Role: Role(h[4]), Kind: Kind(h[5]), Text: text})
	}
	return nil
}

func part(b []byte, off, n uint32) ([]byte, bool) {
	end := uint64(off) + uint64(n)
	if end > uint64(len(b)) {
		return nil, false
	}
	return b[off:end:end], true
}
