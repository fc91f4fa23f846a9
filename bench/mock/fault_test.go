package mock

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// outcome is what a client sees of a response.
type outcome struct {
	status int
	header http.Header
	body   string
	err    error // of the request or of reading the body
}

func see(t *testing.T, s *Server, path, model string, stream bool) outcome {
	t.Helper()
	body := hi
	if stream {
		body = hiStream
	}
	resp, err := try(deadline(t), s.URL()+path, strings.Replace(body, `"m"`, `"`+model+`"`, 1))
	if err != nil {
		return outcome{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return outcome{resp.StatusCode, resp.Header, string(b), err}
}

// each runs f for both dialects, unary and streamed.
func each(t *testing.T, f func(t *testing.T, s *Server, path string, stream bool)) {
	s := start(t, Options{Name: "a"})
	for _, path := range []string{chatPath, messagesPath} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s stream=%v", path[4:], stream), func(t *testing.T) { f(t, s, path, stream) })
		}
	}
}

// finished says whether a stream ended as its dialect ends one.
func finished(body string) bool {
	return strings.Contains(body, "data: [DONE]\n\n") || strings.Contains(body, "event: message_stop\n")
}

func TestGoodAnswerIsFinished(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		got := see(t, s, path, "m", stream)
		if got.err != nil || got.status != 200 || finished(got.body) != stream || (got.header.Get("Content-Length") == "") != stream {
			t.Errorf("%+v", got)
		}
	})
}

func TestStatuses(t *testing.T) {
	types := map[int][2]string{
		401: {"invalid_request_error", "authentication_error"},
		403: {"invalid_request_error", "permission_error"},
		408: {"invalid_request_error", "api_error"},
		429: {"requests", "rate_limit_error"},
		500: {"server_error", "api_error"},
		503: {"server_error", "api_error"},
		529: {"server_error", "overloaded_error"},
	}
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		for code, want := range types {
			got := see(t, s, path, fmt.Sprintf("m@fault=%d@retry-after=%d", code, code%2*7), stream)
			var body struct {
				Type  string
				Error struct{ Type, Message string }
			}
			if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.err != nil || got.status != code {
				t.Fatalf("%d: %+v, %v", code, got, err)
			}
			i := 0
			if path == messagesPath {
				i = 1
			}
			if body.Error.Type != want[i] || body.Error.Message == "" || (body.Type == "error") != (i == 1) {
				t.Errorf("%d: %s", code, got.body)
			}
			after := map[bool]string{true: "7", false: ""}[code%2 == 1]
			if got := got.header.Get("Retry-After"); got != after {
				t.Errorf("%d: retry-after %q, want %q", code, got, after)
			}
		}
	})
}

func TestRateLimitSaysWhenToRetry(t *testing.T) {
	s := start(t, Options{Behaviour: Behaviour{Fault: Status(429)}})
	if got := see(t, s, chatPath, "m", false); got.header.Get("Retry-After") != "1" {
		t.Errorf("%+v", got)
	}
}

func TestRefuse(t *testing.T) {
	s := start(t, Options{Behaviour: Behaviour{Fault: Refuse}})
	if _, err := net.Dial("tcp", s.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: %v, want refused", err)
	}
	if _, err := net.Listen("tcp", s.Addr()); err == nil {
		t.Error("the address is free for others")
	}
	if _, err := Start(Options{Listen: "localhost:http", Behaviour: Behaviour{Fault: Refuse}}); err == nil {
		t.Error("a name was taken for an address")
	}
}

func TestReset(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		if got := see(t, s, path, "m@fault=reset", stream); !errors.Is(got.err, syscall.ECONNRESET) || got.status != 0 {
			t.Errorf("reset: %+v", got)
		}
	})
}

func TestResetAfterHeaders(t *testing.T) {
	s := start(t, Options{})
	for _, body := range []string{hi, hiStream} {
		conn, r := dial(t, s, strings.Replace(body, `"m"`, `"m@fault=reset-after-headers"`, 1))
		var seen strings.Builder
		_, err := io.Copy(&seen, r)
		conn.Close()
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("error %v, want a reset", err)
		}
		// A reset may overtake the headers in the client's kernel; more than
		// the headers must never come.
		if _, rest, ok := strings.Cut(seen.String(), "\r\n\r\n"); ok && rest != "" {
			t.Errorf("after the headers: %q", rest)
		}
	}
}

// dial sends a chat request over a connection of its own.
func dial(t *testing.T, s *Server, body string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", chatPath, len(body), body)
	return conn, bufio.NewReader(conn)
}

func TestStallBeforeHeaders(t *testing.T) {
	s := start(t, Options{})
	conn, r := dial(t, s, strings.Replace(hi, `"m"`, `"m@fault=stall-before-headers"`, 1))
	if err := s.Wait(deadline(t), func(st Stats) bool { return st.InFlight == 1 }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if b, _ := r.ReadByte(); b != 0 {
		t.Errorf("got %q", b)
	}
	conn.Close()
}

func TestStallAfterHeaders(t *testing.T) {
	for _, body := range []string{hi, hiStream} {
		s := start(t, Options{})
		_, r := dial(t, s, strings.Replace(body, `"m"`, `"m@fault=stall-after-headers"`, 1))
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%+v, %v", resp, err)
		}
		s.Close()
		if b, err := io.ReadAll(resp.Body); len(b) > 0 || err == nil {
			t.Errorf("after the headers: %q, %v", b, err)
		}
	}
}

func TestErrorFirst(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		got := see(t, s, path, "m@fault=error-first", stream)
		if got.err != nil || got.status != 200 || finished(got.body) || !strings.Contains(got.body, `"error":{`) {
			t.Errorf("%+v", got)
		}
		checkFraming(t, got.body, stream, path == chatPath)
		if strings.Count(got.body, "\n\n") > 1 {
			t.Errorf("more than the error: %s", got.body)
		}
	})
}

func TestErrorMid(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		got := see(t, s, path, "m@fault=error-mid@events=10", stream)
		if got.err != nil || got.status != 200 || finished(got.body) {
			t.Errorf("%+v", got)
		}
		checkFraming(t, got.body, stream, path == chatPath)
		content, fault, ok := strings.Cut(got.body, `"error":{`)
		if !ok || stream && streamed(t, content[:strings.LastIndex(content, "\n\n")]) == "" || strings.Count(fault, "\n\n") > 1 {
			t.Errorf("not in the middle: %s", got.body)
		}
	})
}

func TestCut(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		got := see(t, s, path, "m@fault=cut", stream)
		if !errors.Is(got.err, io.ErrUnexpectedEOF) || got.status != 200 || got.body == "" || finished(got.body) {
			t.Errorf("%+v", got)
		}
		if stream && streamed(t, got.body) == "" {
			t.Errorf("no content: %s", got.body)
		}
	})
}

func TestEndEarly(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		got := see(t, s, path, "m@fault=end-early", stream)
		if got.err != nil || got.status != 200 || got.body == "" || finished(got.body) || got.header.Get("Content-Length") != "" {
			t.Errorf("%+v", got)
		}
		if !stream && json.Valid([]byte(got.body)) {
			t.Errorf("whole: %s", got.body)
		}
	})
}

func TestWrongLength(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		whole := see(t, s, path, "mm@fault=length-long", stream)
		if !errors.Is(whole.err, io.ErrUnexpectedEOF) || finished(whole.body) != stream {
			t.Errorf("long: %+v", whole)
		}
		short := see(t, s, path, "m@fault=length-short", stream)
		if short.err != nil || finished(short.body) || len(short.body) != len(whole.body)/2 {
			t.Errorf("short: %+v", short)
		}
	})
}

func TestGzip(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		got := see(t, s, path, "m@fault=gzip", stream)
		if got.err != nil || got.header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%+v", got)
		}
		z, err := gzip.NewReader(strings.NewReader(got.body))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		checkFraming(t, string(body), stream, path == chatPath)
	})
}

func TestBadJSON(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		got := see(t, s, path, "m@fault=bad-json", stream)
		if got.err != nil || got.status != 200 || finished(got.body) != stream {
			t.Errorf("%+v", got)
		}
		broken := 0
		for line := range strings.SplitSeq(got.body, "\n") {
			payload, ok := strings.CutPrefix(line, "data: ")
			if (ok || !stream) && payload != "[DONE]" && !json.Valid([]byte(payload)) {
				broken++
			}
		}
		if broken != 1 {
			t.Errorf("%d broken payloads: %s", broken, got.body)
		}
	})
}

func TestHTML(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		got := see(t, s, path, "m@fault=html", stream)
		if got.err != nil || got.status != 200 || got.header.Get("Content-Type") != typeHTML || got.body != page {
			t.Errorf("%+v", got)
		}
	})
}

// TestGapFlushesEachEvent reads one event while the next is an hour away.
func TestGapFlushesEachEvent(t *testing.T) {
	s := start(t, Options{})
	_, r := dial(t, s, strings.Replace(hiStream, `"m"`, `"m@gap=1h"`, 1))
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || !strings.Contains(line, `"role":"assistant"`) {
		t.Errorf("%q, %v", line, err)
	}
	if got := see(t, s, chatPath, "m@gap=1ms", true); got.err != nil || !finished(got.body) {
		t.Errorf("%+v", got)
	}
}

func TestHugeBody(t *testing.T) {
	each(t, func(t *testing.T, s *Server, path string, stream bool) {
		got := see(t, s, path, "m@bytes=3000000", stream)
		if got.err != nil || len(got.body) < 3000000 {
			t.Errorf("%d bytes, %v", len(got.body), got.err)
		}
	})
}
