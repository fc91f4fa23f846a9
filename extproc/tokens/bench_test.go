package tokens

import (
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goSource returns the source of net/http, and the English in its comments; more than 100 KB of each.
func goSource(b *testing.B) (code, comments string) {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(build.Default.GOROOT, "src", "net", "http", "*.go"))
	if err != nil || len(files) == 0 {
		b.Skip("the source of the standard library is not installed")
	}
	var all, prose strings.Builder
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		all.Write(src)
		for line := range strings.Lines(string(src)) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "// "); ok {
				prose.WriteString(text + "\n")
			}
		}
	}
	return all.String(), prose.String()
}

func repeated(text string) func(n int) string {
	return func(n int) string { return strings.Repeat(text, n/len(text)+1)[:n] }
}

// BenchmarkCount has sizes a decade apart: the time per byte should stay level, for hostile text too.
func BenchmarkCount(b *testing.B) {
	byName := map[string]string{}
	for _, s := range samples(b) {
		byName[s.Name] = s.Text
	}
	languages := func(names ...string) func(n int) string {
		var all strings.Builder
		for _, name := range names {
			all.WriteString(byName[name] + "\n\n")
		}
		return repeated(all.String())
	}
	code, comments := goSource(b)
	kinds := []struct {
		name string
		text func(n int) string
	}{
		{"english", repeated(comments)},
		{"code", repeated(code)},
		{"json", languages("json", "json indented")},
		{"european", languages("german", "french", "polish", "turkish", "finnish")},
		{"cyrillic", languages("russian", "ukrainian")},
		{"cjk", languages("chinese", "japanese", "korean")},
		{"letters", hostile["letters"]},
		{"aaa", hostile["aaa"]},
		{"white space", hostile["white space"]},
	}
	for _, enc := range encodings {
		e := enc.get()
		for _, kind := range kinds {
			for _, n := range []int{1e3, 1e4, 1e5} {
				s := kind.text(n)
				b.Run(fmt.Sprintf("%s/%s/%dK", enc.name, strings.ReplaceAll(kind.name, " ", "_"), n/1000), func(b *testing.B) {
					b.SetBytes(int64(n))
					b.ReportAllocs()
					for b.Loop() {
						e.Count(s)
					}
				})
			}
		}
	}
}

// BenchmarkUnfold is what the first call of O200K and CL100K costs; its memory is what they keep.
func BenchmarkUnfold(b *testing.B) {
	for name, table := range map[string]string{"o200k": o200kTable, "cl100k": cl100kTable} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				newVocabulary(table)
			}
		})
	}
}
