package mock

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// client makes a connection for each request, so that none sees what another
// left behind.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}

func post(t *testing.T, url, body string) *http.Response {
	t.Helper()
	resp, err := try(t.Context(), url, body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func try(ctx context.Context, url, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	return client.Do(req)
}

// read is the whole body of the answer to a request.
func read(t *testing.T, url, body string) string {
	t.Helper()
	b, err := io.ReadAll(post(t, url, body).Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// deadline is far beyond what any test needs.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

const (
	chatPath     = "/v1/chat/completions"
	messagesPath = "/v1/messages"
	hi           = `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`
	hiStream     = `{"model":"m","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi"}]}`
)

func TestMissingFieldsAreRefused(t *testing.T) {
	s := start(t, Options{})
	for _, tc := range []struct{ path, body, want string }{
		{chatPath, `{"model":"m","messages":[}`, "not valid JSON"},
		{chatPath, `{"messages":[]}`, "model: field required"},
		{chatPath, `{"model":"m"}`, "messages: field required"},
		{messagesPath, `{"model":"m","messages":[]}`, "max_tokens: field required"},
		{chatPath, `{"model":"m@fault=nonsense","messages":[]}`, "unknown fault"},
		{chatPath, `{"model":"m@events=-1","messages":[]}`, "not a number"},
		{chatPath, `{"model":"m@nonsense=1","messages":[]}`, "unknown setting"},
		{chatPath, `{"model":"m@fault=refuse","messages":[]}`, "cannot be refused"},
		{chatPath, `{"model":"m@replay=none","messages":[]}`, "no recording"},
	} {
		resp := post(t, s.URL()+tc.path, tc.body)
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 400 || !strings.Contains(string(body), tc.want) {
			t.Errorf("%s %s: %d %s, want 400 with %q", tc.path, tc.body, resp.StatusCode, body, tc.want)
		}
	}
}

func TestLargeBodyIsRefused(t *testing.T) {
	s := start(t, Options{})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, chatPath, io.LimitReader(zeros{}, maxBody+1)))
	if w.Code != http.StatusRequestEntityTooLarge || s.Stats().Cancelled != 0 {
		t.Errorf("status %d, %+v", w.Code, s.Stats())
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestDialectBoundsPaths(t *testing.T) {
	for _, tc := range []struct {
		dialect   Dialect
		path      string
		status    int
		anthropic bool
	}{
		{OpenAI, chatPath, 200, false},
		{OpenAI, messagesPath, 404, false},
		{Anthropic, messagesPath, 200, false},
		{Anthropic, chatPath, 404, true},
		{All, chatPath, 200, false},
		{All, messagesPath, 200, false},
		{All, "/v1/nothing", 404, false},
	} {
		s := start(t, Options{Dialect: tc.dialect})
		resp := post(t, s.URL()+tc.path, hi)
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != tc.status {
			t.Errorf("%s %s: status %d", tc.dialect, tc.path, resp.StatusCode)
		}
		if tc.anthropic != strings.HasPrefix(string(body), `{"type":"error"`) {
			t.Errorf("%s %s: error in the wrong dialect: %s", tc.dialect, tc.path, body)
		}
	}
}

func TestModels(t *testing.T) {
	s := start(t, Options{Name: "a"})
	for _, version := range []string{"", "2023-06-01"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/v1/models", nil)
		if version != "" {
			req.Header.Set("Anthropic-Version", version)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var list struct {
			Data    []struct{ ID, Object, Type string }
			HasMore *bool `json:"has_more"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(list.Data) != 2 || list.Data[0].ID != "mock-small" {
			t.Fatalf("models %+v", list)
		}
		if anthropic := version != ""; (list.HasMore != nil) != anthropic || (list.Data[0].Type == "model") != anthropic {
			t.Errorf("version %q: wrong dialect: %+v", version, list)
		}
	}
}

func TestLogAndStats(t *testing.T) {
	s := start(t, Options{Log: 2})
	for _, text := range []string{"one", "two", "three"} {
		read(t, s.URL()+chatPath+"?q="+text, strings.Replace(hi, "hi", text, 1))
	}
	if err := s.Wait(deadline(t), func(st Stats) bool { return st.InFlight == 0 }); err != nil {
		t.Fatal(err)
	}
	log := s.Log()
	if len(log) != 2 || log[0].Path != chatPath+"?q=two" || log[1].Path != chatPath+"?q=three" {
		t.Fatalf("log %+v", log)
	}
	last := log[1]
	if last.Method != "POST" || !bytes.Contains(last.Body, []byte("three")) || last.Header.Get("Content-Type") != typeJSON ||
		!last.Done || last.Cancelled || last.Sent == 0 {
		t.Errorf("entry %+v", last)
	}

	var entries []struct {
		Body string
		Done bool
	}
	getJSON(t, s.URL()+"/_mock/log", &entries)
	if len(entries) != 2 || !strings.Contains(entries[0].Body, "two") || !entries[0].Done {
		t.Errorf("admin log %+v", entries)
	}
	var stats Stats
	getJSON(t, s.URL()+"/_mock/stats", &stats)
	if stats != (Stats{Requests: 3}) {
		t.Errorf("admin stats %+v", stats)
	}
}

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}

func TestBenchKeepsNoLog(t *testing.T) {
	s := start(t, Options{Bench: true})
	read(t, s.URL()+chatPath, hi)
	if n := len(s.Log()); n != 0 {
		t.Errorf("%d entries", n)
	}
	if st := s.Stats(); st.Requests != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestCancelledClientIsCounted(t *testing.T) {
	for _, model := range []string{"m@delay=1h", "m@gap=1h", "m@fault=stall-before-headers", "m@fault=stall-after-headers"} {
		t.Run(model, func(t *testing.T) {
			s := start(t, Options{})
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			left := make(chan struct{})
			go func() {
				defer close(left)
				if resp, err := try(ctx, s.URL()+chatPath, strings.Replace(hiStream, `"m"`, `"`+model+`"`, 1)); err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}()
			if err := s.Wait(deadline(t), func(st Stats) bool { return st.InFlight == 1 }); err != nil {
				t.Fatal("request did not arrive")
			}
			leave()
			<-left
			if err := s.Wait(deadline(t), func(st Stats) bool { return st.Cancelled == 1 && st.InFlight == 0 }); err != nil {
				t.Fatalf("stats %+v", s.Stats())
			}
			if log := s.Log(); !log[0].Cancelled || !log[0].Done {
				t.Errorf("entry %+v", log[0])
			}
		})
	}
}

func TestCloseIsNoCancel(t *testing.T) {
	s, err := Start(Options{Behaviour: Behaviour{Fault: StallBeforeHeaders}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := try(context.Background(), s.URL()+chatPath, hi)
		ended <- err
	}()
	if err := s.Wait(deadline(t), func(st Stats) bool { return st.InFlight == 1 }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := <-ended; err == nil {
		t.Error("the client got an answer")
	}
	if st := s.Stats(); st != (Stats{Requests: 1}) {
		t.Errorf("stats %+v", st)
	}
}
