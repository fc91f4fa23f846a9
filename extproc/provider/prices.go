package provider

// The tables give prices in thousandths of a dollar per million tokens.
const mill = 1_000_000 // nano-dollars

// Source: https://developers.openai.com/api/docs/pricing
var openAIPrices = map[string]Price{
	"gpt-3.5-turbo": cached(500, 500, 1_500),
	"gpt-4-turbo":   cached(10_000, 10_000, 30_000),

	"gpt-4o":            cached(2_500, 1_250, 10_000),
	"gpt-4o-2024-05-13": cached(5_000, 5_000, 15_000),
	"gpt-4o-mini":       cached(150, 75, 600),
	"gpt-4.1":           cached(2_000, 500, 8_000),
	"gpt-4.1-mini":      cached(400, 100, 1_600),
	"gpt-4.1-nano":      cached(100, 25, 400),

	"gpt-5":              cached(1_250, 125, 10_000),
	"gpt-5-chat":         cached(1_250, 125, 10_000),
	"gpt-5-codex":        cached(1_250, 125, 10_000),
	"gpt-5-mini":         cached(250, 25, 2_000),
	"gpt-5-nano":         cached(50, 5, 400),
	"gpt-5-pro":          cached(15_000, 15_000, 120_000),
	"gpt-5.1":            cached(1_250, 125, 10_000),
	"gpt-5.1-chat":       cached(1_250, 125, 10_000),
	"gpt-5.1-codex":      cached(1_250, 125, 10_000),
	"gpt-5.1-codex-mini": cached(250, 25, 2_000),
	"gpt-5.2":            cached(1_750, 175, 14_000),
	"gpt-5.2-chat":       cached(1_750, 175, 14_000),
	"gpt-5.4-mini":       cached(750, 75, 4_500),
	"gpt-5.4-nano":       cached(200, 20, 1_250),

	"o1":      cached(15_000, 7_500, 60_000),
	"o3":      cached(2_000, 500, 8_000),
	"o3-mini": cached(1_100, 550, 4_400),
	"o3-pro":  cached(20_000, 20_000, 80_000),
	"o4-mini": cached(1_100, 275, 4_400),

	"text-embedding-3-small": cached(20, 20, 0),
	"text-embedding-3-large": cached(130, 130, 0),
	"text-embedding-ada-002": cached(100, 100, 0),
}

// cached is the price of a model whose cache is written for nothing.
func cached(input, read, output int64) Price {
	return Price{Input: input * mill, CacheRead: read * mill, CacheWrite: input * mill,
		CacheWriteHour: input * mill, Output: output * mill}
}

// Source: https://platform.claude.com/docs/en/about-claude/pricing
var claudePrices = map[string]Price{
	"claude-3-haiku":    {Input: 250 * mill, CacheRead: 30 * mill, CacheWrite: 300 * mill, CacheWriteHour: 500 * mill, Output: 1_250 * mill},
	"claude-3-opus":     written(15_000, 1_500, 75_000),
	"claude-3-5-haiku":  written(800, 80, 4_000),
	"claude-3-5-sonnet": written(3_000, 300, 15_000),
	"claude-3-7-sonnet": written(3_000, 300, 15_000),
	"claude-opus-4":     written(15_000, 1_500, 75_000),
	"claude-opus-4-1":   written(15_000, 1_500, 75_000),
	"claude-sonnet-4":   written(3_000, 300, 15_000),
	"claude-opus-4-5":   written(5_000, 500, 25_000),
	"claude-sonnet-4-5": written(3_000, 300, 15_000),
	"claude-haiku-4-5":  written(1_000, 100, 5_000),
	"claude-opus-4-6":   written(5_000, 500, 25_000),
	"claude-sonnet-4-6": written(3_000, 300, 15_000),
	"claude-opus-4-7":   written(5_000, 500, 25_000),
	"claude-opus-4-8":   written(5_000, 500, 25_000),
	"claude-opus-5":     written(5_000, 500, 25_000),
	"claude-sonnet-5":   written(2_000, 200, 10_000),
	"claude-fable-5":    written(10_000, 1_000, 50_000),
	"claude-fable-5-1":  written(10_000, 250, 50_000),
	"claude-opus-5-5":   written(4_000, 200, 20_000),
	"claude-sonnet-5-5": written(2_000, 200, 10_000),
}

// written is the price of a Claude: a write for five minutes costs a quarter
// more than input, a write for an hour twice as much.
func written(input, read, output int64) Price {
	return Price{Input: input * mill, CacheRead: read * mill, CacheWrite: input * mill * 5 / 4,
		CacheWriteHour: input * mill * 2, Output: output * mill}
}
