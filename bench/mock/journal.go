package mock

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync"
)

const adminPrefix = "/_mock/"

// Stats count requests since the start.
type Stats struct {
	Requests  int `json:"requests"`
	InFlight  int `json:"in_flight"`
	Cancelled int `json:"cancelled"` // the client left before the end
}

// An Entry is one request as it was received.
type Entry struct {
	Method    string      `json:"method"`
	Path      string      `json:"path"` // with the query
	Header    http.Header `json:"header"`
	Body      []byte      `json:"-"`
	Sent      int         `json:"sent"` // bytes of the response body, before its transfer coding
	Done      bool        `json:"done"`
	Cancelled bool        `json:"cancelled"`
}

// MarshalJSON writes the body as text.
func (e Entry) MarshalJSON() ([]byte, error) {
	type plain Entry
	return json.Marshal(struct {
		plain
		Body string `json:"body"`
	}{plain(e), string(e.Body)})
}

// journal counts all requests and keeps the last ones.
type journal struct {
	mu      sync.Mutex
	stats   Stats
	keep    int
	entries []*Entry      // oldest first
	changed chan struct{} // closed at the next change; nil if nobody waits
}

// begin notes a request. It returns nil if nothing is kept.
func (j *journal) begin(r *http.Request, body []byte) *Entry {
	var e *Entry
	if j.keep > 0 {
		e = &Entry{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: bytes.Clone(body)}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats.Requests++
	j.stats.InFlight++
	if e != nil {
		if len(j.entries) == j.keep {
			j.entries = append(j.entries[:0], j.entries[1:]...)
		}
		j.entries = append(j.entries, e)
	}
	j.wake()
	return e
}

func (j *journal) end(e *Entry, sent int, cancelled bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats.InFlight--
	if cancelled {
		j.stats.Cancelled++
	}
	if e != nil {
		e.Sent, e.Done, e.Cancelled = sent, true, cancelled
	}
	j.wake()
}

func (j *journal) wake() {
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// Stats returns the counts.
func (s *Server) Stats() Stats {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.stats
}

// Log returns the last requests, oldest first.
func (s *Server) Log() []Entry {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	entries := make([]Entry, len(s.journal.entries))
	for i, e := range s.journal.entries {
		entries[i] = *e
	}
	return entries
}

// Wait returns when the counts satisfy ok, or with the error of ctx.
func (s *Server) Wait(ctx context.Context, ok func(Stats) bool) error {
	j := &s.journal
	for {
		j.mu.Lock()
		if ok(j.stats) {
			j.mu.Unlock()
			return nil
		}
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		changed := j.changed
		j.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// admin serves the log and the counts to shell scripts.
func (s *Server) admin(w http.ResponseWriter, r *http.Request) {
	var v any
	switch r.URL.Path {
	case adminPrefix + "log":
		v = s.Log()
	case adminPrefix + "stats":
		v = s.Stats()
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", typeJSON)
	json.NewEncoder(w).Encode(v) // fails only if the client left
}
