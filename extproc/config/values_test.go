package config

import (
	"strings"
	"testing"
	"time"
)

func TestExpand(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "a", "B_2": "${A}", "EMPTY": ""}[name]
		return v, ok
	}
	for _, c := range []struct{ in, want, err string }{
		{"", "", ""},
		{"plain", "plain", ""},
		{"${A}", "a", ""},
		{"x${A}y${A}z", "xayaz", ""},
		{"${B_2}", "${A}", ""}, // what a variable holds is not looked at again
		{"[${EMPTY}]", "[]", ""},
		{"$A", "$A", ""},
		{"5$", "5$", ""},
		{"$${A}", "${A}", ""},
		{"$$${A}", "$${A}", ""},
		{"$$ ${A}", "$$ a", ""},
		{"${C}", "", "variable C is not set"},
		{"${A", "", "is written ${NAME}"},
		{"${}", "", "is written ${NAME}"},
		{"${A-b}", "", "is written ${NAME}"},
		{"${2A}", "", "is written ${NAME}"},
	} {
		got, err := expand(c.in, env)
		switch {
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("expand(%q) = %q, %v; want %q", c.in, got, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("expand(%q) = %q, %v; want the error %q", c.in, got, err, c.err)
		}
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[string]int64{
		"0B": 0, "1B": 1, "512KiB": 512 << 10, "50MiB": 50 << 20, "50 MiB": 50 << 20, "1GiB": 1 << 30, "8589934591GiB": 8589934591 << 30,
	} {
		got, err := parseSize(in)
		if err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", in, got, err, want)
		}
		if again, err := parseSize(formatSize(got)); err != nil || again != got {
			t.Errorf("%s is written %s", in, formatSize(got))
		}
	}
	for _, in := range []string{"", "50", "50M", "50MB", "MiB", "-1B", "1.5GiB", "8589934592GiB", "99999999999999999999B", "0x10B"} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("parseSize(%q) = %d", in, got)
		}
	}
}

func TestDollars(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "1": 1e9, "2.50": 2_500_000_000, "0.000000001": 1, "0.075": 75_000_000, "9999999.999999999": 9_999_999_999_999_999,
	} {
		if got, err := parseDollars(in); err != nil || got != want {
			t.Errorf("parseDollars(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "$1", "-1", "1e3", ".5", "1.", "1,5", "10000000", "0.0000000001", "NaN", "1 "} {
		if got, err := parseDollars(in); err == nil {
			t.Errorf("parseDollars(%q) = %d", in, got)
		}
	}
}

func TestPercent(t *testing.T) {
	for in, want := range map[string]int64{"50%": 500, "12.5%": 125, "100%": 1000, "0.1%": 1} {
		if got, err := parsePercent(in); err != nil || got != want {
			t.Errorf("parsePercent(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "%", "50", "0%", "100.1%", "101%", "-1%", "1.25%", "1e2%", "0.5"} {
		if got, err := parsePercent(in); err == nil {
			t.Errorf("parsePercent(%q) = %d", in, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"1m": time.Minute, "1h": time.Hour, "1h1m": time.Hour + time.Minute, "1m30s": 90 * time.Second,
		"10s": 10 * time.Second, "500ms": time.Second / 2, "1h0m1s": time.Hour + time.Second, "10m": 10 * time.Minute,
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("formatDuration(%d) = %s, want %s", d, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:9000": "127.0.0.1:9000", "[::1]:0": "[::1]:0", "localhost:65535": "localhost:65535",
		"": "", ":9000": "", "127.0.0.1": "", "127.0.0.1:65536": "", "127.0.0.1:http": "", "a b:1": "", "::1:80": "", "http://x:1": "",
	} {
		if got, err := parseHostPort(in); got != want || (err == nil) != (want != "") {
			t.Errorf("parseHostPort(%q) = %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]Address{
		"unix:a.sock": {"unix", "a.sock"}, "unix:/run/a": {"unix", "/run/a"}, "0.0.0.0:1": {"tcp", "0.0.0.0:1"},
		"unix:": {}, "a.sock": {}, "tcp:1": {"tcp", "tcp:1"},
	} {
		if got, err := parseAddress(in); got != want || (err == nil) != (want != Address{}) {
			t.Errorf("parseAddress(%q) = %v, %v", in, got, err)
		}
	}
}
