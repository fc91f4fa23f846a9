package load

import (
	"math"
	"time"
)

// growth is the ratio of neighbouring buckets, which bounds the error of a
// quantile to one percent.
const growth = 1.01

// buckets cover 1 ns to more than an hour.
const buckets = 2930

// histogram counts durations in buckets that grow by one percent each, so that
// its size does not depend on the length of a run.
type histogram struct {
	counts [buckets]int64
	total  int64
	max    time.Duration
}

// Quantiles sum up durations; each is at most one percent too high.
type Quantiles struct {
	P50 time.Duration `json:"p50_ns"`
	P90 time.Duration `json:"p90_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`
}

func (h *histogram) record(d time.Duration) {
	i := int(math.Log(float64(max(d, 1))) / math.Log(growth))
	h.counts[min(i, buckets-1)]++
	h.total++
	h.max = max(h.max, d)
}

func (h *histogram) add(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

func (h *histogram) quantiles() Quantiles {
	return Quantiles{P50: h.quantile(0.50), P90: h.quantile(0.90), P99: h.quantile(0.99), Max: h.max}
}

// quantile is the upper end of the bucket in which the share q of all is
// reached.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(h.total)))
	var seen int64
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return min(h.max, time.Duration(math.Pow(growth, float64(i+1))))
		}
	}
	return 0
}
