// Package load sends HTTP/1.1 requests in closed loops and measures the
// answers: each of a number of keep-alive connections sends its next request
// when it has read the whole answer to the last. It knows nothing of what the
// bodies mean; a stream is an answer that takes its time, so that N
// connections asking for paced streams hold N streams open.
//
// A closed loop slows down with its server, so latencies under overload look
// better than clients of an open system would see them.
package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Spec says what to send. URL and either Requests or Duration are required.
type Spec struct {
	URL         string        // http only
	Header      http.Header   // added to Host, Content-Type and Content-Length
	Body        []byte        // posted; without one the request is a GET
	Want        string        // must occur in the body of every answer
	Connections int           // default 1
	Requests    int           // of all connections together; 0 means no limit
	Duration    time.Duration // after which no request starts; 0 means no limit
	Timeout     time.Duration // of one request; default one minute
	Ramp        time.Duration // over which the connections start, evenly
}

// Result is what a run measured. Requests counts the good answers only:
// status 200, read to their end, with Want in them. The times are theirs.
type Result struct {
	Requests   int           `json:"requests"`
	Errors     int           `json:"errors"`
	FirstError string        `json:"first_error,omitempty"`
	Bytes      int64         `json:"bytes"` // of the bodies
	Elapsed    time.Duration `json:"elapsed_ns"`
	Latency    Quantiles     `json:"latency"`    // until the last byte; a new connection is part of it
	FirstByte  Quantiles     `json:"first_byte"` // until the first byte of the body
}

// PerSecond is the rate of good answers.
func (r Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Requests) / r.Elapsed.Seconds()
}

// Run sends requests until the limits of the spec are reached. Failed requests
// are part of the result; the error says that the spec is wrong or that ctx
// ended before the run did.
func Run(ctx context.Context, s Spec) (Result, error) {
	addr, request, err := s.render()
	if err != nil {
		return Result{}, err
	}
	start := time.Now()
	r := &run{spec: s, addr: addr, request: request}
	if s.Duration > 0 {
		r.end = start.Add(s.Duration)
	}
	workers := make([]worker, max(s.Connections, 1))
	var wg sync.WaitGroup
	for i := range workers {
		workers[i].run = r
		wait := s.Ramp * time.Duration(i) / time.Duration(len(workers))
		wg.Go(func() { workers[i].loop(ctx, wait) })
	}
	wg.Wait()
	return sum(workers, time.Since(start)), ctx.Err()
}

// render checks the spec and writes the request all connections send.
func (s Spec) render() (addr string, request []byte, err error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "", nil, fmt.Errorf("load: %w", err)
	}
	if u.Scheme != "http" || u.Host == "" {
		return "", nil, fmt.Errorf("load: %q is not an http URL", s.URL)
	}
	if s.Requests <= 0 && s.Duration <= 0 {
		return "", nil, errors.New("load: neither a number of requests nor a duration")
	}
	addr = u.Host
	if u.Port() == "" {
		addr += ":80"
	}
	h := s.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	method := http.MethodGet
	if len(s.Body) > 0 {
		method = http.MethodPost
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(s.Body)))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, u.RequestURI(), u.Host)
	h.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	b.Write(s.Body)
	return addr, b.Bytes(), nil
}

// run is what the workers share.
type run struct {
	spec    Spec
	addr    string
	request []byte
	end     time.Time // zero: no limit
	started atomic.Int64
}

// next says whether one more request may start.
func (r *run) next(ctx context.Context) bool {
	if ctx.Err() != nil || !r.end.IsZero() && !time.Now().Before(r.end) {
		return false
	}
	return r.spec.Requests <= 0 || r.started.Add(1) <= int64(r.spec.Requests)
}

func sum(workers []worker, elapsed time.Duration) Result {
	res := Result{Elapsed: elapsed}
	var latency, first histogram
	for i := range workers {
		w := &workers[i]
		res.Requests += w.good
		res.Errors += w.errors
		res.Bytes += w.bytes
		if res.FirstError == "" && w.firstError != nil {
			res.FirstError = w.firstError.Error()
		}
		latency.add(&w.latency)
		first.add(&w.firstByte)
	}
	res.Latency, res.FirstByte = latency.quantiles(), first.quantiles()
	return res
}
