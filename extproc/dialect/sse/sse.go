// Package sse splits a byte stream into server-sent events, as the HTML
// standard describes them (section 9.2.6, "Interpreting an event stream").
//
// It knows lines and fields and nothing of what an event's data means. It keeps
// the bytes of each event, comments and blank lines included, so that all
// events together are the stream.
package sse

import (
	"bytes"
	"errors"
)

// MediaType is that of an event stream.
const MediaType = "text/event-stream"

// ErrTooLong is an event longer than the limit.
var ErrTooLong = errors.New("sse: event is too long")

// An Event is one event. Raw is valid until the next call of Split, Name and
// Data until the function that got the event returns.
type Event struct {
	Raw  []byte // with the blank line that ends it
	Name []byte // the event field; empty if there is none
	Data []byte // the data lines, joined by line feeds; nil if there are none
}

// A Splitter finds the events in a stream that is cut anywhere into chunks.
type Splitter struct {
	limit   int
	started bool   // past the byte order mark
	held    []byte // the beginning of an event that is not complete
	spare   []byte // what held was before, while events point into it
	scanned int    // bytes of held that were searched for its end
	joined  []byte // data of an event with several data lines
}

// New returns a Splitter that refuses events of more than limit bytes.
func New(limit int) *Splitter { return &Splitter{limit: limit} }

// Split takes the next chunk and calls fn for each event that it completes. At
// the end of the stream what is left is an event too, although the standard
// drops it: providers forget the last blank line.
func (s *Splitter) Split(chunk []byte, eos bool, fn func(Event) error) error {
	buf := chunk
	if len(s.held) > 0 {
		s.held = append(s.held, chunk...)
		buf = s.held
	}
	from, scan := 0, s.scanned
	for {
		end, next := endOfEvent(buf, scan, eos)
		if end < 0 {
			scan = next
			break
		}
		if end-from > s.limit {
			return ErrTooLong
		}
		if err := fn(s.parse(buf[from:end])); err != nil {
			return err
		}
		from, scan = end, end
	}
	if len(buf)-from > s.limit {
		return ErrTooLong
	}
	if eos && from < len(buf) {
		err := fn(s.parse(buf[from:]))
		s.held = s.held[:0]
		return err
	}
	s.held, s.spare = append(s.spare[:0], buf[from:]...), s.held
	s.scanned = scan - from
	return nil
}

// endOfEvent returns the offset behind the blank line that ends the event at or
// after from, or -1 and where to go on when more has come. A carriage return at
// the very end may be half a line end, so it waits for the next byte.
func endOfEvent(b []byte, from int, eos bool) (end, next int) {
	for i := from; ; {
		n := bytes.IndexByte(b[i:], '\n')
		line := b[i:]
		if n >= 0 {
			line = line[:n]
		}
		if r := bytes.IndexByte(line, '\r'); r >= 0 {
			n = r
		}
		if n < 0 {
			return -1, i
		}
		i += n
		next, ok := lineEnd(b, i, eos)
		if !ok {
			return -1, i
		}
		blank, ok := lineEnd(b, next, eos)
		if !ok {
			return -1, i
		}
		if blank > next {
			return blank, blank
		}
		i = next
	}
}

// lineEnd returns the offset behind the line end at i, or i if there is none.
// It is not ok when the bytes so far do not tell.
func lineEnd(b []byte, i int, eos bool) (end int, ok bool) {
	switch {
	case i >= len(b):
		return i, eos
	case b[i] == '\n':
		return i + 1, true
	case b[i] != '\r':
		return i, true
	case i+1 < len(b) && b[i+1] == '\n':
		return i + 2, true
	}
	return i + 1, i+1 < len(b) || eos
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func (s *Splitter) parse(raw []byte) Event {
	ev := Event{Raw: raw}
	text := raw
	if !s.started {
		s.started = true
		text = bytes.TrimPrefix(text, byteOrderMark)
	}
	lines := 0
	for len(text) > 0 {
		line := text
		if n := bytes.IndexAny(text, "\r\n"); n >= 0 {
			line = text[:n]
			text = bytes.TrimPrefix(text[n:], []byte("\r"))
			text = bytes.TrimPrefix(text, []byte("\n"))
		} else {
			text = nil
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			ev.Name = value
		case "data":
			ev.Data = s.join(ev.Data, value, lines)
			lines++
		}
	}
	return ev
}

// join adds a data line to those before it.
func (s *Splitter) join(data, line []byte, lines int) []byte {
	switch lines {
	case 0:
		return line[:len(line):len(line)]
	case 1:
		s.joined = append(s.joined[:0], data...)
	}
	s.joined = append(append(s.joined, '\n'), line...)
	return s.joined
}
