package sse

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// split returns what Split finds in the chunks, as name|data, and all Raw.
func split(t testing.TB, limit int, chunks ...string) (events []string, raw string) {
	t.Helper()
	s := New(limit)
	for i, c := range chunks {
		err := s.Split([]byte(c), i == len(chunks)-1, func(e Event) error {
			events = append(events, fmt.Sprintf("%s|%s", e.Name, e.Data))
			raw += string(e.Raw)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return events, raw
}

var streams = []struct {
	name, in string
	want     []string
}{
	{"openai", "data: {\"a\":1}\n\ndata: [DONE]\n\n", []string{`|{"a":1}`, "|[DONE]"}},
	{"anthropic", "event: ping\ndata: {}\n\nevent: x\ndata: 1\n\n", []string{"ping|{}", "x|1"}},
	{"crlf", "data: 1\r\n\r\ndata: 2\r\n\r\n", []string{"|1", "|2"}},
	{"cr", "data: 1\r\rdata: 2\r\r", []string{"|1", "|2"}},
	{"no space", "data:1\n\n", []string{"|1"}},
	{"two spaces", "data:  1\n\n", []string{"| 1"}},
	{"lines", "data: a\ndata: b\ndata\n\n", []string{"|a\nb\n"}},
	{"comment", ": keep-alive\n\ndata: 1\n\n", []string{"|", "|1"}},
	{"mark", "\xef\xbb\xbfdata: 1\n\n", []string{"|1"}},
	{"no last blank line", "data: 1\n\ndata: 2", []string{"|1", "|2"}},
	{"no last line end", "data: 1\n\ndata: 2\n", []string{"|1", "|2"}},
	{"runes", "data: é€😀\n\n", []string{"|é€😀"}},
	{"mixed ends", "data: 1\r\n\ndata: 2\n\r\n", []string{"|1", "|2"}},
	{"other fields", "id: 7\nretry: 10\ndata: 1\n\n", []string{"|1"}},
	{"empty", "", nil},
}

func TestAnySplitGivesTheSame(t *testing.T) {
	for _, tt := range streams {
		if got, raw := split(t, 1<<20, tt.in); !slices.Equal(got, tt.want) || raw != tt.in {
			t.Errorf("%s: got %q, raw %q", tt.name, got, raw)
		}
		for i := 0; i <= len(tt.in); i++ {
			for j := i; j <= len(tt.in); j++ {
				got, raw := split(t, 1<<20, tt.in[:i], tt.in[i:j], tt.in[j:])
				if !slices.Equal(got, tt.want) || raw != tt.in {
					t.Fatalf("%s cut at %d and %d: got %q, raw %q", tt.name, i, j, got, raw)
				}
			}
		}
		bytewise := append(strings.Split(tt.in, ""), "")
		if strings.IndexFunc(tt.in, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
			if got, _ := split(t, 1<<20, bytewise...); !slices.Equal(got, tt.want) {
				t.Errorf("%s byte by byte: got %q", tt.name, got)
			}
		}
	}
}

func TestLimit(t *testing.T) {
	s := New(10)
	none := func(Event) error { return nil }
	if err := s.Split([]byte("data: 12345"), false, none); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v", err)
	}
	s = New(10)
	if err := s.Split([]byte(strings.Repeat("data: 1\n\n", 100)), false, none); err != nil {
		t.Errorf("many short events: %v", err)
	}
}

// A decoder hands on the raw bytes of all events of a chunk together, after
// Split has returned.
func TestRawStaysUntilTheNextCall(t *testing.T) {
	s := New(1 << 20)
	var raw [][]byte
	keep := func(e Event) error { raw = append(raw, e.Raw); return nil }
	for _, c := range []string{"data: fir", "st\n\ndata: second\n\ndata: th", "ird\n\ndata: fourth"} {
		raw = raw[:0]
		if err := s.Split([]byte(c), false, keep); err != nil {
			t.Fatal(err)
		}
		for _, r := range raw {
			if !bytes.HasPrefix(r, []byte("data: ")) || !bytes.HasSuffix(r, []byte("\n\n")) {
				t.Errorf("after %q an event reads %q", c, r)
			}
		}
	}
}

// The limit must not depend on where the network cut the stream.
func TestLimitHoldsForAnyCut(t *testing.T) {
	const stream = "data: 1\n\ndata: 12345678901234567890\n\n"
	for cut := range len(stream) {
		s := New(20)
		none := func(Event) error { return nil }
		err := s.Split([]byte(stream[:cut]), false, none)
		if err == nil {
			err = s.Split([]byte(stream[cut:]), true, none)
		}
		if !errors.Is(err, ErrTooLong) {
			t.Fatalf("cut at %d: got %v", cut, err)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, tt := range streams {
		f.Add([]byte(tt.in), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		whole, raw := split(t, 1<<30, string(in))
		if raw != string(in) {
			t.Fatalf("raw is %q", raw)
		}
		var chunks []string
		for c := range slices.Chunk(in, int(size)+1) {
			chunks = append(chunks, string(c))
		}
		cut, raw := split(t, 1<<30, append(chunks, "")...)
		if !slices.Equal(whole, cut) || raw != string(in) {
			t.Fatalf("chunks of %d: got %q, want %q", size+1, cut, whole)
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	stream := bytes.Repeat([]byte("data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n"), 100)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		s := New(1 << 20)
		for c := range slices.Chunk(stream, 700) {
			if err := s.Split(c, false, func(Event) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	}
}
