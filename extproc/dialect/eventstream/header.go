package eventstream

import (
	"encoding/binary"
	"fmt"
)

// A Type is the type of a header's value.
type Type byte

// The types of headers.
const (
	True Type = iota // has no value
	False
	Byte
	Int16
	Int32
	Int64
	Bytes
	String
	Timestamp // milliseconds since 1970, as an Int64
	UUID
)

// A Header is one header of a message. Value is as it stands in the message:
// big endian, strings without their length.
type Header struct {
	Name  []byte
	Type  Type
	Value []byte
}

// valueSizes are the lengths of values; negative: two bytes before it tell.
var valueSizes = [...]int{True: 0, False: 0, Byte: 1, Int16: 2, Int32: 4, Int64: 8, Bytes: -1, String: -1, Timestamp: 8, UUID: 16}

// parseHeaders appends the headers in b.
func parseHeaders(dst []Header, b []byte) ([]Header, error) {
	for len(b) > 0 {
		h, rest, ok := nextHeader(b)
		if !ok {
			return dst, fmt.Errorf("%w: a header is cut or has a type that is not known", ErrCorrupt)
		}
		dst, b = append(dst, h), rest
	}
	return dst, nil
}

// nextHeader reads the header that b begins with.
func nextHeader(b []byte) (h Header, rest []byte, ok bool) {
	name := int(b[0])
	if name == 0 || len(b) < 1+name+1 {
		return h, nil, false
	}
	h.Name, h.Type = b[1:1+name], Type(b[1+name])
	b = b[1+name+1:]
	if int(h.Type) >= len(valueSizes) {
		return h, nil, false
	}
	size := valueSizes[h.Type]
	if size < 0 {
		if len(b) < 2 {
			return h, nil, false
		}
		size, b = int(binary.BigEndian.Uint16(b)), b[2:]
	}
	if len(b) < size {
		return h, nil, false
	}
	h.Value = b[:size]
	return h, b[size:], true
}
