package mock

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// page is what a proxy in front of a provider says when it is confused.
const page = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n"

// ending is what follows the last byte of a body.
type ending int

const (
	proper    ending = iota
	closed           // the connection closes inside the body
	reset            // so it does, with a TCP reset
	silence          // nothing, until the client leaves
	unlimited        // proper, but the length is not announced
)

// deliver sends a reply the way b says. It returns how many bytes of the body
// were handed to the network, and an error if the client left before the end.
func deliver(w http.ResponseWriter, r *http.Request, rep reply, b Behaviour) (int, error) {
	announced := len(rep.body)
	switch b.Fault {
	case LengthLong:
		return deliverRaw(w, rep, announced+64)
	case LengthShort:
		return deliverRaw(w, rep, announced/2)
	}
	d := callOf(r).dialect
	rep, end := rep.spoil(b.Fault, d)
	if end == proper || end == unlimited {
		announced = len(rep.body)
	}
	h := w.Header()
	rep.writeHeader(h, d)
	if !rep.stream() && end != unlimited {
		h["Content-Length"] = []string{strconv.Itoa(announced)}
	}
	w.WriteHeader(rep.status)
	sent, err := writeBody(w, r, rep, b)
	if err != nil || end == proper || end == unlimited {
		return sent, err
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return sent, err
	}
	if end == silence {
		return sent, stall(r.Context())
	}
	return sent, hangUp(w, end == reset)
}

// requestIDs are the headers in which providers name a request.
var requestIDs = map[Dialect]string{
	OpenAI: "X-Request-Id", Responses: "X-Request-Id", Anthropic: "Request-Id", Bedrock: "X-Amzn-Requestid",
}

func (r reply) writeHeader(h http.Header, d Dialect) {
	h["Content-Type"] = []string{r.contentType}
	if id, ok := requestIDs[d]; ok {
		h[id] = []string{"req_mock"}
	}
	if r.errorType != "" {
		h["X-Amzn-Errortype"] = []string{r.errorType}
	}
	if r.encoding != "" {
		h["Content-Encoding"] = []string{r.encoding}
	}
	if r.retryAfter > 0 {
		h["Retry-After"] = []string{strconv.Itoa(r.retryAfter)}
	}
}

// writeBody sends the body at once, or in pieces if time or cuts are to lie
// between them. It flushes each piece, so that net/http does not find out the
// length of a short body whose length was not announced.
func writeBody(w http.ResponseWriter, r *http.Request, rep reply, b Behaviour) (int, error) {
	pieces := [][]byte{rep.body}
	switch {
	case b.Chunks != "":
		pieces = b.Chunks.cut(rep.body)
	case b.Gap > 0 && rep.stream():
		pieces = rep.frames
	}
	_, announced := w.Header()["Content-Length"]
	flusher := http.NewResponseController(w)
	sent := 0
	for i, piece := range pieces {
		if i > 0 {
			if err := pause(r.Context(), b.Gap); err != nil {
				return sent, err
			}
		}
		n, err := w.Write(piece)
		sent += n
		if err == nil && (len(pieces) > 1 || !announced) {
			err = flusher.Flush()
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// spoil is the reply as it looks under a fault that changes the body, and how
// the body then ends.
func (r reply) spoil(f Fault, d Dialect) (reply, ending) {
	half := r.half()
	switch f {
	case ResetAfterHeaders:
		return r.with(), reset
	case StallAfterHeaders:
		return r.with(), silence
	case Cut:
		return r.with(half...), closed
	case EndEarly:
		return r.with(half...), unlimited
	case ErrorFirst:
		return r.with(failure(d, r.stream(), 0)), proper
	case ErrorMid:
		if !r.stream() {
			return r.with(failure(d, false, 0)), proper
		}
		return r.with(append(slices.Clip(half), failure(d, true, len(half)))...), proper
	case BadJSON:
		return r.badJSON(half), proper
	case HTML:
		r.contentType = typeHTML
		return r.with([]byte(page)), proper
	case Gzip:
		r.encoding = "gzip"
		return r.with(compress(r.body)), proper
	}
	return r, proper
}

// half is the first half of the events, or of the bytes of another body.
func (r reply) half() [][]byte {
	if len(r.frames) > 1 {
		return r.frames[:len(r.frames)/2]
	}
	return [][]byte{r.body[:len(r.body)/2]}
}

// badJSON cuts the body short, or the event in the middle of a stream.
func (r reply) badJSON(half [][]byte) reply {
	if !r.stream() || len(r.frames) == len(half) {
		return r.with(half...)
	}
	frame := r.frames[len(half)]
	broken := append(slices.Clone(frame[:len(frame)*2/3]), "\n\n"...)
	if r.contentType == typeEvents {
		broken = []byte(eventFrame("event", "contentBlockDelta", `{"contentBlockIndex":0,"del`))
	}
	return r.with(slices.Concat(half, [][]byte{broken}, r.frames[len(half)+1:])...)
}

// with is the reply with another body.
func (r reply) with(frames ...[]byte) reply {
	r.frames = frames
	r.body = bytes.Join(frames, nil)
	return r
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(body) // a buffer takes everything
	z.Close()
	return b.Bytes()
}

// deliverRaw writes the response past net/http, which would not let the length
// be wrong, and closes the connection.
func deliverRaw(w http.ResponseWriter, rep reply, announced int) (int, error) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		rep.status, http.StatusText(rep.status), rep.contentType, announced)
	return conn.Write(rep.body)
}

// hangUp closes the connection, with a TCP reset or without.
func hangUp(w http.ResponseWriter, reset bool) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		err = tcp.SetLinger(0)
	}
	return errors.Join(err, conn.Close())
}

// stall waits until the client leaves.
func stall(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// pause waits for d, or until the client leaves.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
