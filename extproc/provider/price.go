package provider

import (
	"math"
	"math/bits"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Price is what a model costs, in nano-dollars per million tokens.
type Price struct {
	Input          int64 // neither read from nor written to the cache
	CacheRead      int64
	CacheWrite     int64
	CacheWriteHour int64 // kept for an hour
	Output         int64
}

// PricesAsOf is the month in which the prices were last compared with the
// providers' lists.
const PricesAsOf = "2026-11"

// The prices hold for standard service. Discounts for batches and surcharges
// for priority, regions and long contexts are not in the table; models whose
// price jumps at a context length are left out. So are vendors whose prices no
// table of this form can hold: DeepSeek's change with the hour, Google's with
// the length of the prompt and what is in it, those of Amazon, Azure and Vertex
// AI with the region, and whoever serves open models changes them often.
var prices = map[string]map[string]Price{
	"openai":    openAIPrices,
	"anthropic": claudePrices,
}

// PriceOf returns the list price of a provider's model. False means that no
// price is known, not that it costs nothing. A dated name has the price of its
// model, unless the table has its own.
func PriceOf(kind, model string) (Price, bool) {
	table := prices[kind]
	if p, ok := table[model]; ok {
		return p, true
	}
	p, ok := table[undated(model)]
	return p, ok
}

// Cost returns the cost of the tokens in nano-dollars, rounded up. Counts that
// contradict each other are read so that no token is paid for twice. A cost
// beyond the range of int64 is its maximum.
func (p Price) Cost(u llm.Usage) int64 {
	input := max(u.Input, 0)
	read := min(max(u.CacheRead, 0), input)
	write := min(max(u.CacheWrite, 0), input-read)
	hour := min(max(u.CacheWriteHour, 0), write)

	var s sum
	s.add(input-read-write, p.Input)
	s.add(read, p.CacheRead)
	s.add(write-hour, p.CacheWrite)
	s.add(hour, p.CacheWriteHour)
	s.add(max(u.Output, 0), p.Output)
	return s.perMillion()
}

// A sum adds products in 128 bits: a million tokens at ten
// dollars are 10^16, and 64 bits end soon after.
type sum struct{ hi, lo uint64 }

func (s *sum) add(tokens, price int64) {
	hi, lo := bits.Mul64(uint64(tokens), uint64(max(price, 0)))
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo, 0)
	s.hi += hi + carry
}

func (s *sum) perMillion() int64 {
	const million = 1_000_000
	if s.hi >= million {
		return math.MaxInt64
	}
	quo, rem := bits.Div64(s.hi, s.lo, million)
	if rem > 0 {
		quo++
	}
	if quo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(quo)
}
