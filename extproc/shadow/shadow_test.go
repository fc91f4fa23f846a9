package shadow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/quick"
	"time"

	"go.uber.org/goleak"

	"github.com/attache-gateway/attache/extproc/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A candidate says what a test wants.
type candidate struct {
	gateway.NoPolicy
	revision string
	decide   func(*gateway.Facts) (gateway.Decision, error)
	seen     string
}

func (c candidate) Decide(_ context.Context, f *gateway.Facts) (gateway.Decision, error) {
	return c.decide(f)
}
func (c candidate) Revision() string                                   { return c.revision }
func (c candidate) Seen(gateway.Entry, *gateway.Facts) ([]byte, error) { return []byte(c.seen), nil }
func (c candidate) Place(string) string                                { return "" }
func (c candidate) Labels(string) map[string]any                       { return nil }

func allow(*gateway.Facts) (gateway.Decision, error) { return gateway.Decision{}, nil }

func start(t *testing.T) *Shadow {
	s := New(slog.New(slog.DiscardHandler))
	t.Cleanup(s.Close)
	return s
}

// await waits until a pair has looked at n decisions.
func await(t *testing.T, p *Pair, n int64) Report {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if r := p.Report(); r.Compared+r.Dropped >= n {
			return r
		}
	}
	t.Fatalf("%+v after 20 s, want %d", p.Report(), n)
	return Report{}
}

var most = int64(7)

func TestDifferences(t *testing.T) {
	failed := errors.New("broken")
	deny := func(code string, status int, rule string) gateway.Decision {
		return gateway.Decision{Deny: &gateway.Denial{Code: code, Status: status, Rule: rule}}
	}
	for _, tt := range []struct {
		name      string
		live      gateway.Decision
		liveErr   error
		candidate gateway.Decision
		err       error
		want      []Kind
	}{
		{name: "nothing"},
		{name: "other rules", live: gateway.Decision{Rules: []string{"a"}}, candidate: gateway.Decision{Rules: []string{"b"}}},
		{name: "fails", err: failed, want: []Kind{NewError}},
		{name: "fails no more", liveErr: failed, candidate: deny("a", 403, ""), want: []Kind{ErrorGone}},
		{name: "both fail", liveErr: failed, err: errors.New("other")},
		{name: "refuses", candidate: deny("a", 403, ""), want: []Kind{NewDeny}},
		{name: "refuses no more", live: deny("a", 403, ""), want: []Kind{DenyGone}},
		{name: "refuses by another rule", live: deny("a", 403, "x"), candidate: deny("a", 403, "y")},
		{name: "another code", live: deny("a", 403, "x"), candidate: deny("b", 403, "x"), want: []Kind{DenyChanged}},
		{name: "another status", live: deny("a", 403, "x"), candidate: deny("a", 429, "x"), want: []Kind{DenyChanged}},
		{name: "both refuse, the rest differs", live: gateway.Decision{Deny: &gateway.Denial{}, Pick: "fastest"}, candidate: gateway.Decision{Deny: &gateway.Denial{}}},
		{name: "route", live: gateway.Decision{Chain: []string{"a"}}, candidate: gateway.Decision{Chain: []string{"b"}}, want: []Kind{Route}},
		{name: "pick", candidate: gateway.Decision{Pick: "cheapest"}, want: []Kind{Route}},
		{name: "modify", candidate: gateway.Decision{Modify: []gateway.Modification{{Path: "max_tokens", Max: &most}}}, want: []Kind{Modify}},
		{name: "several", candidate: gateway.Decision{
			Headers: []gateway.HeaderChange{{Name: "a"}}, Guards: []string{"g"}, Limits: []gateway.Limit{{Per: "key"}},
			Cache: &gateway.CacheUse{Mode: "off"}, Log: gateway.LogUse{Level: "none"}, Labels: map[string]string{"a": "b"},
		}, want: []Kind{Header, Guard, Limit, Cache, Log, Label}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := differences(&tt.live, tt.liveErr, &tt.candidate, tt.err); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// Every field of a decision makes a difference, but those that say which rules it has
// it from.
func TestNothingIsOverlooked(t *testing.T) {
	fields := reflect.TypeFor[gateway.Decision]()
	same := func(d gateway.Decision) bool { return len(differences(&d, nil, &d, nil)) == 0 }
	if err := quick.Check(same, nil); err != nil {
		t.Error("a decision differs from itself:", err)
	}
	random := rand.New(rand.NewSource(1))
	r := reflect.New(fields).Elem()
	for i := range fields.NumField() {
		if name := fields.Field(i).Name; name == "Rules" || name == "Speaks" {
			continue
		}
		other := reflect.New(fields).Elem()
		v, ok := quick.Value(fields.Field(i).Type, random)
		for n := 0; ok && n < 100 && (v.IsZero() || v.Kind() == reflect.Pointer && v.IsNil()); n++ {
			v, ok = quick.Value(fields.Field(i).Type, random)
		}
		other.Field(i).Set(v)
		a, b := r.Interface().(gateway.Decision), other.Interface().(gateway.Decision)
		if len(differences(&a, nil, &b, nil)) == 0 {
			t.Errorf("%s makes no difference", fields.Field(i).Name)
		}
	}
}

// TestSameLimits: that another rule says the same limit is no difference.
func TestSameLimits(t *testing.T) {
	of := func(rule, name string) *gateway.Decision {
		return &gateway.Decision{Limits: []gateway.Limit{{Name: name, Own: true, Per: "key", Requests: 5, By: gateway.Says{Requests: rule}}}}
	}
	a := of("a", "n")
	if got := differences(a, nil, of("b", "n"), nil); len(got) > 0 {
		t.Errorf("of another rule: %v", got)
	}
	if got := differences(a, nil, of("a", "m"), nil); len(got) != 1 || a.Limits[0].By.Requests != "a" {
		t.Errorf("of another name: %v, %+v", got, a)
	}
}

// TestReport: what is compared is counted by kind, with few examples, which have
// only what differs and nothing that is to be redacted.
func TestReport(t *testing.T) {
	s := start(t)
	next := candidate{revision: "r2", seen: `{"user":"ann","properties":{"a/b":"x","c":"y"},"request":{"model":"m"}}`, decide: func(f *gateway.Facts) (gateway.Decision, error) {
		d := gateway.Decision{Pick: "fastest", Labels: map[string]string{"a": "b"}, Rules: []string{"r"}, Log: gateway.LogUse{Redact: []string{"/user", "/properties/a~1b", "/nothing/here"}}}
		if f.Model == "m1" {
			d.Labels = nil
		}
		return d, nil
	}}
	p := s.Pair("r1", next, 1000, time.Second, Show{Input: true})
	live := gateway.Decision{Labels: map[string]string{"a": "b"}, Log: gateway.LogUse{Redact: []string{"/user", "/properties/a~1b", "/nothing/here"}}}
	for i := range 20 {
		p.Compare(fmt.Sprint(i), &gateway.Facts{Model: fmt.Sprintf("m%d", i)}, &live, nil)
	}
	r := await(t, p, 20)
	if r.Live != "r1" || r.Candidate != "r2" || r.Compared != 20 || r.Differ != 20 || r.Kinds[Route] != 20 || r.Kinds[Label] != 1 || len(r.Kinds) != 2 {
		t.Errorf("%+v", r)
	}
	if len(r.Examples[Route]) != maxExamples || len(r.Examples[Label]) != 1 || r.Examples[Label][0].ID != "1" {
		t.Errorf("examples %+v", r.Examples)
	}
	text, err := json.Marshal(r.Examples[Route][0])
	if err != nil {
		t.Fatal(err)
	}
	want := `"live":{"result":{}},"candidate":{"result":{"pick":"fastest","rules":["r"]}},"input":{"properties":{"c":"y"},"request":{"model":"m"}}}`
	if !strings.HasSuffix(string(text), want) {
		t.Errorf("an example is %s", text)
	}
}

// TestShow: examples have no more than may be seen by now, of requests that came
// before as well.
func TestShow(t *testing.T) {
	s := start(t)
	next := candidate{revision: "r2", seen: `{"user":"ann"}`, decide: func(f *gateway.Facts) (gateway.Decision, error) {
		return gateway.Decision{Labels: map[string]string{"user": "ann"}, Log: gateway.LogUse{Level: f.Model}}, nil
	}}
	open := Show{Input: true}
	p := s.Pair("r1", next, 1000, time.Second, open)
	p.Compare("full", &gateway.Facts{Model: "full"}, &gateway.Decision{}, nil)
	p.Compare("meta", &gateway.Facts{Model: "meta"}, &gateway.Decision{}, nil)
	p.Compare("live says meta", &gateway.Facts{}, &gateway.Decision{Log: gateway.LogUse{Level: gateway.LogMeta}}, nil)
	p.Compare("live failed", &gateway.Facts{}, &gateway.Decision{}, errors.New("broken"))
	p.Compare("again", &gateway.Facts{}, &gateway.Decision{}, nil)
	await(t, p, 5)
	mask := func(document json.RawMessage) json.RawMessage {
		return bytes.ReplaceAll(document, []byte(`"ann"`), []byte(`"***"`))
	}
	for _, tt := range []struct {
		name         string
		show         Show
		input, label string
	}{
		{"all", open, `{"user":"ann"}`, `{"labels":{"user":"ann"}`},
		{"no input", Show{}, ``, `{"labels":{"user":"ann"}`},
		{"masked", Show{Input: true, Mask: mask}, `{"user":"***"}`, `{"labels":{"user":"***"}`},
		{"masked, no input", Show{Mask: mask}, ``, `{"labels":{"user":"***"}`},
		{"a mask that fails", Show{Input: true, Mask: func(json.RawMessage) json.RawMessage { return nil }}, ``, ``},
	} {
		r := s.Pair("r1", next, 1000, time.Second, tt.show).Report()
		all := append(r.Examples[Label], r.Examples[ErrorGone]...)
		if len(all) != 5 {
			t.Fatalf("%s: %+v", tt.name, r)
		}
		for _, e := range all {
			want := tt.input
			if e.ID != "full" && e.ID != "again" {
				want = ""
			}
			if string(e.Input) != want || !strings.HasPrefix(string(e.Candidate.Result), tt.label) {
				t.Errorf("%s: %s: input %s, candidate %s", tt.name, e.ID, e.Input, e.Candidate.Result)
			}
		}
	}
}

// TestPairGoesOn: a reload that changes neither policy goes on counting; another
// candidate begins anew.
func TestPairGoesOn(t *testing.T) {
	s := start(t)
	first := s.Pair("r1", candidate{revision: "r2", decide: allow}, 1000, time.Second, Show{Input: true})
	first.Compare("a", &gateway.Facts{}, &gateway.Decision{}, nil)
	await(t, first, 1)
	if r := s.Pair("r1", candidate{revision: "r2", decide: allow}, 1000, time.Second, Show{}).Report(); r.Compared != 1 {
		t.Errorf("the same pair has compared %d", r.Compared)
	}
	for _, other := range [][2]string{{"r1", "r3"}, {"r3", "r2"}} {
		if r := s.Pair(other[0], candidate{revision: other[1], decide: allow}, 1000, time.Second, Show{}).Report(); r.Compared != 0 {
			t.Errorf("another pair has compared %d", r.Compared)
		}
	}
}

// TestOverload: what does not fit the queue is counted and waits for nobody.
func TestOverload(t *testing.T) {
	s := start(t)
	release := make(chan struct{})
	p := s.Pair("r1", candidate{revision: "r2", decide: func(*gateway.Facts) (gateway.Decision, error) {
		<-release
		return gateway.Decision{}, nil
	}}, 1000, time.Second, Show{Input: true})
	const n = 4 * queueSize
	var callers sync.WaitGroup
	for i := range 4 {
		callers.Go(func() {
			for j := range n / 4 {
				p.Compare(fmt.Sprint(i, j), &gateway.Facts{}, &gateway.Decision{}, nil)
			}
		})
	}
	callers.Wait()
	close(release)
	r := await(t, p, n)
	if r.Compared+r.Dropped != n || r.Compared < queueSize || r.Compared > queueSize+1 {
		t.Errorf("of %d, %d were compared and %d dropped", n, r.Compared, r.Dropped)
	}
}

// TestShare: a share of the exchanges is taken.
func TestShare(t *testing.T) {
	p := start(t).Pair("r1", candidate{revision: "r2"}, 100, time.Second, Show{Input: true})
	taken := 0
	for i := range 10_000 {
		if p.Takes(fmt.Sprintf("%040x", i)) {
			taken++
		}
	}
	if taken < 900 || taken > 1100 {
		t.Errorf("%d of 10000 are taken, want about 10 %%", taken)
	}
}

// BenchmarkCompare is what a comparison costs the request.
func BenchmarkCompare(b *testing.B) {
	s := New(slog.New(slog.DiscardHandler))
	defer s.Close()
	p := s.Pair("r1", candidate{revision: "r2", decide: allow}, 1000, time.Second, Show{Input: true})
	f, d := &gateway.Facts{Model: "m"}, &gateway.Decision{}
	b.ReportAllocs()
	for b.Loop() {
		p.Compare("id", f, d, nil)
	}
}
