package load

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attache-gateway/attache/bench/mock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, b mock.Behaviour) *mock.Server {
	t.Helper()
	s, err := mock.Start(mock.Options{Behaviour: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRunCountsRequests(t *testing.T) {
	for _, tc := range []struct {
		name string
		mock.Behaviour
		stream bool
		want   string
	}{
		{"unary", mock.Behaviour{}, false, `"finish_reason":"stop"`},
		{"large", mock.Behaviour{Bytes: 200_000}, false, `"finish_reason":"stop"`},
		{"stream", mock.Behaviour{Events: 20}, true, "data: [DONE]"},
		{"chunks", mock.Behaviour{Chunks: mock.Random(1)}, true, "data: [DONE]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, tc.Behaviour)
			res, err := Run(t.Context(), Spec{
				URL: s.URL() + "/v1/chat/completions", Body: Chat("m", 800, tc.stream),
				Want: tc.want, Connections: 4, Requests: 50,
			})
			if err != nil || res.Requests != 50 || res.Errors != 0 {
				t.Fatalf("%+v, %v", res, err)
			}
			if n := s.Stats().Requests; n != 50 {
				t.Errorf("the server saw %d requests", n)
			}
			if res.Bytes == 0 || res.FirstByte.P50 <= 0 || res.FirstByte.P50 > res.Latency.Max || res.Latency.P99 < res.Latency.P50 || res.PerSecond() <= 0 {
				t.Errorf("%+v", res)
			}
		})
	}
}

func TestRunSendsTheRequest(t *testing.T) {
	s := start(t, mock.Behaviour{})
	_, err := Run(t.Context(), Spec{
		URL: s.URL() + "/v1/chat/completions?q=1", Header: http.Header{"X-Key": {"v"}}, Body: Chat("m", 3000, false), Requests: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := s.Log()[0]
	if got.Method != "POST" || got.Path != "/v1/chat/completions?q=1" || got.Header.Get("X-Key") != "v" || len(got.Body) != 3000 {
		t.Errorf("%s %s %v, %d bytes", got.Method, got.Path, got.Header, len(got.Body))
	}
	if _, err := Run(t.Context(), Spec{URL: s.URL() + "/v1/models", Requests: 1}); err != nil || s.Log()[1].Method != "GET" {
		t.Errorf("%+v, %v", s.Log()[1], err)
	}
}

func TestRunCountsErrors(t *testing.T) {
	for _, tc := range []struct {
		fault mock.Fault
		want  string
	}{
		{mock.Status(503), "status 503"},
		{mock.Reset, "connection reset"},
		{mock.Cut, "unexpected EOF"},
		{mock.EndEarly, "is not in the answer"},
		{mock.StallAfterHeaders, "timeout"},
		{mock.Refuse, "refused"},
	} {
		s := start(t, mock.Behaviour{Fault: tc.fault, Times: 1})
		res, err := Run(t.Context(), Spec{
			URL: s.URL() + "/v1/chat/completions", Body: Chat("m", 800, true), Want: "[DONE]", Requests: 3, Timeout: 2 * time.Second,
		})
		good := 2
		if tc.fault == mock.Refuse {
			good = 0
		}
		if err != nil || res.Errors != 3-good || res.Requests != good || !strings.Contains(res.FirstError, tc.want) {
			t.Errorf("%s: %+v, %v", tc.fault, res, err)
		}
	}
}

// TestRunHoldsStreamsOpen ends the run when all streams are open at once.
func TestRunHoldsStreamsOpen(t *testing.T) {
	const streams = 30
	s := start(t, mock.Behaviour{Gap: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := Run(ctx, Spec{
			URL: s.URL() + "/v1/chat/completions", Body: Chat("m", 800, true),
			Connections: streams, Requests: streams, Ramp: 10 * time.Millisecond, Timeout: time.Hour,
		})
		ended <- err
	}()
	wait, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	if err := s.Wait(wait, func(st mock.Stats) bool { return st.InFlight == streams }); err != nil {
		t.Errorf("%+v", s.Stats())
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	if err := s.Wait(wait, func(st mock.Stats) bool { return st.Cancelled == streams }); err != nil {
		t.Errorf("%+v", s.Stats())
	}
}

func TestRunEndsAfterDuration(t *testing.T) {
	s := start(t, mock.Behaviour{})
	res, err := Run(t.Context(), Spec{URL: s.URL() + "/v1/models", Duration: 50 * time.Millisecond, Connections: 2})
	if err != nil || res.Requests == 0 || res.Errors != 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestRunRefusesSpecs(t *testing.T) {
	for _, s := range []Spec{
		{Requests: 1},
		{URL: "https://127.0.0.1/", Requests: 1},
		{URL: "http://127.0.0.1:1/"},
		{URL: "http://%zz/", Requests: 1},
	} {
		if _, err := Run(t.Context(), s); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
}

func TestChat(t *testing.T) {
	for _, size := range []int{0, 800, 64 << 10} {
		body := Chat(`a"b`, size, true)
		var req struct {
			Model    string
			Stream   bool
			Messages []struct{ Content string }
		}
		if err := json.Unmarshal(body, &req); err != nil {
			t.Fatal(err)
		}
		if req.Model != `a"b` || !req.Stream || len(req.Messages) != 1 || size > 0 && len(body) != size {
			t.Errorf("%d bytes of %d: %.200s", len(body), size, body)
		}
	}
}

func TestQuantiles(t *testing.T) {
	var low, high histogram
	for i := 1; i <= 500; i++ {
		low.record(time.Duration(i) * time.Microsecond)
		high.record(time.Duration(500+i) * time.Microsecond)
	}
	low.add(&high)
	q := low.quantiles()
	for name, pair := range map[string][2]time.Duration{
		"p50": {q.P50, 500 * time.Microsecond},
		"p90": {q.P90, 900 * time.Microsecond},
		"p99": {q.P99, 990 * time.Microsecond},
		"max": {q.Max, 1000 * time.Microsecond},
	} {
		if r := float64(pair[0]) / float64(pair[1]); r < 1 || r > growth {
			t.Errorf("%s = %v, want %v or one percent more", name, pair[0], pair[1])
		}
	}
	var edge histogram
	for _, d := range []time.Duration{-1, 0, 1, math.MaxInt64} {
		edge.record(d)
	}
	if edge.total != 4 || edge.quantile(1) == 0 {
		t.Errorf("%d recorded", edge.total)
	}
	if (&histogram{}).quantiles() != (Quantiles{}) {
		t.Error("nothing recorded has quantiles")
	}
}

func TestCPU(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var after time.Duration
	for x := 1.0; after < before+2*tick; { // ends when the kernel has counted this
		for range 1_000_000 {
			x = math.Sqrt(x + 1)
		}
		if after, err = CPU(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	twice, err := CPU(os.Getpid(), os.Getpid())
	if err != nil || twice < 2*after {
		t.Errorf("twice: %v after %v, %v", twice, after, err)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Skip("no command true")
	}
	if _, err := CPU(gone.Process.Pid); err == nil {
		t.Error("a process that ended has a time")
	}
}

func TestParseStat(t *testing.T) {
	for stat, want := range map[string]time.Duration{
		"7 (a) S 1 7 7 0 -1 4194560 1 2 3 4 12 30 5 6 20 0 1 0 9": 420 * time.Millisecond,
		"7 (a) b) ) S 1 7 7 0 -1 4194560 1 2 3 4 1 0 5 6 20":      10 * time.Millisecond,
	} {
		if got, err := parseStat([]byte(stat)); err != nil || got != want {
			t.Errorf("%q: %v, %v", stat, got, err)
		}
	}
	for _, bad := range []string{"", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 4194560 1 2 3 4 x 30 5"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
