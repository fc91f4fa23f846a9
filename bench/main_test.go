package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/bench/load"
	"github.com/attache-gateway/attache/extproc/envoytest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRun measures on the real Envoy, for as short a time as possible.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds attache")
	}
	envoytest.Need(t, envoyVersion)
	var out bytes.Buffer
	err := run(t.Context(), []string{"-rounds", "1", "-duration", "400ms", "-scenario", "small-1,stream", "-json"}, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Cells) != 12 || len(r.Memory) != 3 {
		t.Errorf("%d cells and %d servers: %s", len(r.Cells), len(r.Memory), out.Bytes())
	}
	for _, c := range r.Cells {
		if c.P50 <= 0 || c.P99 < c.P50 {
			t.Errorf("%+v", c)
		}
	}
	for _, m := range r.Memory {
		if m.Envoy <= 0 || (m.Idle > 0) != (m.Server != plainName) {
			t.Errorf("%+v", m)
		}
	}
}

// TestPolicy measures the policy alone, for as short a time as possible.
func TestPolicy(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-rounds", "1", "-duration", "50ms", "-scenario", "policy", "-json"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Policies) != 3 || r.Reload == nil || r.Reload.Slow <= 0 || r.Cells != nil {
		t.Fatalf("%s", out.Bytes())
	}
	for i, rules := range []int{15, 65, 515} {
		p := r.Policies[i]
		if p.Rules != rules || p.CPU <= 0 || p.Allocs < 100 || p.CachedAllocs > 5 {
			t.Errorf("%+v", p)
		}
	}
}

func TestRunRefusesFlags(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-duration", "0s"}, {"x"}, {"-scenario", "none"}, {"-unknown"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestReference(t *testing.T) {
	config, err := os.ReadFile("../envoy/envoy-1.40.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, socket := range []string{"", "/run/floor.sock"} {
		got, err := reference(config, "openai", socket)
		if err != nil {
			t.Fatal(err)
		}
		filter := socket != ""
		for text, want := range map[string]bool{
			`"path":"/run/floor.sock"`: filter, "filters.http.ext_proc": filter, `"request_body_mode":"BUFFERED"`: filter,
			`"cluster":"openai"`: true, "filters.http.router": true,
			"priority_group": false, "ai_protocol_manager": false, "header_mutation": false, "openai.retry": false,
		} {
			if bytes.Contains(got, []byte(text)) != want {
				t.Errorf("socket %q: %s is there: %t", socket, text, !want)
			}
		}
	}
}

func TestReferenceRefusesOtherConfigurations(t *testing.T) {
	for _, config := range []string{"", "a: [", "static_resources: {listeners: []}"} {
		if got, err := reference([]byte(config), "openai", ""); err == nil {
			t.Errorf("%q became %s", config, got)
		}
	}
}

func TestBody(t *testing.T) {
	s := scenarios[5]
	for _, tc := range []struct {
		v     variant
		model string
		usage bool
	}{
		{variant{models: []string{"m"}}, "m@events=100", true},
		{variant{models: []string{"a/m", "b/m"}, hidden: true}, "a/m@events=100,b/m@events=100", false},
	} {
		var got struct {
			Model  string
			Stream bool
			Usage  struct {
				Include bool `json:"include_usage"`
			} `json:"stream_options"`
		}
		if err := json.Unmarshal(s.body(&tc.v), &got); err != nil {
			t.Fatal(err)
		}
		if got.Model != tc.model || !got.Stream || got.Usage.Include != tc.usage {
			t.Errorf("%+v, want %+v", got, tc)
		}
	}
}

func TestMedians(t *testing.T) {
	samples := func(variant string, values ...time.Duration) (all []sample) {
		for _, v := range values {
			all = append(all, sample{"s", variant, v, v / 2, load.Quantiles{P50: v, P99: 2 * v}})
		}
		return all
	}
	got := medians(append(samples("odd", 90, 10, 20), samples("even", 10, 20, 30, 900)...))
	want := []cell{{"s", "odd", 20, 10, 20, 40}, {"s", "even", 25, 12, 25, 50}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestPrint(t *testing.T) {
	r := report{Machine: "here", Rounds: 3, DurationMS: 1000, Cells: []cell{
		{"small-1", plainName, 200_000, 0, 300_000, 500_000},
		{"small-1", floorName, 800_000, 300_000, 800_000, 1_500_000},
		{"small-1", "Attaché", 1_000_000, 400_000, 900_000, 2_500_000},
		{"small", "Attaché", 500_000, 400_000, 900_000, 2_500_000},
	}, Memory: []memory{{floorName, 14_000_000, 20_000, 60_000_000, 50_000}},
		Policies: []policy{{15, 25_040, 214, 440, 1}}, Reload: &reload{515, 98_000_000, 150_000_000, 12_300}}
	chosen, _, err := choose("small-1,small")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := r.print(&out, chosen); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"here; medians of 3 rounds of 1000 ms",
		"| plain Envoy | 200 | |",
		"| Attaché | 1000 (1.25) | 500 |",
		"| Attaché | 400 | 400 |",
		"| floor | 0.50 / 1.00 |",
		"| Attaché | 0.60 / 2.00 |",
		"| floor | 14 MB | 20.0 KB | 60 MB | 50.0 KB |",
		"| 15 | 25.0 | 214 | 0.44 | 1 |",
		"Reload of 515 rules: 98 ms of CPU. Beside decisions on the same processors it takes 150 ms, and 99.9 % of these less than 12 µs.",
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("%q is not in\n%s", line, out.String())
		}
	}
}
