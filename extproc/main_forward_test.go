package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// An account is a provider with files: it takes any path and remembers the last
// request.
type account struct {
	*httptest.Server
	last chan received
	hold chan struct{} // where there is one, bodies wait for it
}

// received is a request as it reached the provider.
type received struct {
	method, uri string
	header      http.Header
	length      int64 // as the header says; -1: in chunks
	size        int64 // as it came
	sum         string
}

func newAccount(t *testing.T) *account {
	a := &account{last: make(chan received, 100)}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *account) serve(w http.ResponseWriter, r *http.Request) {
	if a.hold != nil {
		<-a.hold
	}
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err == nil {
		a.last <- received{r.Method, r.RequestURI, r.Header, r.ContentLength, n, fmt.Sprintf("%x", sum.Sum(nil))}
	}
	status := 200
	if s, err := strconv.Atoi(r.URL.Query().Get("status")); err == nil {
		status = s
	}
	kind, body := "application/json; charset=utf-8", `{"id":"file-1", "object":"file"}`
	switch {
	case strings.HasSuffix(r.URL.Path, "/completions"):
		body = `{"object":"text_completion","choices":[{"text":"x"}],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}`
	case strings.HasSuffix(r.URL.Path, "/content"), strings.HasSuffix(r.URL.Path, "/speech"):
		kind, body = "audio/mpeg", strings.Repeat("\xff\xfb\x00", 100_000)
	case status == 404:
		kind, body = "text/plain", "nothing here"
	case r.Method == http.MethodDelete:
		status, body = 204, ""
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// call sends a request of any kind.
func (w *world) call(t *testing.T, method, path string, body io.Reader, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Content-Length" {
			r.ContentLength, _ = strconv.ParseInt(headers[i+1], 10, 64)
		}
	}
	response, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(text), err}
}

func beginForward(t *testing.T, version string) (*world, *account) {
	a := newAccount(t)
	return begin(t, version, fmt.Sprintf("  files: {kind: openai, url: %q, key: key-of-files, models: [old-*]}", a.URL+"/v1"),
		fmt.Sprintf("  keeps: {kind: openai, url: %q, key: key-of-keeps, dialect: responses}", a.URL+"/v1"),
		"forward: {provider: files}"), a
}

// TestForward sends what the gateway does not translate through a real Envoy.
func TestForward(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			w, account := beginForward(t, version)
			for _, tt := range []struct {
				method, path, body, kind string
				status                   int
				uri                      string
			}{
				{"POST", "/v1/completions", `{"model":"files/old-1","prompt":"x"}`, "application/json", 200, "/v1/completions"},
				{"POST", "/v1/audio/speech", `{"model":"old-tts","input":"x"}`, "application/json", 200, "/v1/audio/speech"},
				{"POST", "/v1/moderations", `{"input":"x"}`, "application/json", 200, "/v1/moderations"},
				{"POST", "/v1/images/edits", "--b\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b", 200, "/v1/images/edits"},
				{"POST", "/v1/files?status=429", "--b", "multipart/form-data; boundary=b", 429, "/v1/files?status=429"},
				{"GET", "/v1/files/f/content?key=clients-secret&limit=2", "", "", 200, "/v1/files/f/content?limit=2"},
				{"GET", "/v1/files/none?status=404", "", "", 404, "/v1/files/none?status=404"},
				{"GET", "/v1/batches?status=401", "", "", 502, "/v1/batches?status=401"},
				{"DELETE", "/v1/files/f", "", "", 204, "/v1/files/f"},
				{"POST", "/v1/files/f?status=500", "", "", 500, "/v1/files/f?status=500"},
				{"GET", "/v1/responses/resp_1?include=x", "", "", 200, "/v1/responses/resp_1?include=x"},
				{"DELETE", "/v1/responses/resp_1/", "", "", 204, "/v1/responses/resp_1"},
				{"POST", "/responses/resp_1/cancel", "", "", 200, "/v1/responses/resp_1/cancel"},
				{"GET", "/v1/responses/resp_1/input_items?limit=1", "", "", 200, "/v1/responses/resp_1/input_items?limit=1"},
				{"POST", "/v1/responses/compact", `{"model":"keeps/m","previous_response_id":"resp_1"}`, "application/json", 200, "/v1/responses/compact"},
			} {
				provider := "files"
				if strings.Contains(tt.path, "/responses/") {
					provider = "keeps"
				}
				var body io.Reader
				headers := []string{"Authorization", "Bearer clients-secret", "Cookie", "clients-secret", "X-Attache-Provider", provider}
				if tt.body != "" {
					body = strings.NewReader(tt.body)
					headers = append(headers, "Content-Type", tt.kind)
				}
				got := w.call(t, tt.method, tt.path, body, headers...)
				if got.err != nil || got.status != tt.status {
					t.Errorf("%s %s: got %d %v %q", tt.method, tt.path, got.status, got.err, got.body)
					continue
				}
				r := <-account.last
				if r.method != tt.method || r.uri != tt.uri || r.header.Get("Authorization") != "Bearer key-of-"+provider || r.header.Get("Content-Type") != tt.kind {
					t.Errorf("%s %s: the provider got %+v", tt.method, tt.path, r)
				}
				for name, values := range r.header {
					if strings.HasPrefix(name, "X-Attache-") && !strings.HasPrefix(name, "X-Attache-Try-") || strings.Contains(strings.Join(values, ""), "secret") {
						t.Errorf("%s %s: the provider got %s: %q", tt.method, tt.path, name, values)
					}
				}
				if row := w.row(t, got); row.target != provider && !strings.HasPrefix(row.target, provider+"/") || row.truncated || row.cancelled || row.counted {
					t.Errorf("%s %s: recorded %+v", tt.method, tt.path, row)
				} else if usage := strings.HasSuffix(tt.path, "/completions"); usage != (row.output == 5 && row.input == 7) {
					t.Errorf("%s %s: recorded %d and %d tokens", tt.method, tt.path, row.input, row.output)
				}
				w.checkForwarded(t, tt.path, got)
			}
		})
	}
}

// checkForwarded looks at what the client got.
func (w *world) checkForwarded(t *testing.T, path string, got answer) {
	t.Helper()
	kind, size := got.header.Get("Content-Type"), len(got.body)
	switch {
	case got.status == 502:
		if !strings.Contains(got.body, "upstream_error") {
			t.Errorf("%s: got %q", path, got.body)
		}
	case got.status == 404:
		if kind != "text/plain" || got.body != "nothing here" {
			t.Errorf("%s: got %s %q", path, kind, got.body)
		}
	case strings.Contains(path, "/content"), strings.Contains(path, "/speech"):
		if kind != "audio/mpeg" || size != 300_000 {
			t.Errorf("%s: got %s, %d bytes", path, kind, size)
		}
	case got.status == 204:
		if size != 0 {
			t.Errorf("%s: got %q", path, got.body)
		}
	default:
		if kind != "application/json; charset=utf-8" || !strings.HasPrefix(got.body, "{") {
			t.Errorf("%s: got %s %q", path, kind, got.body)
		}
	}
}

// TestForwardChain shows that a request that can be sent again falls back, by
// the status alone.
func TestForwardChain(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			w, account := beginForward(t, version)
			got := w.call(t, "POST", "/v1/images/generations", strings.NewReader(`{"model":"dead-o/m,files/old-2","prompt":"x"}`), "Content-Type", "application/json")
			if got.status != 200 || got.body != `{"id":"file-1", "object":"file"}` || got.header.Get("X-Attache-Attempts") != "2" {
				t.Fatalf("got %+v", got)
			}
			if r := <-account.last; r.uri != "/v1/images/generations" || r.length != int64(len(`{"model":"old-2","prompt":"x"}`)) || r.header.Get("Content-Type") != "application/json" {
				t.Errorf("the provider got %+v", r)
			}
		})
	}
}

// The upload of TestUpload: 50 times as long as what the gateway reads.
const uploadSize = 200 << 20

// pseudo is a long body that nobody has to hold. It counts what was taken.
type pseudo struct {
	left  int64
	taken *atomic.Int64
	from  *rand.ChaCha8
}

func newPseudo(size int64) *pseudo {
	return &pseudo{size, new(atomic.Int64), rand.NewChaCha8([32]byte{1})}
}

func (p *pseudo) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n, _ := p.from.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	p.taken.Add(int64(n))
	return n, nil
}

func (p *pseudo) sum() string {
	sum := sha256.New()
	io.Copy(sum, p)
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// TestUpload sends a long file. It is neither read nor kept: Envoy's memory and
// the gateway's stay as they were, and the provider's pace is the client's.
func TestUpload(t *testing.T) {
	want := newPseudo(uploadSize).sum()
	for _, version := range []string{"1.40", "1.39"} {
		for _, length := range []int64{uploadSize, -1} {
			t.Run(fmt.Sprintf("%s/%d", version, length), func(t *testing.T) {
				w, account := beginForward(t, version)
				account.hold = make(chan struct{})
				before := peak(t, w.envoy.PID())
				body := newPseudo(uploadSize)
				headers := []string{"Content-Type", "multipart/form-data; boundary=b"}
				if length > 0 {
					headers = append(headers, "Content-Length", strconv.FormatInt(length, 10))
				}
				done := make(chan answer, 1)
				go func() { done <- w.call(t, "POST", "/v1/files", body, headers...) }()
				stalled := stall(t, body.taken)
				close(account.hold)
				got := <-done
				if got.err != nil || got.status != 200 {
					t.Fatalf("got %+v", got)
				}
				if r := <-account.last; r.length != length || r.size != uploadSize || r.sum != want {
					t.Errorf("the provider got %d bytes, announced as %d", r.size, r.length)
				}
				grown := peak(t, w.envoy.PID()) - before
				t.Logf("the client had sent %d KiB when the provider began to read; Envoy's memory grew by %d KiB at most", stalled>>10, grown>>10)
				if most := int64(uploadSize / 4 * 3); stalled > most || grown > most { // all of it, if it were buffered
					t.Error("that is too much")
				}
			})
		}
	}
}

// stall waits until a client cannot send any more, and returns what it has sent.
func stall(t *testing.T, taken *atomic.Int64) int64 {
	var last, same int64
	eventually(t, "a client that waits", func() bool {
		n := taken.Load()
		if n == last && n > 0 {
			same++
		} else {
			last, same = n, 0
		}
		return same > 10
	})
	return last
}

// peak is the most memory that a process has had, in bytes.
func peak(t *testing.T, pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("memory is measured on Linux alone: ", err)
	}
	for line := range bytes.Lines(status) {
		var kib int64
		if _, err := fmt.Sscanf(string(line), "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatal("no peak of memory")
	return 0
}

// TestUploadIsRefusedEarly shows that who may not upload does not get to send.
func TestUploadIsRefusedEarly(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			w, account := beginForward(t, version)
			got := w.call(t, "POST", "/v1/files", newPseudo(1<<20), "Content-Type", "multipart/form-data; boundary=b",
				"Content-Length", strconv.Itoa(1<<20), "X-Attache-Provider", "a")
			if got.err != nil || got.status != 400 || !strings.Contains(got.body, "x-attache-provider") {
				t.Errorf("got %+v", got)
			}
			// What the gateway reads is still bounded.
			if got := w.call(t, "POST", "/v1/moderations", newPseudo(5<<20), "Content-Type", "application/json"); got.status != 413 {
				t.Errorf("long JSON: got %+v", got)
			}
			if n := len(account.last); n != 0 {
				t.Errorf("the provider got %d requests", n)
			}
		})
	}
}

// TestUploadEnds leaves an upload in the middle, from either side.
func TestUploadEnds(t *testing.T) {
	w, account := beginForward(t, "1.40")
	account.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	body := newPseudo(uploadSize)
	r, err := http.NewRequestWithContext(ctx, "POST", w.url+"/v1/files", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	r.Header.Set("X-Attache-User", "leaves")
	done := make(chan error, 1)
	go func() { _, err := client.Do(r); done <- err }()
	stall(t, body.taken)
	cancel()
	if err := <-done; err == nil {
		t.Error("the client got an answer")
	}
	close(account.hold)
	row := w.rowWhere(t, "user", "leaves")
	if row.status != 0 || !row.cancelled {
		t.Errorf("recorded %+v", row)
	}
}

// TestPaths asks for the same things in all the ways in which clients do.
func TestPaths(t *testing.T) {
	w := begin(t, "1.40")
	const question = `{"model":"a/m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
	for _, tt := range []struct {
		method, path, body string
		header             []string
		status             int
		text               string
	}{
		{"POST", "/v1/messages?beta=true", question, nil, 200, `"type":"message"`},
		{"POST", "/messages/", question, nil, 200, `"type":"message"`},
		{"POST", "/v1/chat/completions/", question, nil, 200, `"chat.completion"`},
		{"POST", "//v1//chat/completions", question, nil, 200, `"chat.completion"`},
		{"POST", "/v1/x/../chat/completions", question, nil, 200, `"chat.completion"`},
		{"POST", "/chat/completions?api-version=1", question, []string{"Content-Type", "application/json; charset=utf-8"}, 200, `"chat.completion"`},
		{"POST", "/v1beta/models/a%2Fm:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`, nil, 200, `"candidates"`},
		{"POST", "/v1beta/models/a%2Fm%3AgenerateContent?key=k", `{"contents":[{"parts":[{"text":"hi"}]}]}`, nil, 200, `"candidates"`},
		{"GET", "/v1/models/", "", nil, 200, `"object":"list"`},
		{"GET", "/models?limit=1", "", nil, 200, `"object":"list"`},
		{"GET", "/v1/models", "", []string{"Anthropic-Version", "2023-06-01"}, 200, `"has_more":false`},
		{"GET", "/v1beta/models", "", nil, 200, `"models":[`},
		{"GET", "/v1/chat/completions", "", nil, 405, `unknown_path`},
		{"OPTIONS", "/v1/chat/completions", "", []string{"Origin", "https://x", "Access-Control-Request-Method", "POST"}, 405, `unknown_path`},
		{"HEAD", "/v1/models", "", nil, 405, ``},
		{"GET", "/", "", nil, 404, `unknown_path`},
		{"GET", "/v1/realtime?model=m", "", []string{"Connection", "upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13", "Sec-Websocket-Key", "eDEyMzQ1Njc4OTAxMjM0NQ=="}, 403, `"unsupported_feature"`},
		{"GET", "/v1/realtime?model=m", "", nil, 400, `unsupported_feature`},
		{"CONNECT", "", "", nil, 404, `unknown_path`},
	} {
		var body io.Reader
		header := tt.header
		if tt.body != "" {
			body = strings.NewReader(tt.body)
			header = slices.Concat([]string{"Content-Type", "application/json", "Anthropic-Version", "2023-06-01"}, header)
			if strings.Contains(tt.path, "chat") {
				header = slices.Concat(header, []string{"Anthropic-Version", ""})
			}
		}
		got := w.call(t, tt.method, tt.path, body, header...)
		if got.err != nil || got.status != tt.status || !strings.Contains(got.body, tt.text) {
			t.Errorf("%s %s: got %d %v %.300q", tt.method, tt.path, got.status, got.err, got.body)
		}
	}
}
