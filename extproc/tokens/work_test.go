package tokens

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func random(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// hostile texts are long pieces, or runs that a pattern has to look far ahead in.
var hostile = map[string]func(n int) string{
	"letters":     func(n int) string { return random(rand.New(rand.NewPCG(1, 2)), "abcdefghijklmnopqrstuvwxyz", n) },
	"two letters": func(n int) string { return random(rand.New(rand.NewPCG(1, 2)), "ab", n) },
	"aaa":         func(n int) string { return strings.Repeat("a", n) },
	"aaab":        func(n int) string { return strings.Repeat("a", n-1) + "b" },
	"white space": func(n int) string { return random(rand.New(rand.NewPCG(1, 2)), " \t\n", n) },
	"blanks":      func(n int) string { return strings.Repeat(" ", n-1) + "x" },
	"newline":     func(n int) string { return "\n" + strings.Repeat(" ", n-1) },
	"symbols":     func(n int) string { return random(rand.New(rand.NewPCG(1, 2)), "!-/=.*(#", n) },
	"ideographs":  func(n int) string { return strings.Repeat("龘靐齉的一是不", n/21+1)[:n] },
	"marks":       func(n int) string { return strings.Repeat("\u0301A", n/3+1)[:n] },
	"中AAA":        func(n int) string { return strings.Repeat("中"+strings.Repeat("A", n/2), 3)[:n] },
	"bytes": func(n int) string {
		b := make([]byte, n)
		rand.NewChaCha8([32]byte{}).Read(b)
		return string(b)
	},
}

// What merging does at one place is bounded by the vocabulary: by the length of its longest token, and by how often
// fits can take tokens apart.
func TestWorkAtAPlaceIsBounded(t *testing.T) {
	for _, enc := range encodings {
		v := enc.get().vocabulary
		depth := 0
		for id := range v.tokens {
			left, right := 0, 0
			for t := uint32(id); v.tokens[t].left != t; t = v.tokens[t].left {
				left++
			}
			for t := uint32(id); v.tokens[t].right != t; t = v.tokens[t].right {
				right++
			}
			depth = max(depth, left, right)
		}
		if depth > 16 {
			t.Errorf("%s: a token is made by %d merges at one edge", enc.name, depth)
		}
		t.Logf("%s: at most %d merges at one edge of a token", enc.name, depth)
	}
}

// The tokens tried grow with the text, not with its square.
func TestWorkIsLinear(t *testing.T) {
	const perByte = 2
	for _, enc := range encodings {
		e, most := enc.get(), 0.0
		for name, text := range hostile {
			for _, n := range []int{1e3, 1e4, 1e5, 3e5} {
				var m merging
				s := text(n)
				for i := 0; i < len(s); {
					end := e.next(s, i)
					if !e.vocabulary.words.has(s, i, end) {
						e.vocabulary.merge(s[i:end], &m)
					}
					i = end
				}
				got := float64(m.tried) / float64(n)
				if most = max(most, got); got > perByte {
					t.Errorf("%s, %s, %d bytes: tried %.2f tokens a byte, want %d at most", enc.name, name, n, got, perByte)
				}
			}
		}
		t.Logf("%s: at most %.2f tokens tried a byte", enc.name, most)
	}
}

// A pattern looks ahead to the end of a run of white space, and o200k's to the end of a run of letters and marks
// without lower case. Such runs are passed a bounded number of times because they become a few pieces at most.
func TestRunsBecomeFewPieces(t *testing.T) {
	runs := map[string][]string{
		"white space": {" ", "\t", "\n", "\r", "\u3000"},
		"no newline":  {" ", "\t", "\u3000"},
		"letters":     {"A", "中", "É", "ʰ"},
		"marks":       {"A", "\u0301"},
	}
	for _, enc := range encodings {
		e := enc.get()
		for name, alphabet := range runs {
			if enc.name == "cl100k" && name == "marks" {
				continue // its letters do not include marks, and it does not look ahead for words
			}
			r := rand.New(rand.NewPCG(1, 2))
			for _, tail := range []string{"", "x", "1", "."} {
				var run strings.Builder
				for range 10000 {
					run.WriteString(alphabet[r.IntN(len(alphabet))])
				}
				pieces := 0
				for i, s := 0, run.String()+tail; i < run.Len(); pieces++ {
					i = e.next(s, i)
				}
				if pieces > 3 {
					t.Errorf("%s: a run of %s before %q is cut into %d pieces", enc.name, name, tail, pieces)
				}
			}
		}
	}
}
