package mock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// A Recording is one response of a real provider.
type Recording struct {
	Status      int
	ContentType string
	Body        []byte
}

// LoadRecording reads a recording file: a JSON object whose "response" has
// status, headers, kind, and one of body (kind json), raw_lines (sse, ndjson:
// the lines of the body without their line feeds) or body_b64 (eventstream:
// the bytes). It is an error if the file does not hold the bytes as they were
// sent, which is so for the kind chunks.
func LoadRecording(path string) (*Recording, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("mock: recording: %w", err)
	}
	var file struct {
		Response struct {
			Status  int
			Headers map[string]string
			Kind    string
			Body    json.RawMessage
			Lines   []string `json:"raw_lines"`
			Bytes   []byte   `json:"body_b64"`
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("mock: recording %s: %w", path, err)
	}
	r := file.Response
	if r.Status < 200 || r.Status > 599 {
		return nil, fmt.Errorf("mock: recording %s: status %d", path, r.Status)
	}
	rec := &Recording{Status: r.Status, ContentType: r.Headers["content-type"]}
	var usual string
	switch r.Kind {
	case "json":
		rec.Body, usual = r.Body, typeJSON
	case "sse":
		rec.Body, usual = []byte(strings.Join(r.Lines, "\n")), typeSSE
	case "ndjson":
		rec.Body, usual = []byte(strings.Join(r.Lines, "\n")), "application/x-ndjson"
	case "eventstream":
		rec.Body, usual = r.Bytes, typeEvents
	default:
		return nil, fmt.Errorf("mock: recording %s: kind %q does not keep the bytes of the body", path, r.Kind)
	}
	if rec.ContentType == "" {
		rec.ContentType = usual
	}
	return rec, nil
}

// reply is the recording as it was sent. The frames of an event stream end
// with their blank line.
func (r *Recording) reply() reply {
	rep := unary(r.ContentType, r.Body)
	rep.status = r.Status
	if r.ContentType == typeEvents {
		rep.frames = eventFrames(r.Body)
	} else if rep.stream() {
		rep.frames = frames(r.Body)
	}
	return rep
}

func frames(body []byte) (frames [][]byte) {
	for len(body) > 0 {
		n := len(body)
		for _, blank := range []string{"\n\n", "\r\n\r\n"} {
			if i := bytes.Index(body[:n], []byte(blank)); i >= 0 {
				n = i + len(blank)
			}
		}
		frames = append(frames, body[:n])
		body = body[n:]
	}
	return frames
}
