package dialect

import (
	"errors"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/sse"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Streamed reports whether a media type is that of server-sent events.
func Streamed(mediaType string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(mediaType)), sse.MediaType)
}

// A Stream reads a response in server-sent events. Each is a frame.
type Stream struct {
	split  *sse.Splitter
	frames []Frame
}

// NewStream returns a Stream whose events have at most limit bytes each.
func NewStream(limit int) *Stream { return &Stream{split: sse.New(limit)} }

// Read takes the next chunk and returns the frames that it completed. For each
// of them read appends to events, which are emptied first, what it says. An event
// that the end of the stream cuts inside a line says nothing: that the stream is
// not complete is found out anyway. Another that cannot be read is an *llm.Error.
func (s *Stream) Read(dialect string, chunk []byte, eos bool, events *[]llm.Event, read func(sse.Event) error) ([]Frame, error) {
	s.frames, *events = s.frames[:0], (*events)[:0]
	err := s.split.Split(chunk, eos, func(e sse.Event) error {
		from := len(*events)
		if err := read(e); err != nil {
			if last := e.Raw[len(e.Raw)-1]; last == '\n' || last == '\r' {
				return err
			}
			*events = (*events)[:from]
		}
		s.frames = append(s.frames, Frame{Raw: e.Raw, Events: (*events)[from:len(*events):len(*events)]})
		return nil
	})
	switch {
	case errors.Is(err, sse.ErrTooLong):
		return s.frames, TooLarge()
	case err != nil:
		return s.frames, NotValid(dialect)
	}
	return s.frames, nil
}
