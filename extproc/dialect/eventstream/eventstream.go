// Package eventstream splits a byte stream into messages of Amazon's event
// stream encoding (application/vnd.amazon.eventstream) and writes such
// messages. The format is described in the Smithy specification, "Amazon Event
// Stream":
//
//	total length    4 bytes, of the whole message, big endian
//	headers length  4 bytes
//	prelude CRC     4 bytes, CRC-32 (IEEE) of the 8 bytes before
//	headers         each: length of the name, name, type, value
//	payload
//	message CRC     4 bytes, CRC-32 of everything before
//
// It knows frames and the types of headers and nothing of what a payload means.
// It keeps the bytes of each message, so that all messages together are the
// stream.
package eventstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// MediaType is the content-type of such a stream.
const MediaType = "application/vnd.amazon.eventstream"

// Errors of a stream that cannot be read any further: behind a broken length
// nothing can be found again.
var (
	ErrTooLong = errors.New("eventstream: message is too long")
	ErrCorrupt = errors.New("eventstream: corrupt message")
)

// Sizes of a message's parts, in bytes.
const (
	preludeSize = 12
	crcSize     = 4
	overhead    = preludeSize + crcSize
	maxHeaders  = 128 << 10 // the specification's limit
)

// A Message is one message. It is valid until the function that got it returns;
// Raw and what points into it until the next call of Split.
type Message struct {
	Raw     []byte // with its prelude and checksums
	Headers []Header
	Payload []byte
}

// Text returns the value of a header that is a string, nil if there is none.
func (m *Message) Text(name string) []byte {
	for _, h := range m.Headers {
		if h.Type == String && string(h.Name) == name {
			return h.Value
		}
	}
	return nil
}

// A Splitter finds the messages in a stream that is cut anywhere into chunks.
type Splitter struct {
	limit   int
	held    []byte // the beginning of a message that is not complete
	spare   []byte // what held was before, while messages point into it
	headers []Header
}

// New returns a Splitter that refuses messages of more than limit bytes.
func New(limit int) *Splitter { return &Splitter{limit: limit} }

// Split takes the next chunk and calls fn for each message that it completes.
func (s *Splitter) Split(chunk []byte, fn func(*Message) error) error {
	buf := chunk
	if len(s.held) > 0 {
		s.held = append(s.held, chunk...)
		buf = s.held
	}
	for len(buf) >= preludeSize {
		size, err := s.size(buf)
		if err != nil {
			return err
		}
		if len(buf) < size {
			break
		}
		if err := s.message(buf[:size:size], fn); err != nil {
			return err
		}
		buf = buf[size:]
	}
	s.held, s.spare = append(s.spare[:0], buf...), s.held
	return nil
}

// Held is the number of bytes that wait for the rest of their message.
func (s *Splitter) Held() int { return len(s.held) }

// size checks a prelude and returns the length of the message.
func (s *Splitter) size(buf []byte) (int, error) {
	total, headers := binary.BigEndian.Uint32(buf), binary.BigEndian.Uint32(buf[4:])
	if crc32.ChecksumIEEE(buf[:8]) != binary.BigEndian.Uint32(buf[8:]) {
		return 0, fmt.Errorf("%w: the checksum of its prelude is wrong", ErrCorrupt)
	}
	switch {
	case int64(total) > int64(s.limit):
		return 0, ErrTooLong
	case total < overhead || headers > total-overhead || headers > maxHeaders:
		return 0, fmt.Errorf("%w: its lengths do not fit", ErrCorrupt)
	}
	return int(total), nil
}

func (s *Splitter) message(raw []byte, fn func(*Message) error) error {
	end := len(raw) - crcSize
	if crc32.ChecksumIEEE(raw[:end]) != binary.BigEndian.Uint32(raw[end:]) {
		return fmt.Errorf("%w: its checksum is wrong", ErrCorrupt)
	}
	payload := preludeSize + int(binary.BigEndian.Uint32(raw[4:]))
	var err error
	if s.headers, err = parseHeaders(s.headers[:0], raw[preludeSize:payload]); err != nil {
		return err
	}
	return fn(&Message{Raw: raw, Headers: s.headers, Payload: raw[payload:end:end]})
}

// A Field is a header that is a string.
type Field struct{ Name, Value string }

// Begin appends the beginning of a message, up to its payload. The payload is
// appended next; End, which is told where the message began, completes it.
// Names may have 255 bytes, values 65535.
func Begin(dst []byte, headers ...Field) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, preludeSize)...)
	for _, h := range headers {
		dst = append(append(dst, byte(len(h.Name))), h.Name...)
		dst = binary.BigEndian.AppendUint16(append(dst, byte(String)), uint16(len(h.Value)))
		dst = append(dst, h.Value...)
	}
	binary.BigEndian.PutUint32(dst[start+4:], uint32(len(dst)-start-preludeSize))
	return dst
}

// End completes the message that began at start: its lengths and checksums.
func End(dst []byte, start int) []byte {
	m := dst[start:]
	binary.BigEndian.PutUint32(m, uint32(len(m)+crcSize))
	binary.BigEndian.PutUint32(m[8:], crc32.ChecksumIEEE(m[:8]))
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(m))
}
