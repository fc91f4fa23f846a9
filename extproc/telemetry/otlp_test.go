package telemetry

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A collector keeps the records that it is sent, as far as it answers 200.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	records []*logs.LogRecord
	calls   int
}

func collect(t testing.TB, answer func(call int, w http.ResponseWriter) bool) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var d logs.LogsData
		if err != nil || proto.Unmarshal(body, &d) != nil || r.URL.Path != "/v1/logs" || r.Header.Get("content-type") != "application/x-protobuf" {
			t.Errorf("%s %s: %d bytes, %v", r.Method, r.URL, len(body), err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls++
		if !answer(c.calls, w) {
			return
		}
		for _, resource := range d.ResourceLogs {
			for _, scope := range resource.ScopeLogs {
				c.records = append(c.records, scope.LogRecords...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func take(int, http.ResponseWriter) bool { return true }

// The collector gets each line of the file, and what it is about.
func TestOTLP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.jsonl")
	c := collect(t, take)
	d := start(t, Options{File: path, OTLP: c.URL + "/"})
	traced := denied("2")
	traced.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	d.With(all).Decided(allowed("1"))
	d.With(all).Decided(traced)
	finish(t, d)
	if len(c.records) != 2 {
		t.Fatalf("%d records", len(c.records))
	}
	var lines []string
	for _, r := range c.records {
		lines = append(lines, r.Body.GetStringValue()+"\n")
	}
	if got := strings.Join(lines, ""); got != string(read(t, path)) {
		t.Errorf("the collector has\n%s", got)
	}
	r := c.records[1]
	if r.TimeUnixNano != uint64(begun.UnixNano()) || r.EventName != "attache.decision" || r.SeverityText != "INFO" ||
		hex.EncodeToString(r.TraceId) != "0af7651916cd43dd8448eb211c80319c" || hex.EncodeToString(r.SpanId) != "b7ad6b7169203331" {
		t.Errorf("%v", r)
	}
	attributes := map[string]string{}
	for _, a := range r.Attributes {
		attributes[a.Key] = a.Value.GetStringValue()
	}
	if attributes["decision_id"] != "2" || attributes["outcome.code"] != "closed" {
		t.Errorf("%v", attributes)
	}
	if file, lost := d.Lost(); file != 0 || lost != 0 {
		t.Errorf("%d and %d are lost", file, lost)
	}
}

// Without a file there is a chain all the same.
func TestOTLPAlone(t *testing.T) {
	c := collect(t, take)
	d := start(t, Options{OTLP: c.URL})
	d.With(all).Decided(allowed("1"))
	finish(t, d)
	path := filepath.Join(t.TempDir(), "d.jsonl")
	if len(c.records) != 1 {
		t.Fatalf("%d records", len(c.records))
	}
	write(t, path, []byte(c.records[0].Body.GetStringValue()+"\n"))
	if ids(events(t, path)) != "1" {
		t.Errorf("%v", c.records)
	}
}

// What a collector does not take is tried again where that may help, and counted
// where it does not.
func TestOTLPFailures(t *testing.T) {
	var partial []byte // an ExportLogsServiceResponse
	partial = protowire.AppendTag(partial, 2, protowire.VarintType)
	partial = protowire.AppendVarint(partial, 7)
	partial = protowire.AppendTag(partial, 1, protowire.BytesType)
	partial = protowire.AppendBytes(partial, protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1))

	for _, tt := range []struct {
		name   string
		answer func(call int, w http.ResponseWriter) bool
		calls  int
		lost   int64
	}{
		{"busy once", func(call int, w http.ResponseWriter) bool {
			if call == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return call > 1
		}, 2, 0},
		{"refused", func(_ int, w http.ResponseWriter) bool { w.WriteHeader(http.StatusBadRequest); return false }, 1, 1},
		{"some rejected", func(_ int, w http.ResponseWriter) bool { _, err := w.Write(partial); return err == nil }, 1, 1},
		{"nonsense", func(_ int, w http.ResponseWriter) bool { _, err := w.Write([]byte{0xff, 0xff}); return err == nil }, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := collect(t, tt.answer)
			d := start(t, Options{OTLP: c.URL})
			d.With(all).Decided(allowed("1"))
			finish(t, d)
			if _, lost := d.Lost(); lost != tt.lost || c.calls != tt.calls {
				t.Errorf("%d calls, %d lost", c.calls, lost)
			}
		})
	}
}

// A collector that hangs loses its own copy only, and holds up nobody.
func TestOTLPStuck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.jsonl")
	called, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	c := collect(t, func(int, http.ResponseWriter) bool {
		once.Do(func() { close(called) })
		<-release
		return true
	})
	d := start(t, Options{File: path, OTLP: c.URL})
	d.With(all).Decided(allowed("1"))
	<-called
	line := []*Event{{}}
	for range exportQueue + 3 {
		d.otlp.add(line, [][]byte{[]byte("{}")})
	}
	if _, lost := d.Lost(); lost != 3 {
		t.Errorf("%d are lost, want 3", lost)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-d.ended; cancel() }()
	if err := d.Close(ctx); err == nil || !strings.Contains(err.Error(), "collector") {
		t.Errorf("Close: %v", err)
	}
	close(release)
	if file, lost := d.Lost(); file != 0 || lost < int64(exportQueue)+3 || ids(events(t, path)) != "1" {
		t.Errorf("%d and %d are lost, %s are there", file, lost, ids(events(t, path)))
	}
}
