package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A tree is a JSON value that can be written in many ways.
type tree struct {
	plain   []string // ways to write a value that holds no others
	names   []string // of an object
	inside  []*tree
	isArray bool
}

// someTree is a random value. Long texts are among them.
func someTree(rng *rand.Rand, depth int) *tree {
	switch n := rng.IntN(6); {
	case depth == 0 || n < 2:
		plains := [][]string{
			{"1"}, {"1.0"}, {"true"}, {"null"}, {`""`}, {`"a"`, `"\u0061"`}, {`"é\n/"`, `"\u00e9\u000a\/"`, `"é\u000A/"`}, {`"😀"`, `"\ud83d\ude00"`},
			{`"` + strings.Repeat("long ", 100) + `"`, `"` + strings.Repeat("lon\\u0067 ", 100) + `"`},
		}
		return &tree{plain: plains[rng.IntN(len(plains))]}
	case n < 3:
		return &tree{isArray: true, inside: someTrees(rng, depth)}
	default:
		t := &tree{inside: someTrees(rng, depth)}
		for i := range t.inside {
			t.names = append(t.names, fmt.Sprintf("m%d", i*7%5))
		}
		return t
	}
}

func someTrees(rng *rand.Rand, depth int) (all []*tree) {
	for range rng.IntN(5) {
		all = append(all, someTree(rng, depth-1))
	}
	return all
}

func (n *tree) write(rng *rand.Rand, b *bytes.Buffer) {
	space := func() { b.WriteString([]string{"", " ", "\n\t"}[rng.IntN(3)]) }
	space()
	defer space()
	if n.plain != nil {
		b.WriteString(n.plain[rng.IntN(len(n.plain))])
		return
	}
	order := rng.Perm(len(n.inside))
	open, end := "{", "}"
	if n.isArray {
		open, end = "[", "]"
		for i := range order {
			order[i] = i
		}
	}
	b.WriteString(open)
	for i, k := range order {
		if i > 0 {
			b.WriteString(",")
		}
		if !n.isArray {
			space()
			fmt.Fprintf(b, "%q", n.names[k])
			space()
			b.WriteString(":")
		}
		n.inside[k].write(rng, b)
	}
	space()
	b.WriteString(end)
}

func canonicalOf(t testing.TB, body []byte, aside ...string) string {
	t.Helper()
	var c canonical
	if err := c.body(body, aside); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return string(c.out)
}

// TestCanonical: all ways to write a value are one, and two values are two.
func TestCanonical(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	all := map[string]string{} // canonical: by encoding/json
	for range 3000 {
		value := someTree(rng, 4)
		n := &tree{names: []string{"x"}, inside: []*tree{value}}
		var one, other bytes.Buffer
		n.write(rng, &one)
		n.write(rng, &other)
		got := canonicalOf(t, one.Bytes())
		if again := canonicalOf(t, other.Bytes()); got != again {
			t.Fatalf("%s\nand\n%s\nare\n%q\nand\n%q", one.Bytes(), other.Bytes(), got, again)
		}
		plain := referenceOf(t, one.Bytes())
		if before, ok := all[got]; ok && before != plain {
			t.Fatalf("%s and %s are both %q", plain, before, got)
		}
		all[got] = plain
	}
	if len(all) < 500 {
		t.Errorf("only %d different values", len(all))
	}
}

// referenceOf is the canonical form by encoding/json, which keeps numbers as they
// are written if told so.
func referenceOf(t *testing.T, body []byte) string {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestCanonicalLeavesOut(t *testing.T) {
	for _, tt := range []struct{ a, b string }{
		{`{"a":1,"user":"x"}`, `{"a":1}`},
		{`{"user":{"b":[1]},"a":{"user":1}}`, `{"a":{"user":1}}`},
	} {
		if a, b := canonicalOf(t, []byte(tt.a), "user"), canonicalOf(t, []byte(tt.b), "user"); a != b {
			t.Errorf("%s: %q, %s: %q", tt.a, a, tt.b, b)
		}
	}
	if a, b := canonicalOf(t, []byte(`{"a":{"user":1}}`), "user"), canonicalOf(t, []byte(`{"a":{}}`), "user"); a == b {
		t.Error("a member inside is left out")
	}
	for _, bad := range []string{``, `[]`, `{"a":1}x`, `{"a":1,"a":2}`, `{"a":}`} {
		if err := (&canonical{}).body([]byte(bad), nil); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

// What is nested deeply is not moved at each level.
func TestCanonicalIsLinear(t *testing.T) {
	deep := strings.Repeat("x", 100_000)
	body := `"` + deep + `"`
	for range 200 {
		body = `{"b":` + body + `,"a":1}`
	}
	var c canonical
	if err := c.body([]byte(body), nil); err != nil {
		t.Fatal(err)
	}
	if len(c.out) > 1000 || cap(c.spare) > 1000 {
		t.Errorf("%d bytes, of which %d moved", len(c.out), cap(c.spare))
	}
}

// No two lists of texts are one.
func TestKeyText(t *testing.T) {
	seen := map[string]bool{}
	for _, lists := range [][][]string{
		{{}}, {{""}}, {{"", ""}}, {{"a", "b"}}, {{"ab"}}, {{"a"}, {"b"}}, {{"ab", ""}}, {{"", "ab"}}, {{"a\x01b"}}, {{}, {"ab"}}, {{"ab"}, {}},
	} {
		var b keyText
		for _, l := range lists {
			b.add(l...)
		}
		if seen[string(b)] {
			t.Errorf("%q is there already", lists)
		}
		seen[string(b)] = true
	}
}

// FuzzCanonical: what can be read once is read again, to the same.
func FuzzCanonical(f *testing.F) {
	for _, q := range askers {
		f.Add([]byte(q[0].body))
	}
	f.Add([]byte(`{"b":{"c":[1,{"z":"\ud83d","a":1e5}]},"a":"\u0000\ud83d\ude00"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var c, again canonical
		if c.body(body, nil) != nil {
			return
		}
		spaced := bytes.Replace(body, []byte("{"), []byte("{ \n"), 1)
		if err := again.body(spaced, nil); err != nil || string(again.out) != string(c.out) {
			t.Errorf("%q, %q: %v", c.out, again.out, err)
		}
	})
}

func BenchmarkCacheHit(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		for form, name := range []string{"whole", "stream"} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				w := newCachingWorld(b, func(o *Options) { o.Now = time.Now })
				q := askers[llm.OpenAI][form]
				q.body = strings.Replace(q.body, "hi", strings.Repeat("Some words of a prompt. ", size/24), 1)
				q.media, q.says = jsonMedia, completion
				if form == 1 {
					q.media, q.says = sseMedia, openaiStream
				}
				w.ask(b, q)
				b.ReportAllocs()
				for b.Loop() {
					if cache, _, _ := w.ask(b, q); cache != CacheHit {
						b.Fatal(cache)
					}
				}
			})
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	body := []byte(strings.Replace(askers[llm.OpenAI][0].body, "hi", strings.Repeat("Some words of a prompt. ", 64<<10/24), 1))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var c canonical
		if err := c.body(body, aside[llm.OpenAI]); err != nil {
			b.Fatal(err)
		}
	}
}
