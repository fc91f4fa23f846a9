package main

import (
	"strings"
	"testing"

	"github.com/attache-gateway/attache/wasm-plugins/sdk/go/guard"
)

// mark shows the matches in s as <kind:text>.
func mark(s string) string {
	var b strings.Builder
	end := 0
	for _, m := range scan([]byte(s), nil) {
		b.WriteString(s[end:m.start] + "<" + kinds[m.kind].option + ":" + s[m.start:m.end] + ">")
		end = m.end
	}
	return b.String() + s[end:]
}

// TestScan marks what is to be found; each input is the line without marks.
func TestScan(t *testing.T) {
	lines := []string{
		"",
		"nothing here, at all",
		// addresses
		"<email:joe@example.com>",
		"mail <email:Joe.Bloggs+x@mail.example.co.uk>.",
		"(<email:a@b.io>), <<email:c_d@e-f.org>>; é<email:x@y.de>é",
		"to:<email:a@b.com>,<email:c@d.com>",
		"a@b a@b.c @example.com joe@ joe@.com joe@x..com @@ a@1.2.3.4",
		"<email:a@b.com>@c.com",
		"<email:joe@example.com>-",
		"https://example.com/path/<email:x@example.com>?q=1",
		// cards
		"<card:4111111111111111>",
		"pay with <card:4111 1111 1111 1111> or <card:5555-5555-5555-4444>, please",
		"<card:378282246310005> and <card:6011000990139424>",
		"12 <card:4111 1111 1111 1111> 123",
		"x<card:4242424242424242>x",
		"4111111111111112 41111111111111111 1234567890123452",
		"411111111111111 4111  1111  1111  1111 4111.1111.1111.1111",
		"score 0.4111111111111111, at 1700000000000000000",
		"<card:4111111111111111>@example.com",
		// IBANs
		"<iban:DE89370400440532013000>",
		"<iban:DE89 3704 0044 0532 0130 00> AND <iban:GB82 WEST 1234 5698 7654 32>.",
		"DE88370400440532013000 XX89370400440532013000 DE893704004405320130 DE893704004405320130001",
		"aDE89370400440532013000 de89370400440532013000",
		"<iban:NO9386011117947><email:-x@example.com>",
	}
	for _, want := range lines {
		in := want
		for _, k := range kinds {
			in = strings.ReplaceAll(in, "<"+k.option+":", "\x00")
		}
		for strings.Contains(in, "\x00") {
			before, after, _ := strings.Cut(in, "\x00")
			inside, rest, _ := strings.Cut(after, ">")
			in = before + inside + rest
		}
		if got := mark(in); got != want {
			t.Errorf("%q\ngot  %s\nwant %s", in, got, want)
		}
	}
}

// FuzzScan checks what must hold of any matches: the host refuses a verdict
// otherwise.
func FuzzScan(f *testing.F) {
	f.Add("joe@example.com 4111 1111 1111 1111 DE89 3704 0044 0532 0130 00")
	f.Add("é@ü.de 41111111é11111111@@a.b-.cc")
	f.Fuzz(func(t *testing.T, s string) {
		end := 0
		for _, m := range scan([]byte(s), nil) {
			if m.start < end || m.end <= m.start || m.end > len(s) {
				t.Fatalf("match %+v after %d in %q", m, end, s)
			}
			for _, c := range []byte(s[m.start:m.end]) {
				if c >= 0x80 {
					t.Fatalf("match %q of %q is not ASCII", s[m.start:m.end], s)
				}
			}
			end = m.end
		}
	})
}

func run(t *testing.T, config string, segments ...guard.Segment) string {
	t.Helper()
	if err := configure([]byte(config)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = configure([]byte("{}")) })
	var v guard.Verdict
	check(&guard.Input{Segments: segments}, &v)
	return string(v.Append(nil))
}

func TestCheck(t *testing.T) {
	mail := guard.Segment{ID: 4, Text: []byte("to joe@example.com")}
	pay := guard.Segment{ID: 5, Text: []byte("4111111111111111")}
	image := guard.Segment{ID: 6, Kind: guard.ImageRef, Text: []byte("https://joe@example.com/")}
	tests := []struct {
		config   string
		segments []guard.Segment
		want     string
	}{
		{`{}`, []guard.Segment{image}, `{"action":"allow"}`},
		{`{}`, []guard.Segment{mail, pay}, `{"action":"redact","spans":[[4,3,18,"pii.email"],[5,0,16,"pii.card"]],"labels":["pii.email","pii.card"]}`},
		{`{"email":"off"}`, []guard.Segment{mail, pay}, `{"action":"redact","spans":[[5,0,16,"pii.card"]],"labels":["pii.card"]}`},
		{`{"email":"off","card":"off","iban":"off"}`, []guard.Segment{mail, pay}, `{"action":"allow"}`},
		{`{"email":"block"}`, []guard.Segment{mail, pay}, `{"action":"block","code":"pii.email","message":"The text contains an e-mail address.",` +
			`"spans":[[4,3,18,"pii.email"],[5,0,16,"pii.card"]],"labels":["pii.email","pii.card"]}`},
	}
	for _, test := range tests {
		if got := run(t, test.config, test.segments...); got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.config, got, test.want)
		}
	}
}

func TestConfigureRefuses(t *testing.T) {
	for config, want := range map[string]string{
		`{"phone":"redact"}`: "unknown option phone; there are email, card and iban",
		`{"email":"drop"}`:   "unknown action drop; there are redact, block and off",
		`[]`:                 "configuration must be a JSON object of strings without escapes",
	} {
		if err := configure([]byte(config)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", config, err, want)
		}
	}
}
