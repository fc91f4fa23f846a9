package rego

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// indexed are rules with more of them, none of which fires.
func indexed(b *testing.B, text string, more int) *Policy {
	b.Helper()
	p, err := Load(b.Context(), Options{FS: withMore(text, more), Default: Allow, Deadline: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func withMore(text string, more int) fstest.MapFS {
	all := strings.Builder{}
	all.WriteString(text)
	for i := range more {
		fmt.Fprintf(&all, "\ndeny contains {\"code\": \"c%d\"} if input.caller.key == \"key%d\"\n", i, i)
	}
	return fstest.MapFS{"a.rego": {Data: []byte(all.String())}}
}

// BenchmarkDecide is a whole decision with the building of the input, by the
// shipped defaults, fifteen rules, of which four fire, and more that do not. Each
// request is of another team than the one before.
func BenchmarkDecide(b *testing.B) {
	text, err := os.ReadFile("testdata/fifteen.rego")
	if err != nil {
		b.Fatal(err)
	}
	for _, more := range []int{0, 50, 500} {
		b.Run(fmt.Sprintf("rules=%d", 15+more), func(b *testing.B) {
			p := indexed(b, string(text), more)
			f, ctx := facts(), b.Context()
			var teams [1 << 12]string
			for i := range teams {
				teams[i] = fmt.Sprint("team", i)
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				f.Caller.Team = teams[n%len(teams)]
				if _, err := p.decide(ctx, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReload is a whole load of fifteen rules and 500 more.
func BenchmarkReload(b *testing.B) {
	text, err := os.ReadFile("testdata/fifteen.rego")
	if err != nil {
		b.Fatal(err)
	}
	o := Options{FS: withMore(string(text), 500), Default: Allow, Deadline: time.Minute}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInput builds the whole input, of which a policy needs a part.
func BenchmarkInput(b *testing.B) {
	f := facts()
	b.ReportAllocs()
	for b.Loop() {
		whole(onRequest, f)
	}
}
