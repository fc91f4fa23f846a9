package ledger

import (
	"strconv"
	"testing"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// BenchmarkInsert is what a row costs in a full batch.
func BenchmarkInsert(b *testing.B) {
	l := openTest(b, Options{})
	batch := make([]*gateway.Record, batchSize)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for i := range batch {
			n++
			batch[i] = record("6b01cf40"+strconv.Itoa(1<<40+n), "key", "openai/gpt-4o", 200)
		}
		if err := l.insert(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/row")
}
