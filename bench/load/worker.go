package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxBody bounds the body of an answer, in bytes.
const maxBody = 512 << 20

// worker is one connection. It writes and reads without the transport of
// net/http, whose goroutines and hand-overs would cost as much as the rest.
type worker struct {
	run    *run
	conn   net.Conn
	reader *bufio.Reader
	body   []byte

	good, errors       int
	firstError         error
	bytes              int64
	latency, firstByte histogram
}

// loop sends requests until the run is over. After an error it goes on with a
// new connection, and after one that came at once it takes a breath.
func (w *worker) loop(ctx context.Context, wait time.Duration) {
	defer w.hangUp()
	w.sleep(ctx, wait)
	for w.run.next(ctx) {
		start := time.Now()
		first, err := w.exchange(ctx)
		end := time.Now()
		if err != nil {
			w.hangUp()
			if ctx.Err() != nil {
				return
			}
			w.fail(err)
			w.sleep(ctx, 10*time.Millisecond-end.Sub(start))
			continue
		}
		w.good++
		w.latency.record(end.Sub(start))
		w.firstByte.record(first.Sub(start))
	}
}

func (w *worker) fail(err error) {
	w.errors++
	if w.firstError == nil {
		w.firstError = err
	}
}

func (w *worker) hangUp() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

func (w *worker) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// exchange sends one request and reads the whole answer. It returns the time
// of the first byte of the body.
func (w *worker) exchange(ctx context.Context) (first time.Time, err error) {
	timeout := w.run.spec.Timeout
	if timeout <= 0 {
		timeout = time.Minute
	}
	deadline := time.Now().Add(timeout)
	if w.conn == nil {
		dialer := net.Dialer{Deadline: deadline}
		if w.conn, err = dialer.DialContext(ctx, "tcp", w.run.addr); err != nil {
			return first, err
		}
		w.reader = bufio.NewReaderSize(w.conn, 64<<10)
	}
	w.conn.SetDeadline(deadline)
	conn := w.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write(w.run.request); err != nil {
		return first, err
	}
	resp, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		return first, err
	}
	first, err = w.read(resp.Body)
	switch {
	case err != nil:
		return first, err
	case resp.StatusCode != http.StatusOK:
		return first, fmt.Errorf("status %d: %.200s", resp.StatusCode, w.body)
	case !bytes.Contains(w.body, []byte(w.run.spec.Want)):
		return first, fmt.Errorf("%q is not in the answer: %.200s", w.run.spec.Want, w.body)
	case resp.Close:
		w.hangUp()
	}
	return first, nil
}

// read keeps the body in w.body.
func (w *worker) read(body io.Reader) (first time.Time, err error) {
	w.body = w.body[:0]
	for {
		if len(w.body) == cap(w.body) {
			w.body = append(w.body, 0)[:len(w.body)]
		}
		n, err := body.Read(w.body[len(w.body):cap(w.body)])
		w.body = w.body[:len(w.body)+n]
		w.bytes += int64(n)
		if first.IsZero() && (n > 0 || err != nil) {
			first = time.Now()
		}
		if err == io.EOF {
			return first, nil
		}
		if err == nil && len(w.body) > maxBody {
			err = errors.New("the answer is too large")
		}
		if err != nil {
			return first, err
		}
	}
}
