package tokens

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

var encodings = []struct {
	name string
	get  func() *Encoding
}{{"o200k", O200K}, {"cl100k", CL100K}}

// sample is a text and its ids according to tiktoken; testdata/reference.py writes them.
type sample struct {
	Name, Text, Hex string
	O200K, CL100K   []uint32
}

func (s sample) ids(encoding string) []uint32 {
	if encoding == "o200k" {
		return s.O200K
	}
	return s.CL100K
}

func samples(t testing.TB) []sample {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []sample
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		raw, err := hex.DecodeString(all[i].Hex)
		if err != nil {
			t.Fatal(err)
		}
		all[i].Text += string(raw)
	}
	return all
}

// spellings returns the bytes of each token.
func spellings(v *vocabulary) []string {
	all := make([]string, len(v.tokens))
	var visit func(at uint32, path string)
	visit = func(at uint32, path string) {
		if id := v.nodes[at].token; id != none {
			all[id] = path
		}
		for kid := v.nodes[at].first; kid < v.nodes[at+1].first; kid++ {
			visit(kid, path+v.labels[kid:kid+1])
		}
	}
	visit(0, "")
	return all
}

func decode(spelling []string, ids []uint32) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(spelling[id])
	}
	return b.String()
}

func TestIdsAreThoseOfTheReference(t *testing.T) {
	all := samples(t)
	for _, enc := range encodings {
		e := enc.get()
		for _, s := range all {
			want := s.ids(enc.name)
			if got := e.Append(nil, s.Text); !slices.Equal(got, want) {
				t.Errorf("%s, %s: %q\n got %v\nwant %v", enc.name, s.Name, s.Text, got, want)
			}
			if got := e.Count(s.Text); got != int64(len(want)) {
				t.Errorf("%s, %s: counted %d, want %d", enc.name, s.Name, got, len(want))
			}
		}
	}
}

// Every sample behind every other one: pieces then meet ends of text and shortcuts at other places. There is no
// reference for these, so the slow, plain way of byte pair encoding is.
func TestNeighbours(t *testing.T) {
	all := samples(t)
	for _, enc := range encodings {
		e := enc.get()
		plain := plainEncoder(e)
		r := rand.New(rand.NewPCG(3, 4))
		for range 400 {
			text := all[r.IntN(len(all))].Text + all[r.IntN(len(all))].Text
			text = text[r.IntN(len(text)+1):]
			if got, want := e.Append(nil, text), plain(text); !slices.Equal(got, want) {
				t.Fatalf("%s: %q\n got %v\nwant %v", enc.name, text, got, want)
			}
		}
	}
}

// plainEncoder returns an encoder without the shortcut for simple words that merges the best pair until none is left.
func plainEncoder(e *Encoding) func(text string) []uint32 {
	spelling := spellings(e.vocabulary)
	ranks := map[string]uint32{}
	for id, s := range spelling {
		ranks[s] = uint32(id)
	}
	return func(text string) (ids []uint32) {
		for i := 0; i < len(text); {
			end := e.piece(e.classes, text, i)
			ids = append(ids, plainMerge(ranks, text[i:end])...)
			i = end
		}
		return ids
	}
}

func plainMerge(ranks map[string]uint32, piece string) (ids []uint32) {
	if id, ok := ranks[piece]; ok {
		return []uint32{id}
	}
	var parts []string
	for i := range len(piece) {
		parts = append(parts, piece[i:i+1])
	}
	for {
		best, at := none, -1
		for i := range len(parts) - 1 {
			if rank, ok := ranks[parts[i]+parts[i+1]]; ok && rank < best {
				best, at = rank, i
			}
		}
		if at < 0 {
			break
		}
		parts[at] += parts[at+1]
		parts = slices.Delete(parts, at+1, at+2)
	}
	for _, p := range parts {
		ids = append(ids, ranks[p])
	}
	return ids
}

func TestEveryTokenIsFound(t *testing.T) {
	for _, enc := range encodings {
		v := enc.get().vocabulary
		for id, s := range spellings(v) {
			if s == "" {
				t.Fatalf("%s: no token %d", enc.name, id)
			}
			if !v.words.has(s, 0, len(s)) || !v.words.has("x"+s+"xxxxxxxx", 1, 1+len(s)) {
				t.Fatalf("%s: %q is not among the words", enc.name, s)
			}
			if got := v.longest(s); got != uint32(id) {
				t.Fatalf("%s: %q is %d, want %d", enc.name, s, got, id)
			}
		}
	}
}

// check holds for any text: the ids spell it, and there are as many as counted.
func check(t *testing.T, e *Encoding, spelling []string, text string) {
	t.Helper()
	ids := e.Append([]uint32{7}, text)
	if ids[0] != 7 {
		t.Fatal("Append changed what was there")
	}
	if got := decode(spelling, ids[1:]); got != text {
		t.Fatalf("%q came back as %q", text, got)
	}
	if got := e.Count(text); got != int64(len(ids)-1) {
		t.Fatalf("%q: counted %d, want %d", text, got, len(ids)-1)
	}
}

func TestRandomBytesComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, enc := range encodings {
		e := enc.get()
		spelling := spellings(e.vocabulary)
		for range 300 {
			b := make([]byte, r.IntN(300))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			check(t, e, spelling, string(b))
		}
	}
}

func TestNoAllocations(t *testing.T) {
	texts := map[string]string{
		"short":       "Hi!",
		"prose":       strings.Repeat("The quick brown fox, aged 12, can't jump. ", 250),
		"misspelt":    strings.Repeat("Thqe quxick brxown foxq; ", 400),
		"long pieces": random(rand.New(rand.NewPCG(1, 2)), "abcdefghijklmnopqrstuvwxyz", 250<<10),
	}
	for _, enc := range encodings {
		e := enc.get()
		for name, text := range texts {
			// A pool may lose what it was given, and does so at random under the race detector: the best of some tries.
			least := math.Inf(1)
			for tries := 0; tries < 10 && least > 0; tries++ {
				least = min(least, testing.AllocsPerRun(5, func() { e.Count(text) }))
			}
			if least > 0 {
				t.Errorf("%s, %s: %v allocations", enc.name, name, least)
			}
		}
	}
}

// What goes back to the pool is bounded: a huge piece's memory is dropped.
func TestKeptMemoryIsBounded(t *testing.T) {
	m := new(merging)
	m.reset(64*mergingKept - 1)
	if !m.keepable() {
		t.Error("memory for a piece of 256 KiB is not kept")
	}
	m.reset(64 * mergingKept)
	if m.keepable() {
		t.Error("memory for a larger piece is kept")
	}
}

func TestConcurrentUse(t *testing.T) {
	all := samples(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, s := range all {
				for _, enc := range encodings {
					if got, want := enc.get().Count(s.Text), int64(len(s.ids(enc.name))); got != want {
						t.Errorf("%s, %s: counted %d, want %d", enc.name, s.Name, got, want)
					}
				}
			}
		})
	}
	wg.Wait()
}

func FuzzCount(f *testing.F) {
	for _, s := range samples(f) {
		f.Add([]byte(s.Text))
	}
	spelling := map[string][]string{}
	plain := map[string]func(string) []uint32{}
	for _, enc := range encodings {
		spelling[enc.name] = spellings(enc.get().vocabulary)
		plain[enc.name] = plainEncoder(enc.get())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, enc := range encodings {
			e := enc.get()
			check(t, e, spelling[enc.name], string(b))
			if len(b) > 1000 { // the plain way is quadratic
				continue
			}
			if got, want := e.Append(nil, string(b)), plain[enc.name](string(b)); !slices.Equal(got, want) {
				t.Fatalf("%s: %q\n got %v\nwant %v", enc.name, b, got, want)
			}
		}
	})
}
