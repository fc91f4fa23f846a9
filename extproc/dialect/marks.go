package dialect

import "github.com/attache-gateway/attache/extproc/llm"

// maxMarks is how many places of a prompt providers cache.
const maxMarks = 4

// Marks hands out the cache marks of a request in the order in which a provider
// reads the prompt: tools, instructions, turns. Of too many the first go, for
// the last ones cover the most; and one that lasts longer must not come behind
// one that lasts shorter.
type Marks struct {
	notes *Notes
	left  int  // that may still be written; negative: so many are to be skipped first
	short bool // one of the shorter lifetime was written
}

// NewMarks counts the marks of a request. results says that those inside
// results of tools count.
func NewMarks(n *Notes, results bool) Marks {
	total := 0
	var count func(parts []llm.Part)
	count = func(parts []llm.Part) {
		for i := range parts {
			if parts[i].Cache != nil {
				total++
			}
			if results {
				count(parts[i].Parts)
			}
		}
	}
	for _, t := range n.Request.Tools {
		if t.Cache != nil {
			total++
		}
	}
	count(n.Request.System)
	for _, m := range n.Request.Messages {
		count(m.Parts)
	}
	return Marks{notes: n, left: maxMarks - total}
}

// lifetimes are the nearest lifetimes of five minutes and an hour.
var lifetimes = map[string]string{"": "", "5m": "5m", "1h": "1h", "30m": "5m", "12h": "1h"}

// Next returns the mark to write, with a lifetime of "", "5m" or "1h"; nil if
// none is to be written.
func (m *Marks) Next(c *llm.Cache) *llm.Cache {
	if c == nil {
		return nil
	}
	if m.left < 0 {
		m.left++
		m.notes.Warn("cache_control", "left out where a prompt has more than four marks")
		return nil
	}
	ttl := lifetimes[c.TTL]
	if ttl != c.TTL {
		now := ttl
		if now == "" {
			now = "that of the target"
		}
		m.notes.Warn("cache_control", "a lifetime became "+now)
	}
	switch {
	case ttl != "1h":
		m.short = true
	case m.short:
		ttl = "5m"
		m.notes.Warn("cache_control", "a lifetime of an hour behind a shorter one became five minutes")
	}
	return &llm.Cache{TTL: ttl}
}

// AppendBreakpoint appends a mark as OpenAI's newer models take it, as a member
// of a content part.
func AppendBreakpoint(dst []byte, c *llm.Cache) []byte {
	if c == nil {
		return dst
	}
	dst = append(dst, `,"prompt_cache_breakpoint":{"mode":"explicit"`...)
	switch c.TTL {
	case "5m":
		dst = append(dst, `,"ttl":"30m"`...)
	case "1h":
		dst = append(dst, `,"ttl":"12h"`...)
	}
	return append(dst, '}')
}
