package wasm

import (
	"encoding/binary"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// The layout of the input frame, little-endian; see wasm-plugins/ABI.md.
const (
	frameMagic  = "ATG1"
	headerSize  = 28
	segmentSize = 16

	flagEOS     = 1 // no text follows
	flagContext = 2 // the first bytes were seen before
)

var phaseCodes = map[gateway.Phase]uint16{gateway.PhaseRequest: 1, gateway.PhaseResponse: 2, gateway.PhaseStream: 3}

// roleCodes has no code for roles that the ABI does not know: they are 0.
var roleCodes = map[llm.Role]byte{llm.RoleSystem: 1, llm.RoleUser: 2, llm.RoleAssistant: 3}

// A frame is the input of one check.
type frame struct {
	phase    gateway.Phase
	flags    uint16
	meta     []byte
	segments []gateway.Segment
	blob     int // bytes of text
}

// set describes t. It keeps the buffer of the frame before.
func (f *frame) set(t *gateway.Text) {
	m := append(f.meta[:0], `{"model":`...)
	m = jsonx.AppendString(m, t.Model)
	m = append(m, `,"request_id":`...)
	m = jsonx.AppendString(m, t.RequestID)
	m = append(m, `,"tenant_hash":`...)
	m = jsonx.AppendString(m, t.Tenant)
	f.phase, f.flags = t.Phase, 0
	if !t.More {
		f.flags |= flagEOS
	}
	if t.Seen {
		f.flags |= flagContext
	}
	f.meta, f.segments, f.blob = append(m, '}'), t.Segments, 0
	for i := range f.segments {
		f.blob += len(f.segments[i].Text)
	}
}

func (f *frame) size() int {
	return headerSize + segmentSize*len(f.segments) + len(f.meta) + f.blob
}

// write fills b, which has f.size() bytes.
func (f *frame) write(b []byte) {
	le := binary.LittleEndian
	metaAt := headerSize + segmentSize*len(f.segments)
	blobAt := metaAt + len(f.meta)

	copy(b, frameMagic)
	le.PutUint16(b[4:], phaseCodes[f.phase])
	le.PutUint16(b[6:], f.flags)
	le.PutUint32(b[8:], uint32(len(f.segments)))
	le.PutUint32(b[12:], uint32(metaAt))
	le.PutUint32(b[16:], uint32(len(f.meta)))
	le.PutUint32(b[20:], uint32(blobAt))
	le.PutUint32(b[24:], uint32(f.blob))
	copy(b[metaAt:], f.meta)

	off := 0
	for i := range f.segments {
		s, h := &f.segments[i], b[headerSize+segmentSize*i:]
		le.PutUint32(h, uint32(i))
		h[4], h[5] = roleCodes[s.Role], byte(s.Kind)
		le.PutUint16(h[6:], 0)
		le.PutUint32(h[8:], uint32(off))
		le.PutUint32(h[12:], uint32(len(s.Text)))
		off += copy(b[blobAt+off:], s.Text)
	}
}
