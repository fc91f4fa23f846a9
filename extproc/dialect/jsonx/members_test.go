package jsonx

import (
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestMembers(t *testing.T) {
	const text = " { \"a\" : 1 ,\n\"b\\u0063\":[ \"x\" ]  } "
	r := NewReader([]byte(text))
	got, err := r.Members(func([]byte) error { _, err := r.Skip(); return err })
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Member{
		{Name: "a", At: llm.Span{Start: 3, End: 10}, Value: llm.Span{Start: 9, End: 10}},
		{Name: "bc", At: llm.Span{Start: 13, End: 30}, Value: llm.Span{Start: 23, End: 30}},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, m := range got {
		if s := text[m.At.Start:m.At.End]; s[0] != '"' {
			t.Errorf("member %s begins with %q", m.Name, s)
		}
	}
}

func TestTag(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"type":"a"}`, "a"},
		{` { "x" : {"type":"b"}, "type" : "a" , "y": [}`, "a"},
		{`{"x":1}`, ""},
		{`{"type":1}`, ""},
		{`{"x":{"a":1,"a":2},"type":"a"}`, ""},
		{`["type"]`, ""},
		{`{"x"`, ""},
		{``, ""},
	} {
		r := NewReader([]byte(c.text))
		if got := r.Tag("type"); string(got) != c.want {
			t.Errorf("%s: got %q, want %q", c.text, got, c.want)
		}
		if r.Offset() != 0 || len(r.keys) != 0 || len(r.path) != 0 {
			t.Errorf("%s: the reader has moved", c.text)
		}
	}
}

// What Tag has looked at is read afterwards as if it had not.
func TestTagThenRead(t *testing.T) {
	many := `{"x":{`
	for c := 'a'; c <= 'z'; c++ {
		many += `"` + string(c) + `":0,"` + string(c) + `2":0,`
	}
	for _, text := range []string{many + `"end":0},"type":"t"}`, many + `"end":0,},"type":"t"}`} {
		plain, tagged := NewReader([]byte(text)), NewReader([]byte(text))
		tagged.Tag("type")
		_, want := plain.Skip()
		_, got := tagged.Skip()
		if (want == nil) != (got == nil) || want != nil && want.Error() != got.Error() {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestPathAt(t *testing.T) {
	const text = `{"a":[ {"b":1}, {"b": "x" } ],"c":[[}`
	for _, c := range []struct {
		at   string
		want string
	}{
		{`1`, "a[0].b"}, {`"x"`, "a[1].b"}, {`{"b": `, "a[1]"}, {`[[`, "c"}, {`[}`, "c[0]"}, {`}`, ""}, {`"b"`, ""},
	} {
		if got := PathAt([]byte(text), strings.Index(text, c.at)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.at, got, c.want)
		}
	}
}

func TestShape(t *testing.T) {
	r := NewReader([]byte(`{"a":[{"b":1},{"b":2}]}`))
	_ = r.Object(func([]byte) error {
		return r.Array(func(int) error {
			return r.Object(func([]byte) error {
				if got := r.Shape(); got != "a[].b" {
					t.Errorf("got %q", got)
				}
				_, err := r.Skip()
				return err
			})
		})
	})
}

func TestMap(t *testing.T) {
	const text = `{"id":1,"ID":2}`
	skip := func(r *Reader) func([]byte) error {
		return func([]byte) error { _, err := r.Skip(); return err }
	}
	r := NewReader([]byte(text))
	if err := r.Map(skip(r)); err != nil {
		t.Error(err)
	}
	r = NewReader([]byte(text))
	if err := r.Object(skip(r)); err == nil {
		t.Error("names that differ in case only were taken")
	}
	r = NewReader([]byte(`{"id":1,"id":2}`))
	if err := r.Map(skip(r)); err == nil {
		t.Error("a duplicate name was taken")
	}
}
