package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attache-gateway/attache/bench/mock"
	"github.com/attache-gateway/attache/extproc/cli"
	"github.com/attache-gateway/attache/extproc/envoytest"
)

// A world is the real program behind a real Envoy, between a test's client and
// mock providers: o and o2 speak OpenAI's dialect, a and a2 Anthropic's, and
// nobody listens at dead-o and dead-a.
type world struct {
	url       string // of Envoy
	admin     string // host:port of the gateway's health checks
	file      string // attache.yaml
	envoy     *envoytest.Envoy
	providers map[string]*mock.Server
	log       *logbook
	stop      func() // ends the gateway; may be called again
	ledger    *sql.DB
}

// deadline bounds every wait of these tests. None comes near it.
const deadline = 2 * time.Minute

// begin starts a world. The lines are added to its attache.yaml.
func begin(t testing.TB, version string, lines ...string) *world {
	t.Helper()
	return beginIdle(t, version, 4*time.Second, lines...)
}

// beginIdle is begin for tests whose streams are silent for a while.
func beginIdle(t testing.TB, version string, idle time.Duration, lines ...string) *world {
	t.Helper()
	envoytest.Need(t, version)
	w := &world{providers: map[string]*mock.Server{}}
	text := fmt.Sprintf("listen: unix:a.sock\nadmin: 127.0.0.1:0\nledger: {sqlite: ledger.db}\nlog: {level: debug}\nauth: {mode: none}\n"+
		"envoy: {port: 65535, admin: \"127.0.0.1:0\", version: %q, max_request: 4MiB, retry_backoff: 1ms, stream_idle: %s}\nproviders:\n", version, idle)
	for _, name := range []string{"o", "o2", "dead-o", "a", "a2", "dead-a"} {
		text += w.provider(t, name)
	}
	w.file = filepath.Join(t.TempDir(), "attache.yaml")
	write(t, w.file, []byte(text+strings.Join(lines, "\n")))
	w.serve(t)
	w.envoy = envoytest.Start(t, w.envoyConfig(t), envoytest.Options{Version: version, Concurrency: 2})
	w.url = w.envoy.URL
	w.openLedger(t)
	return w
}

// provider starts a mock provider and returns its line of the configuration.
func (w *world) provider(t testing.TB, name string) string {
	o := mock.Options{Name: name, Dialect: mock.OpenAI, Log: 4096}
	kind, path := "openai", "/v1"
	if strings.Contains(name, "a") && name != "dead-o" {
		o.Dialect, kind, path = mock.Anthropic, "anthropic", ""
	}
	if strings.HasPrefix(name, "dead") {
		o.Behaviour.Fault = mock.Refuse
	}
	s, err := mock.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w.providers[name] = s
	key := "key: key-of-" + name
	if name == "o2" {
		key = "models: [bare-*]" // a server that asks for no key
	}
	return fmt.Sprintf("  %s: {kind: %s, url: \"%s%s\", %s}\n", name, kind, s.URL(), path, key)
}

func environment(string) (string, bool) { return "", false }

// A logbook keeps what the gateway logs.
type logbook struct {
	mu   sync.Mutex
	text []byte
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

var readyLine = regexp.MustCompile(`msg="the gateway is ready".* admin=(\S+)`)

// serve runs attache serve until the test ends or stop is called.
func (w *world) serve(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.log = &logbook{}
	p := cli.Program{Stdout: io.Discard, Stderr: w.log, Env: environment, Context: ctx}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if code := p.Run([]string{"serve", "-c", w.file}); code != 0 {
			t.Errorf("attache serve returned %d: %s", code, w.log)
		}
	}()
	w.stop = func() { cancel(); <-ended }
	t.Cleanup(func() {
		w.stop()
		if t.Failed() {
			t.Logf("the gateway's log:\n%s", w.log)
		}
	})
	w.awaitReady(t)
}

func (w *world) awaitReady(t testing.TB) {
	t.Helper()
	eventually(t, "a gateway that is ready", func() bool {
		found := readyLine.FindStringSubmatch(w.log.String())
		if found != nil {
			w.admin = found[1]
		}
		return found != nil
	})
}

// envoyConfig is what attache envoy prints, with a port of the kernel's choice.
func (w *world) envoyConfig(t testing.TB) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	p := cli.Program{Stdout: &out, Stderr: &errs, Env: environment}
	if code := p.Run([]string{"envoy", "-c", w.file}); code != 0 {
		t.Fatalf("attache envoy returned %d: %s", code, errs.String())
	}
	return bytes.Replace(out.Bytes(), []byte("port_value: 65535"), []byte("port_value: 0"), 1)
}

func (w *world) openLedger(t testing.TB) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(filepath.Dir(w.file), "ledger.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w.ledger = db
}

// A row is what the ledger holds of one exchange.
type row struct {
	status, input, output         int
	target, code, attempts        string
	truncated, cancelled, counted bool
}

// row waits for the exchange that an answer came from.
func (w *world) row(t testing.TB, a answer) row {
	t.Helper()
	id := a.header.Get("X-Attache-Request-Id")
	if id == "" {
		t.Fatalf("the answer names no exchange: %d %v %.300q", a.status, a.header, a.body)
	}
	return w.rowWhere(t, "id", id)
}

// rowWhere waits for the exchange with a value in a column.
func (w *world) rowWhere(t testing.TB, column, value string) (r row) {
	t.Helper()
	query := "SELECT status, input, output, target, code, coalesce(attempts, ''), truncated, cancelled, counted FROM exchanges WHERE " + column + " = ?"
	eventually(t, "a row with "+column+" "+value, func() bool {
		err := w.ledger.QueryRowContext(t.Context(), query, value).
			Scan(&r.status, &r.input, &r.output, &r.target, &r.code, &r.attempts, &r.truncated, &r.cancelled, &r.counted)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			t.Fatal(err)
		}
		return err == nil
	})
	return r
}

// eventually waits until ok is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(deadline); !ok(); <-poll.C {
		if time.Now().After(end) {
			t.Fatalf("there was never %s", what)
		}
	}
}

// await waits until a provider's counts are as they should be.
func await(t testing.TB, s *mock.Server, ok func(mock.Stats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := s.Wait(ctx, ok); err != nil {
		t.Fatalf("the provider's counts stay %+v: %v", s.Stats(), err)
	}
}

// An ask is a client's request.
type ask struct {
	dialect string
	model   string
	stream  bool
	more    string            // members of the body, each with a comma in front
	header  map[string]string // beside what the dialect demands
}

var paths = map[string]string{"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}

func (q ask) body() string {
	return fmt.Sprintf(`{"model":%q,"max_tokens":100,"stream":%t,"messages":[{"role":"user","content":"hi"}]%s}`, q.model, q.stream, q.more)
}

// An answer is what the client gets to see.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // the connection broke, before or inside the body
}

// client opens a connection for each request, so that none is broken by another
// test's fault.
var client = &http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}

// open sends a request and returns when the headers are there.
func (w *world) open(ctx context.Context, q ask) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+paths[q.dialect], strings.NewReader(q.body()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if q.dialect == "anthropic" {
		r.Header.Set("Anthropic-Version", "2023-06-01")
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	return client.Do(r)
}

// do sends a request and reads the whole answer.
func (w *world) do(t testing.TB, q ask) answer {
	t.Helper()
	response, err := w.open(t.Context(), q)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body), err}
}

// doAll sends requests, several at a time.
func (w *world) doAll(t testing.TB, asks []ask) []answer {
	answers := make([]answer, len(asks))
	var sending sync.WaitGroup
	places := make(chan struct{}, 24)
	for i, q := range asks {
		places <- struct{}{}
		sending.Go(func() {
			answers[i] = w.do(t, q)
			<-places
		})
	}
	sending.Wait()
	return answers
}

// outcome says in a word or two what a client makes of an answer:
//
//	good            all of it is there, in the form that was asked for
//	502 code        an error status with a body that the SDK reads
//	error event     a stream that ends with an error in the client's format
//	broken          the connection broke, so that the SDK raises an error
//	clean cut       the answer ends too early, and nothing shows it
//
// The code is the error's code for OpenAI's clients, its type for Anthropic's.
func (q ask) outcome(a answer) string {
	switch {
	case a.err != nil:
		return "broken"
	case a.status != 200:
		code, ok := q.readError(a.body)
		if !ok || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			return fmt.Sprintf("%d not in the client's format: %s %q", a.status, a.header.Get("Content-Type"), a.body)
		}
		return fmt.Sprint(a.status, " ", code)
	case q.stream:
		return q.streamOutcome(a.body)
	case q.complete(a.body):
		return "good"
	}
	return fmt.Sprintf("200 that is none: %.300q", a.body)
}

// readError reads an error as strictly as the SDKs.
func (q ask) readError(body string) (code string, ok bool) {
	var e struct {
		Type  string
		Error struct {
			Type, Message string
			Code          any
		}
	}
	if json.Unmarshal([]byte(body), &e) != nil || e.Error.Message == "" || e.Error.Type == "" {
		return "", false
	}
	if q.dialect == "anthropic" {
		return e.Error.Type, e.Type == "error"
	}
	code, _ = e.Error.Code.(string)
	return code, true
}

// complete reports whether a unary body is an answer.
func (q ask) complete(body string) bool {
	var m struct {
		Choices []struct {
			Message      struct{ Content string }
			FinishReason string `json:"finish_reason"`
		}
		Content    []struct{ Text string }
		StopReason string `json:"stop_reason"`
	}
	if json.Unmarshal([]byte(body), &m) != nil {
		return false
	}
	if q.dialect == "anthropic" {
		return len(m.Content) == 1 && m.Content[0].Text != "" && m.StopReason != ""
	}
	return len(m.Choices) == 1 && m.Choices[0].Message.Content != "" && m.Choices[0].FinishReason != ""
}

func (q ask) streamOutcome(body string) string {
	events := strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
	name, data, _ := strings.Cut(events[len(events)-1], "data: ")
	if _, ok := q.readError(data); ok {
		if q.dialect == "anthropic" && name != "event: error\n" {
			return "an error that is no error event"
		}
		return "error event"
	}
	if q.dialect == "openai" && data == "[DONE]" || q.dialect == "anthropic" && name == "event: message_stop\n" {
		for _, e := range events {
			if _, data, ok := strings.Cut(e, "data: "); ok && data != "[DONE]" && !json.Valid([]byte(data)) {
				return "spoilt"
			}
		}
		return "good"
	}
	return "clean cut"
}
