// Package mock plays LLM providers over plain HTTP/1.1, for tests and
// benchmarks. It knows what OpenAI (chat completions, responses, embeddings,
// models), Anthropic (messages, token counting, models), Google (Gemini's
// content, token counting, embeddings) and Amazon (Bedrock's Converse) put on
// the wire, and how such a provider fails: see Behaviour and Fault. It knows no
// model, and nothing of the gateway in front of it.
//
// Answers are deterministic. The request decides which one it is:
//
//   - tools, and a last message from the user that contains "use tool": a call
//     of the first tool with {"city":"Paris"};
//   - image parts: the text says how many;
//   - a JSON schema for the answer: the text is {"city":"Paris"};
//   - thinking enabled or adaptive, a summary of the reasoning or thoughts asked
//     for (not in chat completions): a thought comes first, with a signature
//     where the dialect has one;
//   - otherwise: "Hello from NAME.", or what Behaviour says.
//
// Input tokens are a quarter of the bytes of the messages, output tokens are
// the pieces in which the answer streams. One answer has the same text and
// usage whether it is streamed or not.
package mock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// maxBody bounds a request body, in bytes.
const maxBody = 64 << 20

// A Dialect is a wire format the provider speaks.
type Dialect string

const (
	OpenAI    Dialect = "openai"
	Responses Dialect = "responses"
	Anthropic Dialect = "anthropic"
	Gemini    Dialect = "gemini"
	Bedrock   Dialect = "bedrock"
	All       Dialect = "all"
)

// Options configure one provider.
type Options struct {
	Name       string                                   // said in answers; default "mock"
	Dialect    Dialect                                  // default All
	Listen     string                                   // host:port; default "127.0.0.1:0"
	Behaviour  Behaviour                                // of every request that does not say otherwise
	Recordings map[string]*Recording                    // by the name Behaviour.Replay uses
	Log        int                                      // requests kept in the log, body included; default 64
	Auth       func(r *http.Request, body []byte) error // of every request; what it returns is answered with 403
	Bench      bool                                     // no log, and bodies are not checked to be valid JSON
}

// Server is one running provider.
type Server struct {
	options Options
	addr    string
	close   func() error
	journal journal
	replies replies
	faults  atomic.Int64 // dealt so far, for Behaviour.Times
	closing atomic.Bool
	bodies  sync.Pool // *bytes.Buffer
}

// Start listens and serves until Close. With the fault Refuse it takes an
// address and lets nobody connect to it.
func Start(o Options) (*Server, error) {
	if o.Name == "" {
		o.Name = "mock"
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Log == 0 {
		o.Log = 64
	}
	if o.Bench {
		o.Log = 0
	}
	switch o.Dialect {
	case "":
		o.Dialect = All
	case All:
	default:
		if _, ok := writers[o.Dialect]; !ok {
			return nil, fmt.Errorf("mock: unknown dialect %q", o.Dialect)
		}
	}
	s := &Server{options: o, journal: journal{keep: o.Log}}
	if o.Behaviour.Fault == Refuse {
		var err error
		if s.addr, s.close, err = refuse(o.Listen); err != nil {
			return nil, err
		}
		return s, nil
	}
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("mock: listen: %w", err)
	}
	server := &http.Server{Handler: s}
	served := make(chan struct{})
	go func() {
		server.Serve(ln) // returns when Close closes the listener
		close(served)
	}()
	s.addr = ln.Addr().String()
	s.close = func() error {
		err := server.Close()
		<-served
		return err
	}
	return s, nil
}

// Addr is the address the provider listens on, host:port.
func (s *Server) Addr() string { return s.addr }

// URL is the provider's address as a URL without a path.
func (s *Server) URL() string { return "http://" + s.addr }

// Close breaks every connection and waits for the handlers. Requests that
// break this way do not count as cancelled.
func (s *Server) Close() error {
	s.closing.Store(true)
	err := s.close()
	s.Wait(context.Background(), func(st Stats) bool { return st.InFlight == 0 })
	return err
}

// ServeHTTP answers one request as the provider.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, adminPrefix) {
		s.admin(w, r)
		return
	}
	body, err := s.read(w, r)
	defer s.release(body)
	entry := s.journal.begin(r, body.Bytes())
	var sent int
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		sent, err = deliver(w, r, errorReply(callOf(r).dialect, http.StatusRequestEntityTooLarge, "the body is too large", 0), Behaviour{})
	} else if err == nil {
		sent, err = s.answer(w, r, body.Bytes())
	}
	s.journal.end(entry, sent, err != nil && !s.closing.Load())
}

// read takes the whole body, up to maxBody.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (*bytes.Buffer, error) {
	buf, _ := s.bodies.Get().(*bytes.Buffer)
	if buf == nil {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	return buf, err
}

// release keeps a buffer for the next request.
func (s *Server) release(buf *bytes.Buffer) {
	if buf.Cap() <= 1<<20 {
		s.bodies.Put(buf)
	}
}

// answer returns how many bytes of the response body were sent, and an error
// if the client left before the end.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, body []byte) (int, error) {
	f := scan(body)
	if c := callOf(r); c.model != "" {
		f.model, f.stream = c.model, c.stream
	}
	if s.options.Auth != nil {
		if err := s.options.Auth(r, body); err != nil {
			return deliver(w, r, errorReply(callOf(r).dialect, http.StatusForbidden, err.Error(), 0), Behaviour{})
		}
	}
	b, err := s.behaviour(f.model, r.Header)
	if err != nil {
		return deliver(w, r, errorReply(callOf(r).dialect, http.StatusBadRequest, err.Error(), 0), Behaviour{})
	}
	if err := pause(r.Context(), b.Delay); err != nil {
		return 0, err
	}
	switch b.Fault {
	case StallBeforeHeaders:
		return 0, stall(r.Context())
	case Reset:
		return 0, hangUp(w, true)
	}
	return deliver(w, r, s.reply(r, body, f, b), b)
}

// behaviour is what the instance, the model's name and the request's headers
// ask for; the later wins.
func (s *Server) behaviour(model string, h http.Header) (Behaviour, error) {
	b := s.options.Behaviour
	if err := errors.Join(b.fromModel(model), b.fromHeader(h)); err != nil {
		return b, err
	}
	if b.Fault == Refuse {
		return b, errors.New("mock: a request cannot be refused once it is here; start the server with fault=refuse")
	}
	if b.Fault != "" && b.Times > 0 && s.faults.Add(1) > int64(b.Times) {
		b.Fault = ""
	}
	return b, nil
}
