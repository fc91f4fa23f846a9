package rego

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// BenchmarkDecide is a whole decision with the building of the input: fifteen
// rules, of which four fire; and with 500 more, one of which fires.
func BenchmarkDecide(b *testing.B) {
	text, err := os.ReadFile("testdata/fifteen.rego")
	if err != nil {
		b.Fatal(err)
	}
	for _, more := range []int{0, 500} {
		b.Run(fmt.Sprintf("rules=%d", 15+more), func(b *testing.B) {
			all := strings.Builder{}
			all.Write(text)
			for i := range more {
				fmt.Fprintf(&all, "\ndeny contains {\"code\": \"c%d\"} if input.caller.key == \"k%d\"\n", i, i)
			}
			dir := fstest.MapFS{"a.rego": {Data: []byte(all.String())}}
			p, err := Load(b.Context(), Options{FS: dir, Default: Allow, Deadline: time.Minute})
			if err != nil {
				b.Fatal(err)
			}
			f, ctx := facts(), b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Decide(ctx, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkInput builds the whole input, of which a policy needs a part.
func BenchmarkInput(b *testing.B) {
	f := facts()
	b.ReportAllocs()
	for b.Loop() {
		input(document, f)
	}
}
