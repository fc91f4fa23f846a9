package provider

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestPriceOf(t *testing.T) {
	for _, c := range []struct {
		kind, model string
		input       int64
		known       bool
	}{
		{"openai", "gpt-4o", 2_500_000_000, true},
		{"openai", "gpt-4o-2024-11-20", 2_500_000_000, true},
		{"openai", "gpt-4o-2024-05-13", 5_000_000_000, true},
		{"openai", "gpt-4o-audio-preview", 0, false},
		{"openai", "text-embedding-3-small", 20_000_000, true},
		{"openai", "claude-sonnet-4-5", 0, false},
		{"anthropic", "claude-sonnet-4-5-20250929", 3_000_000_000, true},
		{"anthropic", "claude-opus-4-20250514", 15_000_000_000, true},
		{"anthropic", "claude-opus-4-0", 15_000_000_000, true},
		{"anthropic", "claude-3-5-haiku-latest", 800_000_000, true},
		{"anthropic", "claude-none", 0, false},
		{"nobody", "gpt-4o", 0, false},
	} {
		p, ok := PriceOf(c.kind, c.model)
		if ok != c.known || p.Input != c.input {
			t.Errorf("PriceOf(%q, %q) = %+v, %v", c.kind, c.model, p, ok)
		}
	}
}

// Reading a cache never costs more than plain input, writing it never less.
func TestPriceTable(t *testing.T) {
	for kind, table := range prices {
		for model, p := range table {
			if p.Input <= 0 || p.CacheRead <= 0 || p.CacheRead > p.Input || p.CacheWrite < p.Input || p.CacheWriteHour < p.CacheWrite {
				t.Errorf("%s/%s: %+v", kind, model, p)
			}
		}
	}
}

func TestCost(t *testing.T) {
	claude, _ := PriceOf("anthropic", "claude-sonnet-4-5") // 3, 0.30, 3.75, 6 and 15 dollars
	for _, c := range []struct {
		name  string
		price Price
		usage llm.Usage
		want  int64
	}{
		{"nothing", claude, llm.Usage{}, 0},
		{"plain", claude, llm.Usage{Input: 1_000_000, Output: 1_000_000}, 18_000_000_000},
		{"one token", claude, llm.Usage{Input: 1}, 3_000},
		{"all kinds", claude, llm.Usage{Input: 1000, CacheRead: 100, CacheWrite: 300, CacheWriteHour: 200, Output: 10},
			600*3000 + 100*300 + 100*3750 + 200*6000 + 10*15000},
		{"rounded up", Price{Input: 1}, llm.Usage{Input: 1}, 1},
		{"rounded once", Price{Input: 1, Output: 1}, llm.Usage{Input: 1, Output: 1}, 1},
		{"more read than there is", claude, llm.Usage{Input: 10, CacheRead: 100}, 10 * 300},
		{"more written than is left", claude, llm.Usage{Input: 10, CacheRead: 4, CacheWrite: 100, CacheWriteHour: 500}, 4*300 + 6*6000},
		{"negative", claude, llm.Usage{Input: -5, CacheRead: -5, Output: -5}, 0},
		{"negative price", Price{Input: -1}, llm.Usage{Input: 5}, 0},
		{"too much", claude, llm.Usage{Input: math.MaxInt64, Output: math.MaxInt64}, math.MaxInt64},
		{"just too much", Price{Input: 1_000_001}, llm.Usage{Input: math.MaxInt64}, math.MaxInt64},
		{"the most", Price{Input: 1_000_000}, llm.Usage{Input: math.MaxInt64}, math.MaxInt64},
		{"a large one", Price{Input: 999_999}, llm.Usage{Input: math.MaxInt64}, 9223362813482738953},
	} {
		if got := c.price.Cost(c.usage); got != c.want {
			t.Errorf("%s: Cost = %d, want %d", c.name, got, c.want)
		}
	}
}

// Cost is what arbitrary precision says.
func TestCostExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		shift := r.IntN(40)
		u := llm.Usage{Input: r.Int64() >> shift, Output: r.Int64() >> shift}
		u.CacheRead = r.Int64N(u.Input + 1)
		u.CacheWrite = r.Int64N(u.Input - u.CacheRead + 1)
		u.CacheWriteHour = r.Int64N(u.CacheWrite + 1)
		p := Price{r.Int64N(1e11), r.Int64N(1e11), r.Int64N(1e11), r.Int64N(1e11), r.Int64N(1e11)}
		if got, want := p.Cost(u), exactCost(p, u); got != want {
			t.Fatalf("%+v for %+v: %d, want %d", p, u, got, want)
		}
	}
}

func exactCost(p Price, u llm.Usage) int64 {
	total := new(big.Int)
	for _, part := range [][2]int64{
		{u.Input - u.CacheRead - u.CacheWrite, p.Input}, {u.CacheRead, p.CacheRead},
		{u.CacheWrite - u.CacheWriteHour, p.CacheWrite}, {u.CacheWriteHour, p.CacheWriteHour}, {u.Output, p.Output},
	} {
		total.Add(total, new(big.Int).Mul(big.NewInt(part[0]), big.NewInt(part[1])))
	}
	total.Add(total, big.NewInt(999_999)).Div(total, big.NewInt(1_000_000))
	if !total.IsInt64() {
		return math.MaxInt64
	}
	return total.Int64()
}
