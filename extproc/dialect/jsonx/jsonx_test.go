package jsonx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestErrorsNameThePath(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	for _, tt := range []struct{ in, want string }{
		{`{"a":1,"a":2}`, "json: a: duplicate member at byte 7"},
		{`{"a":{"b":[{"c":1,"c":2}]}}`, "json: a.b[0].c: duplicate member at byte 18"},
		{`{"a":1} x`, "json: data after the value at byte 8"},
		{`{"a":01}`, "json: a: number with a leading zero at byte 5"},
		{`{"a":1,}`, `json: a: comma before '}' at byte 7`},
		{`[1 2]`, "json: [0]: expected a comma or ']' at byte 3"},
		{`{"a":"x`, "json: a: string without end at byte 5"},
		{`{"a":"\x"}`, "json: a: invalid escape in a string at byte 6"},
		{"{\"a\":\"\xff\"}", "json: a: control character or invalid UTF-8 in a string at byte 5"},
		{"{\"a\":\"\n\"}", "json: a: control character or invalid UTF-8 in a string at byte 5"},
		{`{"a":tru}`, "json: a: invalid character 't' at byte 5"},
		{`{"a"`, "json: expected a colon at byte 4"},
		{``, "json: unexpected end at byte 0"},
		{deep, "json: " + strings.Repeat("[0]", 85) + "[: nested deeper than 256 at byte 256"},
	} {
		r := NewReader([]byte(tt.in))
		_, err := r.Skip()
		if err == nil {
			err = r.End()
		}
		if err == nil || err.Error() != tt.want {
			t.Errorf("%.40q: got %v, want %s", tt.in, err, tt.want)
		}
	}
}

func TestWrongKind(t *testing.T) {
	r := NewReader([]byte(`{"messages":[{"content":7}]}`))
	err := r.Object(func([]byte) error {
		return r.Array(func(int) error {
			return r.Object(func([]byte) error { _, err := r.String(); return err })
		})
	})
	if got, want := fmt.Sprint(err), "json: messages[0].content: must be a string, not a number at byte 24"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Names that differ only in case are how one reader is made to see another
// message than the next.
func TestObjectRefusesCaseVariants(t *testing.T) {
	r := NewReader([]byte(`{"model":"a","Model":"b"}`))
	err := r.Object(func([]byte) error { _, err := r.Skip(); return err })
	if err == nil {
		t.Error("Object accepted model and Model")
	}
	r.Reset([]byte(`{"model":"a","Model":"b"}`))
	if _, err := r.Skip(); err != nil {
		t.Errorf("Skip refused two names: %v", err)
	}
}

func TestManyMembers(t *testing.T) {
	object := func(n int, last string) []byte {
		var b bytes.Buffer
		b.WriteByte('{')
		for i := range n {
			fmt.Fprintf(&b, `"k%d":{"k0":1,"k1":2},`, i)
		}
		fmt.Fprintf(&b, `%q:1}`, last)
		return b.Bytes()
	}
	for n := 1; n < 3*linearKeys; n++ {
		if _, err := NewReader(object(n, "new")).Skip(); err != nil {
			t.Fatalf("%d members: %v", n, err)
		}
		if _, err := NewReader(object(n, "k0")).Skip(); err == nil {
			t.Fatalf("%d members: duplicate not seen", n)
		}
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[string]int64{"7": 7, "-3": -3, "1e3": 1000, "100.0": 100, "9223372036854775807": 1<<63 - 1} {
		if got, err := NewReader([]byte(in)).Int(); err != nil || got != want {
			t.Errorf("%s: got %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"1.5", "1e400", "9223372036854775808", `"7"`, "-", "1.", "1e"} {
		if got, err := NewReader([]byte(in)).Int(); err == nil {
			t.Errorf("%s: got %d, want an error", in, got)
		}
	}
}

// Two deltas that each hold half a character must make the whole one when a
// client joins them, whatever they went through.
func TestHalfSurrogatesSurvive(t *testing.T) {
	var joined string
	var out []byte
	for _, in := range []string{`"\ud83d"`, `"\ude00"`} {
		s, err := NewReader([]byte(in)).String()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendString(nil, s)); got != in {
			t.Errorf("got %s, want %s", got, in)
		}
		joined += s
	}
	out = AppendString(nil, joined)
	var back string
	if err := json.Unmarshal(out, &back); err != nil || back != "😀" {
		t.Errorf("%s reads as %q, %v", out, back, err)
	}
}

func FuzzReaderAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,true,false,null,"x\u00e9\n\ud83d\ude00"]}`, `"\ud83d"`, `[]`, `{}`, `{"a":1,"b":{"a":2}}`, "\"\u00e9\x7f\"", `1e`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(in)
		_, err := r.Skip()
		if err == nil {
			err = r.End()
		}
		if err != nil {
			return
		}
		if !json.Valid(in) || !utf8.Valid(in) {
			t.Fatalf("accepted %q", in)
		}
		if s, err := NewReader(in).String(); err == nil {
			var want string
			if json.Unmarshal(in, &want) != nil {
				t.Fatalf("accepted string %q", in)
			}
			if utf8.ValidString(s) && s != want {
				t.Fatalf("%q: got %q, want %q", in, s, want)
			}
			if back, err := NewReader(AppendString(nil, s)).String(); err != nil || back != s && utf8.ValidString(s) {
				t.Fatalf("%q: written and read: %q, %v", s, back, err)
			}
		}
	})
}

func BenchmarkSkip(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog, Füchse auch. ", 1100)
	doc, _ := json.Marshal(map[string]any{"model": "m", "messages": []any{map[string]any{"role": "user", "content": text}}})
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	r := NewReader(nil)
	for b.Loop() {
		r.Reset(doc)
		if _, err := r.Skip(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCount(t *testing.T) {
	for in, want := range map[string]int64{
		"12": 12, "0": 0, "-1": 7, "1.5": 7, "1e3": 7, "99999999999999999999": 7, "9223372036854775807": maxCount,
		"null": 7, `"12"`: 7, "[1]": 7, `{"n":1}`: 7,
	} {
		n, r := int64(7), NewReader([]byte(in))
		if err := r.Count(&n); err != nil || r.End() != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", in, n, err, want)
		}
	}
	n := int64(7)
	if err := NewReader([]byte("-")).Count(&n); err == nil || n != 7 {
		t.Errorf("half a number: %d, %v", n, err)
	}
}
