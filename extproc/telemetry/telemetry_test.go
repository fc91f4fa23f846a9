package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline bounds every wait of these tests. None comes near it.
const deadline = 30 * time.Second

// begun is when all requests of the tests begin.
var begun = time.Date(2026, 11, 21, 13, 30, 0, 5000, time.UTC)

// A witness is a policy that saw what it is told.
type witness struct {
	gateway.NoPolicy
	seen string
}

func (w witness) Seen(gateway.Entry, *gateway.Facts) ([]byte, error) { return []byte(w.seen), nil }

func (w witness) Place(rule string) string {
	if rule == "closed" {
		return "a.rego:7"
	}
	return ""
}

func (w witness) Labels(rule string) map[string]any {
	if rule != "closed" {
		return nil
	}
	return map[string]any{"owner": "security"}
}

// panics is a policy that cannot tell what it saw.
type panics struct{ witness }

func (panics) Seen(gateway.Entry, *gateway.Facts) ([]byte, error) { panic("broken") }

const seen = `{"caller":{"team":"search"},"properties":{"email":"ann@example.org","tenant":"t1"},"request":{"model":"smart"}}`

// allowed is a request that the policy allowed.
func allowed(id string) *gateway.Decided {
	return &gateway.Decided{
		Entry: gateway.EntryRequest, Policy: witness{seen: seen}, Facts: &gateway.Facts{}, Took: 1500 * time.Nanosecond,
		Decision: gateway.Decision{Labels: map[string]string{"cost_center": "search"}, Rules: []string{"cost"}},
		Record:   &gateway.Record{ID: id, Start: begun, Status: 200, Target: "openai/gpt-4o", Revision: "r1", Rules: []string{"cost"}},
	}
}

// denied is one that it denied.
func denied(id string) *gateway.Decided {
	d := allowed(id)
	d.Decision = gateway.Decision{Deny: &gateway.Denial{Code: "closed", Status: 403, Message: "not now", Rule: "closed"}, Rules: []string{"closed"}}
	d.Record.Status, d.Record.Code, d.Record.Target, d.Record.Rules = 403, "closed", "", []string{"closed"}
	return d
}

// all keeps everything.
var all = Filter{Content: ContentProjected, Sample: 1000}

// start opens a log that the test closes.
func start(t testing.TB, o Options) *Decisions {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, d) })
	return d
}

// finish closes a log, which has to be done in time.
func finish(t testing.TB, d *Decisions) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := d.Close(ctx); err != nil {
		t.Error(err)
	}
}

// events reads all of a log.
func events(t testing.TB, path string) (es []*Event) {
	t.Helper()
	files, err := Files(path)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range Read(files...) {
		if err != nil {
			t.Fatal(err)
		}
		es = append(es, e)
	}
	return es
}

func ids(es []*Event) string {
	var s []string
	for _, e := range es {
		s = append(s, e.DecisionID)
	}
	return strings.Join(s, " ")
}

// What stands in events: in full, as the configuration and as the policy say.
func TestEvent(t *testing.T) {
	with := func(d *gateway.Decided, change func(*gateway.Decided)) *gateway.Decided { change(d); return d }
	logs := func(l gateway.LogUse) func(*gateway.Decided) {
		return func(d *gateway.Decided) { d.Record.Log = l }
	}
	tests := []struct {
		name   string
		d      *gateway.Decided
		filter Filter
	}{
		{"allowed", allowed("1"), all},
		{"denied, sampled", denied("2"), Filter{Content: ContentProjected, Sample: 1}},
		{"from the cache", with(allowed("hit"), func(d *gateway.Decided) { d.Record.Cache, d.Record.Target = gateway.CacheHit, "" }), Filter{Content: ContentNone, Sample: 1000}},
		{"no content", allowed("3"), Filter{Content: ContentNone, Sample: 1000}},
		{"meta", with(allowed("4"), logs(gateway.LogUse{Level: gateway.LogMeta})), all},
		{"full where the configuration wants none", with(allowed("5"), logs(gateway.LogUse{Level: gateway.LogFull})), Filter{Content: ContentNone, Sample: 1000}},
		{"redacted", with(allowed("6"), logs(gateway.LogUse{Redact: []string{"/properties/email", "/request/messages", "/user"}})), all},
		{"masked", allowed("7"), Filter{Content: ContentProjected, Sample: 1000, Mask: []string{"/input/properties", "/result/labels/cost_center", "/input/x"}}},
		{"redacted and masked", with(allowed("8"), logs(gateway.LogUse{Redact: []string{"/properties"}})), Filter{Content: ContentProjected, Sample: 1000, Mask: []string{"/input/properties/email"}}},
		{"all masked", allowed("9"), Filter{Content: ContentProjected, Sample: 1000, Mask: []string{"/input", "/result"}}},
		{"failed", with(allowed("10"), func(d *gateway.Decided) {
			d.Err, d.Decision, d.Record.Rules, d.Record.Status, d.Record.Code = errors.New("a.rego:9: broken"), gateway.Decision{}, nil, 500, llm.CodePolicyError
		}), all},
		{"traced", with(allowed("11"), func(d *gateway.Decided) { d.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }), all},
		{"a trace that is none", with(allowed("12"), func(d *gateway.Decided) { d.Trace = "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01" }), all},
		{"a policy that tells nothing", with(allowed("13"), func(d *gateway.Decided) { d.Policy = gateway.NoPolicy{} }), all},
		{"a policy that panics", with(allowed("15"), func(d *gateway.Decided) { d.Policy = panics{} }), all},
		{"too large", with(allowed("14"), func(d *gateway.Decided) {
			d.Policy = witness{seen: `{"request":{"tools":"` + strings.Repeat("x", maxBody) + `"}}`}
		}), all},
	}
	var got strings.Builder
	for _, tt := range tests {
		s := &sink{nil, tt.filter}
		_, body := s.event(tt.d, "gw1")
		if len(body) > maxBody {
			t.Errorf("%s: the event has %d bytes", tt.name, len(body))
		}
		fmt.Fprintf(&got, "# %s\n%s\n", tt.name, body)
	}
	path := filepath.Join("testdata", "events.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("events differ from %s:\n%s", path, got.String())
	}
}

func TestEdit(t *testing.T) {
	const doc = `{"a":{"b":[1,{"c":"x"}],"d/e":12345678901234567890},"~":1}`
	for pointer, want := range map[string]string{
		"/a/b/1/c": `{"a":{"b":[1,{}],"d/e":12345678901234567890},"~":1}`,
		"/a/b/0":   `{"a":{"b":[null,{"c":"x"}],"d/e":12345678901234567890},"~":1}`,
		"/a/d~1e":  `{"a":{"b":[1,{"c":"x"}]},"~":1}`,
		"/~0":      `{"a":{"b":[1,{"c":"x"}],"d/e":12345678901234567890}}`,
		"":         `null`,
		"/a/b/2":   doc, "/a/b/-1": doc, "/a/b/x": doc, "/b": doc, "a": doc, "/~0/x": doc, "/": doc,
	} {
		got, done := edit(json.RawMessage(doc), []string{pointer}, func(m map[string]any, k string) { delete(m, k) }, nil)
		if string(got) != want || (len(done) == 1) != (want != doc) {
			t.Errorf("%q: %s, %v", pointer, got, done)
		}
	}
	if got, done := edit(json.RawMessage(`{"a`), []string{"/a"}, nil, nil); got != nil || len(done) != 1 {
		t.Errorf("what cannot be read is left: %s", got)
	}
}

// Which decisions make an event.
func TestKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.jsonl")
	d := start(t, Options{File: path})
	none := d.With(Filter{Content: ContentNone, Sample: 0})
	noTarget, failed, silent, secret := allowed("no-target"), allowed("failed"), allowed("silent"), denied("secret")
	noTarget.Record.Code = llm.CodeNoTarget
	failed.Err = errors.New("broken")
	silent.Record.Log.Level, secret.Record.Log.Level = gateway.LogNone, gateway.LogNone
	after, broke, call := allowed("after"), allowed("broke"), denied("call")
	after.Entry, broke.Entry, call.Entry = gateway.EntryResponse, gateway.EntryResponse, gateway.EntryAdmin
	broke.Err = errors.New("broken")
	for _, decided := range []*gateway.Decided{allowed("allowed"), denied("denied"), noTarget, failed, secret, after, broke, call} {
		none.Decided(decided)
	}
	d.With(all).Decided(silent)
	d.With(all).Decided(allowed("last"))
	finish(t, d)
	if got, want := ids(events(t, path)), "denied no-target failed secret broke call last"; got != want {
		t.Errorf("events of %s, want %s", got, want)
	}
}

// A sample has its share of requests, and larger samples have those of smaller
// ones.
func TestSampled(t *testing.T) {
	const n = 100_000
	for _, permille := range []int64{0, 1, 10, 100, 125, 500, 999, 1000} {
		var in int64
		for i := range n {
			id := fmt.Sprintf("%040x", i)
			yes := sampled(id, permille)
			if yes {
				in++
			}
			if yes != sampled(id, permille) || yes && !sampled(id, permille+100) {
				t.Fatalf("%s is in the sample of %d permille, and is not", id, permille)
			}
		}
		if want := n * permille / 1000; in < want-n/200 || in > want+n/200 || permille%1000 == 0 && in != want {
			t.Errorf("%d of %d are in a sample of %d permille", in, n, permille)
		}
	}
}

// A file that takes nothing holds up nobody: what does not fit is lost and
// counted, and Close ends when it has to.
func TestStuck(t *testing.T) {
	d, err := open(Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	stuck, called := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.put = func(bodies [][]byte) ([][]byte, error) {
		once.Do(func() { close(called) })
		<-stuck
		return bodies, nil
	}
	go d.write()
	s := d.With(all)
	s.Decided(allowed("first"))
	<-called
	for range queueSize + 10 {
		s.Decided(denied("x"))
	}
	if lost, _ := d.Lost(); lost != 10 {
		t.Errorf("%d are lost, want 10", lost)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.Close(gone); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "8192") {
		t.Errorf("Close gave up with %v", err)
	}
	s.Decided(denied("late"))
	if lost, _ := d.Lost(); lost != 11 {
		t.Errorf("after Close %d are lost, want 11", lost)
	}
	close(stuck)
	finish(t, d)
}

// What waits is bounded by its size as well.
func TestQueueBytes(t *testing.T) {
	d, err := open(Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	large := allowed("x")
	large.Facts.Tools = []string{strings.Repeat("x", queueBytes/3)}
	s := d.With(all)
	for range 5 {
		s.Decided(large)
	}
	if lost, _ := d.Lost(); lost != 3 || len(d.queue) != 2 {
		t.Errorf("%d wait, %d are lost", len(d.queue), lost)
	}
	go d.write()
	finish(t, d)
	if w := d.weight.Load(); w != 0 {
		t.Errorf("nothing waits, and weighs %d", w)
	}
}

// A file that fails for a while gets all events afterwards.
func TestRetried(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.jsonl")
	d, err := open(Options{File: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	tries, done := 0, make(chan struct{})
	d.put = func(bodies [][]byte) ([][]byte, error) {
		if tries++; tries == 1 {
			return nil, errors.New("no space left")
		}
		defer close(done)
		return d.file.append(bodies)
	}
	go d.write()
	d.With(all).Decided(allowed("1"))
	<-done
	finish(t, d)
	if lost, _ := d.Lost(); lost != 0 || ids(events(t, path)) != "1" {
		t.Errorf("%d are lost, %s are there", lost, ids(events(t, path)))
	}
}

// Many requests at once, each logged once.
func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.jsonl")
	d := start(t, Options{File: path, MaxSize: 64 << 10, Keep: 100})
	s := d.With(all)
	var wg sync.WaitGroup
	for p := range 8 {
		wg.Go(func() {
			for i := range 100 {
				s.Decided(allowed(fmt.Sprint(p, "-", i)))
			}
		})
	}
	wg.Wait()
	finish(t, d)
	seen := map[string]bool{}
	for _, e := range events(t, path) {
		seen[e.DecisionID] = true
	}
	files, _ := Files(path)
	found, err := Verify(files...)
	if err != nil || len(found) != 1 || found[0].Last != 800 || len(seen) != 800 {
		t.Errorf("%d events, %+v, %v", len(seen), found, err)
	}
}

// BenchmarkDecided is the cost on the request's path.
func BenchmarkDecided(b *testing.B) {
	d, err := open(Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	one := allowed("692067a80123456789abcdef0123456789abcdef")
	one.Facts.Tools = []string{"search", "mail", "calendar"}
	for _, c := range []struct {
		name   string
		sample int64
	}{{"kept", 1000}, {"sampled", 0}} {
		b.Run(c.name, func(b *testing.B) {
			s := d.With(Filter{Content: ContentProjected, Sample: c.sample})
			b.ReportAllocs()
			for b.Loop() {
				each := *one // as each request's is
				s.Decided(&each)
				select { // as the writer does, on another core
				case j := <-d.queue:
					d.weight.Add(-j.weight)
				default:
				}
			}
		})
	}
}

// BenchmarkEvent is the cost off the path, without the policy's projection.
func BenchmarkEvent(b *testing.B) {
	s := &sink{nil, all}
	one, c := allowed("692067a80123456789abcdef0123456789abcdef"), newChain()
	b.ReportAllocs()
	for b.Loop() {
		_, body := s.event(one, "gw1")
		c, _ = c.seal([][]byte{body}, false)
	}
}
